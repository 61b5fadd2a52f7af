"""Tensors and their settings in one safetensors file: whole or not at all, and never pickled."""

from __future__ import annotations

import json
import os
import zlib
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

    plain = json.loads(json.dumps(settings))
    data = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    header = {"kind": kind, "version": FORMAT_VERSION, "settings": plain, "crc32": _checksum(data, plain)}
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
    try:
        header = json.loads(metadata["equiworld"])
        version, found = header["version"], header["kind"]
        settings, checksum = header["settings"], header.get("crc32")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise CheckpointError(
            f"{os.fspath(path)} was not written by equiworld; expected a {kind} file"
        ) from None
    if version != FORMAT_VERSION:
        raise CheckpointError(
            f"{os.fspath(path)} has format version {version}; this release reads {FORMAT_VERSION}"
        )
    if found != kind:
        raise CheckpointError(f"{os.fspath(path)} holds a {found}; expected a {kind}")
    if checksum not in (None, _checksum(tensors, settings)):
        raise CheckpointError(f"{os.fspath(path)} is damaged: its checksum is wrong; restore it from a copy")
    return tensors, settings


def _checksum(tensors: Mapping[str, Tensor], settings: Mapping[str, Any]) -> int:
    """Of every name, dtype, shape and byte: safetensors itself notices no flipped bit."""
    checksum = zlib.crc32(json.dumps(settings, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        checksum = zlib.crc32(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode(), checksum)
        checksum = zlib.crc32(tensor.reshape(-1).view(torch.uint8).numpy().data, checksum)
    return checksum
