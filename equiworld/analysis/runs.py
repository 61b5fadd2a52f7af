"""Several trained runs side by side: what they agree on, and what is only a choice of labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from equiworld.analysis.gauge import gauge_between
from equiworld.analysis.isotropy import isotropy
from equiworld.analysis.latents import blocks_of, centred, latents_of
from equiworld.arguments import instance
from equiworld.errors import ArgumentError
from equiworld.groups import Decomposition
from equiworld.groups.arrays import Array
from equiworld.groups.decomposition import Block
from equiworld.results import text_table

__all__ = ["RunComparison", "compare_runs"]


@dataclass(frozen=True, eq=False)
class RunComparison:
    """K runs.

    Attributes:
        rows: of each run its observables, and of each block the standard deviations of its independent copies, largest
            first, and of its channels, by label and sorted.
        macro_spread: of observables and of sorted deviations, the deviation over runs relative to the mean; by name.
        raw_spread: the same of channels by label.
        agreement: of each block, channel by channel, the squared correlation of the channels that have this label in
            two runs, median over pairs: near 1 where training tells the label apart, by chance about 1 / m of m.
        explained: `(K, K)`, share of run j's latents that run i's explain as they are.
        aligned: likewise, by the best isometry that commutes with the group.
        linear: likewise, by the best linear map that commutes.
        clusters: by "raw", "commuting" and "linear", how many clusters runs fall into: runs are together where
            `threshold` of the variance is explained, both ways, along a chain of runs.
        warnings: about what must not be read.
    """

    rows: tuple[dict[str, Any], ...]
    macro_spread: dict[str, float]
    raw_spread: dict[str, float]
    agreement: dict[str, tuple[float, ...]]
    explained: Array
    aligned: Array
    linear: Array
    clusters: dict[str, int]
    warnings: tuple[str, ...]

    def __str__(self) -> str:
        names = [name for name in self.rows[0] if not isinstance(self.rows[0][name], tuple)]
        parts = [text_table([{name: row[name] for name in names} for row in self.rows])]
        spreads = [{"of": name, "spread over runs": value} for name, value in self.macro_spread.items()]
        spreads += [
            {"of": f"{name}, by label", "spread over runs": value} for name, value in self.raw_spread.items()
        ]
        clusters = ", ".join(f"{count} {name}" for name, count in self.clusters.items())
        agreement = [
            {"of": name, **{str(label): value for label, value in enumerate(values)}}
            for name, values in self.agreement.items()
        ]
        parts += [text_table(spreads), f"agreement by label:\n{text_table(agreement)}"]
        return "\n\n".join([*parts, f"clusters: {clusters}", *self.warnings])


def compare_runs(
    runs: Sequence[Any] | Callable[[int], Any],
    data: Any = None,
    decomposition: Decomposition | None = None,
    *,
    observables: Mapping[str, Callable[[Any], float]] | None = None,
    count: int = 5,
    threshold: float = 0.9,
) -> RunComparison:
    """Compare runs by what does not depend on the labels of channels, next to what does.

    Args:
        runs: WorldModels, functions of data or latents; or a function that trains or loads the run of a seed.
        data: what they encode, the same for all; see `gauge_between`.
        decomposition: of the latent space; a WorldModel knows its own.
        observables: further numbers of a run, such as its one-step error or how often its closed loop succeeds.
        count: seeds, if `runs` is a function.
        threshold: share of the variance, explained both ways, from which two runs count as the same.

    Raises:
        ArgumentError: fewer than two runs.

    >>> from equiworld.groups import SO3
    >>> from equiworld.symmetry import FeatureType
    >>> from equiworld.symmetry.latent_blocks import latent_blocks
    >>> z = np.random.default_rng(0).normal(size=(400, 3)) * [1.0, 2.0, 4.0]
    >>> runs = [z, z[:, [2, 0, 1]], z[:, [1, 2, 0]]]  # the same, with other labels
    >>> found = compare_runs(runs, decomposition=latent_blocks(FeatureType(3, 3), SO3()))
    >>> found.clusters["raw"], found.clusters["commuting"], len(found.warnings)
    (3, 1, 1)
    """
    if not callable(runs):
        instance("runs", runs, Sequence)
    made = [runs(seed) for seed in range(count)] if callable(runs) else list(runs)
    if len(made) < 2:
        raise ArgumentError("runs", f"{len(made)} of them", "two or more")
    blocks = blocks_of(made[0], decomposition)
    latents = [latents_of(run, data) for run in made]
    rows = tuple(
        {name: float(observe(run)) for name, observe in (observables or {}).items()} | _row(values, blocks)
        for run, values in zip(made, latents, strict=True)
    )
    macro = {name: _spread([row[name] for row in rows]) for name in rows[0] if not name.endswith("by label")}
    raw = {
        name.removesuffix(", by label"): _spread([row[name] for row in rows])
        for name in rows[0]
        if name.endswith("by label")
    }
    pairs = _pairs(latents, blocks)
    clusters = {
        name: _clusters(each, threshold)
        for name, each in zip(("raw", "commuting", "linear"), pairs, strict=True)
    }
    agreement = _agreement(latents, blocks)
    return RunComparison(rows, macro, raw, agreement, *pairs, clusters, _warnings(macro, raw))


def _warnings(macro: dict[str, float], raw: dict[str, float]) -> tuple[str, ...]:
    """Of blocks whose channels differ over runs more than their sorted deviations do."""
    return tuple(
        f"{name}: channels differ over runs by {spread:.2g} of their size, their sorted deviations by "
        f"{macro[f'{name} deviations']:.2g}: labels are an allocation that each run makes anew; do not read them"
        for name, spread in raw.items()
        if spread > 2 * macro[f"{name} deviations"] and spread > 0.05
    )


def _row(values: Array, blocks: Decomposition) -> dict[str, Any]:
    found, row = isotropy(values, blocks), dict[str, Any]()
    values = centred(values, blocks)
    for block, seen in zip(blocks.blocks, found.blocks, strict=True):
        labelled = np.sqrt(np.square(_channels(values, block)).mean((0, 2)))
        row[f"{block.name} rank"] = seen.rank
        row[f"{block.name} deviations"] = seen.deviations
        row[f"{block.name} sorted channels"] = tuple(np.sort(labelled)[::-1].tolist())
        row[f"{block.name}, by label"] = tuple(labelled.tolist())
    return row


def _channels(values: Array, block: Block) -> Array:
    """Of numbers `(n, size)` those of one block, `(n, multiplicity, dimension)`."""
    return (values @ block.basis).reshape(len(values), block.multiplicity, block.dimension)


def _agreement(latents: Sequence[Array], blocks: Decomposition) -> dict[str, tuple[float, ...]]:
    found = dict[str, tuple[float, ...]]()
    runs = [centred(values, blocks) for values in latents]
    for block in blocks.blocks:
        channels = np.stack([_channels(values, block) for values in runs])
        size = np.sqrt(np.square(channels).sum((1, 3), keepdims=True))
        unit = channels / np.maximum(size, np.finfo(float).tiny)
        alike = np.square(np.einsum("anmd,bnmd->abm", unit, unit))
        above = np.triu_indices(len(runs), 1)
        found[block.name] = tuple(np.median(alike[above], axis=0).tolist())
    return found


def _spread(values: Sequence[Any]) -> float:
    """Of numbers, or of several each: root mean square deviation over runs by root mean square."""
    array = np.asarray(values, float)
    size = np.sqrt(np.square(array).mean())
    return float(np.sqrt(array.var(0).mean()) / size) if size else 0.0


def _pairs(latents: Sequence[Array], blocks: Decomposition) -> tuple[Array, Array, Array]:
    shape = (len(latents), len(latents))
    found = tuple(np.eye(*shape) for _ in range(3))
    for i, one in enumerate(latents):
        for j, other in enumerate(latents):
            if i != j:
                gauge = gauge_between(one, other, decomposition=blocks)
                for array, name in zip(found, ("none", "commuting", "linear"), strict=True):
                    array[i, j] = gauge[name].explained
    return found[0], found[1], found[2]


def _clusters(explained: Array, threshold: float) -> int:
    from scipy.sparse.csgraph import connected_components

    together = np.minimum(explained, explained.T) >= threshold
    return int(connected_components(together, directed=False)[0])
