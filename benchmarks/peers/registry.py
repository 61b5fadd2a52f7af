"""The contenders, by name: our planners and those of other libraries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from importlib import metadata

from torch import Tensor

from equiworld.errors import ArgumentError
from equiworld.planners.peers import PEERS, Budget, Contender, Entry, World, peer

__all__ = ["CONTENDERS", "OURS", "contender", "notes", "peer_versions", "present", "recording"]

_OURS = "equiworld.benchmarks.peers.ours:Ours"

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


def contender(name: str, world: World, budget: Budget) -> Contender:
    """A contender made for a world and a budget; its library has to be there."""
    entry = CONTENDERS[name]
    return entry.kind()(world, budget, entry.planner)


def present(
    names: Iterable[str] = tuple(CONTENDERS), allow_absent: bool = False
) -> tuple[list[str], dict[str, str]]:
    """The contenders whose library can be imported, and of each other one why it cannot be.

    Raises:
        ArgumentError: some are absent, and that is not allowed; names each library, the reason and what to install.
    """
    found, absent = list[str](), dict[str, str]()
    for name in names:
        try:
            if name in PEERS:
                peer(name)
            found.append(name)
        except ArgumentError as reason:
            absent[name] = f"absent: {reason}"
    if absent and not allow_absent:
        raise ArgumentError("contenders", "; ".join(absent.values()), "all of them, or allow_absent=True")
    return found, absent


def peer_versions() -> dict[str, str]:
    """The version of each other library, and that which its adapter is for where they differ."""
    found = {}
    for kind in dict.fromkeys(entry.kind() for entry in PEERS.values()):
        try:
            version = metadata.version(kind.library)
        except metadata.PackageNotFoundError:
            version = "absent"
        other = version not in (kind.version, "absent")
        found[kind.library] = f"{version} in the place of {kind.version}" if other else version
    return found


def notes(absent: Mapping[str, str]) -> list[dict[str, str]]:
    """A row for each contender that is absent, and each library whose version is not the one that it is adapted to."""
    other = {library: version for library, version in peer_versions().items() if " " in version}
    return [{"arm": name, "note": why} for name, why in (*absent.items(), *other.items())]


def recording(world: World) -> tuple[World, list[int]]:
    """The world, and a list that grows by N at each evaluation of its dynamics for N states."""
    rows: list[int] = []

    def dynamics(state: Tensor, action: Tensor) -> Tensor:
        rows.append(len(state))
        return world.dynamics(state, action)

    return replace(world, dynamics=dynamics), rows
