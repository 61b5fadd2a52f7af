"""Derivatives of a simulator by replaying it with slightly other actions: no state has to be set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
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

__all__ = ["Perturbed", "perturbed", "trusted"]

_STEPS = {"coarse": 2.0**-6, "fine": 2.0**-15}
"""Of half the action's range, by how finely the simulator answers: central differences err by its square, and by
rounding over it. A short one more often stays on one side of where contact begins."""
_KINKS = {"coarse": 0.05, "fine": 0.005}
"""Of a first difference, likewise: a second one that is larger says that there is no derivative."""

_GRID = 2.0**-12  # of half the range, on which actions lie
_INSIDE = 0.9  # of the action's range, so that what is added stays inside
_LONGEST = 12  # steps before the one that is looked at
_PROBES = 3  # points by which it is told how finely the simulator answers
_LONGER = 8.0  # times the step, there: a second difference grows by its square, rounding does not
_GROWS, _TOLD = 3.0, 1e-6  # by less it is rounding, if it is more than that of a first difference
_MOST = 0.5  # of the points that may be left out: else those by which they are measured are the unusual ones
_ENOUGH = 2  # episodes for each point that is asked for: further ones tell nothing new
_EPS = 64 * float(np.finfo(np.float64).eps)
_RANK = 1e-4  # of the largest change of a key: what is smaller is no direction of its own


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
        bends: by key, the largest second difference after the step, for a step of 1.
        precision: "fine" if rounding is far below what a short step changes, else "coarse".
    """

    before: Mapping[str, Array]
    action: Array
    after: Mapping[str, Array]
    changes_before: Mapping[str, Array]
    changes_action: Array
    changes_after: Mapping[str, Array]
    bends: Mapping[str, float]
    precision: str

    @property
    def smooth(self) -> bool:
        """Whether second differences are small beside first ones: no contact begins or ends among the neighbours."""
        return all(self.bends[name] <= _KINKS[self.precision] * self.first(name) for name in self.moved)

    def first(self, name: str) -> float:
        """The largest first difference of a key after the step, for a step of 1."""
        return float(np.abs(self.changes_after[name]).max(initial=0.0))

    def reached(self, names: Iterable[str]) -> int:
        """In how many directions actions move keys together, before the step and with its own action."""
        parts = [self.changes_action, *(self.changes_before[name] for name in sorted(names))]
        sizes = [float(np.linalg.norm(part)) for part in parts]
        told = [part / size for part, size in zip(parts, sizes, strict=True) if size]
        singular = np.linalg.svd(np.concatenate(told, 1), compute_uv=False)
        return int((singular > _RANK * singular[0]).sum())

    @cached_property
    def moved(self) -> frozenset[str]:
        """The keys that differ among neighbours by more than rounding, before the step or after it."""
        found = set[str]()
        for name, numbers in self.after.items():
            rounding = _EPS * max(1.0, float(np.abs(numbers).max(initial=0.0))) / _STEPS[self.precision]
            sides = (self.changes_before[name], self.changes_after[name])
            if any(float(np.abs(side).max(initial=0.0)) > rounding for side in sides):
                found.add(name)
        return frozenset(found)


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
    direction of the state that can be reached, and one step later what the dynamics makes of it. Points without a
    derivative are passed over while there are others.

    Args:
        env: is reset again and again; the same seed and actions have to lead to the same.
        points: how many, at least; up to twice as many where some of them are not `trusted`.
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
    drawn = [_inner(space, rng, length) for _ in range(_PROBES)]
    precision = _precision(env, [seed + number for number in range(1, _PROBES + 1)], drawn, parts, angles)
    smooth, kinked = list[Perturbed](), list[Perturbed]()
    for episode in range(1, 4 * points + 5):
        actions = drawn[episode - 1] if episode <= _PROBES else _inner(space, rng, length)
        one = _point(env, seed + episode, actions, parts, angles, precision, _STEPS[precision])
        if one is not None:
            (smooth if one.smooth else kinked).append(one)
        if len(smooth) >= points and (episode >= _ENOUGH * points or len(trusted(smooth)) >= points):
            return smooth
    found = [*smooth, *kinked]
    if len(found) < points:
        raise ArgumentError("env", f"one whose episodes end within {length} steps", "longer ones")
    return found[:points]


def trusted(points: Sequence[Perturbed]) -> list[Perturbed]:
    """Without those at which actions reach what they move in fewer ways, together, than they do elsewhere.

    What no action reaches is taken to stay as it is. A block that is pushed for the first time does not: how it moves
    depends on its own pose, and nobody has moved that. All of them, if more than half would be left out.

    Args:
        points: of one simulator.
    """
    reached = [point.reached(point.moved) for point in points]
    most = {keys: max(point.reached(keys) for point in points) for keys in {point.moved for point in points}}
    found = [point for point, here in zip(points, reached, strict=True) if here == most[point.moved]]
    return found if len(found) >= _MOST * len(points) else list(points)


def _precision(
    env: gym.Env,
    seeds: Sequence[int],
    drawn: Sequence[NDArray[Any]],
    parts: Places | None,
    angles: Sequence[str],
) -> str:
    """How finely a simulator answers, whatever the type of its arrays: by whether second differences are rounding."""
    says = []
    for seed, actions in zip(seeds, drawn, strict=True):
        short, longer = (
            _point(env, seed, actions, parts, angles, "fine", times * _STEPS["fine"])
            for times in (1.0, _LONGER)
        )
        if short is not None and longer is not None:
            # In units of a step of 1 rounding falls as the step grows, and curvature grows with it.
            says.append(
                any(
                    short.bends[name] > _TOLD * short.first(name)
                    and _LONGER * longer.bends[name] < _GROWS * short.bends[name]
                    for name in short.moved
                )
            )
    return "coarse" if sum(says) > len(says) / 2 else "fine"


def _point(
    env: gym.Env,
    seed: int,
    actions: NDArray[Any],
    parts: Places | None,
    angles: Sequence[str],
    precision: str,
    size: float,
) -> Perturbed | None:
    """The last step of an episode; None if it ends before."""
    low, high = limits(env.action_space)
    base = _last_two(env, seed, actions, parts)
    if base is None:
        return None
    unit = (high - low) / 2 * size
    again = _last_two(env, seed, actions, parts)
    if again is None or any(not np.array_equal(base[1][name], again[1][name]) for name in base[1]):
        raise ArgumentError(
            "env", "one that does not repeat itself", "the same seed and actions to lead to the same"
        )
    before, after, pushed = list[dict[str, Array]](), list[dict[str, Array]](), list[Array]()
    bends = list[dict[str, Array]]()
    for step in range(len(actions)):
        for number in range(actions.shape[1]):
            moved = [_pushed(actions, step, number, sign * unit[number], env) for sign in (1.0, -1.0)]
            sides = [_last_two(env, seed, each, parts) for each in moved]
            if sides[0] is None or sides[1] is None:
                return None
            up, down = sides[0], sides[1]
            before.append(_apart(up[0], down[0], angles))
            after.append(_apart(up[1], down[1], angles))
            bends.append(_apart(_apart(up[1], base[1], angles), _apart(base[1], down[1], angles), ()))
            pushed.append(moved[0][-1] - moved[1][-1])
    scale = 1.0 / (2 * size)
    return Perturbed(
        base[0],
        actions[-1],
        base[1],
        {name: np.stack([each[name] for each in before]) * scale for name in base[0]},
        np.stack(pushed) * scale,
        {name: np.stack([each[name] for each in after]) * scale for name in base[0]},
        {name: scale * max(float(np.abs(each[name]).max(initial=0.0)) for each in bends) for name in base[0]},
        precision,
    )


def _pushed(actions: NDArray[Any], step: int, number: int, by: float, env: gym.Env) -> NDArray[Any]:
    """Actions of which one number is another, as the environment's own type holds it."""
    changed = actions.copy()
    changed[step, number] = (changed[step, number] + by).astype(env.action_space.dtype)
    return changed


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
    return (middle + half * inner).astype(space.dtype).astype(np.float64)
