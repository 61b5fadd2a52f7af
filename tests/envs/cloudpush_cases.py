"""What the tests of CloudPush share: envs, pushes that make contact, and an episode as numbers."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from hypothesis import settings
from numpy.typing import NDArray

import equiworld.envs  # noqa: F401  registers
from equiworld.envs.cloudpush.env import CloudPushEnv
from equiworld.envs.cloudpush.geometry import mean_point_distance
from equiworld.envs.cloudpush.simulation import CloudPushState
from equiworld.groups import GroupElement
from equiworld.symmetry import symmetry_of

ID = "equiworld/CloudPush-v0"
# The same examples on every run and machine, however slow it is.
PROPERTY = settings(deadline=None, derandomize=True, database=None, max_examples=50)

Steps = list[tuple[dict[str, NDArray[np.float64]], float, bool, bool, dict[str, Any]]]


def make(**arguments: Any) -> CloudPushEnv:
    env = gym.make(ID, **arguments).unwrapped
    assert isinstance(env, CloudPushEnv)
    return env


def rollout(env: CloudPushEnv, actions: NDArray[np.float64]) -> Steps:
    return [env.step(action) for action in actions]


def flat(steps: Steps) -> NDArray[np.float64]:
    """Everything numeric of an episode, row by row."""
    return np.array(
        [
            [
                *np.concatenate([*obs.values()]),
                reward,
                terminated,
                info["mean_point_distance"],
                info["angle"],
                *info["body_pos"],
                *info["body_rotation"],
            ]
            for obs, reward, terminated, _, info in steps
        ]
    )


def chase(env: CloudPushEnv, rng: np.random.Generator, steps: int) -> NDArray[np.float64]:
    """Actions that push the body about, found by playing them; they leave the env after them."""
    actions: list[NDArray[np.float64]] = []
    for step in range(steps):
        position, rotation = env._poses()["body_pos"], env._poses()["body_rotation"].reshape(3, 3)
        if step % 2 == 0:
            aim = env.shape.surface.sample(rng, 1)[0][0]
        away = rotation @ aim + position - env.simulation.agent_pos
        actions.append(away * min(1.0, 0.05 / float(np.linalg.norm(away))))
        env.step(actions[-1])
    return np.array(actions)


def started(env: CloudPushEnv, seed: int) -> CloudPushState:
    env.reset(seed=seed)
    return env.get_state()


def moved(env: CloudPushEnv, since: CloudPushState) -> float:
    """How far the body has come [m]."""
    return mean_point_distance(env.shape, env.simulation.body_pose, since.body, "ADD")


def difference(one: dict[str, NDArray[Any]], other: dict[str, NDArray[Any]]) -> float:
    assert one.keys() == other.keys()
    return max(float(np.abs(np.subtract(one[key], other[key], dtype=float)).max()) for key in one)


def deviation(
    arguments: dict[str, Any], g: GroupElement, start: CloudPushState, actions: NDArray[np.float64]
) -> float:
    """Largest difference, over an episode, between g·(the episode) and the episode from g·s."""
    env, turned = make(**arguments), make(**arguments)
    symmetry = symmetry_of(env)
    observation, _ = env.reset(options={"state": start})
    shown, info = turned.reset(options={"state": start, "group_element": g})
    assert info["group_element"] is g
    worst = difference(shown, symmetry.transform_observation(g, observation))
    for action in actions:
        observation, *_, info = env.step(action)
        shown, *_, turned_info = turned.step(symmetry.transform_action(g, action))
        expected = symmetry.transform_info(g, info)
        told = {key: np.asarray(expected[key]) for key in expected}
        worst = max(worst, difference({key: np.asarray(turned_info[key]) for key in told}, told))
        worst = max(worst, difference(shown, symmetry.transform_observation(g, observation)))
    assert moved(env, start) > 0.01, "an episode in which the body stays proves nothing"
    return worst
