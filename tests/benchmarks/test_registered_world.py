"""An environment of somebody else's as a world: registered with a symmetry and a task, and nothing more."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import gymnasium as gym
import pytest

from equiworld.benchmarks.questions.certificate import CertificateOf
from equiworld.benchmarks.questions.closed_loop import ClosedLoop
from equiworld.benchmarks.questions.one_step import OneStep
from equiworld.benchmarks.questions.success import Success
from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.rows import share_of
from equiworld.benchmarks.suite.run import Run, run
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.worlds import world_of
from equiworld.benchmarks.worlds.loops import Ended, solved_row
from equiworld.errors import ArgumentError, UnknownNameError
from equiworld.planners import CEM
from equiworld.tasks import TASKS, KeypointDistance

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


def key(question: Success, store: Store) -> str:
    cell = Cell("success", REACH, "equivariant", 0, (("trial", "own"),))
    return store.rows_path(cell, question.inputs(cell), question.modules(cell)).name


def test_what_it_is_registered_with_is_an_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, env_id = Store(tmp_path), REACH.rpartition(":")[2]
    world_of(REACH)
    task, spec = TASKS[env_id], gym.registry[env_id]
    keys = [key(Success(), store)]
    for changed in (
        replace(task, cost=KeypointDistance("position", "goal", lever=2.0)),
        replace(task, symmetric_arguments={"confined": False}),
        replace(task, planner=CEM(horizon=3)),
    ):
        with monkeypatch.context() as patch:
            patch.setitem(TASKS, env_id, changed)
            keys.append(key(Success(), store))
    for name, value in (("kwargs", {"half_width": 1.0}), ("max_episode_steps", 7)):
        with monkeypatch.context() as patch:
            patch.setattr(spec, name, value)
            keys.append(key(Success(), store))
    assert len(set(keys)) == len(keys) == 6
    assert key(Success(), store) == keys[0]


def test_no_success_is_invented_where_nobody_says_what_it_is() -> None:
    assert world_of(REACH).judge({}, None) == {}
    assert share_of("success", [{}, {}]) == {}
    assert share_of("success", [{"success": 0.0}])["success"] == 0.0


def test_how_soon_is_told_alike_for_episodes_that_end_and_that_go_on() -> None:
    def ended(first: int | None, solved: float) -> Ended:
        return Ended(0, 300, {"success": solved}, first)

    row = solved_row([ended(10, 1.0), ended(30, 1.0), ended(20, 0.0), ended(None, 0.0), ended(120, 1.0)])
    assert (row["successes"], row["episodes"], row["median_steps"], row["within_100"]) == (3, 5, 120, 0.4)
    assert solved_row([ended(None, 0.0)])["median_steps"] is None
    assert solved_row([Ended(0, 5, {}, None)]) == {}
