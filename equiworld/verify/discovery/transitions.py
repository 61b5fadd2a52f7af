"""What a simulator did: states, actions and the states that followed, as arrays by key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from equiworld.arguments import integer
from equiworld.errors import ArgumentError
from equiworld.groups.arrays import Array
from equiworld.rollout import Replay, Start, rollout
from equiworld.symmetry.motion import TURN

__all__ = ["Places", "Transitions", "gathered", "held_actions", "limits", "places_of", "split"]

Places = Mapping[str, tuple[int, ...]]
"""By name, where the numbers of a part are in an observation that is one array."""

_LENGTH = 24  # steps of an episode at most: many starts tell more than long walks
_HELD = 6  # steps at most that one action is held


@dataclass(frozen=True)
class Transitions:
    """Rows (s, a, s′).

    Attributes:
        before: by key, `(n, size)` float64.
        action: `(n, m)`.
        after: as `before`.
        episode: `(n,)`, which episode a row is of.
    """

    before: Mapping[str, Array]
    action: Array
    after: Mapping[str, Array]
    episode: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.action)

    def change(self, name: str) -> Array:
        """s′ − s of one key; of angles the shorter way round."""
        change = self.after[name] - self.before[name]
        return (change + TURN / 2) % TURN - TURN / 2 if name in self.angles else change

    @property
    def angles(self) -> tuple[str, ...]:
        """Keys of single numbers that wrap, or that fill one turn."""
        return tuple(name for name, array in self.before.items() if array.shape[1] == 1 and self._wraps(name))

    def _wraps(self, name: str) -> bool:
        values = self.before[name]
        jumps = np.abs(self.after[name] - values)
        low, wide = values.min(), np.ptp(values)
        fills = 0.9 * TURN < wide <= TURN + 1e-6 and (abs(low + TURN / 2) < 0.3 or abs(low) < 0.3)
        return bool(
            fills or (jumps.max() > 0.9 * TURN and np.median(jumps) < 0.25 * TURN and wide <= TURN + 1e-6)
        )

    @property
    def still(self) -> tuple[str, ...]:
        """Keys that never change within an episode: goals, masses."""
        return tuple(name for name in self.before if np.abs(self.change(name)).max() <= 1e-12)

    def at(self, rows: NDArray[np.int64]) -> Transitions:
        """Some rows."""
        return Transitions(
            {name: array[rows] for name, array in self.before.items()},
            self.action[rows],
            {name: array[rows] for name, array in self.after.items()},
            self.episode[rows],
        )


def gathered(env: gym.Env, count: int, seed: int, parts: Places | None) -> Transitions:
    """`count` transitions of random actions, each held for a few steps, from many resets.

    Args:
        env: is reset again and again.
        count: of transitions.
        seed: of resets and actions.
        parts: of an observation that is one array, where the numbers of each of its parts are; one part if None.

    Raises:
        ArgumentError: actions are no Box of floats, or observations no numbers of which `parts` tells the places.
    """
    space = env.action_space
    if not isinstance(space, spaces.Box) or np.dtype(space.dtype).kind != "f" or len(space.shape) != 1:
        raise ArgumentError("env", f"the action space {space}", "a Box of floats, one axis")
    rows: list[tuple[dict[str, Array], Array, dict[str, Array], int]] = []
    episode = 0
    rng = np.random.default_rng([seed, 0x64697363])
    while len(rows) < count:
        actions = list(islice(held_actions(space, rng), _LENGTH))
        before = None
        for step in rollout(
            Replay([each[None] for each in actions]), [env], [Start(seed + episode)], steps=_LENGTH
        ):
            seen = split(step.observation, parts)
            if before is not None:
                rows.append((before, actions[step.number - 1].astype(np.float64), seen, episode))
            before = seen
        episode += 1
        if episode > 4 * count:
            raise ArgumentError("env", "one whose episodes end at once", "episodes of a few steps")
    rows = rows[:count]
    return Transitions(
        {name: np.stack([row[0][name] for row in rows]) for name in rows[0][0]},
        np.stack([row[1] for row in rows]),
        {name: np.stack([row[2][name] for row in rows]) for name in rows[0][0]},
        np.array([row[3] for row in rows]),
    )


def split(observation: Any, parts: Places | None) -> dict[str, Array]:
    """The arrays of an observation by key, or of one array by part.

    Raises:
        ArgumentError: it holds something else than numbers, or the parts are not of its size, or it has keys.
    """
    if isinstance(observation, Mapping):
        if parts is not None:
            got = f"{dict(parts)} of an observation with the keys {', '.join(map(repr, observation))}"
            raise ArgumentError("parts", got, "None, where observations have keys")
        return {name: _numbers(name, array) for name, array in observation.items()}
    array = _numbers("observation", observation)
    if parts is None:
        return {"observation": array}
    if sorted(place for places in parts.values() for place in places) != list(range(len(array))):
        raise ArgumentError("parts", dict(parts), f"each of {len(array)} numbers in one of them")
    return {name: array[list(places)] for name, places in parts.items()}


def places_of(parts: Mapping[str, int | Sequence[int]]) -> Places:
    """Where the numbers of each part are: told, or as many as are told, one part behind the other.

    >>> places_of({"place": 2, "speed": 2})
    {'place': (0, 1), 'speed': (2, 3)}
    """
    found, next_one = dict[str, tuple[int, ...]](), 0
    for name, told in parts.items():
        if isinstance(told, Sequence):
            found[name] = tuple(integer("parts", each, least=0) for each in told)
        else:
            size = integer("parts", told, least=1)
            found[name] = tuple(range(next_one, next_one + size))
            next_one += size
    return found


def _numbers(name: str, array: Any) -> Array:
    found = np.asarray(array)
    if found.dtype.kind not in "fiu" or not np.isfinite(found).all():
        raise ArgumentError(name, f"dtype {found.dtype}", "finite numbers")
    return found.astype(np.float64).ravel()


def limits(space: spaces.Space[Any]) -> tuple[Array, Array]:
    """The bounds of actions; −1 and 1 where there are none."""
    assert isinstance(space, spaces.Box)
    low, high = space.low.astype(np.float64), space.high.astype(np.float64)
    bounded = np.isfinite(low) & np.isfinite(high)
    return np.where(bounded, low, -1.0), np.where(bounded, high, 1.0)


def held_actions(space: spaces.Box, rng: np.random.Generator) -> Iterator[NDArray[Any]]:
    """Uniform actions without end, each held for a few steps."""
    low, high = limits(space)
    while True:
        drawn = rng.uniform(low, high)
        if not space.contains(drawn.astype(space.dtype)):  # a ball, not a box
            middle = (low + high) / 2
            drawn = middle + (drawn - middle) / np.sqrt(len(drawn))
        yield from [drawn.astype(space.dtype)] * int(rng.integers(1, _HELD + 1))
