"""The contenders, by name."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from equiworld.benchmarks.contenders.contender import Contender
from equiworld.benchmarks.contenders.world import Budget, World

__all__ = ["CONTENDERS", "OURS", "Entry", "assemble", "peer_versions"]


@dataclass(frozen=True)
class Entry:
    """Where a contender comes from.

    Attributes:
        adapter: module and class, within this package.
        planner: which of the library's.
    """

    adapter: str
    planner: str

    def kind(self) -> type[Contender]:
        """The adapter; its library is not imported yet."""
        module, name = self.adapter.split(":")
        return getattr(importlib.import_module(f"equiworld.benchmarks.contenders.{module}"), name)


CONTENDERS: dict[str, Entry] = {
    "CEM": Entry("ours:Ours", "cem"),
    "ICEM": Entry("ours:Ours", "icem"),
    "MPPI": Entry("ours:Ours", "mppi"),
    "RandomShooting": Entry("ours:Ours", "random-shooting"),
    "GradientPlanner": Entry("ours:Ours", "gradient"),
    "stable-worldmodel CEM": Entry("stable_worldmodel:StableWorldmodel", "cem"),
    "stable-worldmodel iCEM": Entry("stable_worldmodel:StableWorldmodel", "icem"),
    "stable-worldmodel MPPI": Entry("stable_worldmodel:StableWorldmodel", "mppi"),
    "pytorch_mppi": Entry("pytorch_mppi:PytorchMPPI", "mppi"),
    "pytorch_icem": Entry("pytorch_icem:PytorchICEM", "icem"),
    "torchrl CEM": Entry("torchrl:TorchRL", "cem"),
    "torchrl MPPI": Entry("torchrl:TorchRL", "mppi"),
}
"""One line a contender."""

OURS: tuple[str, ...] = tuple(name for name, entry in CONTENDERS.items() if entry.adapter == "ours:Ours")
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
