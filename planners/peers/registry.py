"""The planners of other libraries, by name."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from equiworld.errors import ArgumentError, UnknownNameError
from equiworld.planners.peers.contender import Contender

__all__ = ["PEERS", "Entry", "peer", "usable"]


@dataclass(frozen=True)
class Entry:
    """Where a planner comes from.

    Attributes:
        adapter: module and class.
        planner: which of the library's.
    """

    adapter: str
    planner: str

    def kind(self) -> type[Contender]:
        """The adapter; its library is not imported yet."""
        module, name = self.adapter.split(":")
        return getattr(importlib.import_module(module), name)


PEERS: Mapping[str, Entry] = {
    "stable-worldmodel CEM": Entry("equiworld.planners.peers.stable_worldmodel:StableWorldmodel", "cem"),
    "stable-worldmodel iCEM": Entry("equiworld.planners.peers.stable_worldmodel:StableWorldmodel", "icem"),
    "stable-worldmodel MPPI": Entry("equiworld.planners.peers.stable_worldmodel:StableWorldmodel", "mppi"),
    "pytorch_mppi": Entry("equiworld.planners.peers.pytorch_mppi:PytorchMPPI", "mppi"),
    "pytorch_icem": Entry("equiworld.planners.peers.pytorch_icem:PytorchICEM", "icem"),
    "torchrl CEM": Entry("equiworld.planners.peers.torchrl:TorchRL", "cem"),
    "torchrl MPPI": Entry("equiworld.planners.peers.torchrl:TorchRL", "mppi"),
}
"""One line a planner."""


def peer(name: str) -> Entry:
    """A registered planner whose library can be imported.

    Raises:
        UnknownNameError: no such planner; lists those there are.
        ArgumentError: its library is not installed, or does not work here; says what to install.
    """
    if name not in PEERS:
        raise UnknownNameError("peer", name, PEERS, "add one to equiworld.planners.peers.PEERS")
    entry = PEERS[name]
    kind = entry.kind()
    usable(f"{name!r}", kind, kind.load)
    return entry


def usable(what: str, kind: type[Contender], load: Callable[[], Any]) -> Any:
    """What `load` imports of the library of an adapter.

    Raises:
        ArgumentError: that fails; says why and what to install.
    """
    try:
        return load()
    # A library that was built for another torch, or lacks one of its own, fails in many ways.
    except Exception as reason:
        why = f"{type(reason).__name__}: {reason}".splitlines()[0]
        raise ArgumentError(
            "peer",
            f"{what}, whose library cannot be imported ({why})",
            f"pip install {kind.library}=={kind.version}",
        ) from reason
