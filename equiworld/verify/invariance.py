"""Is a planning objective invariant?"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from equiworld.errors import ArgumentError
from equiworld.groups import Group
from equiworld.symmetry import Features, FeatureType, Symmetry
from equiworld.verify.equivariance import EquivarianceReport, assert_equivariant

__all__ = ["assert_invariant"]


def assert_invariant(
    objective: Any, symmetry: Symmetry, group: Group | None = None, **settings: Any
) -> EquivarianceReport:
    """Raise AssertionError unless cost(g·states, g·actions, g·goal) = cost(states, actions, goal).

    Args:
        objective: has `bind(symmetry)`, as `equiworld.tasks.Objective`; or is itself a function of states
            (Features of batch shape `(…)`), actions `(…, size)` and goal (Features), giving `(…)`.
        symmetry: says which fields states, actions and goal have.
        group: the group that is claimed; the symmetry's if None.
        settings: as for `assert_equivariant`.

    Returns:
        The report of a passed test.

    Raises:
        AssertionError: it is not invariant, not finite, or constant.
        ArgumentError: it cannot be called.

    >>> from equiworld.tasks import KeypointDistance
    >>> from equiworld.symmetry import symmetry_of
    >>> objective = KeypointDistance("block_pos", "goal_pos")
    >>> assert_invariant(objective, symmetry_of("equiworld/PushT-v0")).passed
    True
    """
    cost = objective.bind(symmetry) if hasattr(objective, "bind") else objective
    if not callable(cost):
        raise ArgumentError(
            "objective", repr(objective), "an Objective, or a function of states, actions and goal"
        )
    action_type = symmetry.action.feature_type(symmetry.dim)
    rep_in: list[FeatureType] = [symmetry.feature_type(), action_type]
    if symmetry.goal:
        rep_in.append(symmetry.feature_type(symmetry.goal))

    def scalar(states: Features, actions: Features, goal: Features | None = None) -> Features:
        if goal is None:
            goal = Features.zeros(FeatureType(symmetry.dim), states.batch_shape, states.dtype)
        value: Tensor = cost(states, actions.flatten(), goal)
        return Features(value[..., None], states.vectors[..., :0], states.points[..., :0])

    claimed = symmetry.group if group is None else group
    return assert_equivariant(
        scalar, tuple(rep_in), FeatureType(symmetry.dim, scalars=1), claimed, **settings
    )
