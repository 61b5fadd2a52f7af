"""The planners, by name."""

from __future__ import annotations

from equiworld.planners.cem import CEM
from equiworld.planners.planner import Planner

__all__ = ["PLANNERS"]

PLANNERS: dict[str, type[Planner]] = {
    "cem": CEM,
}
"""One line a planner; the conformance tests come by themselves."""
