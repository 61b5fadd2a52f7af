"""Actions of many environments: turned, measured from an origin, held over several environment steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiworld.groups import GroupElement
from equiworld.symmetry.concatenation import leaves
from equiworld.symmetry.field import numbers
from equiworld.symmetry.fields import Cloud, Point
from equiworld.symmetry.observing import Apart
from equiworld.symmetry.symmetry import Symmetry

__all__ = ["action_origin", "held_action", "moved", "origin_field"]


def moved(symmetry: Symmetry, element: GroupElement, actions: NDArray[np.float64]) -> NDArray[np.float64]:
    """ρ(g)·actions for a batch `(B,)` of elements and actions `(B, …, size)`."""
    batch, dim = actions.shape[:-1], symmetry.dim
    inner = (1,) * (len(batch) - 1)
    matrix = np.broadcast_to(element.matrix.reshape(-1, *inner, dim, dim), (*batch, dim, dim))
    shift = np.broadcast_to(element.translation.reshape(-1, *inner, dim), (*batch, dim))
    label = element.stored_label
    if label is not None:
        label = np.broadcast_to(label.reshape(-1, *inner), batch)
    spread = GroupElement(element.group, matrix, shift, label)
    return np.asarray(symmetry.transform_action(spread, actions), np.float64)


def held_action(
    symmetry: Symmetry, action: NDArray[Any], before: Mapping[str, Any] | Any, now: Mapping[str, Any] | Any
) -> NDArray[Any]:
    """Re-express an action chosen at `before` so that it commands the same target at `now`.

    Args:
        symmetry: of the environment.
        action: `(…, size)`, chosen at observation `before`.
        before: the observation at which it was chosen.
        now: the observation now.

    Returns:
        `(…, size)`: `action` itself unless the symmetry names an `action_origin` o; then its vectors become
        a + o(before) − o(now).

    >>> from equiworld.symmetry import symmetry_of
    >>> import numpy as np
    >>> symmetry = symmetry_of("equiworld/PushT-v0")
    >>> held_action(symmetry, np.array([9.0, 0.0]), {"agent_pos": [1.0, 1.0]}, {"agent_pos": [4.0, 2.0]})
    array([ 6., -1.])
    """
    if symmetry.action_origin is None:
        return action
    shift = origin_of(symmetry, before) - origin_of(symmetry, now)
    if action.shape[-1] == symmetry.dim:
        return action + shift
    vectors = [leaf.kind == "vectors" for leaf in leaves(symmetry.action)]
    sizes = [leaf.size(symmetry.dim) for leaf in leaves(symmetry.action)]
    parts = [
        np.tile(shift, size // symmetry.dim) if moves else np.zeros((*shift.shape[:-1], size))
        for moves, size in zip(vectors, sizes, strict=True)
    ]
    return action + np.concatenate(parts, -1)


def origin_of(symmetry: Symmetry, observation: Mapping[str, Any] | Any) -> NDArray[np.float64]:
    """Where a relative action is measured from, `(…, d)`.

    Args:
        symmetry: one that names an `action_origin`.
        observation: of its environment, or a mapping of the origin alone.
    """
    name = symmetry.action_origin
    assert name is not None
    if symmetry.flat and isinstance(observation, Mapping):
        observation = Apart(observation)
    return numbers(symmetry.observed(observation, [name])[name], symmetry.dim, name).astype(np.float64)


def action_origin(symmetry: Symmetry, observation: Mapping[str, Any] | Any) -> NDArray[np.float64]:
    """Where actions are measured from in a batch of observations, `(B, d)`; zeros if they are not relative."""
    if symmetry.action_origin is not None:
        return origin_of(symmetry, observation)
    first = observation if symmetry.flat else next(iter(observation.values()))
    return np.zeros((len(first), symmetry.dim))


def origin_field(symmetry: Symmetry) -> str | None:
    """The observed points whose middle frames stand at and absolute actions are seen from.

    The reference; or the first cloud, or the first points, of the state before others. None without translations,
    where that is the centre, or where no point is observed.
    """
    if not symmetry.group.has_translations or symmetry.reference is not None:
        return symmetry.reference if symmetry.group.has_translations else None
    ranked = dict.fromkeys((*symmetry.state, *symmetry.goal, *symmetry.observation))
    for kind in (Cloud, Point):
        for names in (symmetry.state, ranked):
            for name in names:
                if any(isinstance(leaf, kind) for leaf in leaves(symmetry.observation[name])):
                    return name
    return None
