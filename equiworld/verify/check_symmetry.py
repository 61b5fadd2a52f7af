"""Does a simulator transform as it is declared to? Asked of the simulator alone: no policy, random actions."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from equiworld.arguments import integer, number
from equiworld.errors import ArgumentError, SimulationError
from equiworld.groups import GroupElement
from equiworld.rollout import EnvLike, close_copies, env_copies
from equiworld.symmetry import Symmetry, symmetry_of
from equiworld.symmetry.registry import move_of
from equiworld.symmetry.spaces import check_observation_space
from equiworld.verify.check.chaos import before_chaos
from equiworld.verify.check.drawn import drawn_elements, drawn_starts
from equiworld.verify.check.judge import Judge
from equiworld.verify.check.pairs import EXACT
from equiworld.verify.check.report import FieldCheck, SymmetryCheck, traits_of
from equiworld.verify.check.trials import (
    HOW_TO_MOVE,
    Move,
    Run,
    Seen,
    Simulator,
    Trial,
)
from equiworld.verify.check.whole import by_kind, never_tried, notes_of
from equiworld.verify.elements import describe
from equiworld.verify.wrapped import name_of_env

__all__ = ["FieldCheck", "SymmetryCheck", "check_beginning", "check_spaces", "check_symmetry"]

_STREAM = 0x6465636C
"""Keeps the elements' random numbers apart from those that the environment draws from the same seed."""

_AGAIN = 3  # states from which it is tried whether the same leads to the same, and something else elsewhere


def check_symmetry(
    env: EnvLike,
    symmetry: Symmetry | None = None,
    *,
    elements: int = 8,
    states: int = 10,
    steps: int = 5,
    tolerance: float = EXACT,
    move: Move | None = None,
    seed: int = 0,
) -> SymmetryCheck:
    """Act at random from s and from g·s, and compare what is seen: is the declaration true of the simulator?

    From some states s, each reached by a reset and a random walk, actions a₁ … aₙ are taken; and from g·s the actions
    ρ(g)·a₁ … ρ(g)·aₙ. What is seen there has to be ρ(g) of what is seen here: each observed field and each declared
    entry of info by itself, orientations as orientations; the reward and the end of the episode have to be the same.

    Fields are compared relative to their own scale, by how much their numbers differ among all that was seen. "exact"
    is 1e-9 of it, and rounding of the dtype in which they are given; "approximate" is within the tolerance, if that is
    larger; the rest is "false", and what one exchange of types, axes, signs, centre or order would mend is named. What
    never changed is "untested", and does not count. With `reward=False` in the declaration a reward or an end that
    deviates is "broken", and does not count either.

    What breaks a symmetry may be rare, as feet that slide are: so two walks a state, of up to 100 steps, are compared
    too, each under one element, until rounding has grown beyond what is exact. More `states` find what is rarer.

    The simulator is brought to g·s by `move`, else by the function that `register_symmetry(…, move=…)` was given, else
    by `env.reset(options={"group_element": g})`; then it begins there, and the walk is compared too. Noise that it
    draws is not turned: a world that is the same in law only is false here.

    Args:
        env: an environment, which is reset many times; its id; or a function that makes one.
        symmetry: what is to be checked; the registered one if None.
        elements: how many besides the identity, turns, shifts, reflections and exchanges of labels among them; of a
            small finite group all.
        states: how many, of the seeds `seed`, `seed + 1`, …, the first as the reset gives it.
        steps: actions from each.
        tolerance: relative deviation that passes as "approximate".
        move: `move(env, g)` brings the simulator from s to g·s, goal and time with it, and returns what is observed
            then, or None if `env._get_obs` tells it.
        seed: of states, actions and elements.

    Returns:
        The check; `print` shows the layout with values. A false declaration raises nothing: see `ok`.

    Raises:
        ArgumentError: an argument is wrong; the spaces are not those of the declared fields, or not numbers; what is
            observed is not finite; or nothing brings the environment to g·s. All before the work.
        UnknownNameError: no symmetry was given, and none is registered.
        SimulationError: the environment failed; says at which seed and step.

    >>> import gymnasium as gym, equiworld.envs
    >>> from dataclasses import replace
    >>> from equiworld.symmetry import Scalar, symmetry_of
    >>> env = gym.make("equiworld/PushT-v0", walls=False)
    >>> check_symmetry(env, states=3).verdict
    'exact'
    >>> declared = symmetry_of(env)
    >>> false = replace(declared, observation={**declared.observation, "agent_vel": Scalar(2)})
    >>> [problem.partition(" to ")[0] for problem in check_symmetry(env, false, states=3).problems]
    ['agent_vel: declared Scalar(2); Vector() would fit']
    """
    began = time.perf_counter()
    elements, states, steps = (
        integer(name, value, least=1)
        for name, value in (("elements", elements), ("states", states), ("steps", steps))
    )
    seed, tolerance = integer("seed", seed, least=0), number("tolerance", tolerance, least=0.0)
    if move is not None and not callable(move):
        raise ArgumentError("move", move, "a function (env, g), or None")
    if symmetry is not None and not isinstance(symmetry, Symmetry):
        raise ArgumentError("symmetry", symmetry, "a Symmetry, or None for the registered one")
    copies = env_copies(env, 1)
    try:
        made = copies[0]
        declared = symmetry_of(made) if symmetry is None else symmetry
        check_spaces(made, declared)
        rng = np.random.default_rng([seed, _STREAM])
        drawn = drawn_elements(declared.group, elements, rng, declared.length_scale)
        simulator = Simulator(made, declared, move_of(made) if move is None else move)
        starts, walks, inside = drawn_starts(made, declared, drawn, states, steps, seed)
        check_beginning(simulator, starts[0], drawn)
        starts = [simulator.cut(start) for start in starts]
        judge, notes = _run(simulator, starts, walks, drawn, tolerance)
        notes = [*notes, *_static_notes(made, declared, inside)]
        config = {
            "elements": len(drawn),
            "states": states,
            "steps": steps,
            "tolerance": tolerance,
            "seed": seed,
        }
        return _reported(judge, notes, config, began)
    finally:
        close_copies(copies, env)


def _reported(judge: Judge, notes: list[str], config: dict[str, Any], began: float) -> SymmetryCheck:
    """What is handed back, while the simulator is still there to try other actions in."""
    simulator, symmetry = judge.simulator, judge.symmetry
    moved_by = "its reset"
    if simulator.move is not None:
        moved_by = getattr(simulator.move, "__name__", type(simulator.move).__name__)
    env = simulator.env
    return SymmetryCheck(
        env=name_of_env(env),
        group=repr(symmetry.group),
        holds=symmetry.holds,
        fields=judge.fields,
        elements=judge.elements,
        by_kind=by_kind(judge),
        never=never_tried(judge),
        config={**config, "moved_by": moved_by},
        notes=(*notes, *notes_of(judge)),
        seconds=time.perf_counter() - began,
    )


def check_spaces(env: gym.Env, symmetry: Symmetry) -> None:
    """Refuse spaces that are not those of the declared fields, naming the field."""
    check_observation_space(symmetry, env.observation_space)
    space, size = env.action_space, symmetry.action.size(symmetry.dim)
    numeric = isinstance(space, spaces.Box) and np.dtype(space.dtype).kind == "f"
    if not numeric or space.shape != (size,):
        got = f"{space}" if not numeric else f"shape {space.shape}"
        raise ArgumentError("action space", got, f"a Box of floats, shape ({size},), of {symmetry.action!r}")


def check_beginning(simulator: Simulator, start: Trial, elements: GroupElement) -> None:
    """Refuse what shows no finite numbers, and what nothing brings to g·s."""
    env = simulator.env
    try:
        observation, _ = env.reset(seed=start.seed)
    except Exception as error:
        raise SimulationError(f"the environment failed at reset of seed {start.seed}: {error}") from error
    here = simulator.seen(observation, {})  # names what has another shape, or is not finite
    simulator.settle_dtype(start)
    again = simulator.begin(start, None)
    if any(array.shape != again.observation[name].shape for name, array in here.observation.items()):
        got = "one after which observations have another shape: a wrapper remembers earlier ones, as a stack does"
        raise ArgumentError(
            "move", got, "an environment without it, or one that begins at g·s with its reset"
        )
    reasons: list[ArgumentError] = []
    ignored = simulator.move is None and simulator.restore is None
    for g in elements:
        try:
            there = simulator.begin(start, g)
        except ArgumentError as error:
            reasons.append(error)
            continue
        ignored = ignored and not there.told and _same(here, there)
    if len(reasons) == len(elements):
        raise reasons[0]
    if ignored:
        raise ArgumentError("env", "one whose reset ignores options['group_element']", HOW_TO_MOVE)


def _same(one: Seen, other: Seen) -> bool:
    """Whether two observations agree in every bit."""
    return all(np.array_equal(array, other.observation[name]) for name, array in one.observation.items())


def _run(
    simulator: Simulator, starts: list[Trial], walks: list[Trial], elements: GroupElement, tolerance: float
) -> tuple[Judge, list[str]]:
    """All runs from s and from g·s, and a few more that tell whether they mean anything; and what was refused."""
    reference: list[Run] = []
    turned: dict[tuple[int, int], Run] = {}
    refused: list[str] = []
    many = np.array([len(traits_of(g)) for g in elements])
    rich = np.flatnonzero(many == many.max()).tolist()  # which move more at once
    for state, start in enumerate([*starts, *walks]):
        actions = simulator.steps_of(start)
        reference.append(simulator.follow(simulator.begin(start, None), actions))
        far = state - len(starts)
        one = far // 2 % len(elements) if far % 2 else rich[far // 2 % len(rich)]
        chosen = range(len(elements)) if far < 0 else [one]
        for index in chosen:
            g = elements[index]
            try:
                first = simulator.begin(start, g)
            except ArgumentError as error:
                refused.append(f"{describe(g)}: {error.__cause__ or error}")
                continue
            moved = [np.asarray(simulator.symmetry.transform_action(g, each), np.float64) for each in actions]
            run = simulator.follow(first, moved, turned=True)
            if far >= 0:
                run = before_chaos(simulator, reference[-1], run, elements, index, tolerance)
            turned[state, index] = run
    acts, repeats = _alive(simulator, starts[:_AGAIN], reference)
    notes = []
    if refused:
        tried = len(refused) + len(turned)
        notes.append(f"{len(refused)} of {tried} beginnings at g·s were refused; {refused[0]}")
    if not repeats:
        notes.append("the simulator does not repeat itself: the same seed and actions led elsewhere")
    return Judge(simulator, elements, [*starts, *walks], reference, turned, tolerance, acts), notes


def _alive(simulator: Simulator, starts: list[Trial], reference: list[Run]) -> tuple[bool, bool]:
    """Whether other actions lead elsewhere, and the same ones to the same."""
    acts, repeats = False, True
    for start, run in zip(starts, reference, strict=False):
        actions = simulator.steps_of(start)
        again = simulator.follow(simulator.begin(start, None), actions)
        other = simulator.follow(simulator.begin(start, None), [0.5 * each for each in actions])
        repeats = repeats and len(again) == len(run) and all(map(_same, run, again))
        acts = acts or len(other) != len(run) or not all(map(_same, run, other))
    return acts, repeats


def _static_notes(env: gym.Env, symmetry: Symmetry, inside: bool) -> Iterator[str]:
    """What the spaces say, before anything is run."""
    space = env.action_space
    turned = symmetry.transform_space(symmetry.group, space, "action", symmetry.length_scale)
    if not (turned is space or turned == space):
        more = "" if inside else "; some that were tried lay outside, which an environment may clip"
        yield f"the action space {space} is not its own image under {symmetry.group!r}{more}"
    arrays = env.observation_space.spaces if isinstance(env.observation_space, spaces.Dict) else {}
    for name, each in (arrays or {"observation": env.observation_space}).items():
        leading = (each.shape or ())[:-1]
        if leading:
            yield f"{name} has the leading axes {leading}: taken as a stack, whose rows move alike"
    shared: dict[tuple[str, int], list[str]] = {}
    for name, declared in symmetry.observation.items():
        key = "observation" if symmetry.flat else symmetry.places.get(name, (name,))[0]
        shared.setdefault((key, declared.size(symmetry.dim)), []).append(name)
    for (key, size), names in shared.items():
        if len(names) > 1:
            yield f"sizes alone do not tell {', '.join(names)} apart: each takes {size} of {key}"
