"""What maps of a mechanism generate, told apart by what they do to velocities and controls."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from equiworld.groups.labels import MOST_LABELS, matrix_keys
from equiworld.verify.mechanism.model_map import Array, ModelMap

__all__ = ["closure", "generated", "key_of"]

_MOST = 64  # elements that are counted


def _matrix(found: ModelMap) -> Array:
    """What a map does to velocities and controls, as one matrix."""
    size, controls = len(found.tangent_matrix), len(found.orders.actuators)
    matrix = np.zeros((size + controls, size + controls))
    matrix[:size, :size] = found.tangent_matrix
    matrix[size + np.arange(controls), size + found.orders.actuators] = found.orders.actuator_signs
    return matrix


def key_of(found: ModelMap) -> bytes:
    """What tells maps apart by what they do to velocities and controls."""
    return matrix_keys(_matrix(found)[None])[0]


def closure(maps: Sequence[ModelMap]) -> set[bytes]:
    """The keys of all products."""
    generators = [_matrix(each) for each in maps]
    found = [np.eye(len(generators[0]))]
    keys = {matrix_keys(found[0][None])[0]}
    for element in found:
        for generator in generators:
            product = generator @ element
            key = matrix_keys(product[None])[0]
            if key not in keys:
                keys.add(key)
                found.append(product)
        if len(found) > min(_MOST, MOST_LABELS):
            break
    return keys


def generated(maps: Sequence[ModelMap]) -> int:
    """How many elements maps generate; as many as are counted at most."""
    return len(closure(maps))
