"""Finite candidates by search: turns by a share of a full one, mirrors, signs; tried in a model of the data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from equiworld.groups import SO3, Cyclic, Dihedral, Group, Isometries
from equiworld.groups.arrays import Array
from equiworld.symmetry import Concatenation, Heading, Point, Pseudoscalar, Scalar, Vector
from equiworld.verify.discovery.field_types import FieldGuess
from equiworld.verify.discovery.local_model import LocalModel, deviation_share
from equiworld.verify.discovery.transitions import Transitions

__all__ = ["FiniteGuess", "as_points", "finite_group", "finite_guesses", "with_signs"]

_ROWS = 160
_WITHIN = 3.0  # times the model's own error
_LEAST = 0.05  # of the changes' size: below it holds, whatever the model's error
_MOST = 0.35  # likewise: above it does not
_AXES = tuple(np.pi * k / 4 for k in range(4))


@dataclass(frozen=True)
class FiniteGuess:
    """One isometry, and how far the model of the data deviates under it.

    Attributes:
        name: in words.
        matrix: R.
        residual: what f(g x) − g f(x) is less than in three of four rows, in shares of the changes' size.
        floor: likewise the model's own error.
        signs: by key, "" for the action, the sign of each single number under it.
        axis: of headings, the direction that their mirror image keeps [rad].
        centre: about which points are moved.
        places: by key, about which single numbers change sign; 0 where not told.
    """

    name: str
    matrix: Array
    residual: float
    floor: float
    signs: dict[str, tuple[int, ...]]
    axis: float
    centre: Array
    places: Mapping[str, tuple[float, ...]] = field(default_factory=dict, hash=False)

    @property
    def holds(self) -> bool:
        """Whether the data cannot tell it from a symmetry."""
        return self.residual <= min(max(_WITHIN * self.floor, _LEAST), _MOST)

    def __str__(self) -> str:
        verdict = "holds" if self.holds else "does not hold"
        return f"{self.name}: {verdict} (deviates by {self.residual:.2g}; the model errs by {self.floor:.2g})"


def candidates(dim: int) -> Iterator[tuple[str, Array]]:
    """Isometries that are tried, in words and as matrices."""
    if dim == 2:
        for order in (2, 3, 4, 6):
            yield f"turn by 1/{order}", Cyclic(order).turn(1).matrix
        yield "mirror, y changes sign", np.diag([1.0, -1.0])
        yield "mirror, x changes sign", np.diag([-1.0, 1.0])
        yield "mirror, x and y exchanged", np.array([[0.0, 1.0], [1.0, 0.0]])
        return
    for axis, name in enumerate("xyz"):
        signs = np.ones(3)
        signs[axis] = -1.0
        yield f"mirror, {name} changes sign", np.diag(signs)
        vector = np.zeros(3)
        for order in (2, 4):
            vector[axis] = 2 * np.pi / order
            yield f"turn by 1/{order} about {name}", SO3().rotation(vector).matrix


def finite_guesses(
    model: LocalModel,
    data: Transitions,
    guesses: Sequence[FieldGuess],
    dim: int,
    centre: Array | None,
    rng: np.random.Generator,
    proper: bool = True,
) -> list[FiniteGuess]:
    """All candidates; without `proper` the mirrors only, where the turns are known."""
    rows = data.at(rng.choice(len(data), min(len(data), _ROWS), replace=False))
    start = _middle(data, guesses, dim) if centre is None else centre
    found = []
    for name, matrix in candidates(dim):
        if proper or np.linalg.det(matrix) < 0:
            found.append(_tried(model, rows, guesses, name, matrix, start, centre is None))
    return found


def _middle(data: Transitions, guesses: Sequence[FieldGuess], dim: int) -> Array:
    """Where points are, in the mean of those whose mean is far from 0; 0 if none is."""
    means = []
    for guess in guesses:
        array = data.before.get(guess.name)
        if array is None or not isinstance(guess.declared, Point | Vector):
            continue
        items = array.reshape(-1, dim)
        if _is_away(items):
            means.append(items.mean(0))
    return np.mean(means, 0) if means else np.zeros(dim)


def _is_away(items: Array) -> bool:
    """Whether the mean of items `(n, d)` is far from 0."""
    return bool(np.abs(items.mean(0)).max() > 0.25 * items.std())


def as_points(guesses: Sequence[FieldGuess], data: Transitions, dim: int) -> list[FieldGuess]:
    """Arrows of unsure type whose mean is far from 0 are places."""
    found = []
    for guess in guesses:
        array = data.before.get(guess.name)
        arrow = isinstance(guess.declared, Vector) and not guess.sure
        if arrow and array is not None and _is_away(array.reshape(-1, dim)):
            guess = replace(guess, declared=Point(guess.declared.size(dim) // dim))
        found.append(guess)
    return found


def _tried(
    model: LocalModel,
    rows: Transitions,
    guesses: Sequence[FieldGuess],
    name: str,
    matrix: Array,
    centre: Array,
    free: bool,
) -> FiniteGuess:
    """With the signs, the headings' axis and the centre under which it deviates least."""
    from scipy.optimize import minimize

    improper = np.linalg.det(matrix) < 0
    signs = {
        guess.name: (1,) * guess.declared.size(len(matrix))
        for guess in guesses
        if isinstance(guess.declared, Scalar)
    }
    headings = improper and any(isinstance(guess.declared, Heading) for guess in guesses)

    def deviation(about: Array, told: dict[str, tuple[int, ...]], axis: float) -> float:
        return _deviation(model, rows, guesses, matrix, about, told, axis)

    axis = min(_AXES, key=lambda each: deviation(centre, signs, each)) if headings else 0.0
    best = deviation(centre, signs, axis)
    for key in signs if improper else ():
        for place in range(len(signs[key])):
            flipped = tuple(-sign if i == place else sign for i, sign in enumerate(signs[key]))
            less = deviation(centre, {**signs, key: flipped}, axis)
            if less < best:
                best, signs = less, {**signs, key: flipped}
    points = any(isinstance(guess.declared, Point) for guess in guesses)
    if free and points:
        found = minimize(
            lambda about: deviation(about, signs, axis), centre, method="Nelder-Mead", options={"maxiter": 40}
        )
        if found.fun < best:
            best, centre = float(found.fun), found.x
    return FiniteGuess(name, matrix, best, model.error, signs, axis, np.asarray(centre))


def _deviation(
    model: LocalModel,
    rows: Transitions,
    guesses: Sequence[FieldGuess],
    matrix: Array,
    centre: Array,
    signs: dict[str, tuple[int, ...]],
    axis: float,
) -> float:
    """What f(g x) − g f(x) is less than in three of four rows, in shares of the changes' root mean square."""
    fields = {guess.name: guess.declared for guess in guesses}

    def linear(name: str, array: Array) -> Array:
        field = fields[name]
        if isinstance(field, Point | Vector):
            return (array.reshape(len(array), -1, len(matrix)) @ matrix.T).reshape(array.shape)
        if isinstance(field, Heading):
            return array * np.sign(np.linalg.det(matrix))
        return array * np.array(signs.get(name, (1,)))

    def moved(name: str, array: Array) -> Array:
        found, field = linear(name, array), fields[name]
        if isinstance(field, Point):
            found = found + np.tile(centre - matrix @ centre, field.count)
        if isinstance(field, Heading):
            turn = np.arctan2(matrix[1, 0], matrix[0, 0])
            found = found + turn - (2 * axis if np.linalg.det(matrix) < 0 else 0.0)
        return found

    state = {name: rows.before[name] for name in model.names}
    there = model.change({name: moved(name, array) for name, array in state.items()}, moved("", rows.action))
    off, size = list[Array](), list[Array]()
    for name, change in model.change(state, rows.action).items():
        scale = model.scales[name]
        off.append((there[name] - linear(name, change)) / scale)
        size.append(change / scale)
    return deviation_share(off, size)


def finite_group(found: Sequence[FiniteGuess], dim: int) -> Group | None:
    """The group that those generate which hold; None if none does."""
    holding = [each for each in found if each.holds]
    if not holding:
        return None
    if dim == 2:
        orders = [int(each.name.rsplit("/", 1)[1]) for each in holding if each.name.startswith("turn")]
        order = int(np.lcm.reduce(orders)) if orders else 1
        mirrors = [each for each in holding if np.linalg.det(each.matrix) < 0]
        if not mirrors:
            return Cyclic(order)
        if order > 1 and any(each.matrix[0, 0] > 0 for each in mirrors):
            return Dihedral(order)
    return Isometries(np.unique([each.matrix for each in holding], axis=0))


def with_signs(guesses: Sequence[FieldGuess], mirror: FiniteGuess) -> list[FieldGuess]:
    """Single numbers that a mirror negates are pseudoscalars, and headings have its axis."""
    found = []
    for guess in guesses:
        signs = mirror.signs.get(guess.name, ())
        about = mirror.places.get(guess.name, ())
        if any(about):  # x ↦ 2c − x, as an angle is mirrored
            guess = replace(guess, declared=Heading(len(signs), axis=-about[0] % np.pi))
        elif isinstance(guess.declared, Scalar) and signs and set(signs) == {-1}:
            guess = replace(guess, declared=Pseudoscalar(guess.declared.count))
        elif isinstance(guess.declared, Scalar) and len(set(signs)) > 1:
            parts = tuple(Scalar() if sign > 0 else Pseudoscalar() for sign in signs)
            guess = replace(guess, declared=Concatenation(parts))
        elif isinstance(guess.declared, Heading):
            guess = replace(guess, declared=replace(guess.declared, axis=mirror.axis))
        found.append(guess)
    return found
