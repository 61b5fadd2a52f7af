"""A world to plan in that needs no simulator: what PushT shows, moved by a rule that every rotation commutes with."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiworld.groups import SE2, GroupElement
from equiworld.models import WorldModel
from equiworld.planners import Approach, MPCPolicy, PoseDistance, Task
from equiworld.symmetry import Bound, Heading, Point, Symmetry, Vector
from equiworld.symmetry.sampling import random_observation

__all__ = ["SYMMETRY", "TASK", "closed_loop", "fresh_model", "observations", "turned_apart"]

Observation = dict[str, NDArray[np.float64]]

SYMMETRY = Symmetry(
    SE2(),
    {
        "agent_pos": Point(),
        "agent_vel": Vector(scale=100.0),
        "block_pos": Point(),
        "block_heading": Heading(),
        "goal_pos": Point(),
        "goal_heading": Heading(),
    },
    action=Vector(),
    goal={"goal_pos": "block_pos", "goal_heading": "block_heading"},
    reference="block_pos",
    heading="block_heading",
    centre=(256.0, 256.0),
    length_scale=100.0,
)
TASK = Task(
    PoseDistance("block_pos", "block_heading", "goal_pos", "goal_heading", length=60.0)
    + 0.1 * Approach("agent_pos", "block_pos", reach=120.0)
)
_LONGEST, _NEAR = 60.0, 80.0  # [px] action; distance over which the block follows the agent


def fresh_model(seed: int) -> WorldModel:
    """A model of the family `state` in its stock sizes, not trained: what planning takes does not depend on it."""
    model = WorldModel.for_symmetry(SYMMETRY, "state", seed)
    model.action_bound = (Bound(radius=_LONGEST, size=2, item=2),)
    return model


def observations(count: int, seed: int) -> Observation:
    """Observations of any kind, `(count, size)`."""
    return random_observation(SYMMETRY, np.random.default_rng([seed, 61]), count)


def closed_loop(
    policy: MPCPolicy, seen: Observation, steps: int
) -> tuple[NDArray[np.float64], list[Observation]]:
    """Actions `(steps, B, 2)` and observations `(B, size)` along the way.

    The agent goes where it is asked to and drags the block along, the more the nearer it is, and turns it: a rule made
    of differences, lengths and cross products, in float64.
    """
    state, actions, path = None, [], [seen]
    for _ in range(steps):
        action, state = policy.predict(seen, state)
        actions.append(action)
        agent = seen["agent_pos"] + 0.5 * action
        way = agent - seen["block_pos"]
        pull = 0.3 * np.exp(-np.square(way).sum(-1, keepdims=True) / _NEAR**2)
        swing = (way[:, :1] * action[:, 1:] - way[:, 1:] * action[:, :1]) / _NEAR**2
        heading = seen["block_heading"] + pull * swing
        moved = {
            "agent_pos": agent,
            "agent_vel": 5.0 * action,
            "block_pos": seen["block_pos"] + pull * action,
        }
        seen = seen | moved | {"block_heading": np.arctan2(np.sin(heading), np.cos(heading))}
        path.append(seen)
    return np.stack(actions), path


def turned_apart(policy: MPCPolicy, seen: Observation, elements: GroupElement, steps: int) -> dict[str, Any]:
    """How far closed loops from g·s come apart from those from s, for elements g `(k,)` and observations `(B, size)`.

    Returns:
        The largest deviation of an action and of a place of agent or block [px], over all steps.
    """
    count, batch = len(elements), len(seen["agent_pos"])
    several = {name: np.tile(array, (count, 1)) for name, array in seen.items()}
    each = elements[np.repeat(np.arange(count), batch)]
    # As many at a time on both sides: bits may change with the size of a batch.
    plain, path = closed_loop(policy, several, steps)
    moved, path_of_moved = closed_loop(policy, SYMMETRY.transform_observation(each, several), steps)
    turned = [SYMMETRY.transform_action(each, one) for one in plain]
    shown = [SYMMETRY.transform_observation(each, one) for one in path]
    places = [
        np.abs(one[name] - two[name]).max()
        for one, two in zip(shown, path_of_moved, strict=True)
        for name in ("agent_pos", "block_pos")
    ]
    return {"action_px": float(np.abs(np.stack(turned) - moved).max()), "path_px": float(max(places))}
