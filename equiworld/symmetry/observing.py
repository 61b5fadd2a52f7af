"""Observations taken apart into their declared fields, and put together again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from equiworld.errors import ArgumentError
from equiworld.symmetry.concatenation import Concatenation, Interleaved, leaves
from equiworld.symmetry.features import KINDS, Channel, Features, Kind
from equiworld.symmetry.field import Array, Field, to_numpy
from equiworld.symmetry.fields import Cloud

if TYPE_CHECKING:
    from equiworld.symmetry.symmetry import Symmetry

__all__ = [
    "arrays_of",
    "assembled",
    "channels_of",
    "checked_names",
    "counted",
    "joined",
    "observed",
    "segments",
    "sized",
    "widths",
]


def arrays_of(symmetry: Symmetry) -> dict[str, Field]:
    """The field of each array that is observed, by its key; of a flat observation "observation"."""
    if symmetry.flat:
        parts = tuple(symmetry.observation.values())
        places = tuple(symmetry.places[name][1] for name in symmetry.observation if name in symmetry.places)
        return {"observation": Interleaved(parts, at=places) if places else Concatenation(parts)}
    found: dict[str, Field] = {}
    shared: dict[str, list[str]] = {}
    for name, declared in symmetry.observation.items():
        key = symmetry.places[name][0] if name in symmetry.places else name
        found[key] = declared
        shared.setdefault(key, []).append(name)
    for key, names in shared.items():
        if names[0] in symmetry.places:
            at = tuple(symmetry.places[name][1] for name in names)
            found[key] = Interleaved(tuple(symmetry.observation[name] for name in names), at=at)
    return found


def segments(symmetry: Symmetry) -> Iterator[tuple[str, slice | list[int]]]:
    """Where each field of a flat observation lies in its last axis."""
    start = 0
    for name, declared in symmetry.observation.items():
        stop = start + declared.size(symmetry.dim)
        yield name, list(symmetry.places[name][1]) if name in symmetry.places else slice(start, stop)
        start = stop


def sized(symmetry: Symmetry, obs: Any) -> Symmetry:
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


def observed(symmetry: Symmetry, obs: Any, needed: Sequence[str] | None = None) -> dict[str, Any]:
    """The declared arrays of an observation by name; all of them unless only some are needed."""
    if symmetry.flat:
        if isinstance(obs, Mapping):
            raise ArgumentError("observation", f"a mapping with keys {sorted(obs)}", "one array")
        size = sum(declared.size(symmetry.dim) for declared in symmetry.observation.values())
        array = to_numpy(obs, size, f"observation ({', '.join(symmetry.observation)} in a row)")
        return {name: array[..., segment] for name, segment in segments(symmetry)}
    if not isinstance(obs, Mapping):
        raise ArgumentError(
            "observation", f"a {type(obs).__name__}", "a mapping with the declared keys", symmetry.observation
        )
    split_up = _split_up(symmetry, obs) if symmetry.places else obs
    missing = [name for name in (symmetry.observation if needed is None else needed) if name not in split_up]
    if missing:
        key = symmetry.places[missing[0]][0] if missing[0] in symmetry.places else missing[0]
        raise ArgumentError("observation", f"no key {key!r}", "every declared key", arrays_of(symmetry))
    extra = [name for name in split_up if name not in symmetry.observation]
    if extra:
        raise ArgumentError(
            "observation", f"the undeclared key {extra[0]!r}", "declared keys only", arrays_of(symmetry)
        )
    return dict(split_up)


def _split_up(symmetry: Symmetry, obs: Mapping[str, Any]) -> dict[str, Any]:
    """The arrays of a mapping, those that hold several fields split into them."""
    found = {name: array for name, array in obs.items() if name in symmetry.observation}
    whole = arrays_of(symmetry)
    keys = {key for key, _ in symmetry.places.values()}
    found |= {name: array for name, array in obs.items() if name not in found and name not in keys}
    for name, (key, at) in symmetry.places.items():
        if key in obs and name not in found:
            found[name] = to_numpy(obs[key], whole[key].size(symmetry.dim), key)[..., list(at)]
    return found


def assembled(symmetry: Symmetry, arrays: Mapping[str, NDArray[Any]]) -> Any:
    """An observation as the environment gives it, of all its fields' arrays `(…, size)` by name."""
    if symmetry.flat and not symmetry.places:
        return np.concatenate([arrays[name] for name in symmetry.observation], -1)
    if not symmetry.places:
        return dict(arrays)
    found: dict[str, Any] = {}
    for name in symmetry.observation:
        if name not in symmetry.places:
            found[name] = arrays[name]
            continue
        key, at = symmetry.places[name]
        if key not in found:
            size = arrays_of(symmetry)["observation" if symmetry.flat else key].size(symmetry.dim)
            found[key] = np.empty((*np.shape(arrays[name])[:-1], size), np.asarray(arrays[name]).dtype)
        found[key][..., list(at)] = arrays[name]
    return next(iter(found.values())) if symmetry.flat else found


def channels_of(symmetry: Symmetry, names: Sequence[str]) -> Iterator[tuple[str, Field, Channel]]:
    """The plain fields that observed ones consist of, by name, and where each lies among their Features."""
    stops: dict[Kind, int] = dict.fromkeys(KINDS, 0)
    for name in names:
        for leaf in leaves(symmetry.observation[name]):
            kind = leaf.kind
            stop = stops[kind] + getattr(leaf.feature_type(symmetry.dim), kind)
            yield name, leaf, Channel(kind, stops[kind], stop, getattr(leaf, "axis", 0.0))
            stops[kind] = stop


def joined(dim: int, parts: list[dict[Kind, Array]], shape: tuple[int, ...], dtype: torch.dtype) -> Features:
    """Join the channels of several fields."""

    def join(kind: Kind, empty: tuple[int, ...]) -> torch.Tensor:
        found = [part[kind] for part in parts if kind in part]
        array = np.concatenate(found, -1) if found else np.empty((*shape, *empty))
        return torch.as_tensor(array, dtype=dtype)

    return Features(join("scalars", (0,)), join("vectors", (dim, 0)), join("points", (dim, 0)))


def widths(declared: Field, dim: int) -> list[tuple[Kind, int]]:
    """How many channels of each kind a field fills."""
    found = declared.feature_type(dim)
    return [(kind, getattr(found, kind)) for kind in KINDS if getattr(found, kind)]


def checked_names(symmetry: Symmetry, names: Sequence[str] | None) -> tuple[str, ...]:
    """The names asked for, each a field that may become features."""
    chosen = symmetry.state if names is None else tuple(names)
    for name in chosen:
        if name not in symmetry.observation:
            raise ArgumentError("names", repr(name), "names of observed fields", symmetry.observation)
        symmetry.observation[name].check_features(name, symmetry.group)
    return chosen


def counted(symmetry: Symmetry) -> Symmetry:
    """Clouds of as many points as there are begin with one; observations say how many."""
    fields = {
        name: replace(field, count=1) if isinstance(field, Cloud) and field.count is None else field
        for name, field in symmetry.observation.items()
    }
    return symmetry if fields == symmetry.observation else replace(symmetry, observation=fields)
