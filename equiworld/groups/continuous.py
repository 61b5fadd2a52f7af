"""What the continuous groups share: everything but their names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from equiworld.arguments import flag
from equiworld.errors import ArgumentError
from equiworld.groups import rotations
from equiworld.groups.arguments import LARGEST, as_floats
from equiworld.groups.arrays import Array, product
from equiworld.groups.axis import Axis
from equiworld.groups.element import GroupElement
from equiworld.groups.group import Group
from equiworld.groups.matrix_group import MatrixGroup
from equiworld.groups.rotations import sample_ball

__all__ = ["ContinuousGroup", "Planar", "PlanarShifts", "WithReflections", "WithTranslations"]


class ContinuousGroup(Group):
    """A group with all rotations of R^d, d = 2 or 3, and perhaps reflections and translations.

    The Lie algebra has the coordinates (rotation vector [rad], then velocity if there are translations).
    """

    finite = False

    @property
    def rotation_dim(self) -> int:
        """Numbers in a rotation vector: 1 in the plane and about an axis, 3 in space."""
        return 1 if self.dim == 2 or self.axis is not None else 3

    @property
    def shift_dim(self) -> int:  # type: ignore[override]
        """In how many directions it translates."""
        return self.dim if self.has_translations else 0

    @property
    def algebra_dim(self) -> int:
        """Numbers in a vector of the Lie algebra."""
        return self.rotation_dim + self.shift_dim

    def _includes(self, other: MatrixGroup) -> bool:
        """Whether `other` moves the same space, with nothing that this group lacks."""
        if self.dim != other.dim or other.stores_labels:
            return False
        if (self.proper and not other.proper) or (other.has_translations and not self.has_translations):
            return False
        if self.axis is None:
            return True
        if other.finite:
            return self.holds_matrix(other.all_matrices(), 1e-9)
        return other.axis is not None and self.axis.is_parallel(other.axis) and self._shifts_as(other)

    def _shifts_as(self, other: MatrixGroup) -> bool:
        """Whether it translates wherever `other`, about the same axis, does."""
        return self.shift_dim >= getattr(other, "shift_dim", 0)

    def rotation(self, rotation: ArrayLike) -> GroupElement:
        """The rotation about the origin, or a batch.

        Args:
            rotation: [rad] In the plane and about an axis the angle, `(…)`, counter-clockwise; in space the
                rotation vector (axis times angle), `(…, 3)`.

        Returns:
            An element of batch shape `(…)`.
        """
        vector = as_floats("rotation", rotation)
        if self.rotation_dim == 1:
            vector = vector[..., None]
        _check_vector("rotation", vector, self.rotation_dim)
        return GroupElement(self, self._turned(vector), np.zeros((*vector.shape[:-1], self.dim)))

    def _turned(self, vector: Array) -> Array:
        """Matrices of rotation vectors `(…, rotation_dim)`."""
        matrices = rotations.rotation_matrix(vector)
        return matrices if self.axis is None else self.axis.matrices(matrices)

    def exp(self, algebra: ArrayLike) -> GroupElement:
        """exp(ω, v) = (exp ω, V(ω) v), with V the left Jacobian.

        Args:
            algebra: `(…, algebra_dim)`: the rotation vector ω [rad], then the velocity v if there are
                translations.

        Returns:
            An element of batch shape `(…)`, never a reflection.

        Raises:
            ArgumentError: Wrong shape, or not finite.
        """
        vector = as_floats("algebra", algebra)
        _check_vector("algebra", vector, self.algebra_dim)
        turn, velocity = vector[..., : self.rotation_dim], vector[..., self.rotation_dim :]
        translation = np.zeros((*vector.shape[:-1], self.dim))
        if self.has_translations:
            translation = self._shifted(rotations.left_jacobian(turn), velocity)
        return GroupElement(self, self._turned(turn), translation)

    def _shifted(self, jacobian: Array, velocity: Array) -> Array:
        """Translations `(…, d)` of velocities `(…, shift_dim)`; along an axis nothing turns them."""
        dim = jacobian.shape[-1]
        moved = product(jacobian, velocity[..., :dim, None])[..., 0]
        if self.axis is None:
            return moved
        return self.axis.vectors(np.concatenate([moved, velocity[..., dim:]], axis=-1))

    def log(self, element: GroupElement) -> Array:
        """The shortest (ω, v) with exp(ω, v) = g; at an angle of exactly π one of the two.

        Args:
            element: An element of this group without a reflection, batch shape `(…)`.

        Returns:
            `(…, algebra_dim)`, |ω| ≤ π.

        Raises:
            ArgumentError: Not in the group, or a reflection, which no path joins to the identity.
        """
        if not self.contains(element):
            raise ArgumentError("element", element, f"an element of {self!r}")
        if (element.determinant < 0).any():
            raise ArgumentError("element", "a reflection", "det R = +1: no path joins it to the identity")
        matrix, shift = element.matrix, element.translation
        if self.axis is not None:
            matrix, shift = self.axis.plane(matrix), self.axis.coordinates(shift)[..., : self.shift_dim]
        turn = rotations.rotation_vector(matrix)
        if not self.has_translations:
            return turn
        dim = matrix.shape[-1]
        velocity = product(rotations.inverse_left_jacobian(turn), shift[..., :dim, None])[..., 0]
        return np.concatenate([turn, velocity, shift[..., dim:]], axis=-1)

    def sample_matrices(self, rng: np.random.Generator, n: int) -> Array:
        """Haar: a uniform rotation, mirrored with probability one half where there are reflections."""
        dim = 2 if self.axis is not None else self.dim
        matrices = rotations.haar_rotations(rng, n, dim)
        if not self.proper:
            matrices = np.where((rng.random(n) < 0.5)[:, None, None], matrices @ _mirror(dim), matrices)
        return matrices if self.axis is None else self.axis.matrices(matrices)

    def near_matrices(self, rng: np.random.Generator, n: int, scale: float) -> Array:
        """Rotation vectors uniform in the ball of radius `scale` [rad]."""
        return self._turned(sample_ball(rng, n, self.rotation_dim, scale))

    def grid_matrices(self, n: int) -> Array:
        """An even covering by rotations; with reflections, half of the n (rounded down) are reflections."""
        dim, mirrored = 2 if self.axis is not None else self.dim, 0 if self.proper else n // 2
        matrices = rotations.rotation_covering(n - mirrored, dim)
        if mirrored:
            matrices = np.concatenate([matrices, rotations.rotation_covering(mirrored, dim) @ _mirror(dim)])
        return matrices if self.axis is None else self.axis.matrices(matrices)


class Planar(ContinuousGroup):
    """A continuous group of the plane, or of the plane across an axis in space.

    Args:
        axis: the direction of space that it keeps, `(3,)`; None for the plane itself. Reflections keep it too, so
            that up stays up.
    """

    def __init__(self, axis: Sequence[float] | Array | None = None) -> None:
        self.axis = None if axis is None else Axis(axis)

    @property
    def dim(self) -> int:  # type: ignore[override]
        """2; 3 about an axis."""
        return 2 if self.axis is None else 3

    @property
    def shift_dim(self) -> int:  # type: ignore[override]
        """In how many directions it translates."""
        return 0

    @property
    def name(self) -> str:
        """Such as "SO2", or "SO2(axis=(0.0, 0.0, 1.0))"."""
        return (
            type(self).__name__ if self.axis is None else f"{type(self).__name__}(axis={self.axis.direction})"
        )

    def shifts(self, vectors: Array) -> Array:
        """The part of translations `(…, d)` that the group has: about an axis across it, if no more."""
        if self.axis is None or not self.has_translations or self.shift_dim == self.dim:
            return super().shifts(vectors)
        return self.axis.vectors(self.axis.coordinates(vectors)[..., :2])

    def holds_matrix(self, matrix: Array, atol: float) -> bool:
        """Whether matrices keep the axis."""
        return self.axis is None or self.axis.kept_by(matrix, atol)

    def section(self) -> GroupElement:
        """The identity, and with reflections the one across the first direction of the plane."""
        plane = [np.eye(2)] if self.proper else [np.eye(2), np.diag([-1.0, 1.0])]
        matrices = np.stack(plane) if self.axis is None else self.axis.matrices(np.stack(plane))
        return GroupElement(self, matrices, np.zeros(matrices.shape[:-1]))


class WithReflections:
    """A continuous group that has reflections."""

    def reflection(self: ContinuousGroup, mirror: ArrayLike) -> GroupElement:  # type: ignore[misc]
        """The reflection that keeps a line (plane) or a plane (space) through the origin, or a batch.

        Args:
            mirror: In the plane and about an axis the angle [rad] of the line that stays, `(…)`; in space the
                normal of the plane that stays, `(…, 3)`, of any length but 0.

        Returns:
            An element of batch shape `(…)`.
        """
        direction = as_floats("mirror", mirror)
        if self.rotation_dim == 1:
            _check_vector("mirror", direction[..., None], 1)
            cosine, sine = np.cos(2 * direction), np.sin(2 * direction)
            rows = np.stack([cosine, sine], axis=-1), np.stack([sine, -cosine], axis=-1)
            plane = np.stack(rows, axis=-2)
            return self.element(plane if self.axis is None else self.axis.matrices(plane))
        _check_vector("mirror", direction, 3)
        length = np.linalg.norm(direction, axis=-1, keepdims=True)
        if not (length > 0).all():  # or so short that its square is 0
            raise ArgumentError("mirror", mirror, "normals of a length above 0")
        normal = direction / length
        return self.element(np.eye(3) - 2 * normal[..., :, None] * normal[..., None, :])


class WithTranslations:
    """A continuous group that has translations."""

    def translation(self: ContinuousGroup, shift: ArrayLike) -> GroupElement:  # type: ignore[misc]
        """The translation x ↦ x + t by `shift`, `(…, d)`, in the units of the points."""
        return self.element(np.eye(self.dim), shift)


class PlanarShifts(WithTranslations):
    """A continuous group of the plane that has translations; about an axis in space across it, or `along` it too."""

    along = False

    def __init__(self: Planar, axis: Sequence[float] | Array | None = None, along: bool = False) -> None:  # type: ignore[misc]
        along = flag("along", along)
        if along and axis is None:
            raise ArgumentError("along", along, "False in the plane: along which axis?")
        Planar.__init__(self, axis)
        self.along = along  # type: ignore[attr-defined]

    @property
    def shift_dim(self) -> int:
        """In how many directions it translates."""
        return 3 if self.along else 2

    @property
    def name(self: Planar) -> str:  # type: ignore[misc]
        """Such as "SE2", or "SE2(axis=(0.0, 0.0, 1.0), along=True)"."""
        name = Planar.name.fget(self)  # type: ignore[attr-defined]
        return f"{name[:-1]}, along=True)" if self.along else name  # type: ignore[attr-defined]


def _check_vector(argument: str, vector: Array, size: int) -> None:
    """Refuse another last axis than `size`, and what is not finite."""
    if vector.ndim == 0 or vector.shape[-1] != size:
        raise ArgumentError(argument, f"shape {vector.shape}", f"(…, {size})")
    if not np.isfinite(vector).all():
        raise ArgumentError(argument, "numbers that are not finite", "finite numbers")
    if not (np.abs(vector) <= LARGEST).all():
        raise ArgumentError(argument, f"up to {np.abs(vector).max():.3g}", f"numbers of at most {LARGEST:g}")


def _mirror(dim: int) -> Array:
    """One reflection: the plane's across the first axis; space's inversion, which commutes with all."""
    return np.diag([1.0, -1.0]) if dim == 2 else -np.eye(3)
