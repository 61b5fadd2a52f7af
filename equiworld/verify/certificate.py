"""Is the closed loop, policy and simulator together, the same everywhere on the orbit of a group?"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from equiworld.arguments import flag, instance, integer, number
from equiworld.errors import ArgumentError
from equiworld.groups import Group
from equiworld.made_with import arguments_as_text
from equiworld.rollout import EnvLike, Policy, as_policy, close_copies, dtype_of, env_copies
from equiworld.symmetry import Symmetry, symmetry_of
from equiworld.verify.certification.orbit import Mode, Orbit
from equiworld.verify.certification.recording import Decisions
from equiworld.verify.certification.report import Certificate
from equiworld.verify.certification.runner import Runner
from equiworld.verify.distances import GoalError, goal_error
from equiworld.verify.elements import ELEMENTS_STREAM, orbit_elements
from equiworld.verify.success import Success, SuccessRule

__all__ = ["Certificate", "certify"]


def certify(
    policy: Policy,
    env: EnvLike,
    group: Group | None = None,
    *,
    symmetry: Symmetry | None = None,
    elements: int = 16,
    episodes: int = 4,
    steps: int = 100,
    seed: int = 0,
    modes: Sequence[Mode] = ("active",),
    stop_at_success: bool = False,
    tolerance: float | None = None,
    translation_scale: float | None = None,
    options: Mapping[str, Any] | None = None,
    success: SuccessRule = "is_success",
    error: GoalError | str | None = None,
) -> Certificate:
    """Run the closed loop from s and from g·s with goal g·goal, and compare step by step.

    The policy is never told g: it sees observations only, and begins with no memory in every run. The same
    episodes run in the same rows of the batch each time, so that what a policy draws is the same too.

    - "active": the simulator itself starts at g·s, by the function that `register_symmetry(…, move=…)` was given, or
      by `env.reset(options={"group_element": g})`. Tests policy and physics together: this is the claim that matters.
    - "passive": the simulator runs as before and is shown turned by g. Tests the policy alone.

    Episodes have to end after the same steps as well, whatever the tolerance: one that rounding carried over a
    threshold a step later has ended otherwise. Where the symmetry leaves reward and ends open (`Symmetry.reward`),
    `Certificate.notes` says which did, and no test fails.

    Where an active test fails, the same actions are replayed, turned, without the policy: what deviates or ends
    otherwise then is the world's (`Orbit.world_deviation`, `Orbit.world_ends_that_differ`), and the verdict's problems
    say which of the two it was.

    Policies that decide in their frame are exact in the dtype that is deployed, float32 as well. What such a policy
    says of itself, where no frame was fixed and why else it is not exact, stands in `Certificate.notes`.

    Args:
        policy: anything with stable-baselines3's `predict`; it gets a batch of `episodes` observations.
        env: an environment with a registered symmetry, its id, or a function that makes one.
        group: to draw elements from; if None the declared one, or that of the policy's own `symmetry` if it knows a
            part of it only.
        symmetry: how observations and actions transform; that which the environment carries or is registered with if
            None.
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
        success: what says whether a task is solved: an entry of `info`, by its key; a function (info, observation) ->
            bool; or None for nothing. It is asked at every step, and tried at the first.
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
    _check(policy, group, symmetry, modes, options, error)
    elements, episodes, steps = (
        integer(name, count, least=1, most=most)
        for name, count, most in (
            ("elements", elements, 10**6),
            ("episodes", episodes, 10**5),  # as many environments
            ("steps", steps, 10**6),
        )
    )
    seed, stop_at_success = integer("seed", seed, least=0), flag("stop_at_success", stop_at_success)
    tolerance = None if tolerance is None else number("tolerance", tolerance, least=0)
    if translation_scale is not None:
        translation_scale = number("translation_scale", translation_scale, least=0)
    judge = Success(success)
    began = time.perf_counter()
    envs = env_copies(env, episodes)
    try:
        symmetry = symmetry_of(envs[0]) if symmetry is None else symmetry
        group = _claimed(policy, symmetry) if group is None else group
        scale = symmetry.length_scale if translation_scale is None else translation_scale
        drawn = orbit_elements(
            group, symmetry.dim, elements, np.random.default_rng([seed, ELEMENTS_STREAM]), scale
        )
        allowed = 1e-8 * symmetry.length_scale if tolerance is None else tolerance
        runner = Runner(
            policy=policy,
            envs=envs,
            symmetry=symmetry,
            elements=drawn,
            seeds=tuple(range(seed, seed + episodes)),
            steps=steps,
            options=dict(options or {}),
            success=judge,
            stop_at_success=stop_at_success,
            error=goal_error(symmetry) if error is None else error,
            tolerance=allowed,
            least_motion=1e-3 * symmetry.length_scale,
        )
        orbits, decisions = runner.orbits(modes)
    finally:
        close_copies(envs, env)
    return Certificate(
        orbits=orbits,
        decisions=decisions.total,
        degenerate=decisions.degenerate,
        notes=_notes(policy, decisions, orbits),
        elements=drawn,
        tolerance=runner.tolerance,
        least_motion=runner.least_motion,
        config={
            "env": getattr(envs[0].spec, "id", str(envs[0])),
            "env_settings": arguments_as_text(getattr(envs[0].spec, "kwargs", {})),
            "group": group.name,
            "translation_scale": scale if group.has_translations else 0.0,
            "holds": symmetry.holds,
            "episodes": episodes,
            "steps": steps,
            "seed": seed,
            "stop_at_success": stop_at_success,
            "success": judge.describe("at any step"),
            "dtype": dtype_of(policy),
        },
        seconds=time.perf_counter() - began,
    )


def _check(
    policy: Policy,
    group: Group | None,
    symmetry: Symmetry | None,
    modes: Sequence[Mode],
    options: Mapping[str, Any] | None,
    error: GoalError | str | None,
) -> None:
    """Refuse arguments of `certify` that are of another kind."""
    as_policy(policy)
    _check_modes(modes)
    for name, value, kind in (
        ("group", group, Group),
        ("symmetry", symmetry, Symmetry),
        ("options", options, Mapping),
    ):
        if value is not None:
            instance(name, value, kind)
    if not (error is None or isinstance(error, str) or callable(error)):
        raise ArgumentError("error", repr(error), "a function of observations, an entry of info, or None")


def _check_modes(modes: Sequence[Mode]) -> None:
    options = ("active", "passive")
    if not isinstance(modes, Sequence) or isinstance(modes, str | bytes):
        raise ArgumentError("modes", repr(modes), "a tuple of modes to run", options)
    for mode in modes:
        if not isinstance(mode, str) or mode not in options:
            raise ArgumentError("modes", repr(mode), "modes to run", options)
    if not modes:
        raise ArgumentError("modes", "none", "at least one", options)


def _claimed(policy: Policy, symmetry: Symmetry) -> Group:
    """The group under which a policy says it is equivariant, if that is a part of the declared one."""
    own = getattr(getattr(policy, "symmetry", None), "group", None)
    if isinstance(own, Group) and own.dim == symmetry.dim and symmetry.group.includes(own):
        return own
    return symmetry.group


def _notes(policy: Policy, decisions: Decisions, orbits: Sequence[Orbit]) -> tuple[str, ...]:
    """What the policy says of itself, and of how many of its decisions; and ends that differ where none are claimed."""
    notes = list(getattr(policy, "inexact", ()))
    if decisions.degenerate:
        notes.append(
            f"frame degenerate in {decisions.degenerate} of {decisions.total} decisions: equal in law only there"
        )
    if decisions.clipped:
        notes.append(f"action space cut off {decisions.clipped} of {decisions.total} actions")
    for orbit in orbits:
        if orbit.ends_in_words is not None and not orbit.claims_ends:
            notes.append(f"{orbit.mode}, where reward and ends are not claimed: {orbit.ends_in_words}")
    return tuple(notes)
