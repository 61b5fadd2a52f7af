"""Cells, rows and their schema, digests of sources, and the store under two workers, kills and merges."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from equiworld.benchmarks.suite import sources
from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.question import Plan, Question
from equiworld.benchmarks.suite.rows import Measure, checked_rows, share
from equiworld.benchmarks.suite.store import Store
from equiworld.errors import ArgumentError, CheckpointError, EquiworldError, UnknownNameError
from equiworld.results import read_json

MODULES = ("equiworld.errors",)
CELL = Cell.at_point("success", "pusht", "augmented", 2, size=2000)


@dataclass(frozen=True)
class Probe(Question):
    steps: int = 3
    worlds_at: tuple[int, ...] = (0, 1)

    name = "probe"
    title = "Is it measured?"
    worlds = ("here", "there")
    arms = ("one", "other")
    seeds = 2
    coordinates = ("place",)
    measures = {"error": Measure("px", "how far off"), "why": Measure("", "a reason")}  # noqa: RUF012
    small = {"steps": 5, "worlds_at": (0,)}  # noqa: RUF012
    choosing = ("worlds_at",)
    calls = []  # noqa: RUF012

    def points(self, world, arm):
        return [{"at": value} for value in self.worlds_at]

    def measure(self, cell, store):
        self.calls.append(cell)
        return [{"place": place, "error": float(cell.seed + place)} for place in range(2)]


def stored(folder):
    """What every whole file of rows holds, in the order of their names."""
    for path in sorted(folder.glob("rows/*/*.json")):
        with suppress(CheckpointError):
            yield read_json(path)


@pytest.fixture(autouse=True)
def no_calls():
    Probe.calls.clear()


# Cells


def test_cells_have_different_ids_and_files(tmp_path):
    cells = [
        Cell.at_point(question, world, arm, seed, **at)
        for question in ("success", "orientation")
        for world in ("pusht", "equiworld/PushT-v0")
        for arm in ("plain", "plain, all data", "labelled, SE × S₂", "labelled, SE / S₂")
        for seed in (0, 1)
        for at in ({}, {"size": 1}, {"size": 2}, {"size": 1.0}, {"size": "1"}, {"size": True}, {"n": 1})
    ]
    cells += [Cell("success", "a/b", "c", 0), Cell("success", "a", "b/c", 0)]
    cells += [Cell("success", "a" * 200 + end, "c", 0) for end in "xy"]
    store = Store(tmp_path)
    paths = {store.rows_path(cell, {}, MODULES) for cell in cells}
    assert len(paths) == len(cells)
    assert all(len(path.name.encode()) < 255 and path.parent.parent.name == "rows" for path in paths)
    assert CELL.id == "success/pusht/augmented/2/size=2000"
    assert CELL.coordinates == {
        "question": "success",
        "world": "pusht",
        "arm": "augmented",
        "seed": 2,
        "size": 2000,
    }


@pytest.mark.parametrize("value", [None, (1, 2), [1], {"a": 1}, np.zeros(2)])
def test_cells_are_at_numbers_strings_and_booleans(value):
    with pytest.raises(ArgumentError, match="size"):
        Cell.at_point("success", "pusht", "plain", 0, size=value)


def test_a_plan_says_which_cells_there_are():
    whole = Probe().cells(Plan())
    assert len(whole) == len({cell.id for cell in whole}) == 2 * 2 * 2 * 2
    some = Probe().cells(Plan(worlds=("there",), arms=("other",), seeds=3, first_seed=5))
    assert [(cell.seed, cell.point["at"]) for cell in some] == [(s, at) for s in (5, 6, 7) for at in (0, 1)]
    assert {(cell.world, cell.arm) for cell in some} == {("there", "other")}


@pytest.mark.parametrize("plan", [Plan(worlds=("her",)), Plan(arms=("ohter",))])
def test_a_closed_question_refuses_what_it_does_not_know(plan, monkeypatch):
    assert Probe().cells(plan)
    monkeypatch.setattr(Probe, "closed", True)
    with pytest.raises(UnknownNameError, match=r"--(world|arm).*did you mean"):
        Probe().cells(plan)


# Rows


def test_rows_begin_with_their_coordinates():
    measures = {"error": Measure("px", "how far off")}
    rows = [{"place": 1, "error": 0.5, "error_low": 0.4, "error_high": None}, {"arm": "another"}]
    found = checked_rows(CELL, rows, ("place",), measures)
    assert list(found[0])[:5] == ["question", "world", "arm", "seed", "size"]
    assert found[0] == CELL.coordinates | rows[0]
    assert found[1]["arm"] == "another"


@pytest.mark.parametrize("name", ["eror", "error_lo", "place_low", "note", "seconds"])
def test_columns_that_are_not_declared_are_refused(name):
    with pytest.raises(ArgumentError, match=name):
        checked_rows(CELL, [{}, {name: 1.0}], ("place",), {"error": Measure("px", "how far off")})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.float64("-inf"), np.float32("nan")])
def test_numbers_that_are_not_finite_are_refused(value):
    with pytest.raises(ArgumentError, match=r"error in row 1 of success/pusht"):
        checked_rows(CELL, [{"error": 1.0}, {"error": value}], (), {"error": Measure("px", "how far off")})


def test_shares_have_their_counts_and_interval():
    row = share("success", 9, 10)
    assert row["success_low"] < 0.9 < row["success_high"] <= 1.0
    assert (row["successes"], row["episodes"]) == (9, 10)


# What rows depend on


def test_rows_are_measured_once(tmp_path):
    cell = Probe().cells(Plan())[0]
    assert not Probe().answered(cell, Store(tmp_path))
    rows = Probe().answer(cell, Store(tmp_path))
    assert Probe().answered(cell, Store(tmp_path))
    assert Probe().answer(cell, Store(tmp_path)) == rows
    assert Probe(worlds_at=(0, 1, 2)).answer(cell, Store(tmp_path)) == rows  # only says which cells there are
    assert Probe.calls == [cell]
    assert [row["error"] for row in rows] == [0.0, 1.0]


def test_rows_of_other_inputs_are_measured_anew(tmp_path, monkeypatch):
    store, question = Store(tmp_path), Probe()
    cells = question.cells(Plan())
    question.answer(cells[0], store)
    others = [replace(cells[0], **one) for one in ({"seed": 9}, {"world": "there"}, {"arm": "x"}, {"at": ()})]
    assert not any(question.answered(cell, store) for cell in [*cells[1:], *others])
    assert not Probe(steps=4).answered(cells[0], store)
    for owner, name, value in (
        (Probe, "version", 2),
        (Probe, "depends", lambda self, cell: {"world": "defined anew"}),
        (Probe, "modules", lambda self, cell: ("equiworld.files",)),
        (sys.modules["equiworld.benchmarks.suite.store"], "versions", lambda: {"torch": "0"}),
        (sys.modules["equiworld.benchmarks.suite.store"], "sources_digest", lambda *_: "another"),
    ):
        with monkeypatch.context() as changed:
            changed.setattr(owner, name, value)
            assert not question.answered(cells[0], store), name
        assert question.answered(cells[0], store), name


def test_the_small_version_has_no_larger_number():
    assert Probe().reduced() == Probe(steps=3, worlds_at=(0,))
    assert Probe(steps=100).reduced().steps == 5


def test_rows_that_are_refused_are_not_stored(tmp_path, monkeypatch):
    monkeypatch.setattr(Probe, "measure", lambda self, cell, store: [{"error": float("nan")}])
    cell = Probe().cells(Plan())[0]
    with pytest.raises(ArgumentError, match="finite"):
        Probe().answer(cell, Store(tmp_path))
    assert not Probe().answered(cell, Store(tmp_path))
    assert list(stored(tmp_path)) == []


# Digests of sources, in a package of their own

PACKAGE = {
    "__init__.py": "from equiworld import first\n",
    "first.py": "",
    "errors.py": Path(sys.modules["equiworld.errors"].__file__).read_text(),
    "benchmarks/__init__.py": 'QUESTIONS = {"other": "equiworld.benchmarks.other:Other"}\n',
    "benchmarks/other.py": "",
    "benchmarks/suite/__init__.py": "",
    "benchmarks/suite/sources.py": Path(sources.__file__).read_text(),
    "asked.py": (
        "from __future__ import annotations\n"
        "from typing import TYPE_CHECKING\n"
        "import equiworld.plain\n"
        "from equiworld import alias as renamed\n"
        "from equiworld.inner.named import VALUE\n"
        'REGISTRY = {"kept": "equiworld.kept:Kept"}\n'
        "if TYPE_CHECKING:\n    from equiworld.annotated import Annotated\n"
        "def later() -> Annotated:\n    from equiworld import lazy\n    return lazy.found\n"
    ),
    "plain.py": "import equiworld.deeper\n",
    "deeper.py": "import equiworld.asked\n",  # a circle
    "alias.py": "",
    "inner/__init__.py": 'from equiworld.helper import HELP\nOTHERS = "equiworld.inner.beside"\n',
    "inner/named.py": "VALUE = 1\n",
    "inner/beside.py": "",
    "helper.py": "HELP = 1\n",
    "kept.py": "from equiworld import under\nclass Kept: ...\n",
    "under.py": "",
    "annotated.py": "class Annotated: ...\n",
    "lazy.py": "found = 1\n",
    "unrelated.py": "",
}
USED = {"asked", "plain", "deeper", "alias", "inner/__init__", "inner/named", "helper", "kept", "under"}
USED |= {"annotated", "lazy"}
UNUSED = {"unrelated", "benchmarks/other", "inner/beside", "first", "errors"}
DIGEST = (
    "from equiworld.benchmarks.suite.sources import sources_digest; print(sources_digest('equiworld.asked'))"
)


@pytest.fixture
def package(tmp_path):
    for name, text in PACKAGE.items():
        path = tmp_path / "equiworld" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "equiworld"


def digest_in(package, code=DIGEST):
    command = [
        sys.executable,
        "-P",
        "-S",
        "-c",
        f"import sys; sys.path.insert(0, {str(package.parent)!r}); {code}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_what_is_imported_or_named_counts_and_nothing_else(package):
    before = digest_in(package)
    assert len(before) == 16
    assert digest_in(package) == before
    for name in sorted(USED | UNUSED):
        path = package / f"{name}.py"
        text = path.read_text()
        path.write_text(text + "# edited\n")
        assert (digest_in(package) != before) == (name in USED), name
        path.write_text(text)
    assert digest_in(package) == before


def test_a_module_that_is_moved_or_new_counts(package):
    before = digest_in(package)
    (package / "asked.py").write_text(PACKAGE["asked.py"].replace("equiworld.plain", "equiworld.unrelated"))
    assert digest_in(package) != before


def test_an_edit_while_the_process_runs_is_refused(package):
    code = (
        "import time, pathlib\n"
        "from equiworld.benchmarks.suite.sources import sources_digest\n"
        "from equiworld.errors import EquiworldError\n"
        "time.sleep(0.1)\n"
        f"pathlib.Path({str(package)!r}, NAME).write_text('# edited')\n"
        "try:\n    print(sources_digest('equiworld.asked'))\n"
        "except EquiworldError as error:\n    print(error)\n"
    )
    changed = package / "deeper.py"

    def outcome(name):
        (package.parent / "run.py").write_text(code.replace("NAME", repr(name)))
        return digest_in(package, f"exec(open({str(package.parent / 'run.py')!r}).read())")

    assert outcome("deeper.py") == f"{changed} was changed while this process ran; start it again"
    assert len(outcome("unrelated.py")) == 16


def test_questions_depend_on_the_library_that_they_use_and_not_on_each_other():
    found = sources.source_files("equiworld.benchmarks.questions.layer_speed")
    assert {"equiworld.nn", "equiworld.groups", "equiworld.benchmarks.suite.timing"} <= set(found)
    assert {"equiworld.benchmarks.worlds.layers", "equiworld.verify.equivariance"} <= set(found)
    others = [name for name in found if name.startswith("equiworld.benchmarks.questions.")]
    assert others == ["equiworld.benchmarks.questions.layer_speed"]


# The store, under workers that are not alone or are killed


def worked(tmp_path, way):
    """What was made, line by line, and the number that a worker printed."""
    script = Path(__file__).with_name("store_worker.py")
    command = [sys.executable, str(script), way, str(tmp_path / "store"), str(tmp_path / "made")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return (tmp_path / "made").read_text().splitlines(), int(done.stdout)


def lines(count):
    return sorted(f"{kind} {key}" for kind in ("artefact", "rows") for key in range(count))


def check_store(folder, count):
    """Whole rows and artefacts of every key, whoever made them."""
    found = {result["config"]["inputs"]["key"]: result["rows"] for result in stored(folder)}
    texts = {key: [f"{key} {number}" for number in range(3)] for key in range(count)}
    assert found == {key: [{"text": text} for text in texts[key]] for key in texts}
    artefacts = list(folder.glob("models/[!.]*"))
    assert len(artefacts) == count
    for path in artefacts:
        key = json.loads((path / "inputs.json").read_text())["inputs"]["key"]
        assert [(path / f"{number}.txt").read_text() for number in range(3)] == texts[key]


def test_workers_at_once_make_each_thing_once(tmp_path):
    made, failed = worked(tmp_path, "locked")
    assert failed == 0
    assert sorted(made) == lines(8)
    check_store(tmp_path / "store", 8)


def test_without_locks_they_would_not(tmp_path):
    made, _ = worked(tmp_path, "unlocked")
    assert len(made) > len(set(made))


def test_what_workers_made_that_were_killed_is_what_one_makes_that_was_not(tmp_path):
    made, ended = worked(tmp_path, "killed")
    assert ended >= 25
    assert set(made) == set(lines(24))
    assert len(made) > len(set(made))  # some were begun more than once
    check_store(tmp_path / "store", 24)


def test_what_was_begun_has_no_name_and_is_gone_on_with(tmp_path):
    script = tmp_path / "stops.py"
    script.write_text(
        "import sys, time\nfrom equiworld.benchmarks.suite.store import Store\n"
        "def make(part):\n    (part / 'half').write_text('done')\n    print('half', flush=True)\n    time.sleep(600)\n"
        f"Store(sys.argv[1]).artefact('data', 'clouds', {{'seed': 0}}, {MODULES!r}, make)\n"
    )
    store = Store(tmp_path / "store")
    command = [sys.executable, str(script), str(store.folder)]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert running.stdout.readline() == "half\n"
    running.send_signal(signal.SIGKILL)
    running.wait(timeout=60)
    running.stdout.close()
    assert list(store.folder.glob("data/[!.]*")) == []
    assert Store(tmp_path / "other").merge([store.folder]) == 0

    def make(part):
        assert (part / "half").read_text() == "done"
        (part / "whole").write_text("done")

    path = store.artefact("data", "clouds", {"seed": 0}, MODULES, make)
    assert sorted(each.name for each in path.iterdir()) == ["half", "inputs.json", "whole"]
    assert json.loads((path / "inputs.json").read_text())["inputs"] == {"seed": 0}
    assert store.artefact("data", "clouds", {"seed": 0}, MODULES, lambda part: 1 / 0) == path
    assert store.artefact("data", "clouds", {"seed": 1}, MODULES, lambda part: None) != path


def test_what_failed_is_not_there(tmp_path):
    store = Store(tmp_path)
    with pytest.raises(ZeroDivisionError):
        store.artefact("data", "clouds", {}, MODULES, lambda part: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        store.rows(CELL, {}, MODULES, lambda: [1 / 0])
    assert list(tmp_path.glob("data/[!.]*")) == []
    assert not store.rows_path(CELL, {}, MODULES).exists()
    assert store.rows(CELL, {}, MODULES, lambda: [{"error": 1.0}]) == [{"error": 1.0}]


# Stores that are merged


def filled(folder, *seeds):
    store = Store(folder)
    for seed in seeds:
        cell = replace(CELL, seed=seed)
        store.rows(cell, {"seed": seed}, MODULES, lambda seed=seed: [{"seed": seed, "from": str(folder)}])
        write = lambda part: (part / "from").write_text(str(folder))  # noqa: E731
        store.artefact("models", f"of {seed}", {"seed": seed}, MODULES, write)
    return store


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).parts[0] != "locks"
    }


def test_a_merge_copies_what_is_missing_and_nothing_else(tmp_path):
    one, two = filled(tmp_path / "one", 0, 1), filled(tmp_path / "two", 1, 2)
    (two.folder / "success.json").write_text("{}")
    (two.folder / "notes").mkdir()
    (two.folder / "notes" / "text").write_text("")
    half = two.folder / "models" / ".half.part"
    half.mkdir()
    (half / "inputs.json").write_text("{}")
    before, source = contents(one.folder), contents(two.folder)
    assert one.merge([two.folder]) == 2
    after = contents(one.folder)
    assert {name: after[name] for name in before} == before  # that of seed 1 is its own still
    assert contents(two.folder) == source
    new = set(after) - set(before)
    assert len(new) == 3  # rows; an artefact's file and its inputs
    assert all(after[name] == source[name] for name in new)
    assert one.merge([two.folder, two.folder]) == 0
    assert contents(one.folder) == after
    assert [result["rows"][0]["seed"] for result in stored(one.folder)] == [0, 1, 2]


def test_what_was_merged_is_found(tmp_path):
    empty, full = Store(tmp_path / "empty"), filled(tmp_path / "full", 0)
    assert empty.merge([full.folder, tmp_path / "missing"]) == 2
    cell = replace(CELL, seed=0)
    assert empty.rows(cell, {"seed": 0}, MODULES, lambda: 1 / 0)[0]["seed"] == 0
    path = empty.artefact("models", "of 0", {"seed": 0}, MODULES, lambda part: 1 / 0)
    assert (path / "from").read_text() == str(full.folder)
    shutil.rmtree(full.folder)
    assert list(stored(empty.folder))


def test_damaged_rows_are_left_out(tmp_path):
    store = filled(tmp_path, 0, 1)
    path = store.rows_path(replace(CELL, seed=0), {"seed": 0}, MODULES)
    path.write_bytes(path.read_bytes()[:-20])
    assert [result["rows"][0]["seed"] for result in stored(store.folder)] == [1]
    with pytest.raises(EquiworldError):
        store.rows(replace(CELL, seed=0), {"seed": 0}, MODULES, lambda: [])
