"""Result files: what was run with what, and what came out, as JSON that any reader understands."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from enum import Enum
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from equiworld.errors import ArgumentError, CheckpointError
from equiworld.files import write_atomically
from equiworld.groups import Group, GroupElement

__all__ = ["make_result", "read_json", "text_table", "to_plain", "versions", "write_json"]

_PACKAGES = ("equiworld", "torch", "numpy", "gymnasium", "gym-pusht", "pymunk", "mujoco")
_SCHEMA: dict[str, tuple[type, ...]] = {
    "benchmark": (str,),
    "versions": (dict,),
    "config": (dict,),
    "rows": (list,),
    "seconds": (int, float),
}


def versions() -> dict[str, str | None]:
    """The versions of Python and of the packages that numbers depend on; None for one not installed.

    >>> sorted(versions())
    ['equiworld', 'gym-pusht', 'gymnasium', 'mujoco', 'numpy', 'pymunk', 'python', 'torch']
    """
    return {"python": platform.python_version()} | {package: _version(package) for package in _PACKAGES}


@cache
def _version(package: str) -> str | None:
    """Read once: looking through all that is installed takes milliseconds, and every row asks."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def make_result(
    benchmark: str, config: Any, rows: Sequence[Mapping[str, Any]], seconds: float
) -> dict[str, Any]:
    """A result with the versions of this machine filled in.

    Args:
        benchmark: what was run.
        config: the settings, a mapping or a dataclass: seeds, group elements, dtype, success definition.
        rows: one mapping a line of the result.
        seconds: how long it took [s].

    >>> result = make_result("example", {"seed": 0}, [{"residual": 1e-13}], seconds=0.5)
    >>> list(result)
    ['benchmark', 'versions', 'config', 'rows', 'seconds']
    """
    if dataclasses.is_dataclass(config) and not isinstance(config, type):
        # Not asdict: it would take group elements apart.
        config = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
    return {
        "benchmark": benchmark,
        "versions": versions(),
        "config": dict(config),
        "rows": [dict(row) for row in rows],
        "seconds": seconds,
    }


def to_plain(value: Any, *, allow_nonfinite: bool = False, where: str = "result") -> Any:
    """What JSON can hold, exactly, of numpy arrays, tensors, dataclasses, group elements, paths and enums.

    Args:
        value: anything made of those, dicts, lists, tuples, numbers, strings and None.
        allow_nonfinite: write NaN and the infinities as "nan", "inf", "-inf", which `float` reads back.
        where: what to call the value in an error.

    Raises:
        ArgumentError: something else, or a number that is not finite; says where.

    >>> from equiworld.groups import SO2
    >>> to_plain({"g": SO2().identity(), "errors": np.array([0.5, 1.0])})["errors"]
    [0.5, 1.0]
    """

    def plain(part: Any, place: str) -> Any:
        return to_plain(part, allow_nonfinite=allow_nonfinite, where=place)

    if isinstance(value, Enum):
        return plain(value.value, where)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float | np.floating):
        return _number(float(value), allow_nonfinite, where)
    if isinstance(value, GroupElement):
        return plain(value.to_dict(), where)
    if isinstance(value, Group):
        return value.name
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "detach"):  # a tensor, known by what it can do: torch need not be imported for that
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist(), where)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise ArgumentError(where, f"the key {key!r}", "keys that are strings")
        return {key: plain(part, f"{where}.{key}") for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part, f"{where}[{index}]") for index, part in enumerate(value)]
    raise ArgumentError(where, type(value).__name__, "numbers, strings, arrays, dataclasses, dicts or lists")


def write_json(
    path: str | os.PathLike[str], result: Mapping[str, Any], *, allow_nonfinite: bool = False
) -> Path:
    """Write a result, whole or not at all.

    Args:
        path: where to; missing folders are made.
        result: with the keys benchmark, versions, config, rows and seconds.
        allow_nonfinite: write NaN and the infinities as "nan", "inf", "-inf" instead of refusing them.

    Raises:
        ArgumentError: not a result, or something in it that JSON cannot hold; no file is touched.
        OSError: it could not be written; an old file is left as it was.
    """
    plain = to_plain(result, allow_nonfinite=allow_nonfinite)
    problem = _problem(plain)
    if problem is not None:
        raise ArgumentError("result", problem, "a result", _SCHEMA)
    text = json.dumps(plain, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    return write_atomically(path, lambda file: file.write(text.encode()))


def read_json(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a result that `write_json` wrote.

    Raises:
        CheckpointError: the file is cut off, damaged, or no result.
        OSError: it could not be read.
    """
    data = Path(path).read_bytes()
    try:
        result = json.loads(data.decode(), parse_constant=_refuse_constant)
    except ValueError as error:  # of the decoding or of the JSON
        raise CheckpointError(f"{os.fspath(path)} is damaged or no JSON file: {error}") from error
    problem = _problem(result)
    if problem is not None:
        raise CheckpointError(f"{os.fspath(path)} is no result file: {problem}")
    return result


def text_table(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[str] | Mapping[str, str] | None = None
) -> str:
    """Rows as a table of plain text; numbers to the right, four digits of them, and – for what is missing.

    Args:
        rows: one mapping a line.
        columns: which keys, in order, or a mapping from keys to headings; every key that occurs if None.

    >>> text = text_table([{"name": "steerable", "residual": 1.25e-13}, {"name": "plain"}])
    >>> [line.rstrip() for line in text.splitlines()]
    ['name       residual', '---------  --------', 'steerable  1.25e-13', 'plain             –']
    """
    if columns is None:
        columns = list(dict.fromkeys(key for row in rows for key in row))
    headings = dict(columns) if isinstance(columns, Mapping) else {key: key for key in columns}
    if not headings:
        return ""
    texts = {key: [_cell(row.get(key)) for row in rows] for key in headings}
    widths = {key: max([len(headings[key]), *map(len, cells)]) for key, cells in texts.items()}
    right = {key: all(not isinstance(row.get(key), str) for row in rows) for key in headings}

    def line(cells: Mapping[str, str]) -> str:
        parts = [
            cells[key].rjust(widths[key]) if right[key] else cells[key].ljust(widths[key]) for key in headings
        ]
        return "  ".join(parts).rstrip()

    ruler = {key: "-" * widths[key] for key in headings}
    body = [{key: texts[key][index] for key in headings} for index in range(len(rows))]
    return "\n".join(line(cells) for cells in [headings, ruler, *body])


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, float | np.floating):
        return f"{float(value):.4g}"
    return str(value)


def _number(value: float, allow_nonfinite: bool, where: str) -> float | str:
    if math.isfinite(value):
        return value
    if not allow_nonfinite:
        raise ArgumentError(
            where, repr(value), "a finite number; None for a missing one, or allow_nonfinite=True"
        )
    return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"


def _refuse_constant(text: str) -> float:
    raise ValueError(f"{text} is not JSON")


def _problem(result: Any) -> str | None:
    """What keeps this from being a result; None if nothing."""
    if not isinstance(result, Mapping):
        return f"a {type(result).__name__} instead of a mapping"
    for key, kinds in _SCHEMA.items():
        if key not in result:
            return f"no {key!r}"
        if not isinstance(result[key], kinds) or isinstance(result[key], bool):
            return f"{key!r} is a {type(result[key]).__name__}"
    if not all(isinstance(row, Mapping) for row in result["rows"]):
        return "'rows' holds something else than mappings"
    return None
