"""The question of interchangeable bodies: what its rows say of who knows the group and who does not."""

from __future__ import annotations

import pytest

from equiworld.benchmarks.questions.bodies import ARMS, STARTS, BodiesQuestion
from equiworld.benchmarks.suite.run import Run, run

TINY = BodiesQuestion(
    transitions=80,
    tested=40,
    steps=3,
    encoder_steps=2,
    joint_steps=1,
    elements=1,
    episodes=2,
    paired=1,
    length=1,
)
CLOUDS = pytest.param("cloudpush-bodies-clouds", marks=pytest.mark.slow)


@pytest.fixture(scope="module", params=["cloudpush-bodies", CLOUDS, "pusht-blocks"])
def rows(request, tmp_path_factory):
    pytest.importorskip("mujoco" if request.param.startswith("cloudpush") else "pymunk")
    settings = Run(tmp_path_factory.mktemp("bodies"), world=(request.param,), progress=False).settled()
    (result,) = run([TINY], settings)
    return {(row["arm"], row["start"]): row for row in result["rows"]}


def test_every_arm_has_rows(rows):
    assert set(rows) == {(arm, start) for arm in ARMS for start in STARTS}
    assert all(row["relative_error"] > 0 and 0 <= row["success"] <= 1 for row in rows.values())
    assert {row["episodes"] for (_, start), row in rows.items() if start == STARTS[-1]} == {2}


def test_only_who_knows_the_whole_group_is_exact(rows):
    first = rows["equivariant", STARTS[0]]
    for start in STARTS[1:]:
        exact = rows["equivariant", start]
        assert exact["residual"] < 1e-9  # mirrored headings come from angles
        assert exact["relative_error"] == pytest.approx(first["relative_error"], rel=1e-3)
        # Chipmunk's own rounding, where blocks touch.
        assert exact["deviation"] < 1e-6 * max(first["distance"], 1e-6) + 1e-12
    for arm in ("canonical, no exchange", "plain", "augmented by permutations"):
        assert max(rows[arm, start]["residual"] for start in STARTS[1:]) > 1e-4
    assert rows["canonical, no exchange", "turned"]["relative_error"] == pytest.approx(
        rows["canonical, no exchange", STARTS[0]]["relative_error"], rel=1e-3
    )
