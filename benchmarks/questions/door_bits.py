"""Are the canonical observations of s and g·s equal to the bit, and how often would rounding let them differ?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.question import Question
from equiworld.benchmarks.suite.rows import Measure, Row
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.worlds import world_of
from equiworld.rollout import Policy, Replay, Start, rollout, stack
from equiworld.sb3 import FunctionPolicy
from equiworld.symmetry import Canonical, Door, Symmetry, symmetry_of
from equiworld.verify.evaluation.intervals import wilson_interval

__all__ = ["DoorBits"]

BATCH = 2000
ARGUMENTS: Mapping[str, dict[str, Any]] = {
    "pusht": {"walls": False, "starts": "free"},
    "cloudpush": {"points": 128},
}
VELOCITIES = {"pusht": 100.0, "cloudpush": 0.3}
"""A typical size of the agent's, in the world's units."""


@dataclass(frozen=True)
class DoorBits(Question):
    """Turned by hand, and turned by two simulators that replay one action sequence; aimed at: a rate of at most 1e-5.

    Attributes:
        pairs: (state, element) pairs whose bits are compared, for each; a thirtieth of clouds.
    """

    name = "door-bits"
    title = "Are the canonical observations of s and g·s equal to the bit?"
    worlds, closed = ("pusht", "cloudpush"), True
    arms = ("turned", "replayed")
    measures: ClassVar = {
        "pairs": Measure("1", "pairs that were compared"),
        "different": Measure("1", "of these, with any different bit"),
        "rate": Measure("1", "different / pairs", log=True),
        "predicted": Measure("1", "Σ|δ|/step of a pair: the rate that rounding δ predicts", log=True),
    }
    small: ClassVar = {"pairs": 500}

    pairs: int = 150_000

    def points(self, world: str, arm: str) -> Iterable[Mapping[str, Any]]:
        """Clouds are drawn anew by each simulator: they are turned by hand alone."""
        return () if (world, arm) == ("cloudpush", "replayed") else ({},)

    def measure(self, cell: Cell, store: Store) -> list[Row]:
        world, rng = world_of(cell.world), np.random.default_rng([cell.seed, 5])
        envs = [world.make(**ARGUMENTS[cell.world]) for _ in range(2)]
        symmetry = symmetry_of(envs[0])
        names = (*symmetry.state, *symmetry.goal)
        door = Door(symmetry, names, {"agent_vel": VELOCITIES[cell.world]})
        pairs = self.pairs // 30 if cell.world == "cloudpush" else self.pairs
        done, different, predicted = 0, 0, 0.0
        try:
            found = _turned if cell.arm == "turned" else _replayed
            for seen, turned in found(envs, symmetry, rng, pairs):
                here, there = door.enter(seen), door.enter(turned)
                unequal = [
                    (array != there.observation[name]).any(-1) for name, array in here.observation.items()
                ]
                different += int(np.any(unequal, axis=0).sum())
                predicted += float(_crossings(door, (seen, here), (turned, there)).sum())
                done += len(unequal[0])
        finally:
            for env in envs:
                env.close()
        low, high = wilson_interval(different, done)
        rates = {"rate": different / done, "rate_low": low, "rate_high": high, "predicted": predicted / done}
        return [{"pairs": done, "different": different, **rates}]


Pair = tuple[dict[str, Any], dict[str, Any]]
"""Observations `(N, size)` by name, and what they are at g·s."""


def _crossings(door: Door, *pair: tuple[Mapping[str, Any], Canonical]) -> NDArray[np.float64]:
    """Σ|δ|/step of each pair: the chance that rounding δ carries a number over a seam of its grid."""
    first, second = (
        door.symmetry.transform_observation(inside.element.inverse(), dict(seen)) for seen, inside in pair
    )
    steps = {name: door.layout.step_of(name) for name in door.names}
    shares = [
        np.abs(first[name] - second[name]).clip(max=step).sum(-1) / step for name, step in steps.items()
    ]
    return np.sum(shares, axis=0)


def _turned(envs: list[gym.Env], symmetry: Symmetry, rng: np.random.Generator, pairs: int) -> Iterator[Pair]:
    """Observations along random actions, and the same turned by hand, by other elements each time."""
    envs[0].action_space.seed(int(rng.integers(2**31)))
    policy, found = FunctionPolicy(lambda _: envs[0].action_space.sample()), list[Any]()
    count = min(pairs, BATCH)
    while len(found) < count:
        found += _played(policy, envs[0], Start(int(rng.integers(2**31))), 20)[0]
    seen = stack(found[:count])
    for _ in range(0, pairs, count):
        g = symmetry.group.sample(rng, count, scale=symmetry.length_scale)
        yield seen, symmetry.transform_observation(g, seen)


def _replayed(
    envs: list[gym.Env], symmetry: Symmetry, rng: np.random.Generator, pairs: int
) -> Iterator[Pair]:
    """Observations of a loop, and of the loop that the simulator begins at g·s with its actions turned."""
    envs[0].action_space.seed(int(rng.integers(2**31)))
    exploration: Any = envs[0].unwrapped.exploration  # type: ignore[attr-defined]
    policy = FunctionPolicy(lambda seen: exploration.action(rng, seen))
    for _ in range(0, pairs, 60):
        seed, g = int(rng.integers(2**31)), symmetry.group.sample(rng, scale=symmetry.length_scale)
        here, actions = _played(policy, envs[0], Start(seed), 60)
        replay = Replay([symmetry.transform_action(g, action)[None] for action in actions])
        there, _ = _played(replay, envs[1], Start(seed, {"group_element": g}), 60)
        # The last one is seen when everything is over: no action follows it.
        yield stack(here[:-1]), stack(there[:-1])


def _played(policy: Policy, env: gym.Env, start: Start, steps: int) -> tuple[list[Any], list[Any]]:
    """Observations and actions of an episode."""
    found = list(rollout(policy, [env], [start], steps=steps, ends=lambda step: False))
    return [step.observation for step in found], [step.action for step in found[1:]]
