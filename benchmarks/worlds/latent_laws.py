"""Laws of latents that a group leaves alone, and laws that it does not."""

from __future__ import annotations

import numpy as np

from equiworld.benchmarks.worlds.hidden_states import BLOCKS, KIND
from equiworld.groups.arrays import Array

__all__ = ["LAWS", "LENGTHS", "law"]

LAWS = ("standard normal", "valid", "anisotropic", "with a mean", "blocks that correlate")
LENGTHS = "vectors of one length"


def law(name: str, n: int, rng: np.random.Generator) -> Array:
    """A sample `(n, 22)` of a law drawn at random.

    - "standard normal".
    - "valid": Σ = ⊕ B_i ⊗ 1, each B_i of random eigenvalues, their logarithms normal of deviation 1.
    - "anisotropic": the same, stretched by 2 along the world's first axis.
    - "with a mean": the same, vectors moved by their own deviation.
    - "blocks that correlate": each scalar, by .7, with the first coordinate of a vector.
    - "vectors of one length": uniform on spheres, kept by the group and not normal.
    - "unequal lengths": the same, stretched by 1.5 along the world's first axis before their lengths are made one.
    """
    normal = rng.normal(size=(n, KIND.size))
    vectors = normal[:, KIND.scalars :].reshape(n, KIND.vectors, KIND.dim)
    if name in (LENGTHS, "unequal lengths"):
        vectors = vectors * np.array([1.5 if name != LENGTHS else 1.0, 1.0, 1.0])
        vectors = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
        return np.hstack([normal[:, : KIND.scalars], vectors.reshape(n, -1)])
    if name == "standard normal":
        return normal
    if name == "blocks that correlate":
        normal[:, : KIND.scalars] += normal[:, KIND.scalars :: KIND.dim][:, : KIND.scalars]
        normal[:, : KIND.scalars] /= np.sqrt(2)
    if name == "with a mean":
        normal[:, KIND.scalars :] += np.tile([1.0, 0.0, 0.0], KIND.vectors)
    root = np.zeros((KIND.size, KIND.size))
    for block in BLOCKS.blocks:
        m = block.multiplicity
        basis = np.linalg.qr(rng.normal(size=(m, m)))[0]
        inner = basis @ np.diag(np.exp(rng.normal(size=m) / 2)) @ basis.T
        root += block.basis @ np.kron(inner, np.eye(block.dimension)) @ block.basis.T
    found: Array = normal @ root.T
    if name == "anisotropic":
        found[:, KIND.scalars :: KIND.dim] *= 2.0
    return found
