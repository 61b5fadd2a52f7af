"""Derivatives of a simulator by replaying it with slightly other actions: no state has to be set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from equiworld.errors import ArgumentError
from equiworld.groups.arrays import Array
from equiworld.rollout import Replay, Start, rollout
from equiworld.verify.discovery.transitions import Places, held_actions, limits, split

__all__ = ["Perturbed", "perturbed"]

_STEP = 2.0**-9
"""Of half the action's range: float32 holds it, and central differences err by its square."""

_GRID = 2.0**-12  # on which actions lie, likewise exact in float32
_INSIDE = 0.9  # of the action's range, so that what is added stays inside
_LONGEST = 12  # steps before the one that is looked at


@dataclass(frozen=True)
class Perturbed:
    """One step of the simulator, and of neighbours of it.

    Attributes:
        before: by key, `(size,)`.
        action: `(m,)`.
        after: as `before`.
        changes_before: by key, `(D, size)`, how D neighbours differ from it before the step, for a step of 1.
        changes_action: `(D, m)`.
        changes_after: as `changes_before`.
    """

    before: Mapping[str, Array]
    action: Array
    after: Mapping[str, Array]
    changes_before: Mapping[str, Array]
    changes_action: Array
    changes_after: Mapping[str, Array]


def perturbed(
    env: gym.Env,
    points: int,
    seed: int,
    parts: Places | None,
    angles: Sequence[str],
    width: int,
) -> list[Perturbed]:
    """Points of the simulator with neighbours that other actions lead to.

    An episode is replayed from its seed with one action moved a little, up and down; what differs afterwards is a
    direction of the state that can be reached, and one step later what the dynamics makes of it.

    Args:
        env: is reset again and again; the same seed and actions have to lead to the same.
        points: how many.
        seed: of resets and actions.
        parts: as in `gathered`.
        angles: keys that wrap.
        width: numbers of the state that may differ: so many directions are asked for, and half as many again.

    Raises:
        ArgumentError: the environment does not repeat itself, or its episodes end too soon.
    """
    space = env.action_space
    assert isinstance(space, spaces.Box)
    count = space.shape[0]
    length = min(int(np.ceil(1.5 * width / count)) + 2, _LONGEST)
    rng = np.random.default_rng([seed, 0x70657274])
    found, episode = list[Perturbed](), 0
    while len(found) < points:
        episode += 1
        if episode > 4 * points + 4:
            raise ArgumentError("env", f"one whose episodes end within {length} steps", "longer ones")
        actions = _inner(space, rng, length)
        one = _point(env, seed + episode, actions, parts, angles)
        if one is not None:
            found.append(one)
    return found


def _point(
    env: gym.Env, seed: int, actions: NDArray[Any], parts: Places | None, angles: Sequence[str]
) -> Perturbed | None:
    """The last step of an episode; None if it ends before."""
    low, high = limits(env.action_space)
    unit = (high - low) / 2 * _STEP
    base = _last_two(env, seed, actions, parts)
    if base is None:
        return None
    again = _last_two(env, seed, actions, parts)
    if again is None or any(not np.array_equal(base[1][name], again[1][name]) for name in base[1]):
        raise ArgumentError(
            "env", "one that does not repeat itself", "the same seed and actions to lead to the same"
        )
    before, after, pushed = list[dict[str, Array]](), list[dict[str, Array]](), list[Array]()
    for step in range(len(actions)):
        for number in range(actions.shape[1]):
            sides = []
            for sign in (1.0, -1.0):
                changed = actions.copy()
                changed[step, number] += sign * unit[number]
                sides.append(_last_two(env, seed, changed, parts))
            if sides[0] is None or sides[1] is None:
                return None
            up, down = sides[0], sides[1]
            before.append(_apart(up[0], down[0], angles))
            after.append(_apart(up[1], down[1], angles))
            push = np.zeros(actions.shape[1])
            push[number] = 2 * unit[number] if step == len(actions) - 1 else 0.0
            pushed.append(push)
    scale = 1.0 / (2 * _STEP)
    return Perturbed(
        base[0],
        actions[-1].astype(np.float64),
        base[1],
        {name: np.stack([each[name] for each in before]) * scale for name in base[0]},
        np.stack(pushed) * scale,
        {name: np.stack([each[name] for each in after]) * scale for name in base[0]},
    )


def _last_two(
    env: gym.Env, seed: int, actions: NDArray[Any], parts: Places | None
) -> tuple[dict[str, Array], dict[str, Array]] | None:
    """What is seen before and after the last action; None if the episode ends before."""
    seen: list[Any] = []
    for step in rollout(Replay(list(actions[:, None])), [env], [Start(seed)], steps=len(actions)):
        seen.append((step.number, step.observation))
    if seen[-1][0] != len(actions) or len(seen) < 2:
        return None
    return split(seen[-2][1], parts), split(seen[-1][1], parts)


def _apart(up: Mapping[str, Array], down: Mapping[str, Array], angles: Sequence[str]) -> dict[str, Array]:
    found = {name: up[name] - down[name] for name in up}
    for name in angles:
        found[name] = (found[name] + np.pi) % (2 * np.pi) - np.pi
    return found


def _inner(space: spaces.Box, rng: np.random.Generator, length: int) -> NDArray[Any]:
    """Actions `(length, m)` on a grid well inside the space, each held for a few steps."""
    low, high = limits(space)
    middle, half = (low + high) / 2, (high - low) / 2
    drawn = np.stack(list(islice(held_actions(space, rng), length))).astype(np.float64)
    inner = np.round((drawn - middle) / half * _INSIDE / _GRID) * _GRID
    return middle + half * inner
