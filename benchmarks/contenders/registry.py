"""The contenders, by name: our planners and those of other libraries."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import metadata
from typing import Any

from equiworld.planners.peers import PEERS, Budget, Contender, Entry, World

__all__ = ["CONTENDERS", "OURS", "assemble", "peer_versions"]


_OURS = "equiworld.benchmarks.contenders.ours:Ours"

CONTENDERS: dict[str, Entry] = {
    "CEM": Entry(_OURS, "cem"),
    "ICEM": Entry(_OURS, "icem"),
    "MPPI": Entry(_OURS, "mppi"),
    "RandomShooting": Entry(_OURS, "random-shooting"),
    "GradientPlanner": Entry(_OURS, "gradient"),
    **PEERS,
}
"""One line a contender."""

OURS: tuple[str, ...] = tuple(name for name, entry in CONTENDERS.items() if entry.adapter == _OURS)
"""Those of this library."""


def assemble(
    world: World, budget: Budget, names: Iterable[str] = tuple(CONTENDERS)
) -> tuple[dict[str, Contender], list[dict[str, Any]]]:
    """The contenders whose library can be imported, by name, and a row for each of the others that says why not."""
    present: dict[str, Contender] = {}
    absent: list[dict[str, Any]] = []
    for name in names:
        entry = CONTENDERS[name]
        kind = entry.kind()
        try:
            kind.load()
        # A library that was built for another torch, or lacks one of its own, fails in many ways.
        except Exception as reason:
            absent.append({"contender": name, "absent": f"{type(reason).__name__}: {reason}".splitlines()[0]})
            continue
        present[name] = kind(world, budget, entry.planner)
    return present, absent


def peer_versions() -> dict[str, str | None]:
    """The versions of the other libraries; None for one not installed."""
    found: dict[str, str | None] = {}
    for library in dict.fromkeys(entry.kind().library for entry in CONTENDERS.values()):
        if library != "equiworld":
            try:
                found[library] = metadata.version(library)
            except metadata.PackageNotFoundError:
                found[library] = None
    return found
