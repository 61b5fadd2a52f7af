"""The report says all that a store holds, and what is wrong with it, and needs nothing but itself."""

import json
import re
import shutil
from pathlib import Path

import pytest
from browser import opened
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from toy_questions import ANGLES, TOYS, InSpace, Turned, Unpicturable

from equiworld import benchmarks
from equiworld.benchmarks.suite.question import Plan
from equiworld.benchmarks.suite.report import write_report
from equiworld.benchmarks.suite.rows import share
from equiworld.benchmarks.suite.store import Store
from equiworld.cli import main
from equiworld.errors import ArgumentError, CheckpointError
from equiworld.results import make_result, read_json, write_json

SMALL = Turned(episodes=5, angles=2)


@pytest.fixture(autouse=True)
def toys(monkeypatch):
    for name, place in TOYS.items():
        monkeypatch.setitem(benchmarks.QUESTIONS, name, place)


def answered(folder, *questions, plan=Plan()):  # noqa: B008
    store = Store(folder)
    for question in questions:
        for cell in question.cells(plan):
            question.answer(cell, store)
    return Path(folder)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    return answered(tmp_path_factory.mktemp("store"), SMALL, InSpace(elements=6), Unpicturable(elements=2))


@pytest.fixture
def folder(measured, tmp_path):
    shutil.copytree(measured, tmp_path / "store")
    return tmp_path / "store"


def texts(folder, **options):
    page = write_report(folder, **options)
    return page.read_text(), page.with_suffix(".md").read_text()


def changed(folder, pattern, change):
    """Every result that matches, changed in its file."""
    paths = sorted(folder.glob(f"rows/{pattern}"))
    assert paths
    for path in paths:
        result = read_json(path)
        change(result)
        write_json(path, result)


def drop(folder, *questions):
    for name in questions:
        shutil.rmtree(folder / "rows" / name)


def warnings(page):
    return re.findall(r'<p class="warning">(.*?)</p>', page, re.S)


def test_every_question_has_its_title_figure_table_and_definitions(folder):
    page, text = texts(folder)
    for question in (Turned, InSpace):
        assert question.title in page
        assert question.title in text
        assert f"](report/{question.name}-{question.worlds[0]}.png)" in text
        assert (
            (folder / "report" / f"{question.name}-{question.worlds[0]}.png")
            .read_bytes()
            .startswith(b"\x89PNG")
        )
    assert page.count("data:image/png;base64,") == 2
    assert "largest distance from the turned path" in page
    assert "deviation [px]" in page
    assert "3 seeds" in page
    assert "one seed" in page


def test_shares_are_pooled_over_seeds(folder):
    page, text = texts(folder)
    rows = [
        row
        for result in map(read_json, sorted(folder.glob("rows/*/*.json")))
        for row in result["rows"]
        if row["arm"] == "plain" and row["angle"] == 45
    ]
    count = sum(row["successes"] for row in rows)
    assert len(rows) == 3
    assert f"{count} of 15" in page
    assert f"{count} of 15)" in text


def test_rows_stand_in_the_order_of_arms_and_of_numbers(folder):
    """Not in that of the names of files."""
    answered(folder, Turned(episodes=5, angles=4), plan=Plan(seeds=1))
    _, text = texts(folder)
    found = [
        tuple(line.split(" | ")[:2]) for line in text.splitlines() if re.match(r"\| \w+ \| \d+ \|", line)
    ]
    assert found == [(f"| {arm}", str(angle)) for arm in Turned.arms for angle in ANGLES[:4]]


def test_nothing_is_wrong_with_rows_of_one_run(folder):
    drop(folder, "unpicturable")
    assert warnings(texts(folder)[0]) == []


def test_a_figure_that_fails_is_said_and_the_others_stay(folder):
    page, _ = texts(folder)
    (said,) = warnings(page)
    assert "could not be drawn: ValueError: no &lt;ink&gt;" in said


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda r: r["config"].update(sources="feedfeedfeedfeed"), "feedfeedfeedfeed"),
        (lambda r: r["config"]["machine"].update(processor="Abacus 3000"), "Abacus 3000"),
        (lambda r: r["config"]["machine"].update(threads=77), "77"),
        (lambda r: r["versions"].update(torch="9.9"), "9.9"),
        (lambda r: r["config"]["inputs"]["settings"].update(episodes=123), "123"),
        (lambda r: r["config"]["inputs"].update(version=99), "99"),
        (lambda r: r["rows"][0].update(elegance=1.0), "elegance"),
    ],
)
def test_rows_that_do_not_belong_together_are_warned_of(folder, change, word):
    drop(folder, "unpicturable", "in-space")
    changed(folder, "turned/*plain_0*", change)
    page, text = texts(folder)
    assert any(word in said for said in warnings(page))
    assert re.search(rf"> \*\*Warning:\*\* .*{re.escape(word)}", text)


def test_cells_of_different_modules_may_have_different_sources(folder):
    """What a cell depends on may differ by arm; what differs for the same modules is wrong."""
    drop(folder, "unpicturable")
    changed(folder, "turned/*plain*", lambda r: r["config"].update(sources="other", modules=["another"]))
    assert warnings(texts(folder)[0]) == []


@pytest.mark.parametrize("apart", [False, True], ids=["one point", "two points"])
def test_definitions_are_compared_at_each_point(folder, apart):
    """An arm may be another one behind the door; at one point it may not."""
    drop(folder, "unpicturable", "in-space")

    def told(result):
        seed = result["rows"][0]["seed"]
        result["config"]["inputs"]["arm"] = {"door": seed == 0}
        if apart:
            result["config"]["cell"] += f"/door={seed == 0}"

    changed(folder, "turned/*plain*", told)
    said = warnings(texts(folder)[0])
    assert bool(said) is not apart
    assert all("arm of plain" in each for each in said)


def test_a_question_that_is_not_known_is_shown_and_said(folder):
    changed(folder, "in-space/*", lambda r: r.update(benchmark="forgotten"))
    page, text = texts(folder)
    assert any("does not know this question" in said for said in warnings(page))
    assert "forgotten" in text
    assert "deviation" in text


def test_missing_cells_are_listed_until_they_are_there(folder):
    there = SMALL.cells(Plan())[0].id
    missing = ["turned/pusht/soft/0/angle=0", "turned/pusht/soft/1/angle=0"]
    write_json(folder / "turned.json", make_result("turned", {"missing": [*missing, there]}, [], 1.0))
    write_json(folder / "later.json", make_result("later", {"missing": ["later/pusht/soft/0"]}, [], 1.0))
    broken = {"missing": ["broken/pusht/soft/0"], "failed": {"broken/pusht/soft/0": "ValueError: <no>"}}
    write_json(folder / "broken.json", make_result("broken", broken, [], 1.0))
    page, text = texts(folder)
    assert "ValueError: &lt;no&gt;" in page
    assert "ValueError: &lt;no>" in text
    for cell in (*missing, "later/pusht/soft/0", "broken/pusht/soft/0"):
        assert f"<code>{cell}</code>" in page
        assert cell in text
    assert f"<code>{there}</code>" not in page


def test_of_a_cell_under_several_keys_the_newest_is_taken(folder):
    answered(folder, Turned(episodes=7, angles=2))
    page, _ = texts(folder)
    assert " of 21" in page
    assert " of 15" not in page
    assert any("18 older results" in said for said in warnings(page))


def test_stores_of_several_machines_are_read_together(folder, tmp_path):
    other = answered(tmp_path / "other", SMALL, plan=Plan(seeds=2, first_seed=3))
    before = sorted(folder.glob("rows/**/*"))
    page, _ = texts(folder, merge=[other, folder])
    assert "5 seeds" in page
    assert " of 25" in page
    assert sorted(folder.glob("rows/**/*")) == before


def earlier_file(path, *rows):
    return write_json(path, make_result("results", {}, rows, 0.0))


def test_earlier_figures_stand_beside_the_new_ones(folder, tmp_path):
    place = {"question": "turned", "world": "pusht", "seed": 0, "source": "old.md, Success"}
    rows = [{**place, "arm": "plain", "angle": 45, "relative_error": 0.4321, **share("success", 17, 19)}]
    rows.append({**place, "arm": "centred", "angle": 45, "relative_error": 0.8765})
    rows.append({**place, "question": "gone", "arm": "x", "speed": 12.5})
    page, text = texts(folder, earlier=earlier_file(tmp_path / "old.json", *rows))
    line = next(line for line in text.splitlines() if line.startswith("| plain | 45 |"))
    assert "| 0.4321 |" in line
    assert "17 of 19" in line
    assert "old.md, Success" in page
    assert any(line.startswith("| centred | 45 | – | 0.8765 |") for line in text.splitlines())
    assert "12.5" in text
    assert "relative\\_error, before" in text


@pytest.mark.parametrize(("name", "column"), [("gone", "where"), ("turned", "angle")])
def test_earlier_figures_alone_are_not_mixed_over_their_coordinates(folder, tmp_path, name, column):
    """Neither where their file says what these are, nor where the question does."""
    drop(folder, "turned")
    place = {"question": name, "world": "pusht", "arm": "plain", "seed": 0, "source": "old.md"}
    rows = [{**place, column: where, "speed": 1.5 * where} for where in (3, 7)]
    old = make_result("results", {"coordinates": {"gone": ["where"]}}, rows, 0.0)
    _, text = texts(folder, earlier=write_json(tmp_path / "old.json", old))
    assert "| 3 | 4.5 |" in text
    assert "| 7 | 10.5 |" in text


def test_figures_of_several_sources_are_a_line_each(folder, tmp_path):
    place = {"question": "turned", "world": "pusht", "arm": "plain", "angle": 45, "seed": 0}
    rows = [{**place, "relative_error": value, "source": f"page {value}"} for value in (0.125, 0.375)]
    page, text = texts(folder, earlier=earlier_file(tmp_path / "old.json", *rows))
    assert "0.125\n0.375</td>" in page
    assert 'title="page 0.125, seeds: 1\npage 0.375, seeds: 1"' in page
    assert "| 0.125; 0.375 |" in text


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=30))
def test_names_are_text_and_never_markup(tmp_path, name):
    hostile = f"<script>alert(1)</script>{name}"
    row = {"question": hostile, "world": f"</td>{hostile}", "arm": hostile, "seed": 0, "note": hostile}
    config = {"cell": f"q/w/{hostile}/0", "sources": hostile, "machine": {"processor": hostile}}
    folder = tmp_path / "hostile"
    write_json(folder / "rows" / "q" / "one.json", make_result(hostile, config, [row], 0.0))
    write_json(folder / "q.json", make_result(hostile, {"missing": [hostile]}, [], 0.0))
    page, text = texts(folder)
    assert page.count("<script>") == 1
    assert "alert(1)&lt;/script&gt;" in page
    assert "<script" not in text


def test_the_page_needs_nothing_else(folder):
    page, _ = texts(folder)
    assert not re.search(r"""(?:src|href|url|@import)\s*[=(]?\s*["']?\s*(?:https?:|//|file:)""", page)
    for target in re.findall(r'(?:src|href)="([^"]*)"', page):
        assert target.startswith(("data:", "#"))
    assert "@import" not in page


def test_equal_stores_give_equal_reports(folder, tmp_path):
    first = texts(folder, out=tmp_path / "a.html", markdown=tmp_path / "a.md")
    assert texts(folder, out=tmp_path / "a.html", markdown=tmp_path / "a.md") == first


def test_a_damaged_file_is_said(folder):
    path = next(folder.glob("rows/turned/*"))
    path.write_text(path.read_text()[:100])
    page, text = texts(folder)
    assert path.name in page
    assert "cannot be read" in text


@pytest.mark.parametrize("make", [False, True])
def test_a_folder_without_rows_is_refused(tmp_path, make):
    if make:
        (tmp_path / "empty").mkdir()
    with pytest.raises(ArgumentError, match="empty"):
        write_report(tmp_path / "empty")
    assert not (tmp_path / "empty" / "report.html").exists()


def test_earlier_figures_that_are_no_result_are_refused(folder, tmp_path):
    (tmp_path / "old.json").write_text(json.dumps([1, 2]))
    with pytest.raises(CheckpointError):
        write_report(folder, earlier=tmp_path / "old.json")


def test_the_command_writes_where_it_is_told(folder, tmp_path, capsys):
    old = earlier_file(
        tmp_path / "old.json", {"question": "gone", "world": "w", "arm": "a", "speed": 12.5, "source": "s"}
    )
    words = ["report", str(folder), "--merge", str(folder), str(folder), "--earlier", str(old)]
    assert (
        main(
            [*words, "--out", str(tmp_path / "new" / "page.html"), "--markdown", str(tmp_path / "results.md")]
        )
        == 0
    )
    assert (tmp_path / "new" / "page.html").exists()
    assert "12.5" in (tmp_path / "results.md").read_text()
    assert (tmp_path / "results" / "turned-pusht.png").exists()
    assert not (folder / "report.html").exists()
    assert str(tmp_path / "new" / "page.html") in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"), [(["--merge", "nowhere"], "nowhere"), (["--earlier", "nowhere.json"], "nowhere.json")]
)
def test_the_command_says_what_is_not_there(folder, words, said, capsys):
    assert main(["report", str(folder), *words]) == 2
    assert said in capsys.readouterr().err


def test_a_file_is_no_store(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main(["report", str(tmp_path / "file")]) == 2
    assert "DIR" in capsys.readouterr().err


def test_a_browser_shows_every_figure_and_no_error(folder):
    write_json(folder / "turned.json", make_result("turned", {"missing": ["turned/pusht/<b>/0"]}, [], 1.0))
    found = opened(write_report(folder))
    assert found["errors"] == []
    assert [alt for alt, _, _ in found["images"]] == [f"{Turned.title} pusht", f"{InSpace.title} cloudpush"]
    assert all(complete and width > 300 for _, complete, width in found["images"])
    assert found["wide"] == 0
    assert found["sorted"]
    for up, down in found["sorted"]:
        for column, backwards in ((up, False), (down, True)):
            there = [value for value in column if value]
            numbers = all(re.fullmatch(r"[-+.e\d]+", value) for value in there)
            values = [float(value) if numbers else value for value in there]
            assert values == sorted(values, reverse=backwards)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("document.querySelectorAll", "document.querySelectNone"),
        ("const body =", "const const ="),
        ("for (const heading", "console.error('no'); for (const heading"),
    ],
)
def test_the_browser_sees_a_broken_script(folder, right, wrong):
    page = write_report(folder)
    text = page.read_text()
    assert right in text
    page.write_text(text.replace(right, wrong))
    assert opened(page)["errors"]


@pytest.mark.parametrize("source", ["data:image/png;base64,AAAA", "gone.png"])
def test_the_browser_sees_a_broken_figure(folder, source):
    page = write_report(folder)
    page.write_text(re.sub(r"data:image/png;base64,[^\"]*", source, page.read_text(), count=1))
    assert [width > 0 for _, _, width in opened(page)["images"]] == [False, True]
