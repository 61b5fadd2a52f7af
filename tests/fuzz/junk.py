"""What a fuzzed argument is replaced by: the same thing in another guise, something near it, or something else."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import gymnasium as gym
import numpy as np
import torch

import equiworld as ew

__all__ = ["JUNK", "SAME", "Spoiled", "spoiled"]

NAN = float("nan")

JUNK: list[Callable[[], Any]] = [
    lambda: None,
    lambda: True,
    lambda: np.False_,
    lambda: 0,
    lambda: -1,
    lambda: 1,
    lambda: 3,
    lambda: 10**400,
    lambda: 2**63,
    lambda: np.int64(2),
    lambda: np.uint8(3),
    lambda: np.float32(0.5),
    lambda: np.float64(2.0),
    lambda: np.array(2),
    lambda: np.array(0.25),
    lambda: np.array([2]),
    lambda: torch.tensor(2),
    lambda: torch.tensor(0.5, requires_grad=True),
    lambda: 0.0,
    lambda: -0.5,
    lambda: 1e-300,
    lambda: 1e300,
    lambda: NAN,
    lambda: -float("inf"),
    lambda: np.float16("inf"),
    lambda: 2j,
    lambda: Fraction(1, 3),
    lambda: "",
    lambda: "3",
    lambda: "SE2",
    lambda: b"ball",
    lambda: [],
    lambda: (),
    lambda: {},
    lambda: set(),
    lambda: [[1.0], [2.0, 3.0]],
    lambda: [1.0, "a"],
    lambda: {"position": [0.0, 1.0]},
    lambda: {1: 2},
    lambda: np.zeros(0),
    lambda: np.zeros((0, 2)),
    lambda: np.zeros(2),
    lambda: np.zeros((3, 2)),
    lambda: np.eye(2),
    lambda: np.eye(3),
    lambda: np.full(2, np.nan),
    lambda: np.full((2, 2), np.inf),
    lambda: np.array([1 + 1j, 0]),
    lambda: np.array([True, False]),
    lambda: np.array([1.0, None], dtype=object),
    lambda: np.array(["a", "b"]),
    lambda: np.array(["2020-01-01", "2021-01-01"], dtype="datetime64[D]"),
    lambda: np.ma.masked_array([1.0, 2.0], mask=[True, False]),
    lambda: np.array([(1, 2.0)], dtype=[("a", int), ("b", float)]),
    lambda: torch.zeros(2, dtype=torch.bfloat16),
    lambda: torch.ones(2, 2, requires_grad=True),
    lambda: torch.zeros(2, dtype=torch.complex64),
    lambda: torch.zeros(0),
    lambda: torch.sparse_coo_tensor(torch.tensor([[0]]), torch.tensor([1.0]), (2,)),
    lambda: ew.SE2().identity(),
    lambda: ew.SE2().rotation(np.zeros(3)),
    lambda: ew.SE3().identity(),
    lambda: ew.O2().reflection(0.3),
    lambda: ew.SO2(),
    lambda: ew.E3(),
    lambda: ew.Cyclic(4),
    lambda: ew.Permutation(2),
    lambda: object(),
    lambda: object,
    lambda: len,
    lambda: lambda *_: None,
    lambda: iter([1, 2]),
    lambda: range(3),
    lambda: slice(None),
    lambda: Ellipsis,
    lambda: datetime.date(2020, 1, 1),
    lambda: np.random.default_rng(0),
    lambda: torch.Generator(),
    lambda: torch.float64,
    lambda: np.float32,
    lambda: gym.spaces.Discrete(3),
    lambda: gym.spaces.Box(-1, 1, (2,)),
]
"""By factory: nothing that one call spoils reaches the next."""


class Spoiled:
    """A replacement, and whether it means the same (`alike`), or is no real finite number at all (`unreal`)."""

    def __init__(self, value: Any, alike: bool = False, unreal: bool = False) -> None:
        self.value, self.alike, self.unreal = value, alike, unreal

    def __repr__(self) -> str:
        return f"{type(self.value).__name__} {self.value!r}"[:200]


def _tensor(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(array.copy())


def _read_only(array: np.ndarray) -> np.ndarray:
    copy = array.copy()
    copy.setflags(write=False)
    return copy


def _strided(array: np.ndarray) -> np.ndarray:
    wide = np.repeat(array[..., None], 2, -1)
    return wide[..., 0]


def _backwards(array: np.ndarray) -> np.ndarray:
    return array[..., ::-1].copy()[..., ::-1] if array.ndim else array


def _with(array: np.ndarray, value: Any) -> np.ndarray:
    changed = array.astype(
        np.result_type(array.dtype, np.float16) if array.dtype.kind != "c" else array.dtype
    )
    changed.reshape(-1)[-1:] = value
    return changed


def _masked(array: np.ndarray) -> np.ndarray:
    mask = np.zeros(array.shape, bool)
    mask.reshape(-1)[-1:] = True
    return np.ma.masked_array(array, mask=mask)


SAME: list[Callable[[np.ndarray], Any]] = [
    lambda a: a.tolist(),
    lambda a: a.astype(np.float32) if a.dtype.kind == "f" else a.astype(np.int32),
    lambda a: a.astype(np.longdouble) if a.dtype.kind == "f" else a.astype(np.int16),
    lambda a: a.astype(a.dtype.newbyteorder(">")),
    lambda a: np.array(a, order="F"),
    _strided,
    _backwards,
    _read_only,
    lambda a: np.ma.masked_array(a, mask=False),
    _tensor,
    lambda a: _tensor(a).float() if a.dtype.kind == "f" else _tensor(a).int(),
    lambda a: _tensor(a).requires_grad_() if a.dtype.kind == "f" else _tensor(a).int(),
]

UNREAL: list[Callable[[np.ndarray], Any]] = [
    lambda a: _with(a, np.nan),
    lambda a: _with(a, np.inf),
    lambda a: np.asarray(a + 1j),
    lambda a: _tensor(np.asarray(a + 1j)),
    lambda a: a.astype(bool),
    lambda a: a.astype(str),
    lambda a: np.where(np.ones(a.shape, bool), None, a),
    _masked,
    lambda a: _tensor(_with(a, np.nan)),
]

NEAR: list[Callable[[np.ndarray], Any]] = [
    lambda a: a[..., :-1] if a.ndim else a[None],
    lambda a: np.concatenate([a, a], -1) if a.ndim else a[None],
    lambda a: a[None],
    lambda a: np.stack([a, a, a]),
    lambda a: np.zeros((0, *a.shape)),
    lambda a: a[..., None],
    lambda a: a.T,
    lambda a: a.reshape(-1)[:1].reshape(()) if a.size else a,
    lambda a: np.asarray(a * 0),
    lambda a: np.asarray(a * 1e300),
    lambda a: np.asarray(a * 1e-300),
    lambda a: np.asarray(-a),
    lambda a: a.astype(np.float16),
    lambda a: a.astype(np.int64),
    lambda a: _tensor(a).to(torch.bfloat16),
    lambda a: _tensor(a).half(),
    lambda a: a.astype(object),
]


def spoiled(draw: Callable[[int], int], value: Any) -> Spoiled:
    """One replacement of a good value; `draw(n)` gives a number below n."""
    if draw(4) == 0:
        return Spoiled(JUNK[draw(len(JUNK))]())
    if isinstance(value, Mapping) and value:
        return _spoiled_mapping(draw, value)
    if isinstance(value, np.ndarray) and value.dtype.kind in "iuf":
        return _spoiled_array(draw, value)
    if isinstance(value, torch.Tensor) and value.dtype.is_floating_point:
        return _spoiled_tensor(draw, value)
    if isinstance(value, bool | int | float) and not isinstance(value, bool):
        kinds = (np.int64, np.int8, np.array, np.uint8) if isinstance(value, int) else (np.float64, np.array)
        if draw(3) == 0 and (isinstance(value, float) or 0 <= value < 128):
            return Spoiled(kinds[draw(len(kinds))](value), alike=True)
    return Spoiled(JUNK[draw(len(JUNK))]())


def _spoiled_array(draw: Callable[[int], int], value: np.ndarray) -> Spoiled:
    which = draw(3)
    if which == 0:
        return Spoiled(SAME[draw(len(SAME))](value), alike=True)
    if which == 1:
        return Spoiled(UNREAL[draw(len(UNREAL))](value), unreal=value.size > 0)
    return Spoiled(NEAR[draw(len(NEAR))](value))


def _spoiled_tensor(draw: Callable[[int], int], value: torch.Tensor) -> Spoiled:
    found = _spoiled_array(draw, value.detach().numpy())
    if isinstance(found.value, np.ndarray) and type(found.value) is np.ndarray and draw(4):
        array = found.value.astype(found.value.dtype.newbyteorder("="), copy=False)
        if array.dtype.kind in "fibc" and array.dtype != np.longdouble:
            return Spoiled(_tensor(array), unreal=found.unreal)
    return Spoiled(found.value, unreal=found.unreal)


def _spoiled_mapping(draw: Callable[[int], int], value: Mapping[Any, Any]) -> Spoiled:
    names = list(value)
    name = names[draw(len(names))]
    which = draw(6)
    if which == 0:
        return Spoiled({each: value[each] for each in names if each != name})
    if which == 1:
        return Spoiled({**value, ("other", 3, None)[draw(3)]: 0.0})
    if which == 2:
        return Spoiled(dict(reversed(list(value.items()))), alike=True)
    inner = spoiled(draw, value[name])
    return Spoiled({**value, name: inner.value}, inner.alike, inner.unreal)
