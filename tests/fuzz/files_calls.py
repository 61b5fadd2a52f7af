"""Files that were damaged, or made by hand: refused before anything of their size is allocated."""

from __future__ import annotations

import copy
import json
import struct
import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import equiworld as ew
from equiworld.planners import MPCPolicy
from equiworld.sb3 import Symmetrised
from equiworld.symmetry.serialise import symmetry_from_dict, symmetry_to_dict

from .loop_calls import ENV, TASK, Still, data, policy
from .oracle import Call
from .toys import SYMMETRY, observation

__all__ = ["CALLS"]

ODD: list[Any] = [
    None,
    True,
    0,
    -1,
    10**12,
    10**400,
    0.5,
    1e300,
    float("nan"),
    float("inf"),
    "",
    "a",
    "SE9",
    [],
    [1],
    [[1, 2], [3]],
    [60000, 60000],
    {},
    {"type": "Field"},
    {"type": "Point", "count": 10**9},
    {"a": 1},
    "NaN",
    [None],
    [float("nan")] * 2,
]


def _deep(depth: int = 100_000) -> str:
    return "[" * depth + "]" * depth


def _changed(value: Any, draw: Callable[[int], int]) -> Any:
    """A JSON value with one entry, somewhere, left out, replaced or added."""
    value = copy.deepcopy(value)
    place = value
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            return ODD[draw(len(ODD))]
        key = keys[draw(len(keys))]
        if isinstance(place[key], dict | list) and place[key] and draw(4):
            place = place[key]
            continue
        which = draw(8)
        if which == 0:
            del place[key]
        elif which == 1 and isinstance(place, dict):
            place["other"] = ODD[draw(len(ODD))]
        else:
            place[key] = ODD[draw(len(ODD))]
        return value


class Kept(Still):
    """Has nothing to write."""

    def save(self, path: Path) -> None:
        pass


@lru_cache
def _written() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="fuzz"))
    policy().save(folder)
    data().save(folder / "data.safetensors")
    ew.symmetrise(Kept(), ENV, reference_pose=ew.E2().rotation(0.2)).save(folder)
    return folder


def _damaged(content: bytes, draw: Callable[[int], int]) -> bytes:
    which = draw(3)
    if which == 0:
        return content[: draw(len(content))]
    if which == 1:
        at = draw(len(content))
        return content[:at] + bytes([content[at] ^ (1 << draw(8))]) + content[at + 1 :]
    return content + b"\0" * (1 + draw(9))


def _handmade(content: bytes, draw: Callable[[int], int]) -> bytes:
    """Well-formed, its settings changed and without a checksum, as by hand."""
    (size,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + size])
    mine = json.loads(header["__metadata__"]["equiworld"])
    mine.pop("crc32", None)
    if draw(20) == 0:
        text = json.dumps(mine).replace('"settings": {', '"settings": {"deep": ' + _deep() + ", ", 1)
    else:
        mine["settings"] = _changed(mine["settings"], draw)
        text = json.dumps(mine)
    header["__metadata__"]["equiworld"] = text
    new = json.dumps(header).encode()
    return struct.pack("<Q", len(new)) + new + content[8 + size :]


def _spoil(name: str, seed: int) -> Path:
    import random

    rng = random.Random(seed)
    folder = Path(tempfile.mkdtemp(prefix="fuzz", dir=_written()))
    for each in ("model.safetensors", "policy.json", "data.safetensors", "door.json"):
        content = (_written() / each).read_bytes()
        if each == name and name.endswith("json"):
            text = json.dumps(_changed(json.loads(content), rng.randrange))
            content = text.encode() if rng.randrange(4) else _damaged(content, rng.randrange)
        elif each == name:
            content = (_damaged if rng.randrange(3) == 0 else _handmade)(content, rng.randrange)
        (folder / each).write_bytes(content)
    return folder


def _loaded(load: Callable[[Path], Any], name: str) -> Callable[..., Any]:
    def function(seed: int) -> Any:
        import shutil

        folder = _spoil(name, seed)
        try:
            return load(folder)
        finally:
            shutil.rmtree(folder)

    return function


def _model_works(given: dict[str, Any], found: Any) -> None:
    found.save(_written() / "again")
    assert found.action_repeat >= 1


def _door_works(given: dict[str, Any], found: Any) -> None:
    found.save(_written() / "again")
    found.door.enter({name: array[None] for name, array in observation().items()})


def _dict_works(given: dict[str, Any], found: Any) -> None:
    assert symmetry_from_dict(symmetry_to_dict(found)) == found


def _changed_symmetry(seed: int) -> Any:
    import random

    rng = random.Random(seed)
    return symmetry_from_dict(_changed(json.loads(json.dumps(symmetry_to_dict(SYMMETRY))), rng.randrange))


def _call(name: str, function: Callable[..., Any], check: Any = None) -> Call:
    return Call(
        name,
        function,
        dict,
        check,
        close=None,
        drawn=("seed",),
        infinite=True,
        weight=4,
    )


CALLS = [
    _call("WorldModel.load", _loaded(ew.WorldModel.load, "model.safetensors"), _model_works),
    _call(
        "Dataset.load",
        _loaded(lambda folder: ew.Dataset.load(folder / "data.safetensors"), "data.safetensors"),
        lambda given, found: found.fingerprint(),
    ),
    _call("symmetry_from_dict", _changed_symmetry, _dict_works),
    _call(
        "Symmetrised.load",
        _loaded(lambda folder: Symmetrised.load(folder, Kept()), "door.json"),
        _door_works,
    ),
    _call("MPCPolicy.load", _loaded(lambda folder: MPCPolicy.load(folder, task=TASK), "policy.json")),
    _call(
        "MPCPolicy.load of a model",
        _loaded(lambda folder: MPCPolicy.load(folder, task=TASK), "model.safetensors"),
    ),
]
