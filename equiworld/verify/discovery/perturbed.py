"""Derivatives of a simulator by replaying it with slightly other actions: no state has to be set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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

__all__ = ["Perturbed", "perturbed", "trusted"]

_STEPS = {"float32": 2.0**-6, "float64": 2.0**-15}
"""Of half the action's range, by the precision of what is observed: central differences err by its square, and by
rounding over it. A short one more often stays on one side of where contact begins. Actions hold both in float32."""

_GRID = 2.0**-12  # on which actions lie, likewise exact in float32
_INSIDE = 0.9  # of the action's range, so that what is added stays inside
_LONGEST = 12  # steps before the one that is looked at
_KINKS = {"float32": 0.05, "float64": 0.005}
"""Of a first difference, likewise: a second one that is larger says that there is no derivative."""
_ENOUGH = 2  # episodes for each point that is asked for: further ones tell nothing new
_RANK = 1e-4  # of the largest change of a key: what is smaller is no direction of its own
_ROUNDING = 64  # roundings of the numbers themselves, which a first difference has to exceed to be looked at


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
        kink: the largest second difference of a key after the step, of its largest first one: about 0 where the step
            has a derivative, about 1 where contact begins or ends among the neighbours.
        precision: of what is observed, "float32" or "float64".
    """

    before: Mapping[str, Array]
    action: Array
    after: Mapping[str, Array]
    changes_before: Mapping[str, Array]
    changes_action: Array
    changes_after: Mapping[str, Array]
    kink: float
    precision: str

    def reached(self, names: Iterable[str]) -> int:
        """In how many directions actions move keys together, before the step and with its own action."""
        parts = [self.changes_action, *(self.changes_before[name] for name in sorted(names))]
        sizes = [float(np.linalg.norm(part)) for part in parts]
        told = [part / size for part, size in zip(parts, sizes, strict=True) if size]
        singular = np.linalg.svd(np.concatenate(told, 1), compute_uv=False)
        return int((singular > _RANK * singular[0]).sum())

    @property
    def moved(self) -> frozenset[str]:
        """The keys that differ among neighbours, before the step or after it."""
        pairs = zip(self.changes_before.items(), self.changes_after.values(), strict=True)
        return frozenset(name for (name, before), after in pairs if before.any() or after.any())


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
    smooth, kinked = list[Perturbed](), list[Perturbed]()
    for episode in range(1, 4 * points + 5):
        one = _point(env, seed + episode, _inner(space, rng, length), parts, angles)
        if one is not None:
            (smooth if one.kink <= _KINKS[one.precision] else kinked).append(one)
        if len(smooth) >= points and (episode >= _ENOUGH * points or len(trusted(smooth)) >= points):
            return smooth
    found = [*smooth, *sorted(kinked, key=lambda point: point.kink)]
    if len(found) < points:
        raise ArgumentError("env", f"one whose episodes end within {length} steps", "longer ones")
    return found[: max(points, len(smooth))]


def trusted(points: Sequence[Perturbed]) -> list[Perturbed]:
    """Without those at which actions reach what they move in fewer ways, together, than they do elsewhere.

    What no action reaches is taken to stay as it is. A block that is pushed for the first time does not: how it moves
    depends on its own pose, and nobody has moved that.

    Args:
        points: of one simulator.
    """
    most = {keys: max(point.reached(keys) for point in points) for keys in {point.moved for point in points}}
    return [point for point in points if point.reached(point.moved) == most[point.moved]]


def _point(
    env: gym.Env, seed: int, actions: NDArray[Any], parts: Places | None, angles: Sequence[str]
) -> Perturbed | None:
    """The last step of an episode; None if it ends before."""
    low, high = limits(env.action_space)
    base = _last_two(env, seed, actions, parts)
    if base is None:
        return None
    precision = _precision(base)
    unit = (high - low) / 2 * _STEPS[precision]
    again = _last_two(env, seed, actions, parts)
    if again is None or any(not np.array_equal(base[1][name], again[1][name]) for name in base[1]):
        raise ArgumentError(
            "env", "one that does not repeat itself", "the same seed and actions to lead to the same"
        )
    before, after, pushed = list[dict[str, Array]](), list[dict[str, Array]](), list[Array]()
    bends = list[dict[str, Array]]()
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
            bends.append(_apart(_apart(up[1], base[1], angles), _apart(base[1], down[1], angles), ()))
            push = np.zeros(actions.shape[1])
            push[number] = 2 * unit[number] if step == len(actions) - 1 else 0.0
            pushed.append(push)
    scale = 1.0 / (2 * _STEPS[precision])
    return Perturbed(
        base[0],
        actions[-1].astype(np.float64),
        base[1],
        {name: np.stack([each[name] for each in before]) * scale for name in base[0]},
        np.stack(pushed) * scale,
        {name: np.stack([each[name] for each in after]) * scale for name in base[0]},
        _kink(base[1], after, bends, float(np.finfo(precision).eps)),
        precision,
    )


def _precision(base: Sequence[Mapping[str, Array]]) -> str:
    """float32 if numbers that change in the step hold no more, as those of many float64 spaces do."""
    before, after = base
    changing = [name for name in after if not np.array_equal(before[name], after[name])]
    coarse = any(np.array_equal(after[name], after[name].astype(np.float32)) for name in changing)
    return "float32" if coarse else "float64"


def _kink(
    here: Mapping[str, Array],
    first: Sequence[Mapping[str, Array]],
    second: Sequence[Mapping[str, Array]],
    rounding: float,
) -> float:
    """The largest second difference of a key, of its largest first one where that is more than rounding."""
    found = 0.0
    for name, numbers in here.items():
        one, two = (
            max(float(np.abs(each[name]).max(initial=0.0)) for each in side) for side in (first, second)
        )
        if one > _ROUNDING * rounding * max(1.0, float(np.abs(numbers).max(initial=0.0))):
            found = max(found, two / one)
    return found


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
