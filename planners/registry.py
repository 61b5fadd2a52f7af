"""The planners, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from equiworld.errors import ArgumentError
from equiworld.planners.cem import CEM
from equiworld.planners.gradient import GradientPlanner
from equiworld.planners.icem import ICEM
from equiworld.planners.mppi import MPPI
from equiworld.planners.planner import Planner
from equiworld.planners.random_shooting import RandomShooting
from equiworld.settings import settings_from_dict, settings_to_dict

__all__ = ["PLANNERS", "planner_from_dict", "planner_to_dict"]

PLANNERS: dict[str, type[Planner]] = {
    "cem": CEM,
    "icem": ICEM,
    "mppi": MPPI,
    "gradient": GradientPlanner,
    "random-shooting": RandomShooting,
}
"""One line a planner; the conformance tests come by themselves."""

_REMOVED = {
    "frame": "policies decide in the frame at the door: MPCPolicy(…, door=True)",
    "symmetrise_above": "policies report where nothing fixes the frame: PolicyState.degenerate",
    "shape": "spreads are one number for each number of an action",
}
"""Settings of earlier releases, and what does their work now."""


def planner_to_dict(planner: Planner) -> dict[str, Any]:
    """A planner's name and settings, JSON-able.

    >>> planner_from_dict(planner_to_dict(CEM(samples=32))) == CEM(samples=32)
    True
    """
    return settings_to_dict("planner", planner, PLANNERS)


def planner_from_dict(data: Mapping[str, Any]) -> Planner:
    """The planner that `planner_to_dict` described.

    Raises:
        UnknownNameError: no planner of that name.
        ArgumentError: a setting that it does not have; of those it had once, what replaces it.
    """
    for setting in set(data) & set(_REMOVED) if isinstance(data, Mapping) else ():
        expected = f"no such setting any more: {_REMOVED[setting]}"
        raise ArgumentError(f"planner.{setting}", data[setting], expected)
    return settings_from_dict("planner", data, PLANNERS, "add a line to equiworld.planners.PLANNERS")
