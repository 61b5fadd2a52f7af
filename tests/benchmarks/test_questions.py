"""Every registered question: its settings, its columns, and that no changed input finds an old row."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from equiworld.benchmarks import QUESTIONS, question
from equiworld.benchmarks import worlds as world_registry
from equiworld.benchmarks.arms import ARMS, arm_of
from equiworld.benchmarks.questions.one_step import residual
from equiworld.benchmarks.questions.success import Success
from equiworld.benchmarks.suite.arm import Arm
from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.question import Plan
from equiworld.benchmarks.suite.run import Run, run
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.worlds import WORLDS, world_of
from equiworld.benchmarks.worlds.pusht import PUSHT
from equiworld.commands.benchmarks import answer
from equiworld.errors import ArgumentError, UnknownNameError
from equiworld.models import WorldModel
from equiworld.planners import CEM
from equiworld.results import read_json
from equiworld.tasks import TASKS

every_question = pytest.mark.parametrize("name", QUESTIONS)


@every_question
def test_a_question_is_a_frozen_command_line_and_says_what_its_columns_are(name: str) -> None:
    kind = question(name)
    asked = kind()
    assert asked.name == name
    assert is_dataclass(asked)
    assert asked.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert asked.title.endswith("?")
    known = {each.name for each in fields(asked)}
    assert set(asked.small) <= known
    assert set(asked.choosing) <= known
    assert not known & {each.name for each in fields(Run)}, "settings and the run share a command line"
    for measure in asked.measures.values():
        assert measure.definition
    documented = kind.__doc__ or ""
    for each in fields(kind):
        if each.name in kind.__annotations__ and not str(kind.__annotations__[each.name]).startswith(
            "ClassVar"
        ):
            assert f"{each.name}:" in documented, each.name


@every_question
def test_cells_have_one_name_each_and_the_small_version_has_some(name: str) -> None:
    for asked in (question(name)(), question(name)().reduced()):
        cells = asked.cells(Plan(seeds=1))
        assert cells
        assert len({cell.id for cell in cells}) == len(cells)


def test_unknown_names_list_those_there_are() -> None:
    with pytest.raises(UnknownNameError, match="data-efficiency"):
        question("sucess")
    with pytest.raises(UnknownNameError, match="cloudpush"):
        world_of("push")
    with pytest.raises(UnknownNameError, match="augmented"):
        arm_of("argmented")


def test_names_that_fit_no_question_are_refused_before_anything_is_made(tmp_path: Path) -> None:
    for settings in (
        {"world": ("nowhere",)},
        {"arm": ("nobody",)},
        {"arm": ("steerable",), "world": ("cloudpush",)},
    ):
        with pytest.raises((ArgumentError, UnknownNameError)):
            run([Success()], Run(tmp_path, **settings, progress=False))  # type: ignore[arg-type]
    assert not list(tmp_path.rglob("*.json"))


@pytest.mark.parametrize("shard", ["0/2", "3/2", "1", "a/b", "1/0", "-1/2"])
def test_shards_that_are_none_are_refused(shard: str) -> None:
    with pytest.raises(ArgumentError, match="shard"):
        Run(shard=shard).check()


# --- stale rows ------------------------------------------------------------------------------------------

CELL = Cell("success", "pusht", "equivariant", 0, (("trial", "own"),))


def key(asked: Success, cell: Cell = CELL) -> str:
    """The name under which a cell's rows are looked for."""
    return Store("/tmp").rows_path(cell, asked.inputs(cell), asked.modules(cell)).name


def changed_scales() -> list[tuple[str, dict[str, Any]]]:
    scale = PUSHT.scales["full"]
    different = {
        "transitions": 1,
        "held_out": 1,
        "half_width": 29.0,
        "steps": (1,),
        "learning_rates": (1e-3,),
        "weight_decays": (0.5,),
        "periodic": (0.25,),
        "batch_size": 7,
        "encoder_steps": 7,
        "joint_steps": 7,
        "width": 8,
        "size": 7,
        "collection": 7,
        "device": "cuda",
    }
    assert set(different) == {each.name for each in fields(scale)}
    return [
        (f"scale.{name}", {"scales": {"full": replace(scale, **{name: value})}})
        for name, value in different.items()
    ]


WORLD_CHANGES: list[tuple[str, dict[str, Any]]] = [
    *changed_scales(),
    ("arguments", {"arguments": {"walls": False}}),
    ("env_id", {"env_id": "equiworld/CloudPush-v0"}),
    ("trial.arguments", {"trials": {"own": replace(PUSHT.trials["own"], arguments={"goal": "random"})}}),
    ("trial.steps", {"trials": {"own": replace(PUSHT.trials["own"], steps=7)}}),
    ("trial.first", {"trials": {"own": replace(PUSHT.trials["own"], first=7)}}),
    ("trial.in_slice", {"trials": {"own": replace(PUSHT.trials["own"], in_slice=True)}}),
    ("trial.variants", {"trials": {"own": replace(PUSHT.trials["own"], variants=({"goal": "random"},))}}),
    ("trial.share", {"trials": {"own": replace(PUSHT.trials["own"], share=0.5)}}),
]
SETTINGS: list[dict[str, Any]] = [
    {"episodes": 7},
    {"max_steps": 7},
    {"transitions": 7},
    {"steps": 7},
    {"half_width": 7.0},
    {"width": 7},
    {"scale": "demo"},
    {"scale": "small"},
]
PLANNERS: list[dict[str, Any]] = [
    {"samples": 7, "elites": 3},
    {"horizon": 7},
    {"iterations": 7},
    {"correlation": 0.7},
    {"around": "mean"},
]
ARM_CHANGES: list[Arm] = [
    replace(ARMS["equivariant"], part="all"),
    replace(ARMS["equivariant"], families={"state": "mlp"}),
    replace(ARMS["equivariant"], settings={"hidden": [7]}),
    replace(ARMS["equivariant"], settings={"periodic": 7}),
    *(
        ARMS["equivariant"].varied(name, value)
        for name, value in {
            "everywhere": False,
            "door": False,
            "compute": 7,
            "grow": 7,
            "averaged": 7,
            "proper": True,
            "kept": True,
        }.items()
    ),
]


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(ArgumentError, match="device"):
        Success(device="nowhere")


def test_no_changed_input_finds_an_old_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """Together with edited sources, which `test_suite.py` tries file by file."""
    keys = {"as it is": key(Success())}
    for changes in SETTINGS:
        keys[str(changes)] = key(Success(**changes))
    for cell in (
        replace(CELL, seed=1),
        replace(CELL, arm="plain"),
        replace(CELL, at=(("trial", "random goals"),)),
    ):
        keys[cell.id] = key(Success(), cell)
    for name, changes in WORLD_CHANGES:
        with monkeypatch.context() as patch:
            patch.setattr("equiworld.benchmarks.worlds.pusht.PUSHT", replace(PUSHT, **changes))
            keys[name] = key(Success())
    for changes in PLANNERS:
        with monkeypatch.context() as patch:
            task = TASKS[PUSHT.env_id]
            patch.setitem(TASKS, PUSHT.env_id, replace(task, planner=replace(CEM(), **changes)))
            keys[f"planner {changes}"] = key(Success())
    assert {
        each.name
        for each in fields(Arm)
        for arm in ARM_CHANGES
        if getattr(arm, each.name) != getattr(ARMS["equivariant"], each.name)
    } == {each.name for each in fields(Arm)}
    for arm in ARM_CHANGES:
        with monkeypatch.context() as patch:
            patch.setitem(ARMS, "equivariant", arm)
            keys[f"arm {arm}"] = key(Success())
    with monkeypatch.context() as patch:
        patch.setattr("equiworld.benchmarks.suite.store.versions", lambda: {"torch": "7"})
        keys["versions"] = key(Success())
    with monkeypatch.context() as patch:
        patch.setattr(Success, "version", 7)
        keys["version of the question"] = key(Success())
    assert len(keys) >= 40
    assert len(set(keys.values())) == len(keys)


@every_question
def test_rows_depend_on_every_setting_that_does_not_choose_cells(name: str) -> None:
    asked = question(name)().reduced()
    settings = {each.name: getattr(asked, each.name) for each in fields(asked)}
    wanted = {each: value for each, value in settings.items() if each not in asked.choosing}
    for cell in asked.cells(Plan(seeds=1)):
        assert asked.inputs(cell)["settings"] == wanted, cell.id


def test_an_input_that_would_hide_the_settings_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Success, "depends", lambda self, cell: {"settings": {"of": "something else"}})
    with pytest.raises(TypeError, match="settings"):
        Success().inputs(CELL)


@every_question
def test_rows_depend_on_the_sources_of_their_world(name: str) -> None:
    asked = question(name)().reduced()
    for cell in asked.cells(Plan(seeds=1)):
        if cell.world in WORLDS and (not asked.closed or "world" in asked.inputs(cell)):
            assert set(world_of(cell.world).modules()) <= set(asked.modules(cell)), cell.id


def test_a_residual_that_is_no_number_is_not_taken_for_exact(pusht_data: Any) -> None:
    model = WorldModel.for_data(pusht_data, "state", hidden=(8,))
    elements = PUSHT.elements(3, 0)
    assert residual(PUSHT, model, pusht_data, elements, torch.float64)[0] <= 1e-12
    predict, calls = model.predict, []

    def spoilt(z: Any, action: Any) -> Any:
        calls.append(0)
        return predict(z, action) if len(calls) != 3 else predict(z, action).map(lambda part: part * np.nan)

    model.predict = spoilt  # type: ignore[method-assign]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("copy.deepcopy", lambda one: one)
        found = residual(PUSHT, model.double(), pusht_data, elements, torch.float64)
    assert np.isnan(found).all()


def test_all_questions_leave_out_what_the_worlds_do_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(
        "equiworld.commands.benchmarks.run",
        lambda questions, settings: asked.extend(q.name for q in questions) or [],
    )
    monkeypatch.setattr("equiworld.commands.benchmarks.zip", lambda *_, **__: [], raising=False)
    outcome = answer("all", SimpleNamespace(run=Run(tmp_path, ("pusht",), ("equivariant",), quick=True)))
    assert {"one-step", "success", "closed-loop"} <= set(asked)
    assert not {"keypoint-noise", "layer-speed", "planner-success"} & set(asked)
    assert "keypoint-noise is left out" in outcome.text
    with pytest.raises(ArgumentError, match="fit"):
        answer("all", SimpleNamespace(run=Run(tmp_path, ("nowhere",))))


def test_small_runs_have_a_folder_of_their_own_by_default() -> None:
    assert Run(quick=True).settled().out != Run().settled().out
    assert Run(Path("mine"), quick=True).settled().out == Path("mine")


def test_what_no_row_depends_on_changes_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else everything would be measured again for nothing: other trials, other seeds, a line more in a registry."""
    before = key(Success())
    assert key(Success(trial=("own",))) == before
    assert key(Success(transitions=PUSHT.scales["full"].transitions)) == before
    monkeypatch.setitem(world_registry.WORLDS, "another", "equiworld.benchmarks.worlds.pusht:PUSHT")
    monkeypatch.setitem(ARMS, "another", Arm({"state": "mlp"}))  # type: ignore[index]
    assert key(Success()) == before


# --- in small --------------------------------------------------------------------------------------------


@pytest.mark.slow
@every_question
def test_a_question_is_answered_in_small(name: str, tmp_path: Path) -> None:
    asked = question(name)().reduced()
    (result,) = run([asked], Run(tmp_path, seeds=1, quick=True, progress=False))
    assert result["rows"]
    assert result["config"]["missing"] == []
    assert read_json(tmp_path / f"{name}.json")["benchmark"] == name
    assert asked.table(result["rows"])


def test_every_world_has_what_questions_ask_of_it() -> None:
    for name in WORLDS:
        if name != "pusht":
            pytest.importorskip("mujoco")
        world = world_of(name)
        assert {"full", "demo", "demo-quick", "small"} <= set(world.scales)
        elements = world.orbit(5, 0)
        assert len(elements) == 5
        assert (elements[0].matrix == np.eye(elements[0].dim)).all()
        assert not any((g.matrix == np.eye(g.dim)).all() for g in elements[1:])
        assert len(world.elements(3, 0)) == 3
