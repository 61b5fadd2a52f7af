"""What an evaluation found: its episodes, and what they say together."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from equiworld.errors import ArgumentError
from equiworld.results import make_result, text_table, write_json
from equiworld.verify.evaluation.intervals import (
    clustered_interval,
    mean_interval,
    median_interval,
    wilson_interval,
)

__all__ = ["Episode", "Evaluation"]


@dataclass(frozen=True)
class Episode:
    """What came of one episode.

    Attributes:
        seed: it began with `env.reset(seed=seed)`.
        success: whether it succeeded; None if nobody asked.
        steps: how many environment steps it took.
        total_reward: their sum, undiscounted.
        truncated: whether it was cut off rather than terminated.
        final: the numbers of the last `info`, such as "coverage".
    """

    seed: int
    success: bool | None
    steps: int
    total_reward: float
    truncated: bool
    final: Mapping[str, float] = field(hash=False)

    def row(self) -> dict[str, Any]:
        """The episode as one line of a result file."""
        return {
            "seed": self.seed,
            "success": self.success,
            "steps": self.steps,
            "return": self.total_reward,
            "truncated": self.truncated,
            **{f"final_{name}": value for name, value in self.final.items()},
        }


@dataclass(frozen=True)
class Evaluation:
    """The episodes of an evaluation, by seed, and what they say together.

    Intervals take the episodes of one seed, such as those at several elements of an orbit, for one draw of a start.

    Attributes:
        episodes: what came of each.
        config: what was run: environment, seed, what success is, dtype of the policy.
        seconds: how long it took [s].

    >>> runs = [Episode(0, True, 30, 1.0, False, {}), Episode(1, False, 300, 0.4, True, {})]
    >>> evaluation = Evaluation(tuple(runs), {}, 1.0)
    >>> evaluation.success_rate, evaluation.share_within(40), evaluation.median_steps
    (0.5, 0.5, 30.0)
    """

    episodes: tuple[Episode, ...]
    config: Mapping[str, Any] = field(hash=False)
    seconds: float

    @property
    def judged(self) -> bool:
        """Whether success was asked for: `evaluate(success=None)` judges by the return alone."""
        return all(episode.success is not None for episode in self.episodes)

    @property
    def successes(self) -> int:
        """How many episodes succeeded."""
        if not self.judged:
            raise ArgumentError("success", None, "a key of info, or a function, when the episodes are run")
        return sum(bool(episode.success) for episode in self.episodes)

    @property
    def success_rate(self) -> float:
        """The share of successful episodes, in [0, 1]."""
        return self.successes / self._count

    def success_interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Wilson's interval of the success rate, of as many episodes as seeds where those of each seed end alike."""
        self.successes, self._count  # noqa: B018  refuses what was not judged, and what has no episodes
        outcomes: dict[int, list[bool]] = {}
        for episode in self.episodes:
            outcomes.setdefault(episode.seed, []).append(bool(episode.success))
        counts, sizes = ([measure(each) for each in outcomes.values()] for measure in (sum, len))
        if all(count in (0, size) for count, size in zip(counts, sizes, strict=True)):
            return wilson_interval(sum(map(bool, counts)), len(counts), confidence)
        return clustered_interval(counts, sizes, confidence)[:2]

    @property
    def steps_to_success(self) -> list[float]:
        """Steps of each episode, infinite for one that did not succeed."""
        self.successes  # noqa: B018  refuses what was not judged
        return [float(episode.steps) if episode.success else np.inf for episode in self.episodes]

    @property
    def median_steps(self) -> float:
        """Median of `steps_to_success`: failures count as longer than all; infinite if most failed."""
        return self.median_steps_interval()[0]

    def median_steps_interval(self, confidence: float = 0.95) -> tuple[float, float, float]:
        """`median_steps` and its bootstrap interval."""
        self._count  # noqa: B018  refuses an evaluation without episodes
        return median_interval(self.steps_to_success, confidence, clusters=self._seeds)

    def share_within(self, steps: int) -> float:
        """The share of episodes that succeeded within `steps` steps, in [0, 1]."""
        return sum(needed <= steps for needed in self.steps_to_success) / self._count

    @property
    def mean_return(self) -> float:
        """Mean undiscounted return."""
        return self.return_interval()[0]

    def return_interval(self, confidence: float = 0.95) -> tuple[float, float, float]:
        """`mean_return` and Student's interval of it: infinite for a single episode, which tells no spread."""
        self._count  # noqa: B018  refuses an evaluation without episodes
        return mean_interval([episode.total_reward for episode in self.episodes], confidence, self._seeds)

    def summary(self) -> dict[str, Any]:
        """The figures that a table shows; None where one is infinite, and for success if nobody asked for it."""
        rate: tuple[float | None, ...] = (None,) * 3
        steps: tuple[float, ...] = (np.inf,) * 3
        if self.judged:
            rate, steps = (self.success_rate, *self.success_interval()), self.median_steps_interval()
        median, sooner, later, mean, least, most = (
            value if np.isfinite(value) else None for value in (*steps, *self.return_interval())
        )
        return {
            "episodes": self._count,
            "success_rate": rate[0],
            "success_low": rate[1],
            "success_high": rate[2],
            "median_steps": median,
            "median_steps_low": sooner,
            "median_steps_high": later,
            "mean_return": mean,
            "return_low": least,
            "return_high": most,
        }

    def to_result(self) -> dict[str, Any]:
        """A result file's content: one row an episode."""
        rows = [episode.row() for episode in self.episodes]
        return make_result("evaluate", {**self.config, "summary": self.summary()}, rows, self.seconds)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the result file."""
        return write_json(path, self.to_result(), allow_nonfinite=True)

    def table(self) -> str:
        """One line an episode, as plain text."""
        return text_table([episode.row() for episode in self.episodes])

    def __str__(self) -> str:
        if not self.episodes:
            return "no episode was finished"
        mean, least, most = self.return_interval()
        if len(self.episodes) == 1:
            only = self.episodes[0]
            judged = f"{'success' if only.success else 'no success'} after {only.steps} steps, "
            return f"{judged if self.judged else ''}return {mean:.4g} of one episode, which gives no interval"
        gained = f"return {mean:.4g} (95 %: {least:.4g} to {most:.4g})"
        if not self.judged:
            return f"{gained} of {len(self.episodes)} episodes"
        low, high = self.success_interval()
        median, sooner, later = self.median_steps_interval()
        return (
            f"success {self.successes}/{len(self.episodes)} = {self.success_rate:.1%} "
            f"(95 %: {low:.1%} to {high:.1%}), "
            f"median steps to success {median:g} (95 %: {sooner:g} to {later:g}), {gained}"
        )

    @property
    def _seeds(self) -> list[int]:
        return [episode.seed for episode in self.episodes]

    @property
    def _count(self) -> int:
        if not self.episodes:
            raise ArgumentError("episodes", "none", "at least one finished episode")
        return len(self.episodes)
