"""Are the canonical observations of s and g·s equal to the bit, and how often would rounding let them differ?"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from equiworld.groups import GroupElement
from equiworld.rollout import Replay, Start, Step, rollout
from equiworld.symmetry import Canonical, Symmetry

__all__ = ["bits_row", "counted", "differing", "observed", "replayed"]


def bits_row(
    door: Any,
    symmetry: Symmetry,
    seen: Mapping[str, NDArray[Any]],
    pairs: int,
    rng: np.random.Generator,
    kind: str,
) -> dict[str, Any]:
    """How many of the canonical observations of s and g·s differ in a bit, beside the rate that rounding predicts.

    Args:
        door: that brings them in.
        symmetry: of the observations.
        seen: observations `(N, size)`.
        pairs: how many (observation, element) pairs.
        rng: of the elements.
        kind: what the observations are.
    """
    count = len(next(iter(seen.values())))
    here = door.enter(seen)
    different, done, predicted = 0, 0, 0.0
    while done < pairs:
        g = symmetry.group.sample(rng, count, scale=symmetry.length_scale)
        turned = symmetry.transform_observation(g, seen)
        there = door.enter(turned)
        different += differing(here, there)
        done += count
        if not predicted:
            predicted = _crossing_rate(door, seen, turned, here, there)
    return counted(kind, done, different, predicted)


def differing(here: Canonical, there: Canonical) -> int:
    """How many of the observations of two batches differ in a bit."""
    same = np.ones(len(here.margin), bool)
    for name, array in here.observation.items():
        same &= (array == there.observation[name]).all(-1)
    return int((~same).sum())


def counted(kind: str, pairs: int, different: int, predicted: float) -> dict[str, Any]:
    """The row of a table, with the 95 % bound of the rate."""
    return {
        "part": "bits",
        "kind": kind,
        "pairs": pairs,
        "different": different,
        "rate": different / pairs,
        "rate_high_95": 3.0 / pairs if not different else (different + 2 * math.sqrt(different)) / pairs,
        "predicted": predicted,
    }


def _crossing_rate(
    door: Any, seen: Mapping[str, Any], turned: Mapping[str, Any], here: Canonical, there: Canonical
) -> float:
    """Σ|δ|/step of one pair on average: the chance that rounding δ carries a number over a seam of its grid."""
    symmetry = door.symmetry
    first = {
        name: value for name, value in _inside(symmetry, here.element, seen).items() if name in door.names
    }
    second = _inside(symmetry, there.element, turned)
    total = np.zeros(len(next(iter(seen.values()))))
    for name, array in first.items():
        step = door.layout.step_of(name)
        total += np.abs(array - second[name]).clip(max=step).sum(-1) / step
    return float(total.mean())


def _inside(symmetry: Symmetry, element: GroupElement, seen: Mapping[str, Any]) -> dict[str, Any]:
    return symmetry.transform_observation(element.inverse(), dict(seen))


def observed(env: gym.Env, rng: np.random.Generator, count: int) -> dict[str, Any]:
    """Observations along random actions, stacked."""
    env.action_space.seed(int(rng.integers(2**31)))
    found: list[dict[str, Any]] = []
    policy = _Drawn(lambda _: env.action_space.sample())
    starts = iter(lambda: Start(int(rng.integers(2**31))), None)
    for step in rollout(policy, [env], starts, ends=lambda step: step.number == 20):
        found.append(step.observation)
        if len(found) == count:
            break
    return {name: np.stack([one[name] for one in found]) for name in found[0]}


@dataclass(frozen=True)
class _Drawn:
    """A policy of one environment that draws its actions, whatever state it is in."""

    draw: Callable[[dict[str, Any]], NDArray[Any]]

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = True
    ) -> tuple[NDArray[Any], None]:
        return self.draw({name: array[0] for name, array in observation.items()})[None], None


def replayed(
    envs: list[gym.Env], symmetry: Any, rng: np.random.Generator, count: int
) -> tuple[dict[str, Any], dict[str, Any], GroupElement]:
    """Observations of a loop, of the loop begun at g·s with its actions turned, and the elements."""
    envs[0].action_space.seed(int(rng.integers(2**31)))
    exploration = envs[0].unwrapped.exploration  # type: ignore[attr-defined]
    explorer = _Drawn(lambda seen: exploration.action(rng, seen))
    here, there, elements = list[dict[str, Any]](), list[dict[str, Any]](), list[GroupElement]()

    def played(policy: Any, env: gym.Env, start: Start) -> list[Step]:
        return list(rollout(policy, [env], [start], steps=60, ends=lambda step: False))

    while len(here) < count:
        seed, g = int(rng.integers(2**31)), symmetry.group.sample(rng, scale=symmetry.length_scale)
        first = played(explorer, envs[0], Start(seed))
        turned = Replay([symmetry.transform_action(g, step.action)[None] for step in first[1:]])
        second = played(turned, envs[1], Start(seed, {"group_element": g}))
        # The last one is seen when everything is over: no action follows it.
        here += [step.observation for step in first[:-1]]
        there += [step.observation for step in second[:-1]]
        elements += [g] * 60
    stacked = ({name: np.stack([one[name] for one in part]) for name in part[0]} for part in (here, there))
    return (*stacked, GroupElement.stack(elements))  # type: ignore[return-value]
