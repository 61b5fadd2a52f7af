"""One audit on its way: states, runs, and what they say."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np

from equiworld.errors import ArgumentError
from equiworld.rollout import Policy
from equiworld.symmetry import Symmetry
from equiworld.verify.auditing.access import Restored
from equiworld.verify.auditing.advice import advice
from equiworld.verify.auditing.cause import Cause, Explain
from equiworld.verify.auditing.counterexample import worst_counterexample
from equiworld.verify.auditing.drawing_states import Origin, drawn_trials, feasibility
from equiworld.verify.auditing.findings import SubgroupFinding, by_element, by_region, by_subgroup, maximal
from equiworld.verify.auditing.law import Law, compared_laws, is_noisy
from equiworld.verify.auditing.mechanism_causes import doubted, mujoco_causes
from equiworld.verify.auditing.outcome import outcomes
from equiworld.verify.auditing.regions import Region, unvisited
from equiworld.verify.auditing.report import Audit
from equiworld.verify.auditing.runs import Runner, Runs
from equiworld.verify.auditing.subgroups import Lattice, name_of, subgroups_of, telling_elements
from equiworld.verify.check.judge import Judge
from equiworld.verify.check.trials import Simulator
from equiworld.verify.check.whole import notes_of
from equiworld.verify.elements import NOTHING_TO_COMPARE
from equiworld.verify.mujoco_model import model_and_data
from equiworld.verify.wrapped import name_of_env

__all__ = ["Auditor", "lattice_of"]

_STREAM = 0x617564
_LAW_STATES = 8  # in which laws are compared
_SHARE = 0.5  # of what the confidence allows: false alarms of laws stay well below it
_TELLING = 8  # states in which all elements are tried


def lattice_of(env: gym.Env, symmetry: Symmetry, seed: int) -> Lattice:
    """Subgroups, those of the simulator's gravity among them, and the elements that are tried."""
    gravity = None
    known = model_and_data(env)
    if known is not None and symmetry.dim == 3 and np.any(known[0].opt.gravity):
        arrow = np.asarray(known[0].opt.gravity, np.float64)
        gravity = (arrow / np.linalg.norm(arrow)).tolist()
    subgroups = subgroups_of(symmetry.group, gravity)
    rng = np.random.default_rng([seed, _STREAM])
    elements = telling_elements(symmetry.group, subgroups, rng, symmetry.length_scale)
    if elements is None:
        raise ArgumentError("group", repr(symmetry.group), NOTHING_TO_COMPARE)
    return Lattice(subgroups, elements)


class Auditor:
    """One audit on its way: states, runs, and what they say.

    Args:
        simulator: that is audited.
        lattice: subgroups, and elements.
        tolerance: relative deviation that passes.
        confidence: of the bounds, and of verdicts of noisy worlds.
        seed: of states, actions and random numbers.
    """

    def __init__(
        self,
        simulator: Simulator,
        lattice: Lattice,
        tolerance: float,
        confidence: float,
        seed: int,
    ) -> None:
        self.simulator, self.lattice, self.elements = simulator, lattice, lattice.elements
        self.tolerance, self.confidence, self.seed = tolerance, confidence, seed
        self.origins: list[Origin] = []
        self.runs = Runs()
        self.law: Law | None = None
        self.questioned: set[int] = set()  # elements whose laws are asked about
        self.noisy = False
        self.unvisited: tuple[str, ...] = ()

    def draw(self, states: int, horizon: int, policy: Policy | None) -> None:
        """Reach the states, and ask which turned actions are allowed."""
        env, symmetry = self.simulator.env, self.simulator.symmetry
        self.allowed = feasibility(env, symmetry, self.elements, self.seed)
        self.origins = drawn_trials(self.simulator, self.elements, states, horizon, policy, self.seed)

    def run(self, region: Region | None) -> None:
        """Make the runs, look closer where something breaks, and compare laws of what runs do not settle."""
        simulator = self.simulator
        runner = Runner(simulator, self.origins, self.lattice, region, self.tolerance)
        self.runs = runner.run()
        if not self.runs.turned:
            reason = next(iter(self.runs.refused.values()), "nothing was tried")
            got = f"one that begins at no g·s ({reason})"
            raise ArgumentError("env", got, "one that can be brought there")
        self.unvisited = unvisited(simulator.env, region, self.runs.regions.values())
        self._judge()
        self.noisy = not self.runs.floor.same or is_noisy(simulator, self.origins)
        if self.noisy:
            self._compare_laws()
            return
        for state in self._telling():
            runner.turn(state, range(len(self.elements)))
        self._judge()

    def _judge(self) -> None:
        trials, runs = [each.trial for each in self.origins], self.runs
        self.judge = Judge(
            self.simulator,
            self.elements,
            trials,
            runs.reference,
            runs.turned,
            self.tolerance,
            runs.floor.acts,
        )
        self.outcomes = outcomes(self.judge, runs)

    def _telling(self) -> list[int]:
        """States in which something breaks, first those in which not all does: worth trying all elements there."""
        broken = {each.state for each in self.outcomes if not each.dynamics}
        kept = {each.state for each in self.outcomes if each.dynamics}
        return [*sorted(broken & kept), *sorted(broken - kept)][:_TELLING]

    def _compare_laws(self) -> None:
        reward = self.simulator.symmetry.reward
        off = {
            each.element
            for each in self.outcomes
            if not (each.dynamics and (each.rewarded or not reward) and each.ended)
        }
        self.questioned = off if self.runs.floor.same else {each.element for each in self.outcomes}
        if self.questioned:
            asked, level = self.origins[:_LAW_STATES], _SHARE * (1.0 - self.confidence)
            self.law = compared_laws(self.simulator, asked, self.lattice, self.questioned, level, self.seed)

    def reported(self, explain: Explain | None, began: float, config: dict[str, Any]) -> Audit:
        """What is handed back."""
        simulator, symmetry = self.simulator, self.simulator.symmetry
        kept = self._kept()
        doubts, why = self._doubts(explain, kept)
        findings = self._findings(kept, doubts)
        good = maximal(self.lattice, findings, lambda each: each.held)
        rewarded = maximal(self.lattice, findings, lambda each: each.held and each.reward)
        regions = by_region(self.lattice, self.outcomes, self.confidence)
        fields = tuple(self.judge.fields) if kept is None else ()
        failing = [self.elements[index] for index in sorted({each.element for each in self._broken(kept)})]
        causes = tuple(why)
        if explain is not None and failing:
            causes += tuple(explain(simulator.env, symmetry, failing))
        mended = any(each.verdict == "false" and each.fits for each in fields)
        largest = tuple(each.name for each in good)
        share = self.allowed.refused / max(self.allowed.asked, 1)
        p_values = {} if self.law is None else self.law.p_values
        elements = by_element(self.elements, self.outcomes, self.runs, self.allowed.by_element, p_values)
        worst = None
        if kept is None or not all(kept.values()):
            worst = worst_counterexample(self.judge, [each.trial for each in self.origins], self.runs.regions)
        notes = self._notes(kept)
        if why:
            notes.append("broken in states of verify.mechanism.explain, not in these")
        return Audit(
            env=name_of_env(simulator.env),
            group=name_of(symmetry.group),
            declared=symmetry.holds,
            subgroups=tuple(findings),
            largest=largest,
            largest_with_reward=tuple(each.name for each in rewarded),
            elements=tuple(elements),
            regions=tuple(regions),
            fields=fields,
            field_laws={} if self.law is None else self.law.fields,
            drawn=self.elements,
            floor=self.runs.floor,
            noise=self._noise(),
            infeasible=share,
            counterexample=worst,
            causes=causes,
            recommendation=advice(findings[0], largest, regions, mended, share, self.unvisited),
            config={**config, "tolerance": self.tolerance, "confidence": self.confidence, "seed": self.seed}
            | {"restored_by": self._restored_by(), "origins": self._counts()},
            wants_reward=symmetry.reward,
            notes=tuple(notes),
            seconds=time.perf_counter() - began,
        )

    def _findings(self, kept: Mapping[int, bool] | None, doubts: frozenset[int]) -> list[SubgroupFinding]:
        """One for each subgroup; broken too where the model breaks one of its elements in other states."""
        findings = by_subgroup(self.lattice, self.outcomes, self.confidence, kept)
        for place, inside in enumerate(self.lattice.members):
            if self.law is not None:
                paid = all(self.law.rewarded.get(index, True) for index in inside)
                findings[place] = replace(findings[place], reward=paid)
            if doubts & inside:
                findings[place] = replace(findings[place], holds="broken", bound=None)
        return findings

    def _doubts(
        self, explain: Explain | None, kept: Mapping[int, bool] | None
    ) -> tuple[frozenset[int], list[Cause]]:
        """Elements that nothing broke here, and that the model's options break in states that are pushed so."""
        if explain is not mujoco_causes or kept is not None or self._broken(kept):
            return frozenset(), []
        tried = sorted({each.element for each in self.outcomes})
        found, causes = doubted(self.simulator.env, [self.elements[index] for index in tried])
        return frozenset(tried[number] for number in found), causes

    def _kept(self) -> dict[int, bool] | None:
        """By element, whether its law is kept, as far as that is known; None where runs were compared one by one.

        Where runs repeat themselves those that agreed one by one are known to, though reward or end be asked about.
        """
        if self.law is None:
            return None
        off = {each.element for each in self.outcomes if not each.dynamics}
        alike = {each.element: True for each in self.outcomes if each.element not in off}
        return (alike if self.runs.floor.same else {}) | dict(self.law.kept)

    def _broken(self, kept: Mapping[int, bool] | None) -> list[Any]:
        if kept is None:
            return [each for each in self.outcomes if not each.dynamics]
        return [each for each in self.outcomes if not kept.get(each.element, True)]

    def _noise(self) -> str:
        if not self.noisy:
            return "none"
        return "in law" if self.law is not None else "common random numbers"

    def _restored_by(self) -> str:
        restore = self.simulator.restore
        if isinstance(restore, Restored):
            return type(restore.access).__name__
        return "resets and walks"

    def _counts(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for each in self.origins:
            found[each.by] = found.get(each.by, 0) + 1
        return found

    def _notes(self, kept: Mapping[int, bool] | None) -> list[str]:
        notes = []
        if self.runs.refused:
            tried = len(self.runs.refused) + len(self.runs.turned)
            first = next(iter(self.runs.refused.values()))
            notes.append(f"{len(self.runs.refused)} of {tried} beginnings at g·s were refused; {first}")
        if self.law is not None:
            asked = f"{self.law.draws} draws from each side of {self.law.states} states"
            notes.append(
                f"laws were compared by energy distances, {asked}; Holm's correction over the subgroups"
            )
        if kept is None:
            notes += list(notes_of(self.judge))
        return notes
