"""Planners of this library and of others behind one interface, so that they can be given the same problem.

Those of other libraries are adapted in `equiworld.planners.peers`, each for one version; to add one, see there.
"""

from __future__ import annotations

from equiworld.benchmarks.peers.registry import (
    CONTENDERS,
    OURS,
    contender,
    notes,
    peer_versions,
    present,
    recording,
)
from equiworld.planners.peers import Budget, Contender, World

__all__ = [
    "CONTENDERS",
    "OURS",
    "Budget",
    "Contender",
    "World",
    "contender",
    "notes",
    "peer_versions",
    "present",
    "recording",
]
