"""Laws that a group leaves alone, and laws that it does not."""

from __future__ import annotations

import numpy as np

from equiworld.groups import SO3, Decomposition
from equiworld.symmetry import FeatureType
from equiworld.symmetry.latent_blocks import latent_blocks

KIND = FeatureType(3, scalars=4, vectors=6)
BLOCKS = latent_blocks(KIND, SO3())


def commuting_root(blocks: Decomposition, rng: np.random.Generator, spread: float = 1.0) -> np.ndarray:
    """A random matrix of the commutant, its B's far from multiples of 1."""
    root = np.zeros((blocks.size, blocks.size))
    for block in blocks.blocks:
        m = block.multiplicity
        mixing = rng.normal(size=(len(block.algebra), m, m))
        mixing[0] = mixing[0] * np.exp(spread * rng.normal(size=m))
        inner = np.einsum("cab,cij->aibj", mixing, block.algebra)
        root += block.basis @ inner.reshape(block.basis.shape[1], -1) @ block.basis.T
    return root


def valid(n: int, rng: np.random.Generator, blocks: Decomposition = BLOCKS) -> np.ndarray:
    """A normal law that the group leaves alone."""
    return rng.normal(size=(n, blocks.size)) @ commuting_root(blocks, rng).T


def anisotropic(n: int, rng: np.random.Generator, factor: float = 2.0) -> np.ndarray:
    """The same, stretched along the world's first axis."""
    found = valid(n, rng)
    found[:, 4::3] *= factor
    return found
