"""Which symmetry does a simulator really carry, and what breaks it? Asked of the simulator, not of a declaration."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from equiworld.arguments import instance, integer, number
from equiworld.errors import ArgumentError
from equiworld.groups import Group
from equiworld.rollout import EnvLike, Policy, close_copies, env_copies
from equiworld.rollout.policy import as_policy
from equiworld.symmetry import Field, Symmetry
from equiworld.verify.auditing.auditor import Auditor, lattice_of
from equiworld.verify.auditing.cause import Explain
from equiworld.verify.auditing.mechanism_causes import mujoco_causes
from equiworld.verify.auditing.regions import Region, region_of
from equiworld.verify.auditing.report import Audit
from equiworld.verify.auditing.setup import States, audited_symmetry, prepared, settled
from equiworld.verify.check.trials import Move
from equiworld.verify.check_symmetry import check_beginning, check_spaces

__all__ = ["Audit", "assert_env_symmetric", "audit"]


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
        explain: finds causes; gets the environment, the declaration, and the elements under which it deviates. By
            default those in the models of MuJoCo, see `equiworld.verify.mechanism.explain`.
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
    for name, function in (("move", move), ("region", region), ("explain", explain)):
        if function is not None and not callable(function):
            raise ArgumentError(name, function, "a function, or None")
    if policy is not None:
        as_policy(policy)
    copies = env_copies(env, 1)
    try:
        made = copies[0]
        declared = audited_symmetry(made, symmetry, group)
        check_spaces(made, declared)
        lattice = lattice_of(made, declared, seed)
        simulator = prepared(made, declared, move, access, state_fields, seed)
        settled(simulator, seed)
        work = Auditor(simulator, lattice, tolerance, confidence, seed)
        work.draw(states, horizon, policy)
        check_beginning(simulator, work.origins[0].trial, lattice.elements)
        work.run(region_of(made) if region is None else region)
        return work.reported(explain or mujoco_causes, began, {"states": states, "horizon": horizon})
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
