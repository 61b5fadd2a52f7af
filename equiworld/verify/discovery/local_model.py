"""A smooth model of one step, fitted to transitions: for what no replay can tell, such as mirror images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from equiworld.groups.arrays import Array
from equiworld.verify.discovery.transitions import Transitions

__all__ = ["LocalModel", "deviation_share", "fitted"]

_WIDTHS = (1.0, 2.0, 4.0, 8.0, 16.0)
_RIDGES = (1e-10, 1e-8, 1e-6, 1e-4)
_HELD_OUT = 0.2
_MOST = 1500  # rows that it is fitted to
_SHARE = 0.75  # of held-out rows err less than `error`: a few far off say little


@dataclass(frozen=True)
class LocalModel:
    """f(z) = Σᵢ αᵢ k(z, zᵢ), with k(z, z′) = exp(−|z − z′|² / 2ℓ²) + z·z′/F + 1: kernel ridge regression.

    Attributes:
        names: the keys whose change it predicts, one behind the other.
        means: by key, the action's as "", what is subtracted.
        scales: likewise, what it is divided by.
        angles: keys that wrap, which are seen as cosine and sine.
        centres: zᵢ, `(n, F)`.
        weights: α, `(n, O)`.
        width: ℓ.
        error: what three of four held-out rows err less than, in shares of the changes' root mean square.
    """

    names: tuple[str, ...]
    means: Mapping[str, Array]
    scales: Mapping[str, Array]
    angles: tuple[str, ...]
    centres: Array
    weights: Array
    width: float
    error: float

    def change(self, state: Mapping[str, Array], action: Array) -> dict[str, Array]:
        """s′ − s by key, `(n, size)`, of states and actions."""
        inputs = _features(self.names, {**state, "": action}, self.means, self.scales, self.angles)
        found = _kernel(inputs, self.centres, self.width) @ self.weights
        ends = np.cumsum([0, *(len(self.scales[name]) for name in self.names)])
        return {
            name: found[:, ends[i] : ends[i + 1]] * self.scales[name] for i, name in enumerate(self.names)
        }


def deviation_share(off: Sequence[Array], size: Sequence[Array]) -> float:
    """What deviations are less than in three of four rows, in shares of the root mean square of the changes.

    Args:
        off: by key, the deviations `(n, size)` in units of its scale.
        size: likewise, the changes.
    """
    each = np.sqrt(np.mean(np.concatenate(off, 1) ** 2, 1))
    return float(np.quantile(each, _SHARE)) / float(np.sqrt(np.mean(np.concatenate(size, 1) ** 2)) or 1.0)


def fitted(data: Transitions, rng: np.random.Generator) -> LocalModel:
    """The width and the ridge are those that predict held-out rows best; then all rows are used."""
    names = tuple(name for name in data.before if np.ptp(data.before[name], axis=0).max() > 1e-12)
    data = data.at(np.sort(rng.choice(len(data), min(len(data), _MOST), replace=False)))
    arrays = {**{name: data.before[name] for name in names}, "": data.action}
    means = {name: array.mean(0) for name, array in arrays.items()}
    # One scale for all numbers of a key: what turns is seen alike whichever way it looks.
    scales = {
        name: np.full(array.shape[1], np.sqrt(array.var(0).mean()) or 1.0) for name, array in arrays.items()
    }
    inputs = _features(names, arrays, means, scales, data.angles)
    outputs = np.concatenate([data.change(name) / scales[name] for name in names], 1)
    error, width, ridge = _best(inputs, outputs, rng)
    kernel = _kernel(inputs, inputs, width)
    kernel[np.diag_indices_from(kernel)] += ridge
    weights = np.linalg.solve(kernel, outputs)
    return LocalModel(names, means, scales, data.angles, inputs, weights, width, error)


def _best(inputs: Array, outputs: Array, rng: np.random.Generator) -> tuple[float, float, float]:
    """(error, width, ridge) of the kernel that predicts held-out rows best."""
    order = rng.permutation(len(inputs))
    cut = max(int(len(inputs) * _HELD_OUT), 1)
    out, kept = order[:cut], order[cut : cut + _MOST // 2]
    scale = float(np.sqrt(np.mean(outputs**2))) or 1.0
    distance = float(np.sqrt(np.median(_squares(inputs[kept[:300]], inputs[kept[:300]])))) or 1.0
    best = (np.inf, np.inf, distance, _RIDGES[0])
    for width in (factor * distance for factor in _WIDTHS):
        values, vectors = np.linalg.eigh(_kernel(inputs[kept], inputs[kept], width))
        projected = vectors.T @ outputs[kept]
        across = _kernel(inputs[out], inputs[kept], width) @ vectors
        for ridge in _RIDGES:
            found = across @ (projected / (np.maximum(values, 0.0) + ridge)[:, None])
            rows = np.sqrt(np.mean((found - outputs[out]) ** 2, 1)) / scale
            error, most = float(np.sqrt(np.mean(rows**2))), float(np.quantile(rows, _SHARE))
            best = min(best, (error, most, width, ridge))
    return best[1:]


def _features(
    names: tuple[str, ...],
    arrays: Mapping[str, Array],
    means: Mapping[str, Array],
    scales: Mapping[str, Array],
    angles: tuple[str, ...],
) -> Array:
    """`(n, F)`."""
    parts = []
    for name in (*names, ""):
        if name in angles:
            parts += [np.cos(arrays[name]), np.sin(arrays[name])]
        else:
            parts.append((arrays[name] - means[name]) / scales[name])
    return np.concatenate(parts, 1)


def _kernel(first: Array, second: Array, width: float) -> Array:
    return np.exp(-_squares(first, second) / (2 * width**2)) + first @ second.T / first.shape[1] + 1.0


def _squares(first: Array, second: Array) -> Array:
    found = (first**2).sum(1)[:, None] + (second**2).sum(1)[None] - 2 * first @ second.T
    return np.maximum(found, 0.0)
