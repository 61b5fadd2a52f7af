"""Spaces, errors and partial resets of the vector wrappers."""

from __future__ import annotations

import copy
import functools

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from point_mass import SYMMETRY, PointMass, same
from vector_cases import AUTOMATIC, BATCH, COUNT, MODES, actions, follow, make

import equiworld.envs  # noqa: F401  registers
from equiworld.envs.group_action import GroupAction
from equiworld.envs.vector_group_action import VectorGroupAction, VectorRandomGroupAction
from equiworld.errors import ArgumentError, UnknownNameError
from equiworld.groups import E2, SE2, SO2, SO3, GroupElement


@pytest.mark.parametrize("mode", MODES)
def test_errors_leave_the_state_alone(mode: AutoresetMode) -> None:
    env, twin = (VectorRandomGroupAction(make(SyncVectorEnv, mode), SE2()) for _ in range(2))
    with pytest.raises(gym.error.ResetNeeded):
        env.step(np.zeros((COUNT, 2)))
    same(env.reset(seed=0), twin.reset(seed=0), 0.0)
    for wrong in (np.zeros(2), np.full((COUNT, 2), np.nan), np.zeros((COUNT, 3)), "ab", None):
        with pytest.raises(ArgumentError, match="action"):
            env.step(wrong)
    options = {"reset_mask": np.zeros(COUNT, dtype=bool)}
    with pytest.raises(ValueError, match="reset_mask"):
        env.reset(options=options)
    assert "reset_mask" in options
    for action in actions(3):
        same(env.step(action), twin.step(action), 0.0)


def test_a_partial_reset_keeps_the_others() -> None:
    env = VectorRandomGroupAction(make(SyncVectorEnv, AutoresetMode.DISABLED), SE2())
    seen, _ = env.reset(seed=0)
    before = copy.deepcopy(env.group_element)
    mask = np.array([False, True, False])
    again, info = env.reset(seed=9, options={"reset_mask": mask})
    assert [g.is_close(h) for g, h in zip(before, env.group_element, strict=True)] == (~mask).tolist()
    assert [g is not None for g in info["group_element"]] == mask.tolist()
    assert np.array_equal(np.any(seen["position"] != again["position"], axis=-1), mask)


def test_the_action_of_a_resetting_env_is_ignored() -> None:
    env = VectorRandomGroupAction(make(SyncVectorEnv, AutoresetMode.NEXT_STEP), SE2())
    env.reset(seed=0)
    ended = np.zeros(COUNT, dtype=bool)
    resets = 0
    for action in actions(60):
        action[ended] = np.nan
        resets += int(ended.sum())
        observation, _, terminated, truncated, _ = env.step(action)
        assert all(np.isfinite(array).all() for array in observation.values())
        ended = terminated | truncated
    assert resets > 10
    action[~ended] = np.nan
    with pytest.raises(ArgumentError, match="action"):
        env.step(action)


def test_spaces_hold_what_comes() -> None:
    bounded = [functools.partial(PointMass, bounded=True)] * COUNT
    for mode in AUTOMATIC:
        for wrap in (
            lambda env: VectorGroupAction(env, BATCH, SYMMETRY),
            lambda env: VectorRandomGroupAction(env, E2(), symmetry=SYMMETRY),
        ):
            bare = SyncVectorEnv(bounded, autoreset_mode=mode)
            env = wrap(bare)
            single = gym.vector.utils.batch_space(env.single_observation_space, COUNT)
            assert single == env.observation_space
            assert gym.vector.utils.batch_space(env.single_action_space, COUNT) == env.action_space
            for result in follow(env, mode, 40):
                assert result[0] in env.observation_space
                for final in result[-1].get("final_obs", []):
                    assert final is None or final in env.single_observation_space
            for _ in range(20):
                taken = SYMMETRY.transform_action(env.group_element, bare.action_space.sample())
                assert taken in env.action_space


def test_different_spaces_stay_right() -> None:
    functions = [functools.partial(make_bounded, g) for g in BATCH]
    env = VectorGroupAction(SyncVectorEnv(functions, observation_mode="different"), BATCH, SYMMETRY)
    for result in follow(env, AutoresetMode.NEXT_STEP, 30):
        assert result[0] in env.observation_space


def make_bounded(g: GroupElement) -> gym.Env:
    env = GroupAction(PointMass(bounded=True), g, SYMMETRY)
    env.action_space = PointMass(bounded=True).action_space  # Gymnasium wants one for all
    return env


def test_a_ball_of_actions_stays_a_ball() -> None:
    envs = gym.make_vec("equiworld/PushT-v0", num_envs=2, vectorization_mode="sync")
    turned = VectorRandomGroupAction(envs, SE2())
    assert turned.action_space == envs.action_space
    turned.reset(seed=0)
    for _ in range(3):
        observation, *_ = turned.step(turned.action_space.sample())
        assert observation in turned.observation_space


def test_bad_arguments() -> None:
    mode = AutoresetMode.NEXT_STEP
    env = make(SyncVectorEnv, mode)
    with pytest.raises(ArgumentError, match="dimension 2"):
        VectorGroupAction(env, SO3().identity())
    with pytest.raises(ArgumentError, match="dimension 2"):
        VectorRandomGroupAction(env, SO3())
    with pytest.raises(ArgumentError, match=r"\(3,\)"):
        VectorGroupAction(env, SO2().rotation([0.0, 1.0]))
    with pytest.raises(ArgumentError, match="VectorEnv"):
        VectorGroupAction(PointMass(), SO2().identity(), SYMMETRY)  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="register_symmetry"):
        VectorGroupAction(gym.make_vec("CartPole-v1", 2, vectorization_mode="sync"), SO2().identity())
    env.metadata = {}
    with pytest.raises(ArgumentError, match="autoreset_mode"):
        VectorGroupAction(env, SO2().identity())
