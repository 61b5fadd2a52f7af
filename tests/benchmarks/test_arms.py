"""Arms: what they add is an input, what they share is trained once, and behind the door a plain one is exact."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import pairwise

import numpy as np
import pytest

from equiworld.benchmarks.arms import ARMS, MAIN, arm_of
from equiworld.benchmarks.questions.over_orbit import InSliceOrTurned, OverOrbit, PostHoc, Scaling, Softness
from equiworld.benchmarks.questions.trained import TrainedQuestion
from equiworld.benchmarks.suite.arm import Arm
from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.question import Plan
from equiworld.benchmarks.suite.run import Run, run
from equiworld.benchmarks.suite.scale import FEW
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.suite.trained import chosen, trained_inputs, trained_model
from equiworld.benchmarks.worlds.cloudpush import CLOUDPUSH, POSE
from equiworld.benchmarks.worlds.pusht import PUSHT
from equiworld.errors import ArgumentError, UnknownNameError
from equiworld.groups import SE2

SCALE = replace(PUSHT.scales["small"], steps=(2,), width=8)


@pytest.fixture
def store(tmp_path, pusht_data, monkeypatch):
    """Whose data is there already."""
    monkeypatch.setattr("equiworld.benchmarks.suite.trained.data_of", lambda *_: pusht_data)
    return Store(tmp_path)


def models(store: Store) -> int:
    return len(list(store.folder.glob("models/*/model.json")))


def test_any_arm_is_had_with_the_door_off_and_on():
    for name, arm in ARMS.items():
        assert arm_of(f"{name}, door") == replace(arm, door=True, everywhere=True)
        assert arm_of(f"{name}, no door") == replace(arm, door=False)
    assert set(MAIN) <= set(ARMS)
    for wrong in ("plain,door", ", door", "nobody, door", "plain, door, door"):
        with pytest.raises(UnknownNameError):
            arm_of(wrong)


@pytest.mark.parametrize("world", [PUSHT, CLOUDPUSH, POSE], ids=lambda world: world.name)
def test_every_arm_is_had_at_every_scale(world):
    """Those of networks without sines at scales that say how many, too."""
    for arm in ARMS.values():
        for scale in [*world.scales.values(), world.scales["full"].few(2_000)]:
            if world.kind in arm.families:
                assert trained_inputs(world, arm, scale)["family"] == arm.families[world.kind]


def test_what_is_varied_is_a_field_or_a_setting_of_the_model():
    arm = Arm({"state": "soft"}, settings={"hidden": [8]})
    assert arm.varied("grow", 2) == replace(arm, grow=2)
    assert arm.varied("penalty", 3.0).settings == {"hidden": [8], "penalty": 3.0}


def test_arms_that_train_alike_share_a_model_and_all_others_do_not(store):
    plain = ARMS["plain"]
    trained_model(store, PUSHT, plain, 0, SCALE)
    for changes in ({"door": True}, {"door": False}, {"averaged": 4}, {"everywhere": True}):
        trained_model(store, PUSHT, replace(plain, **changes), 0, SCALE)
        assert models(store) == 1, changes
    for count, changes in enumerate(({"compute": 2}, {"grow": 2}, {"proper": True}, {"part": "all"}), 2):
        trained_model(store, PUSHT, replace(plain, **changes), 0, SCALE)
        assert models(store) == count, changes


def test_an_arm_does_what_it_says(store):
    plain = trained_model(store, PUSHT, ARMS["plain"], 0, SCALE)
    assert plain.recipe.network.hidden == (8, 8, 8)
    grown = trained_model(store, PUSHT, replace(ARMS["plain"], grow=16), 0, SCALE)
    assert (grown.recipe.network.hidden, grown.recipe.network.periodic) == ((128,) * 3, 64)
    averaged = trained_model(store, PUSHT, replace(ARMS["plain"], averaged=4), 0, SCALE)
    assert averaged.recipe.network.elements == 4
    for one, other in zip(plain.parameters(), averaged.parameters(), strict=True):
        assert (one == other).all()
    proper = trained_model(store, PUSHT, replace(ARMS["augmented"], proper=True), 0, SCALE)
    assert proper.declared.group == SE2() != plain.declared.group
    assert proper.augmentation.proper


def test_steps_are_multiplied(store, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "equiworld.benchmarks.suite.trained.train", lambda model, data, config: asked.append(config.steps)
    )
    for compute in (1, 4, 16):
        trained_model(store, PUSHT, replace(ARMS["augmented"], compute=compute), 0, SCALE)
    assert asked == [2, 8, 32]


def test_what_an_arm_cannot_be_is_refused_before_any_work():
    with pytest.raises(ArgumentError, match="grow"):
        trained_inputs(PUSHT, replace(ARMS["steerable"], grow=2), SCALE)
    cloud = replace(PUSHT, kind="cloud")
    with pytest.raises(ArgumentError, match="averaged"):
        trained_inputs(cloud, replace(ARMS["plain"], averaged=4), SCALE)
    with pytest.raises(ArgumentError, match="scale: got 2k"):
        TrainedQuestion.scale_in(InSliceOrTurned(scale="2k"), replace(PUSHT, scales={"full": SCALE}))


def test_one_grid_is_tried_with_every_arm(store, monkeypatch):
    """Rate, decay and steps; sine features where there are any. No arm has entries of its own."""
    tried = []
    monkeypatch.setattr(
        "equiworld.benchmarks.suite.trained.train", lambda model, data, config: tried.append(config)
    )
    monkeypatch.setattr(type(PUSHT), "validation_error", lambda *_: float(len(tried)))
    found = {}
    for name in ("steerable", "augmented", "plain"):
        tried.clear()
        best = chosen(store, PUSHT, ARMS[name], replace(PUSHT.scales["2k"], size=100))
        found[name] = {(each.steps, each.learning_rate, each.weight_decay) for each in tried}
        assert (best.steps[0], best.learning_rates[0]) == (FEW["steps"][0], FEW["learning_rates"][0])
    assert found["steerable"] == found["augmented"] == found["plain"]
    assert len(found["plain"]) == len(FEW["steps"]) * len(FEW["learning_rates"]) * len(FEW["weight_decays"])
    assert {name: getattr(PUSHT.scales["2k"], name) for name in FEW} == dict(FEW)
    assert PUSHT.scales["2k"].size == 2_000


QUESTIONS = [kind for kind in OverOrbit.__subclasses__() if kind is not InSliceOrTurned]


@pytest.mark.parametrize("kind", QUESTIONS)
def test_what_is_varied_is_in_the_rows_keys(kind):
    asked, world = kind(), PUSHT
    cells = asked.cells(Plan(worlds=("pusht",), seeds=1))
    for arm in asked.arms:
        own = [cell for cell in cells if cell.arm == arm]
        assert len(own) == (len(asked.values) if arm in asked.varied else 1)
        inputs = [asked.inputs(cell)["arm"] for cell in own]
        assert all(one != other for one, other in pairwise(inputs))
    for cell in cells:
        trained_inputs(world, asked.arm_at(cell), asked.scale_in(world))


def test_dials_are_fields_of_arms_or_settings_of_networks():
    known = {each.name for each in fields(Arm)}
    assert {kind.dial for kind in QUESTIONS} - known == {Softness.dial}
    assert asked_parameters(16) > 200 * asked_parameters(1)


def asked_parameters(grow: float) -> int:
    from equiworld.models import WorldModel

    (cell,) = [
        cell for cell in Scaling().cells(Plan(arms=("plain",), seeds=1)) if cell.point == {"grow": grow}
    ]
    hidden = [round(Scaling().scale_in(PUSHT).width * Scaling().arm_at(cell).grow)] * 3
    model = WorldModel.for_env(PUSHT.env_id, "mlp", hidden=hidden, periodic=0)
    return sum(weights.numel() for weights in model.parameters() if weights.shape == (hidden[0],) * 2)


# --- closed loops ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_plain_model_behind_the_door_is_exact_and_as_good_turned_as_unturned(tmp_path):
    """Without the door the same models are neither: the negative control."""
    asked = replace(InSliceOrTurned().reduced(), tasks=3, task_steps=40)
    arms = ("plain", "centred", "augmented", "soft", "averaged")
    (result,) = run([asked], Run(tmp_path, ("pusht",), arms, 1, jobs=1, progress=False))
    for row in result["rows"]:
        if row["door"]:
            assert row["deviation_max"] <= 1e-8, row
            assert (row["success"], row["lost"], row["gained"]) == (row["success_turned"], 0, 0)
        else:
            assert row["deviation_max"] > 1e-3, row
    assert len(result["rows"]) == 2 * len(arms)


@pytest.mark.slow
def test_in_space_a_plain_model_is_posed_where_it_was_trained(tmp_path):
    pytest.importorskip("mujoco")
    from equiworld.benchmarks.worlds.cloudpush import CLOUDPUSH
    from equiworld.rollout import stack
    from equiworld.symmetry import Door, symmetry_of
    from equiworld.verify.elements import rotation_angle

    env = CLOUDPUSH.make(max_angle=np.pi)
    door = Door(symmetry_of(env))
    posed = Door(symmetry_of(env), reference_pose=CLOUDPUSH.pose(door))
    seen, true = zip(*(env.reset(seed=seed) for seed in range(40)), strict=True)
    body = np.array([info["body_rotation"].reshape(3, 3) for info in true])

    def apart(door: Door) -> float:
        """How far bodies are turned in canonical observations [deg], the median."""
        element = door.enter(stack(seen)).element
        turns = element.group.element(np.swapaxes(element.matrix, 1, 2) @ body)
        return float(np.median([np.degrees(rotation_angle(each)) for each in turns]))

    assert apart(posed) <= 30.0 < 60.0 <= apart(door)
    asked = replace(InSliceOrTurned().reduced(), task_steps=10)
    (result,) = run([asked], Run(tmp_path, ("cloudpush",), ("centred",), 1, jobs=1, progress=False))
    deviations = {row["door"]: row["deviation_max"] for row in result["rows"]}
    assert deviations[True] <= 1e-9 < 1e-4 < deviations[False]


@pytest.mark.slow
def test_more_elements_leave_less_of_the_residual(tmp_path):
    asked = replace(PostHoc().reduced(), values=(1, 8), tasks=2, task_steps=2)
    store = Store(tmp_path)
    cells = asked.cells(Plan(worlds=("pusht",), arms=("centred",), seeds=1))
    assert [type(cell) for cell in cells] == [Cell, Cell]
    (one,), (eight,) = (asked.answer(cell, store) for cell in cells)
    assert one["residual_float64"] > eight["residual_float64"] > 1e-9
    assert models(store) == 1
