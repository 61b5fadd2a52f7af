"""Which way something points in space: matrices, quaternions, Euler angles."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field

import numpy as np

from equiworld.errors import ArgumentError
from equiworld.groups import Group, GroupElement
from equiworld.groups.arrays import product
from equiworld.symmetry.features import FeatureType, Kind
from equiworld.symmetry.field import Array, Field
from equiworld.symmetry.images import block_diagonal, body_images
from equiworld.symmetry.intervals import ball_interval, linear_interval
from equiworld.symmetry.motion import multiply

__all__ = ["Rotation"]

_ROTATION_FORMS = ("matrix", "xyzw", "wxyz")


@dataclass(frozen=True)
class Rotation(Field):
    """Orientations in space: Q ↦ R Q; of a body that the group's labels turn against itself by h, Q ↦ R Q hᵀ.

    In Features a rotation is its three columns, as vectors. A quaternion comes out with norm 1 and w ≥ 0; angles are
    Euler's. Neither has a mirror image of its own: groups with reflections need the matrix form, or `body`.

    Attributes:
        count: how many orientations.
        form: "matrix" (9 numbers, row by row); "xyzw" or "wxyz" (unit quaternions, 4 numbers); or the axes of three
            Euler angles [rad], such as "xyz" (about the world's axes, one after the other) or "ZYX" (about the body's).
        body: whether labels turn the body, by `group.labels.natural["body"]`: an Ant's torso, mirrored with its legs.

    >>> from equiworld.groups import SO3
    >>> half_turn = SO3().rotation([0.0, 0.0, np.pi])
    >>> Rotation(form="wxyz").transform(half_turn, [1.0, 0.0, 0.0, 0.0]).round(6)
    array([0., 0., 0., 1.])
    """

    form: str = "matrix"
    body: bool = dataclass_field(default=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.form not in _ROTATION_FORMS and not self._euler:
            raise ArgumentError(
                "Rotation.form", self.form, "a form of rotation", (*_ROTATION_FORMS, "xyz", "ZYX")
            )

    @property
    def _euler(self) -> bool:
        """Whether its numbers are three angles, about axes no two of which in a row are the same."""
        form = self.form
        one_case = isinstance(form, str) and len(form) == 3 and (form.islower() or form.isupper())
        return one_case and set(form.lower()) <= set("xyz") and form[0] != form[1] != form[2]

    @property
    def labelled(self) -> bool:
        return self.body

    @property
    def affine(self) -> bool:
        return self.form == "matrix"

    def plain(self) -> Field:
        return replace(self, body=False)

    def label_images(self, group: Group) -> dict[Kind, Array]:
        if not self.body:
            return super().label_images(group)
        return {"vectors": block_diagonal([body_images(group, 3)] * self.count)}

    @property
    def kind(self) -> Kind:
        return "vectors"

    def size(self, dim: int) -> int:
        if dim != 3:
            raise ArgumentError(
                "Rotation", f"dimension {dim}", "dimension 3; Heading is its kin in the plane"
            )
        return self.count * self._width

    @property
    def _width(self) -> int:
        return 9 if self.form == "matrix" else 3 if self._euler else 4

    def feature_type(self, dim: int) -> FeatureType:
        return FeatureType(dim, vectors=3 * self.count)

    def encode(self, array: Array, centre: Array) -> dict[Kind, Array]:
        rows_first = np.moveaxis(self._matrices(array), -2, -3)  # (…, row, n, column)
        return {"vectors": rows_first.reshape(*array.shape[:-1], 3, 3 * self.count)}

    def decode(self, channels: Mapping[Kind, Array], centre: Array) -> Array:
        vectors = channels["vectors"]
        rows_first = vectors.reshape(*vectors.shape[:-1], self.count, 3)
        return self._numbers(np.moveaxis(rows_first, -3, -2))

    def _matrices(self, array: Array) -> Array:
        """Rotation matrices `(…, n, 3, 3)` of the numbers."""
        if self.form == "matrix":
            return array.reshape(*array.shape[:-1], self.count, 3, 3)
        from scipy.spatial.transform import Rotation as SciPyRotation

        if self._euler:
            matrices = SciPyRotation.from_euler(self.form, array.reshape(-1, 3)).as_matrix()
            return matrices.reshape(*array.shape[:-1], self.count, 3, 3)
        quaternions = array.reshape(-1, 4)
        if not (np.linalg.norm(quaternions, axis=-1) > 0).all():
            raise ArgumentError("Rotation", "a quaternion of norm 0", "unit quaternions")
        if self.form == "wxyz":
            quaternions = np.roll(quaternions, -1, -1)
        matrices = SciPyRotation.from_quat(quaternions).as_matrix()
        return matrices.reshape(*array.shape[:-1], self.count, 3, 3)

    def _numbers(self, matrices: Array) -> Array:
        """The inverse of `_matrices`; of what is no rotation, a prediction say, the rotation nearest to it."""
        leading = matrices.shape[:-3]
        if self.form == "matrix":
            return matrices.reshape(*leading, 9 * self.count)
        from scipy.spatial.transform import Rotation as SciPyRotation

        rotations = SciPyRotation.from_matrix(_proper(matrices.reshape(-1, 3, 3)))
        if self._euler:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # of gimbal lock: two angles are then one
                return rotations.as_euler(self.form).reshape(*leading, 3 * self.count)
        quaternions = rotations.as_quat(canonical=True)
        if self.form == "wxyz":
            quaternions = np.roll(quaternions, 1, -1)
        return np.clip(quaternions, -1.0, 1.0).reshape(*leading, 4 * self.count)

    def _transform(self, g: GroupElement, array: Array, centre: Array) -> Array:
        if self.form != "matrix" and not self.body and (np.asarray(g.determinant) < 0).any():
            raise ArgumentError(
                "g", "a reflection", 'a rotation; use Rotation(form="matrix") for reflections'
            )
        columns = self._columns(self._matrices(array))
        turned = self._from_columns(multiply(g.matrix, columns))
        if self.body:
            own = body_images(g.group, 3)[g.label][..., None, :, :]
            turned = product(turned, own.swapaxes(-1, -2))
        return self._numbers(turned)

    def _columns(self, matrices: Array) -> Array:
        """The columns `(…, 3n, 3)` of matrices `(…, n, 3, 3)`: each turns as a vector."""
        return matrices.swapaxes(-1, -2).reshape(*matrices.shape[:-3], 3 * self.count, 3)

    def _from_columns(self, columns: Array) -> Array:
        return columns.reshape(*columns.shape[:-2], self.count, 3, 3).swapaxes(-1, -2)

    def _quaternion_bounds(self, shape: tuple[int, ...]) -> tuple[Array, Array]:
        if self._euler:
            return np.full(shape, -np.pi), np.full(shape, np.pi)
        low = np.full((*shape[:-1], self.count, 4), -1.0)
        low[..., self.form.index("w")] = 0.0
        return low.reshape(shape), np.ones(shape)

    def bounds(self, g: GroupElement, low: Array, high: Array, centre: Array) -> tuple[Array, Array]:
        if self.form != "matrix":
            return self._quaternion_bounds(low.shape)
        if self.body:
            return np.full_like(low, -1.0), np.ones_like(high)
        columns = self._columns(self._matrices(low)), self._columns(self._matrices(high))
        lower, upper = linear_interval(g.matrix, np.zeros(g.matrix.shape[:-1]), *columns)
        return self._numbers(self._from_columns(lower)), self._numbers(self._from_columns(upper))

    def _orbit_bounds(
        self, group: Group, low: Array, high: Array, centre: Array, scale: float
    ) -> tuple[Array, Array]:
        if self.form != "matrix":
            return self._quaternion_bounds(low.shape)
        columns = self._columns(self._matrices(low)), self._columns(self._matrices(high))
        lower, upper = ball_interval(np.zeros(3), 0.0, *columns)
        return self._numbers(self._from_columns(lower)), self._numbers(self._from_columns(upper))


def _proper(matrices: Array) -> Array:
    """Those with determinants that are not positive, which SciPy refuses, as the rotations nearest to them."""
    improper = np.linalg.det(matrices) <= 0
    if not improper.any():
        return matrices
    left, _, right = np.linalg.svd(matrices[improper])
    left[..., -1] *= np.sign(np.linalg.det(left @ right))[:, None]
    found = matrices.copy()
    found[improper] = left @ right
    return found
