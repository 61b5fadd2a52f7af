"""From predicted states back to what would be observed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiworld.errors import ArgumentError
from equiworld.groups import SE2, SE3, GroupElement
from equiworld.models.world_model import WorldModel
from equiworld.symmetry import Features, Rotation, Symmetry
from equiworld.symmetry.observing import assembled, observed

__all__ = ["observation_after", "predicts_observations"]


def predicts_observations(model: WorldModel, attached: Sequence[str] = ()) -> bool:
    """Whether a model's states are the observed ones, and with the goal all that is observed.

    Args:
        model: a world model.
        attached: fields that are no part of the state, and move with the body: marks on it.

    >>> import equiworld.envs
    >>> model = WorldModel.for_env("equiworld/PushT-v0", hidden=(8,))
    >>> predicts_observations(model), predicts_observations(model, ["block_keypoints"])
    (False, True)
    """
    symmetry = model.symmetry
    named = {*symmetry.state, *symmetry.goal, *attached} == {*symmetry.observation}
    return named and model.latent is symmetry


def observation_after(model: WorldModel, before: Any, z: Features, attached: Sequence[str] = ()) -> Any:
    """What the environment would show at predicted states, of the form that it shows things in, float64.

    Args:
        model: one that `predicts_observations`.
        before: observations `(B, …)` of the same episodes: what does not move, the goal, is taken from them.
        z: states, batch shape `(B,)`.
        attached: fields that are moved from where they were by what moves the body's pose.

    Raises:
        ArgumentError: the model does not predict all that is observed; or the body has no pose.
    """
    symmetry = model.symmetry
    if not predicts_observations(model, attached):
        known = (*symmetry.state, *symmetry.goal, *attached)
        rest = [name for name in symmetry.observation if name not in known]
        got = f"one of {model.family!r}, whose states do not tell {rest or 'what is observed'}"
        expected = "states that are the observed ones, beside the goal and what is attached to the body"
        raise ArgumentError("model", got, expected)
    past, now = dict(observed(symmetry, before)), symmetry.observation_arrays(z.to(device="cpu"))
    if attached:
        moved = _pose(symmetry, now) @ _pose(symmetry, past).inverse()
        fields = symmetry.observation
        now |= {name: fields[name].transform(moved, past[name], symmetry.centre, name) for name in attached}
    return assembled(symmetry, past | now)


def _pose(symmetry: Symmetry, arrays: Mapping[str, Any]) -> GroupElement:
    """The turns and shifts `(B,)` about the centre that bring a body from its home to where it is."""
    turned = (name for name in symmetry.state if isinstance(symmetry.observation[name], Rotation))
    oriented = symmetry.heading or next(turned, None)
    if oriented is None or symmetry.reference not in symmetry.state:
        got = f"a state of {symmetry.state} without a pose"
        raise ArgumentError("attached", got, "a heading or Rotation, and a reference point, among the state")
    centre = np.asarray(symmetry.centre)
    axes = _encoded(symmetry, oriented, arrays, centre)["vectors"]
    if symmetry.dim == 2:
        first = axes[..., 0]
        axes = np.stack([first, np.stack([-first[..., 1], first[..., 0]], -1)], -1)
    place = _encoded(symmetry, str(symmetry.reference), arrays, centre)["points"].mean(-1)
    axes = axes[..., : symmetry.dim]
    return GroupElement(SE2() if symmetry.dim == 2 else SE3(), axes, place)


def _encoded(
    symmetry: Symmetry, name: str, arrays: Mapping[str, Any], centre: NDArray[np.float64]
) -> Mapping[Any, NDArray[np.float64]]:
    return symmetry.observation[name].encode(np.asarray(arrays[name], np.float64), centre)
