"""The columns of a dataset in one safetensors file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from equiworld.storage import load_tensors, save_tensors

__all__ = ["read_columns", "write_columns"]

_KIND = "dataset"
_ARRAYS, _MAPPINGS = ("action", "episode"), ("observation", "next_observation")


def write_columns(
    path: str | os.PathLike[str], columns: Mapping[str, Any], settings: Mapping[str, Any]
) -> Path:
    """Write arrays, and mappings of arrays, with JSON settings; whole or not at all."""
    tensors = {name: _tensor(columns[name]) for name in _ARRAYS}
    for prefix in _MAPPINGS:
        tensors |= {f"{prefix}.{name}": _tensor(array) for name, array in columns[prefix].items()}
    return save_tensors(path, _KIND, tensors, settings)


def read_columns(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Those of the columns that a file holds, and its settings.

    Raises:
        CheckpointError: it is cut off, damaged, or of another kind.
    """
    tensors, settings = load_tensors(path, _KIND)
    columns: dict[str, Any] = {name: tensors[name].numpy() for name in _ARRAYS if name in tensors}
    for prefix in _MAPPINGS:
        start = f"{prefix}."
        columns[prefix] = {
            name.removeprefix(start): tensor.numpy()
            for name, tensor in tensors.items()
            if name.startswith(start)
        }
    return columns, settings


def _tensor(array: NDArray[Any]) -> torch.Tensor:
    """The array's numbers. Torch takes none that is read backwards, be it along an axis of one, or only to be read."""
    return torch.from_numpy(np.require(array.reshape(-1), requirements=["C", "W"]).reshape(array.shape))
