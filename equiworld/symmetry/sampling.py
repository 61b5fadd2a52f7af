"""Random values of fields, for checks that try a property on what no symmetry singles out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiworld.groups import SO3
from equiworld.symmetry.concatenation import Concatenation, Interleaved
from equiworld.symmetry.field import Array, Field
from equiworld.symmetry.fields import Rotation
from equiworld.symmetry.symmetry import Symmetry

__all__ = ["random_array", "random_observation"]


def random_array(
    field: Field, rng: np.random.Generator, batch_shape: Sequence[int], centre: Array, scale: float = 1.0
) -> NDArray[np.float64]:
    """Values `(…, size)` of a field: numbers and vectors of order `scale`, points about the centre, any orientation."""
    if isinstance(field, Concatenation):
        parts = [random_array(part, rng, batch_shape, centre, scale) for part in field.parts]
        joined = np.concatenate(parts, -1)
        return (
            joined
            if not isinstance(field, Interleaved)
            else joined[..., np.argsort(np.concatenate(field.at))]
        )
    dim = len(centre)
    if isinstance(field, Rotation):
        count = int(np.prod(batch_shape)) * field.count
        matrices = SO3().sample(rng, count).matrix.reshape(*batch_shape, field.count, dim, dim)
        columns = np.moveaxis(matrices, -3, -2).reshape(*batch_shape, dim, field.count * dim)
        return field.decode({"vectors": columns}, centre)
    width = getattr(field.feature_type(dim), field.kind)
    channels = (width,) if field.kind == "scalars" else (dim, width)
    return field.decode({field.kind: scale * rng.standard_normal((*batch_shape, *channels))}, centre)


def random_observation(symmetry: Symmetry, rng: np.random.Generator, count: int) -> Any:
    """Observations `(count, size)` of all fields, of order of the length scale."""
    centre = np.asarray(symmetry.centre)
    arrays = {
        name: random_array(field, rng, (count,), centre, symmetry.length_scale)
        for name, field in symmetry.observation.items()
    }
    return symmetry.assembled(arrays)
