"""The planners, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from equiworld.errors import ArgumentError, UnknownNameError
from equiworld.planners.cem import CEM
from equiworld.planners.gradient import GradientPlanner
from equiworld.planners.icem import ICEM
from equiworld.planners.mppi import MPPI
from equiworld.planners.planner import Planner
from equiworld.planners.random_shooting import RandomShooting

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
    for name, kind in PLANNERS.items():
        if type(planner) is kind:
            return {"name": name, **asdict(planner)}
    known = [kind.__name__ for kind in PLANNERS.values()]
    raise ArgumentError("planner", type(planner).__name__, "a registered planner, to be saved", known)


def planner_from_dict(data: Mapping[str, Any]) -> Planner:
    """The planner that `planner_to_dict` described.

    Raises:
        UnknownNameError: no planner of that name.
        ArgumentError: a setting that it does not have; of those it had once, what replaces it.
    """
    settings = dict(data)
    name = settings.pop("name", None)
    if name not in PLANNERS:
        raise UnknownNameError("planner", str(name), PLANNERS, "add a line to equiworld.planners.PLANNERS")
    for setting in settings:
        if setting in _REMOVED:
            raise ArgumentError(
                f"planner.{setting}", settings[setting], f"no such setting any more: {_REMOVED[setting]}"
            )
        if setting not in PLANNERS[name].__dataclass_fields__:
            raise ArgumentError(
                "planner", repr(setting), f"settings of {name}", PLANNERS[name].__dataclass_fields__
            )
    return PLANNERS[name](**settings)
