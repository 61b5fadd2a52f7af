"""Gymnasium spaces under a group: where the transformed arrays live."""

from __future__ import annotations

from collections import OrderedDict
from typing import Literal, NamedTuple

import numpy as np
from gymnasium import spaces

from equiworld.arguments import number
from equiworld.errors import ArgumentError
from equiworld.groups import Group, GroupElement
from equiworld.symmetry.concatenation import leaves
from equiworld.symmetry.declaration import Declaration
from equiworld.symmetry.field import Array, Field, check_pairing
from equiworld.symmetry.fields import Pseudovector, Vector
from equiworld.symmetry.observing import row_of
from equiworld.symmetry.validation import check_element, owned

__all__ = ["check_observation_space", "in_order_of", "scales_of_space", "transform_space"]

Role = Literal["observation", "action"]


def transform_space(
    symmetry: Declaration,
    g_or_group: GroupElement | Group,
    space: spaces.Space,
    role: Role | None = None,
    scale: float = 1.0,
) -> spaces.Space:
    """See `Symmetry.transform_space`."""
    if isinstance(g_or_group, Group):
        if g_or_group.dim != symmetry.dim:
            raise ArgumentError("group", g_or_group, f"a group of dimension {symmetry.dim}")
    else:
        check_element(g_or_group, symmetry.dim)
    scale = number("scale", scale, least=0)
    if not isinstance(space, spaces.Space):
        raise ArgumentError("space", space, "a Dict or a Box")
    if role is not None and (not isinstance(role, str) or role not in ("observation", "action")):
        raise ArgumentError("role", repr(role), "what the space holds", ("observation", "action"))
    role = role or _role(symmetry, space)
    if role == "action":
        return _transform_box("action", symmetry.action, symmetry, g_or_group, space, scale)
    check_observation_space(symmetry, space)
    arrays = symmetry.arrays()
    if symmetry.flat:
        return _transform_box("observation", arrays["observation"], symmetry, g_or_group, space, scale)
    assert isinstance(space, spaces.Dict)
    turned = {
        name: _transform_box(name, arrays[name], symmetry, g_or_group, part, scale)
        for name, part in space.items()
    }
    return in_order_of(space, spaces.Dict(turned))


def in_order_of(like: spaces.Space, space: spaces.Space) -> spaces.Space:
    """`space` with the keys in the order that `like` has them in, which is the order they are flattened in."""
    if not isinstance(like, spaces.Dict):
        return space
    assert isinstance(space, spaces.Dict)
    # A plain dict would be sorted.
    ordered = spaces.Dict(OrderedDict((name, space[name]) for name in like))
    if hasattr(like, "sort_keys"):  # Gymnasium 1.2: what batches of the space do
        ordered.sort_keys = like.sort_keys
    return ordered


def check_observation_space(symmetry: Declaration, space: spaces.Space) -> None:
    """Refuse a space whose samples are not the declared observation, naming the field."""
    arrays = symmetry.arrays()
    if symmetry.flat:
        _check_box("observation", space, _shape(symmetry, "observation", arrays["observation"]))
        return
    if not isinstance(space, spaces.Dict):
        expected = "a Dict space with the declared keys"
        raise ArgumentError("observation space", space, expected, arrays)
    for name, declared in arrays.items():
        if name not in space.spaces:
            raise ArgumentError("observation space", f"no key {name!r}", "every declared key", arrays)
        _check_box(name, space.spaces[name], _shape(symmetry, name, declared))
    for name in space.spaces:
        if name not in arrays:
            got = f"the undeclared key {name!r}"
            raise ArgumentError("observation space", got, "declared keys only", arrays)


def scales_of_space(symmetry: Declaration, space: spaces.Space) -> tuple[dict[str, float], bool]:
    """By field, half the width of its bounds; and whether any number is rounded to float32.

    Limits are often so wide that they say nothing: at most the length scale counts for vectors, and 1 for scalars.
    """
    if symmetry.flat:
        whole = _in_a_row(symmetry, "observation", space)
        parts = {name: _Limits.of(whole, segment) for name, segment in symmetry.segments()}
    else:
        parts = {}
        for name in symmetry.observation:
            key, at = symmetry.places.get(name, (name, None))
            whole = _in_a_row(symmetry, key, space[key])  # type: ignore[index]
            parts[name] = _Limits.of(whole, slice(None) if at is None else list(at))
    scales = {}
    for name, (low, high, _) in parts.items():
        width = float((high - low).max(initial=0.0)) / 2
        scalar = any(leaf.kind == "scalars" for leaf in leaves(symmetry.observation[name]))
        most = min(1.0, symmetry.length_scale) if scalar else symmetry.length_scale
        if width > 0:
            scales[name] = min(width, most)
    return scales, any(dtype.kind == "f" and dtype.itemsize < 8 for *_, dtype in parts.values())


class _Limits(NamedTuple):
    """What a Box says of one array."""

    low: Array
    high: Array
    dtype: np.dtype

    @staticmethod
    def of(space: spaces.Space, part: slice | list[int] = slice(None)) -> _Limits:
        assert isinstance(space, spaces.Box)
        with np.errstate(over="ignore"):
            low, high = (each[..., part].astype(np.float64) for each in (space.low, space.high))
        return _Limits(low, high, np.dtype(space.dtype))


def _shape(symmetry: Declaration, key: str, declared: Field) -> tuple[int, ...]:
    """That of one observed array."""
    return symmetry.shapes.get(key, (declared.size(symmetry.dim),))


def _in_a_row(symmetry: Declaration, key: str, space: spaces.Space) -> spaces.Space:
    """The Box of an array's numbers in the last axis."""
    if key not in symmetry.shapes or not isinstance(space, spaces.Box):
        return space
    low, high = (row_of(symmetry, key, bound) for bound in (space.low, space.high))
    return spaces.Box(low, high, dtype=space.dtype)  # type: ignore[arg-type]


def _check_box(name: str, space: spaces.Space, shape: tuple[int, ...]) -> None:
    expected = f"shape (…, {', '.join(map(str, shape))})"
    if not isinstance(space, spaces.Box) or space.dtype is None or np.dtype(space.dtype).kind not in "fiu":
        raise ArgumentError(f"space of {name!r}", space, f"a Box of numbers, {expected}")
    if not space.shape or tuple(space.shape[-len(shape) :]) != shape:
        raise ArgumentError(f"space of {name!r}", f"shape {space.shape}", expected)


def _role(symmetry: Declaration, space: spaces.Space) -> Role:
    """What a space holds, where its kind and size say it."""
    if isinstance(space, spaces.Dict):
        return "observation"
    if not symmetry.flat:
        return "action"
    action = symmetry.action.size(symmetry.dim)
    observation = sum(declared.size(symmetry.dim) for declared in symmetry.observation.values())
    if action == observation:
        raise ArgumentError(
            "role", None, "to be told: a Box of this size may hold either", ("observation", "action")
        )
    return "action" if space.shape and space.shape[-1] == action else "observation"


def _transform_box(
    name: str,
    field: Field,
    symmetry: Declaration,
    g_or_group: GroupElement | Group,
    space: spaces.Space,
    scale: float,
) -> spaces.Space:
    """The Box of one array."""
    shape = space.shape
    space = _in_a_row(symmetry, name, space)
    _check_box(name, space, (field.size(symmetry.dim),))
    assert isinstance(space, spaces.Box)
    assert shape is not None
    is_ball = (
        getattr(space, "radius", None) is not None
    )  # equiworld.envs.Ball, which this package must not know
    if is_ball and all(isinstance(leaf, Vector | Pseudovector) for leaf in leaves(field)):
        return space
    centre = np.asarray(symmetry.centre, np.float64)
    dtype = np.dtype(space.dtype) if np.dtype(space.dtype).kind == "f" else np.dtype(np.float64)
    low, high = (bound.astype(np.float64) for bound in (space.low, space.high))
    if isinstance(g_or_group, Group):
        low, high = field.orbit_bounds(g_or_group, low, high, centre, scale)
    else:
        if g_or_group.batch_shape and not low.shape[:-1]:
            raise ArgumentError("g", f"a batch of {g_or_group.batch_shape}", "one element, or a group")
        check_pairing(g_or_group, low.shape[:-1], f"space of {name!r}")
        low, high = field.bounds(owned(symmetry, g_or_group), low, high, centre)
    # Rounding to the dtype is monotone, so what lay between the bounds still does.
    low, high = (bound.astype(dtype).reshape(shape) for bound in (low, high))
    return spaces.Box(low, high, dtype=dtype.type)
