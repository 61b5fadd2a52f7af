"""Where imagined episodes begin, and the spaces of what they show and take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from equiworld.arguments import instance, reals
from equiworld.errors import ArgumentError
from equiworld.groups import Group
from equiworld.models import WorldModel
from equiworld.models.decoding import observation_after, predicts_observations
from equiworld.symmetry.bound import parts_of
from equiworld.symmetry.validation import names_of

__all__ = ["Starts", "action_space_of", "observation_space_of"]


class Starts:
    """Observations that episodes begin at, drawn with replacement, float64.

    Args:
        model: that they are of.
        starts: observations `(N, …)`; or a `Dataset`, of whose states N are drawn.
        goals: by goal field `(M, size)`, drawn apart from the states; their own if None.
        group: elements of it, fresh each time, move what is drawn; translations by the length scale at most.
        attached: fields that move with the body.

    Raises:
        ArgumentError: fields are missing or misshapen; or the model does not predict what is observed.
    """

    def __init__(
        self,
        model: WorldModel,
        starts: Any,
        goals: Mapping[str, Any] | None,
        group: Group | None,
        attached: Sequence[str] = (),
    ) -> None:
        self.symmetry = symmetry = model.declared
        self.attached = names_of("attached", attached)
        if not predicts_observations(model, self.attached):
            observation_after(model, None, None, self.attached)  # type: ignore[arg-type]  # which says why not
        if group is not None:
            instance("group", group, Group)
            if group.dim != symmetry.dim:
                raise ArgumentError(
                    "group", f"{group!r} of dimension {group.dim}", f"dimension {symmetry.dim}"
                )
        self.group = group
        arrays = self._arrays(starts, tuple(symmetry.goal) if goals is None else ())
        self._states = {name: arrays[name] for name in arrays if goals is None or name not in symmetry.goal}
        self._goals: dict[str, NDArray[np.float64]] = {}
        if goals is not None:
            instance("goals", goals, Mapping)
            if set(goals) != set(symmetry.goal):
                raise ArgumentError("goals", list(goals), "the goal fields", symmetry.goal)
            self._goals = {name: self._checked(name, value) for name, value in goals.items()}
        for part in (self._states, self._goals):
            if len({len(array) for array in part.values()}) > 1:
                shapes = {name: array.shape for name, array in part.items()}
                raise ArgumentError("starts", shapes, "as many rows of each field")

    def _arrays(self, starts: Any, goal: tuple[str, ...]) -> dict[str, NDArray[np.float64]]:
        """By field, `(N, size)`."""
        symmetry, wanted = self.symmetry, (*self.symmetry.state, *self.attached, *goal)
        if isinstance(getattr(starts, "observation", None), Mapping):  # a Dataset: its states, and no goal
            found = dict(starts.observation)
            if goal:
                raise ArgumentError("goals", None, "goals by field: a dataset has none", goal)
            if self.attached:
                raise ArgumentError(
                    "starts", "a dataset of states", "observations, which show what is attached"
                )
        else:
            found = dict(symmetry.observed(starts, wanted))
        return {name: self._checked(name, found[name]) for name in wanted}

    def _checked(self, name: str, value: Any) -> NDArray[np.float64]:
        array, size = reals(name, value), self.symmetry.observation[name].size(self.symmetry.dim)
        if array.ndim != 2 or array.shape[1] != size or not len(array):
            raise ArgumentError(name, f"shape {array.shape}", f"shape (N, {size}), N at least 1")
        return array

    def draw(self, rng: np.random.Generator, count: int) -> Any:
        """`count` observations as the environment shows them, float64."""
        found: dict[str, NDArray[np.float64]] = {}
        for part in (self._states, self._goals):
            if part:
                rows = rng.integers(len(next(iter(part.values()))), size=count)
                found |= {name: array[rows] for name, array in part.items()}
        shown = self.symmetry.assembled({name: found[name] for name in self.symmetry.observation})
        if self.group is None:
            return shown
        g = self.group.sample(rng, count, scale=self.symmetry.length_scale)
        return self.symmetry.transform_observation(g, shown)


def observation_space_of(model: WorldModel, starts: Starts) -> gym.Space:
    """The space of what is shown: unbounded numbers, by key or in one array."""
    shown = starts.draw(np.random.default_rng(0), 1)
    if not isinstance(shown, Mapping):
        return _box(shown)
    return gym.spaces.Dict({name: _box(array) for name, array in shown.items()})


def _box(array: NDArray[Any]) -> gym.spaces.Box:
    return gym.spaces.Box(-np.inf, np.inf, array.shape[1:], np.float64)


def action_space_of(model: WorldModel) -> gym.spaces.Box:
    """The environment's actions, as far as it bounds them, within what the model may be asked about.

    Raises:
        ArgumentError: nothing bounds them.
    """
    size = model.declared.action.size(model.declared.dim)
    low, high = np.full(size, -np.inf), np.full(size, np.inf)
    if model.action_space.low is not None and model.action_space.high is not None:
        low, high = np.array(model.action_space.low, float), np.array(model.action_space.high, float)
    else:
        for where, bound in parts_of(model.action_bound):
            reach = np.inf if bound.radius is None else bound.radius
            low[where] = -reach if bound.low is None else bound.low
            high[where] = reach if bound.high is None else bound.high
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise ArgumentError(
            "model", "actions without bounds", "a model of an environment that bounds them, or trained"
        )
    return gym.spaces.Box(low, high, dtype=np.dtype(model.action_space.dtype))  # type: ignore[arg-type]
