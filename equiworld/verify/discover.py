"""A symmetry for an environment that has none declared: found in what its simulator does, and then audited."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import gymnasium as gym
import numpy as np

from equiworld.arguments import flag, instance, integer
from equiworld.errors import ArgumentError
from equiworld.groups import Group
from equiworld.groups.arrays import Array
from equiworld.rollout import EnvLike, close_copies, env_copies
from equiworld.symmetry import Scalar, Symmetry
from equiworld.symmetry.registry import move_of
from equiworld.verify.check.report import SymmetryCheck
from equiworld.verify.check.trials import Move
from equiworld.verify.check_symmetry import check_symmetry
from equiworld.verify.discovery.algebra import Algebra, algebra_of
from equiworld.verify.discovery.enlarging import audited, enlarged, holds
from equiworld.verify.discovery.exchanges import exchange_guesses
from equiworld.verify.discovery.field_types import FieldGuess, centre_of, field_guesses
from equiworld.verify.discovery.finite import (
    FiniteGuess,
    as_points,
    finite_group,
    finite_guesses,
    with_signs,
)
from equiworld.verify.discovery.from_model import from_model, is_mujoco
from equiworld.verify.discovery.local_model import fitted
from equiworld.verify.discovery.movers import EULER
from equiworld.verify.discovery.perturbed import Perturbed, perturbed
from equiworld.verify.discovery.proposal import declared, group_of, with_mirrors
from equiworld.verify.discovery.report import Discovery, notes_of
from equiworld.verify.discovery.segmentation import joined, segments, singles
from equiworld.verify.discovery.signs import sign_guesses
from equiworld.verify.discovery.transitions import Places, Transitions, gathered, places_of
from equiworld.verify.wrapped import name_of_env

__all__ = ["Discovery", "discover"]

_TOLD = 3  # mirrors of single numbers, the best ones
_CHECK: dict[str, Any] = {"states": 4, "steps": 3}


def discover(
    env: EnvLike,
    symmetry: Symmetry | None = None,
    *,
    dim: int | None = None,
    points: int = 40,
    transitions: int = 3000,
    parts: Mapping[str, int | Sequence[int]] | None = None,
    finite: bool = True,
    move: Move | None = None,
    seed: int = 0,
) -> Discovery:
    """Propose a Symmetry for an environment: to be confirmed by a person, audited where that is possible.

    Continuous symmetry is the null space of a linear map: the generators A, a turn and a shift for every item of every
    key, with f(x + εAx) − f(x) − εA f(x) = 0, where f is one step. Derivatives of f come from replays of the simulator
    whose actions differ a little, so it has to repeat itself from a seed; its state is never set. What the generators
    do to a key says what it is: a vector, a point, a heading, an orientation, a scalar; and about which centre they
    turn. Turns by a share of a circle, and mirrors, are searched for in a smooth model that is fitted to transitions.
    Where the simulator can be brought to g·s, the proposal is checked there, and enlarged by mirrors that hold.
    Of MuJoCo's environments the model file is asked first: `equiworld.verify.mechanism.propose`.

    Args:
        env: an environment, which is reset many times; its id; or a function that makes one.
        symmetry: a declaration to begin with, such as one whose group may be too small; None to begin with nothing.
        dim: of space, 2 or 3; that with the larger algebra if None.
        points: at which derivatives are taken.
        transitions: that the model of finite candidates is fitted to.
        parts: of an observation that is one array, by name how many numbers each of its parts has, in order, or where
            they are; found by what turns together if None.
        finite: whether finite candidates are searched for, where the simulator cannot be brought to g·s.
        move: `move(env, g)` brings the simulator from s to g·s, as in `check_symmetry`; needs no declaration.
        seed: of resets and actions.

    Returns:
        The discovery; `print` shows it with the code of the declaration.

    Raises:
        ArgumentError: an argument is wrong; actions are no Box of floats; or the environment does not repeat itself.

    >>> import gymnasium as gym
    >>> import equiworld.envs
    >>> found = discover(gym.make("equiworld/PushT-v0", walls=False), points=6, transitions=100)
    >>> found.algebra.dimension, found.symmetry.group, found.audit.verdict
    (3, E2(), 'exact')
    """
    began = time.perf_counter()
    points, transitions = integer("points", points, least=4), integer("transitions", transitions, least=50)
    seed = integer("seed", seed, least=0)
    dim = None if dim is None else integer("dim", dim, least=2, most=3)
    for name, value, kind in (("parts", parts, Mapping), ("symmetry", symmetry, Symmetry)):
        if value is not None:
            instance(name, value, kind)
    places = None if parts is None else places_of(parts)
    if move is not None and not callable(move):
        raise ArgumentError("move", move, "a function (env, g), or None")
    finite = flag("finite", finite)
    copies = env_copies(env, 1)
    try:
        made = copies[0]
        if symmetry is not None:
            return _begun_with(env, made, symmetry, move, seed, began)
        notes = list[str]()
        if parts is None and dim is None and is_mujoco(made):
            found = from_model(env, made, name_of_env(made), {**_CHECK, "seed": seed}, notes, began)
            if found is not None:
                return found
        settings = _Settings(dim, points, transitions, places, finite, move, seed)
        return _from_nothing(env, made, settings, notes, began)
    finally:
        close_copies(copies, env)


def _begun_with(
    env: EnvLike, made: gym.Env, symmetry: Symmetry, move: Move | None, seed: int, began: float
) -> Discovery:
    """What a declaration lacks."""
    move = move_of(made) if move is None else move
    settings = {**_CHECK, "seed": seed}
    audit = check_symmetry(env, symmetry, move=move, **settings)
    notes, larger = [], None
    if holds(audit):
        larger = enlarged(env, symmetry, move, settings)
        if larger is not None:
            notes.append(f"{larger[0].group!r} holds, and {symmetry.group!r} was declared")
        elif with_mirrors(symmetry.group) is not None:
            notes.append(f"{with_mirrors(symmetry.group)!r} was tried and does not hold")
    else:
        notes.append("the declaration does not hold as it is: see the audit")
    proposed, audit = (symmetry, audit) if larger is None else larger
    return Discovery(
        name_of_env(made), None, (), (), proposed, audit, tuple(notes), time.perf_counter() - began
    )


@dataclass(frozen=True)
class _Settings:
    """The arguments of `discover`."""

    dim: int | None
    points: int
    transitions: int
    parts: Places | None
    finite: bool
    move: Move | None
    seed: int


def _from_nothing(env: EnvLike, made: gym.Env, told: _Settings, notes: list[str], began: float) -> Discovery:
    """From transitions and replays alone."""
    data, told = _data(made, told)
    algebra = _algebra(made, data, told)
    guesses = field_guesses(algebra, data)
    group, centre = group_of(algebra), centre_of(algebra, guesses)
    tried: tuple[FiniteGuess, ...] = ()
    notes += notes_of(data, algebra)
    move = move_of(made) if told.move is None else told.move
    audit, flat = None, not isinstance(made.observation_space, gym.spaces.Dict)
    settings = {**_CHECK, "seed": told.seed}
    proposed = None if group is None else declared(group, guesses, centre, told.parts, flat)
    if proposed is not None:
        proposed, audit = _audited(env, proposed, move, settings, notes)
    if audit is None and told.finite:
        rng = np.random.default_rng([told.seed, 0x66696E69])
        model = fitted(data, rng)
        guesses = as_points(guesses, data, algebra.dim)
        alone = told.parts is not None and all(len(places) == 1 for places in told.parts.values())
        if alone:  # nothing turns: the action is single numbers too
            guesses = [*guesses[:-1], replace(guesses[-1], declared=Scalar(data.action.shape[1]))]
            tried = tuple(sign_guesses(model, data, algebra.dim, rng)[:_TOLD])
        else:
            tried = tuple(
                finite_guesses(model, data, guesses, algebra.dim, centre, rng, proper=group is None)
            )
        bodies = exchange_guesses(model, data, algebra.dim, rng, alone)
        notes += [f"{each}: not part of the proposal" for each in bodies if each.holds]
        proposed, guesses = _with_finite(
            proposed, group, guesses, centre, tried, algebra.dim, told.parts, flat
        )
        tried = (*tried, *bodies)
        if group is None and proposed is not None:
            proposed, audit = _audited(env, proposed, move, settings, notes)
        notes.append("mirrors and finite turns were tried in a fitted model, which errs; confirm them")
    seconds = time.perf_counter() - began
    fields = (*guesses[:-1], replace(guesses[-1], name="action"))
    return Discovery(name_of_env(made), algebra, fields, tried, proposed, audit, tuple(notes), seconds)


def _data(made: gym.Env, told: _Settings) -> tuple[Transitions, _Settings]:
    """Transitions, and the settings with the parts of an observation that is one array."""
    space = made.observation_space
    if told.parts is not None or not isinstance(space, gym.spaces.Box) or len(space.shape) != 1:
        return gathered(made, told.transitions, told.seed, told.parts), told
    alone = singles(space.shape[0])
    data = gathered(made, told.transitions, told.seed, alone)
    found = perturbed(made, told.points, told.seed, alone, data.angles, len(alone))
    parts = segments(found, data)
    return joined(data, parts), replace(told, parts=parts)


def _algebra(made: gym.Env, data: Transitions, told: _Settings) -> Algebra:
    """Of the dimension that was asked for, or of that with the larger one, the plane if both are alike."""
    width = sum(array.shape[1] for name, array in data.before.items() if name not in data.still)
    found = perturbed(made, told.points, told.seed, told.parts, data.angles, width)
    dims = (2, 3) if told.dim is None else (told.dim,)
    algebras = [_with_angles(found, data, each, told.seed) for each in dims]
    widths = [data.action.shape[1], *(array.shape[1] for array in data.before.values())]
    return max(
        algebras,
        key=lambda each: (each.dimension, sum(width % each.dim == 0 for width in widths), -each.dim),
    )


def _with_angles(found: Sequence[Perturbed], data: Transitions, dim: int, seed: int) -> Algebra:
    """The algebra where those keys are Euler's angles that make it larger so."""
    best, euler = algebra_of(found, data, dim, seed), dict[str, str]()
    for name, array in data.before.items() if dim == 3 else ():
        if array.shape[1] != 3 or np.abs(array).max() > np.pi or name in data.still:
            continue
        for form in EULER:
            tried = algebra_of(found, data, dim, seed, {**euler, name: form})
            if tried.dimension > best.dimension:
                best, euler = tried, {**euler, name: form}
    return best


def _audited(
    env: EnvLike, proposed: Symmetry, move: Move | None, settings: dict[str, Any], notes: list[str]
) -> tuple[Symmetry, SymmetryCheck | None]:
    """Checked in the simulator, and enlarged by mirrors, where it can be brought to g·s."""
    try:
        proposed, audit = audited(env, proposed, move, settings)
    except ArgumentError as error:
        notes.append(f"not audited: {error}")
        return proposed, None
    if not holds(audit):
        notes.append("the audit contradicts the proposal")
        return proposed, audit
    larger = enlarged(env, proposed, move, settings)
    return (proposed, audit) if larger is None else larger


def _with_finite(
    proposed: Symmetry | None,
    group: Group | None,
    guesses: list[FieldGuess],
    centre: Array | None,
    tried: tuple[FiniteGuess, ...],
    dim: int,
    parts: Places | None,
    flat: bool,
) -> tuple[Symmetry | None, list[FieldGuess]]:
    """The proposal with what the fitted model shows."""
    holding = [each for each in tried if each.holds]
    if not holding:
        return proposed, guesses
    mirrors = [each for each in holding if np.linalg.det(each.matrix) < 0]
    if mirrors:
        guesses = with_signs(guesses, mirrors[0])
    larger = finite_group(holding, dim) if group is None else with_mirrors(group)
    if larger is None:
        return proposed, guesses
    if group is None:
        best = min(holding, key=lambda each: each.residual)
        centre = best.centre
    return declared(larger, guesses, centre, parts, flat), guesses
