"""The one interface of all groups of isometries."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equiworld.arguments import number
from equiworld.errors import ArgumentError
from equiworld.groups.arguments import (
    LARGEST,
    as_floats,
    checked_count,
    checked_generator,
    checked_scale,
)
from equiworld.groups.arrays import Array
from equiworld.groups.element import GroupElement, checked_element
from equiworld.groups.families import GROUPS
from equiworld.groups.matrix_group import MatrixGroup
from equiworld.groups.membership import VALIDATION_TOLERANCE, checked_labels, membership_problem
from equiworld.groups.rotations import sample_ball

__all__ = ["Group", "GroupElement"]


class Group(MatrixGroup):
    """A group of isometries x ↦ R x + t of R^d.

    What its matrices are is said by each family, see `MatrixGroup`; how elements are made of them is shared.

    Attributes:
        dim: The dimension d of the space that it moves.
        proper: Whether all its elements keep orientation (det R = +1).
        finite: Whether it has finitely many elements.
        order: How many elements a finite group has; of others there is none.
        has_translations: Whether t may differ from 0.
        shift_dim: In how many directions it may.
        stores_labels: Whether elements hold a label of their own, for R does not say it.
        axis: The direction that it keeps, of a group about an axis in space; None of others.

    >>> from equiworld.groups import SE3
    >>> group = SE3()
    >>> batch = group.sample(np.random.default_rng(0), n=5, scale=0.1)
    >>> batch.matrix.shape, group.contains(batch), bool(np.linalg.norm(batch.translation[0]) <= 0.1)
    ((5, 3, 3), True, True)
    """

    def section(self) -> GroupElement:
        """One element for each of `labels`, in their order, the identity first, `(k,)`."""
        signs = np.ones(self.dim) - 2 * np.eye(self.dim)[0]
        matrices = [np.eye(self.dim)] if self.proper else [np.eye(self.dim), np.diag(signs)]
        return GroupElement(self, np.stack(matrices), np.zeros((len(matrices), self.dim)))

    def rotations(self) -> Group:
        """The subgroup of all elements that keep orientation.

        >>> from equiworld.groups import E2
        >>> E2().rotations()
        SE2()
        """
        if self.proper:
            return self
        raise ArgumentError("group", self, "a group whose rotations are a listed family")

    def kernel(self) -> Group:
        """The subgroup that moves no labels: what keeps orientation; of a finite group the identity."""
        return self.rotations()

    def stabiliser(self, direction: ArrayLike) -> Group:
        """The subgroup that keeps a direction: what is left of a group where gravity points that way.

        Args:
            direction: `(d,)`, of any length but 0.

        Raises:
            ArgumentError: it is no direction, or the group neither moves all of space nor is finite.

        >>> from equiworld.groups import SE3
        >>> SE3().stabiliser((0.0, 0.0, -1.0))
        SE2(axis=(0.0, 0.0, -1.0), along=True)
        """
        arrow = as_floats("direction", direction)
        if arrow.shape != (self.dim,) or not (np.abs(arrow) <= LARGEST).all() or not arrow.any():
            raise ArgumentError("direction", direction, f"{self.dim} finite numbers, not all 0, for {self!r}")
        return self._stabiliser(arrow)

    def _stabiliser(self, arrow: Array) -> Group:
        if not self.finite or self.stores_labels or self.dim not in (2, 3):
            raise ArgumentError("group", self, "SO3(), O3(), SE3(), E3() or a finite group of isometries")
        every = self.elements()
        kept = np.abs(every.rotate(arrow) - arrow).max(-1) <= VALIDATION_TOLERANCE * np.abs(arrow).max()
        return GROUPS["Isometries"](every.matrix[kept])  # type: ignore[call-arg]

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
        matrix, label = self._sample(checked_generator(rng), count)
        return self._batch(matrix, self._sample_translations(rng, count, scale), n, label)

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
        return self._grid(checked_count(n))

    def _grid(self, n: int) -> GroupElement:
        """`grid`, for a checked n."""
        matrix = self.grid_matrices(n)
        return GroupElement(self, matrix, np.zeros(matrix.shape[:-1]))

    def elements(self) -> GroupElement:
        """All elements of a finite group, as one batch, the identity first."""
        if not self.finite:
            raise ArgumentError("group", self, "a finite group, such as Cyclic(4); elsewhere use grid(n)")
        return self._grid(self.order)

    def element(
        self, matrix: ArrayLike, translation: ArrayLike | None = None, label: ArrayLike | None = None
    ) -> GroupElement:
        """The element with this matrix and translation, or a batch, after checking that it is one.

        Args:
            matrix: R, `(…, d, d)`.
            translation: t, `(…, d)`, its leading shape broadcast with the matrix's; None for no translation.
            label: An index of `labels`, `(…)` or one for all; where the group stores them, the first that fits if None.

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
        problem = membership_problem(self, matrix, shift, VALIDATION_TOLERANCE)
        if problem is not None:
            raise ArgumentError(*problem)
        if not self.has_translations:
            shift = np.zeros_like(shift)  # what is left is rounding
        matrix = np.broadcast_to(matrix, (*batch, self.dim, self.dim)).copy()
        chosen = None if label is None else np.broadcast_to(checked_labels(self, label, matrix), batch).copy()
        return GroupElement(self, matrix, np.broadcast_to(shift, (*batch, self.dim)).copy(), chosen)

    def contains(self, element: GroupElement, atol: float = 1e-9) -> bool:
        """Whether the element, or every element of the batch, belongs to this group within `atol`."""
        atol = number("atol", atol, least=0)
        if checked_element("element", element).dim != self.dim or (
            element.group.stores_labels and element.group != self
        ):
            return False
        return membership_problem(self, element.matrix, element.translation, atol) is None

    def _sample(self, rng: np.random.Generator, n: int) -> tuple[Array, NDArray[np.int64] | None]:
        """n matrices, and their labels where they are stored."""
        return self.sample_matrices(rng, n), None

    def _sample_translations(self, rng: np.random.Generator, n: int, scale: float) -> Array:
        """Uniform in the ball of radius `scale`, `(n, d)`; zeros where the group has no translations."""
        if not self.has_translations:
            return np.zeros((n, self.dim))
        if self.axis is None:
            return sample_ball(rng, n, self.dim, scale)
        return self.axis.vectors(sample_ball(rng, n, self.shift_dim, scale))

    def _batch(
        self, matrix: Array, translation: Array, n: int | None, label: NDArray[np.int64] | None = None
    ) -> GroupElement:
        """The batch, or its only element where no size was asked for."""
        batch = GroupElement(self, matrix, translation, label)
        return batch[0] if n is None else batch


def _count(n: int | None) -> int:
    return 1 if n is None else checked_count(n)
