"""Planners of other libraries behind one interface: what they plan in, an adapter each, and policies made of them.

To add one, write an adapter, a subclass of `Contender`, and register its planners in `registry.py`. The libraries are
optional: `pip install "equiworld[peers]"` brings those that can be installed side by side.
"""

from __future__ import annotations

from equiworld.planners.peers.contender import Contender
from equiworld.planners.peers.policy import PeerFactory, PeerMember, peer_policy
from equiworld.planners.peers.registry import PEERS, Entry, peer
from equiworld.planners.peers.world import Budget, World

__all__ = [
    "PEERS",
    "Budget",
    "Contender",
    "Entry",
    "PeerFactory",
    "PeerMember",
    "World",
    "peer",
    "peer_policy",
]
