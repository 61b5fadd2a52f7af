"""Rows as tables for people: a number with its interval in one cell, earlier figures beside new ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiworld.benchmarks.published import Claim
from equiworld.benchmarks.rivals import Contest
from equiworld.benchmarks.suite.comparison import compared, compared_tasks
from equiworld.benchmarks.suite.rows import Row
from equiworld.benchmarks.suite.summary import is_share, summarised

__all__ = ["comparison_tables", "paired_tables", "published_tables", "raw_table", "rival_tables"]

_ENDS = ("_low", "_high")
_COUNTS = ("successes", "episodes", "tasks_solved")  # stand in the cell of their share, or are long

Cell = dict[str, Any]
"""`text`, a number or a string `sort` that its column is sorted by, and perhaps `more` to say and a `title`."""

Pair = tuple[Row, list[Row]]
"""A row and the earlier ones of the same coordinates."""


def paired_tables(
    rows: Sequence[Row], before: Sequence[Row], measures: Sequence[str], units: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Rows summarised over seeds as tables, one for each part and each set of coordinates that it has in a world.

    An earlier row stands beside the one new row that agrees in every coordinate that the earlier one has; one that
    fits none or several stands by itself.

    Args:
        rows: new ones.
        before: earlier ones; their column `source` says where from.
        measures: columns that say what.
        units: of measures.
    """
    said = {*measures, *(name + end for name in measures for end in _ENDS), "seeds", "source"}
    shares = {name: "%" for name in measures if any(is_share(row, name) for row in (*rows, *before))}
    pairs: list[Pair] = [(row, []) for row in summarised(rows, measures)]
    alone: dict[str, Pair] = {}
    for old in summarised(before, measures):
        where = {key: value for key, value in old.items() if key not in said and value is not None}
        fitting = [pair for pair in pairs if where.items() <= pair[0].items()]
        pair = fitting[0] if len(fitting) == 1 else alone.setdefault(repr(where), (where, []))
        pair[1].append(old)
    pairs += alone.values()
    columns: dict[Any, dict[str, None]] = {}  # of a world's part: some of its rows may lack an axis, say
    for row, _ in pairs:
        own = {
            key: None for key, value in row.items() if key not in {*said, "question"} and value is not None
        }
        columns.setdefault((row.get("world"), row.get("part")), {}).update(own)
    groups: dict[Any, list[Pair]] = {}
    for pair in pairs:
        world, part = pair[0].get("world"), pair[0].get("part")
        groups.setdefault((*columns[world, part], part), []).append(pair)
    return [_table(where, group, measures, {**units, **shares}) for (*where, _), group in groups.items()]


def comparison_tables(rows: Sequence[Row], measures: Sequence[str]) -> list[dict[str, Any]]:
    """Arms that solve the same tasks, each against each before it, as one table; none where there are no two."""
    found, said = compared(rows, measures), ("difference", "p", "test", "verdict")
    if not found:
        return []
    others = {*said, *(f"difference{end}" for end in _ENDS), "seeds", "question"}
    where = dict.fromkeys(key for row in found for key in row if key not in others)
    table = _table([*where], [(row, []) for row in found], said, {"difference": "%"})
    return [table | {"caption": f"arms compared, {table['caption']}"}]


def published_tables(
    claims: Iterable[Claim], rows: Mapping[str, Sequence[Row]]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Figures of ours by claim, as tables; and the claims to which there are none.

    Args:
        claims: what others published.
        rows: by question.
    """
    tables, missing = list[dict[str, Any]](), list[str]()
    for claim in claims:
        found = claim.ours(rows.get(claim.question, ()))
        said = f"{claim.what}. Published: {claim.theirs}. Ours, equiworld bench {claim.question}"
        for table in paired_tables(found, [], [*claim.figures], {}) if found else ():
            tables.append({**table, "caption": ", ".join(filter(None, (said, table["caption"])))})
        if not found:
            missing.append(f"{claim.what}: equiworld bench {claim.question}")
    return tables, missing


COMPETENT = 0.9
"""Of the tasks of its own slice; of an arm below, what it loses turned says nothing of orientation alone."""


def rival_tables(
    contests: Iterable[Contest], rows: Mapping[str, Sequence[Row]]
) -> tuple[list[dict[str, Any]], list[str], list[str]]:
    """Our arm of each task against its strongest rival, as one table; the tasks without rows; and what is to be said.

    Args:
        contests: tasks and arms.
        rows: by question.
    """
    found, missing, notes = list[Pair](), list[str](), list[str]()
    for contest in contests:
        sides = contest.sides(rows.get(contest.question, ()))
        if sides is None:
            missing.append(f"{contest.what}: equiworld bench {contest.question}")
            continue
        theirs, ours = ([*side.values()] for side in sides)
        outcomes = [_outcomes(side) for side in (ours, theirs)]
        if outcomes[0].shape != outcomes[1].shape:
            missing.append(f"{contest.what}: tasks of {contest.question} that are not the same")
            continue
        names = {"task": contest.what, "ours": contest.ours, "strongest rival": theirs[0][0]["arm"]}
        shares = {"solved by ours": outcomes[0], "solved by it": outcomes[1]}
        words = {name: f"{100 * of.mean():.1f} % of {of.size:,}" for name, of in shares.items()}
        counts = dict(zip(("seeds", "tasks", "elements"), outcomes[0].shape, strict=True))
        if contest.of_slice and outcomes[1].mean() < COMPETENT:
            least = f"less than {COMPETENT:.0%} of the slice that it was trained on"
            notes.append(f"{contest.what}: the rival solves {least}, so more is wanting than orientation")
        found.append(({**names, **words, **counts, **compared_tasks(*outcomes)}, []))
    said = ("difference", "p", "test", "verdict")
    where = ("task", "ours", "strongest rival", "solved by ours", "solved by it", "tasks", "elements")
    return ([_table(where, found, said, {"difference": "%"})] if found else []), missing, notes


def _outcomes(seeds: Sequence[Sequence[Mapping[str, Any]]]) -> NDArray[np.float64]:
    """Tasks solved, `(seeds, tasks, elements)`, of as many tasks and elements as all seeds have."""
    words = [[str(row["tasks_solved"]) for row in rows] for rows in seeds]
    elements, tasks = min(map(len, words)), min(len(word) for rows in words for word in rows)
    marks = [[[mark == "+" for mark in word[:tasks]] for word in rows[:elements]] for rows in words]
    return np.moveaxis(np.array(marks, np.float64), 1, -1)


def raw_table(rows: Sequence[Row]) -> dict[str, Any]:
    """Rows as they are."""
    keys = dict.fromkeys(key for row in rows for key in row if key != "question")
    return _of_columns("", {key: [_cell(row.get(key)) for row in rows] for key in keys})


def _of_columns(caption: str, columns: Mapping[str, Sequence[Cell]]) -> dict[str, Any]:
    words = [
        any(isinstance(cell["sort"], str) and cell["text"] for cell in cells) for cells in columns.values()
    ]
    rows = [*zip(*columns.values(), strict=True)]
    return {"caption": caption, "headings": [*columns], "words": words, "rows": rows}


def _table(
    where: Sequence[str], pairs: Sequence[Pair], measures: Sequence[str], units: Mapping[str, str]
) -> dict[str, Any]:
    """Coordinates that are the same all over go above the table."""
    same = [key for key in where if len(pairs) > 1 and len({repr(row.get(key)) for row, _ in pairs}) == 1]
    seeds = {row["seeds"] for row, _ in pairs if "seeds" in row}
    caption = [f"{key}: {pairs[0][0].get(key)}" for key in same]
    if len(seeds) == 1:
        caption.append("one seed" if seeds == {1} else f"{max(seeds)} seeds")
    columns = {key: [_cell(row.get(key)) for row, _ in pairs] for key in where if key not in same}
    if len(seeds) > 1:
        columns["seeds"] = [_cell(row.get("seeds")) for row, _ in pairs]
    for name in (name for name in measures if name not in _COUNTS):
        unit = units.get(name, "1")
        for key, cells in (
            (name, [_measured(row, name, unit) for row, _ in pairs]),
            (f"{name}, before", [_together(old, name, unit) for _, old in pairs]),
        ):
            if any(cell["text"] for cell in cells):
                columns[key if unit in ("", "1") else f"{key} [{unit}]"] = cells
    return _of_columns(", ".join(caption), columns)


def _measured(row: Row, name: str, unit: str) -> Cell:
    """A number and its interval; a share in percent, with its counts."""
    value, (low, high) = row.get(name), (row.get(name + end) for end in _ENDS)
    cell, further = _cell(value), []
    if low is not None and high is not None:
        ends = [f"{100 * end:.1f}" if unit == "%" else f"{end:.4g}" for end in (low, high)]
        further.append(" to ".join(ends))
    if unit == "%" and isinstance(value, int | float):
        cell["text"] = f"{100 * value:.1f}"
        further += (
            [f"{round(value * row['episodes']):,} of {row['episodes']:,}"] if row.get("episodes") else []
        )
    return cell | {"more": ", ".join(further)}


def _together(rows: Sequence[Row], name: str, unit: str) -> Cell:
    """The cells of several sources as one, a line each, and whence they are."""
    there = [row for row in rows if row.get(name) is not None]
    if not there:
        return _cell(None)
    cells = [_measured(row, name, unit) for row in there]
    if len(cells) > 1:
        lines = [cell["text"] + (f" ({cell['more']})" if cell["more"] else "") for cell in cells]
        cells[0] |= {"text": "\n".join(lines), "more": ""}
    sources = [f"{row.get('source', '?')}, seeds: {row['seeds']}" for row in there]
    return cells[0] | {"title": "\n".join(sources)}


def _cell(value: Any) -> Cell:
    text = "" if value is None else str(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        text = f"{value:.4g}" if isinstance(value, float) else f"{value:,}"
    number = isinstance(value, int | float)
    return {"text": text, "sort": value if number else text, "more": "", "title": ""}
