"""The one interface of all groups of isometries."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import ArrayLike

from equiworld.errors import ArgumentError
from equiworld.groups.arguments import as_floats, checked_count, checked_generator, checked_scale
from equiworld.groups.element import Array, GroupElement

__all__ = ["Group", "GroupElement"]

VALIDATION_TOLERANCE = 1e-9
"""How far from orthogonal a matrix may be; far above rounding, far below any real error."""


class Group(ABC):
    """A group of isometries x ↦ R x + t of R^d.

    A family says how its matrices are drawn (`sample_matrices`), laid out evenly (`grid_matrices`), and,
    unless they are all of O(d) or SO(d), recognised (`holds_matrix`); the rest is shared.

    Attributes:
        dim: The dimension d of the space that it moves.
        proper: Whether all its elements keep orientation (det R = +1).
        finite: Whether it has finitely many elements.
        has_translations: Whether t may differ from 0.

    >>> from equiworld.groups import SE3
    >>> group = SE3()
    >>> batch = group.sample(np.random.default_rng(0), n=5, scale=0.1)
    >>> batch.matrix.shape, group.contains(batch), bool(np.linalg.norm(batch.translation[0]) <= 0.1)
    ((5, 3, 3), True, True)
    """

    dim: int
    proper: bool
    finite: bool
    has_translations: bool

    @property
    def name(self) -> str:
        """What `group_from_name` reads: "SE2", "Cyclic(4)"."""
        return type(self).__name__

    def __repr__(self) -> str:
        return self.name if self.name.endswith(")") else f"{self.name}()"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Group):
            return NotImplemented
        return type(self) is type(other) and self.name == other.name

    def __hash__(self) -> int:
        return hash((type(self), self.name))

    @abstractmethod
    def sample_matrices(self, rng: np.random.Generator, n: int) -> Array:
        """n matrices drawn from the Haar measure of the rotational part, `(n, d, d)`."""

    @abstractmethod
    def grid_matrices(self, n: int) -> Array:
        """At most n matrices that cover the rotational part evenly, the identity first, `(≤n, d, d)`."""

    def near_matrices(self, rng: np.random.Generator, n: int, scale: float) -> Array:
        """n matrices within `scale` [rad] of the identity; in a discrete group that is the identity."""
        return np.tile(np.eye(self.dim), (n, 1, 1))

    def holds_matrix(self, matrix: Array, atol: float) -> bool:
        """Whether matrices already known to be orthogonal with an allowed determinant belong to the group."""
        return True

    def includes(self, other: Group) -> bool:
        """Whether `other` is a subgroup of this group (as sets of isometries)."""
        return self == other

    def identity(self, n: int | None = None) -> GroupElement:
        """The element that moves nothing; a batch of n copies if n is given."""
        count = _count(n)
        matrix = np.tile(np.eye(self.dim), (count, 1, 1))
        return self._batch(matrix, np.zeros((count, self.dim)), n)

    def sample(self, rng: np.random.Generator, n: int | None = None, scale: float = 1.0) -> GroupElement:
        """Draw from the group: Haar on the rotations and reflections, translations uniform in a ball.

        Args:
            rng: The source of randomness; the same state gives the same bits.
            n: The size of the batch; None for one element.
            scale: The radius of the ball of translations, in the units of the points. Bounded on purpose: who
                builds an observation space must know how far things may be moved.

        Returns:
            One element, or a batch of shape `(n,)`.
        """
        count, scale = _count(n), checked_scale(scale)
        matrix = self.sample_matrices(checked_generator(rng), count)
        return self._batch(matrix, self._sample_translations(rng, count, scale), n)

    def near_identity(
        self, rng: np.random.Generator, n: int | None = None, scale: float = 1e-3
    ) -> GroupElement:
        """Draw close to the identity: an angle of at most `scale` [rad], a translation of at most `scale`.

        In a finite group, where nothing but the identity is near, that is the identity.
        """
        count, scale = _count(n), checked_scale(scale)
        matrix = self.near_matrices(checked_generator(rng), count, scale)
        return self._batch(matrix, self._sample_translations(rng, count, scale), n)

    def grid(self, n: int) -> GroupElement:
        """n elements that cover rotations and reflections evenly, without translation, the identity first.

        Deterministic. A finite group has no more than all its elements to give.
        """
        matrix = self.grid_matrices(checked_count(n))
        return GroupElement(self, matrix, np.zeros(matrix.shape[:-1]))

    def elements(self) -> GroupElement:
        """All elements of a finite group, as one batch, the identity first."""
        raise ArgumentError("group", self, "a finite group, such as Cyclic(4); elsewhere use grid(n)")

    def element(self, matrix: ArrayLike, translation: ArrayLike | None = None) -> GroupElement:
        """The element with this matrix and translation, or a batch, after checking that it is one.

        Args:
            matrix: R, `(…, d, d)`.
            translation: t, `(…, d)`, its leading shape broadcast with the matrix's; None for no translation.

        Returns:
            The element; numbers are kept as they are, to the last bit.

        Raises:
            ArgumentError: Wrong shape, not finite, not orthogonal, a reflection or a translation where the
                group has none, or not one of a finite group's elements.
        """
        matrix = as_floats("matrix", matrix)
        if matrix.ndim < 2 or matrix.shape[-2:] != (self.dim, self.dim):
            raise ArgumentError(
                "matrix", f"shape {matrix.shape}", f"(…, {self.dim}, {self.dim}) for {self!r}"
            )
        shift = as_floats("translation", np.zeros(self.dim) if translation is None else translation)
        if shift.ndim < 1 or shift.shape[-1] != self.dim:
            raise ArgumentError("translation", f"shape {shift.shape}", f"(…, {self.dim}) for {self!r}")
        try:
            batch = np.broadcast_shapes(matrix.shape[:-2], shift.shape[:-1])
        except ValueError:
            got = f"leading shape {shift.shape[:-1]}"
            raise ArgumentError("translation", got, f"one that fits {matrix.shape[:-2]}") from None
        problem = self._problem(matrix, shift, VALIDATION_TOLERANCE)
        if problem is not None:
            raise ArgumentError(*problem)
        if not self.has_translations:
            shift = np.zeros_like(shift)  # what is left is rounding
        matrix = np.broadcast_to(matrix, (*batch, self.dim, self.dim)).copy()
        return GroupElement(self, matrix, np.broadcast_to(shift, (*batch, self.dim)).copy())

    def contains(self, element: GroupElement, atol: float = 1e-9) -> bool:
        """Whether the element, or every element of the batch, belongs to this group within `atol`."""
        if element.dim != self.dim:
            return False
        return self._problem(element.matrix, element.translation, atol) is None

    def exp(self, algebra: ArrayLike) -> GroupElement:
        """The element that a vector of the Lie algebra leads to; continuous groups only."""
        raise ArgumentError("group", self, "a continuous group, such as SO2(), for it has an exponential")

    def log(self, element: GroupElement) -> Array:
        """The shortest vector of the Lie algebra that `exp` takes to the element; continuous groups only."""
        raise ArgumentError("group", self, "a continuous group, such as SO2(), for it has a logarithm")

    def _problem(self, matrix: Array, shift: Array, atol: float) -> tuple[str, str, str] | None:
        """What keeps this from being an element: argument, what came, what was expected; None if nothing."""
        if not np.isfinite(matrix).all():
            return "matrix", "numbers that are not finite", f"an element of {self!r}"
        if not np.isfinite(shift).all():
            return "translation", "numbers that are not finite", f"an element of {self!r}"
        error = np.abs(np.swapaxes(matrix, -1, -2) @ matrix - np.eye(self.dim)).max(initial=0.0)
        if not error <= atol:
            return (
                "matrix",
                f"|RᵀR − 1| up to {error:.3g}",
                f"an orthogonal matrix (within {atol:g})",
            )
        if self.proper and (np.linalg.det(matrix) < 0).any():
            return "matrix", "a reflection (det R = −1)", f"det R = +1: {self!r} has no reflections"
        if not self.has_translations and not np.abs(shift).max(initial=0.0) <= atol:
            return "translation", f"up to {np.abs(shift).max():.3g}", f"0: {self!r} has no translations"
        if not self.holds_matrix(matrix, atol):
            return "matrix", "an orthogonal matrix that is not in the group", f"an element of {self!r}"
        return None

    def _sample_translations(self, rng: np.random.Generator, n: int, scale: float) -> Array:
        """Uniform in the ball of radius `scale`, `(n, d)`; zeros where the group has no translations."""
        return sample_ball(rng, n, self.dim, scale) if self.has_translations else np.zeros((n, self.dim))

    def _batch(self, matrix: Array, translation: Array, n: int | None) -> GroupElement:
        """The batch, or its only element where no size was asked for."""
        if n is None:
            matrix, translation = matrix[0], translation[0]
        return GroupElement(self, matrix, translation)


def sample_ball(rng: np.random.Generator, n: int, dim: int, radius: float) -> Array:
    """n points uniform in the d-ball, `(n, d)`: a uniform direction, and a radius with density ∝ r^(d−1)."""
    direction = rng.standard_normal((n, dim))
    length = np.linalg.norm(direction, axis=-1, keepdims=True)
    return direction / length * (radius * rng.random((n, 1)) ** (1.0 / dim))


def _count(n: int | None) -> int:
    return 1 if n is None else checked_count(n)
