"""Observations taken apart into their declared fields, and put together again."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from equiworld.errors import ArgumentError
from equiworld.symmetry.concatenation import leaves
from equiworld.symmetry.crossing import as_tensors
from equiworld.symmetry.declaration import Declaration
from equiworld.symmetry.features import KINDS, Channel, Features, FeatureType, Kind
from equiworld.symmetry.field import Array, Field, numbers, to_numpy
from equiworld.symmetry.fields import Cloud
from equiworld.symmetry.validation import check_leading, names_of

__all__ = [
    "Apart",
    "as_features",
    "assembled",
    "channels_of",
    "checked_names",
    "counted",
    "feature_type_of",
    "joined",
    "observed",
    "read",
    "resized",
    "row_of",
    "sized",
    "widths",
]


D = TypeVar("D", bound=Declaration)


class Apart(dict[str, Any]):
    """Arrays by field, of an observation that was taken apart: a field may be called like the key that held it."""


def row_of(symmetry: Declaration, key: str, array: Any) -> Any:
    """An observed array, NumPy's or torch's, with its numbers in the last axis, where it is declared with more axes.

    Raises:
        ArgumentError: it has another shape.
    """
    shape = symmetry.shapes.get(key)
    if shape is None:
        return array
    array = array if isinstance(array, torch.Tensor) else np.asarray(array)
    if tuple(array.shape[-len(shape) :]) != shape:
        expected = f"shape (…, {', '.join(map(str, shape))})"
        raise ArgumentError(key, f"shape {tuple(array.shape)}", expected)
    return array.reshape(*array.shape[: array.ndim - len(shape)], math.prod(shape))


def sized(symmetry: D, obs: Any) -> D:
    """The same with the count of each `Cloud()` that has none, as observations or a Dict space show it."""
    fields = symmetry.observation
    open_ended = [name for name, field in fields.items() if isinstance(field, Cloud) and field.count is None]
    if not open_ended:
        return symmetry
    found: dict[str, Field] = {}
    for name in open_ended:
        if symmetry.flat or name in symmetry.places:
            raise ArgumentError(name, "Cloud() among other fields of one array", "Cloud(n) there")
        shown = obs.get(name) if isinstance(obs, Mapping) else getattr(obs, "spaces", {}).get(name)
        shape = tuple(getattr(shown, "shape", ()) or np.shape(() if shown is None else shown))
        width = shape[-1:]
        if not width or width[0] % symmetry.dim or not width[0]:
            got = "nothing" if shown is None else f"shape {shape}"
            raise ArgumentError(name, got, f"points, a multiple of {symmetry.dim} numbers in the last axis")
        found[name] = replace(fields[name], count=width[0] // symmetry.dim)
    return replace(symmetry, observation={**fields, **found})


def resized(symmetry: D, obs: Any, names: Iterable[str] | None = None) -> D:
    """The same with clouds of as many points as are observed; of these fields only, if some are named."""
    fields, dim = symmetry.observation, symmetry.dim
    if symmetry.flat or not isinstance(obs, Mapping):
        return symmetry
    found: dict[str, Field] = {}
    for name in fields if names is None else names:
        field = fields[name]
        shape = np.shape(obs.get(name, ())) if isinstance(field, Cloud) else ()
        count = max(1, -(-shape[-1] // dim)) if shape else None
        if isinstance(field, Cloud) and count not in (None, field.count):
            found[name] = replace(field, count=count)
    return replace(symmetry, observation={**fields, **found}) if found else symmetry


def observed(symmetry: Declaration, obs: Any, needed: Sequence[str] | None = None) -> Apart:
    """The declared arrays of an observation by name; all of them unless only some are needed."""
    if not isinstance(obs, Apart):
        obs = _flat_apart(symmetry, obs) if symmetry.flat else _mapping_apart(symmetry, obs)
    missing = [name for name in (symmetry.observation if needed is None else needed) if name not in obs]
    if missing:
        key = symmetry.places[missing[0]][0] if missing[0] in symmetry.places else missing[0]
        raise ArgumentError("observation", f"no key {key!r}", "every declared key", symmetry.arrays())
    extra = [name for name in obs if name not in symmetry.observation]
    if extra:
        raise ArgumentError(
            "observation", f"the undeclared key {extra[0]!r}", "declared keys only", symmetry.arrays()
        )
    return obs


def _flat_apart(symmetry: Declaration, obs: Any) -> Apart:
    """The segments of one array."""
    if isinstance(obs, Mapping):
        raise ArgumentError("observation", f"a mapping with keys {sorted(obs)}", "one array")
    size = sum(declared.size(symmetry.dim) for declared in symmetry.observation.values())
    row = row_of(symmetry, "observation", obs)
    array = to_numpy(row, size, f"observation ({', '.join(symmetry.observation)} in a row)")
    return Apart({name: array[..., segment] for name, segment in symmetry.segments()})


def _mapping_apart(symmetry: Declaration, obs: Any) -> Apart:
    """The arrays of a mapping, those that hold several fields split into them."""
    if not isinstance(obs, Mapping):
        raise ArgumentError(
            "observation", f"a {type(obs).__name__}", "a mapping with the declared keys", symmetry.observation
        )
    if not symmetry.places and not symmetry.shapes:
        return Apart(obs)
    keys = {key for key, _ in symmetry.places.values()}
    found = Apart({name: row_of(symmetry, name, array) for name, array in obs.items() if name not in keys})
    whole = symmetry.arrays()
    rows = {
        key: to_numpy(row_of(symmetry, key, obs[key]), whole[key].size(symmetry.dim), key)
        for key in keys
        if key in obs
    }
    for name, (key, at) in symmetry.places.items():
        if key in rows and name not in found:
            found[name] = rows[key][..., list(at)]
    return found


def assembled(symmetry: Declaration, arrays: Mapping[str, NDArray[Any]]) -> Any:
    """An observation as the environment gives it, of all its fields' arrays `(…, size)` by name."""
    if symmetry.flat and not symmetry.places:
        row = np.concatenate([arrays[name] for name in symmetry.observation], -1)
        return _shaped(symmetry, {"observation": row})["observation"]
    found: dict[str, Any] = {}
    whole = symmetry.arrays() if symmetry.places else {}
    for name in symmetry.observation:
        if name not in symmetry.places:
            found[name] = arrays[name]
            continue
        key, at = symmetry.places[name]
        if key not in found:
            size = whole["observation" if symmetry.flat else key].size(symmetry.dim)
            found[key] = np.empty((*np.shape(arrays[name])[:-1], size), np.asarray(arrays[name]).dtype)
        found[key][..., list(at)] = arrays[name]
    found = _shaped(symmetry, found)
    return next(iter(found.values())) if symmetry.flat else found


def _shaped(symmetry: Declaration, rows: dict[str, Any]) -> dict[str, Any]:
    """Arrays of numbers in a row, in the shapes that are declared."""
    for key, shape in symmetry.shapes.items():
        rows[key] = np.reshape(rows[key], (*np.shape(rows[key])[:-1], *shape))
    return rows


def channels_of(symmetry: Declaration, names: Sequence[str]) -> Iterator[tuple[str, Field, Channel]]:
    """The plain fields that observed ones consist of, by name, and where each lies among their Features."""
    stops: dict[Kind, int] = dict.fromkeys(KINDS, 0)
    for name in names:
        for leaf in leaves(symmetry.observation[name]):
            kind = leaf.kind
            stop = stops[kind] + getattr(leaf.feature_type(symmetry.dim), kind)
            yield name, leaf, Channel(kind, stops[kind], stop, getattr(leaf, "axis", 0.0))
            stops[kind] = stop


def feature_type_of(symmetry: Declaration, names: Iterable[str] | None) -> FeatureType:
    """See `Symmetry.feature_type`."""
    total = FeatureType(symmetry.dim)
    for name in checked_names(symmetry, names):
        total = total + symmetry.observation[name].feature_type(symmetry.dim)
    return total


def read(symmetry: Declaration, obs: Any, *groups: Sequence[str]) -> list[dict[Kind, Array]]:
    """The channels of some fields of an observation, by groups such as state and goal, in one walk: see `joined`.

    Points are about the centre.

    Raises:
        ArgumentError: a field is missing, misshapen, not numeric or not finite.
    """
    names, fields, dim = [name for group in groups for name in group], symmetry.observation, symmetry.dim
    arrays, centre = observed(symmetry, obs, names), np.asarray(symmetry.centre)
    values = {name: numbers(arrays[name], fields[name].size(dim), name) for name in names}
    check_leading(values)
    shape = np.shape(next(iter((values or arrays).values())))[:-1]
    parts = {name: fields[name].encode(each.astype(np.float64), centre) for name, each in values.items()}
    return [joined(dim, [parts[name] for name in group], shape) for group in groups]


def joined(dim: int, parts: Sequence[dict[Kind, Array]], shape: tuple[int, ...]) -> dict[Kind, Array]:
    """The channels of several fields behind one another: scalars `(…, n)`, vectors and points `(…, d, n)`."""
    empty: dict[Kind, tuple[int, ...]] = {"scalars": (0,), "vectors": (dim, 0), "points": (dim, 0)}
    found = {kind: [part[kind] for part in parts if kind in part] for kind in KINDS}
    return {
        kind: np.concatenate(each, -1) if each else np.empty((*shape, *empty[kind]))
        for kind, each in found.items()
    }


def as_features(channels: Mapping[Kind, Array], dtype: torch.dtype) -> Features:
    """Channels as Features."""
    return Features(*as_tensors(channels, dtype, leading=channels["scalars"].ndim - 1))


def widths(declared: Field, dim: int) -> list[tuple[Kind, int]]:
    """How many channels of each kind a field fills."""
    found = declared.feature_type(dim)
    return [(kind, getattr(found, kind)) for kind in KINDS if getattr(found, kind)]


def checked_names(symmetry: Declaration, names: Iterable[str] | None) -> tuple[str, ...]:
    """The names asked for, each a field that may become features."""
    chosen = symmetry.state if names is None else names_of("names", names)
    for name in chosen:
        if name not in symmetry.observation:
            raise ArgumentError("names", repr(name), "names of observed fields", symmetry.observation)
        symmetry.observation[name].check_features(name, symmetry.group)
    return chosen


def counted(symmetry: D) -> D:
    """Clouds of as many points as there are begin with one; observations say how many."""
    fields = {
        name: replace(field, count=1) if isinstance(field, Cloud) and field.count is None else field
        for name, field in symmetry.observation.items()
    }
    return symmetry if fields == symmetry.observation else replace(symmetry, observation=fields)
