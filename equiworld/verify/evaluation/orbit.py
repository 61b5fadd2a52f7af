"""What an evaluation over an orbit found: the same episodes at every element."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from equiworld.groups import GroupElement
from equiworld.results import make_result, text_table, write_json
from equiworld.verify.elements import describe, element_columns
from equiworld.verify.evaluation.intervals import mean_interval
from equiworld.verify.evaluation.report import Evaluation

__all__ = ["OrbitEvaluation"]


@dataclass(frozen=True)
class OrbitEvaluation:
    """An evaluation at each of several group elements, all of the same seeds.

    Attributes:
        elements: the batch `(K,)`, the identity first.
        evaluations: K, in their order.
        config: what was run.
        seconds: how long it took [s].

    >>> from equiworld.groups import SO2
    >>> from equiworld.verify.evaluation import Episode
    >>> outcomes = (True, 1.0), (False, 0.2)
    >>> runs = [Evaluation((Episode(0, won, 9, gain, False, {}),), {}, 1.0) for won, gain in outcomes]
    >>> found = OrbitEvaluation(SO2().grid(2), tuple(runs), {}, 2.0)
    >>> found.worst, found.success_rates.tolist()
    (1, [1.0, 0.0])
    """

    elements: GroupElement = field(hash=False)
    evaluations: tuple[Evaluation, ...]
    config: Mapping[str, Any] = field(hash=False)
    seconds: float

    @property
    def judged(self) -> bool:
        """Whether success was asked for."""
        return all(each.judged for each in self.evaluations)

    @property
    def success_rates(self) -> np.ndarray:
        """`(K,)`, in [0, 1]."""
        return np.array([each.success_rate for each in self.evaluations])

    @property
    def mean_returns(self) -> np.ndarray:
        """`(K,)`, mean undiscounted returns."""
        return np.array([each.mean_return for each in self.evaluations])

    @property
    def worst(self) -> int:
        """The index of the element with the least success, and of those with the least return."""
        values = self.mean_returns
        if self.judged:
            rates = self.success_rates
            values = np.where(rates == rates.min(), values, np.inf)
        return int(np.argmin(values))

    @property
    def pooled(self) -> Evaluation:
        """All episodes at all elements but the identity, as one evaluation, its intervals over seeds."""
        episodes = tuple(episode for each in self.evaluations[1:] for episode in each.episodes)
        return Evaluation(episodes, self.config, self.seconds)

    def return_difference(self, index: int, confidence: float = 0.95) -> tuple[float, float, float]:
        """Mean return at an element less that at the identity, and Student's interval of the paired differences.

        The episodes are the same, so that what varies between starts is not in the interval.
        """
        first, other = (
            np.array([episode.total_reward for episode in self.evaluations[which].episodes])
            for which in (0, index)
        )
        return mean_interval(other - first, confidence)

    def rows(self) -> list[dict[str, Any]]:
        """One line an element, with intervals."""
        found = []
        for index, (g, each) in enumerate(zip(self.elements, self.evaluations, strict=True)):
            mean, low, high = (
                value if np.isfinite(value) else None for value in self.return_difference(index)
            )
            apart = {"return_apart": mean, "return_apart_low": low, "return_apart_high": high}
            found.append({"element": describe(g), **element_columns(g), **each.summary(), **apart})
        return found

    def to_result(self) -> dict[str, Any]:
        """A result file's content: one row an element, and the episodes of each in the configuration."""
        config = {**self.config, "elements": [g.to_dict() for g in self.elements]}
        config["episodes_by_element"] = [
            [episode.row() for episode in each.episodes] for each in self.evaluations
        ]
        return make_result("evaluate-orbit", config, self.rows(), self.seconds)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the result file."""
        return write_json(path, self.to_result(), allow_nonfinite=True)

    def table(self) -> str:
        """One line an element, as plain text."""
        columns = {
            "element": "element",
            "success_rate": "success",
            "success_low": "from",
            "success_high": "to",
            "mean_return": "return",
            "return_low": "from ",
            "return_high": "to ",
            "return_apart": "apart",
        }
        return text_table(self.rows(), columns)

    def __str__(self) -> str:
        others = replace(self, elements=self.elements[1:], evaluations=self.evaluations[1:])
        worst = 1 + others.worst
        lines = [
            f"identity: {self.evaluations[0]}",
            f"worst of {len(self.elements) - 1} others ({describe(self.elements[worst])}): {self.evaluations[worst]}",
        ]
        return "\n".join([*lines, self.table()])
