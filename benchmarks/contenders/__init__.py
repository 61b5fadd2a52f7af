"""Planners of this library and of others behind one interface, so that they can be given the same problem.

To add one, write an adapter, a subclass of `Contender`, and register its planners in `registry.py`. Other libraries are
optional: `pip install "equiworld[peers]"` brings those that can be installed side by side.
"""

from __future__ import annotations

from equiworld.benchmarks.contenders.contender import Contender
from equiworld.benchmarks.contenders.registry import CONTENDERS, OURS, Entry, assemble, peer_versions
from equiworld.benchmarks.contenders.world import Budget, World

__all__ = ["CONTENDERS", "OURS", "Budget", "Contender", "Entry", "World", "assemble", "peer_versions"]
