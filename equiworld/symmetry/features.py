"""The one typed tensor: scalars, vectors and points, channel last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from equiworld.arguments import integer
from equiworld.errors import ArgumentError
from equiworld.groups import GroupElement

__all__ = ["KINDS", "Channel", "FeatureType", "Features"]

Kind = Literal["scalars", "vectors", "points"]
KINDS: tuple[Kind, ...] = ("scalars", "vectors", "points")


class Channel(NamedTuple):
    """Where a named field lives in Features: which kind, and which slice of its channels.

    Of a `Heading` also which direction of the body, `axis` [rad], its unit vectors are.
    """

    kind: Kind
    start: int
    stop: int
    axis: float = 0.0


@dataclass(frozen=True)
class FeatureType:
    """How many scalar, vector and point channels a feature tensor of dimension d carries."""

    dim: int
    scalars: int = 0
    vectors: int = 0
    points: int = 0

    def __post_init__(self) -> None:
        for name, least, most in (("dim", 2, 3), *((kind, 0, None) for kind in KINDS)):
            value = getattr(self, name)
            if type(value) is not int or not 0 < value < 4:  # made at every step of a plan: most need no more
                object.__setattr__(self, name, integer(name, value, least=least, most=most))
            elif name == "dim" and value == 1:
                raise ArgumentError("dim", value, "2 or 3")

    def __add__(self, other: FeatureType) -> FeatureType:
        if self.dim != other.dim:
            raise ArgumentError("dim", other.dim, f"features of dimension {self.dim}")
        return FeatureType(
            self.dim,
            self.scalars + other.scalars,
            self.vectors + other.vectors,
            self.points + other.points,
        )

    @property
    def size(self) -> int:
        """Numbers per example when flattened."""
        return self.scalars + self.dim * (self.vectors + self.points)


@dataclass(frozen=True)
class Features:
    """Typed features over a leading batch shape `(…)`.

    Under an isometry g = (R, t) of R^d: scalars stay, vectors turn (R v), points move (R p + t).

    Attributes:
        scalars: `(…, n0)`.
        vectors: `(…, d, n1)`.
        points: `(…, d, np)`.

    >>> import torch
    >>> from equiworld.groups import SE2
    >>> z = Features(torch.ones(4, 1), torch.randn(4, 2, 3), torch.randn(4, 2, 5))
    >>> z.type
    FeatureType(dim=2, scalars=1, vectors=3, points=5)
    >>> z.transform(SE2().rotation(0.3)).points.shape
    torch.Size([4, 2, 5])
    """

    scalars: Tensor
    vectors: Tensor
    points: Tensor

    def __post_init__(self) -> None:
        for name in KINDS:
            if not isinstance(getattr(self, name), Tensor) or not getattr(self, name).ndim:
                raise ArgumentError(name, getattr(self, name), "a tensor of one axis or more")
        batch = self.scalars.shape[:-1]
        if self.vectors.shape[:-2] != batch or self.points.shape[:-1] != self.vectors.shape[:-1]:
            raise ArgumentError(
                "features",
                f"scalars {tuple(self.scalars.shape)}, vectors {tuple(self.vectors.shape)}, "
                f"points {tuple(self.points.shape)}",
                "scalars (…, n0), vectors (…, d, n1), points (…, d, np) with one batch shape",
            )

    @property
    def type(self) -> FeatureType:
        """The channel counts."""
        dim, vectors = self.vectors.shape[-2:]
        counts = dim, self.scalars.shape[-1], vectors, self.points.shape[-1]
        return FeatureType(*map(int, counts))  # of a call that is traced sizes are tensors

    @property
    def batch_shape(self) -> torch.Size:
        """The leading shape `(…)`."""
        return self.scalars.shape[:-1]

    @property
    def dtype(self) -> torch.dtype:
        """The dtype shared by all three tensors."""
        return self.vectors.dtype

    @property
    def device(self) -> torch.device:
        """The device that all three lie on."""
        return self.vectors.device

    @staticmethod
    def zeros(
        kind: FeatureType, batch_shape: Sequence[int], dtype: torch.dtype, device: torch.device | None = None
    ) -> Features:
        """Zeros of the given type."""

        def zeros(*shape: int) -> Tensor:
            return torch.zeros(*batch_shape, *shape, dtype=dtype, device=device)

        return Features(zeros(kind.scalars), zeros(kind.dim, kind.vectors), zeros(kind.dim, kind.points))

    @staticmethod
    def concatenate(parts: Sequence[Features]) -> Features:
        """Join along the channels."""
        parts = _checked(parts)
        return Features(
            torch.cat([part.scalars for part in parts], -1),
            torch.cat([part.vectors for part in parts], -1),
            torch.cat([part.points for part in parts], -1),
        )

    @staticmethod
    def stack(parts: Sequence[Features], dim: int = 0) -> Features:
        """Stack along a new batch axis."""
        parts = _checked(parts)
        return Features(
            torch.stack([part.scalars for part in parts], dim),
            torch.stack([part.vectors for part in parts], dim),
            torch.stack([part.points for part in parts], dim),
        )

    def transform(self, g: GroupElement) -> Features:
        """The features of the transformed world, ρ(g)·z. A batch of elements pairs with the batch shape."""
        dim = self.vectors.shape[-2]
        if not isinstance(g, GroupElement):
            raise ArgumentError("g", g, "a GroupElement, such as SE2().rotation(0.3)")
        if g.matrix.shape[-1] != dim:
            raise ArgumentError("g", f"an element of dimension {g.matrix.shape[-1]}", f"dimension {dim}")
        rotation = torch.as_tensor(g.matrix, dtype=self.dtype, device=self.vectors.device)
        shift = torch.as_tensor(g.translation, dtype=self.dtype, device=self.vectors.device)
        return self.moved(rotation, shift)

    def moved(self, matrix: Tensor, shift: Tensor | None = None, origin: Tensor | None = None) -> Features:
        """Vectors M v and points M (p − o) + t, for any M `(…, d, d)`, t and o `(…, d)`; batch shapes broadcast."""
        vectors, points, scalars = matrix @ self.vectors, self.points, self.scalars
        if points.shape[-1] or points.shape[:-1] != vectors.shape[:-1]:
            points = matrix @ (points if origin is None else points - origin.unsqueeze(-1))
            points = points if shift is None else points + shift.unsqueeze(-1)
        if scalars.shape[:-1] != vectors.shape[:-2]:
            scalars = scalars.expand(*vectors.shape[:-2], scalars.shape[-1])
        return Features(scalars, vectors, points)

    def select(self, channel: Channel) -> Tensor:
        """The channels of one named field: `(…, n)` for scalars, `(…, d, n)` else."""
        return getattr(self, channel.kind)[..., channel.start : channel.stop]

    def to(self, dtype: torch.dtype | None = None, device: torch.device | str | None = None) -> Features:
        """Cast or move."""
        return self.map(lambda tensor: tensor.to(dtype=dtype, device=device))

    def map(self, function: object) -> Features:
        """Apply a tensor function to all three parts."""
        return Features(function(self.scalars), function(self.vectors), function(self.points))  # type: ignore[operator]

    def __getitem__(self, index: object) -> Features:
        """Index the batch shape."""
        return self.map(lambda tensor: tensor[index])

    def flatten(self) -> Tensor:
        """All numbers in one tensor `(…, size)`: scalars, then vectors, then points, channel by channel."""
        parts = [self.scalars, *(part.transpose(-1, -2).flatten(-2) for part in (self.vectors, self.points))]
        filled = [part for part in parts if part.shape[-1]]
        return filled[0] if len(filled) == 1 else torch.cat(parts, -1)

    @staticmethod
    def unflatten(flat: Tensor, kind: FeatureType) -> Features:
        """The inverse of `flatten`."""
        if not isinstance(kind, FeatureType):
            raise ArgumentError("kind", kind, "a FeatureType")
        if not isinstance(flat, Tensor) or not flat.ndim:
            raise ArgumentError("flat", flat, f"a tensor, last axis {kind.size} for {kind}")
        if flat.shape[-1] != kind.size:
            raise ArgumentError("flat", tuple(flat.shape), f"last axis {kind.size} for {kind}")
        n0, n1, dim = kind.scalars, kind.vectors, kind.dim
        split = n0 + dim * n1
        vectors = flat[..., n0:split].unflatten(-1, (n1, dim)).transpose(-1, -2)
        points = flat[..., split:].unflatten(-1, (kind.points, dim)).transpose(-1, -2)
        return Features(flat[..., :n0], vectors, points)


def _checked(parts: Sequence[Features]) -> Sequence[Features]:
    """Features of one dimension and batch shape, one or more."""
    if not isinstance(parts, Sequence) or not parts or not all(isinstance(part, Features) for part in parts):
        raise ArgumentError("parts", parts, "Features, one or more")
    if len({(part.batch_shape, part.vectors.shape[-2]) for part in parts}) > 1:
        raise ArgumentError(
            "parts", [tuple(part.vectors.shape) for part in parts], "one batch shape and dimension"
        )
    return parts
