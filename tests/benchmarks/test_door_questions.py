"""The door's questions: closed loops, bits of canonical observations, declarations drawn at random."""

from __future__ import annotations

import numpy as np
import pytest

from equiworld.benchmarks.questions.declarations import SMALL, Declarations, tried
from equiworld.benchmarks.questions.door import NO_DOOR, OTHER_SEED, DoorLoops
from equiworld.benchmarks.questions.door_bits import DoorBits
from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.question import Plan
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.worlds.declarations import STATES, drawn_observations, drawn_symmetry
from equiworld.symmetry import Point

pytestmark = pytest.mark.exact
PLANNERS = tuple(SMALL)


def rows(question, store, **plan):
    return [row for cell in question.cells(Plan(**plan)) for row in question.answer(cell, store)]


def test_loops_in_small_are_exact_and_tell_what_is_inexact_by_design(tmp_path):
    store, question = Store(tmp_path), DoorLoops().reduced()
    found = rows(question, store, worlds=("pusht",), arms=("untrained", "plain"))
    by_design = [row for row in found if row["planner"] in (NO_DOOR, OTHER_SEED)]
    exact = [row for row in found if row not in by_design]
    assert len(by_design) == 2
    assert all(row["deviation"] > 1.0 and row["crossings"] for row in by_design)
    assert {row["arm"] for row in exact} == {"untrained", "plain"}
    assert all(row["deviation"] <= 1e-9 < row["moved"] and not row["crossings"] for row in exact)
    assert all(row["floor"] <= 1e-9 for row in found)  # the world's share, whoever decides
    assert all(row["decisions"] > 0 == row["degenerate"] for row in found)
    assert rows(question, store, worlds=("pusht",), arms=("untrained", "plain")) == found


def test_cells_are_of_every_planner_and_dtype_and_of_clouds_the_trained_model_alone():
    question = DoorLoops(planner=("CEM", "ICEM"))
    cells = question.cells(Plan())
    assert len({cell.id for cell in cells}) == len(cells) == 3 * 4 + 2 + 4
    assert {cell.arm for cell in cells if cell.world == "cloudpush"} == {"equivariant"}
    scale = question.scale_in(question.world("pusht"))
    assert (scale.transitions, scale.steps) == (20_000, (1_500,))
    small = question.reduced()
    assert small.scale_in(small.world("pusht")).transitions <= 5_000


def test_no_bit_differs_and_rounding_predicts_as_much(tmp_path):
    question, store = DoorBits(pairs=240), Store(tmp_path)
    found = rows(question, store)
    assert [(row["world"], row["arm"]) for row in found] == [
        ("pusht", "turned"),
        ("pusht", "replayed"),
        ("cloudpush", "turned"),
    ]
    assert [row["pairs"] for row in found] == [240, 240, 8]
    assert all(row["different"] == 0 <= row["predicted"] < 1e-4 for row in found)
    assert all(row["rate"] == 0 < row["rate_high"] for row in found)


def test_declarations_are_counted_by_their_verdicts(tmp_path):
    question = Declarations(drawn=7)
    cells = question.cells(Plan(worlds=("plain",), arms=("CEM", "RandomShooting")))
    found = [row for cell in cells for row in question.answer(cell, Store(tmp_path))]
    assert [row["declarations"] for row in found] == [2, 1]  # 0 and 5; 4
    for row in found:
        assert row["silent"] == 0
        assert row["exact"] <= row["exact_generic"] <= row["declarations"] - row["refused"] - row["said"]
        assert row["deviation"] <= 1e-12
    assert Cell("declarations", "plain", "CEM", 0) in cells


@pytest.mark.parametrize("seed", range(100, 130))
def test_no_declaration_is_silently_inexact(seed):
    verdict = tried(seed, False, PLANNERS[seed % 5])
    assert not verdict["silent"]
    assert verdict["deviation"] <= 1e-12
    assert (
        verdict["why"]
        if verdict["refused"] or verdict["said"]
        else verdict["exact"] <= verdict["exact_generic"]
    )


@pytest.mark.parametrize("seed", [17, 24, 38, 42, 54])
def test_models_of_a_part_of_the_group_see_headings_of_bodies_as_they_were_made_to(seed):
    """Labels move the heading of a body, which such a model sees as one arrow, and the door as more."""
    verdict = tried(seed, True, PLANNERS[seed % 5])
    assert not verdict["refused"]
    assert not verdict["silent"]
    assert verdict["exact_generic"]


@pytest.mark.parametrize("labelled", [False, True])
def test_special_states_are_what_they_are_called(labelled):
    for seed in range(40):
        symmetry = drawn_symmetry(np.random.default_rng(seed), labelled)
        for kind in STATES:
            drawn = drawn_observations(symmetry, np.random.default_rng(seed), kind, 3)
            again = drawn_observations(symmetry, np.random.default_rng(seed), kind, 3)
            seen, repeated = (symmetry.observed(each) for each in (drawn, again))
            assert all(np.array_equal(seen[name], repeated[name]) for name in symmetry.observation)
            placed = [name for name, field in symmetry.observation.items() if isinstance(field, Point)]
            together = all(np.ptp(seen[name].reshape(-1, symmetry.dim), axis=0).max() == 0 for name in placed)
            assert together or kind not in ("in one place", "nothing at all")
