"""One element of a group of isometries, or a batch of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equiworld.arguments import number, reals
from equiworld.errors import ArgumentError
from equiworld.groups.arrays import Array, product
from equiworld.groups.families import common_group, parsed_group
from equiworld.groups.matrix_group import MatrixGroup, checked_group

__all__ = ["GroupElement", "checked_element"]

G = TypeVar("G", bound=MatrixGroup)


@dataclass(frozen=True, eq=False, repr=False)
class GroupElement(Generic[G]):
    """The isometry x ↦ R x + t of R^d, or a batch of them; of some groups also what labels are moved by.

    Made by a group (`group.element`, `group.sample`, `group.rotation`, …), which validates it; `g @ h` is
    first h, then g. Shapes combine by NumPy's broadcasting: use `g[:, None].act(clouds)` to move
    `(B, n, d)` clouds by a batch of B elements.

    Attributes:
        group: The group that it belongs to.
        matrix: R, float64 `(…, d, d)`, orthogonal.
        translation: t, float64 `(…, d)`, in the units of the points.
        stored_label: `label`, where R does not say it; None where it does.

    >>> from equiworld.groups import SE2
    >>> g = SE2().translation([1.0, 0.0]) @ SE2().rotation(np.pi / 2)
    >>> np.round(g.act([1.0, 0.0]), 12)
    array([1., 1.])
    >>> (g @ g.inverse()).is_close(SE2().identity())
    True
    """

    group: G
    matrix: Array
    translation: Array
    stored_label: NDArray[np.int64] | None = None

    # NumPy must not try to compute `array @ element` item by item.
    __array_ufunc__ = None

    def __post_init__(self) -> None:
        matrix = np.asarray(self.matrix, dtype=np.float64)
        translation = np.asarray(self.translation, dtype=np.float64)
        dim = self.group.dim
        if matrix.shape[-2:] != (dim, dim) or translation.shape != matrix.shape[:-1]:
            raise ArgumentError(
                "matrix, translation",
                f"shapes {matrix.shape} and {translation.shape}",
                f"(…, {dim}, {dim}) and (…, {dim}) for {self.group!r}",
            )
        label = self.stored_label
        if self.group.stores_labels:
            label = np.asarray(self.group.label_of(matrix) if label is None else label, np.int64)
            if label.shape != matrix.shape[:-2]:
                raise ArgumentError(
                    "label", f"shape {label.shape}", f"{matrix.shape[:-2]}, that of the matrices"
                )
        elif label is not None:
            raise ArgumentError("label", label, f"None: in {self.group!r} the matrix says it")
        object.__setattr__(self, "matrix", matrix)
        object.__setattr__(self, "translation", translation)
        object.__setattr__(self, "stored_label", label)

    @property
    def dim(self) -> int:
        """The dimension d of the space that it moves."""
        return self.group.dim

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """The leading shape `(…)`; `()` for one element."""
        return self.matrix.shape[:-2]

    @property
    def determinant(self) -> Array:
        """det R, exactly +1 or -1, `(…)`."""
        return np.sign(np.linalg.det(self.matrix))

    @property
    def label(self) -> NDArray[np.int64]:
        """Its image in the finite group `group.labels`, an index `(…)`: which joints or bodies take whose place."""
        return self.group.label_of(self.matrix) if self.stored_label is None else self.stored_label

    def within(self, group: MatrixGroup) -> GroupElement:
        """The same isometry as an element of another group that includes its own."""
        if checked_group("group", group) == self.group:
            return self
        label = None
        if group.stores_labels:
            label = group.embedded_labels(self.group, self.matrix, self.label)
        return GroupElement(group, self.matrix, self.translation, label)

    def __matmul__(self, other: GroupElement) -> GroupElement:
        """First `other`, then this: x ↦ R (R' x + t') + t, in the smallest family that holds both."""
        if not isinstance(other, GroupElement):
            return NotImplemented
        group = self.group if self.group == other.group else common_group(self.group, other.group)
        if self.batch_shape and other.batch_shape:
            _check_broadcast("other", other.batch_shape, self.batch_shape)
        matrix = product(self.matrix, other.matrix)
        translation = product(self.matrix, other.translation[..., None])[..., 0] + self.translation
        if not group.stores_labels:
            return GroupElement(group, matrix, translation)
        label = group.labels.table[self.within(group).label, other.within(group).label]
        return GroupElement(group, matrix, translation, label)

    def inverse(self) -> GroupElement:
        """The isometry that undoes this one: x ↦ Rᵀ (x − t)."""
        transposed = np.swapaxes(self.matrix, -1, -2)
        # 0 − x and not −x, so that a zero translation stays +0.
        translation = 0.0 - product(transposed, self.translation[..., None])[..., 0]
        label = None if self.stored_label is None else self.group.labels.inverses[self.stored_label]
        return GroupElement(self.group, transposed.copy(), translation, label)

    def act(self, points: ArrayLike) -> Array:
        """Move points: R x + t.

        Args:
            points: `(…, d)`, its leading shape broadcast with the batch shape.

        Returns:
            float64 `(…, d)`.

        Raises:
            ArgumentError: not real, not finite or masked; or of a shape that does not fit.
        """
        return self._turn("points", points) + self.translation

    def rotate(self, vectors: ArrayLike) -> Array:
        """Turn vectors: R x, without the translation.

        Args:
            vectors: `(…, d)`, its leading shape broadcast with the batch shape.

        Returns:
            float64 `(…, d)`.

        Raises:
            ArgumentError: not real, not finite or masked; or of a shape that does not fit.
        """
        return self._turn("vectors", vectors)

    def _turn(self, argument: str, arrows: ArrayLike) -> Array:
        array = reals(argument, arrows)
        if array.ndim == 0 or array.shape[-1] != self.dim:
            raise ArgumentError(argument, f"shape {array.shape}", f"(…, {self.dim}) for {self.group!r}")
        _check_broadcast(argument, array.shape[:-1], self.batch_shape)
        return product(self.matrix, array[..., None])[..., 0]

    def is_close(self, other: GroupElement, atol: float = 1e-9) -> bool:
        """Whether every entry of R and t agrees within `atol`, and labels where both store them."""
        atol = number("atol", atol, least=0)
        if self.dim != checked_element("other", other).dim:
            return False
        _check_broadcast("other", other.batch_shape, self.batch_shape)
        label, another = self.stored_label, other.stored_label
        if label is not None and another is not None and not np.all(label == another):
            return False
        return bool(
            np.all(np.abs(self.matrix - other.matrix) <= atol)
            and np.all(np.abs(self.translation - other.translation) <= atol)
        )

    def __len__(self) -> int:
        if not self.batch_shape:
            raise TypeError("one group element has no length; a batch has")
        return self.batch_shape[0]

    def __bool__(self) -> bool:
        return True  # without it `element or default` would ask for the length

    def __getitem__(self, index: Any) -> GroupElement:
        """Index the batch shape, as NumPy does (None and Ellipsis included)."""
        positions = np.arange(int(np.prod(self.batch_shape))).reshape(self.batch_shape)[index]
        dim = self.dim
        matrix = self.matrix.reshape(-1, dim, dim)[positions]
        label = None if self.stored_label is None else self.stored_label.reshape(-1)[positions]
        return GroupElement(self.group, matrix, self.translation.reshape(-1, dim)[positions], label)

    def __iter__(self) -> Iterator[GroupElement]:
        return (self[index] for index in range(len(self)))

    @staticmethod
    def stack(elements: Sequence[GroupElement]) -> GroupElement:
        """A batch from elements of one batch shape, along a new first axis."""
        if isinstance(elements, GroupElement) or not isinstance(elements, Sequence | Iterator):
            raise ArgumentError("elements", elements, "a sequence of group elements")
        elements = [checked_element("elements", element) for element in elements]
        shapes = {element.batch_shape for element in elements}
        if len(shapes) != 1:
            raise ArgumentError("elements", f"batch shapes {sorted(shapes)}", "one batch shape")
        group = elements[0].group
        for element in elements[1:]:
            group = group if group == element.group else common_group(group, element.group)
        matrix = np.stack([element.matrix for element in elements])
        label = (
            np.stack([element.within(group).label for element in elements]) if group.stores_labels else None
        )
        return GroupElement(group, matrix, np.stack([element.translation for element in elements]), label)

    def __repr__(self) -> str:
        matrix = np.array2string(self.matrix, separator=", ", precision=6, suppress_small=True, threshold=40)
        shift = np.array2string(self.translation, separator=", ", precision=6, threshold=40)
        label = "" if self.stored_label is None else f", label={self.stored_label.tolist()}"
        return f"GroupElement({self.group!r}, matrix={matrix}, translation={shift}{label})"

    def to_dict(self) -> dict[str, Any]:
        """A dictionary that JSON can hold, exact to the last bit: group, matrix, translation, a stored label."""
        data = {
            "group": self.group.name,
            "matrix": self.matrix.tolist(),
            "translation": self.translation.tolist(),
        }
        return data if self.stored_label is None else data | {"label": self.stored_label.tolist()}

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> GroupElement:
        """The element that `to_dict` wrote; validated by its group.

        Raises:
            ArgumentError: A key is missing, or the numbers are no element of the group.
        """
        keys = ("group", "matrix", "translation")
        if not isinstance(data, Mapping) or any(key not in data for key in keys):
            raise ArgumentError("data", data, f"a mapping with the keys {', '.join(keys)}")
        return parsed_group(data["group"]).element(data["matrix"], data["translation"], data.get("label"))


def checked_element(argument: str, value: Any) -> GroupElement:
    """What has to be an element, or a batch of them."""
    if not isinstance(value, GroupElement):
        raise ArgumentError(argument, value, "a GroupElement, such as SE2().rotation(0.3)")
    return value


def _check_broadcast(argument: str, shape: tuple[int, ...], batch_shape: tuple[int, ...]) -> None:
    """Refuse leading shapes that do not broadcast, in words."""
    try:
        np.broadcast_shapes(shape, batch_shape)
    except ValueError:
        raise ArgumentError(
            argument, f"leading shape {shape}", f"one that broadcasts with the batch shape {batch_shape}"
        ) from None
