"""What of a latent is determined by its law, by its symmetry and by its dynamics?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch

from equiworld.analysis import (
    LinearDynamics,
    NormalityTest,
    fit_linear_dynamics,
    gauge_between,
    invariance_test,
    isotropy,
    measured_gauge_dimension,
)
from equiworld.analysis.gauge import polar
from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.pictures import grouped
from equiworld.benchmarks.suite.question import Question
from equiworld.benchmarks.suite.rows import Measure, Row, share
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.suite.summary import summarised
from equiworld.benchmarks.worlds.hidden_states import BLOCKS, KIND, RATES, HiddenStates, in_slice, learned
from equiworld.benchmarks.worlds.latent_laws import LAWS, LENGTHS, law
from equiworld.benchmarks.worlds.latent_plans import plan_deviations
from equiworld.benchmarks.worlds.latent_representations import cases
from equiworld.groups import SO3
from equiworld.groups.arrays import Array
from equiworld.results import text_table
from equiworld.symmetry import Features

__all__ = ["Identifiability"]


@dataclass(frozen=True)
class Identifiability(Question):
    """Parts of one answer; arms are the parts. Four scalars and six vectors in space, unless said otherwise.

    - statistic: SIGReg's statistic over its floor, of laws with random covariances.
    - test: how often laws are rejected at the level .05.
    - gauge: dimensions of the groups that an objective cannot see.
    - learned: latents of trained encoders that are linear.
    - nonlinear: latents of encoders that are not, trained with Block-SIGReg on the orbit, on a slice of it, and on
      a slice with each latent turned by an element of its own; seen on the orbit and on the slice.
    - dynamics: what latent dynamics resolve of that freedom.
    - planning: how far plans from turned states are from turned plans.

    Attributes:
        sizes: N, of the samples whose statistic is looked at.
        laws: random covariances for each.
        draws: samples that are tested, of laws that shall be accepted; a fifth of it of others.
        null_draws: simulated null statistics.
        directions: random ones, of each block and across blocks.
        steps: of an encoder's training.
        examples: that trained latents are judged by.
    """

    sizes: tuple[int, ...] = (2000, 20_000, 100_000)
    laws: int = 20
    draws: int = 1000
    null_draws: int = 999
    directions: int = 256
    steps: int = 300
    examples: int = 100_000

    name: ClassVar[str] = "identifiability"
    title: ClassVar[str] = "What of a latent is determined by its law, its symmetry and its dynamics?"
    worlds: ClassVar[tuple[str, ...]] = ("hidden-states",)
    arms: ClassVar[tuple[str, ...]] = (
        "statistic",
        "test",
        "gauge",
        "learned",
        "nonlinear",
        "dynamics",
        "planning",
    )
    version: ClassVar[int] = 2
    closed: ClassVar[bool] = True
    coordinates: ClassVar[tuple[str, ...]] = ("law", "by", "trained_on", "n")
    choosing: ClassVar[tuple[str, ...]] = ("sizes",)
    measures: ClassVar[Mapping[str, Measure]] = {
        "over_floor": Measure(
            "1", "statistic over its mean under the null hypothesis, median over laws", True
        ),
        "over_floor_least": Measure("1", "the smallest over laws", log=True),
        "over_floor_most": Measure("1", "the largest over laws", log=True),
        "rejected": Measure("1", "share of samples rejected at the level .05, with Wilson's interval"),
        "successes": Measure("1", "samples rejected"),
        "episodes": Measure("1", "samples"),
        "whole_dimension": Measure("1", "of O(n)"),
        "block_dimension": Measure("1", "of the product of O(d m) over blocks"),
        "gauge_dimension": Measure("1", "of the isometries that commute, counted from the blocks"),
        "measured_dimension": Measure("1", "the same, as the nullity of X ρ − ρ X, X antisymmetric"),
        "exact": Measure("", "whether the two agree"),
        "defect": Measure("1", "|Σ − PΣ|/|Σ|, P the projection on what commutes", log=True),
        "ratio": Measure("1", "largest over smallest variance along directions of space, whitened copies"),
        "rank": Measure("1", "channels that are alive, of 10"),
        "probe_ratio": Measure("1", "error of a linear probe of the hidden state, all directions / slice"),
        "explained": Measure("1", "of the hidden state, by the latent and a map that commutes"),
        "rate_scalars": Measure("1", "recovered rate of scalars, .2"),
        "rate_vectors": Measure("1", "recovered rate of vectors, .9"),
        "drift_dimension": Measure("1", "of the isometries that keep the latent dynamics"),
        "orbit_spread": Measure("1", "largest − least Bayes error over 64 elements of that group", log=True),
        "orbit_excess": Measure("1", "least excess of the error over 64 elements of O(n)", log=True),
        "deviation": Measure("1", "largest |plan(g·s) − g·plan(s)| / largest |plan|, 16 turns", log=True),
        "isometry_change": Measure("1", "relative change of the cost under random isometries of the latent"),
    }
    small: ClassVar[Mapping[str, Any]] = {
        "sizes": (500,),
        "laws": 2,
        "draws": 20,
        "null_draws": 39,
        "directions": 32,
        "steps": 20,
        "examples": 1000,
    }

    def points(self, world: str, arm: str) -> Iterable[Mapping[str, Any]]:
        """Sample sizes, of the statistic; one point elsewhere."""
        return [{"n": n} for n in self.sizes] if arm == "statistic" else [{}]

    def measure(self, cell: Cell, store: Store) -> list[Row]:
        """The rows of one part."""
        rng = np.random.default_rng([cell.seed, 18])
        if cell.arm == "statistic":
            return self._statistics(cell.point["n"], rng)
        part = {
            "test": self._tests,
            "gauge": _dimensions,
            "learned": self._learned,
            "nonlinear": self._nonlinear,
            "dynamics": self._dynamics,
            "planning": plan_deviations,
        }[cell.arm]
        return part(rng)

    def _statistics(self, n: int, rng: np.random.Generator) -> list[Row]:
        rows = []
        for by in ("standard", "block"):
            test = NormalityTest(BLOCKS, n, by, count=self.directions, draws=min(self.null_draws, 199))  # type: ignore[arg-type]
            for name in LAWS:
                found = [
                    test(law(name, n, rng), seed=index).over_floor
                    for index in range(1 if name == "standard normal" else self.laws)
                ]
                row: Row = {"law": name, "by": by, "over_floor": float(np.median(found))}
                rows.append(row | {"over_floor_least": min(found), "over_floor_most": max(found)})
        return rows

    def _tests(self, rng: np.random.Generator) -> list[Row]:
        n, rows = 2000, list[Row]()
        test = NormalityTest(BLOCKS, n, count=self.directions, draws=self.null_draws)
        for name in ("valid", *(name for name in LAWS if name != "valid"), LENGTHS):
            count = self.draws if name == "valid" else max(self.draws // 5, 2)
            found = sum(test(law(name, n, rng), seed=index).rejected for index in range(count))
            rows.append({"law": name, "by": "block", "n": n, **share("rejected", found, count)})
        n = 500
        for name in ("valid", LENGTHS, "anisotropic", "unequal lengths"):
            count = max(self.draws // 5, 2)
            samples = (Features.unflatten(torch.as_tensor(law(name, n, rng)), KIND) for _ in range(count))
            ps = [invariance_test(z, SO3(), draws=19, count=8, seed=i).p for i, z in enumerate(samples)]
            rejected = int((np.array(ps) <= 0.05).sum())
            rows.append({"law": name, "by": "invariance", "n": n, **share("rejected", rejected, count)})
        return rows

    def _nonlinear(self, rng: np.random.Generator) -> list[Row]:
        orbit = replace(HiddenStates.drawn(rng), bend=0.5)
        part, rows, seed = replace(orbit, half_width=45.0), list[Row](), int(rng.integers(2**31))
        samples = {"orbit": orbit.hidden(self.examples, rng), "slice": part.hidden(self.examples, rng)}
        for trained_on, world, turned in (
            ("orbit", orbit, False),
            ("slice", part, False),
            ("slice, turned in the loss", part, True),
        ):
            model = learned(world, "block-sigreg", seed, steps=self.steps, width=16, turned=turned)
            for kind, hidden in samples.items():
                row: Row = {"by": "block-sigreg", "trained_on": trained_on, "law": kind}
                rows.append(row | _judged(model.encode(orbit.seen(hidden)), hidden, kind == "orbit"))
        return rows

    def _learned(self, rng: np.random.Generator) -> list[Row]:
        rows = []
        world = HiddenStates.drawn(rng)
        x, _ = world.pairs(self.examples, rng)
        seed = int(rng.integers(2**31))
        for by in ("sigreg", "block-sigreg"):
            model = learned(world, by, seed, steps=self.steps)
            row: Row = {"by": by, "law": "orbit"}
            rows.append(row | _judged(model.encode(x), x @ np.linalg.inv(world.mixing).T))
        return rows

    def _dynamics(self, rng: np.random.Generator) -> list[Row]:
        rows = []
        for name, equivariant in (("sigreg", True), ("block-sigreg", True), ("sigreg, plain", False)):
            world = HiddenStates.drawn(rng)
            seed = int(rng.integers(2**31))
            model = learned(world, name.split(",")[0], seed, equivariant=equivariant, steps=self.steps)
            x, after = world.pairs(self.examples, rng)
            found = fit_linear_dynamics(model.encode(x), model.encode(after))
            rates = [rate.value for rate in found.rates()]
            row: Row = {"by": name, "law": "two rates", "drift_dimension": found.drift_gauge()}
            rows.append(row | {"rate_scalars": rates[0], "rate_vectors": rates[-1], **_orbit(rng)})
        z = rng.normal(size=(self.examples, KIND.size))
        after = 0.9 * z + np.sqrt(1 - 0.81) * rng.normal(size=z.shape)
        equal = fit_linear_dynamics(z, after).drift_gauge()
        return [*rows, {"by": "as it is", "law": "one rate", "drift_dimension": equal}]

    def table(self, rows: Sequence[Row]) -> str:
        """One table for each part, of the columns that it has."""
        parts = []
        for arm, own in grouped(summarised(rows, self.measures), "arm").items():
            named = [name for name in own[0] if any(row.get(name) is not None for row in own)]
            shown = [name for name in named if name not in ("question", "world", "arm")]
            parts.append(f"{arm}\n{text_table([{name: row.get(name) for name in shown} for row in own])}")
        return "\n\n".join(parts)


def _dimensions(rng: np.random.Generator) -> list[Row]:
    rows = []
    for name, (blocks, generators) in cases().items():
        measured = measured_gauge_dimension(generators)
        row: Row = {"law": name, "by": "commutant", "whole_dimension": blocks.whole_dimension}
        row |= {"block_dimension": blocks.block_dimension, "gauge_dimension": blocks.gauge_dimension}
        rows.append(row | {"measured_dimension": measured, "exact": str(measured == blocks.gauge_dimension)})
    return rows


def _orbit(rng: np.random.Generator) -> Row:
    """The Bayes error of the true dynamics over isometries that keep them, and over others."""
    dynamics, count = LinearDynamics(np.diag(RATES), np.eye(KIND.size)), 64
    kept, size = np.zeros((count, KIND.size, KIND.size)), KIND.scalars
    for each in kept:
        each[:size, :size] = polar(rng.normal(size=(size, size)))
        each[size:, size:] = polar(rng.normal(size=(KIND.size - size,) * 2))
    others = np.stack([polar(rng.normal(size=(KIND.size,) * 2)) for _ in range(count)])
    here, there = dynamics.error_over_orbit(kept), dynamics.error_over_orbit(others)
    return {"orbit_spread": float(np.ptp(here)), "orbit_excess": float(there.min() - here.max())}


def _judged(latents: Array, hidden: Array, probed: bool = True) -> Row:
    found = isotropy(latents, BLOCKS)
    return {
        "defect": found.defect,
        "ratio": max(block.ratio for block in found.blocks if block.ratio is not None),
        "rank": found.rank,
        "probe_ratio": _probe_ratio(latents, hidden) if probed else None,
        "explained": gauge_between(latents, hidden, decomposition=BLOCKS)["linear"].explained,
    }


def _probe_ratio(latents: Array, hidden: Array) -> float:
    """A probe that commutes, fitted where the first vector points one way, off that slice and on it."""
    inside = in_slice(hidden, 45.0)
    half = np.arange(len(hidden)) % 2 == 0
    probe = gauge_between(latents[inside & half], hidden[inside & half], decomposition=BLOCKS)["linear"]
    rest = ~half
    errors = [
        np.square(probe(latents[chosen]) - hidden[chosen]).mean() / np.square(hidden[chosen]).mean()
        for chosen in (rest & ~inside, rest & inside)
    ]
    return float((errors[0] + 1e-12) / (errors[1] + 1e-12))
