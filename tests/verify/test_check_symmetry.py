"""True declarations pass, and false ones are found with the field named: `ew.check_symmetry`."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from importlib.util import find_spec
from types import SimpleNamespace

import gymnasium as gym
import numpy as np
import pytest
from declaration_cases import (
    PLANTED,
    PLANTED_ROBOTS,
    TRUE,
    TRUE_ROBOTS,
    declared,
    exchange_legs,
    puck,
    pusht,
)
from gymnasium import spaces
from puck import SYMMETRY, Puck, move_puck

import equiworld as ew
from equiworld.envs.known.mujoco_move import mujoco_move
from equiworld.errors import ArgumentError, SimulationError
from equiworld.groups import E2, SO2, Cyclic
from equiworld.symmetry import Heading, Scalar, Symmetry, Vector
from equiworld.symmetry.serialise import symmetry_from_dict, symmetry_to_dict

# Gymnasium's MuJoCo environments import imageio.
robots = pytest.mark.skipif(
    find_spec("mujoco") is None or find_spec("imageio") is None, reason="needs mujoco and imageio"
)
SMALL = {"states": 4}


def checked(env, symmetry=None, **arguments):
    move = move_puck if isinstance(env.unwrapped, Puck) else None
    move = exchange_legs if "HalfCheetah" in str(env) else move
    return ew.check_symmetry(env, symmetry, move=arguments.pop("move", move), **arguments)


@pytest.mark.parametrize("case", [*TRUE, *(pytest.param(name, marks=robots) for name in TRUE_ROBOTS)])
def test_what_is_true_is_exact(case):
    began = time.process_time()
    found = checked(*(TRUE | TRUE_ROBOTS)[case](), seed=1)
    assert found.verdict == "exact", found
    assert found.ok
    assert not found.problems
    assert time.process_time() - began <= 20.0


@pytest.mark.parametrize("case", [*PLANTED, *(pytest.param(name, marks=robots) for name in PLANTED_ROBOTS)])
def test_what_is_false_is_found_and_named(case):
    make, names, mended = (PLANTED | PLANTED_ROBOTS)[case]
    states = {} if case == "ant, cones" else SMALL
    began = time.process_time()
    found = checked(*make(), seed=1, **states)
    assert found.verdict == "false"
    assert not found.ok
    assert time.process_time() - began <= 20.0
    false = {each.name: each for each in found.fields if each.verdict == "false"}
    assert set(names) <= set(false), found
    if mended is not None:
        assert any(mended in (false[name].fits or "") for name in names), found
        blamed = {name for name, each in false.items() if "follows" not in (each.fits or "")}
        assert blamed - {"reward", "end"} <= {*names, "block_pos", "goal_pos"} or "centre" in case


def test_a_wrong_goal_is_said():
    found = checked(*puck(declared(goal=("place",))))
    assert any("'place' moves in an episode and 'goal' does not" in note for note in found.notes)


def test_verdicts_depend_on_the_tolerance_asked():
    assert checked(*puck(wind=1e-6), tolerance=1e-3, **SMALL).verdict == "approximate"
    assert checked(*puck(wind=1e-6), **SMALL).verdict == "false"
    found = checked(*puck(), tolerance=0.1, **SMALL)
    assert found.verdict == "exact"


@pytest.mark.parametrize(("settings", "name"), [({"pays": 0.1}, "reward"), ({"ends": 1.0}, "end")])
def test_a_reward_or_an_end_that_is_said_to_break_does_not_count(settings, name):
    found = checked(*puck(replace(SYMMETRY, reward=False), **settings))
    assert (found.verdict, found.field(name).verdict, found.ok) == ("exact", "broken", True)
    assert not found.problems
    assert any(f"the {name} deviates by" in note and "reward=False" in note for note in found.notes)
    assert "broken" in str(found)
    assert max(found.by_kind.values()) < 1e-9
    assert not checked(*puck(replace(SYMMETRY, reward=False), wind=0.01), **SMALL).ok


def test_a_reward_that_is_given_up_and_stays_is_noted():
    found = checked(*puck(replace(SYMMETRY, reward=False)), **SMALL)
    assert found.verdict == "exact"
    assert any("yet the reward stayed the same" in note for note in found.notes)
    assert not any("reward=False" in note for note in checked(*puck(), **SMALL).notes)


def test_whether_the_reward_stays_is_kept_in_files():
    lost = replace(SYMMETRY, reward=np.bool_(False))
    told = symmetry_to_dict(lost)
    assert json.loads(json.dumps(told))["reward"] is False
    assert symmetry_from_dict(told) == lost
    told.pop("reward")  # as in files of before
    assert symmetry_from_dict(told) == SYMMETRY
    with pytest.raises(ArgumentError, match="reward"):
        replace(SYMMETRY, reward="no")


def test_nothing_to_compare_is_no_pass():
    alone = Symmetry(Cyclic(1), {"all": Scalar(10)}, action=Scalar(2), flat=True)
    with pytest.raises(ArgumentError, match="nothing to compare"):
        checked(Puck(), alone)


def test_what_cannot_be_told_is_said():
    found = checked(*puck(idle=True), **SMALL)
    assert {"one", "end", "action"} <= set(found.untested)
    assert "never changed" in str(found)
    assert any("did not change within an episode" in note for note in found.field("mass").notes)


def test_elements_that_nothing_begins_at_are_not_passed_over():
    def unmirrored(env, g):
        if g.determinant < 0:
            raise ArgumentError("g", "a reflection", "a turn")
        move_puck(env, g)

    found = checked(*puck(), move=unmirrored, **SMALL)
    assert found.verdict == "exact"
    assert found.never == ("mirrors",)
    assert not found.ok
    assert "NEVER TESTED under mirrors" in str(found)
    assert any("were refused" in note for note in found.notes)


def test_a_simulator_that_does_not_repeat_itself_is_said():
    env, rng = Puck(), np.random.default_rng(0)
    step = env.step
    env.step = lambda action: step(action + 0.1 * rng.normal(size=2))
    found = checked(env, SYMMETRY, **SMALL)
    assert found.verdict == "false"
    assert any("does not repeat itself" in note for note in found.notes)


def test_the_layout_shows_values_and_the_report_goes_to_json():
    found = checked(*puck(declared({"speed": Scalar(2)})), **SMALL)
    text = str(found)
    for words in ("at s", "at g·s", "expected", "2–3", "Scalar(2)", "FALSE speed", "sizes alone", "FALSE."):
        assert words in text
    field = found.field("speed")
    assert (field.first_step, field.role, field.place) == (0, "observation", "2–3")
    assert np.allclose(field.before, field.expected)
    told = json.loads(json.dumps(found.to_dict()))
    assert (told["verdict"], told["ok"], told["fields"][1]["verdict"]) == ("false", False, "false")
    assert found.elements.determinant.min() < 0
    with pytest.raises(ArgumentError, match=r"'nobody'.*speed"):
        found.field("nobody")


def test_the_same_seed_finds_the_same():
    first, again = (checked(*puck(wind=0.01), seed=3, **SMALL) for _ in range(2))
    assert [each.relative for each in first.fields] == [each.relative for each in again.fields]


def test_the_action_space_is_noted_and_not_failed():
    found = checked(*puck(), **SMALL)
    assert any("is not its own image under E2()" in note for note in found.notes)
    assert not any("is not its own image" in note for note in checked(pusht(), **SMALL).notes)


def with_space(env, **changes):
    for name, space in changes.items():
        setattr(env, name, space)
    return env


def blind(env):
    env._get_obs = lambda: np.full(10, np.nan)
    return env


BOX = spaces.Box(-1.0, 1.0, (2,), np.float32)
REFUSED = {
    "NaN": (lambda: (blind(Puck()), SYMMETRY), "place: got NaN or infinity"),
    "no move": (lambda: (SimpleNamespace(env=Puck()), SYMMETRY), r"ignores options\['group_element'\]"),
    "actions by number": (
        lambda: (with_space(Puck(), action_space=spaces.Discrete(3)), SYMMETRY),
        r"action space: got Discrete\(3\); expected a Box of floats, shape \(2,\)",
    ),
    "other actions": (lambda: (Puck(), declared(action=Scalar(3))), r"action space: got shape \(2,\)"),
    "other size": (
        lambda: (with_space(Puck(), observation_space=BOX), SYMMETRY),
        r"space of 'observation': got shape \(2,\)",
    ),
    "no numbers seen": (
        lambda: (with_space(Puck(), observation_space=spaces.Discrete(3)), SYMMETRY),
        r"space of 'observation': got Discrete",
    ),
    "no symmetry": (lambda: (Puck(), E2()), "symmetry: got E2"),
    "no environment": (lambda: (3, SYMMETRY), "env: got int"),
    "a stack that is moved": (
        lambda: (gym.wrappers.FrameStackObservation(Puck(), 3), SYMMETRY),
        "move: got one after which observations have another shape",
    ),
    "several environments": (
        lambda: (gym.vector.SyncVectorEnv([Puck, Puck]), SYMMETRY),
        "env: got SyncVectorEnv",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_checked_is_refused_before_the_work(case):
    make, words = REFUSED[case]
    env, symmetry = make()
    move = None if case == "no move" else move_puck
    env = env.env if isinstance(env, SimpleNamespace) else env
    with pytest.raises(ArgumentError, match=words):
        ew.check_symmetry(env, symmetry, move=move)


@pytest.mark.parametrize(
    "arguments",
    [{"elements": 0}, {"states": True}, {"steps": 1.5}, {"tolerance": -1.0}, {"seed": -1}, {"move": 3}],
    ids=str,
)
def test_arguments_are_numbers(arguments):
    with pytest.raises(ArgumentError, match=next(iter(arguments))):
        ew.check_symmetry(Puck(), SYMMETRY, **{"move": move_puck, **arguments})


def test_a_move_that_fails_says_so():
    def broken(env, g):
        raise RuntimeError("out of order")

    with pytest.raises(SimulationError, match="moving the environment failed at seed 0: out of order"):
        checked(*puck(), move=broken)
    with pytest.raises(ArgumentError, match="a reflection"):
        checked(
            *puck(), move=lambda env, g: (_ for _ in ()).throw(ArgumentError("g", "a reflection", "none"))
        )


def test_an_environment_that_is_told_of_elements_needs_no_move():
    class Told(Puck):
        def reset(self, *, seed=None, options=None):
            super().reset(seed=seed)
            if options:
                move_puck(self, options["group_element"])
            return self._get_obs(), {}

    assert ew.check_symmetry(Told(), SYMMETRY, **SMALL).verdict == "exact"
    false = ew.check_symmetry(Told(), declared({"speed": Scalar(2)}), **SMALL)
    assert false.problems == (f"speed: declared Scalar(2); {false.field('speed').fits}",)
    assert "Vector() would fit" in false.problems[0]


@robots
def test_a_swimmer_is_checked_from_its_joints():
    fields = {"heading": Heading(), "joints": Scalar(2), "velocity": Vector(), "rates": Scalar(3)}
    swimmer = Symmetry(SO2(), fields, action=Scalar(2), flat=True)
    env = gym.make("Swimmer-v5", forward_reward_weight=0.0)
    assert ew.check_symmetry(env, swimmer, move=mujoco_move).verdict == "exact"
    wrong = replace(swimmer, observation={**fields, "joints": Vector()}, action=Vector())
    found = ew.check_symmetry(env, wrong, move=mujoco_move)
    assert {"joints", "action"} <= {each.name for each in found.fields if each.verdict == "false"}
    assert "Scalar(2) would fit" in (found.field("joints").fits or "")
    assert "Scalar(2) would fit" in (found.field("action").fits or "")
