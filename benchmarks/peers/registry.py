"""The contenders, by name: our planners and those of other libraries."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import metadata

from equiworld.errors import ArgumentError
from equiworld.planners.peers import PEERS, Budget, Contender, Entry, World, peer

__all__ = ["CONTENDERS", "OURS", "contender", "peer_versions", "present"]

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
        ArgumentError: some are absent, and that is not allowed; names library, reason and what to install.
    """
    found, absent = list[str](), dict[str, str]()
    for name in names:
        try:
            if name in PEERS:
                peer(name)
            found.append(name)
        except ArgumentError as reason:
            if not allow_absent:
                raise
            absent[name] = f"absent: {reason}"
    return found, absent


def peer_versions() -> dict[str, str]:
    """The version of each other library, and that which its adapter is for where they differ."""
    found = {}
    for kind in dict.fromkeys(entry.kind() for entry in PEERS.values()):
        try:
            version = metadata.version(kind.library)
        except metadata.PackageNotFoundError:
            version = "absent"
        found[kind.library] = (
            version if version == kind.version else f"{version} in the place of {kind.version}"
        )
    return found
