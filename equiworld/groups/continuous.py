"""What the continuous groups share: everything but their names."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from equiworld.errors import ArgumentError
from equiworld.groups import rotations
from equiworld.groups.arguments import as_floats
from equiworld.groups.element import Array, GroupElement, product
from equiworld.groups.group import Group, sample_ball

__all__ = ["ContinuousGroup", "WithReflections", "WithTranslations"]


class ContinuousGroup(Group):
    """A group with all rotations of R^d, d = 2 or 3, and perhaps reflections and translations.

    The Lie algebra has the coordinates (rotation vector [rad], then velocity if there are translations).
    """

    finite = False

    @property
    def rotation_dim(self) -> int:
        """Numbers in a rotation vector: 1 in the plane, 3 in space."""
        return 1 if self.dim == 2 else 3

    @property
    def algebra_dim(self) -> int:
        """Numbers in a vector of the Lie algebra."""
        return self.rotation_dim + (self.dim if self.has_translations else 0)

    def includes(self, other: Group) -> bool:
        """Whether `other` moves the same space, with no reflections or translations that this group lacks."""
        return (
            self.dim == other.dim
            and (other.proper or not self.proper)
            and (self.has_translations or not other.has_translations)
        )

    def rotation(self, rotation: ArrayLike) -> GroupElement:
        """The rotation about the origin, or a batch.

        Args:
            rotation: [rad] In the plane the angle, `(…)`, counter-clockwise; in space the rotation vector
                (axis times angle), `(…, 3)`.

        Returns:
            An element of batch shape `(…)`.
        """
        vector = as_floats("rotation", rotation)
        if self.dim == 2:
            vector = vector[..., None]
        _check_vector("rotation", vector, self.rotation_dim)
        return GroupElement(self, rotations.rotation_matrix(vector), np.zeros((*vector.shape[:-1], self.dim)))

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
            translation = product(rotations.left_jacobian(turn), velocity[..., None])[..., 0]
        return GroupElement(self, rotations.rotation_matrix(turn), translation)

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
        turn = rotations.rotation_vector(element.matrix)
        if not self.has_translations:
            return turn
        velocity = product(rotations.inverse_left_jacobian(turn), element.translation[..., None])[..., 0]
        return np.concatenate([turn, velocity], axis=-1)

    def sample_matrices(self, rng: np.random.Generator, n: int) -> Array:
        """Haar: a uniform rotation, mirrored with probability one half where there are reflections."""
        matrices = rotations.haar_rotations(rng, n, self.dim)
        if self.proper:
            return matrices
        return np.where((rng.random(n) < 0.5)[:, None, None], matrices @ _mirror(self.dim), matrices)

    def near_matrices(self, rng: np.random.Generator, n: int, scale: float) -> Array:
        """Rotation vectors uniform in the ball of radius `scale` [rad]."""
        return rotations.rotation_matrix(sample_ball(rng, n, self.rotation_dim, scale))

    def grid_matrices(self, n: int) -> Array:
        """An even covering by rotations; with reflections, half of the n (rounded down) are reflections."""
        if self.proper:
            return rotations.rotation_covering(n, self.dim)
        matrices = rotations.rotation_covering(n - n // 2, self.dim)
        if n < 2:
            return matrices
        mirrored = rotations.rotation_covering(n // 2, self.dim) @ _mirror(self.dim)
        return np.concatenate([matrices, mirrored])


class WithReflections:
    """A continuous group that has reflections."""

    def reflection(self: ContinuousGroup, mirror: ArrayLike) -> GroupElement:  # type: ignore[misc]
        """The reflection that keeps a line (plane) or a plane (space) through the origin, or a batch.

        Args:
            mirror: In the plane the angle [rad] of the line that stays, `(…)`; in space the normal of the
                plane that stays, `(…, 3)`, of any length but 0.

        Returns:
            An element of batch shape `(…)`.
        """
        direction = as_floats("mirror", mirror)
        if self.dim == 2:
            _check_vector("mirror", direction[..., None], 1)
            cosine, sine = np.cos(2 * direction), np.sin(2 * direction)
            rows = np.stack([cosine, sine], axis=-1), np.stack([sine, -cosine], axis=-1)
            return self.element(np.stack(rows, axis=-2))
        _check_vector("mirror", direction, 3)
        length = np.linalg.norm(direction, axis=-1, keepdims=True)
        if not (length > 0).all():
            raise ArgumentError("mirror", mirror, "normals of a length above 0")
        normal = direction / length
        return self.element(np.eye(3) - 2 * normal[..., :, None] * normal[..., None, :])


class WithTranslations:
    """A continuous group that has translations."""

    def translation(self: ContinuousGroup, shift: ArrayLike) -> GroupElement:  # type: ignore[misc]
        """The translation x ↦ x + t by `shift`, `(…, d)`, in the units of the points."""
        return self.element(np.eye(self.dim), shift)


def _check_vector(argument: str, vector: Array, size: int) -> None:
    """Refuse another last axis than `size`, and what is not finite."""
    if vector.ndim == 0 or vector.shape[-1] != size:
        raise ArgumentError(argument, f"shape {vector.shape}", f"(…, {size})")
    if not np.isfinite(vector).all():
        raise ArgumentError(argument, "numbers that are not finite", "finite numbers")


def _mirror(dim: int) -> Array:
    """One reflection: the plane's across the first axis; space's inversion, which commutes with all."""
    return np.diag([1.0, -1.0]) if dim == 2 else -np.eye(3)
