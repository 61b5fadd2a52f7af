"""What stores hold, cell by cell, and what stands beside each other there without belonging together."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from equiworld.errors import ArgumentError, CheckpointError
from equiworld.results import read_json

__all__ = ["Gathered", "differences", "gathered", "provenance"]

Result = Mapping[str, Any]

_ROOM = "equiworld.benchmarks."
_DEFINED = "definitions, "


@dataclass
class Gathered:
    """What stores hold, by question.

    Attributes:
        newest: by cell, the result that was written last.
        superseded: how many older ones of the same cells there are, of other settings, versions or sources.
        missing: cells that a run was to measure and no store has; of those that failed, why.
        damaged: files that cannot be read.
    """

    newest: dict[str, dict[str, Result]] = field(default_factory=dict)
    superseded: dict[str, int] = field(default_factory=dict)
    missing: dict[str, dict[str, str]] = field(default_factory=dict)
    damaged: list[str] = field(default_factory=list)


def gathered(folders: Sequence[Path]) -> Gathered:
    """Read stores, and the results that runs wrote beside them.

    Raises:
        ArgumentError: a folder is none or holds no rows; says which.
    """
    found, ages, names = Gathered(), dict[tuple[str, str], Any](), set[str]()
    for folder in folders:
        paths = sorted(folder.glob("rows/*/*.json"))
        if not paths:
            raise ArgumentError(
                "DIR", str(folder), "a folder with rows that `equiworld bench` wrote; it has none"
            )
        for path in paths:
            result = _read(path, found)
            name = str(path.relative_to(folder))
            if result is None or name in names:  # equal names in two stores hold equal things
                continue
            names.add(name)
            question, cell = result["benchmark"], str(result["config"].get("cell", path.stem))
            age = (result["config"].get("finished", ""), path.stat().st_mtime)
            newest = found.newest.setdefault(question, {})
            if cell in newest:
                found.superseded[question] = found.superseded.get(question, 0) + 1
            if cell not in newest or age > ages[question, cell]:
                newest[cell], ages[question, cell] = result, age
    for path in (path for folder in folders for path in sorted(folder.glob("*.json"))):
        result = _read(path, found)
        if result is not None and result["config"].get("missing"):
            have = found.newest.get(result["benchmark"], {})
            failed = result["config"].get("failed", {})
            missing = {cell: failed.get(cell, "") for cell in result["config"]["missing"] if cell not in have}
            found.missing.setdefault(result["benchmark"], {}).update(missing)
    return found


def _read(path: Path, found: Gathered) -> Result | None:
    try:
        return read_json(path)
    except CheckpointError:
        found.damaged.append(str(path))
        return None


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def provenance(results: Sequence[Result]) -> dict[str, list[str]]:
    """What rows were measured with, each different value once: sources, processors, versions, settings."""
    found: dict[str, dict[str, None]] = {}
    for result in results:
        config = result["config"]
        machine, inputs = config.get("machine", {}), config.get("inputs", {})
        row: Mapping[str, Any] = next(iter(result["rows"]), {})
        where = {
            "world": row.get("world"),
            "scale": row.get("world"),
            "planner": row.get("world"),
            "arm": row.get("arm"),
        }
        said = {
            # cells of one question may depend on different modules
            f"sources of {', '.join(config.get('modules', ['the question']))}".replace(_ROOM, ""): config.get(
                "sources"
            ),
            "processors": machine.get("processor"),
            "numbers of threads": machine.get("threads"),
            **{f"versions of {package}": version for package, version in result["versions"].items()},
            **{f"settings, {key}": _text(value) for key, value in inputs.get("settings", {}).items()},
            **{
                f"{_DEFINED}{key} of {who}": _text(inputs[key]) for key, who in where.items() if key in inputs
            },
        }
        for what, value in said.items():
            if value is not None:
                found.setdefault(what, {})[str(value)] = None
    return {what: [*values] for what, values in found.items()}


def differences(results: Sequence[Result], version: int | None) -> list[str]:
    """Warnings of what rows do not have in common, or not with the present version of their question.

    Worlds and arms may be defined otherwise at each point, such as behind the door and not: they are compared there.
    """
    by_point: dict[str, list[Result]] = {}
    for result in results:
        point = [part for part in str(result["config"].get("cell", "")).split("/") if "=" in part]
        by_point.setdefault("/".join(point), []).append(result)
    different = _differing(results, defined=False)
    for some in by_point.values():
        different |= _differing(some, defined=True)
    notes = [f"rows stem from different {what}: {'; '.join(values)}" for what, values in different.items()]
    versions = {result["config"].get("inputs", {}).get("version", version) for result in results}
    if version is not None and versions - {version}:
        notes.append(f"rows are of version {sorted(versions)} of the question; the present one is {version}")
    return notes


def _differing(results: Sequence[Result], defined: bool) -> dict[str, list[str]]:
    """What rows were measured with that has several values: of definitions, or of all else."""
    return {
        what: values
        for what, values in provenance(results).items()
        if len(values) > 1 and what.startswith(_DEFINED) is defined
    }
