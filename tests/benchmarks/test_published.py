"""Published figures stand beside the rows that answer them, by columns that their questions have."""

from collections import Counter

import pytest

from equiworld.benchmarks import question
from equiworld.benchmarks.published import CLAIMS, Figure
from equiworld.benchmarks.suite.report import write_report
from equiworld.benchmarks.suite.rows import COORDINATES
from equiworld.benchmarks.suite.tables import published_tables
from equiworld.results import make_result, write_json

STEP = {"question": "one-step", "world": "cloudpush", "part": "orbit"}


def orbit(arm, seed, errors, lengths=(1.0, 1.0)):
    return [
        {**STEP, "arm": arm, "seed": seed, "element": element, "relative_error": error, "error_rms": length}
        for element, (error, length) in enumerate(zip(errors, lengths, strict=True))
    ]


def cells(table):
    headings = table["headings"]
    return [
        {heading: (cell["text"], cell.get("more")) for heading, cell in zip(headings, row, strict=True)}
        for row in table["rows"]
    ]


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.what)
def test_a_claim_asks_for_columns_that_its_question_has(claim):
    asked = question(claim.question)()
    points = [point for world in asked.worlds for arm in asked.arms for point in asked.points(world, arm)]
    coordinates = {*COORDINATES, *asked.coordinates, *(name for point in points for name in point)}
    for figure in claim.figures.values():
        assert figure.column in asked.measures
        assert set(figure.where) <= coordinates
    assert {*claim.where, *claim.by} <= coordinates
    assert claim.where.get("world", asked.worlds[0]) in asked.worlds
    assert claim.what
    assert claim.theirs


def test_what_is_claimed_is_said_once():
    assert max(Counter(claim.what for claim in CLAIMS).values()) == 1


def test_seeds_are_summarised_and_ratios_are_of_each():
    rows = [
        *orbit("plain", 0, (0.2, 0.8), (3.0, 5.0)),
        *orbit("plain", 1, (0.1, 0.2)),
        *orbit("equivariant", 0, (0.3, 0.3)),
    ]
    tables, missing = published_tables(
        CLAIMS, {"one-step": [*rows, {**rows[0], "part": "ladder", "test": "as it is"}]}
    )
    table, ladder = tables
    assert table["caption"].startswith("one step, latents of clouds in space. Published: vector neurons .228")
    plain, equivariant = cells(table)
    assert plain["relMSE, unturned"] == ("0.15", "0.1 to 0.2")
    assert plain["worst over unturned"] == ("3", "2 to 4")
    assert plain["worst [px|m]"] == ("3", "1 to 5")
    assert equivariant["worst over unturned"][0] == "1"
    assert "shifted and turned" in ladder["caption"]
    assert len(missing) == len(CLAIMS) - 2
    assert not any("latents of clouds" in each for each in missing)


def test_rows_of_other_worlds_and_parts_answer_nothing():
    rows = [{**row, "world": "elsewhere"} for row in orbit("plain", 0, (0.2, 0.8))]
    assert published_tables(CLAIMS, {"one-step": rows})[0] == []


@pytest.mark.parametrize("pick", ["at", "largest", "smallest", "ratio"])
def test_a_figure_of_nothing_is_none(pick):
    figure = Figure("error", pick, {"element": 0})
    assert figure([]) is None
    assert figure([{"element": 0, "error": None}]) is None
    assert figure([{"element": 0, "error": 0.0}]) in (None, 0.0)


def test_the_report_begins_with_them_and_lists_what_is_missing(tmp_path):
    rows = orbit("plain", 0, (0.2, 0.8))
    config = {"cell": "cloudpush/plain/0", "inputs": {}, "finished": "2026-01-01"}
    (tmp_path / "rows" / "one-step").mkdir(parents=True)
    write_json(tmp_path / "rows" / "one-step" / "cell.json", make_result("one-step", config, rows, 1.0))
    page = write_report(tmp_path)
    html, text = page.read_text(), page.with_suffix(".md").read_text()
    assert html.index("Beside what others published") < html.index("How wrong is one predicted step")
    assert text.index("## Beside what others published") < text.index("## How wrong is one predicted step")
    assert "| 0.2 | 4 | 1 |" in text
    assert "bench soft" in text
    assert "bench published<" not in html  # the section is no question
