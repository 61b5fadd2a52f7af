"""The planners, by name."""

from __future__ import annotations

from equiworld.planners.cem import CEM
from equiworld.planners.gradient import GradientPlanner
from equiworld.planners.icem import ICEM
from equiworld.planners.mppi import MPPI
from equiworld.planners.planner import Planner
from equiworld.planners.random_shooting import RandomShooting

__all__ = ["PLANNERS"]

PLANNERS: dict[str, type[Planner]] = {
    "cem": CEM,
    "icem": ICEM,
    "mppi": MPPI,
    "gradient": GradientPlanner,
    "random-shooting": RandomShooting,
}
"""One line a planner; the conformance tests come by themselves."""
