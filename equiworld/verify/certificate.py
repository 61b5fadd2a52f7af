"""Is the closed loop, policy and simulator together, the same everywhere on the orbit of a group?"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from equiworld.arguments import integer
from equiworld.errors import ArgumentError
from equiworld.groups import Group, GroupElement
from equiworld.symmetry import Symmetry, symmetry_of
from equiworld.symmetry.registry import move_of
from equiworld.verify.certificate_report import Certificate
from equiworld.verify.lockstep import (
    EnvLike,
    Policy,
    as_policy,
    close_copies,
    dtype_of,
    env_copies,
    reset_env,
)
from equiworld.verify.moving import beginning_moved
from equiworld.verify.orbit import Mode, Orbit
from equiworld.verify.trace import (
    Begin,
    Decisions,
    GoalError,
    SeenTurned,
    Trace,
    compare,
    goal_error,
    ignored,
    motion,
    record,
)

__all__ = ["Certificate", "certify"]

_STREAM = 0x63657274
"""Keeps the elements' random numbers apart from those that the environment draws from the same seed."""

_HOW_TO_START = (
    "one whose reset(seed=…, options={'group_element': g}) starts the same episode at g·s with goal g·goal "
    "(see equiworld/PushT-v0); or a function that moves it, register_symmetry(…, move=…); or modes=('passive',), "
    "which shows any environment turned"
)


def certify(
    policy: Policy,
    env: EnvLike,
    group: Group | None = None,
    *,
    elements: int = 16,
    episodes: int = 4,
    steps: int = 100,
    seed: int = 0,
    modes: Sequence[Mode] = ("active",),
    stop_at_success: bool = False,
    tolerance: float | None = None,
    translation_scale: float | None = None,
    options: Mapping[str, Any] | None = None,
    success_key: str | None = "is_success",
    error: GoalError | str | None = None,
) -> Certificate:
    """Run the closed loop from s and from g·s with goal g·goal, and compare step by step.

    The policy is never told g: it sees observations only, and begins with no memory in every run. The same
    episodes run in the same rows of the batch each time, so that what a policy draws is the same too.

    - "active": the simulator itself starts at g·s, by the function that `register_symmetry(…, move=…)` was given, or
      by `env.reset(options={"group_element": g})`. Tests policy and physics together: this is the claim that matters.
    - "passive": the simulator runs as before and is shown turned by g. Tests the policy alone.

    Policies that decide in their frame are exact in the dtype that is deployed, float32 as well. What such a policy
    says of itself, where no frame was fixed and why else it is not exact, stands in `Certificate.notes`.

    Args:
        policy: anything with stable-baselines3's `predict`; it gets a batch of `episodes` observations.
        env: an environment with a registered symmetry, its id, or a function that makes one.
        group: to draw elements from; if None the declared one, or that of the policy's own `symmetry` if it knows a
            part of it only.
        elements: how many besides the identity; a finite group may have fewer.
        episodes: how many, of the seeds `seed`, `seed + 1`, ….
        steps: environment steps of each at most.
        seed: of the first episode, and of the elements.
        modes: which claims to test.
        stop_at_success: whether an episode ends with success, for environments that cannot be stepped on; if
            not, what follows is compared as well.
        tolerance: largest deviation that passes, of each field in its own units; 1e-8 length scales if None.
        translation_scale: longest translation, in the units of the points; the length scale if None.
        options: further reset options.
        success_key: the entry of info that tells success; None for none.
        error: distance from the goal `(E,)` of a batch of observations, or the entry of info that tells it; if
            None the mean distance of the body's points from those of the goal, as far as they are observed.

    Returns:
        The certificate. A failed test raises nothing: see `passed`.

    Raises:
        ArgumentError: an argument is wrong, or the environment cannot start at g·s.
        UnknownNameError: the environment has no registered symmetry.
        SimulationError: the environment failed; says in which episode, at which step.

    >>> import gymnasium as gym, equiworld.envs
    >>> class Follow:  # walks towards the block: equivariant, and of no other use
    ...     def predict(self, obs, state=None, episode_start=None, deterministic=True):
    ...         return 0.1 * (obs["block_pos"] - obs["agent_pos"]), state
    >>> env = gym.make("equiworld/PushT-v0", walls=False)
    >>> certify(Follow(), env, elements=4, episodes=2, steps=10).passed
    True
    """
    as_policy(policy)
    for name, number in (("elements", elements), ("episodes", episodes), ("steps", steps)):
        integer(name, number, least=1)
    for mode in modes:
        if mode not in ("active", "passive"):
            raise ArgumentError("modes", repr(mode), "modes to run", ("active", "passive"))
    if not modes:
        raise ArgumentError("modes", "none", "at least one", ("active", "passive"))
    began = time.perf_counter()
    envs = env_copies(env, episodes)
    try:
        symmetry = symmetry_of(envs[0])
        group = _claimed(policy, symmetry) if group is None else group
        scale = symmetry.length_scale if translation_scale is None else translation_scale
        drawn = _draw(group, symmetry, elements, np.random.default_rng([seed, _STREAM]), scale)
        runner = _Runner(
            policy=policy,
            envs=envs,
            symmetry=symmetry,
            elements=drawn,
            seeds=tuple(range(seed, seed + episodes)),
            steps=steps,
            options=dict(options or {}),
            success_key=success_key,
            stop_at_success=stop_at_success,
            error=goal_error(symmetry) if error is None else error,
        )
        orbits, decisions = runner.orbits(modes)
    finally:
        close_copies(envs, env)
    return Certificate(
        orbits=orbits,
        decisions=decisions.total,
        degenerate=decisions.degenerate,
        notes=_notes(policy, decisions),
        elements=drawn,
        tolerance=1e-8 * symmetry.length_scale if tolerance is None else float(tolerance),
        least_motion=1e-3 * symmetry.length_scale,
        config={
            "env": getattr(envs[0].spec, "id", str(envs[0])),
            "env_settings": {key: str(value) for key, value in getattr(envs[0].spec, "kwargs", {}).items()},
            "group": group.name,
            "translation_scale": scale if group.has_translations else 0.0,
            "holds": symmetry.holds,
            "episodes": episodes,
            "steps": steps,
            "seed": seed,
            "stop_at_success": stop_at_success,
            "success": None if success_key is None else f"info[{success_key!r}] at any step",
            "dtype": dtype_of(policy),
        },
        seconds=time.perf_counter() - began,
    )


def _claimed(policy: Policy, symmetry: Symmetry) -> Group:
    """The group under which a policy says it is equivariant, if that is a part of the declared one."""
    own = getattr(getattr(policy, "symmetry", None), "group", None)
    known = isinstance(own, Group) and own.dim == symmetry.dim and symmetry.group.includes(own)
    return own if known else symmetry.group


def _notes(policy: Policy, decisions: Decisions) -> tuple[str, ...]:
    """What the policy says of itself, and of how many of its decisions."""
    notes = list(getattr(policy, "inexact", ()))
    if decisions.degenerate:
        notes.append(
            f"frame degenerate in {decisions.degenerate} of {decisions.total} decisions: equal in law only there"
        )
    if decisions.clipped:
        notes.append(f"action space cut off {decisions.clipped} of {decisions.total} actions")
    return tuple(notes)


def _draw(
    group: Group, symmetry: Symmetry, count: int, rng: np.random.Generator, scale: float
) -> GroupElement:
    """The identity, and `count` elements that are not the identity (all others, of a small finite group)."""
    if group.dim != symmetry.dim:
        raise ArgumentError("group", f"{group!r} of dimension {group.dim}", f"dimension {symmetry.dim}")
    identity = group.identity()
    pool = group.grid(count + 1) if group.finite else group.sample(rng, count, scale=scale)
    others = [g for g in pool if not g.is_close(identity)][:count]
    if not others:
        raise ArgumentError("group", repr(group), "a group with elements besides the identity")
    return GroupElement.stack([identity, *others])


@dataclass(frozen=True)
class _Runner:
    """Runs the reference episodes once, and every mode against them."""

    policy: Policy
    envs: list[gym.Env]
    symmetry: Symmetry
    elements: GroupElement
    seeds: tuple[int, ...]
    steps: int
    options: dict[str, Any]
    success_key: str | None
    stop_at_success: bool
    error: GoalError | str | None

    def orbits(self, modes: Sequence[Mode]) -> tuple[tuple[Orbit, ...], Decisions]:
        """One orbit a mode, and all decisions that were taken."""
        reference = self._record(self.envs, self.options)
        if self.success_key is not None and not reference.success_known:
            expected = "an entry of info; None if success is not defined"
            raise ArgumentError("success_key", repr(self.success_key), expected)
        if isinstance(self.error, str) and self.error not in reference.last_infos[0]:
            raise ArgumentError("error", repr(self.error), "an entry of info", reference.last_infos[0])
        found = [self._orbit(mode, reference) for mode in modes]
        return tuple(orbit for orbit, _ in found), sum((each for _, each in found), reference.decisions)

    def _orbit(self, mode: Mode, reference: Trace) -> tuple[Orbit, Decisions]:
        shape = (len(self.elements), len(self.seeds))
        deviation = np.full((*shape, self.steps + 1), np.nan)
        by_field: dict[str, float] = dict.fromkeys(self.symmetry.observation, 0.0)
        success_step = np.full(shape, -1)
        final_error = np.full(shape, np.nan)
        refused: dict[tuple[int, int], str] = {}
        decisions = Decisions()
        for index, g in enumerate(self.elements):
            trace = self._active(g, reference) if mode == "active" else self._passive(g)
            decisions = decisions + trace.decisions
            deviation[index], fields = compare(self.symmetry, g, trace, reference)
            by_field = {name: max(by_field[name], fields[name]) for name in by_field}
            success_step[index] = trace.success_step
            final_error[index] = self._final_error(trace)
            refused |= {(index, episode): reason for episode, reason in trace.refused.items()}
        orbit = Orbit(
            mode=mode,
            elements=self.elements,
            seeds=self.seeds,
            deviation=deviation,
            by_field=by_field,
            success_step=success_step,
            final_error=final_error,
            reference_success_step=reference.success_step,
            reference_final_error=self._final_error(reference),
            refused=refused,
            motion=motion(self.symmetry, reference),
        )
        return orbit, decisions

    def _active(self, g: GroupElement, reference: Trace) -> Trace:
        move = move_of(self.envs[0])
        if move is not None:
            return self._record(self.envs, self.options, begin=beginning_moved(move, g, self.symmetry))
        trace = self._record(self.envs, {**self.options, "group_element": g}, reference.observations[0])
        if len(trace.refused) == len(self.seeds) and g.is_close(self.elements[0]):
            raise ArgumentError("env", next(iter(trace.refused.values())), _HOW_TO_START)
        if ignored(self.symmetry, g, trace, reference):
            raise ArgumentError("env", "an environment that ignores options['group_element']", _HOW_TO_START)
        return trace

    def _passive(self, g: GroupElement) -> Trace:
        return self._record([SeenTurned(one, self.symmetry, g) for one in self.envs], self.options)

    def _record(
        self,
        envs: Sequence[gym.Env],
        options: Mapping[str, Any],
        stand_ins: Any = None,
        begin: Begin = reset_env,
    ) -> Trace:
        return record(
            self.policy,
            envs,
            self.seeds,
            options,
            self.steps,
            self.success_key,
            self.stop_at_success,
            stand_ins,
            begin,
        )

    def _final_error(self, trace: Trace) -> NDArray[np.float64]:
        """`(E,)`, at the last observation of each episode; NaN for one that never began."""
        if self.error is None:
            return np.full(len(self.seeds), np.nan)
        if isinstance(self.error, str):
            return np.array([info.get(self.error, np.nan) for info in trace.last_infos], np.float64)
        errors = np.asarray(self.error(trace.observations[-1]), dtype=np.float64).copy()
        errors[list(trace.refused)] = np.nan
        return errors
