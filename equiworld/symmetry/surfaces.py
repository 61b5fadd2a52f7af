"""Walls and tables: surfaces of a scene that bodies meet, interchangeable among each other."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field

import numpy as np
import torch
from torch import Tensor

from equiworld.arguments import integer, number, reals
from equiworld.errors import ArgumentError
from equiworld.symmetry.concatenation import Concatenation
from equiworld.symmetry.field import Array, Field
from equiworld.symmetry.fields import Point, Vector

__all__ = ["Planes", "Segments", "Surfaces"]

_REACH, _REACH_OF_OUTLINES = 1.5, 0.05  # length scales
_POWERS = 3  # as many vectors tell as many surfaces apart


@dataclass(frozen=True)
class Surfaces(Concatenation):
    """n surfaces whose order means nothing, each known by points and vectors that turn with the scene.

    Models do not see these numbers. A surface is met by a body whose gap to it is less than the reach, and only there
    is it seen: as an arrow a = n (reach − gap), n being the direction from the body to the surface's nearest point. The
    gap is the distance along n less how far the outline sticks out that way, max n·(c − p) over its points c, so it is
    negative for a body that is inside. Models see the sums Σ a min(|a|/reach, 1)^k of all arrows, k = 0, 1, 2: they
    know no order, and nothing jumps where two surfaces are equally near. Opposite walls that are equally near, in a
    corridor narrower than twice the reach, cancel; where that matters a smaller reach helps, or walls declared as
    points in a fixed order.

    Attributes:
        n: how many.
        reach: how small a gap must be for a surface to be met, in the units of the points; None for 0.05 length scales
            from the outline, or for 1.5 from a body of unknown outline.
        outline: points of the body's convex hull that may touch, in its own axes, those of its declared `heading` or
            rotation, about its `reference`; its reference alone if there are none. In a group with reflections of the
            plane the heading must be an axis of mirror symmetry.
    """

    parts: tuple[Field, ...] = dataclass_field(init=False, repr=False, compare=False, default=())
    n: int = 1
    reach: float | None = None
    outline: Sequence[Sequence[float]] = dataclass_field(default=(), repr=False)

    def __post_init__(self) -> None:
        name = type(self).__name__
        object.__setattr__(self, "n", integer(f"{name}.n", self.n, least=1))
        if self.reach is not None:
            object.__setattr__(self, "reach", number(f"{name}.reach", self.reach, above=0.0))
        outline = reals(f"{name}.outline", self.outline)
        if outline.size and (outline.ndim != 2 or not np.isfinite(outline).all()):
            raise ArgumentError(f"{name}.outline", self.outline, "finite points (n, d)")
        object.__setattr__(self, "outline", tuple(map(tuple, outline.tolist())))
        object.__setattr__(self, "parts", self._parts())
        super().__post_init__()

    @abstractmethod
    def _parts(self) -> tuple[Field, ...]:
        """The fields that its numbers are, one behind the other: points first."""

    @abstractmethod
    def away(self, points: Tensor, vectors: Tensor, origin: Tensor) -> Tensor:
        """The way from an origin to the nearest point of each surface.

        Args:
            points: `(…, d, m)`, those of the surfaces.
            vectors: `(…, d, k)`, likewise.
            origin: `(…, d, 1)`.

        Returns:
            `(…, d, n)`.
        """

    @property
    def channels(self) -> int:
        """Vectors that a model sees of them all."""
        return min(self.n, _POWERS)

    def reach_in(self, length_scale: float) -> float:
        """The reach, in the units of the points."""
        usual = (_REACH_OF_OUTLINES if self.outline else _REACH) * length_scale
        return usual if self.reach is None else self.reach

    def seen(
        self,
        points: Tensor,
        vectors: Tensor,
        origin: Tensor,
        length_scale: float,
        corners: Tensor | None = None,
        before: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """What a model sees of the surfaces, see the class, and how near they are.

        Args:
            points: `(…, d, m)`, those of the surfaces.
            vectors: `(…, d, k)`, likewise.
            origin: of the body, `(…, d, 1)`.
            length_scale: of the declaration.
            corners: of the body's outline, from its origin, `(…, d, c)`; None for none.
            before: where the origin was: a surface between the two has been gone through, and the gap to it is
                negative. None for a body that was where it is.

        Returns:
            Arrows `(…, d, channels)`, and of the nearest surface 1 − gap / reach, at least 0, `(…)`.

        >>> points, nothing = torch.tensor([[0.0, 0.0], [-9.0, 9.0]]), torch.zeros(2, 0)
        >>> arrows, near = Segments(1, reach=10.0).seen(points, nothing, torch.tensor([[4.0], [1.0]]), 1.0)
        >>> arrows.flatten(), near
        (tensor([-6.,  0.]), tensor(0.6000))
        """
        way = self.away(points, vectors, origin)
        # Not `vector_norm`: at length 0 its gradient has no value, and backwards neither has the product.
        squared = way.square().sum(-2, keepdim=True)
        reach = self.reach_in(length_scale)
        length = squared.clamp(min=(1e-9 * reach) ** 2).sqrt()
        if before is not None:
            through = (way * self.away(points, vectors, before)).sum(-2, keepdim=True) < 0.0
            length = torch.where(through, -length, length)
        direction, gap = way / length, length
        if corners is not None:
            gap = length - (direction.mT @ corners).amax(-1).unsqueeze(-2)
        share = ((reach - gap) / reach).clamp(min=0.0)
        arrows, bounded = direction * (reach * share), share.clamp(max=1.0)
        seen = torch.stack([(arrows * bounded**power).sum(-1) for power in range(self.channels)], -1)
        return seen, share.amax(-1).squeeze(-1)

    def apart(self, some: Array, other: Array, dim: int) -> Array:
        """How far each of some sets of surfaces `(…, size)` is from being another set `(size,)`, `(…)`.

        The largest distance, number by number, of one of its surfaces from the nearest one of the other set.
        """
        here, there = self._forms(some, dim)[..., :1, :], self._forms(other, dim)
        distances = np.abs(here[..., None, :, :] - there).max(-1)  # (…, n, n, k)
        return distances.min((-1, -2)).max(-1)

    @abstractmethod
    def _forms(self, numbers: Array, dim: int) -> Array:
        """The equal descriptions of each surface, `(…, n, k, m)`."""

    @abstractmethod
    def ordered(self, points: Tensor, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """The same surfaces, points `(B, d, m)` and vectors `(B, d, k)`, in the order of their coordinates."""


@dataclass(frozen=True)
class Segments(Surfaces):
    """n straight walls of the plane, or rods in space, each from one point to another: x0 y0 x1 y1 of each.

    Neither the order of the walls nor which end comes first means anything.

    >>> from equiworld.groups import SE2
    >>> import numpy as np
    >>> Segments(1).transform(SE2().rotation(np.pi / 2), [0.0, 0.0, 2.0, 0.0]).round(9) + 0.0
    array([0., 0., 0., 2.])
    """

    def _parts(self) -> tuple[Field, ...]:
        return (Point(2 * self.n),)

    def away(self, points: Tensor, vectors: Tensor, origin: Tensor) -> Tensor:
        start, along = points[..., 0::2] - origin, points[..., 1::2] - points[..., 0::2]
        squared = along.square().sum(-2, keepdim=True)
        share = -(start * along).sum(-2, keepdim=True) / squared.clamp(min=torch.finfo(squared.dtype).tiny)
        return start + share.clamp(0.0, 1.0) * along

    def _forms(self, numbers: Array, dim: int) -> Array:
        ends = numbers.reshape(*numbers.shape[:-1], self.n, 2, dim)
        return np.stack([ends, ends[..., ::-1, :]], -3).reshape(*numbers.shape[:-1], self.n, 2, 2 * dim)

    def ordered(self, points: Tensor, vectors: Tensor) -> tuple[Tensor, Tensor]:
        ends = points.mT.unflatten(-2, (self.n, 2))  # (B, n, 2, d)
        ends = ends.gather(-2, _ranked(ends).unsqueeze(-1).expand_as(ends))
        whole = ends.flatten(-2)
        whole = whole.gather(-2, _ranked(whole).unsqueeze(-1).expand_as(whole))
        return whole.unflatten(-1, (2, -1)).flatten(1, 2).mT, vectors


@dataclass(frozen=True)
class Planes(Surfaces):
    """n tables, floors or straight walls without an end: a point of each, then the normal of each, of any length.

    >>> from equiworld.groups import SE3
    >>> Planes(1).transform(SE3().translation([0.0, 0.0, 2.0]), [0.0, 0.0, 0.0, 0.0, 0.0, 1.0])
    array([0., 0., 2., 0., 0., 1.])
    """

    def _parts(self) -> tuple[Field, ...]:
        return (Point(self.n), Vector(self.n))

    def away(self, points: Tensor, vectors: Tensor, origin: Tensor) -> Tensor:
        normal = torch.nn.functional.normalize(vectors, dim=-2)
        return ((points - origin) * normal).sum(-2, keepdim=True) * normal

    def _forms(self, numbers: Array, dim: int) -> Array:
        points, normals = np.split(numbers.reshape(*numbers.shape[:-1], 2 * self.n, dim), 2, -2)
        normals = normals / np.linalg.norm(normals, axis=-1, keepdims=True)
        foot = (points * normals).sum(-1, keepdims=True) * normals
        square = normals[..., :, None] * normals[..., None, :]  # whichever side the normal points to
        return np.concatenate([foot, square.reshape(*foot.shape[:-1], dim * dim)], -1)[..., None, :]

    def ordered(self, points: Tensor, vectors: Tensor) -> tuple[Tensor, Tensor]:
        whole = torch.cat([points, vectors], -2).mT  # (B, n, 2d)
        whole = whole.gather(-2, _ranked(whole).unsqueeze(-1).expand_as(whole)).mT
        found = whole.split(points.shape[-2], -2)
        return found[0], found[1]


def _ranked(rows: Tensor) -> Tensor:
    """The order `(…, n)` of rows `(…, n, m)`: by their first number, then by their second, and so on."""
    order = torch.arange(rows.shape[-2], device=rows.device).expand(rows.shape[:-1])
    for column in reversed(range(rows.shape[-1])):
        keys = rows[..., column].gather(-1, order)
        order = order.gather(-1, torch.argsort(keys, dim=-1, stable=True))
    return order
