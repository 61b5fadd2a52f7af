"""Models out of files: whatever a file says is checked before anything of its size is made."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Any

import torch

from equiworld.arguments import flag, integer, number
from equiworld.errors import ArgumentError, CheckpointError, UnknownNameError
from equiworld.models.registry import build
from equiworld.models.world_model import FORMAT, WorldModel
from equiworld.storage import load_tensors
from equiworld.symmetry.bound import ActionSpace, bounds_from_dicts
from equiworld.symmetry.serialise import symmetry_from_dict

__all__ = ["load_model", "restore_settings"]

_DTYPES = {name: getattr(torch, name) for name in ("float16", "bfloat16", "float32", "float64")}

_HARMLESS = 4_000_000
"""Numbers that a file may ask for whatever it holds: 16 MB."""


def load_model(folder: str | os.PathLike[str]) -> WorldModel:
    """See `WorldModel.load`."""
    path = Path(folder) / "model.safetensors"
    tensors, description = load_tensors(path, "model")
    try:
        _check_size(description["settings"], sum(tensor.numel() for tensor in tensors.values()))
        symmetry = symmetry_from_dict(description["symmetry"])
        model = build(description["family"], symmetry, description["env_id"], description["settings"])
    except UnknownNameError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
        raise CheckpointError(f"{path} holds no whole model ({type(error).__name__}: {error})") from error
    if description.get("dtype") not in list(_DTYPES):  # a file names no attribute of torch
        raise CheckpointError(
            f"dtype: got {description.get('dtype')!r}; expected one of {', '.join(_DTYPES)}"
        )
    model = model.to(_DTYPES[description["dtype"]]).eval()
    version = description.get("format", 1)
    if not isinstance(version, int) or version < FORMAT:
        model.check_old_format()
    try:
        return model.restore(tensors, description)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(f"{path} holds no whole model ({type(error).__name__}: {error})") from error
    except RuntimeError as error:  # torch's word for tensors of other names or shapes
        raise CheckpointError(
            f"{path} holds other tensors than this release's family "
            f"{model.family!r}; train it anew, or use equiworld {_release(description)}"
        ) from error


def restore_settings(model: WorldModel, description: dict[str, Any]) -> None:
    """What training and the environment had set, as `WorldModel.describe` wrote it.

    Raises:
        ArgumentError: a number is none, or out of range.
        KeyError, TypeError: something is missing, or of another kind.
    """
    model.env_arguments = dict(description.get("env_arguments", {}))
    model.action_repeat = integer("action_repeat", description["action_repeat"], least=1)
    model.action_bound = bounds_from_dicts(model.symmetry, description["action_bound"])
    space = description.get("action_space", {})
    sides = {name: None if side is None else tuple(side) for name, side in space.items() if name != "dtype"}
    model.action_space = ActionSpace(**sides, dtype=space.get("dtype", "float64"))
    if model.action_space.dtype not in ("float16", "float32", "float64"):
        raise ArgumentError("action_space.dtype", model.action_space.dtype, "a floating dtype")
    for side in (model.action_space.low, model.action_space.high):
        if side is not None and not all(isinstance(each, int | float) and each == each for each in side):
            raise ArgumentError("action_space", side, "numbers")
    scales = description.get("scales", {})
    model.scales = {name: number(f"scales[{name!r}]", scale, above=0) for name, scale in scales.items()}
    model.single = flag("single", description.get("single", False))


def _check_size(settings: Any, count: int) -> None:
    """Refuse settings of a file that ask for more numbers than it holds, before any are made room for."""
    if not isinstance(settings, dict):
        raise ArgumentError("settings", settings, "a mapping by name")
    for name, value in settings.items():
        sizes = value if isinstance(value, list) else [value]
        whole = [size for size in sizes if isinstance(size, int)]
        asked = max([*whole, sum(a * b for a, b in itertools.pairwise(whole))], default=0)
        if name != "seed" and (asked > max(4 * count, _HARMLESS) or min(whole, default=0) < 0):
            raise ArgumentError(
                f"settings[{name!r}]", value, f"sizes that the {count} numbers of the file fill"
            )


def _release(description: dict[str, Any]) -> str:
    """The release that wrote a file, as far as it says so."""
    versions = description.get("versions")
    return str(versions.get("equiworld")) if isinstance(versions, dict) else "of another release"
