"""The question of interchangeable bodies: what its rows say of who knows the group and who does not."""

from __future__ import annotations

import pytest

from equiworld.benchmarks.questions.bodies import ARMS, BodiesQuestion
from equiworld.benchmarks.suite.run import Run, run

pytest.importorskip("mujoco")

TINY = BodiesQuestion(transitions=120, tested=40, steps=3, elements=2, episodes=1, length=1)


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    settings = Run(tmp_path_factory.mktemp("bodies"), progress=False).settled()
    (result,) = run([TINY], settings)
    return {row["arm"]: row for row in result["rows"]}


def test_every_arm_has_a_row(rows):
    assert set(rows) == set(ARMS)
    assert all(row["relative_error"] > 0 and 0 <= row["success"] <= 1 for row in rows.values())


def test_only_who_knows_the_whole_group_is_exact(rows):
    exact, others = rows["equivariant"], [row for arm, row in rows.items() if arm != "equivariant"]
    assert exact["residual"] < 1e-11
    assert exact["deviation"] < 1e-12
    for name in ("relative_turned", "relative_exchanged"):
        assert exact[name] == pytest.approx(exact["relative_error"], rel=1e-4)
    assert all(row["residual"] > 1e-4 for row in others)
    assert rows["canonical, no exchange"]["relative_turned"] == pytest.approx(
        rows["canonical, no exchange"]["relative_error"], rel=1e-3
    )
