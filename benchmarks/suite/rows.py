"""One schema for all rows: coordinates, and measures with units and definitions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from equiworld.benchmarks.suite.cell import Cell
from equiworld.errors import ArgumentError

__all__ = ["COORDINATES", "Measure", "Row", "checked_rows", "share", "share_of"]

Row = dict[str, Any]
"""Coordinates and measures by name; None for a measure that is not defined there."""

COORDINATES = ("question", "world", "arm", "seed")
"""That every row has."""

_ENDS = ("_low", "_high")


@dataclass(frozen=True)
class Measure:
    """A column of numbers.

    Attributes:
        unit: such as "px", "m", "°", "ms"; "1" for a number without one; "" for words.
        definition: what it is, in words or as a formula.
        log: whether it is drawn on a logarithmic axis.
    """

    unit: str
    definition: str
    log: bool = False


def checked_rows(
    cell: Cell, rows: Iterable[Mapping[str, Any]], coordinates: Sequence[str], measures: Mapping[str, Measure]
) -> list[Row]:
    """Rows of a cell as they are stored: its coordinates first, then the row's own, then its measures.

    Args:
        cell: that they are of.
        rows: what a question measured; `_low` and `_high` after the name of a measure are the ends of its interval.
        coordinates: further ones that rows may have.
        measures: all that they may have.

    Raises:
        ArgumentError: a column that the question does not declare, or a number that is not finite; names both.
    """
    ends = {name + end for name in measures for end in _ENDS}
    known = {*COORDINATES, *cell.point, *coordinates, *measures, *ends}
    found = []
    for number, row in enumerate(rows):
        unknown = sorted(set(row) - known)
        if unknown:
            where = f"row {number} of {cell.id}"
            raise ArgumentError(where, unknown, "columns that the question declares", sorted(known))
        for name, value in row.items():
            if isinstance(value, float | np.floating) and not math.isfinite(value):
                where = f"{name} in row {number} of {cell.id}"
                raise ArgumentError(where, value, "a finite number, or None where there is none")
        found.append({**cell.coordinates, **row})
    return found


def share_of(name: str, figures: Sequence[Mapping[str, Any]]) -> Row:
    """The columns of the share of episodes whose figure of that name is not 0; none where no episode has it.

    >>> share_of("success", [{"success": 1.0}, {"success": 0.0}])["success"], share_of("success", [{}])
    (0.5, {})
    """
    if not all(name in each for each in figures):
        return {}
    return share(name, sum(bool(each[name]) for each in figures), len(figures))


def share(name: str, count: int, of: int) -> Row:
    """The columns of a share: it, its 95 % Wilson interval, and the two counts.

    >>> share("success", 9, 10)["success"]
    0.9
    """
    from equiworld.verify.evaluation.intervals import wilson_interval

    low, high = wilson_interval(count, of)
    return {name: count / of, f"{name}_low": low, f"{name}_high": high, "successes": count, "episodes": of}
