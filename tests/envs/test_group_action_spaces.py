"""Spaces, specs, pickles and Gymnasium's own checks of the group-action wrappers."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
import warnings
from typing import Any

import gymnasium as gym
import gymnasium.utils.env_checker
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from point_mass import ELEMENTS, ID, SYMMETRY, PointMass, actions, run, same

import equiworld.envs  # noqa: F401  registers
from equiworld.envs.group_action import GroupAction, RandomGroupAction
from equiworld.groups import E2, SE2, Cyclic


@pytest.mark.parametrize("wrap", [GroupAction, RandomGroupAction])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_spaces_hold_what_comes(wrap: Any, dtype: str) -> None:
    for name, g in ELEMENTS.items():
        env = PointMass(bounded=True, dtype=dtype)
        wrapped = wrap(env, g if wrap is GroupAction else E2(), symmetry=SYMMETRY)
        for result in run(wrapped, actions(60)):
            assert result[0] in wrapped.observation_space, name
        wrapped.action_space.seed(0)
        env.action_space.seed(0)
        for _ in range(50):
            taken = env.action_space.sample()
            assert SYMMETRY.transform_action(wrapped.group_element, taken) in wrapped.action_space


@pytest.mark.parametrize("env_id", [ID, "equiworld/PushT-v0"])
@pytest.mark.parametrize("random", [False, True])
def test_gymnasium_checks_the_wrapped_env(env_id: str, random: bool) -> None:
    env = gym.make(env_id)
    wrapped = RandomGroupAction(env, SE2()) if random else GroupAction(env, ELEMENTS["both"])
    if env_id == ID:
        wrapped.action_space = gym.spaces.Box(-1.0, 1.0, (2,), np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is wrapped, and that spaces are unbounded
        gymnasium.utils.env_checker.check_env(wrapped, skip_render_check=True)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda env: GroupAction(env, ELEMENTS["glide"]),
        lambda env: GroupAction(GroupAction(env, ELEMENTS["turn"]), ELEMENTS["both"], symmetry=ID),
        lambda env: RandomGroupAction(env, Cyclic(4)),
        lambda env: RandomGroupAction(GroupAction(env, ELEMENTS["turn"].to_dict()), SE2(), scale=0.5),
    ],
)
def test_specs_rebuild(wrap: Any) -> None:
    env, taken = wrap(gym.make(ID, longest=6)), actions(40)
    results = run(env, taken)
    assert env.spec is not None
    from_json = EnvSpec.from_json(env.spec.to_json())
    json.loads(env.spec.to_json())
    for spec in (env.spec, copy.deepcopy(env.spec), from_json, pickle.loads(pickle.dumps(env.spec))):
        rebuilt = gym.make(spec)
        assert repr(rebuilt) == repr(env)
        assert rebuilt.observation_space == env.observation_space
        for one, other in zip(results, run(rebuilt, taken), strict=True):
            same(one, other, 0.0)


def test_a_spec_keeps_a_symmetry_of_ones_own() -> None:
    own = dataclasses.replace(SYMMETRY, centre=(0.0, 0.0))
    env = GroupAction(gym.make(ID), ELEMENTS["turn"], symmetry=own)
    assert env.spec is not None
    rebuilt = gym.make(env.spec)
    assert rebuilt.get_wrapper_attr("symmetry") == own
    same(env.reset(seed=0), rebuilt.reset(seed=0))


@pytest.mark.parametrize("random", [False, True])
def test_pickles_and_copies_go_on_alike(random: bool) -> None:
    env = PointMass(longest=100)
    wrapped: Any = (
        RandomGroupAction(env, E2(), 1.0, SYMMETRY)
        if random
        else GroupAction(env, ELEMENTS["glide"], SYMMETRY)
    )
    wrapped.reset(seed=0)
    for twin in (pickle.loads(pickle.dumps(wrapped)), copy.deepcopy(wrapped)):
        original = copy.deepcopy(wrapped)
        for action in actions(30):
            same(original.step(action), twin.step(action), 0.0)
        same(original.reset(), twin.reset(), 0.0)
