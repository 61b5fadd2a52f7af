"""Which number of an observation is which of MuJoCo's, found by comparing them over probes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from equiworld.verify.mechanism.model_map import Array, Model
from equiworld.verify.mechanism.sources import Source, sources_of_model

__all__ = ["DIFFERENCE", "Layout", "Piece", "layout_of"]

_PROBES, _STEPS = 16, 12
_EQUAL = 1e-9
_CLIPS = (np.inf, 1.0, 10.0, 100.0)  # as environments cut off velocities and forces
DIFFERENCE = "difference of points"


@dataclass(frozen=True)
class Piece:
    """Numbers in a row of one key that come from one source.

    Attributes:
        key: of the observation; "" of one array.
        at: where they are in the key's array.
        source: where they come from; None if that was not found.
        indices: which numbers of the source; of a difference of points the two points.
    """

    key: str
    at: tuple[int, ...]
    source: str | None
    indices: tuple[int, ...] = ()


@dataclass(frozen=True)
class Layout:
    """The pieces of an observation, in order."""

    pieces: tuple[Piece, ...]

    @property
    def unknown(self) -> tuple[str, ...]:
        """What was not found, in words."""
        found = []
        for piece in self.pieces:
            if piece.source is None:
                where = (
                    f"{piece.key}[{piece.at[0]}:{piece.at[-1] + 1}]"
                    if piece.key
                    else f"[{piece.at[0]}:{piece.at[-1] + 1}]"
                )
                found.append(f"{where}: no number of MuJoCo's equals it")
        return tuple(found)


def layout_of(env: Any, model: Model, data: Any, seed: int = 0) -> Layout:
    """Step an environment with random actions, and find each number of its observation among MuJoCo's.

    Args:
        env: a Gymnasium environment.
        model: its mujoco.MjModel.
        data: its mujoco.MjData.
        seed: of resets and actions.
    """
    sources = list(sources_of_model(model))
    seen: list[dict[str, Array]] = []
    known: list[list[Array]] = []
    rng = np.random.default_rng(seed)
    for probe in range(_PROBES):
        observation, _ = env.reset(seed=seed + probe)
        env.action_space.seed(seed + probe)
        for _ in range(int(rng.integers(1, _STEPS))):
            observation, *_ = env.step(env.action_space.sample())
        seen.append(_arrays(observation))
        known.append([source.read(data) for source in sources])
    stacked = [np.stack([probe[i] for probe in known]) for i in range(len(sources))]
    points = np.stack([np.asarray(probe[_index(sources, "xpos")]) for probe in known])
    pieces = []
    for key in seen[0]:
        pieces += _pieces(key, np.stack([probe[key] for probe in seen]), sources, stacked, points)
    return Layout(tuple(pieces))


def _arrays(observation: Any) -> dict[str, Array]:
    if isinstance(observation, Mapping):
        return {key: np.asarray(value, np.float64).ravel() for key, value in observation.items()}
    return {"": np.asarray(observation, np.float64).ravel()}


def _index(sources: list[Source], name: str) -> int:
    return [source.name for source in sources].index(name)


def _pieces(
    key: str, observed: Array, sources: list[Source], known: list[Array], points: Array
) -> list[Piece]:
    """The pieces of one key, `(probes, n)`."""
    count = observed.shape[1]
    fits = [_fits(observed, values) for values in known]  # by source, (n, m)
    found, start = list[Piece](), 0
    while start < count:
        best: tuple[int, int, int] = (0, -1, -1)  # how many in a row, the source, its first number
        for which, fit in enumerate(fits):
            for first in np.flatnonzero(fit[start]).tolist():
                length = _run(fit, start, first)
                constant = np.ptp(observed[:, start : start + length], axis=0).max() == 0
                if not constant and length > best[0]:
                    best = (length, which, first)
        length, which, first = best
        if length:
            at, places = range(start, start + length), range(first, first + length)
            found.append(Piece(key, tuple(at), sources[which].name, tuple(places)))
            start += length
            continue
        difference = _difference(observed[:, start:], points)
        if difference is not None:
            length, pair = difference
            found.append(Piece(key, tuple(range(start, start + length)), DIFFERENCE, pair))
            start += length
            continue
        found.append(Piece(key, (start,), None))
        start += 1
    return _joined(found)


def _fits(observed: Array, values: Array) -> Array:
    """Which numbers of a source equal which of an observation in all probes, `(n, m)`."""
    found = np.zeros((observed.shape[1], values.shape[1]), bool)
    for bound in _CLIPS:
        cut = np.clip(values, -bound, bound)
        apart = np.abs(observed[:, :, None] - cut[:, None, :]).max(0)
        found |= apart <= _EQUAL * (1.0 + np.abs(cut).max(0))
    return found


def _run(fit: Array, start: int, first: int) -> int:
    """How many numbers from here on are those that follow in the source."""
    most = min(fit.shape[0] - start, fit.shape[1] - first)
    diagonal = fit[start + np.arange(most), first + np.arange(most)]
    return int(most if diagonal.all() else diagonal.argmin())


def _difference(observed: Array, points: Array) -> tuple[int, tuple[int, int]] | None:
    """A vector from one body to another, in space or in the plane."""
    places = points.reshape(len(points), -1, 3)
    for width in (3, 2):
        if observed.shape[1] < width:
            continue
        for one in range(1, places.shape[1]):
            apart = places[:, one, None, :width] - places[:, :, :width]
            misses = np.abs(apart - observed[:, None, :width]).max((0, 2))
            for other in np.flatnonzero(misses <= 1e-7):
                if other != one and np.ptp(apart[:, other], axis=0).max() > 0:
                    return width, (one, int(other))
    return None


def _joined(pieces: list[Piece]) -> list[Piece]:
    """Unknown numbers in a row as one piece."""
    found = list[Piece]()
    for piece in pieces:
        if found and piece.source is None and found[-1].source is None:
            found[-1] = Piece(piece.key, (*found[-1].at, *piece.at), None)
        else:
            found.append(piece)
    return found
