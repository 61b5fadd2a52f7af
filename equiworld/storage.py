"""Tensors and their settings in one safetensors file: whole or not at all, and never pickled."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from equiworld.errors import CheckpointError
from equiworld.files import write_atomically

__all__ = ["FORMAT_VERSION", "load_tensors", "save_tensors"]

FORMAT_VERSION = 1


def save_tensors(
    path: str | os.PathLike[str], kind: str, tensors: Mapping[str, Tensor], settings: Mapping[str, Any]
) -> Path:
    """Write tensors with JSON settings in the file's header.

    Args:
        path: the file; missing folders are made, an old file is replaced only once the new one is whole.
        kind: what the file is, such as "model"; checked again on loading.
        tensors: by name.
        settings: anything JSON can hold.

    Raises:
        OSError: the file could not be written; an old file is left as it was.
    """
    from safetensors.torch import save

    header = {"kind": kind, "version": FORMAT_VERSION, "settings": settings}
    data = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    content = save(data, metadata={"equiworld": json.dumps(header)})
    return write_atomically(path, lambda file: file.write(content))


def load_tensors(path: str | os.PathLike[str], kind: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `save_tensors` wrote.

    Returns:
        The tensors by name, and the settings.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: the file is cut off or damaged, not equiworld's, of another kind, or of another version.
    """
    from safetensors import SafetensorError, safe_open

    if not Path(path).is_file():
        raise FileNotFoundError(f"no {kind} file at {os.fspath(path)}")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            # Copied: a view into the mapped file would change if the file were replaced.
            tensors = {name: torch.clone(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise CheckpointError(
            f"{os.fspath(path)} is cut off, damaged or no safetensors file ({error}); restore it from a copy, "
            "or make it anew"
        ) from error
    if "equiworld" not in metadata:
        raise CheckpointError(f"{os.fspath(path)} was not written by equiworld; expected a {kind} file")
    header = json.loads(metadata["equiworld"])
    if header["version"] != FORMAT_VERSION:
        raise CheckpointError(
            f"{os.fspath(path)} has format version {header['version']}; this release reads {FORMAT_VERSION}"
        )
    if header["kind"] != kind:
        raise CheckpointError(f"{os.fspath(path)} holds a {header['kind']}; expected a {kind}")
    return tensors, header["settings"]
