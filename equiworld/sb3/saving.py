"""A door as a file beside the policy that decides behind it."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from equiworld.arguments import integer, number
from equiworld.errors import ArgumentError, CheckpointError
from equiworld.files import check_folder, write_atomically
from equiworld.groups import GroupElement
from equiworld.sb3.frames import HOW, How
from equiworld.symmetry import Door
from equiworld.symmetry.limits import Limits
from equiworld.symmetry.serialise import symmetry_from_dict, symmetry_to_dict

__all__ = ["load_door", "loaded", "save_door"]

_FILE, _INNER = "door.json", "policy"
_VERSION = 1


def save_door(
    folder: str | os.PathLike[str],
    policy: Any,
    door: Door,
    ignore: Sequence[str],
    limits: Limits,
    how: How,
    seed: int,
) -> Path:
    """Write the policy by its own `save`, and then the door's settings.

    Raises:
        ArgumentError: the policy has no `save`.
    """
    if not callable(getattr(policy, "save", None)):
        got = f"{type(policy).__name__}, which has no save(path)"
        raise ArgumentError("policy", got, "one with save(path) and, of its class, load(path)")
    target = check_folder("folder", folder, [_FILE])
    settings = {
        "version": _VERSION,
        "symmetry": symmetry_to_dict(door.symmetry),
        "scales": door.layout.scales,
        "single": door.single,
        "reference_pose": None if door.reference_pose is None else door.reference_pose.to_dict(),
        "ignore": list(ignore),
        "limits": limits.to_dict(),
        "how": how,
        "seed": seed,
    }
    text = json.dumps(settings, indent=2, allow_nan=False)
    target.mkdir(parents=True, exist_ok=True)
    policy.save(target / _INNER)
    write_atomically(target / _FILE, lambda file: file.write(text.encode()))
    return target


def load_door(folder: str | os.PathLike[str]) -> tuple[Door, tuple[str, ...], Limits, How, int]:
    """The door, the keys that are withheld, the limits of actions, in which frames to ask, and the seed of those.

    Raises:
        FileNotFoundError: no such file.
        CheckpointError: it is damaged, or of another version.
    """
    path = Path(folder) / _FILE
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
        if settings["version"] != _VERSION:
            raise ArgumentError("version", settings["version"], f"version {_VERSION}")
        symmetry, pose = symmetry_from_dict(settings["symmetry"]), settings["reference_pose"]
        scales = {str(name): number(name, scale, above=0) for name, scale in settings["scales"].items()}
        ignore, single = settings["ignore"], settings["single"]
        if not isinstance(single, bool) or not all(isinstance(name, str) for name in ignore):
            raise ArgumentError("settings", settings, "a flag and names of keys")
        door = Door(symmetry, None, scales, single, None if pose is None else GroupElement.from_dict(pose))
        limits = Limits.from_dict(symmetry, settings["limits"])
        how, seed = settings.get("how", HOW[0]), integer("seed", settings.get("seed", 0), least=0)
        if how not in HOW:
            raise ArgumentError("how", repr(how), "in which frames the policy is asked", HOW)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{path} is damaged, or of another version: {error}") from error
    return door, tuple(ignore), limits, how, seed


def loaded(folder: str | os.PathLike[str], policy: Any) -> Any:
    """The policy that was saved, read by the class that is given; one that is given is that one."""
    if not isinstance(policy, type):
        return policy
    if not callable(getattr(policy, "load", None)):
        raise ArgumentError("policy", f"the class {policy.__name__}", "a class with load(path), or a policy")
    return policy.load(Path(folder) / _INNER)  # type: ignore[attr-defined]
