"""What breaks a symmetry, as something that is observed: then it turns along with everything else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiworld.arguments import instance, reals
from equiworld.errors import ArgumentError
from equiworld.groups import Group, GroupElement
from equiworld.groups.matrix_group import checked_group
from equiworld.symmetry.field import Field
from equiworld.symmetry.surfaces import Surfaces
from equiworld.symmetry.symmetry import Symmetry

__all__ = ["Context", "is_kept", "with_context"]

_KEPT = 1e-9  # relative
_DRAWN = 64

Place = Callable[[Any, NDArray[np.float64]], None]


@dataclass(frozen=True)
class Context:
    """One thing that singles out a place or a direction: gravity, walls, a table, the axes of an action box, a camera.

    A policy or model that observes it obeys π(g·s, g·c) = g·π(s, c) for the whole group, while in a world whose c stays
    put only the subgroup of g with g·c = c is left of it.

    Attributes:
        name: of the observed field.
        field: how it transforms: `Vector()` for gravity, `Segments(4)` or `Planes(1)` for walls or a table.
        value: its numbers where the simulator has it, `(size,)`, constant.
        place: `place(env, value)` puts it elsewhere in the unwrapped environment, from its next reset on; None where
            nobody can.

    Raises:
        ArgumentError: an attribute is of another kind, or numbers are not finite.

    >>> from equiworld.groups import SO3
    >>> from equiworld.symmetry import Vector
    >>> Context("gravity", Vector(), (0.0, 0.0, -9.81)).moved(SO3().rotation([np.pi, 0.0, 0.0])).round(6) + 0.0
    array([0.  , 0.  , 9.81])
    """

    name: str
    field: Field
    value: Sequence[float]
    place: Place | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise ArgumentError("context.name", self.name, "the name of a field")
        instance("context.field", self.field, Field)
        numbers = reals("context.value", self.value)
        if numbers.ndim != 1 or not np.isfinite(numbers).all():
            raise ArgumentError("context.value", self.value, "finite numbers (size,)")
        object.__setattr__(self, "value", tuple(numbers.tolist()))
        if self.place is not None and not callable(self.place):
            raise ArgumentError("context.place", repr(self.place), "a function (env, value), or None")

    def numbers(self, dim: int) -> NDArray[np.float64]:
        """The value as an array `(size,)`.

        Raises:
            ArgumentError: the field has another size.
        """
        if len(self.value) != self.field.size(dim):
            raise ArgumentError(
                f"context {self.name!r}",
                f"{len(self.value)} numbers",
                f"{self.field.size(dim)}, {self.field!r}",
            )
        return np.array(self.value)

    def moved(self, g: GroupElement, centre: Sequence[float] | None = None) -> NDArray[np.float64]:
        """g·value, `(size,)`."""
        return np.asarray(self.field.transform(g, self.numbers(g.dim), centre, self.name), np.float64)


def with_context(symmetry: Symmetry, contexts: Iterable[Context], holds: str = "everywhere") -> Symmetry:
    """The declaration of what is observed with the contexts at its end, as parts of the state.

    In a Dict each is a key of its own; in one array their numbers follow behind the others.

    Args:
        symmetry: of the environment without them.
        contexts: with names that no field has yet.
        holds: where the symmetry holds then.

    Raises:
        ArgumentError: a name is taken, or a field does not have the value's size.

    >>> from equiworld.groups import SE2
    >>> from equiworld.symmetry import Point, Vector
    >>> ball = Symmetry(SE2(), {"ball": Point()}, action=Vector())
    >>> with_context(ball, [Context("gravity", Vector(), (0.0, -9.81))]).state
    ('ball', 'gravity')
    """
    instance("symmetry", symmetry, Symmetry)
    fields, places, dim = dict(symmetry.observation), dict(symmetry.places), symmetry.dim
    chosen = checked_contexts(contexts, dim)
    start = symmetry.arrays()["observation"].size(dim) if symmetry.flat and places else 0
    for context in chosen:
        if context.name in fields:
            raise ArgumentError("context", f"{context.name!r}, which is observed already", "another name")
        fields[context.name], stop = context.field, start + context.field.size(dim)
        if symmetry.flat and places:
            places[context.name], start = ("observation", tuple(range(start, stop))), stop
    if symmetry.flat and symmetry.shapes:
        raise ArgumentError("symmetry", "an array of several axes", "an array of one axis, or a Dict")
    state = (*symmetry.state, *(context.name for context in chosen))
    return replace(symmetry, observation=fields, places=places, state=state, holds=holds)


def checked_contexts(contexts: Iterable[Context], dim: int) -> tuple[Context, ...]:
    """Contexts whose fields are of that dimension, with a name each."""
    if not isinstance(contexts, Iterable):
        raise ArgumentError("contexts", contexts, "a sequence of Context")
    chosen = tuple(contexts)
    for context in chosen:
        instance("context", context, Context)
        context.numbers(dim)
    names = [context.name for context in chosen]
    if not names or len(set(names)) < len(names):
        raise ArgumentError("context", names or "none", "one context or more, each with a name of its own")
    return chosen


def is_kept(group: Group, contexts: Iterable[Context], centre: Sequence[float] | None = None) -> bool:
    """Whether all elements of a group leave contexts as they are, surfaces as a set: all of a finite group, or 64.

    Args:
        group: that is tried, a candidate for `Symmetry.restricted`.
        contexts: that stay put.
        centre: what elements turn about; the origin if None.

    >>> from equiworld.groups import SE2, SO3
    >>> from equiworld.symmetry import Vector
    >>> gravity = Context("gravity", Vector(), (0.0, 0.0, -9.81))
    >>> is_kept(SE2(axis=(0, 0, 1)), [gravity]), is_kept(SO3(), [gravity])
    (True, False)
    """
    checked = checked_contexts(contexts, checked_group("group", group).dim)
    elements = group.elements() if group.finite else group.sample(np.random.default_rng(0), _DRAWN)
    for context in checked:
        before, field = context.numbers(group.dim), context.field
        after = np.asarray(field.transform(elements, before, centre, context.name), np.float64)
        if isinstance(field, Surfaces):
            apart = field.apart(after, before, group.dim)
        else:
            apart = np.abs(after - before).max(-1)
        if not (apart <= _KEPT * max(1.0, np.abs(before).max())).all():
            return False
    return True
