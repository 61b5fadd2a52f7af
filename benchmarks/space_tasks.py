"""Tasks in space: goals at a distance and an angle, tried from any orientation, judged where the body ends."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from equiworld.benchmarks.space_stages import ENV
from equiworld.envs.cloudpush.task import PLANNER
from equiworld.envs.film import Moment
from equiworld.errors import ArgumentError
from equiworld.groups import GroupElement
from equiworld.planners import MPCPolicy
from equiworld.rollout import Start, rollout
from equiworld.verify.evaluate import evaluate
from equiworld.verify.evaluation import Evaluation
from equiworld.verify.evaluation.intervals import wilson_interval

__all__ = [
    "FAR",
    "NEAR",
    "PLANNER",
    "SUCCESS",
    "make",
    "play",
    "record_path",
    "seeds_in_slice",
    "solved",
    "summary",
    "time_decisions",
]

NEAR = {"goal_angle": math.radians(45.0), "goal_distance": 0.12}
FAR = {"goal_angle": math.radians(90.0), "goal_distance": 0.20}

SUCCESS = {"success": (0.02, math.radians(10.0)), "close": (0.01, math.radians(10.0))}
"""By name, mean point distance [m] and angle [rad] below which the body must be when the episode ends."""

_NEVER = (
    1e-9  # [m] from the goal for an episode to end early: it does not, the body has to stay where it is put
)


def make(**arguments: Any) -> gym.Env:
    """The environment, its episodes of full length whatever happens."""
    return gym.make(ENV, success_distance=_NEVER, disable_env_checker=True, **arguments)


def play(
    policy: MPCPolicy,
    arguments: Mapping[str, Any],
    seeds: Sequence[int],
    steps: int,
    g: GroupElement | None = None,
) -> list[dict[str, float]]:
    """Where each episode ends: `mean_point_distance` [m] and `angle` [rad] after all its steps.

    Args:
        policy: sees observations alone, and is not told g.
        arguments: of the environment.
        seeds: of the episodes, in blocks of numbers that follow each other.
        steps: of each episode.
        g: where the simulator itself starts: at g·s with goal g·goal.
    """
    options = None if g is None else {"group_element": g}
    ends = []
    for first, count in _blocks(seeds):
        found: Evaluation = evaluate(
            policy,
            lambda: make(**arguments),
            episodes=count,
            seed=first,
            n_envs=min(count, 32),
            max_steps=steps,
            options=options,
        )
        ends += [dict(episode.final) for episode in found.episodes]
    return ends


def summary(ends: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """The figures of a table: how many ended at the goal, with 95 % intervals; medians and worst of how far from it."""
    distance = np.array([end["mean_point_distance"] for end in ends])
    angle = np.array([end["angle"] for end in ends])
    row: dict[str, Any] = {"episodes": len(ends)}
    for name, (near, turned) in SUCCESS.items():
        count = int(((distance < near) & (angle < turned)).sum())
        low, high = wilson_interval(count, len(ends))
        row |= {f"{name}_count": count, name: count / len(ends), f"{name}_low": low, f"{name}_high": high}
    return row | {
        "mean_point_distance_mm": 1e3 * float(np.median(distance)),
        "mean_point_distance_mm_worst": 1e3 * float(distance.max()),
        "final_angle_deg": math.degrees(float(np.median(angle))),
    }


def seeds_in_slice(count: int, half_width: float, first: int, **arguments: Any) -> list[int]:
    """Seeds of episodes that start and have their goal within `half_width` [rad] of the unturned orientation."""
    env, seeds, seed = make(max_angle=half_width, **arguments), list[int](), first
    try:
        while len(seeds) < count:
            if seed - first > 10_000 + 1_000 * count:
                raise ArgumentError(
                    "half_width", half_width, "more, else hardly any goal is within the slice"
                )
            _, info = env.reset(seed=seed)
            cosine = (np.trace(info["goal_rotation"].reshape(3, 3)) - 1) / 2
            if cosine >= math.cos(half_width):
                seeds.append(seed)
            seed += 1
    finally:
        env.close()
    return seeds


def solved(info: Mapping[str, Any]) -> bool:
    """Whether the body is at its goal."""
    near, turned = SUCCESS["success"]
    return bool(info["mean_point_distance"] < near and info["angle"] < turned)


def record_path(
    policy: MPCPolicy, arguments: Mapping[str, Any], seed: int, steps: int, g: GroupElement | None = None
) -> list[Moment]:
    """What one episode shows, at its reset and after each step."""
    env = make(**arguments)
    start = Start(seed, None if g is None else {"group_element": g})
    try:
        running = rollout(policy, [env], [start], steps=steps)
        return [Moment(step.observation, step.info) for step in running]
    finally:
        env.close()


def time_decisions(
    policy: MPCPolicy, arguments: Mapping[str, Any], decisions: int, seed: int
) -> NDArray[np.float64]:
    """Seconds of each decision, `(decisions,)`, one environment, the encoder included."""
    env = make(**arguments)
    try:
        running = rollout(policy, [env], [Start(seed)], steps=decisions)
        return np.array([step.decision.seconds for step in running if step.decision is not None])
    finally:
        env.close()


def _blocks(seeds: Sequence[int]) -> list[tuple[int, int]]:
    """(first, count) of the runs of consecutive numbers."""
    blocks: list[tuple[int, int]] = []
    for seed in seeds:
        if blocks and seed == sum(blocks[-1]):
            blocks[-1] = (blocks[-1][0], blocks[-1][1] + 1)
        else:
            blocks.append((seed, 1))
    return blocks
