"""A smooth model of one step, fitted to transitions, and its derivatives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from equiworld.groups.arrays import Array

__all__ = ["LocalModel", "fitted"]

_WIDTHS = (1.0, 2.0, 4.0, 8.0)
_RIDGES = (1e-9, 1e-6, 1e-3)
_HELD_OUT = 0.2


@dataclass(frozen=True)
class LocalModel:
    """f(z) = Σᵢ αᵢ k(z, zᵢ), with k(z, z′) = exp(−|z − z′|² / 2ℓ²) + z·z′/F + 1: kernel ridge regression.

    Attributes:
        centres: zᵢ, `(n, F)`.
        weights: α, `(n, O)`.
        width: ℓ.
        error: the root mean square error on held-out rows, in shares of the outputs' own.
    """

    centres: Array
    weights: Array
    width: float
    error: float

    def __call__(self, z: Array) -> Array:
        """`(m, F)` → `(m, O)`."""
        return _kernel(z, self.centres, self.width) @ self.weights

    def gradient(self, z: Array) -> Array:
        """∂f/∂z, `(m, F)` → `(m, F, O)`."""
        features = z.shape[1]
        bell = np.exp(-_squares(z, self.centres) / (2 * self.width**2))
        weighted = np.einsum("mn,no->mno", bell, self.weights)
        inner = np.einsum("mno,nf->mfo", weighted, self.centres)
        sloped = (inner - z[:, :, None] * weighted.sum(1)[:, None, :]) / self.width**2
        return sloped + (self.centres.T @ self.weights / features)[None]


def fitted(inputs: Array, outputs: Array, rng: np.random.Generator) -> LocalModel:
    """The width and the ridge are those that predict held-out rows best; then all rows are used."""
    order = rng.permutation(len(inputs))
    cut = max(int(len(inputs) * _HELD_OUT), 1)
    out, kept = order[:cut], order[cut:]
    scale = float(np.sqrt(np.mean(outputs**2))) or 1.0
    distance = float(np.sqrt(np.median(_squares(inputs[kept[:300]], inputs[kept[:300]])))) or 1.0
    best = (np.inf, distance, _RIDGES[0])
    for width in _WIDTHS:
        values, vectors = np.linalg.eigh(_kernel(inputs[kept], inputs[kept], width * distance))
        projected = vectors.T @ outputs[kept]
        across = _kernel(inputs[out], inputs[kept], width * distance) @ vectors
        for ridge in _RIDGES:
            found = across @ (projected / (np.maximum(values, 0.0) + ridge * values[-1] / len(kept) + 1e-12)[:, None])
            error = float(np.sqrt(np.mean((found - outputs[out]) ** 2))) / scale
            if error < best[0]:
                best = (error, width * distance, ridge)
    error, width, ridge = best
    kernel = _kernel(inputs, inputs, width)
    largest = float(np.linalg.norm(kernel, 2)) if len(kernel) < 50 else float(kernel.sum(1).max())
    kernel[np.diag_indices_from(kernel)] += ridge * largest / len(inputs) + 1e-12
    return LocalModel(inputs, np.linalg.solve(kernel, outputs), width, error)


def _kernel(first: Array, second: Array, width: float) -> Array:
    return np.exp(-_squares(first, second) / (2 * width**2)) + first @ second.T / first.shape[1] + 1.0


def _squares(first: Array, second: Array) -> Array:
    found = (first**2).sum(1)[:, None] + (second**2).sum(1)[None] - 2 * first @ second.T
    return np.maximum(found, 0.0)
