"""Whether what wrappers make of actions turns with them."""

from __future__ import annotations

import copy
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from equiworld.errors import ArgumentError
from equiworld.symmetry.symmetry import Symmetry

__all__ = ["check_actions"]

_PROBES, _ELEMENTS = 4, 4
_SMALL = 1e-4  # of an action: wrappers may be of float32
_REPEATING = ("StickyAction",)  # what acted before acts again, which turns
_INSIDE = 0.25  # of the bounds, so that what is clipped further out is of no matter


def check_actions(layer: Any, symmetry: Symmetry) -> None:
    """Refuse a wrapper f that changes actions otherwise than f(g·a) = g·f(a), by trying it.

    Unequal or shifted scales are not so, `RescaleAction` of a box that is not about 0 among them. Wrappers that are
    none of actions, and spaces that are no Box of as many numbers, are passed over.

    Raises:
        ArgumentError: it does, or cannot be tried.

    >>> from equiworld.groups import SO2
    >>> from equiworld.symmetry import Scalar, Vector
    >>> pendulum = Symmetry(SO2(), {"all": Scalar(3)}, action=Scalar())
    >>> check_actions(gym.wrappers.RescaleAction(gym.make("Pendulum-v1"), 0, 1), pendulum)  # numbers do not turn
    """
    single = isinstance(layer, gym.ActionWrapper)
    acts = single or isinstance(layer, gym.vector.VectorActionWrapper)
    if not acts or type(layer).__name__ in _REPEATING:
        return
    outer, inner = (
        getattr(each, "single_action_space", None) or each.action_space for each in (layer, layer.env)
    )
    size = symmetry.action.size(symmetry.dim)
    if not all(isinstance(space, spaces.Box) and space.shape == (size,) for space in (outer, inner)):
        return

    def acted(actions: NDArray[np.floating]) -> NDArray[np.float64]:
        rows, tried = actions.astype(outer.dtype), _apart(layer)
        if single:
            return np.array([tried.action(row) for row in rows], np.float64)
        return np.array([tried.actions(np.stack([row] * tried.num_envs))[0] for row in rows], np.float64)

    sides = np.abs(np.concatenate([outer.low, outer.high, inner.low, inner.high]).astype(np.float64))
    reach = _INSIDE * float(sides[np.isfinite(sides) & (sides > 0)].min(initial=1.0))
    probes = np.random.default_rng(0).uniform(-reach, reach, (_PROBES, size))
    group, apart = symmetry.group, 0.0
    try:
        images = acted(probes)
        for g in (*group.section(), *group.sample(np.random.default_rng(1), _ELEMENTS, scale=reach)):
            expected = symmetry.transform_action(g, images)
            apart = max(apart, float(np.abs(acted(symmetry.transform_action(g, probes)) - expected).max()))
    except Exception as error:  # whatever a function of the user's raises
        got = f"one in {type(layer).__name__}, which cannot be tried: {error}"
        raise ArgumentError("env", got, _HELP) from error
    if apart > _SMALL * max(reach, float(np.abs(images).max())):
        got = f"one in {type(layer).__name__}, which changes actions otherwise than they turn"
        raise ArgumentError("env", got, _HELP)


def _apart(layer: Any) -> Any:
    """A copy of a wrapper around the same environment, so that what it remembers stays as it is."""
    inside, shared = layer, dict[int, Any]()
    while (inside := getattr(inside, "env", None)) is not None:
        shared[id(inside)] = inside
    try:
        return copy.deepcopy(layer, shared)
    except Exception:  # whatever it holds that cannot be copied
        return copy.copy(layer)


_HELP = (
    "wrappers under which what acts turns with what is asked for, as under one scale about 0 for what turns into each "
    "other; or a wrapper that says how its actions transform, by its attribute `symmetry`; or pass symmetry="
)
