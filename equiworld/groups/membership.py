"""Whether matrices, translations and labels are an element of a group, and if not, why."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equiworld.errors import ArgumentError
from equiworld.groups.arguments import as_integers
from equiworld.groups.arrays import Array
from equiworld.groups.matrix_group import MatrixGroup

__all__ = ["VALIDATION_TOLERANCE", "checked_labels", "membership_problem"]

VALIDATION_TOLERANCE = 1e-9
"""How far from orthogonal a matrix may be; far above rounding, far below any real error."""


def membership_problem(
    group: MatrixGroup, matrix: Array, shift: Array, atol: float
) -> tuple[str, str, str] | None:
    """What keeps this from being an element: argument, what came, what was expected; None if nothing."""
    if not np.isfinite(matrix).all():
        return "matrix", "numbers that are not finite", f"an element of {group!r}"
    if not np.isfinite(shift).all():
        return "translation", "numbers that are not finite", f"an element of {group!r}"
    with np.errstate(all="ignore"):
        error = np.abs(np.swapaxes(matrix, -1, -2) @ matrix - np.eye(group.dim)).max(initial=0.0)
    if not error <= atol:
        return (
            "matrix",
            f"|RᵀR − 1| up to {error:.3g}",
            f"an orthogonal matrix (within {atol:g})",
        )
    if group.proper and (np.linalg.det(matrix) < 0).any():
        return "matrix", "a reflection (det R = −1)", f"det R = +1: {group!r} has no reflections"
    if not group.has_translations and not np.abs(shift).max(initial=0.0) <= atol:
        return "translation", f"up to {np.abs(shift).max():.3g}", f"0: {group!r} has no translations"
    if group.axis is not None and group.has_translations and group.shift_dim < group.dim:
        along = np.abs(group.axis.coordinates(shift)[..., 2]).max(initial=0.0)
        if not along <= atol * max(1.0, np.abs(shift).max(initial=0.0)):
            return (
                "translation",
                f"{along:.3g} along the axis",
                f"none: {group!r} translates across it only",
            )
    if not group.holds_matrix(matrix, atol):
        return "matrix", "an orthogonal matrix that is not in the group", f"an element of {group!r}"
    return None


def checked_labels(group: MatrixGroup, label: ArrayLike, matrix: Array) -> NDArray[np.int64]:
    """Labels that a user gave: indices, of elements that go with the matrices."""
    indices = as_integers("label", label)
    if not group.stores_labels:
        raise ArgumentError("label", label, f"None: in {group!r} the matrix says it")
    if ((indices < 0) | (indices >= group.labels.order)).any():
        raise ArgumentError("label", label, f"indices of {group!r}.labels, below {group.labels.order}")
    if not group.fits(indices, matrix):
        raise ArgumentError("label", label, f"labels that go with the matrices in {group!r}")
    return indices
