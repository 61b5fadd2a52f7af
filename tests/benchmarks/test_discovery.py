"""The question discovery in small: a particle's dimensions, and what closes it."""

import pytest

from equiworld.benchmarks.questions.discovery import SYSTEMS, DiscoveryQuestion
from equiworld.benchmarks.suite.question import Plan
from equiworld.benchmarks.suite.store import Store
from equiworld.errors import ArgumentError, UnknownNameError

ASKED = DiscoveryQuestion(taken=8, transitions=60)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("store"))
    cells = ASKED.cells(Plan(worlds=("particle",), seeds=1))
    return [row for cell in cells for row in ASKED.answer(cell, store)]


def test_what_is_left_of_so3_is_found_at_every_dose(found):
    assert len(found) == sum(len(broken.doses) for broken in SYSTEMS["particle"].values())
    for row in found:
        assert (row["turns"], row["shifts"]) == (row["turns_left"], row["shifts_left"])
        assert row["right"] == 1
        assert row["hidden"] == 0
        assert row["inside"] < 1e-8 < 1e-4 < row["outside"]
    groups = {row["arm"]: row["proposed"] for row in found}
    assert groups["nothing"] == "SO3()"
    assert all(groups[arm].startswith("SO2(axis=") for arm in ("gravity", "drag"))


def test_a_stronger_break_has_a_wider_gap(found):
    doses = sorted((row["dose"], row["outside"]) for row in found if row["arm"] == "gravity")
    assert [outside for _, outside in doses] == sorted(outside for _, outside in doses)


def test_breaks_are_drawn(found):
    assert ASKED.figure(found) is not None
    assert ASKED.figure([row for row in found if row["arm"] == "nothing"]) is None


def test_cells_are_of_what_a_world_can_be_broken_by():
    arms = {(cell.world, cell.arm) for cell in ASKED.cells(Plan())}
    assert arms == {(world, arm) for world, of in SYSTEMS.items() for arm in of}
    with pytest.raises(UnknownNameError, match="walls"):
        ASKED.cells(Plan(arms=("walls",)))
    with pytest.raises(ArgumentError, match="taken"):
        DiscoveryQuestion(taken=3)
