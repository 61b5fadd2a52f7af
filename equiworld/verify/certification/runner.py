"""Runs reference episodes once, and every mode of a certificate against them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from equiworld.arguments import array_of
from equiworld.errors import ArgumentError, EquiworldError, SimulationError
from equiworld.groups import GroupElement
from equiworld.rollout import Begin, Policy, Replay, SeenTurned, Start, reset_env
from equiworld.symmetry import Symmetry
from equiworld.symmetry.registry import move_of
from equiworld.verify.certification.comparison import compare, ignored, motion
from equiworld.verify.certification.orbit import Mode, Orbit
from equiworld.verify.certification.recording import Decisions, Trace, record
from equiworld.verify.distances import GoalError
from equiworld.verify.moving import beginning_moved
from equiworld.verify.success import Success

__all__ = ["Runner"]

HOW_TO_START = (
    "one whose reset(seed=…, options={'group_element': g}) starts the same episode at g·s with goal g·goal "
    "(see equiworld/PushT-v0); or a function that moves it, register_symmetry(…, move=…); or modes=('passive',), "
    "which shows any environment turned"
)


@dataclass(frozen=True)
class Runner:
    """Runs the reference episodes once, and every mode against them."""

    policy: Policy
    envs: list[gym.Env]
    symmetry: Symmetry
    elements: GroupElement
    seeds: tuple[int, ...]
    steps: int
    options: dict[str, Any]
    success: Success
    stop_at_success: bool
    error: GoalError | str | None
    tolerance: float
    least_motion: float

    def orbits(self, modes: Sequence[Mode]) -> tuple[tuple[Orbit, ...], Decisions]:
        """One orbit a mode, and all decisions that were taken."""
        reference = self._record(self.envs, self.options)
        if isinstance(self.error, str) and self.error not in reference.last_infos[0]:
            raise ArgumentError("error", repr(self.error), "an entry of info", reference.last_infos[0])
        error = self._final_error(reference)  # first: it may be refused
        found = [self._orbit(mode, reference, error) for mode in modes]
        orbits = tuple(self._blamed(orbit, reference) for orbit, _ in found)
        return orbits, sum((each for _, each in found), reference.decisions)

    def _blamed(self, orbit: Orbit, reference: Trace) -> Orbit:
        """With what of it is the world's, if an active test failed: the same actions, turned, without the policy."""
        if orbit.mode == "passive" or orbit.passed(self.tolerance, self.least_motion):
            return orbit
        worst, ended = 0.0, 0
        for g in self.elements:
            actions = [
                self.symmetry.transform_action(g, np.asarray(each, np.float64)) for each in reference.actions
            ]
            try:
                trace = self._active(g, reference, Replay(actions))
            except SimulationError:  # such as one that refuses actions turned out of its box
                return orbit
            apart, _ = compare(self.symmetry, g, trace, reference)
            worst = max(worst, float(np.max(apart, initial=0.0, where=np.isfinite(apart))))
            ended += int((trace.alive[0] & (trace.end_step != reference.end_step)).sum())
        return replace(orbit, world_deviation=worst, world_ends_that_differ=ended)

    def _orbit(
        self, mode: Mode, reference: Trace, reference_error: NDArray[np.float64]
    ) -> tuple[Orbit, Decisions]:
        shape = (len(self.elements), len(self.seeds))
        deviation = np.full((*shape, self.steps + 1), np.nan)
        by_field: dict[str, float] = dict.fromkeys(self.symmetry.observation, 0.0)
        success_step, end_step = np.full((2, *shape), -1)
        final_error = np.full(shape, np.nan)
        refused: dict[tuple[int, int], str] = {}
        decisions = Decisions()
        for index, g in enumerate(self.elements):
            trace = self._active(g, reference) if mode == "active" else self._passive(g)
            decisions = decisions + trace.decisions
            deviation[index], fields = compare(self.symmetry, g, trace, reference)
            by_field = {name: max(by_field[name], fields[name]) for name in by_field}
            success_step[index], end_step[index] = trace.success_step, trace.end_step
            final_error[index] = self._final_error(trace)
            refused |= {(index, episode): reason for episode, reason in trace.refused.items()}
        orbit = Orbit(
            mode=mode,
            elements=self.elements,
            seeds=self.seeds,
            deviation=deviation,
            by_field=by_field,
            success_step=success_step,
            end_step=end_step,
            final_error=final_error,
            reference_success_step=reference.success_step,
            reference_end_step=reference.end_step,
            reference_final_error=reference_error,
            refused=refused,
            motion=motion(self.symmetry, reference),
            judged=self.success.rule is not None,
            claims_ends=self.symmetry.reward,
        )
        return orbit, decisions

    def _active(self, g: GroupElement, reference: Trace, policy: Policy | None = None) -> Trace:
        move = move_of(self.envs[0])
        if move is not None:
            begin = beginning_moved(move, g, self.symmetry)
            return self._record(self.envs, self.options, begin=begin, policy=policy)
        options = {**self.options, "group_element": g}
        trace = self._record(self.envs, options, reference.observations[0], policy=policy)
        if len(trace.refused) == len(self.seeds) and g.is_close(self.elements[0]):
            raise ArgumentError("env", next(iter(trace.refused.values())), HOW_TO_START)
        if ignored(self.symmetry, g, trace, reference):
            raise ArgumentError("env", "an environment that ignores options['group_element']", HOW_TO_START)
        return trace

    def _passive(self, g: GroupElement) -> Trace:
        return self._record([SeenTurned(one, self.symmetry, g) for one in self.envs], self.options)

    def _record(
        self,
        envs: Sequence[gym.Env],
        options: Mapping[str, Any],
        stand_ins: Any = None,
        begin: Begin = reset_env,
        policy: Policy | None = None,
    ) -> Trace:
        return record(
            policy or self.policy,
            envs,
            [Start(seed, options) for seed in self.seeds],
            self.steps,
            self.success,
            self.stop_at_success,
            stand_ins,
            begin,
        )

    def _final_error(self, trace: Trace) -> NDArray[np.float64]:
        """`(E,)`, at the last observation of each episode; NaN for one that never began."""
        if self.error is None:
            return np.full(len(self.seeds), np.nan)
        if isinstance(self.error, str):
            return self._errors(
                [info.get(self.error, np.nan) for info in trace.last_infos], "entries of info"
            )
        try:
            found = self.error(trace.observations[-1])
        except EquiworldError:
            raise
        except Exception as error:  # whatever a function of the user's raises
            got = f"a function that raised {type(error).__name__}: {error}"
            raise ArgumentError("error", got, f"distances ({len(self.seeds)},) of a batch") from error
        errors = self._errors(found, "what the function returned")
        errors[list(trace.refused)] = np.nan
        return errors

    def _errors(self, found: Any, what: str) -> NDArray[np.float64]:
        """Distances from the goal, one an episode."""
        array, shape = array_of("error", found), (len(self.seeds),)
        if array.dtype.kind not in "biuf" or array.shape != shape:
            got = f"{what} of shape {array.shape}, dtype {array.dtype}"
            raise ArgumentError("error", got, f"real numbers {shape}, one an episode")
        return array.astype(np.float64)
