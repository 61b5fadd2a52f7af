"""Proof that datasets for training and testing have nothing in common."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiworld.errors import OverlapError
from equiworld.training.transitions import Transitions

__all__ = ["check_disjoint"]


def check_disjoint(**datasets: Transitions) -> dict[str, Any]:
    """Prove that datasets share no episode and no transition.

    A transformed copy keeps its episodes' numbers, so test data that is training data turned is found too: to an
    equivariant model it is data it was trained on. Collect each part with a seed of its own.

    Args:
        datasets: by name, such as `train=…, seen_test=…, turned_test=…`.

    Returns:
        What was checked, for the result file: the sizes, and the shared counts (all zero).

    Raises:
        OverlapError: two share an episode or a transition; names them and how many.
    """
    names = list(datasets)
    report: dict[str, Any] = {
        "transitions": {name: len(data) for name, data in datasets.items()},
        "shared": {},
    }
    episodes = {name: np.unique(data.episode) for name, data in datasets.items()}
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            counts = {
                "transitions": _shared_transitions(datasets[first], datasets[second]),
                "episodes": len(np.intersect1d(episodes[first], episodes[second], assume_unique=True)),
            }
            for what, shared in counts.items():
                if shared:
                    raise OverlapError(
                        f"{first} and {second} share {shared} {what}; expected none: collect them with "
                        "different seeds, or split by episode"
                    )
                report["shared"][f"{first}/{second} {what}"] = shared
    return report


def _shared_transitions(first: Transitions, second: Transitions) -> int:
    """How many transitions two datasets share, in the fields of equal size and in the coarser of their dtypes."""
    sizes = [{name: array.shape[1] for name, array in data.observation.items()} for data in (first, second)]
    names = [name for name, size in sizes[0].items() if sizes[1].get(name) == size]
    dtype = min((first.action.dtype, second.action.dtype), key=lambda one: one.itemsize)
    ours, theirs = (np.unique(_digests(data, names, dtype)) for data in (first, second))
    return len(np.intersect1d(ours, theirs, assume_unique=True))


def _digests(data: Transitions, names: Sequence[str], dtype: np.dtype[Any]) -> NDArray[np.bytes_]:
    """A digest of each transition, `(N,)`: of its action and these fields before and after."""
    arrays = [
        data.action,
        *(part[name] for part in (data.observation, data.next_observation) for name in names),
    ]
    # −0 and 0 are one number.
    columns = [np.ascontiguousarray(array.astype(dtype) + dtype.type(0)) for array in arrays]
    found = np.empty(len(data), "S32")
    for index in range(len(data)):
        digest = hashlib.blake2b(digest_size=16)
        for column in columns:
            digest.update(column[index].data)
        found[index] = digest.hexdigest()
    return found
