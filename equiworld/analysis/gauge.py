"""The change of latent coordinates between two models, within each of the groups that an objective cannot see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from equiworld.analysis.latents import blocks_of, centred, latents_of
from equiworld.arguments import integer
from equiworld.errors import ArgumentError
from equiworld.groups import Block, Decomposition
from equiworld.groups.arrays import Array
from equiworld.groups.decomposition import projected
from equiworld.results import text_table

__all__ = ["Alignment", "Gauge", "gauge_between"]

_NULLS = 20  # random elements


@dataclass(frozen=True, eq=False)
class Alignment:
    """The best map z_b ≈ M z_a + c within one group.

    Attributes:
        name: "none", "O(n)", "blocks", "commuting" isometries, "linear" maps that commute, or of random elements
            "random O(n)" and "random commuting", means over 20.
        dimension: of the group; None of a linear map's or of no group.
        matrix: M `(n, n)`. Where the mean of points is, it adds the vectors by which the two models differ there.
        offset: c `(n,)`, of trivial blocks.
        explained: 1 − Σ‖z_b − M z_a − c‖² / Σ‖z_b‖² over held-out examples, trivial blocks centred.
        blocks: the same of each block.
    """

    name: str
    dimension: int | None
    matrix: Array
    offset: Array
    explained: float
    blocks: dict[str, float]

    def __call__(self, values: Array) -> Array:
        """Latents `(N, n)` of the first model in the coordinates of the second."""
        found: Array = values @ self.matrix.T + self.offset
        return found


@dataclass(frozen=True, eq=False)
class Gauge:
    """The alignments of two models' latents.

    Attributes:
        decomposition: of the latent space.
        alignments: by name.
        n: examples that they were fitted to; as many were held out.
    """

    decomposition: Decomposition
    alignments: dict[str, Alignment]
    n: int

    def __getitem__(self, name: str) -> Alignment:
        if name not in self.alignments:
            raise ArgumentError("name", repr(name), "an alignment", self.alignments)
        return self.alignments[name]

    def __str__(self) -> str:
        rows = [
            {"group": each.name, "dimension": each.dimension, "explained": each.explained, **each.blocks}
            for each in self.alignments.values()
        ]
        return text_table(rows)


def gauge_between(
    first: Any, second: Any, data: Any = None, decomposition: Decomposition | None = None, *, seed: int = 0
) -> Gauge:
    """Align two models' latents within O(n), ∏ O(d_i m_i), the isometries that commute, and all linear maps that do.

    Orthogonal Procrustes: the best isometry is the polar factor of the cross-covariance; within the commutant, of its
    projection on the commutant. An alignment in a small group that explains as much as one in a large group says that
    the models differ by a change of channels and by nothing else.

    Reference: Schönemann, A generalized solution of the orthogonal Procrustes problem, Psychometrika 31 (1966).

    Args:
        first: a WorldModel, a function of data, or latents `(N, n)`.
        second: likewise; of the same examples.
        data: what the two encode. Means of blocks that are not trivial count: use data from all over the orbit, such as
            `data.transform(g)`, unless the slice that was seen is what is asked about.
        decomposition: of the latent space; a WorldModel knows its own.
        seed: of the halves that are fitted and held out, and of the random elements.

    Raises:
        ArgumentError: latents of other shapes, or no decomposition.

    >>> from equiworld.groups import SO3
    >>> from equiworld.symmetry import FeatureType
    >>> from equiworld.symmetry.latent_blocks import latent_blocks
    >>> z = np.random.default_rng(0).normal(size=(400, 8))
    >>> swapped = z[:, [1, 0, 5, 6, 7, 2, 3, 4]]  # the two scalars, and the two vectors, in each other's place
    >>> found = gauge_between(z, swapped, decomposition=latent_blocks(FeatureType(3, 2, 2), SO3()))
    >>> round(found["none"].explained), round(found["commuting"].explained, 6)
    (-1, 1.0)
    """
    blocks = blocks_of(first, decomposition)
    one, other = latents_of(first, data), latents_of(second, data)
    if one.shape != other.shape or one.shape[1] != blocks.size:
        raise ArgumentError("second", f"latents {other.shape}", f"{(len(one), blocks.size)}, as the first's")
    if len(one) < 4:
        raise ArgumentError("data", f"{len(one)} examples", "4 or more")
    rng = np.random.default_rng(integer("seed", seed, least=0))
    order = rng.permutation(len(one))
    fit, held = order[: len(one) // 2], order[len(one) // 2 :]
    found = _aligned(one[fit], other[fit], one[held], other[held], blocks)
    return Gauge(blocks, found | _null(found["none"], one[held], other[held], blocks, rng), len(fit))


def polar(matrix: Array) -> Array:
    """The nearest orthogonal matrix."""
    left, _, right = np.linalg.svd(matrix)
    return left @ right


def _aligned(a: Array, b: Array, c: Array, d: Array, blocks: Decomposition) -> dict[str, Alignment]:
    """Fitted to pairs a and b, judged by pairs c and d."""
    columns = np.concatenate([block.basis for block in blocks.blocks], axis=1)
    trivial = np.zeros((blocks.size, blocks.size))
    for block in blocks.blocks:
        if block.trivial:
            trivial += block.basis @ block.basis.T
    means = a.mean(0) @ trivial, b.mean(0) @ trivial
    found = {}
    for name, (dimension, matrix) in _matrices(a - means[0], b - means[1], blocks).items():
        centres = (a.mean(0), b.mean(0)) if name == "O(n)" else means
        offset = (centres[1] - matrix @ centres[0]) @ columns @ columns.T
        guess = c @ matrix.T + offset - means[1]
        scores = _explained(guess, d - means[1], blocks)
        found[name] = Alignment(name, dimension, matrix, offset, *scores)
    return found


def _null(
    plain: Alignment, c: Array, d: Array, blocks: Decomposition, rng: np.random.Generator
) -> dict[str, Alignment]:
    """Random elements about the same means, judged by pairs c and d."""
    here, there = centred(c, blocks), centred(d, blocks)
    found = {}
    for name, drawn in _random(blocks, rng).items():
        scores = [_explained(here @ matrix.T, there, blocks) for matrix in drawn]
        mean = {key: float(np.mean([score[1][key] for score in scores])) for key in scores[0][1]}
        total = float(np.mean([score[0] for score in scores]))
        found[name] = Alignment(name, None, drawn[0], plain.offset, total, mean)
    return found


def _matrices(a: Array, b: Array, blocks: Decomposition) -> dict[str, tuple[int | None, Array]]:
    inside = np.concatenate([block.basis for block in blocks.blocks], axis=1)
    rest = np.eye(blocks.size) - inside @ inside.T
    centred_pair = (b - b.mean(0)).T @ (a - a.mean(0))
    whole = inside @ polar(inside.T @ centred_pair @ inside) @ inside.T + rest
    parts: dict[str, Array] = {name: rest.copy() for name in ("blocks", "commuting", "linear")}
    for block in blocks.blocks:
        x, y = a @ block.basis, b @ block.basis
        cross = y.T @ x
        for name, inner in (
            ("blocks", polar(cross)),
            ("commuting", polar(projected(cross, block))),
            ("linear", _least_squares(x, y, block)),
        ):
            parts[name] = parts[name] + block.basis @ inner @ block.basis.T
    for place, basis in blocks.means:  # where the mean of points is may differ by vectors
        block = blocks.blocks[place]
        shift = basis @ _least_squares(a @ block.basis, (b - a) @ basis, block) @ block.basis.T
        whole = whole + shift
        parts = {name: matrix + shift for name, matrix in parts.items()}
    return {
        "none": (0, np.eye(blocks.size)),
        "O(n)": (blocks.whole_dimension, whole),
        "blocks": (blocks.block_dimension, parts["blocks"]),
        "commuting": (blocks.gauge_dimension, parts["commuting"]),
        "linear": (None, parts["linear"]),
    }


def _least_squares(x: Array, y: Array, block: Block) -> Array:
    """The Σ_c B_c ⊗ D_c that takes x `(N, m·d)` nearest to y `(N, k·d)`."""
    m, d, units = block.multiplicity, block.dimension, len(block.algebra)
    split = x.reshape(-1, m, d)
    given = np.einsum("cij,nbj->nicb", block.algebra, split).reshape(-1, units * m)
    wanted = y.reshape(len(y), -1, d).transpose(0, 2, 1).reshape(len(given), -1)
    mixing = np.linalg.lstsq(given, wanted, rcond=None)[0].reshape(units, m, -1)
    return np.einsum("cba,cij->aibj", mixing, block.algebra).reshape(-1, m * d)


def _random(blocks: Decomposition, rng: np.random.Generator) -> dict[str, list[Array]]:
    inside = np.concatenate([block.basis for block in blocks.blocks], axis=1)
    rest = np.eye(blocks.size) - inside @ inside.T
    size = inside.shape[1]
    whole = [inside @ polar(rng.normal(size=(size, size))) @ inside.T + rest for _ in range(_NULLS)]
    commuting = []
    for _ in range(_NULLS):
        found = rest.copy()
        for block in blocks.blocks:
            drawn = rng.normal(size=(block.basis.shape[1],) * 2)
            found = found + block.basis @ polar(projected(drawn, block)) @ block.basis.T
        commuting.append(found)
    return {"random O(n)": whole, "random commuting": commuting}


def _explained(guess: Array, b: Array, blocks: Decomposition) -> tuple[float, dict[str, float]]:
    """Over all blocks, and of each; a block that does not move is explained by anything that keeps it so."""
    apart = b - guess
    lost, whole, each = 0.0, 0.0, {}
    for block in blocks.blocks:
        error = float(np.square(apart @ block.basis).sum())
        size = float(np.square(b @ block.basis).sum())
        each[block.name] = 1.0 - error / max(size, 1e-300)
        lost, whole = lost + error, whole + size
    return 1.0 - lost / max(whole, 1e-300), each
