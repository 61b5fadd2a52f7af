"""All that a store holds as one page: figures, tables over seeds, definitions, and what does not belong together."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

from equiworld.benchmarks import QUESTIONS, question
from equiworld.benchmarks.published import CLAIMS
from equiworld.benchmarks.rivals import CONTESTS, Contest
from equiworld.benchmarks.suite.gathered import Gathered, differences, gathered, provenance
from equiworld.benchmarks.suite.question import Question
from equiworld.benchmarks.suite.rows import COORDINATES, Row
from equiworld.benchmarks.suite.run import figures
from equiworld.benchmarks.suite.style import png_bytes
from equiworld.benchmarks.suite.tables import (
    comparison_tables,
    paired_tables,
    published_tables,
    raw_table,
    rival_tables,
)
from equiworld.files import write_atomically
from equiworld.results import read_json

__all__ = ["write_report"]

_UNSAFE = re.compile(r"[^\w-]+")
"""In a file's name."""


def write_report(
    folder: str | os.PathLike[str],
    *,
    merge: Iterable[str | os.PathLike[str]] = (),
    earlier: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    markdown: str | os.PathLike[str] | None = None,
) -> Path:
    """Write what a store holds as one HTML page that needs nothing else, and as Markdown with pictures beside it.

    Args:
        folder: of the store.
        merge: further stores, such as those of other machines; they are read, not copied.
        earlier: a result file of earlier figures, shown beside the new ones; its rows have a column `source`, and its
            settings may name `coordinates` by question, columns that say where.
        out: the page; `report.html` in the folder by default.
        markdown: likewise `report.md`; its pictures go to a folder of its own name.

    Returns:
        The path of the page.

    Raises:
        ArgumentError: a folder is none or holds no rows; says which.
        CheckpointError: `earlier` is no result file.
    """
    found = gathered([Path(folder), *map(Path, merge)])
    old: dict[str, Any] = read_json(earlier) if earlier is not None else {"rows": [], "config": {}}
    before: dict[str, list[Row]] = {}
    for row in old["rows"]:
        before.setdefault(row["question"], []).append(row)
    where = old["config"].get("coordinates", {})
    names = sorted(
        {*found.newest, *found.missing, *before}, key=lambda name: ([*QUESTIONS, name].index(name), name)
    )
    sections = [_section(name, found, before.get(name, []), where.get(name, ())) for name in names]
    sections[:0] = _across(found)
    text = Path(markdown) if markdown else Path(folder) / "report.md"
    for section in sections:
        for picture in section["pictures"]:
            picture["path"] = f"{text.stem}/{_UNSAFE.sub('-', picture['name'])}.png"
            _write(text.parent / picture["path"], picture["content"])
    _write(text, _filled("report.md.jinja", sections, found))
    return _write(
        Path(out) if out else Path(folder) / "report.html", _filled("report.html.jinja", sections, found)
    )


def _write(path: Path, content: bytes) -> Path:
    return write_atomically(path, lambda file: file.write(content))


def _section(name: str, found: Gathered, before: Sequence[Row], coordinates: Sequence[str]) -> dict[str, Any]:
    """All that a template says of a question."""
    cells = found.newest.get(name, {})
    asked, notes = _question(name)
    points, rows = _rows(asked, cells)
    where = {*COORDINATES, "source", *points, *coordinates, *(_coordinates(asked) if asked else ())}
    columns = (key for row in [*rows, *before] for key in row if key not in where)
    measures = list(dict.fromkeys(key.removesuffix("_low").removesuffix("_high") for key in columns))
    known = {key: asked.measures[key] for key in measures if asked and key in asked.measures}
    foreign = [key for key in measures if asked and key not in known and any(key in row for row in rows)]
    if foreign:
        notes.append(f"measures that the present code does not know: {', '.join(foreign)}")
    notes += differences([*cells.values()], asked.version if asked else None)
    if found.superseded.get(name):
        older = f"{found.superseded[name]} older results of the same cells are left out"
        notes.append(f"{older}: they are of other settings, versions or sources")
    pictures = _pictures(asked, [*cells.values()], rows, notes) if asked else []
    return {
        "name": name,
        "title": asked.title if asked else name,
        "timed": asked is not None and asked.timed,
        "notes": notes,
        "missing": found.missing.get(name, {}),
        "pictures": pictures,
        "definitions": known,
        "tables": [
            *paired_tables(rows, before, measures, {key: measure.unit for key, measure in known.items()}),
            *comparison_tables(rows, measures),
        ],
        "details": {"All rows": raw_table(rows), "All earlier rows": raw_table(before)},
        "provenance": provenance([*cells.values()]),
        "cells": len(cells),
        "minutes": sum(result["seconds"] for result in cells.values()) / 60,
    }


def _across(found: Gathered) -> list[dict[str, Any]]:
    """Sections that are of several questions: what others published, and the strongest rival of each task."""
    rows = {name: _rows(_question(name)[0], cells)[1] for name, cells in found.newest.items()}
    empty = {"pictures": [], "definitions": {}, "details": {}, "provenance": {}, "cells": 0}
    published, unanswered = published_tables(CLAIMS, rows)
    rivals, untried, notes = rival_tables(CONTESTS, rows)
    notes += [note for contest in CONTESTS for note in _differences(contest, found)]
    return [
        {"name": name, "title": title, "tables": tables, "missing": dict.fromkeys(missing, "")}
        | {**empty, "notes": warnings}
        for name, title, tables, missing, warnings in (
            ("published", "Beside what others published", published, unanswered, []),
            ("rivals", "Beside the strongest rival that was measured on each task", rivals, untried, notes),
        )
        if tables
    ]


def _differences(contest: Contest, found: Gathered) -> list[str]:
    """What the rows of a task do not have in common, of how they were measured."""
    results = [
        result
        for result in found.newest.get(contest.question, {}).values()
        if any(contest.counts(row) for row in result["rows"])
    ]
    measured = provenance(results)
    return [
        f"{contest.what}: rows stem from different {what}: {'; '.join(measured[what])}"
        for what in ("processors", "versions of torch")
        if len(measured.get(what, ())) > 1
    ]


def _question(name: str) -> tuple[Question | None, list[str]]:
    """The question of a name with its own settings, and nothing to say; or none, and why."""
    if name not in QUESTIONS:
        return None, ["the present code does not know this question"]
    try:
        return question(name)(), []
    except Exception as error:  # a page of the others is better than none
        return None, [f"the question cannot be loaded: {type(error).__name__}: {error}"]


def _coordinates(asked: Question) -> set[str]:
    """All that a question declares."""
    points = [point for world in asked.worlds for arm in asked.arms for point in asked.points(world, arm)]
    return {*asked.coordinates, *(name for point in points for name in point)}


def _rows(asked: Question | None, cells: Mapping[str, Any]) -> tuple[list[str], list[Row]]:
    """Names of the points that cells are of, and all rows in order."""
    named = dict.fromkeys(part.partition("=")[0] for cell in cells for part in cell.split("/") if "=" in part)
    points = [*named]
    results = sorted(cells.values(), key=_order(asked, points))
    return points, [row for result in results for row in result["rows"]]


def _order(asked: Question | None, points: Iterable[str]) -> Callable[[Mapping[str, Any]], Any]:
    """Cells by worlds and arms as the question has them, then by their points, numbers by size, then by seed."""
    names = [*asked.worlds, "", *asked.arms] if asked else []

    def key(result: Mapping[str, Any]) -> Any:
        row: Row = next(iter(result["rows"]), {})
        own = [names.index(row[part]) if row.get(part) in names else len(names) for part in ("world", "arm")]
        values = [row.get(name, "") for name in points]
        return (
            own,
            [(0, v, "") if isinstance(v, int | float) else (1, 0, str(v)) for v in values],
            row.get("seed", 0),
        )

    return key


def _pictures(
    asked: Question, results: Sequence[Mapping[str, Any]], rows: list[Row], notes: list[str]
) -> list[dict[str, Any]]:
    """Pictures, one a world; a note of each that could not be drawn."""
    found: list[dict[str, Any]] = []
    slices = {
        row["world"]: result["config"]["inputs"]["scale"]["half_width"]
        for result in results
        for row in result["rows"][:1]
        if isinstance(result["config"].get("inputs", {}).get("scale"), dict)
    }
    for world in dict.fromkeys(row["world"] for row in rows):
        of_world = [row for row in rows if row["world"] == world]
        try:
            shown = asked
            if hasattr(asked, "half_width") and world in slices:  # of the slice that was trained on
                shown = replace(asked, half_width=slices[world])  # type: ignore[call-arg]
            for name, figure in figures(shown, of_world).items():
                words = {"name": f"{name}-{world}", "world": world, "alt": f"{asked.title} {world}"}
                found.append({**words, "content": png_bytes(figure)})
        except Exception as error:
            notes.append(f"the figure of {world} could not be drawn: {type(error).__name__}: {error}")
    return found


def _filled(template: str, sections: Sequence[dict[str, Any]], found: Gathered) -> bytes:
    from jinja2 import Environment, StrictUndefined

    looks: dict[str, Any] = {"trim_blocks": True, "lstrip_blocks": True, "keep_trailing_newline": True}
    environment = Environment(autoescape="html" in template, undefined=StrictUndefined, **looks)
    environment.filters |= {"plain": _plain, "base64": lambda content: base64.b64encode(content).decode()}
    source = resources.files("equiworld.benchmarks.suite").joinpath(template).read_text(encoding="utf-8")
    return environment.from_string(source).render(sections=sections, damaged=found.damaged).encode()


def _plain(text: Any) -> str:
    """Text that Markdown takes as it is, in one line."""
    escaped = str(text).replace("\n", "; ").replace("&", "&amp;").replace("<", "&lt;").replace("\\", "\\\\")
    for mark in "|*_`[":
        escaped = escaped.replace(mark, f"\\{mark}")
    return " ".join(escaped.split()) or "–"
