"""The strongest rival is found on the rows that are compared, among arms whose models lack the symmetry."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from equiworld.benchmarks import question
from equiworld.benchmarks.questions import eyes
from equiworld.benchmarks.rivals import CONTESTS, Contest
from equiworld.benchmarks.suite import tables
from equiworld.benchmarks.suite.comparison import compared_tasks, paired_interval
from equiworld.benchmarks.suite.report import write_report
from equiworld.benchmarks.suite.rows import COORDINATES, share
from equiworld.benchmarks.suite.tables import rival_tables
from equiworld.results import make_result, write_json

CONTEST = Contest("the task", "success", "ours", ("also exact",), {"trial": "own"})


def row(arm, seed, outcomes, **where):
    counts = share("success", outcomes.count("+"), len(outcomes))
    return {
        "question": "success", "world": "pusht", "arm": arm, "seed": seed, "trial": "own", **counts,
        "tasks_solved": outcomes, **where,
    }  # fmt: skip


def cells(table):
    (found,) = [
        {
            heading: (cell["text"], cell.get("more"))
            for heading, cell in zip(table["headings"], line, strict=True)
        }
        for line in table["rows"]
    ]
    return found


@pytest.mark.parametrize("contest", CONTESTS, ids=lambda contest: contest.what)
def test_a_contest_is_of_arms_and_columns_that_its_question_has(contest):
    asked = question(contest.question)()
    points = [point for world in asked.worlds for arm in asked.arms for point in asked.points(world, arm)]
    assert {*contest.where} <= {
        *COORDINATES,
        *asked.coordinates,
        *(name for point in points for name in point),
    }
    assert contest.where["world"] in asked.worlds
    assert {"success", "episodes", "tasks_solved"} <= set(asked.measures)
    for arm in (contest.ours, *contest.exact):
        asked.arm(arm)  # an error if there is none


def test_a_task_is_named_once():
    assert max(Counter(contest.what for contest in CONTESTS).values()) == 1


def test_the_best_of_the_others_is_the_rival_and_what_is_exact_is_none():
    rows = [
        *(row("ours", seed, "++++++++++") for seed in (0, 1)),
        *(row("also exact", seed, "+++++++++-") for seed in (0, 1)),
        *(row("weak", seed, "+---------") for seed in (0, 1)),
        *(row("strong", seed, "++++++++--") for seed in (0, 1)),
        row("strong", 0, "----------", trial="another"),
    ]
    best, ours = CONTEST.sides(rows)
    assert {each["arm"] for some in best.values() for each in some} == {"strong"}
    assert {*best} == {*ours} == {0, 1}
    (table,), missing, notes = rival_tables([CONTEST], {"success": rows})
    found = cells(table)
    assert (found["ours"][0], found["strongest rival"][0]) == ("ours", "strong")
    assert (found["solved by ours"][0], found["solved by it"][0]) == ("100.0 % of 20", "80.0 % of 20")
    assert found["verdict"][0] == "tie"  # p = .125
    assert (missing, notes) == ([], [])


def test_a_rival_that_fails_in_its_own_slice_is_said_to():
    assert tables.COMPETENT == eyes.COMPETENT  # one bound for all
    rows = [row("ours", 0, "+" * 10), row("strong", 0, "+" * 8 + "--")]
    for of_slice, own in ((True, "++++++++--"), (True, "+++++++++-"), (False, "++++++++--")):
        rows[1] = row("strong", 0, own)
        _, _, notes = rival_tables([replace(CONTEST, of_slice=of_slice)], {"success": rows})
        assert len(notes) == (of_slice and own.count("+") < 9)


def turned(arm, several, seed=0, order=None):
    """Rows of one seed, one an element."""
    rows = [row(arm, seed, outcomes, element=element) for element, outcomes in enumerate(several)]
    return rows if order is None else [rows[index] for index in order]


def told(*rows):
    (table,), *_ = rival_tables([CONTEST], {"success": [each for some in rows for each in some]})
    return cells(table)


def test_a_task_that_is_turned_is_one_task():
    """Copies at further elements add nothing to what is known of an exact arm."""
    solved, fewer = "+" * 20, "+" * 15 + "-" * 5
    once = told(turned("ours", [solved]), turned("strong", [fewer]))
    often = told(turned("ours", [solved] * 8), turned("strong", [fewer] * 8))
    assert (once["test"][0], often["test"][0]) == ("McNemar", "sign flips")
    assert once["p"][0] == "0.0625"
    assert float(often["p"][0]) == pytest.approx(0.0625, abs=0.01)
    assert once["difference [%]"] == often["difference [%]"]
    assert often["elements"][0] == "8"


def test_means_over_elements_are_compared():
    ours, theirs = ["+" * 20, "+" * 20], ["+" * 15 + "-" * 5, "+" * 8 + "-" * 12]
    found = told(turned("ours", ours), turned("strong", theirs))
    one, other = (
        np.mean([[[mark == "+" for mark in each] for each in side]], axis=1) for side in (ours, theirs)
    )
    difference, low, high = paired_interval(one, other)
    assert found["difference [%]"] == (f"{100 * difference:.1f}", f"{100 * low:.1f} to {100 * high:.1f}")
    assert found["verdict"][0] == "more"
    same = told(turned("ours", ours), turned("strong", ours))
    assert (float(same["p"][0]), same["verdict"][0]) == (1.0, "tie")


def test_elements_are_paired_by_what_they_are():
    several = ["+" * 10, "-" * 10, "+-" * 5]
    found = told(turned("ours", several), turned("strong", several, order=(2, 0, 1)))
    assert found["difference [%]"][0] == "0.0"
    assert float(found["p"][0]) == 1.0
    found = told(turned("ours", several), turned("strong", several[:2]))
    assert (found["elements"][0], found["solved by it"][0]) == ("2", "50.0 % of 20")


def test_chance_is_not_called_a_difference():
    """Two arms of one chance, each the same at all elements: p below .05 about as often as it should be."""
    rng, below = np.random.default_rng(0), 0
    for _ in range(60):
        ours, theirs = (np.repeat(rng.random((3, 30, 1)) < 0.8, 8, -1).astype(float) for _ in range(2))
        below += compared_tasks(ours, theirs)["p"] < 0.05
    assert below <= 9  # of 3 that are expected; of copies taken for tasks it is about 27


def test_one_lucky_seed_is_no_rival():
    rows = [row("ours", seed, "+" * 20) for seed in range(5)]
    rows += [row("full", seed, "+" * 18 + "--") for seed in range(5)]
    rows += [row("lucky", 3, "+" * 20)]
    found = told(rows)
    assert (found["strongest rival"][0], found["solved by it"][0]) == ("full", "90.0 % of 100")


def test_only_seeds_that_both_have_count():
    rows = [
        row("ours", 0, "++++"),
        row("ours", 1, "----"),
        row("strong", 0, "+++-"),
        row("strong", 2, "++++"),
    ]
    best, ours = CONTEST.sides(rows)
    assert {*best} == {*ours} == {0}


@pytest.mark.parametrize("rows", [[], [row("ours", 0, "++")], [row("strong", 0, "++")]], ids=len)
def test_a_contest_of_one_side_is_missing(rows):
    assert rival_tables([CONTEST], {"success": rows}) == ([], ["the task: equiworld bench success"], [])


def test_the_report_has_them_after_what_was_published(tmp_path):
    rows = [row("steerable", 0, "++++"), row("augmented", 0, "+++-")]
    for each in rows:
        config = {"cell": f"pusht/{each['arm']}/0", "inputs": {}, "finished": "2026-01-01"}
        (tmp_path / "rows" / "success").mkdir(parents=True, exist_ok=True)
        path = tmp_path / "rows" / "success" / f"{each['arm']}.json"
        write_json(path, make_result("success", config, [each], 1.0))
    text = write_report(tmp_path).with_suffix(".md").read_text()
    assert "| PushT, gym-pusht's own task | steerable | augmented | 100.0 % of 4 | 75.0 % of 4 |" in text
    assert "PushT, random goals: equiworld bench success" in text
