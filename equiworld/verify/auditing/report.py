"""What an audit found; `print` it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from equiworld.groups import GroupElement
from equiworld.results import make_result, text_table, to_plain, write_json
from equiworld.verify.auditing.cause import Cause
from equiworld.verify.auditing.counterexample import Counterexample
from equiworld.verify.auditing.findings import ElementFinding, Holds, RegionFinding, SubgroupFinding
from equiworld.verify.auditing.runs import Floor
from equiworld.verify.check.report import FieldCheck, shortened

__all__ = ["Audit"]

_SUBGROUPS = {
    "name": "subgroup",
    "holds": "holds",
    "one_step": "one step",
    "horizon": "horizon",
    "reward": "reward too",
    "broken": "broken in",
    "states": "of states",
    "bound": "at most",
}
_ELEMENTS = {
    "words": "element",
    "runs": "states",
    "broken": "broken in",
    "refused": "refused",
    "one_step": "one step",
    "horizon": "horizon",
    "reward": "reward",
    "infeasible": "infeasible",
    "p_value": "p",
}
_REGIONS = {
    "region": "region",
    "runs": "runs",
    "broken": "broken in",
    "one_step": "one step",
    "horizon": "horizon",
    "largest": "largest that holds",
}
_RARE = 0.1  # of states
_MOST, _SHOWN = 8, 60  # elements in the text; letters of a name in a table


@dataclass(frozen=True)
class Audit:
    """Which symmetry a simulator carries, as far as it was asked.

    Deviations are relative: of what is observed to how much it differs among all that was seen.

    Attributes:
        env: its id.
        group: the name of the group that was asked about.
        declared: where the declaration says that it holds.
        subgroups: a finding each, the group itself first, the largest before smaller ones.
        largest: of those that hold, the names of the ones in no other, the largest first; empty if none holds.
        largest_with_reward: likewise, of those that keep the reward and the end of episodes as well.
        elements: a finding each.
        regions: by where runs went.
        fields: by declared field, with what would fit instead; empty where a world is noisy and compared in law.
        field_laws: of a noisy world, by field the p-value that its law is kept.
        drawn: the elements, a batch.
        floor: the same state twice.
        noise: "none"; "common random numbers" where both sides drew the same and were compared one by one; "in law".
        infeasible: the share of allowed actions whose ρ(g)·a is not allowed.
        counterexample: the worst that was found, to be run again; None if nothing deviates.
        causes: why, as far as it was found out.
        recommendation: what to build in.
        config: states, horizon, tolerance, confidence, seed, how states are restored.
        notes: what else was seen, and what could not be.
        seconds: how long it took [s].
    """

    env: str
    group: str
    declared: str
    subgroups: tuple[SubgroupFinding, ...] = field(hash=False)
    largest: tuple[str, ...]
    largest_with_reward: tuple[str, ...]
    elements: tuple[ElementFinding, ...] = field(hash=False)
    regions: tuple[RegionFinding, ...] = field(hash=False)
    fields: tuple[FieldCheck, ...] = field(hash=False)
    field_laws: Mapping[str, float] = field(hash=False)
    drawn: GroupElement = field(hash=False)
    floor: Floor
    noise: str
    infeasible: float
    counterexample: Counterexample | None = field(hash=False)
    causes: tuple[Cause, ...] = field(hash=False)
    recommendation: str
    config: Mapping[str, Any] = field(hash=False)
    wants_reward: bool = True
    notes: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def verdict(self) -> Holds:
        """Whether the group that was asked about holds."""
        return self.subgroups[0].holds

    @property
    def ok(self) -> bool:
        """Whether the group holds, with the reward where the declaration does not give it up."""
        whole = self.subgroups[0]
        return whole.held and (whole.reward or not self.wants_reward)

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with the declaration, a line each, and what would fit instead.

        A field that fits right after the move, and that nothing else fits better later, is not the declaration's fault.
        """
        found = [each.problem(self.drawn) for each in self.fields if each.fits or each.first_step == 0]
        return tuple(problem for problem in found if problem is not None)

    @property
    def deviating(self) -> tuple[str, ...]:
        """The fields that deviate though nothing is wrong with how they are declared: the world breaks the symmetry."""
        return tuple(
            each.name
            for each in self.fields
            if each.verdict in ("false", "broken") and not each.fits and each.first_step != 0
        )

    @property
    def rarely_broken(self) -> tuple[str, ...]:
        """Subgroups that are broken, but in so few states that a solver's whims may be why."""
        return tuple(each.name for each in self.subgroups if 0 < each.broken <= _RARE * each.states)

    def subgroup(self, name: str) -> SubgroupFinding | None:
        """The finding of a name; None if that subgroup was not asked about."""
        return next((each for each in self.subgroups if each.name == name), None)

    def replay(self, env: Any = None, **settings: Any) -> float:
        """Run the worst counterexample again; the deviation, in its own units. NaN if there is none.

        Args:
            env: as for `Counterexample.replay`.
            settings: likewise.
        """
        return float("nan") if self.counterexample is None else self.counterexample.replay(env, **settings)

    def __str__(self) -> str:
        lines = [self.headline(), text_table(self.subgroup_rows(), _SUBGROUPS)]
        lines += [self.kinds_text(), *self._worst_elements()]
        if len(self.regions) > 1:
            lines += ["by region:", text_table(self.region_rows(), _REGIONS)]
        if self.rarely_broken:
            rare = ", ".join(map(_short, self.rarely_broken))
            lines.append(f"broken in no more than {100 * _RARE:.0f} % of states: {rare}")
        lines += [f"floor: {self.floor_text()}"]
        if self.counterexample is not None:
            lines.append(f"worst: {self.counterexample}")
        lines += [f"  FALSE {problem}" for problem in self.problems]
        if self.deviating:
            lines.append(f"as declared, but broken by the world: {', '.join(dict.fromkeys(self.deviating))}")
        lines += [f"  cause: {each}" for each in self.causes]
        lines.append(f"recommendation: {self.recommendation}")
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])

    def headline(self) -> str:
        """The answer in one line."""
        largest = " and ".join(self.largest) or "no subgroup that was tried"
        config = self.config
        return (
            f"{self.env} under {_short(self.group)}: {self.verdict.upper()}; the largest that holds is {largest}. "
            f"{len(self.elements)} elements, {config['states']} states, {config['horizon']} steps from each, "
            f"tolerance {config['tolerance']:.2g}, confidence {config['confidence']:.0%}, noise: {self.noise}; "
            f"declared to hold {self.declared}"
        )

    def kinds_text(self) -> str:
        """By kind of element the largest deviation."""
        found: dict[str, float] = {}
        for each in self.elements:
            found[each.kind] = max(found.get(each.kind, 0.0), each.horizon)
        return "by kind of element: " + ", ".join(f"{kind} {_size(worst)}" for kind, worst in found.items())

    def _worst_elements(self) -> list[str]:
        """A table of those that are worth a look, the worst first; nothing if none is."""
        rows = dict(zip(range(len(self.elements)), self.element_rows(), strict=True))
        bad = [number for number, each in enumerate(self.elements) if each.broken or each.refused]
        order = sorted(bad, key=lambda number: -self.elements[number].horizon)[:_MOST]
        return [text_table([rows[number] for number in order], _ELEMENTS)] if order else []

    def floor_text(self) -> str:
        """What the same state twice gave."""
        floor = self.floor
        if floor.same:
            return f"the same state and actions gave the same to the last bit, {floor.states} of {floor.states} times"
        return f"the same state and actions led up to {floor.deviation:.2g} apart: the simulator does not repeat itself"

    def subgroup_rows(self) -> list[dict[str, Any]]:
        """One line a subgroup."""
        return [
            {
                "name": _short(each.name),
                "holds": each.holds,
                "one_step": _size(each.one_step),
                "horizon": _size(each.horizon),
                "reward": "yes" if each.reward else f"no, {_size(each.reward_deviation)}",
                "broken": each.broken,
                "states": each.states,
                "bound": "–" if each.bound is None else f"{100 * each.bound:.2g} %",
            }
            for each in self.subgroups
        ]

    def element_rows(self) -> list[dict[str, Any]]:
        """One line an element."""
        return [
            {
                "words": each.words,
                "runs": each.runs,
                "broken": each.broken,
                "refused": each.refused,
                "one_step": _size(each.one_step),
                "horizon": _size(each.horizon),
                "reward": _size(each.reward),
                "infeasible": f"{100 * each.infeasible:.0f} %",
                "p_value": each.p_value,
            }
            for each in self.elements
        ]

    def region_rows(self) -> list[dict[str, Any]]:
        """One line a region."""
        return [
            {
                "region": each.region,
                "runs": each.runs,
                "broken": each.broken,
                "one_step": _size(each.one_step),
                "horizon": _size(each.horizon),
                "largest": ", ".join(map(_short, each.largest)) or "none",
            }
            for each in self.regions
        ]

    def to_dict(self) -> dict[str, Any]:
        """A result, as `equiworld.results.write_json` takes it: a row for each subgroup."""
        config = {
            "env": self.env,
            "group": self.group,
            "declared": self.declared,
            **self.config,
            "verdict": self.verdict,
            "ok": self.ok,
            "largest": self.largest,
            "largest_with_reward": self.largest_with_reward,
            "elements": self.elements,
            "drawn": list(self.drawn),
            "regions": self.regions,
            "fields": self.fields,
            "field_laws": self.field_laws,
            "problems": self.problems,
            "deviating": self.deviating,
            "floor": self.floor,
            "noise": self.noise,
            "infeasible": self.infeasible,
            "counterexample": None if self.counterexample is None else self.counterexample.to_dict(),
            "causes": self.causes,
            "recommendation": self.recommendation,
            "notes": self.notes,
        }
        rows: Sequence[Mapping[str, Any]] = [to_plain(each, allow_nonfinite=True) for each in self.subgroups]
        return make_result("audit", to_plain(config, allow_nonfinite=True), rows, self.seconds)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write all of it as JSON, whole or not at all."""
        return write_json(path, self.to_dict(), allow_nonfinite=True)

    def plot(self, path: str | os.PathLike[str]) -> Path:
        """Draw deviations by subgroup and by element; the suffix says the format."""
        from equiworld.verify.auditing.figure import draw

        return draw(path, self)

    def page(self, path: str | os.PathLike[str]) -> Path:
        """Write one page of HTML that needs no other file."""
        from equiworld.verify.auditing.page import write_page

        return write_page(path, self)


def _short(name: str) -> str:
    return shortened(name, _SHOWN)


def _size(value: float) -> str:
    return f"{value:.1e}" if value else "0"
