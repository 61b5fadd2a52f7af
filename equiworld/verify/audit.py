"""Which symmetry does a simulator really carry, and what breaks it? Asked of the simulator, not of a declaration."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np

from equiworld.arguments import instance, integer, number
from equiworld.errors import ArgumentError
from equiworld.groups import Group
from equiworld.rollout import EnvLike, Policy, close_copies, env_copies
from equiworld.rollout.policy import as_policy
from equiworld.symmetry import Field, Symmetry
from equiworld.verify.auditing.access import Restored
from equiworld.verify.auditing.advice import advice
from equiworld.verify.auditing.cause import Cause, Explain
from equiworld.verify.auditing.counterexample import worst_counterexample
from equiworld.verify.auditing.drawing_states import Origin, drawn_trials, feasibility
from equiworld.verify.auditing.findings import (
    by_element,
    by_region,
    by_subgroup,
    maximal,
    outcomes,
)
from equiworld.verify.auditing.law import Law, is_noisy, tested_law
from equiworld.verify.auditing.mujoco_states import model_and_data
from equiworld.verify.auditing.regions import Region, region_of
from equiworld.verify.auditing.report import Audit
from equiworld.verify.auditing.runs import Runs, run_all
from equiworld.verify.auditing.setup import States, audited_symmetry, prepared, settled
from equiworld.verify.auditing.subgroups import Lattice, name_of, subgroups_of, tested_elements
from equiworld.verify.check.judge import Judge
from equiworld.verify.check.trials import Move, Simulator
from equiworld.verify.check.whole import notes_of
from equiworld.verify.check_symmetry import check_beginning, check_spaces
from equiworld.verify.elements import NOTHING_TO_COMPARE

__all__ = ["Audit", "assert_env_symmetric", "audit"]

_STREAM = 0x617564
_LAW_STATES = 8


def audit(
    env: EnvLike,
    group: Group | None = None,
    symmetry: Symmetry | None = None,
    policy: Policy | None = None,
    *,
    states: int = 32,
    horizon: int = 8,
    tolerance: float = 1e-6,
    confidence: float = 0.95,
    move: Move | None = None,
    access: States | None = None,
    state_fields: Mapping[str, Field] | None = None,
    region: Region | None = None,
    explain: Explain | None = None,
    seed: int = 0,
) -> Audit:
    """Put the simulator at s and at g·s, act by a and by ρ(g)·a, and compare: which subgroup holds, and where not?

    Every state is of another episode: half of them are reached at random, half along the policy's rollouts, or by the
    environment's own exploration. From each the same actions are taken twice (the floor: does the simulator repeat
    itself?), and turned ones from g·s, for elements that tell subgroups apart: SE(2) from SO(2) from C4 from C2, SO(3)
    from turns about each axis and about gravity, reflections and exchanges of labels apart. Each observed field, the
    simulator's own numbers, the reward, the end of the episode, and whether ρ(g)·a is allowed are compared, after one
    step and over the horizon, as long as rounding has not grown too far.

    A subgroup is "exact" up to 1e-9 of a field's scale, between rounding (1e-12) and a solver's tolerance (1e-6); holds
    "to the solver's tolerance" within `tolerance`; else it is "broken". Where it was never broken in n states, of n
    episodes, at most the share 1 − (1 − confidence)^(1/n) of such states break it.

    Where the environment draws random numbers both sides are given the same; elements for which that does not do are
    compared in law, by energy distances, and all of a symmetric world are kept with the confidence asked.

    Args:
        env: an environment, which is reset many times; its id; or a function that makes one.
        group: the group to ask about, larger than declared or smaller; the declared one if None.
        symmetry: how arrays transform; the registered one if None.
        policy: along whose rollouts half of the states lie.
        states: how many.
        horizon: actions from each.
        tolerance: relative deviation that passes.
        confidence: of the bounds, and of verdicts of noisy worlds.
        move: `move(env, g)` brings the simulator from s to g·s; the registered one if None.
        access: how states are read and written: two functions, get(env) and set(env, state), or a `StateAccess`. Not
            needed for environments that begin at g·s by themselves, gym-pusht, MuJoCo's (Gymnasium's,
            Gymnasium-Robotics', dm_control's through shimmy), and those that keep their state in Python and have a
            `move`.
        state_fields: how each array of the state that `access` reads transforms, unless it is observed by that name.
        region: tells where the environment is, in a word; by default from the engine's contacts where they can be read.
        explain: finds causes; gets the environment, the declaration, and the elements under which it deviates.
        seed: of states, actions and elements.

    Returns:
        The audit; `print` shows it. A symmetry that is broken raises nothing: see `ok`.

    Raises:
        ArgumentError: an argument is wrong, or nothing brings the environment to g·s.
        UnknownNameError: no symmetry was given, and none is registered.
        SimulationError: the environment failed; says at which seed and step.

    >>> import gymnasium as gym, equiworld.envs
    >>> from equiworld.groups import E2
    >>> found = audit(gym.make("equiworld/PushT-v0", walls=False), E2(), states=3, horizon=3)
    >>> found.verdict, found.largest
    ('exact', ('E2()',))
    """
    began = time.perf_counter()
    states, horizon, seed = (
        integer(name, value, least=least)
        for name, value, least in (("states", states, 1), ("horizon", horizon, 1), ("seed", seed, 0))
    )
    tolerance = number("tolerance", tolerance, least=0.0)
    confidence = number("confidence", confidence, above=0.0, below=1.0)
    for name, value, kind in (("group", group, Group), ("symmetry", symmetry, Symmetry)):
        if value is not None:
            instance(name, value, kind)
    for name, value in (("move", move), ("region", region), ("explain", explain)):
        if value is not None and not callable(value):
            raise ArgumentError(name, value, "a function, or None")
    if policy is not None:
        as_policy(policy)
    copies = env_copies(env, 1)
    try:
        made = copies[0]
        declared = audited_symmetry(made, symmetry, group)
        check_spaces(made, declared)
        lattice = _lattice(made, declared, seed)
        simulator = prepared(made, declared, move, access, state_fields, seed)
        settled(simulator, seed)
        work = _Work(simulator, lattice, tolerance, confidence, seed)
        work.draw(states, horizon, policy)
        check_beginning(simulator, work.origins[0].trial, lattice.elements)
        work.run(region_of(made) if region is None else region)
        return work.reported(explain, began, {"states": states, "horizon": horizon})
    finally:
        close_copies(copies, env)


def assert_env_symmetric(
    env: EnvLike, group: Group | None = None, symmetry: Symmetry | None = None, **settings: Any
) -> Audit:
    """Raise AssertionError unless the simulator carries the group: for a test of an environment.

    Arguments and errors are those of `audit`.

    Returns:
        The audit of a passed test.

    >>> import gymnasium as gym, equiworld.envs
    >>> assert_env_symmetric(gym.make("equiworld/PushT-v0", walls=False), states=2, horizon=2).ok
    True
    """
    found = audit(env, group, symmetry, **settings)
    if not found.ok:
        raise AssertionError(str(found))
    return found


def _lattice(env: gym.Env, symmetry: Symmetry, seed: int) -> Lattice:
    """Subgroups, those of the simulator's gravity among them, and the elements that are tried."""
    gravity = None
    known = model_and_data(env)
    if known is not None and symmetry.dim == 3 and np.any(known[0].opt.gravity):
        arrow = np.asarray(known[0].opt.gravity, np.float64)
        gravity = (arrow / np.linalg.norm(arrow)).tolist()
    subgroups = subgroups_of(symmetry.group, gravity)
    rng = np.random.default_rng([seed, _STREAM])
    elements = tested_elements(symmetry.group, subgroups, rng, symmetry.length_scale)
    if elements is None:
        raise ArgumentError("group", repr(symmetry.group), NOTHING_TO_COMPARE)
    return Lattice(subgroups, elements)


class _Work:
    """One audit on its way: states, runs, and what they say."""

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
        self.noisy = False

    def draw(self, states: int, horizon: int, policy: Policy | None) -> None:
        """Reach the states, and ask which turned actions are allowed."""
        env, symmetry = self.simulator.env, self.simulator.symmetry
        self.allowed = feasibility(env, symmetry, self.elements, self.seed)
        self.origins = drawn_trials(self.simulator, self.elements, states, horizon, policy, self.seed)

    def run(self, region: Region | None) -> None:
        """Make the runs, and compare laws of what they do not settle."""
        simulator = self.simulator
        self.runs = run_all(simulator, self.origins, self.lattice, region, self.tolerance)
        if not self.runs.turned:
            reason = next(iter(self.runs.refused.values()), "nothing was tried")
            raise ArgumentError(
                "env", f"one that begins at no g·s ({reason})", "one that can be brought there"
            )
        trials = [each.trial for each in self.origins]
        runs = self.runs
        self.judge = Judge(
            simulator, self.elements, trials, runs.reference, runs.turned, self.tolerance, runs.floor.acts
        )
        self.outcomes = outcomes(self.judge, runs)
        self.noisy = not runs.floor.same or is_noisy(simulator, self.origins)
        if not self.noisy:
            return
        symmetry = simulator.symmetry
        off = {
            each.element
            for each in self.outcomes
            if not (each.dynamics and (each.rewarded or not symmetry.reward) and each.ended)
        }
        chosen = {each.element for each in self.outcomes} if not runs.floor.same else off
        if chosen:
            asked = self.origins[: min(_LAW_STATES, len(self.origins))]
            level = 1.0 - self.confidence
            self.law = tested_law(simulator, asked, self.lattice, chosen, level, self.seed)

    def reported(self, explain: Explain | None, began: float, config: dict[str, Any]) -> Audit:
        """What is handed back."""
        simulator, symmetry = self.simulator, self.simulator.symmetry
        kept = self._kept()
        findings = by_subgroup(self.lattice, self.outcomes, self.confidence, kept)
        if kept is not None:
            assert self.law is not None
            findings = [replace(each, reward=self.law.rewarded) for each in findings]
        good = maximal(self.lattice, findings, lambda each: _holds(each))
        rewarded = maximal(self.lattice, findings, lambda each: _holds(each) and each.reward)
        regions = by_region(self.lattice, self.outcomes, self.confidence)
        fields = tuple(self.judge.fields) if kept is None else ()
        failing = [self.elements[index] for index in sorted({each.element for each in self._broken(kept)})]
        causes: tuple[Cause, ...] = ()
        if explain is not None and failing:
            causes = tuple(explain(simulator.env, symmetry, failing))
        mended = any(each.verdict == "false" and each.fits for each in fields)
        largest = tuple(each.name for each in good)
        share = self.allowed.refused / max(self.allowed.asked, 1)
        env = simulator.env
        trials = [each.trial for each in self.origins]
        return Audit(
            env=getattr(env.spec, "id", None) or type(env.unwrapped).__name__,
            group=name_of(symmetry.group),
            declared=symmetry.holds,
            subgroups=tuple(findings),
            largest=largest,
            largest_with_reward=tuple(each.name for each in rewarded),
            elements=tuple(
                by_element(
                    self.elements,
                    self.outcomes,
                    self.runs,
                    self.allowed.by_element,
                    {} if self.law is None else self.law.p_values,
                )
            ),
            regions=tuple(regions),
            fields=fields,
            field_laws={} if self.law is None else self.law.fields,
            drawn=self.elements,
            floor=self.runs.floor,
            noise=self._noise(),
            infeasible=share,
            counterexample=worst_counterexample(self.judge, trials, self.runs.regions)
            if kept is None or not all(kept.values())
            else None,
            causes=causes,
            recommendation=advice(findings[0], largest, regions, mended, share),
            config={**config, "tolerance": self.tolerance, "confidence": self.confidence, "seed": self.seed}
            | {"restored_by": self._restored_by(), "origins": self._counts()},
            wants_reward=symmetry.reward,
            notes=tuple(self._notes(kept)),
            seconds=time.perf_counter() - began,
        )

    def _kept(self) -> dict[int, bool] | None:
        """By element, whether its law is kept; None where runs were compared one by one."""
        if self.law is None:
            return None
        kept = {each.element: True for each in self.outcomes}
        return kept | dict(self.law.kept)

    def _broken(self, kept: Mapping[int, bool] | None) -> list[Any]:
        if kept is None:
            return [each for each in self.outcomes if not each.dynamics]
        return [each for each in self.outcomes if not kept[each.element]]

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


def _holds(found: Any) -> bool:
    return found.holds not in ("broken", "untested")
