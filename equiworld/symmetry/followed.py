"""What each wrapper that is followed makes of a declaration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.spaces.utils import flatdim

from equiworld.errors import ArgumentError
from equiworld.symmetry.field import Field
from equiworld.symmetry.fields import Scalar
from equiworld.symmetry.symmetry import Symmetry
from equiworld.symmetry.validation import goal_among

__all__ = ["FOLLOWED", "HELP"]

_ELEMENTS = 8
_ROUNDING = 1e-9  # of the largest number

HELP = (
    "wrappers that leave observations alone, or one that says how what it shows transforms, by its attribute "
    "`symmetry`; or pass symmetry="
)


def _filtered(layer: Any, symmetry: Symmetry) -> Symmetry:
    """`FilterObservation`: some keys alone."""
    space = _space(layer)
    if not isinstance(space, spaces.Dict) or symmetry.flat:
        return symmetry
    keys = {name: _place(symmetry, name)[0] for name in symmetry.observation}
    return _only(symmetry, [name for name, key in keys.items() if key in space.spaces])


def _only(symmetry: Symmetry, names: list[str]) -> Symmetry:
    """The declaration of some of its fields."""

    def known(name: str | None) -> str | None:
        return name if name in names else None

    keys = {_place(symmetry, name)[0] for name in names}
    return replace(
        symmetry,
        observation={name: symmetry.observation[name] for name in names},
        places={name: place for name, place in symmetry.places.items() if name in names},
        shapes={key: shape for key, shape in symmetry.shapes.items() if key in keys},
        state=tuple(name for name in symmetry.state if name in names),
        goal=goal_among(symmetry, names),
        action_origin=known(symmetry.action_origin),
        reference=known(symmetry.reference),
        heading=known(symmetry.heading),
    )


def _extracted(layer: Any, symmetry: Symmetry) -> Symmetry:
    """`VecExtractDictObs`: the array of one key."""
    names = [name for name in symmetry.observation if _place(symmetry, name)[0] == layer.key]
    return _in_a_row(_only(symmetry, names), [layer.key])


def _flattened(layer: Any, symmetry: Symmetry) -> Symmetry:
    """`FlattenObservation`: the arrays of a Dict one behind the other, in the order of its space."""
    inner = _space(layer.env)
    if isinstance(inner, spaces.Dict):
        return _in_a_row(symmetry, list(inner.spaces))
    return replace(symmetry, shapes={})


def _in_a_row(symmetry: Symmetry, keys: list[str]) -> Symmetry:
    """One array of the keys' arrays, in order."""
    order: list[str] = []
    places: dict[str, tuple[str, tuple[int, ...]]] = {}
    start, whole = 0, symmetry.arrays()
    for key in keys:
        if key not in whole:
            raise ArgumentError("env", f"the undeclared key {key!r}", "declared keys only", whole)
        inside = [name for name in symmetry.observation if _place(symmetry, name)[0] == key]
        for name in inside:
            places[name] = ("observation", tuple(start + place for place in _place(symmetry, name)[1]))
        order += inside
        start += whole[key].size(symmetry.dim)
    fields: dict[str, Field] = {name: symmetry.observation[name] for name in order}
    return replace(symmetry, observation=fields, places=places, shapes={}, flat=True)


def _reshaped(layer: Any, symmetry: Symmetry) -> Symmetry:
    """`ReshapeObservation`: one array in another shape."""
    shape = tuple(_space(layer).shape or ())
    if not symmetry.flat:
        return symmetry
    return replace(symmetry, shapes={"observation": shape} if len(shape) > 1 else {})


def _stacked(layer: Any, symmetry: Symmetry) -> Symmetry:
    """`FrameStackObservation`: several frames one behind the other along an axis of their own, the oldest first."""
    padding = getattr(layer, "padding_type", "reset")
    if padding != "reset":
        begins = "zeros" if padding == "zero" else "the numbers of its padding"
        _check_beginning(
            layer, symmetry, symmetry.observed(layer.padding_value), begins, 'padding_type="reset"'
        )
    return _in_frames(symmetry, int(layer.stack_size), apart=True)


def _stacked_in_a_row(layer: Any, symmetry: Symmetry) -> Symmetry:
    """stable-baselines3's `VecFrameStack`: several frames along the last axis, zeros before the first."""
    _check_zeros(layer, symmetry, "Gymnasium's FrameStackObservation around each environment")
    numbers = [flatdim(_space(each)) for each in (layer, layer.venv)]
    return _in_frames(symmetry, numbers[0] // numbers[1], apart=False)


def _in_frames(symmetry: Symmetry, count: int, apart: bool) -> Symmetry:
    """Several frames of each array. The last one's fields keep their names, which roles such as the reference go by."""
    whole = symmetry.arrays()
    fields: dict[str, Field] = {}
    places: dict[str, tuple[str, tuple[int, ...]]] = {}
    state, before = [], "before"
    while any(name.endswith(f" {before}") for name in symmetry.observation):  # stacks of stacks
        before = f"stacks {before}"
    for frame in range(count):
        for name, field in symmetry.observation.items():
            key, at = _place(symmetry, name)
            start = frame * whole[key].size(symmetry.dim)
            called = name if frame == count - 1 else f"{name}, {count - 1 - frame} {before}"
            fields[called], places[called] = field, (key, tuple(start + place for place in at))
            state += [called] if name in symmetry.state else []
    shapes = {
        key: (count, *symmetry.shapes.get(key, (declared.size(symmetry.dim),)))
        for key, declared in whole.items()
    }
    return replace(
        symmetry, observation=fields, places=places, state=tuple(state), shapes=shapes if apart else {}
    )


def _delayed(layer: Any, symmetry: Symmetry) -> Symmetry:
    """`DelayObservation`: the same, later; zeros before the first."""
    _check_zeros(layer, symmetry, "a delay that shows what was there before the first step")
    return symmetry


def _check_zeros(layer: Any, symmetry: Symmetry, expected: str) -> None:
    """Refuse what shows zeros in place of fields that zeros of are moved, as points are."""
    zeros = {name: np.zeros(field.size(symmetry.dim)) for name, field in symmetry.observation.items()}
    _check_beginning(layer, symmetry, zeros, "zeros", expected)


def _check_beginning(
    layer: Any, symmetry: Symmetry, shown: Mapping[str, Any], begins: str, expected: str
) -> None:
    """Refuse what shows numbers of its own `(size,)` by field, before any of the environment's, if some are moved."""
    group, rng = symmetry.group, np.random.default_rng(0)
    for name, field in symmetry.observation.items():
        still = np.asarray(shown[name], np.float64)
        try:
            moved = any(
                np.abs(field.transform(g, still, symmetry.centre, name) - still).max(initial=0.0)
                > _ROUNDING * np.abs(still).max(initial=0.0)
                for g in (*group.section(), *group.sample(rng, _ELEMENTS, scale=symmetry.length_scale))
            )
        except ArgumentError:  # as of quaternions
            moved = True
        if moved:
            got = f"{type(layer).__name__}, which begins with {begins}: those of {name!r}, {field!r}, do not turn"
            raise ArgumentError("env", got, expected)


def _timed(layer: Any, symmetry: Symmetry) -> Symmetry:
    """`TimeAwareObservation`: the time as a number more."""
    inner, outer = _space(layer.env), _space(layer)
    key = next(
        (key for key in getattr(outer, "spaces", {}) if key not in getattr(inner, "spaces", {})), "time"
    )
    fields = {**symmetry.observation, "time": Scalar()}
    if "time" in symmetry.observation:
        raise ArgumentError("env", "TimeAwareObservation of a field 'time'", "another name for that field")
    state = (*symmetry.state, "time")
    if symmetry.flat and isinstance(outer, spaces.Box):
        places = dict(symmetry.places)
        if places:
            places["time"] = ("observation", (symmetry.arrays()["observation"].size(symmetry.dim),))
        return replace(symmetry, observation=fields, places=places, state=state)
    if symmetry.flat or isinstance(outer, spaces.Box):
        raise ArgumentError(
            "env", "TimeAwareObservation", "flatten=False of a Dict, or flatten=True of an array"
        )
    places = {**symmetry.places, "time": (key, (0,))}
    return replace(symmetry, observation=fields, places=places, state=state)


def _normalised(layer: Any, symmetry: Symmetry) -> Symmetry:
    """`NormalizeObservation`, `VecNormalize`: each number in a scale of its own, unless only rewards are scaled."""
    if not getattr(layer, "norm_obs", True):
        return symmetry
    raise ArgumentError(
        "env",
        f"one in {type(layer).__name__}, which scales each number by itself: what it shows does not turn",
        "observations as the simulator gives them; models normalise inside, and a policy trained on such numbers goes "
        "behind the door in a function: "
        "symmetrise(lambda obs: model.predict(envs.normalize_obs(obs), deterministic=True)[0], …)",
    )


def _largest(layer: Any, symmetry: Symmetry) -> Symmetry:
    """`MaxAndSkipObservation`: the larger of two frames, number by number."""
    raise ArgumentError("env", f"one in {type(layer).__name__}, whose largest numbers do not turn", HELP)


def _retyped(layer: Any, symmetry: Symmetry) -> Symmetry:
    """`DtypeObservation`: the same numbers, unless they are rounded to integers."""
    kinds = [np.dtype(_space(each).dtype).kind for each in (layer.env, layer)]
    if kinds[0] == "f" != kinds[1]:
        got = f"one in {type(layer).__name__}, whose {_space(layer).dtype} numbers do not turn"
        raise ArgumentError("env", got, f"a floating dtype; {HELP}")
    return symmetry


def _space(layer: Any) -> spaces.Space:
    """What one environment shows."""
    return getattr(layer, "single_observation_space", None) or layer.observation_space


def _place(symmetry: Symmetry, name: str) -> tuple[str, tuple[int, ...]]:
    """The key that holds a field, and where its numbers lie there."""
    if name in symmetry.places:
        return symmetry.places[name]
    if not symmetry.flat:
        return name, tuple(range(symmetry.observation[name].size(symmetry.dim)))
    segment = dict(symmetry.segments())[name]
    return "observation", tuple(range(segment.start, segment.stop) if isinstance(segment, slice) else segment)


FOLLOWED: dict[str, Callable[[Any, Symmetry], Symmetry]] = {
    "DelayObservation": _delayed,
    "DtypeObservation": _retyped,
    "FilterObservation": _filtered,
    "FlattenObservation": _flattened,
    "FrameStackObservation": _stacked,
    "MaxAndSkipObservation": _largest,
    "NormalizeObservation": _normalised,
    "ReshapeObservation": _reshaped,
    "TimeAwareObservation": _timed,
    "VecExtractDictObs": _extracted,
    "VecFrameStack": _stacked_in_a_row,
    "VecNormalize": _normalised,
}
"""By the wrapper's name: neither library's wrappers are imported for it."""
