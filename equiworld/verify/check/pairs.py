"""What was seen at s beside what was seen at g·s, and how far the one is from ρ(g) of the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from equiworld.groups import GroupElement
from equiworld.groups.arrays import Array
from equiworld.symmetry import Cloud, Field, Symmetry
from equiworld.symmetry.concatenation import units
from equiworld.verify.check.trials import Run
from equiworld.verify.distances import sizes

__all__ = ["EXACT", "STILL", "Block", "Pairs", "blocks_of", "field_distance", "gathered"]

EXACT = 1e-9
"""Relative to a field's own scale: what differs by less differs by rounding alone."""

STILL = 1e-9
"""Of a typical number: what changes by less does not change."""

_ROUNDINGS = 4  # of the largest number, in the dtype that it is given in


@dataclass(frozen=True)
class Pairs:
    """Arrays of one field, seen from s and from g·s at the same step, n rows of each.

    Attributes:
        before: `(n, size)`, at s.
        after: `(n, size)`, at g·s.
        element: `(n,)`, which g.
        state: `(n,)`, which s.
        step: `(n,)`, after how many actions.
        eps: the rounding of the numbers' dtype.
    """

    before: Array
    after: Array
    element: NDArray[np.int_]
    state: NDArray[np.int_]
    step: NDArray[np.int_]
    eps: float = float(np.finfo(np.float64).eps)

    def __len__(self) -> int:
        return len(self.before)

    def where(self, chosen: NDArray[np.bool_]) -> Pairs:
        """Some of the rows."""
        names = ("before", "after", "element", "state", "step")
        return replace(self, **{name: getattr(self, name)[chosen] for name in names})

    def at(self, places: Sequence[int]) -> Pairs:
        """Some of the numbers."""
        columns = list(places)
        return replace(self, before=self.before[:, columns], after=self.after[:, columns])

    @property
    def first(self) -> Pairs:
        """Those of the earliest step that has any: right after the move, where only the look was moved."""
        return self.where(self.step == self.step.min()) if len(self) else self


@dataclass(frozen=True)
class Block:
    """Numbers of a field that transform by themselves, and how far they are from where they should be.

    Attributes:
        declared: their field.
        places: of the numbers in the whole field.
        error: `(n,)`, the distance from ρ(g)·before, as Features: orientations are compared as such.
        unit: what errors are measured in: by how much the numbers differ among all that was seen; if they never
            changed, their size.
        still: whether they never changed.
        allowed: the largest error that is rounding.
    """

    declared: Field
    places: tuple[int, ...]
    error: Array
    unit: float
    still: bool
    allowed: float

    @property
    def relative(self) -> Array:
        """The errors in that unit, `(n,)`."""
        return self.error / self.unit

    def within(self, tolerance: float = 0.0) -> NDArray[np.bool_]:
        """`(n,)`, which errors are rounding, or within a relative tolerance."""
        return self.error <= max(self.allowed, tolerance * self.unit)


def gathered(
    reference: Sequence[Run],
    turned: Mapping[tuple[int, int], Run],
    roundings: Mapping[tuple[str, str], float],
) -> dict[str, dict[str, Pairs]]:
    """All that was seen by role ("observation", "info", "reward", "end") and name.

    Args:
        reference: by state, the run from s.
        turned: by state and element, the run from g·s.
        roundings: by role and name, the eps of their dtype where it is coarser than float64.
    """
    rows: dict[str, dict[str, list[tuple[Array, Array, int, int, int]]]] = {
        role: {} for role in ("observation", "info", "reward", "end")
    }
    for (state, element), run in turned.items():
        for step, (here, there) in enumerate(zip(reference[state], run, strict=False)):
            sides: list[tuple[str, str, Array, Array]] = [
                ("observation", name, array, there.observation[name])
                for name, array in here.observation.items()
            ]
            sides += [
                ("info", name, here.info[name], there.info[name]) for name in here.info if name in there.info
            ]
            if here.reward is not None and there.reward is not None:
                sides.append(("reward", "reward", np.array([[here.reward]]), np.array([[there.reward]])))
            if here.ended is not None and there.ended is not None:
                one, other = (np.array([each], np.float64) for each in (here.ended, there.ended))
                sides.append(("end", "end", one, other))
            for role, name, before, after in sides:
                rows[role].setdefault(name, []).append((before, after, element, state, step))
    # A reward is made of what is observed, in whatever dtype that is.
    eps = {**roundings, ("reward", "reward"): max(roundings.values(), default=None)}
    return {
        role: {name: _stacked(each, eps.get((role, name))) for name, each in named.items()}
        for role, named in rows.items()
    }


def _stacked(rows: Sequence[tuple[Array, Array, int, int, int]], eps: float | None) -> Pairs:
    counts = [len(before) for before, *_ in rows]
    element, state, step = (np.repeat([row[place] for row in rows], counts) for place in (2, 3, 4))
    before, after = (np.concatenate([row[side] for row in rows]) for side in (0, 1))
    found = Pairs(before, after, element, state, step)
    return found if eps is None else replace(found, eps=eps)


def blocks_of(
    declared: Field, pairs: Pairs, elements: GroupElement, symmetry: Symmetry, slack: float = 0.0
) -> list[Block]:
    """The blocks of a field, each compared in its own scale.

    Args:
        declared: the field, or another one of its size.
        pairs: one row or more.
        elements: the batch that `pairs.element` points into.
        symmetry: whose centre things are turned about.
        slack: a further relative error that is allowed, for actions that were rounded on their way.
    """
    centre = np.asarray(symmetry.centre)
    expected: Array = np.asarray(
        declared.transform(elements[pairs.element], pairs.before, centre), np.float64
    )
    found = []
    for part, places in units(declared, symmetry.dim):
        columns = places.tolist()
        both = np.concatenate([pairs.before[:, columns], pairs.after[:, columns]])
        largest = float(np.abs(both).max(initial=0.0))
        typical = part.scale or 1.0
        apart = spread(part, both, centre)
        still = apart <= max(STILL * typical, _ROUNDINGS * pairs.eps * largest)
        unit = max(largest, typical) if still else apart
        error = field_distance(part, pairs.after[:, columns], expected[:, columns], centre)
        allowed = max(EXACT, slack) * unit + _ROUNDINGS * pairs.eps * largest
        found.append(Block(part, tuple(columns), error, unit, still, allowed))
    return found


def spread(declared: Field, arrays: Array, centre: Array) -> float:
    """The largest distance of any item from the middle of where it ever was."""
    found = [0.0]
    for kind, channels in declared.encode(arrays, centre).items():
        away = channels - (channels.max(0) + channels.min(0)) / 2
        found.append(float(sizes(kind, away).max(initial=0.0)))
    return max(found)


def field_distance(declared: Field, first: Array, second: Array, centre: Array) -> Array:
    """`(n,)`, the largest distance of any item of arrays `(n, size)`, as Features; of clouds in whatever order."""
    channels = [declared.encode(array, centre) for array in (first, second)]
    largest = np.zeros(len(first))
    for kind, one in channels[0].items():
        largest = np.maximum(largest, sizes(kind, one - channels[1][kind]).max(-1, initial=0.0))
    if isinstance(declared, Cloud):
        apart = np.flatnonzero(largest > EXACT * np.abs(first).max())
        for row in apart.tolist():
            clouds = [each["points"][row].T for each in channels]
            between = np.linalg.norm(clouds[0][:, None] - clouds[1], axis=-1)
            largest[row] = min(largest[row], max(between.min(0).max(), between.min(1).max()))
    return largest
