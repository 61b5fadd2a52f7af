"""What a closed loop did over an orbit: every element of a group against the same episodes unturned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from equiworld.groups import GroupElement
from equiworld.groups.arrays import Array
from equiworld.verify.elements import describe, element_columns

__all__ = ["Mode", "Orbit"]

Mode = Literal["active", "passive"]

_LISTED = 8  # elements in a sentence


@dataclass(frozen=True)
class Orbit:
    """E episodes at each of n group elements, compared with the same episodes not turned at all.

    Attributes:
        mode: "active": the simulator itself started at g·s; "passive": it ran as before and was shown turned.
        elements: a batch `(n,)`, the identity first: what differs there is not reproducible.
        seeds: E of them.
        deviation: `(n, E, T + 1)`, |obs_g − g·obs| by step: the largest distance over the points observed, in
            their units; NaN where an episode has ended or was refused.
        by_field: by observed field, the largest deviation of all.
        success_step: `(n, E)`, the step after which an episode first succeeded; -1 for never.
        end_step: `(n, E)`, the step after which an episode ended; -1 for one that went on.
        final_error: `(n, E)`, distance from the goal at the end; NaN where none is defined.
        reference_success_step: `(E,)`, of the episodes not turned.
        reference_end_step: `(E,)`, likewise.
        reference_final_error: `(E,)`, likewise.
        refused: by (element, episode), why the environment would not begin it there.
        motion: how far anything observed moved in the reference episodes, at most.
        world_deviation: the largest deviation of the world alone, which began at g·s and was given the reference's
            actions, turned; None where that was not tried, since the test passed, or the world refused them.
        world_ends_that_differ: how many episodes of the world alone ended otherwise than the reference.
        judged: whether anything said what success is.
        claims_ends: whether the symmetry says that episodes end alike; if not, no test fails because they do not.
    """

    mode: Mode
    elements: GroupElement = field(hash=False)
    seeds: tuple[int, ...]
    deviation: Array = field(hash=False)
    by_field: Mapping[str, float] = field(hash=False)
    success_step: NDArray[np.int_] = field(hash=False)
    end_step: NDArray[np.int_] = field(hash=False)
    final_error: Array = field(hash=False)
    reference_success_step: NDArray[np.int_] = field(hash=False)
    reference_end_step: NDArray[np.int_] = field(hash=False)
    reference_final_error: Array = field(hash=False)
    refused: Mapping[tuple[int, int], str] = field(hash=False)
    motion: float
    world_deviation: float | None = None
    world_ends_that_differ: int = 0
    judged: bool = True
    claims_ends: bool = True

    @property
    def max_deviation(self) -> float:
        """The largest deviation at any element, episode and step; NaN if nothing was compared."""
        return _largest(self.deviation)

    @property
    def worst_field_deviation(self) -> float:
        """The largest deviation of any observed field, each in its own units."""
        return max(self.by_field.values(), default=np.nan)

    @property
    def repeat_deviation(self) -> float:
        """The deviation at the identity: what of it is not due to turning."""
        return _largest(self.deviation[0])

    @property
    def deviation_by_step(self) -> Array:
        """`(T + 1,)`, the largest over elements and episodes; NaN where every episode had ended."""
        by_step = np.moveaxis(self.deviation, -1, 0).reshape(self.deviation.shape[-1], -1)
        return np.array([_largest(values) for values in by_step])

    @property
    def outcome_differs(self) -> NDArray[np.bool_]:
        """`(n, E)`, where the task was solved turned and not unturned, or the other way round."""
        return self._begun() & ((self.success_step >= 0) != (self.reference_success_step >= 0))

    @property
    def end_differs(self) -> NDArray[np.bool_]:
        """`(n, E)`, where an episode ended after another step turned than unturned, or only one of them ended."""
        return self._begun() & (self.end_step != self.reference_end_step)

    @property
    def ends_in_words(self) -> str | None:
        """Which episodes ended otherwise than unturned; None if there are none."""
        apart = np.argwhere(self.end_differs).tolist()
        if not apart:
            return None
        elements = [str(index) for index in np.flatnonzero(self.end_differs.any(1))]
        index, episode = apart[0]
        return (
            f"{len(apart)} of {self.end_step.size} episodes ended after another step than unturned, at elements "
            f"{', '.join(elements[:_LISTED])}{', …' * (len(elements) > _LISTED)}; the first, element {index} and seed "
            f"{self.seeds[episode]}, {_when(self.end_step[index, episode])}, unturned "
            f"{_when(self.reference_end_step[episode])}"
        )

    def passed(self, tolerance: float, least_motion: float) -> bool:
        """Whether fields stayed within the tolerance, tasks and, if claimed, episodes ended alike, and things moved."""
        return (
            not self.refused
            and bool(self.worst_field_deviation <= tolerance)
            and bool(self.max_deviation <= tolerance)
            and not self.outcome_differs.any()
            and not (self.claims_ends and self.end_differs.any())
            and self.motion >= least_motion
        )

    def problems(self, tolerance: float, least_motion: float) -> list[str]:
        """Why it did not pass, in words."""
        found = []
        if self.refused:
            index, episode = next(iter(self.refused))
            reason = self.refused[index, episode]
            found.append(
                f"{len(self.refused)} of {self.success_step.size} starts were refused, the first at "
                f"element {index}, seed {self.seeds[episode]}: {reason}"
            )
        if not self.repeat_deviation <= tolerance:
            found.append(
                f"not reproducible: the same episode run again deviates by {self.repeat_deviation:.2g}; "
                "is something seeded by the clock?"
            )
        beyond = {name: value for name, value in self.by_field.items() if not value <= tolerance}
        if beyond:
            name = max(beyond, key=lambda one: beyond[one])
            found.append(f"{', '.join(beyond)} deviate, {name} by {beyond[name]:.2g}")
        if self.outcome_differs.any():
            found.append(f"{int(self.outcome_differs.sum())} tasks ended otherwise than unturned")
        if self.claims_ends and self.ends_in_words is not None:
            found.append(self.ends_in_words)
        if self.world_deviation is not None:
            ended = self.world_ends_that_differ if self.claims_ends else 0
            whose = "the world carries the symmetry, the policy does not"
            if ended or not self.world_deviation <= tolerance:
                whose = "the world does not carry the symmetry"
            apart = f"deviate by {self.world_deviation:.2g}" + f" and end {ended} episodes otherwise" * (
                ended > 0
            )
            found.append(f"the same actions, turned and replayed without the policy, {apart}: {whose}")
        if not self.motion >= least_motion:
            found.append(f"nothing moved by more than {self.motion:.2g}: a loop at rest proves nothing")
        return found

    def element_rows(self) -> list[dict[str, Any]]:
        """One line an element: its success, final error and deviation."""
        rows = []
        for index, g in enumerate(self.elements):
            begun = self._begun()[index]
            errors = self.final_error[index][begun]
            solved = int((self.success_step[index] >= 0)[begun].sum())
            rows.append(
                {
                    "element": index,
                    "g": describe(g),
                    "success": f"{solved}/{int(begun.sum())}" if self.judged else None,
                    "final_error": _or_none(errors.mean() if len(errors) else np.nan),
                    "max_deviation": _or_none(_largest(self.deviation[index])),
                }
            )
        return rows

    def rows(self) -> list[dict[str, Any]]:
        """One line an element and episode, the unturned ones first."""
        lines = [self._row(None, episode) for episode in range(len(self.seeds))]
        for index, g in enumerate(self.elements):
            columns = element_columns(g)
            for episode in range(len(self.seeds)):
                line = self._row(index, episode) | columns
                line["max_deviation"] = _or_none(_largest(self.deviation[index, episode]))
                line["refused"] = self.refused.get((index, episode))
                lines.append(line)
        return lines

    def _row(self, index: int | None, episode: int) -> dict[str, Any]:
        success_step, end_step, final_error = (
            (self.reference_success_step, self.reference_end_step, self.reference_final_error)
            if index is None
            else (self.success_step[index], self.end_step[index], self.final_error[index])
        )
        solved, ended = int(success_step[episode]), int(end_step[episode])
        return {
            "mode": self.mode,
            "element": index,
            "seed": self.seeds[episode],
            "success": solved >= 0 if self.judged else None,
            "success_step": solved if solved >= 0 else None,
            "end_step": ended if ended >= 0 else None,
            "final_error": _or_none(final_error[episode]),
        }

    def _begun(self) -> NDArray[np.bool_]:
        begun = np.ones(self.success_step.shape, dtype=bool)
        for pair in self.refused:
            begun[pair] = False
        return begun


def _largest(values: Array) -> float:
    known = values[~np.isnan(values)]
    return float(known.max()) if known.size else float("nan")


def _when(step: int) -> str:
    return "never" if step < 0 else f"after step {step}"


def _or_none(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
