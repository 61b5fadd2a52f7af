"""What a certification found: its orbits, a verdict, a table, a file and a figure."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from equiworld.errors import ArgumentError
from equiworld.groups import GroupElement
from equiworld.results import make_result, text_table, to_plain, write_json
from equiworld.verify.certification.figure import draw
from equiworld.verify.certification.orbit import Mode, Orbit

__all__ = ["Certificate"]


@dataclass(frozen=True)
class Certificate:
    """What `certify` found; `print` it, `save` it, `plot` it.

    Attributes:
        orbits: one for each mode: "active" (the simulator started at g·s), "passive" (it was shown turned).
        elements: the group elements, a batch, the identity first.
        tolerance: the largest deviation that passes, in the units of the observation.
        least_motion: how far something must move in the reference episodes for the test to mean anything.
        config: what was run: environment, group, dtype, seeds, steps, success definition.
        seconds: how long it took [s].
        decisions: how many the policy took in all; 0 if its state does not say.
        degenerate: of these, where nothing fixed its frame: they are equal in law only.
        notes: why the policy is not exact, or not everywhere, and what differs though no symmetry of it is claimed, in
            words; empty if nothing is known against it.
    """

    orbits: tuple[Orbit, ...]
    elements: GroupElement = field(hash=False)
    tolerance: float
    least_motion: float
    config: Mapping[str, Any] = field(hash=False)
    seconds: float
    decisions: int = 0
    degenerate: int = 0
    notes: tuple[str, ...] = ()

    @property
    def max_deviation(self) -> float:
        """The largest |obs_g − g·obs| of any mode, element, episode, step and point."""
        return float(np.max([orbit.max_deviation for orbit in self.orbits]))

    @property
    def passed(self) -> bool:
        """Whether every mode passed: fields within the tolerance, tasks and episodes ended alike, and things moved."""
        return all(orbit.passed(self.tolerance, self.least_motion) for orbit in self.orbits)

    @property
    def verdict(self) -> str:
        """One line: by mode passed or failed, and by how much."""
        parts = []
        for orbit in self.orbits:
            outcome = "PASSED" if orbit.passed(self.tolerance, self.least_motion) else "FAILED"
            ended = int(orbit.end_differs.sum())
            apart = f"{orbit.max_deviation:.2g}" + f", {ended} episodes ended otherwise" * (ended > 0)
            parts.append(f"{orbit.mode} {outcome}, deviation {apart}")
        return f"{'; '.join(parts)} (tolerance {self.tolerance:.2g})"

    def orbit(self, mode: Mode) -> Orbit:
        """The orbit of a mode.

        Raises:
            ArgumentError: the certificate was made without it.
        """
        for orbit in self.orbits:
            if orbit.mode == mode:
                return orbit
        raise ArgumentError("mode", repr(mode), "a mode that was run", [orbit.mode for orbit in self.orbits])

    def table(self) -> str:
        """One line a mode and element: success, final error, largest deviation."""
        rows = [{"mode": orbit.mode, **row} for orbit in self.orbits for row in orbit.element_rows()]
        columns = {
            "mode": "mode",
            "element": "#",
            "g": "g",
            "success": "success",
            "final_error": "final error",
            "max_deviation": "max deviation",
        }
        if self.config["success"] is None:
            del columns["success"]
        return text_table(rows, columns)

    def __str__(self) -> str:
        config = self.config
        about = (
            f"{config['env']} under {config['group']}: {len(self.elements)} elements (0 is the identity), "
            f"{config['episodes']} episodes of {config['steps']} steps, "
            f"policy dtype {config['dtype'] or 'unknown'}; declared to hold {config['holds']}"
        )
        lines = [about, self.table(), self.verdict]
        for orbit in self.orbits:
            problems = orbit.problems(self.tolerance, self.least_motion)
            lines += [f"  {orbit.mode}: {problem}" for problem in problems]
        lines += [f"  note: {note}" for note in self.notes]
        return "\n".join(lines)

    def to_result(self) -> dict[str, Any]:
        """A result file's content: one row a mode, element and episode."""
        modes = {
            orbit.mode: {
                "passed": orbit.passed(self.tolerance, self.least_motion),
                "max_deviation": orbit.max_deviation,
                "repeat_deviation": orbit.repeat_deviation,
                "deviation_by_step": orbit.deviation_by_step,
                "deviation_by_field": orbit.by_field,
                "outcomes_that_differ": int(orbit.outcome_differs.sum()),
                "ends_that_differ": int(orbit.end_differs.sum()),
                "motion": orbit.motion,
                "world_deviation": orbit.world_deviation,
                "world_ends_that_differ": orbit.world_ends_that_differ,
                "problems": orbit.problems(self.tolerance, self.least_motion),
            }
            for orbit in self.orbits
        }
        config = {
            **self.config,
            "elements": list(self.elements),
            "tolerance": self.tolerance,
            "passed": self.passed,
            "decisions": self.decisions,
            "degenerate": self.degenerate,
            "notes": list(self.notes),
            "modes": modes,
        }
        rows = [row for orbit in self.orbits for row in orbit.rows()]
        return make_result("certify", config, rows, self.seconds)

    def to_json(self) -> str:
        """The result as JSON text; what was never compared is "nan"."""
        return json.dumps(to_plain(self.to_result(), allow_nonfinite=True), indent=2, ensure_ascii=False)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the result file."""
        return write_json(path, self.to_result(), allow_nonfinite=True)

    def plot(self, path: str | os.PathLike[str]) -> Path:
        """Draw the final error over the orbit and the deviation by step; the suffix says the format.

        Raises:
            ArgumentError: matplotlib does not write that format.
        """
        title = f"{self.config['env']}, {self.config['group']}: {self.verdict}"
        return draw(path, title, self.elements, self.orbits, self.tolerance)
