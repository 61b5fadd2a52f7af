"""How much of what was measured each hypothesis explains, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from equiworld.groups.arrays import Array
from equiworld.verify.recordings.verdict import Answer, Verdict

__all__ = ["judged", "rotation_between"]

_BETTER = 0.02  # of the variance, that a rival has to explain more
_LEAST = 0.3  # of the variance, that the best has to explain
_SURE = 0.95
_RESAMPLES = 200
_CHUNK = 40  # rows that are resampled together: neighbours are alike
_CHUNKS = 10  # at least
_ROWS = 20  # fewer are no sample


def judged(
    claim: str,
    declared: str,
    measured: Sequence[Array],
    predicted: Mapping[str, Sequence[Array]],
    rng: np.random.Generator,
    note: str = "",
) -> Verdict:
    """A verdict from what was measured and what each hypothesis says of it, up to one factor.

    Args:
        claim: what it is about.
        declared: the hypothesis that is claimed.
        measured: by episode, `(T, k)`.
        predicted: by hypothesis, likewise.
        rng: of the resamples.
        note: further words.
    """
    rows = sum(map(len, measured))
    if rows < _ROWS:
        return Verdict(claim, declared, declared, {}, "untestable", 1.0, f"fewer than {_ROWS} steps")
    long = min(_CHUNK, rows // _CHUNKS)  # of few steps shorter chunks, or nothing is left to resample
    chunks = [chunk for episode in measured for chunk in _chunks(episode, long)]
    total = np.array([float(np.sum(chunk**2)) for chunk in chunks])
    names = list(predicted)
    parts = {
        name: [chunk for episode in predicted[name] for chunk in _chunks(episode, long)] for name in names
    }
    inner = {
        name: np.array([float(np.sum(x * y)) for x, y in zip(parts[name], chunks, strict=True)])
        for name in names
    }
    own = {name: np.array([float(np.sum(x**2)) for x in parts[name]]) for name in names}

    def explained(chosen: NDArray[np.int64]) -> dict[str, float]:
        """1 − |y − k x|² / |y|² with the best k ≥ 0."""
        found = {}
        for name in names:
            cross, square = inner[name][chosen].sum(), own[name][chosen].sum()
            found[name] = float(max(cross, 0.0) ** 2 / (square * total[chosen].sum() + 1e-300))
        return found

    scores = explained(np.arange(len(chunks), dtype=np.int64))
    best = max(names, key=lambda name: scores[name])
    if scores[best] - scores[declared] <= 1e-9:
        best = declared
    better = 0
    for _ in range(_RESAMPLES):
        again = explained(rng.integers(len(chunks), size=len(chunks)))
        better += again[best] > again[declared] + _BETTER
    share = better / _RESAMPLES
    answer: Answer = "undecided"
    if scores[best] < _LEAST:
        answer, share = "untestable", 1.0
    elif share >= _SURE:
        answer = "contradicted"
    elif share <= 1 - _SURE:
        answer, share = "consistent", 1 - share
    alike = [name for name in names if name != declared and scores[name] > scores[declared] - _BETTER]
    if answer == "consistent" and alike:
        more = f"{', '.join(alike)} would explain as much: the data do not tell them apart"
        note = f"{note}; {more}" if note else more
    return Verdict(claim, declared, best, scores, answer, share, note)


def rotation_between(first: Array, second: Array, mirrors: bool = False) -> Array:
    """The rotation R `(3, 3)` that takes `first` to `second` best, `(n, 3)`: orthogonal Procrustes."""
    u, _, vt = np.linalg.svd(second.T @ first)
    if not mirrors:
        u[:, -1] *= np.sign(np.linalg.det(u @ vt))
    return u @ vt


def _chunks(episode: Array, long: int) -> list[Array]:
    return [episode[start : start + long] for start in range(0, len(episode), long)]
