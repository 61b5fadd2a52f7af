"""The compiled form of several fields agrees with `Field.transform`, which it is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from symmetry_cases import CASE_NAMES, CASES, random_array

from equiworld.groups import O2, GroupElement
from equiworld.symmetry import Field, Heading, Point, Pseudoscalar, Scalar, Vector
from equiworld.symmetry.compiled_fields import CompiledFields


def reference(fields: list[Field], g: GroupElement, row: Any, centre: Any) -> Any:
    """Each field by itself."""
    found, start = [], 0
    for field in fields:
        size = field.size(g.dim)
        found.append(field.transform(g, row[..., start : start + size], centre))
        start += size
    return np.concatenate(found, -1)


def apart(fields: list[Field], g: GroupElement, row: Any, centre: Any) -> float:
    """How far the compiled form is from the reference, dense where it can be and otherwise."""
    compiled, expected = CompiledFields(fields, g, centre), reference(fields, g, row, centre)
    assert compiled.size == row.shape[-1]
    errors = [np.abs(compiled.move(row.copy()) - expected).max()]
    dense = compiled.move_dense([row]) if row.ndim == 1 else None
    if dense is not None:
        errors.append(np.abs(dense[:-1] - expected).max())
    return float(max(errors))


@pytest.mark.parametrize(("field", "group"), CASES, ids=CASE_NAMES)
@pytest.mark.parametrize("batch", [(), (7,)], ids=["one", "batch"])
def test_it_agrees_with_each_field(field: Field, group: Any, batch: tuple[int, ...]) -> None:
    rng = np.random.default_rng(3)
    fields = [field, Scalar(), field, Vector()]
    centre = rng.normal(size=group.dim)
    for _ in range(5):
        g = group.sample(rng, *batch)
        row = np.concatenate([random_array(each, group.dim, rng, batch) for each in fields], -1)
        assert apart(fields, g, row, centre) < 1e-13


@pytest.mark.parametrize("count", [2, 200], ids=["dense", "gathered"])
def test_reflections_exchange_points_and_negate_numbers(count: int) -> None:
    rng = np.random.default_rng(0)
    mirror = tuple(range(count))[::-1]
    fields = [Point(count, mirror=mirror), Pseudoscalar(2), Heading(2, axis=0.4), Heading(low=0.0)]
    row = np.concatenate([rng.normal(size=2 * count + 2), rng.uniform(0, 3, 3)])
    assert apart(fields, O2().reflection(0.7), row, (2.0, 1.0)) < 1e-13
    both = GroupElement.stack([O2().reflection(0.7), O2().rotation(0.3)])
    assert apart(fields, both, np.stack([row, row]), (2.0, 1.0)) < 1e-13


@dataclass(frozen=True)
class Doubled(Point):
    """A point that moves in a way of its own."""

    def _transform(self, g: GroupElement, array: Any, centre: Any) -> Any:
        return 2.0 * array


def test_what_moves_in_its_own_way_is_not_moved_as_what_it_inherits_from() -> None:
    """Negative control: the inherited motion is another map, and would be noticed."""
    g, row = O2().rotation(0.7), np.array([3.0, 1.0, 0.5, 2.0])
    assert apart([Doubled(), Point()], g, row, (0.0, 0.0)) == 0.0
    assert np.abs(CompiledFields([Point(2)], g, (0.0, 0.0)).move(row.copy())[:2] - 2.0 * row[:2]).max() > 1.0
