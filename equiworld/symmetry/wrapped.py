"""What Gymnasium's wrappers make of a declaration: observations filtered, stacked, flattened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import gymnasium as gym
from gymnasium import spaces

from equiworld.errors import ArgumentError
from equiworld.symmetry.field import Field
from equiworld.symmetry.symmetry import Symmetry

__all__ = ["carried_by", "through_wrappers"]


def carried_by(env: Any) -> Symmetry | None:
    """The Symmetry that an environment or one of its wrappers has as its attribute `symmetry`; the outermost one's."""
    return _own(list(_layers(env))[-1])


def through_wrappers(env: Any, symmetry: Symmetry) -> Symmetry:
    """The declaration of what a wrapped environment shows, of that of the innermost one.

    Filters, stacks of frames and flattened observations are followed; every other wrapper is taken to leave
    observations alone, which the check of the space after it tells for their shapes.

    Args:
        env: wrapped or not.
        symmetry: of `env.unwrapped`, or of the wrapper that carries one.
    """
    for layer in reversed(list(_layers(env))):
        follow = _FOLLOWED.get(type(layer).__name__)
        if follow is not None and isinstance(layer, gym.Wrapper):
            symmetry = follow(layer, symmetry)
    return symmetry


def _layers(env: Any) -> Iterator[Any]:
    """The environment and what it wraps, from outside to inside; down to one that carries its symmetry."""
    while env is not None:
        yield env
        if _own(env) is not None or not isinstance(env, gym.Wrapper):
            return
        env = env.env


def _own(layer: Any) -> Symmetry | None:
    """What a layer itself has: a wrapper hands on what it does not have."""
    found = vars(layer).get("symmetry", getattr(type(layer), "symmetry", None))
    return found if isinstance(found, Symmetry) else None


def _filtered(layer: gym.Wrapper, symmetry: Symmetry) -> Symmetry:
    """`FilterObservation`: some keys alone."""
    space = layer.observation_space
    if not isinstance(space, spaces.Dict) or symmetry.flat:
        return symmetry
    keys = {name: symmetry.places.get(name, (name,))[0] for name in symmetry.observation}
    return _only(symmetry, [name for name, key in keys.items() if key in space.spaces])


def _only(symmetry: Symmetry, names: list[str]) -> Symmetry:
    """The declaration of some of its fields."""

    def known(name: str | None) -> str | None:
        return name if name in names else None

    return replace(
        symmetry,
        observation={name: symmetry.observation[name] for name in names},
        places={name: place for name, place in symmetry.places.items() if name in names},
        state=tuple(name for name in symmetry.state if name in names),
        goal=tuple(name for name in symmetry.goal if name in names),
        action_origin=known(symmetry.action_origin),
        reference=known(symmetry.reference),
        heading=known(symmetry.heading),
    )


def _flattened(layer: gym.Wrapper, symmetry: Symmetry) -> Symmetry:
    """`FlattenObservation`: the arrays of a Dict one behind the other, in the order of its space."""
    inner = layer.env.observation_space
    if isinstance(inner, spaces.Dict):
        return _in_a_row(symmetry, list(inner.spaces))
    return symmetry


def _in_a_row(symmetry: Symmetry, keys: list[str]) -> Symmetry:
    """One array of the keys' arrays, in order."""
    order: list[str] = []
    places: dict[str, tuple[str, tuple[int, ...]]] = {}
    start, whole = 0, symmetry.arrays()
    for key in keys:
        if key not in whole:
            raise ArgumentError("env", f"the undeclared key {key!r}", "declared keys only", whole)
        size = whole[key].size(symmetry.dim)
        inside = [name for name in symmetry.observation if symmetry.places.get(name, (name,))[0] == key]
        for name in inside:
            at = symmetry.places[name][1] if name in symmetry.places else range(size)
            places[name] = ("observation", tuple(start + place for place in at))
        order += inside
        start += size
    fields: dict[str, Field] = {name: symmetry.observation[name] for name in order}
    return replace(symmetry, observation=fields, places=places, flat=True)


def _stacked(layer: gym.Wrapper, symmetry: Symmetry) -> Symmetry:
    """`FrameStackObservation`: several frames of one array, the oldest first; `FlattenObservation` puts them in a row.

    The last frame's fields keep their names, which roles such as the reference go by.
    """
    count = int(getattr(layer, "stack_size", 0))
    if not symmetry.flat or count < 1:
        raise ArgumentError(
            "env",
            f"a stack of {count} frames of {sorted(symmetry.arrays())}",
            "frames of one array: FlattenObservation(FrameStackObservation(FlattenObservation(env), n))",
        )
    size = symmetry.arrays()["observation"].size(symmetry.dim)
    fields: dict[str, Field] = {}
    places: dict[str, tuple[str, tuple[int, ...]]] = {}
    inside = dict(symmetry.segments())
    for frame in range(count):
        for name, field in symmetry.observation.items():
            segment = inside[name]
            at = range(size)[segment] if isinstance(segment, slice) else segment
            called = name if frame == count - 1 else f"{name}, {count - 1 - frame} before"
            fields[called] = field
            places[called] = ("observation", tuple(frame * size + place for place in at))
    state = tuple(name for name in fields if name.split(", ")[0] in symmetry.state)
    return replace(symmetry, observation=fields, places=places, state=state)


_FOLLOWED: dict[str, Callable[[gym.Wrapper, Symmetry], Symmetry]] = {
    "FilterObservation": _filtered,
    "FlattenObservation": _flattened,
    "FrameStackObservation": _stacked,
}
"""By the wrapper's name: Gymnasium's wrappers are not imported for it."""
