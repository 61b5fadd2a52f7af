"""Planners of this library and of others behind one interface, so that they can be given the same problem.

Those of other libraries are adapted in `equiworld.planners.peers`; to add one, see there.
"""

from __future__ import annotations

from equiworld.benchmarks.contenders.registry import CONTENDERS, OURS, assemble, peer_versions
from equiworld.planners.peers import Budget, Contender, Entry, World

__all__ = ["CONTENDERS", "OURS", "Budget", "Contender", "Entry", "World", "assemble", "peer_versions"]
