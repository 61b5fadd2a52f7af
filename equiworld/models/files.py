"""Models out of files: whatever a file says is checked before anything of its size is made."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from equiworld.arguments import flag, integer, number
from equiworld.errors import ArgumentError, CheckpointError, UnknownNameError
from equiworld.models.families import recipe_of
from equiworld.models.recipe import Recipe
from equiworld.storage import load_tensors
from equiworld.symmetry.bound import ActionSpace, bounds_from_dicts
from equiworld.symmetry.serialise import symmetry_from_dict

__all__ = ["FORMAT", "load_model"]

FORMAT = 3
"""Raised when a file says the same things otherwise: 1 is that of release 0.1.0, and up to 2 models were classes."""

_DTYPES = {name: getattr(torch, name) for name in ("float16", "bfloat16", "float32", "float64")}

_HARMLESS = 4_000_000
"""Numbers of a matrix that a file may ask for whatever it holds: 16 MB."""

_FREE = "cloud_points"
"""The one setting that no weights are made for."""


def load_model(folder: str | os.PathLike[str], make: Callable[..., Any]) -> Any:
    """See `WorldModel.load`.

    Args:
        folder: that `WorldModel.save` wrote.
        make: a fresh model of a symmetry, a recipe, a seed, a family's name and an environment's id.
    """
    path = Path(folder) / "model.safetensors"
    tensors, description = load_tensors(path, "model")
    try:
        version = description.get("format", 1)
        if not isinstance(version, int) or version < FORMAT:
            tensors, description = _of_classes(tensors, description)
        recipe = description["recipe"]
        count = sum(tensor.numel() for tensor in tensors.values())
        for part in ("network", "encoder"):
            _check_size(recipe[part], count)
        named = (description[key] for key in ("seed", "family", "env_id"))
        model = make(symmetry_from_dict(description["symmetry"]), Recipe.from_dict(recipe), *named)
    except UnknownNameError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RuntimeError) as error:
        raise CheckpointError(f"{path} holds no whole model ({type(error).__name__}: {error})") from error
    if description.get("dtype") not in list(_DTYPES):  # a file names no attribute of torch
        raise CheckpointError(
            f"dtype: got {description.get('dtype')!r}; expected one of {', '.join(_DTYPES)}"
        )
    model = model.to(_DTYPES[description["dtype"]]).eval()
    if not isinstance(version, int) or version < 2:
        _check_first_format(model)
    _check_heights(model, tensors)
    try:
        model.load_state_dict(tensors)
        _restore_settings(model, description)
        return model
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(f"{path} holds no whole model ({type(error).__name__}: {error})") from error
    except RuntimeError as error:  # torch's word for tensors of other names or shapes
        raise CheckpointError(
            f"{path} holds other tensors than this release's family "
            f"{model.family!r}; train it anew, or use equiworld {_release(description)}"
        ) from error


def _of_classes(
    tensors: dict[str, Tensor], description: dict[str, Any]
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """A model of earlier formats, which were classes with settings, as one of a recipe."""
    settings = dict(description["settings"])
    seed = settings.pop("seed", 0)
    _check_size(settings, sum(tensor.numel() for tensor in tensors.values()))
    recipe = recipe_of(description["family"]).with_settings(**settings)
    found = {}
    for name, tensor in tensors.items():
        if name.startswith("target."):  # an average of past encoders, which only training needs
            continue
        if recipe.encoder.learns:
            name = name.replace("encoder.", "encoder.network.", 1) if name.startswith("encoder.") else name
        else:
            name = f"dynamics.{name}"
        found[name.replace("dynamics.network.layers.layers.", "dynamics.network.network.layers.")] = tensor
    return found, {**description, "recipe": recipe.to_dict(), "seed": seed}


def _check_first_format(model: Any) -> None:
    """Refuse weights of release 0.1.0 that mean something else now.

    Raises:
        CheckpointError: says what changed, and what to do.
    """
    layout = model.dynamics.layout
    if model.recipe.centred and not layout.centred and layout.state_type.points:
        raise CheckpointError(
            f"this model of release 0.1.0 saw points from their mean; under {layout.symmetry.group!r}, which has no "
            "translations, they are seen from the centre now: train it anew, or use equiworld 0.1.0"
        )


def _check_heights(model: Any, tensors: dict[str, Tensor]) -> None:
    """Refuse weights of a model under an axis that did not see how high its reference is.

    Raises:
        CheckpointError: says what changed, and what to do.
    """
    layout, mean = model.dynamics.layout, tensors.get("dynamics.in_scalar_mean")
    if layout.raised and mean is not None and mean.numel() == layout.in_type.scalars - 1:
        raise CheckpointError(
            f"this model did not see heights along the axis; under {layout.symmetry.group!r}, which does not shift "
            "along it, the height of the reference is a number that comes in now: train it anew"
        )


def _restore_settings(model: Any, description: dict[str, Any]) -> None:
    """Restore the attributes that training and the environment set, as `WorldModel.describe` wrote them.

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
    layers = [size for value in settings.values() if isinstance(value, list) for size in value]
    single = [value for name, value in settings.items() if isinstance(value, int) and name != _FREE]
    sides = [*itertools.pairwise(layers), *((one, layers[0] if layers else one) for one in single)]
    # Each channel of a layer, and each repetition of one, has a number at least; matrices have all of theirs.
    if not all(isinstance(size, int) and size >= 0 for size in layers + single) or (
        max([sum(layers), *single]) > max(count, 1000)
        or max((a * b for a, b in sides), default=0) > max(4 * count, _HARMLESS)
    ):
        raise ArgumentError("settings", settings, f"sizes that the {count} numbers of the file fill")


def _release(description: dict[str, Any]) -> str:
    """The release that wrote a file, as far as it says so."""
    versions = description.get("versions")
    return str(versions.get("equiworld")) if isinstance(versions, dict) else "of another release"
