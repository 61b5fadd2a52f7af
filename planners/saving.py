"""A policy's settings as a file beside its model's."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from equiworld.errors import ArgumentError, CheckpointError
from equiworld.files import write_atomically
from equiworld.planners.planner import Planner
from equiworld.planners.registry import planner_from_dict, planner_to_dict

__all__ = ["load_settings", "save_settings", "settings_as_text"]

_FILE = "policy.json"
_KINDS = {"dtype": str, "seed": int, "door": bool, "bound": str}
_OPTIONS = {"dtype": ("float32", "float64"), "bound": ("ball", "box")}


def settings_as_text(planner: Planner, **settings: Any) -> str:
    """What `policy.json` holds.

    Raises:
        ArgumentError: the planner is not registered.
    """
    return json.dumps({"planner": planner_to_dict(planner), **settings}, indent=2)


def save_settings(folder: str | os.PathLike[str], text: str) -> Path:
    """Write `policy.json` into a folder, whole or not at all."""
    write_atomically(Path(folder) / _FILE, lambda file: file.write(text.encode()))
    return Path(folder)


def load_settings(folder: str | os.PathLike[str]) -> tuple[Planner, dict[str, Any]]:
    """The planner and the other settings.

    Raises:
        FileNotFoundError: no such file.
        CheckpointError: it is damaged, or of another version; says which setting, and what replaces one of old.
    """
    path = Path(folder) / _FILE
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
        planner = planner_from_dict(settings.pop("planner"))
        known = all(settings.get(name) in options for name, options in _OPTIONS.items())
        if not known or {name: type(value) for name, value in settings.items()} != _KINDS:
            raise ArgumentError("settings", settings, "a dtype, a seed, a door and a bound")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{path} is damaged, or of another version: {error}") from error
    return planner, settings
