"""The worlds that questions are asked in, by name; any registered environment with a task is one, by its id."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from equiworld.errors import UnknownNameError

if TYPE_CHECKING:
    from equiworld.benchmarks.worlds.world import World

__all__ = ["WORLDS", "world_of"]

WORLDS: dict[str, str] = {
    "pusht": "equiworld.benchmarks.worlds.pusht:PUSHT",
    "cloudpush": "equiworld.benchmarks.worlds.cloudpush:CLOUDPUSH",
    "cloudpush-bottle": "equiworld.benchmarks.worlds.cloudpush:BOTTLE",
    "cloudpush-zed": "equiworld.benchmarks.worlds.cloudpush:ZED",
    "cloudpush-pose": "equiworld.benchmarks.worlds.cloudpush:POSE",
}
"""By name, the module and the variable; imported when asked for."""


def world_of(name: str) -> World:
    """A world by its name, or a registered environment by its id.

    Raises:
        UnknownNameError: neither; lists those there are.
    """
    if name in WORLDS:
        module, _, variable = WORLDS[name].partition(":")
        return getattr(importlib.import_module(module), variable)
    from equiworld.benchmarks.worlds.registered import registered_world

    found = registered_world(name)
    if found is None:
        raise UnknownNameError(
            "world", name, WORLDS, "or the id of an environment with a symmetry and a task"
        )
    return found
