"""Steps and decisions are timed where there are any."""

import pytest

from equiworld.benchmarks.questions.speed import Speed
from equiworld.benchmarks.suite.question import Plan
from equiworld.benchmarks.suite.store import Store

SMALL = Speed(repeats=3, decisions=2, threads=(1,))


def test_cells_are_those_that_there_are():
    cells = SMALL.cells(Plan())
    assert {(cell.world, cell.arm) for cell in cells} == {
        ("pusht", "steps"),
        ("pusht", "equivariant"),
        ("pusht", "steerable"),
        ("cloudpush", "equivariant"),
    }
    assert {cell.point["dtype"] for cell in cells if cell.arm != "steps"} == {"float32", "float64"}


@pytest.mark.filterwarnings("ignore:of the turned action space")
def test_steps_are_compared_with_those_of_the_same_round(tmp_path):
    (cell,) = SMALL.cells(Plan(arms=("steps",)))
    rows = {row["arm"]: row for row in SMALL.answer(cell, Store(tmp_path))}
    assert set(rows) == {"stock step", "our step", "stock step in GroupAction", "our step in GroupAction"}
    assert rows["stock step"]["speed_up"] == 1.0
    assert {name for name, row in rows.items() if "over_bare" in row} == {
        name for name in rows if name.endswith("GroupAction")
    }
    for row in rows.values():
        assert row["repeats"] == 3
        assert 0.001 < row["minimum_ms"] <= row["median_ms"] <= row["worst_ms"] < 100.0  # a step, not 50


def test_decisions_from_clouds_are_timed(tmp_path):
    cell = SMALL.cells(Plan(worlds=("cloudpush",)))[0]
    (row,) = SMALL.answer(cell, Store(tmp_path))
    assert row["repeats"] == 2
    assert row["median_ms"] <= row["worst_ms"]
    assert (row["dtype"], row["threads"]) == ("float32", 1)
