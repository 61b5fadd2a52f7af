"""How fast does an equivariant predictor's error fall with its degree, and is it flat at every degree?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.pictures import Panel, panels
from equiworld.benchmarks.suite.question import Question
from equiworld.benchmarks.suite.rows import Measure, Row
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.worlds.ladder import accelerations, plain_polynomials, slice_of, vector_polynomials
from equiworld.groups import SO3

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["DegreeLadder"]


@dataclass(frozen=True)
class DegreeLadder(Question):
    """Predictors of maximal polynomial degree 2^L, L products deep, fitted by least squares on one slice of directions.

    Attributes:
        deepest: the largest L of equivariant predictors, whose degree is 2^L.
        deepest_plain: of polynomials in six coordinates, of which degree 8 has 3,003.
        examples: that are fitted.
        tests: in the slice; each is turned by `turns` elements.
        turns: elements.
    """

    deepest: int = 4
    deepest_plain: int = 2
    examples: int = 20_000
    tests: int = 2000
    turns: int = 16

    name: ClassVar[str] = "degree-ladder"
    title: ClassVar[str] = "How does a predictor's error fall with its polynomial degree, and is it flat?"
    worlds: ClassVar[tuple[str, ...]] = ("two-vectors",)
    arms: ClassVar[tuple[str, ...]] = ("equivariant", "plain")
    seeds: ClassVar[int] = 3
    closed: ClassVar[bool] = True
    choosing: ClassVar[tuple[str, ...]] = ("deepest", "deepest_plain")
    measures: ClassVar[Mapping[str, Measure]] = {
        "relative_error": Measure("1", "Σ|error|²/Σ|target|² on new examples of the slice", log=True),
        "relative_worst": Measure("1", "the same, turned by the element where it is largest", log=True),
        "ratio": Measure("1", "relative_worst / relative_error: 1 is flat", log=True),
        "flatness": Measure("1", "largest |error(g·s)/error(s) − 1| over elements", log=True),
        "parameters": Measure("1", "coefficients", log=True),
        "degree": Measure("1", "2^L"),
    }
    small: ClassVar[Mapping[str, Any]] = {
        "deepest": 2,
        "deepest_plain": 1,
        "examples": 2000,
        "tests": 200,
        "turns": 4,
    }

    def points(self, world: str, arm: str) -> Iterable[Mapping[str, Any]]:
        """L from 0."""
        deepest = self.deepest if arm == "equivariant" else self.deepest_plain
        return [{"layers": layers} for layers in range(deepest + 1)]

    def measure(self, cell: Cell, store: Store) -> list[Row]:
        """One row."""
        degree, rng = 2 ** cell.point["layers"], np.random.default_rng([cell.seed, 5])
        polynomials = vector_polynomials if cell.arm == "equivariant" else plain_polynomials
        seen, test = (slice_of(count, rng) for count in (self.examples, self.tests))
        features, target = polynomials(*seen, degree), accelerations(*seen)
        scale = np.sqrt(np.square(features).mean((0, 1), keepdims=True)) + 1e-300
        columns = (features / scale).reshape(-1, features.shape[-1])
        # Equivariant columns are vectors, whose axes share one weight; plain ones are numbers, with one for each axis.
        weights = np.linalg.lstsq(columns, target.reshape(len(columns), -1), rcond=1e-13)[0]

        def error(x: np.ndarray, v: np.ndarray) -> float:
            guess = (polynomials(x, v, degree) / scale) @ weights
            wanted = accelerations(x, v).reshape(guess.shape)
            return float(np.square(guess - wanted).sum() / np.square(wanted).sum())

        here = error(*test)
        turned = [error(test[0] @ g.T, test[1] @ g.T) for g in SO3().sample_matrices(rng, self.turns)]
        return [
            {
                "degree": degree,
                "relative_error": here,
                "relative_worst": max(turned),
                "ratio": max(turned) / here,
                "flatness": float(np.abs(np.array(turned) / here - 1).max()),
                "parameters": int(weights.size),
            }
        ]

    def figure(self, rows: Sequence[Row]) -> Figure | None:
        """Errors against the degree, and how flat they are."""
        shown = [
            Panel("error, as trained", "degree", "relative_error", "degree", log="xy"),
            Panel("worst error, turned", "degree", "relative_worst", "degree", log="xy"),
        ]
        return panels(rows, shown)
