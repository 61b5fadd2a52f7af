"""The base of all fields: how one array of numbers transforms under an isometry."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from equiworld.arguments import array_of, number, reals
from equiworld.errors import ArgumentError
from equiworld.groups import Group, GroupElement
from equiworld.groups.element import checked_element
from equiworld.symmetry.features import FeatureType, Kind
from equiworld.symmetry.motion import Array, Motion

__all__ = ["Field"]


@dataclass(frozen=True)
class Field(ABC):
    """How the last axis of an array transforms under g = (R, t) acting about a centre c.

    A subclass says how many numbers it takes (`size`), how they move (`motion`, or `_transform` where items are
    not all moved alike), which feature channels they fill (`kind`, `encode`, `decode`) and what bounds them
    (`bounds`, `_orbit_bounds`). Several items lie behind one another: n points of R^d are the n·d numbers
    x0 y0 x1 y1 ….

    Attributes:
        count: how many items, n.
        scale: a typical size of one of the numbers, in the environment's units, where it is known: it sets how finely
            they are told apart.
        unit: of the numbers, such as "m" or "rad/s", for whoever reads the declaration.
    """

    count: int = 1
    scale: float | None = dataclass_field(default=None, kw_only=True, repr=False)
    unit: str = dataclass_field(default="", kw_only=True, repr=False, compare=False)

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "_transform" in vars(cls) and "motion" not in vars(cls):
            cls.motion = Field.motion  # type: ignore[method-assign]  # one that is inherited is no longer true

    def __post_init__(self) -> None:
        if not isinstance(self.count, int | np.integer) or isinstance(self.count, bool) or self.count < 1:
            raise ArgumentError(f"{type(self).__name__}.count", self.count, "an integer of at least 1")
        if self.scale is not None:
            name = f"{type(self).__name__}.scale"
            object.__setattr__(self, "scale", number(name, self.scale, above=0.0))

    @property
    @abstractmethod
    def kind(self) -> Kind:
        """Which feature channels the items become."""

    @property
    def pseudo(self) -> bool:
        """Whether a reflection gives one sign more than `kind` says."""
        return False

    @property
    def labelled(self) -> bool:
        """Whether elements move it by their label, beyond what R and det R say."""
        return False

    @property
    def affine(self) -> bool:
        """Whether every element acts on the numbers as x ↦ M x + b."""
        return True

    def act(self, g: GroupElement, centre: Array) -> tuple[Array, Array]:
        """M `(size, size)` and b `(size,)` of one element, for a field that is `affine`."""
        size = self.size(len(centre))
        offset = self._transform(g, np.zeros(size), centre)
        columns = self._transform(g[None], np.eye(size)[:, None], centre)[:, 0] if size else np.zeros((0, 0))
        return (columns - offset).T, offset

    def plain(self) -> Field:
        """The same numbers where nothing moves labels."""
        return self

    def check_features(self, name: str, group: Group) -> None:  # noqa: B027  most have nothing to refuse
        """Refuse to be Features under a group if no channel turns as the field does; `name` says which it is."""

    def label_images(self, group: Group) -> dict[Kind, Array]:
        """What labels do to the feature channels, beside the R that vectors and points are turned by.

        Returns:
            By kind, matrices `(k, m, m)` that mix the m channels, one for each of `group.labels`.
        """
        signs = group.labels.determinants if self.pseudo else np.ones(group.labels.order)
        kind = self.kind
        width = getattr(self.feature_type(group.dim), kind)
        return {kind: signs[:, None, None] * np.eye(width)}

    @abstractmethod
    def size(self, dim: int) -> int:
        """Numbers in the last axis for dimension `dim`; refuses dimensions that the field does not have."""

    def feature_type(self, dim: int) -> FeatureType:
        """The channels that the field fills."""
        return FeatureType(dim, **{self.kind: self.count})

    @abstractmethod
    def encode(self, array: Array, centre: Array) -> dict[Kind, Array]:
        """The feature channels of an array `(…, size)`: scalars `(…, n)`, vectors and points `(…, d, n)`."""

    @abstractmethod
    def decode(self, channels: Mapping[Kind, Array], centre: Array) -> Array:
        """The array `(…, size)` whose feature channels these are."""

    @abstractmethod
    def bounds(self, g: GroupElement, low: Array, high: Array, centre: Array) -> tuple[Array, Array]:
        """Bounds `(…, size)` of the arrays that g makes of those between `low` and `high`."""

    @abstractmethod
    def _orbit_bounds(
        self, group: Group, low: Array, high: Array, centre: Array, scale: float
    ) -> tuple[Array, Array]:
        """`orbit_bounds` for a continuous group."""

    def motion(self, g: GroupElement, centre: Array) -> Motion | None:
        """How g moves the items; None for a field whose items are not all moved alike."""
        return None

    def _transform(self, g: GroupElement, array: Array, centre: Array) -> Array:
        """`transform` on a float64 array `(…, size)` that fits and pairs with g."""
        motion = self.motion(g, centre)
        assert motion is not None, f"{type(self).__name__} has neither a motion nor a _transform"
        return motion.applied(array)

    def transform(
        self,
        g: GroupElement,
        array: ArrayLike | torch.Tensor,
        centre: Sequence[float] | Array | None = None,
        name: str | None = None,
    ) -> NDArray[np.floating]:
        """ρ(g)·array.

        Args:
            g: one element, or a batch whose shape is the array's leading shape.
            array: `(…, size)` numbers; a single one is moved by every element of a batch.
            centre: what g turns about, `(d,)`; the origin if None.
            name: what to call the array in an error.

        Returns:
            A new array `(…, size)`, computed in float64, of the input's floating dtype (integers: float64).

        Raises:
            ArgumentError: a wrong shape, non-numeric or non-finite numbers, or a batch that does not pair.
        """
        name = name or type(self).__name__
        dim = checked_element("g", g).dim
        values = numbers(array, self.size(dim), name)
        check_pairing(g, values.shape[:-1], name)
        dtype = values.dtype if values.dtype.kind == "f" else np.dtype(np.float64)
        if values.ndim == 1:
            values = np.broadcast_to(values, (*g.batch_shape, *values.shape))
        about = np.zeros(dim) if centre is None else reals("centre", centre)
        if about.shape != (dim,):
            raise ArgumentError("centre", f"shape {about.shape}", f"shape ({dim},)")
        return self.to_dtype(self._transform(g, values.astype(np.float64), about), dtype, dim)

    def orbit_bounds(
        self, group: Group, low: Array, high: Array, centre: Array, scale: float = 1.0
    ) -> tuple[Array, Array]:
        """Bounds of what all elements of the group make of the arrays between `low` and `high`.

        Args:
            group: the union over its elements if it is finite, otherwise a bound by norms.
            low: `(…, size)`.
            high: `(…, size)`.
            centre: `(d,)`.
            scale: the longest translation, as in `Group.sample`.
        """
        if not group.finite:
            return self._orbit_bounds(group, low, high, centre, scale if group.has_translations else 0.0)
        pairs = [self.bounds(g, low, high, centre) for g in group.elements()]
        return np.minimum.reduce([pair[0] for pair in pairs]), np.maximum.reduce([pair[1] for pair in pairs])

    def to_dtype(self, array: Array, dtype: np.dtype, dim: int) -> NDArray[np.floating]:
        """Round a float64 array `(…, size)` to the dtype of the caller."""
        return array.astype(dtype)


def numbers(array: ArrayLike | torch.Tensor, size: int, name: str) -> NDArray:
    """A finite numeric numpy array `(…, size)`, or an ArgumentError that names it."""
    values = to_numpy(array, size, name)
    if values.dtype.kind not in "fiu":
        raise ArgumentError(name, f"dtype {values.dtype}", "real numbers (a floating or integer dtype)")
    if not np.isfinite(values).all():
        rows = np.flatnonzero(~np.isfinite(values).reshape(-1, size).all(-1)).tolist()
        where = f" in row(s) {rows[:8]}" if values.ndim > 1 else ""
        raise ArgumentError(name, f"NaN or infinity{where}", "finite numbers")
    return values


def to_numpy(array: ArrayLike | torch.Tensor, size: int, name: str) -> NDArray:
    """A numpy array `(…, size)` of whatever it holds, or an ArgumentError that names it."""
    values = array_of(name, array)
    if values.ndim == 0 or values.shape[-1] != size:
        raise ArgumentError(name, f"shape {values.shape}", f"shape (…, {size})")
    return values


def check_pairing(g: GroupElement, batch_shape: tuple[int, ...], name: str) -> None:
    """Refuse a batch of elements that does not pair one to one with a batch of arrays."""
    elements = tuple(g.batch_shape)
    if elements and batch_shape and elements != tuple(batch_shape):
        raise ArgumentError(
            name, f"leading shape {batch_shape}", f"{elements}, that of the group elements (or one element)"
        )
