"""Planners as the command line names them: `planner:cem --planner.samples 256`."""

from __future__ import annotations

from inspect import getdoc
from typing import TYPE_CHECKING, Annotated, Union

import tyro

from equiworld.planners import PLANNERS, Planner

__all__ = ["AnyPlanner"]

if TYPE_CHECKING:
    AnyPlanner = Planner
else:  # a subcommand for each that is registered, with the first line of its docstring
    AnyPlanner = Union[  # noqa: UP007
        tuple(
            Annotated[kind, tyro.conf.subcommand(name, description=getdoc(kind).partition("\n")[0])]
            for name, kind in PLANNERS.items()
        )
    ]
