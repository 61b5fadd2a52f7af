"""What an action space leaves of actions in the world, part by part, so that as much as can be turns with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from equiworld.errors import ArgumentError
from equiworld.symmetry.bound import ActionSpace, Bound, bounds_from_dicts, bounds_of_space, parts_of
from equiworld.symmetry.concatenation import leaves
from equiworld.symmetry.constants import constant
from equiworld.symmetry.fields import Heading, Rotation
from equiworld.symmetry.symmetry import Symmetry

__all__ = ["CUTS", "Limits", "bounds_in_world", "project"]

CUTS = (
    "the box of the action space cuts off what turns, for it is used whole, holds no ball about 0, or has other bounds "
    "for what trades places: exact only within it; rescale actions"
)
"""Said of a box that does not turn with the world."""

_BEYOND_ROUNDING = 1e-6  # share of an action that a clip must move to be more than rounding


@dataclass(frozen=True)
class Limits:
    """Which actions an environment takes.

    Attributes:
        bounds: that hold in the world: balls about 0, which turn into themselves, and intervals of what does not turn.
        space: the environment's; what it cuts off beyond the bounds does not turn.
    """

    bounds: tuple[Bound, ...] = ()
    space: ActionSpace = field(default_factory=ActionSpace)

    @property
    def is_box(self) -> bool:
        """Whether nothing but the space's own box bounds actions."""
        if (
            self.space.low is None
            or self.space.high is None
            or any(one.radius is not None for one in self.bounds)
        ):
            return False
        parts = parts_of(self.bounds)
        low, high = np.asarray(self.space.low), np.asarray(self.space.high)
        return all(
            (side is None or np.array_equal(np.broadcast_to(side, whole[where].shape), whole[where]))
            for where, one in parts
            for side, whole in ((one.low, low), (one.high, high))
        )

    @staticmethod
    def of_space(symmetry: Symmetry, space: Any, how: Literal["ball", "box"] = "ball") -> Limits:
        """The limits of an action space.

        Args:
            symmetry: whose actions it holds.
            space: a Box, or a ball.
            how: what bounds vectors in a box: the largest "ball" in it, or the "box" itself.

        Raises:
            ArgumentError: it holds another number of numbers than the declared action.
        """
        within, bounds = ActionSpace.of(symmetry, space), tuple[Bound, ...]()
        if not any(isinstance(leaf, Rotation) for leaf in leaves(symmetry.action)):  # which nothing bounds
            bounds = bounds_in_world(symmetry, bounds_of_space(symmetry, space), how)
        return Limits(bounds, within)

    def keep(self, asked: NDArray[np.float64]) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
        """Actions `(B, size)` within the space and of its dtype; and `(B,)`, where it cut off what turns."""
        asked = _shortened(asked, self.bounds)
        within = self.space.clip(asked)
        cut = np.abs(within - asked).max(-1, initial=0.0)
        if np.dtype(self.space.dtype).kind in "iu":
            within = np.rint(within)
        return within.astype(self.space.dtype), cut > _BEYOND_ROUNDING * np.abs(asked).max(-1, initial=0.0)

    def turns(self, symmetry: Symmetry) -> bool:
        """Whether what is cut off turns with the world, keep(g·a) = g·keep(a): boxes without a ball about 0 do not."""
        sides = np.abs([side for side in (self.space.low, self.space.high) if side is not None])
        widest = 2.0 * float(sides[np.isfinite(sides)].max(initial=0.5))
        size = symmetry.action.size(symmetry.dim)
        group = symmetry.group
        drawn = np.random.default_rng(0).uniform(-widest, widest, (16, size))
        asked = np.asarray(
            symmetry.transform_action(group.identity(), drawn), np.float64
        )  # angles as declared
        kept = self.keep(asked)[0]
        for g in (*group.section(), *group.sample(np.random.default_rng(1), 4, scale=widest)):
            moved = np.asarray(symmetry.transform_action(g, asked), np.float64)
            apart = np.asarray(symmetry.transform_action(g, kept), np.float64) - self.keep(moved)[0]
            if not np.abs(apart).max(initial=0.0) <= 1e-5 * widest:
                return False
        return True

    def notes(self, symmetry: Symmetry) -> tuple[str, ...]:
        """Why actions that come back to the world are equal in law only, in words; empty as a rule.

        A position beyond the space is said of each action, see `keep`: whether there will be one nobody knows before.
        """
        found, exact = [], replace(self, space=replace(self.space, dtype="float64"))
        if _rounds(symmetry, self.space.dtype):
            found.append(
                f"actions are {self.space.dtype}: rounded in the world, equal in law only; a float64 action space "
                "makes it exact"
            )
        if not (any(leaf.kind == "points" for leaf in leaves(symmetry.action)) or exact.turns(symmetry)):
            found.append(CUTS)
        return tuple(found)

    @property
    def narrowing(self) -> tuple[str, ...]:
        """What is to be said of numbers of which less is left than the space allows; empty as a rule.

        That vectors have a ball in place of a box goes without saying.
        """
        numbers, narrower = [replace(one, radius=None) for one in self.bounds], set[int]()
        for side in (self.space.low, self.space.high):
            if side is None:
                continue
            corner = np.asarray([side], np.float64)
            apart = ~np.isclose(_shortened(corner, numbers), corner)
            narrower |= set(np.flatnonzero(apart.any(0)).tolist())
        if not narrower:
            return ()
        return (
            f"numbers {sorted(narrower)} of the action have less of a range than the action space gives them: that "
            "within which numbers that take each other's place, or change sign, stay in the space; rescale actions to "
            "bounds that are alike, about 0",
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-able values; infinite limits are None."""
        sides = Bound(low=self.space.low, high=self.space.high).to_dict()
        return {"bounds": [one.to_dict() for one in self.bounds], "dtype": self.space.dtype, **sides}

    @staticmethod
    def from_dict(symmetry: Symmetry, data: Any) -> Limits:
        """What `to_dict` gave."""
        sides, dtype = Bound(low=data.get("low"), high=data.get("high")), np.dtype(data["dtype"])
        size = symmetry.action.size(symmetry.dim)
        bounds = bounds_from_dicts(symmetry, data["bounds"])
        lengths = [len(side) for side in (sides.low, sides.high) if side is not None]
        fits = all(length == size for length in lengths) and dtype.kind in "fiu"
        if not fits or sum(one.size or 0 for one in bounds) not in (0, size):
            raise ArgumentError("limits", data, f"limits of {size} numbers, and their dtype")
        return Limits(bounds, ActionSpace(sides.low, sides.high, str(dtype)))


def bounds_in_world(symmetry: Symmetry, bounds: tuple[Bound, ...], how: str) -> tuple[Bound, ...]:
    """The bounds that hold outside of the frame too: balls about 0, and intervals of what does not turn."""
    parts = list(leaves(symmetry.action))
    # Positions are seen from the frame's origin: their balls are about a point that the world does not know.
    absolute = any(leaf.kind == "points" for leaf in parts)
    found = []
    for leaf, one in zip(parts, bounds, strict=True):
        if isinstance(leaf, Heading):  # between its own ends already, which a frame does not know
            one = replace(one, low=None, high=None)
        elif one.item is not None and (absolute or how == "box"):
            one = replace(one, radius=None)
        found.append(one)
    return tuple(found)


def project(actions: Tensor, bounds: Sequence[Bound], about: Tensor | None = None) -> Tensor:
    """Bring actions `(…, size)` within bounds, in place: vectors are shortened, numbers clamped.

    Args:
        actions: written to, and returned.
        bounds: of the parts.
        about: `(size,)`, what balls are about; 0 if None.
    """
    for where, bound in parts_of(bounds):
        part = actions[..., where]
        if bound.radius is not None:
            arrows = part.unflatten(-1, (-1, bound.item or part.shape[-1]))
            middle = None if about is None else about[where].to(arrows).view(arrows.shape[-2:])
            if middle is not None:
                arrows.sub_(middle)
            length = torch.linalg.vector_norm(arrows, dim=-1, keepdim=True)
            arrows.mul_(bound.radius / length.clamp_(min=bound.radius))
            if middle is not None:
                arrows.add_(middle)
        elif bound.low is not None or bound.high is not None:
            sides = (bound.low, bound.high)
            part.clamp_(*(None if one is None else constant(one, part.dtype, part.device) for one in sides))
    return actions


def _shortened(actions: NDArray[np.float64], bounds: Sequence[Bound]) -> NDArray[np.float64]:
    """A copy of actions within bounds about 0, as `project` leaves them."""
    found = actions.copy()
    for where, bound in parts_of(bounds):
        part = found[..., where]
        if bound.radius is not None:
            item = bound.item or part.shape[-1]
            arrows = part.reshape(*part.shape[:-1], part.shape[-1] // item, item)
            length = np.sqrt(np.square(arrows).sum(-1, keepdims=True))
            found[..., where] = (arrows * (bound.radius / np.maximum(length, bound.radius))).reshape(
                part.shape
            )
        elif bound.low is not None or bound.high is not None:
            found[..., where] = np.clip(part, bound.low, bound.high)
    return found


def _rounds(symmetry: Symmetry, dtype: Any) -> bool:
    """Whether an action space's dtype rounds what turns; numbers that trade places are rounded alike."""
    kind = np.dtype(dtype)
    return (kind.kind != "f" or kind.itemsize < 8) and _mixes(symmetry)


def _mixes(symmetry: Symmetry) -> bool:
    """Whether some element makes a number of an action of several, or turns an angle."""
    images = symmetry.action.label_images(symmetry.group)
    if any(not np.isin(each, (-1.0, 0.0, 1.0)).all() for each in images.values()):
        return True
    if all(leaf.kind == "scalars" for leaf in leaves(symmetry.action)):
        return False
    return not symmetry.group.finite or not np.isin(symmetry.group.section().matrix, (-1.0, 0.0, 1.0)).all()
