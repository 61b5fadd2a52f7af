"""An environment of somebody else's as a world: registered with a symmetry and a task, and nothing more."""

from __future__ import annotations

from pathlib import Path

import pytest

from equiworld.benchmarks.questions.certificate import CertificateOf
from equiworld.benchmarks.questions.closed_loop import ClosedLoop
from equiworld.benchmarks.questions.one_step import OneStep
from equiworld.benchmarks.questions.success import Success
from equiworld.benchmarks.suite.run import Run, run
from equiworld.benchmarks.worlds import world_of
from equiworld.errors import ArgumentError, UnknownNameError

REACH = "equiworld.benchmarks.worlds.reach:equiworld-benchmarks/Reach-v0"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, object]]]:
    asked = [kind().reduced() for kind in (OneStep, ClosedLoop, Success, CertificateOf)]
    settings = Run(tmp_path_factory.mktemp("reach"), (REACH,), ("equivariant", "plain"), 1, progress=False)
    return {each["benchmark"]: each["rows"] for each in run(asked, settings)}


def test_all_questions_of_trained_models_are_answered(results: dict[str, list[dict[str, object]]]) -> None:
    for rows in results.values():
        assert {row["world"] for row in rows} == {REACH}
        assert {row["arm"] for row in rows} == {"equivariant", "plain"}
    assert {"success", "episodes"} <= set(results["success"][0])


def test_exact_is_exact_there_and_plain_is_not(results: dict[str, list[dict[str, object]]]) -> None:
    for name, measure, bound in (("closed-loop", "deviation_max", 1e-9), ("certificate", "deviation", 1e-9)):
        worst = {
            arm: max(float(row[measure]) for row in results[name] if row["arm"] == arm)  # type: ignore[arg-type]
            for arm in ("equivariant", "plain")
        }
        assert worst["equivariant"] <= bound < 1e-4 < worst["plain"]
    (row,) = [
        row for row in results["one-step"] if row.get("part") == "model" and row["arm"] == "equivariant"
    ]
    assert row["residual_float64"] <= 1e-12  # type: ignore[operator]


def test_what_is_no_world_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="register_task"):
        world_of("CartPole-v1")
    with pytest.raises(ArgumentError, match="imported"):
        world_of("nowhere_at_all:Foo-v0")
    with pytest.raises(UnknownNameError, match="pusht"):
        world_of("Foo-v7")
