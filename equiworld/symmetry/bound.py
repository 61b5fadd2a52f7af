"""Which actions are allowed, part by part: balls for vectors, intervals for scalars."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiworld.arguments import array_of, integer, number
from equiworld.errors import ArgumentError
from equiworld.symmetry.concatenation import leaves, placed
from equiworld.symmetry.fields import Heading, Rotation
from equiworld.symmetry.labelled import Orthogonal
from equiworld.symmetry.symmetry import Symmetry

__all__ = ["ActionSpace", "Bound", "bounds_from_dicts", "bounds_of_data", "bounds_of_space", "parts_of"]


@dataclass(frozen=True)
class Bound:
    """The bound of one part of an action, consecutive numbers that are alike.

    A ball turns into itself, a box does not: vectors have a ball, numbers that do not turn an interval each.

    Attributes:
        radius: longest vector, of each vector of the part; None for no limit.
        low: smallest numbers, one for all or one each; None or -inf for no limit.
        high: largest numbers, likewise.
        size: numbers in the part; None for the whole action.
        item: numbers in each vector of the part; None for one vector.

    >>> Bound(radius=2.0, size=4, item=2).unit
    2.0
    >>> Bound(low=-1.0, high=[1.0, 3.0]).unit
    (1.0, 2.0)
    """

    radius: float | None = None
    low: Any = None
    high: Any = None
    size: int | None = None
    item: int | None = None

    def __post_init__(self) -> None:
        if self.radius is not None:
            object.__setattr__(self, "radius", number("bound.radius", self.radius, above=0.0))
        for name in ("size", "item"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, integer(f"bound.{name}", getattr(self, name), least=1))
        for name in ("low", "high"):
            object.__setattr__(self, name, _limits(f"bound.{name}", getattr(self, name), name == "low"))
        sizes = {len(each) for each in (self.low, self.high) if isinstance(each, tuple)}
        if len(sizes) > 1:
            raise ArgumentError("bound", f"{len(self.low)} low and {len(self.high)} high", "as many of both")
        low, high = (np.asarray(math.nan if each is None else each) for each in (self.low, self.high))
        if (low > high).any():
            raise ArgumentError("bound", f"low {self.low} above high {self.high}", "low ≤ high")

    @property
    def open(self) -> bool:
        """Whether some number has no limit to one of its sides."""
        if self.radius is not None:
            return False
        sides = (self.low, self.high)
        return any(each is None or not np.isfinite(each).all() for each in sides)

    @property
    def unit(self) -> float | tuple[float, ...]:
        """A typical size of the numbers, the unit of a planner's noise: radius, or half of an interval."""
        if self.radius is not None:
            return self.radius
        if self.open:
            return 1.0
        half = (np.asarray(self.high, np.float64) - np.asarray(self.low, np.float64)) / 2
        half = np.where(half > 0, half, 1.0)
        return float(half) if half.ndim == 0 else tuple(half.tolist())

    def narrowed(self, values: NDArray[np.floating]) -> Bound:
        """This bound within what was seen, values `(N, size)` of the part."""
        if self.item is not None:
            longest = float(np.linalg.norm(values.reshape(len(values), -1, self.item), axis=-1).max())
            if not longest > 0:
                return self
            return replace(self, radius=longest if self.radius is None else min(self.radius, longest))
        low, high = values.min(0), values.max(0)
        if self.low is not None:
            low = np.maximum(low, self.low)
        if self.high is not None:
            high = np.minimum(high, self.high)
        return replace(self, low=np.minimum(low, high).tolist(), high=np.maximum(low, high).tolist())

    def to_dict(self) -> dict[str, Any]:
        """JSON-able values; infinite limits are None."""
        found = {name: _finite(getattr(self, name)) for name in ("radius", "low", "high", "size", "item")}
        return {name: value for name, value in found.items() if value is not None}


def _finite(value: Any) -> Any:
    """The value with None for infinite numbers."""
    if isinstance(value, tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and math.isinf(value) else value


def _limits(name: str, value: Any, low: bool) -> Any:
    """Limits as plain numbers; None where there is none."""
    if value is None:
        return None
    if isinstance(value, Sequence) and not isinstance(value, str):
        value = [(-math.inf if low else math.inf) if each is None else each for each in value]
    array = array_of(name, value)
    if array.size and array.dtype.kind not in "iuf":
        raise ArgumentError(name, repr(value), "numbers")
    array = array.astype(np.float64)
    if array.ndim > 1 or np.isnan(array).any():
        raise ArgumentError(name, repr(value), "a number, or one for each number of the action, not NaN")
    return float(array) if array.ndim == 0 else tuple(array.tolist())


def parts_of(bounds: Sequence[Bound]) -> list[tuple[slice, Bound]]:
    """Where the numbers lie that each bound is for."""
    found, start = [], 0
    for bound in bounds:
        assert bound.size is not None
        found.append((slice(start, start + bound.size), bound))
        start += bound.size
    return found


def bounds_of_space(symmetry: Symmetry, space: Any) -> tuple[Bound, ...]:
    """The bounds of an action space, part by part.

    Of a box on a vector that is the largest ball about 0 inside it, of one on a position a ball of half its narrower
    side, about the point that the position is seen from.

    Args:
        symmetry: whose action it is.
        space: a Box, or a ball, which has a `radius`.

    Raises:
        ArgumentError: it holds another number of numbers than the declared action; or nothing is left of the range of
            a number, for its images have another.
    """
    low, high = (side.copy() for side in _sides(symmetry, space))
    ranged = low < high
    radius, found = getattr(space, "radius", None), list[Bound]()
    if symmetry.action.labelled:  # what takes another's place has to fit there
        centre = np.asarray(symmetry.centre)
        sides = [symmetry.action.bounds(g, low, high, centre) for g in symmetry.group.section()]
        low, high = (
            np.maximum.reduce([side[0] for side in sides]),
            np.minimum.reduce([side[1] for side in sides]),
        )
    for leaf, part in placed(symmetry.action, symmetry.dim):
        blank = _blank(symmetry, leaf)
        if leaf.pseudo and blank.item is None and not symmetry.group.proper:
            high[part] = np.minimum(-low[part], high[part])
            low[part] = -high[part]
        gone = low[part] > high[part]
        if blank.item is None:
            gone |= ranged[part] & (low[part] == high[part])
        if gone.any():
            expected = (
                f"bounds that {symmetry.group!r} leaves some range of: that overlap for numbers that take each other's "
                "place, and have 0 inside for numbers that change sign; rescale actions before"
            )
            raise ArgumentError("action space", space, expected)
        if blank.item is not None:
            reach = (high - low)[part] / 2 if leaf.kind == "points" else np.minimum(-low[part], high[part])
            longest = float(reach.min()) if radius is None else float(radius)
            found.append(replace(blank, radius=longest if 0 < longest < math.inf else None))
        elif isinstance(leaf, Heading):
            found.append(blank)
        else:
            found.append(replace(blank, low=low[part].tolist(), high=high[part].tolist()))
    return tuple(found)


def bounds_of_data(
    symmetry: Symmetry,
    bounds: Sequence[Bound],
    action: NDArray[np.floating],
    origin: NDArray[np.floating] | None = None,
) -> tuple[Bound, ...]:
    """The bounds within what actions `(N, size)` of a data set ask for; made of them alone where there are none.

    Args:
        symmetry: whose actions they are.
        bounds: known before.
        action: in the environment's units.
        origin: `(N, d)`, where positions are seen from; the symmetry's centre if None.
    """
    found = list[Bound]()
    if symmetry.action.labelled:
        images = [symmetry.transform_action(g, action) for g in symmetry.group.section()]
        action = np.concatenate(images)
        origin = None if origin is None else np.tile(origin, (len(images), 1))
    for index, (leaf, part) in enumerate(placed(symmetry.action, symmetry.dim)):
        values = np.asarray(action[:, part], np.float64)
        if leaf.kind == "points":
            here = np.asarray(symmetry.centre) if origin is None else origin
            values = values - np.tile(here, values.shape[-1] // symmetry.dim)
        bound = bounds[index] if bounds else _blank(symmetry, leaf)
        if leaf.pseudo and not symmetry.group.proper and bound.item is None:
            values = np.concatenate([values, -values])
        found.append(bound if isinstance(leaf, Heading) else bound.narrowed(values))
    return tuple(found)


def bounds_from_dicts(symmetry: Symmetry, data: Any) -> tuple[Bound, ...]:
    """What `Bound.to_dict` gave of each part; also the two forms of release 0.1.0, a radius or a box for all parts."""
    if not data:
        return ()
    if isinstance(data, Mapping):
        if "radius" in data:
            return tuple(
                replace(_blank(symmetry, leaf), radius=data["radius"]) for leaf in leaves(symmetry.action)
            )
        return bounds_of_space(symmetry, SimpleNamespace(low=data["low"], high=data["high"]))
    return tuple(Bound(**one) for one in data)


@dataclass(frozen=True)
class ActionSpace:
    """What an environment takes, as far as its symmetry does not say it.

    Attributes:
        low: smallest numbers, `(size,)`; None where nothing is known.
        high: largest numbers, likewise.
        dtype: of actions.
    """

    low: tuple[float, ...] | None = None
    high: tuple[float, ...] | None = None
    dtype: str = "float64"

    @staticmethod
    def of(symmetry: Symmetry, space: Any) -> ActionSpace:
        """That of a Box, or a ball.

        Raises:
            ArgumentError: it holds another number of numbers than the declared action.
        """
        low, high = (tuple(side.tolist()) for side in _sides(symmetry, space))
        return ActionSpace(low, high, str(np.dtype(space.dtype)))

    def clip(self, actions: NDArray[np.float64]) -> NDArray[np.float64]:
        """Actions `(…, size)` within the box."""
        if self.low is None or self.high is None:
            return actions
        return np.clip(actions, self.low, self.high)

    def circumscribed(self, bounds: Sequence[Bound]) -> tuple[Bound, ...]:
        """Bounds whose balls hold the whole box, for vectors that are clipped to it."""
        found = list[Bound]()
        for part, bound in parts_of(bounds):
            if bound.item is not None and self.low is not None and self.high is not None:
                corner = np.maximum(np.abs(self.low[part]), np.abs(self.high[part])).reshape(-1, bound.item)
                reach = float(np.linalg.norm(corner, axis=-1).max())
                bound = replace(bound, radius=reach if math.isfinite(reach) else bound.radius)
            found.append(bound)
        return tuple(found)


def _blank(symmetry: Symmetry, leaf: Any) -> Bound:
    """The bound of a part without limits."""
    size = leaf.size(symmetry.dim)
    if isinstance(leaf, Rotation):
        raise ArgumentError("action", repr(leaf), "an action of scalars, vectors, points or headings")
    if isinstance(leaf, Heading):
        return Bound(low=-math.pi, high=math.pi, size=size)
    if isinstance(leaf, Orthogonal):
        return Bound(size=size, item=size)
    return Bound(size=size, item=symmetry.dim if leaf.kind != "scalars" else None)


def _sides(symmetry: Symmetry, space: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The least and the largest numbers of an action space, `(size,)`."""
    low, high = (np.asarray(each, np.float64).ravel() for each in (space.low, space.high))
    size = symmetry.action.size(symmetry.dim)
    if len(low) != size:
        raise ArgumentError("action space", f"{space} of {len(low)} numbers", f"{size}, as declared")
    return low, high
