"""Which actions a policy plans with, part by part, inside its frame and in the world."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from equiworld.errors import ArgumentError
from equiworld.models import WorldModel
from equiworld.planners.memory import PolicyState
from equiworld.symmetry import Bound, Door, Symmetry
from equiworld.symmetry.bound import ActionSpace
from equiworld.symmetry.concatenation import leaves
from equiworld.symmetry.holding import held_action
from equiworld.symmetry.limits import Limits, project
from equiworld.symmetry.observing import Apart
from equiworld.tasks import Task

__all__ = ["blank_action", "check_task", "held", "planning_bounds", "reasons"]


def planning_bounds(model: WorldModel, how: str) -> tuple[Bound, ...]:
    """The bounds of each part of an action, none of them open.

    Args:
        model: that says what it was trained on.
        how: a box bounds a vector: by the "ball" inside it, or by the one around it, for "box".

    Raises:
        ArgumentError: a part has no limits.
    """
    bounds = model.action_space.circumscribed(model.action_bound) if how == "box" else model.action_bound
    if not bounds or any(bound.open for bound in bounds):
        raise ArgumentError(
            "model.action_bound",
            "actions without limits" if bounds else "nothing about which actions are allowed",
            "limits for each part of an action: train the model, which takes them from the data, or give the "
            "environment a finite action space (gymnasium.wrappers.RescaleAction, ClipAction)",
        )
    return bounds


def blank_action(
    symmetry: Symmetry, bounds: tuple[Bound, ...], dtype: torch.dtype, device: torch.device
) -> tuple[Tensor, Tensor | None]:
    """The action `(size,)` that plans start from where there is none, float64, and what balls are about, None for 0."""
    null = _null_action(symmetry, dtype)
    start = torch.zeros(symmetry.action.size(symmetry.dim), dtype=dtype) if null is None else null.clone()
    blank = project(start, bounds, null).double()
    return blank, None if null is None else null.to(device)


def _null_action(symmetry: Symmetry, dtype: torch.dtype) -> Tensor | None:
    """Where absolute targets are looked for, `(size,)`: about the frame's origin. None for relative actions."""
    parts = list(leaves(symmetry.action))
    if not any(leaf.kind == "points" for leaf in parts):
        return None
    here = [
        np.tile(symmetry.centre, leaf.count) if leaf.kind == "points" else np.zeros(leaf.size(symmetry.dim))
        for leaf in parts
    ]
    return torch.from_numpy(np.concatenate(here)).to(dtype)


def held(
    memory: PolicyState,
    symmetry: Symmetry,
    now: NDArray[np.float64],
    bounds: tuple[Bound, ...],
    space: ActionSpace,
) -> NDArray[np.floating]:
    """The actions in force, asked for again from where their origins `(B, d)` are now, within the action space.

    What the space cuts off beyond rounding is written to `memory.clipped`.
    """
    name = symmetry.action_origin
    asked = memory.action.copy()
    if name is not None:
        asked = held_action(symmetry, asked, Apart({name: memory.origin}), Apart({name: now}))
    within, memory.clipped[:] = Limits(bounds, space).keep(asked)
    return within


def reasons(door: Door | None, planner: Any, limits: Limits) -> tuple[str, ...]:
    """Why decisions are exact in law only, in words.

    Args:
        door: behind which they are taken; None without one.
        planner: that takes them.
        limits: of actions in the world.
    """
    found = ["door=False: planned along the world's axes, exact nowhere"]
    if door is not None:
        found = list(door.inexact)
    if planner.time_budget is not None:
        found.append("time_budget: how many iterations fit depends on the machine")
    if door is not None and door.turns:
        found += limits.notes(door.symmetry)
    return tuple(found)


def check_task(task: Task, model: WorldModel, symmetry: Symmetry, radius: float, door: bool) -> None:
    """Refuse a cost or proposals that change with the world where a door turns the world; without a door say so.

    Args:
        task: that is tried.
        model: whose Features it sees.
        symmetry: that policies decide under.
        radius: longest action.
        door: whether there is one.

    Raises:
        ArgumentError: they do, and there is.
    """
    known, group = symmetry if model.latent is model.symmetry else model.latent, task.group
    if group is not None and known.group.includes(group):
        known = known.restricted(group)
    try:
        task.check_invariance(known, radius, model.action_repeat, model.latent)
    except ArgumentError as error:
        if door:
            raise
        warnings.warn(f"{error}; it is followed as it is, and decisions do not turn", stacklevel=4)
