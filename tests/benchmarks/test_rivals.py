"""The strongest rival is found on the rows that are compared, among arms whose models lack the symmetry."""

from collections import Counter

import numpy as np
import pytest

from equiworld.benchmarks import question
from equiworld.benchmarks.rivals import CONTESTS, Contest
from equiworld.benchmarks.suite.comparison import mcnemar, paired_interval
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
    assert {"success", "successes", "episodes", "tasks_solved"} <= set(asked.measures)
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
    (table,), missing = rival_tables([CONTEST], {"success": rows})
    found = cells(table)
    assert (found["ours"][0], found["strongest rival"][0]) == ("ours", "strong")
    assert (found["solved by ours"][0], found["solved by it"][0]) == ("100.0 % of 20", "80.0 % of 20")
    assert found["verdict"][0] == "tie"  # p = .125
    assert not missing


def test_several_rows_of_a_seed_are_compared_together_and_paired():
    sides = {
        arm: [row(arm, 0, outcomes, element=element) for element, outcomes in enumerate(several)]
        for arm, several in (
            ("ours", ("+" * 20, "+" * 20)),
            ("strong", ("+" * 15 + "-" * 5, "+" * 16 + "-" * 4)),
        )
    }
    (table,), _ = rival_tables([CONTEST], {"success": [*sides["ours"], *sides["strong"]]})
    found = cells(table)
    one, other = (
        np.array([[mark == "+" for each in sides[arm] for mark in each["tasks_solved"]]])
        for arm in ("ours", "strong")
    )
    difference, low, high = paired_interval(one, other)
    assert found["difference [%]"] == (f"{100 * difference:.1f}", f"{100 * low:.1f} to {100 * high:.1f}")
    assert found["p"][0] == f"{mcnemar(one, other):.4g}"
    assert (found["test"][0], found["verdict"][0]) == ("McNemar", "more")


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
    assert rival_tables([CONTEST], {"success": rows}) == ([], ["the task: equiworld bench success"])


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
