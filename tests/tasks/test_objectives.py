"""Objectives: what they measure, that they add up, and that no isometry changes them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch

import equiworld.envs  # noqa: F401  registers PushT
from equiworld.errors import ArgumentError
from equiworld.groups import E3, SE2, SE3
from equiworld.planners import (
    ActionCost,
    Approach,
    FirstOf,
    FunctionObjective,
    KeypointDistance,
    LatentDistance,
    Objective,
    PoseDistance,
    Sharpened,
)
from equiworld.symmetry import Heading, Point, Rotation, Symmetry, Vector, symmetry_of
from equiworld.tasks import TASKS
from equiworld.verify import assert_invariant

PLANE = Symmetry(
    SE2(),
    {
        "hand": Point(),
        "body": Point(),
        "corners": Point(4),
        "turn": Heading(),
        "goal": Point(),
        "goal_turn": Heading(),
        "goal_corners": Point(4),
    },
    action=Vector(),
    goal=("goal", "goal_turn", "goal_corners"),
)
SPACE = Symmetry(
    SE3(),
    {
        "hand": Point(),
        "body": Point(),
        "corners": Point(4),
        "turn": Rotation(),
        "goal": Point(),
        "goal_turn": Rotation(),
        "goal_corners": Point(4),
    },
    action=Vector(),
    goal=("goal", "goal_turn", "goal_corners"),
)
POSE = PoseDistance("body", "turn", "goal", "goal_turn", length=2.0)
OBJECTIVES = {
    "keypoints": KeypointDistance("corners", "goal_corners"),
    "spread": KeypointDistance("corners", "goal_corners", lever=2.5),
    "pose": POSE,
    "first": FirstOf((KeypointDistance("nothing", "goal_nothing"), POSE)),
    "approach": Approach("hand", "body", reach=0.3),
    "action": ActionCost(),
    "sharpened": Sharpened(KeypointDistance("corners", "goal_corners"), 3.0, 0.5),
    "sum": KeypointDistance("corners", "goal_corners") + 0.1 * Approach("hand", "body") + POSE * 2,
}


def observed(symmetry: Symmetry, **values):
    """Features of the state and of the goal; what is not given is zero, headings and rotations too."""
    arrays = {name: np.zeros(field.size(symmetry.dim)) for name, field in symmetry.observation.items()}
    for name, value in values.items():
        arrays[name] = np.asarray(value, float)
    state, goal = (symmetry.to_features(arrays, names, torch.float64) for names in (None, symmetry.goal))
    return state, goal


def value(objective: Objective, symmetry: Symmetry = PLANE, action=(0.0, 0.0), **values) -> float:
    state, goal = observed(symmetry, **values)
    return objective.bind(symmetry)(state, torch.tensor(action, dtype=torch.float64), goal).item()


@pytest.mark.parametrize("symmetry", [PLANE, SPACE], ids=["plane", "space"])
@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_is_invariant(name, symmetry):
    assert_invariant(OBJECTIVES[name], symmetry)


def test_a_whole_latent_is_compared_with_one_of_its_type():
    symmetry = Symmetry(
        SE2(),
        {"body": Point(), "arrow": Vector(), "goal": Point(), "goal_arrow": Vector()},
        action=Vector(),
        goal=("goal", "goal_arrow"),
    )
    assert_invariant(LatentDistance(), symmetry)
    assert value(LatentDistance(), symmetry, body=(3.0, 0.0), arrow=(0.0, 4.0)) == 5.0


POSED = Symmetry(
    SE3(),
    {
        "agent_pos": Point(),
        "agent_vel": Vector(),
        "body_pos": Point(),
        "body_rotation": Rotation(),
        "goal_pos": Point(),
        "goal_rotation": Rotation(),
    },
    action=Vector(),
    goal=("goal_pos", "goal_rotation"),
    length_scale=0.1,
)
KEYPOINTS = Symmetry(
    SE3(),
    {"agent_pos": Point(), "agent_vel": Vector(), "keypoints": Point(4), "goal_keypoints": Point(4)},
    action=Vector(),
    goal=("goal_keypoints",),
    length_scale=0.1,
)
REGISTERED = {"equiworld/PushT-v0": ["equiworld/PushT-v0"], "equiworld/CloudPush-v0": [POSED, KEYPOINTS]}


@pytest.mark.parametrize("env_id", REGISTERED)
def test_the_registered_task_is_invariant(env_id):
    for layout in REGISTERED[env_id]:
        symmetry = symmetry_of(layout) if isinstance(layout, str) else layout
        assert_invariant(TASKS[env_id].objective(), symmetry)


def test_a_body_in_space_costs_the_same_however_it_is_observed_where_it_is_there():
    """By its pose or by keypoints that move with it: nothing at the goal, and more the farther it is."""
    cost = {}
    for name, symmetry in (("pose", POSED), ("keypoints", KEYPOINTS)):
        for away in (0.0, 0.01, 0.1):
            place = np.array([away, 0.0, 0.0])
            corners = 0.05 * np.vstack([np.zeros(3), np.eye(3)])
            found = value(
                TASKS["equiworld/CloudPush-v0"].objective(),
                symmetry,
                action=(0.0, 0.0, 0.0),
                agent_pos=place,
                **(
                    {
                        "body_pos": place,
                        "body_rotation": np.eye(3).ravel(),
                        "goal_rotation": np.eye(3).ravel(),
                    }
                    if name == "pose"
                    else {"keypoints": (corners + place).ravel(), "goal_keypoints": corners.ravel()}
                ),
            )
            cost[name, away] = found
        assert cost[name, 0.0] == 0.0 < cost[name, 0.01] < cost[name, 0.1]
    assert cost["pose", 0.1] == pytest.approx(cost["keypoints", 0.1])


def test_where_nothing_tells_where_the_body_is_the_task_says_what_it_needs():
    bare = Symmetry(SE3(), {"agent_pos": Point()}, action=Vector())
    with pytest.raises(ArgumentError, match=r"objectives: got .*'keypoints'.*'body_pos'"):
        TASKS["equiworld/CloudPush-v0"].objective().bind(bare)


@dataclass(frozen=True)
class Downhill(Objective):
    """Likes the world's first axis: not invariant."""

    def bind(self, symmetry):
        return lambda states, actions, goal: states.points[..., 0, 0]


def test_the_check_can_fail():
    with pytest.raises(AssertionError, match="NOT equivariant"):
        assert_invariant(Downhill(), PLANE)
    with pytest.raises(AssertionError, match="NOT equivariant"):
        assert_invariant(OBJECTIVES["keypoints"] + 1e-6 * Downhill(), PLANE)
    with pytest.raises(AssertionError, match="constant"):
        assert_invariant(lambda states, actions, goal: torch.zeros(states.batch_shape).double(), PLANE)
    with pytest.raises(AssertionError, match="not finite"):
        assert_invariant(lambda states, actions, goal: states.points[..., 0, 0] * torch.nan, PLANE)
    with pytest.raises(ArgumentError, match="objective: got 3"):
        assert_invariant(3, PLANE)


def signed_area(states, actions, goal):
    first, second = (
        states.points[..., 0] - states.points[..., 1],
        states.points[..., 2] - states.points[..., 3],
    )
    third = states.points[..., 4] - states.points[..., 5]
    return (torch.linalg.cross(first, second) * third).sum(-1)


def test_a_group_with_reflections_is_not_forgotten():
    """A volume with a sign is invariant under rotations of space, not under reflections."""
    plain = Symmetry(SE3(), {"corners": Point(6)}, action=Vector())
    assert_invariant(signed_area, plain)
    with pytest.raises(AssertionError, match="NOT equivariant"):
        assert_invariant(signed_area, plain, E3())


def test_what_they_measure():
    assert value(KeypointDistance("body", "goal"), body=(3.0, 4.0)) == 5.0
    assert value(Approach("hand", "body", reach=2.0), hand=(3.0, 4.0)) == 3.0
    assert value(Approach("hand", "body", reach=6.0), hand=(3.0, 4.0)) == 0.0
    assert value(ActionCost(), action=(3.0, 4.0)) == 25.0
    away = value(KeypointDistance("body", "goal"), body=(3.0, 4.0))
    sharp = value(Sharpened(KeypointDistance("body", "goal"), 2.0, 5.0), body=(3.0, 4.0))
    assert sharp == pytest.approx(away + 2 * (1 - math.exp(-1)))


@pytest.mark.parametrize("turn", [0.0, 0.4, 3.0, -3.1])
def test_headings_are_compared_by_their_chord(turn):
    """|Δu| = 2 sin(Δθ/2), the same across the jump of the angle."""
    for base in (0.0, 3.0, -1.5):
        found = value(POSE, turn=[base + turn], goal_turn=[base])
        assert found == pytest.approx(2.0 * 2 * abs(math.sin(turn / 2)), abs=1e-12)
    close = value(POSE, turn=[math.pi - 1e-3], goal_turn=[-math.pi + 1e-3])
    assert close == pytest.approx(2.0 * 2e-3, rel=1e-5)


def test_levers_count_what_is_turned_and_not_what_is_moved():
    corners = np.random.default_rng(0).normal(size=(4, 2))
    middle = corners.mean(0)
    moved, turned = corners + np.array([3.0, 4.0]), (corners - middle) @ [[0, 1], [-1, 0]] + middle
    near, far = (KeypointDistance("corners", "goal_corners", lever) for lever in (1.0, 2.5))
    for objective, factor in ((near, 1.0), (far, 2.5)):
        found = value(objective, corners=moved.ravel(), goal_corners=corners.ravel())
        assert found == pytest.approx(5.0, abs=1e-12)
        found = value(objective, corners=turned.ravel(), goal_corners=corners.ravel())
        expected = factor * np.linalg.norm(turned - corners, axis=-1).mean()
        assert found == pytest.approx(expected, abs=1e-12)


def test_sums_and_weights():
    first, second = KeypointDistance("body", "goal"), Approach("hand", "body")
    place = {"hand": (1.0, 7.0), "body": (3.0, 4.0)}
    one, two = value(first, **place), value(second, **place)
    assert value(first + 0.5 * second, **place) == pytest.approx(one + 0.5 * two)
    assert value(2 * (first + 0.5 * second) + first, **place) == pytest.approx(3 * one + two)
    for weight in (np.int64(2), np.float32(2), 2):
        assert value(first * weight, **place) == value(weight * first, **place) == 2 * one
    for weight in (float("nan"), float("inf"), "much", True):
        with pytest.raises(ArgumentError, match="weight: got"):
            first * weight
    with pytest.raises(ArgumentError, match="other: got 3; expected an Objective, or a function"):
        first + 3


@pytest.mark.parametrize("wrong", [0.0, -1.0, math.nan, math.inf, "1", None, True], ids=repr)
def test_lengths_and_factors_are_finite_and_above_zero(wrong):
    away = KeypointDistance("body", "goal")
    for name, made in (
        ("length", lambda: Sharpened(away, 1.0, wrong)),
        ("length", lambda: PoseDistance("body", "turn", "goal", "goal_turn", length=wrong)),
        ("lever", lambda: KeypointDistance("corners", "goal_corners", lever=wrong)),
    ):
        with pytest.raises(ArgumentError, match=f"{name}: got .*; expected a positive number"):
            made()


@pytest.mark.parametrize("wrong", [math.nan, math.inf, "1", None], ids=repr)
def test_weights_and_reaches_are_finite(wrong):
    for name, made in (
        ("weight", lambda: Sharpened(KeypointDistance("body", "goal"), wrong, 1.0)),
        ("reach", lambda: Approach("hand", "body", reach=wrong)),
    ):
        with pytest.raises(ArgumentError, match=f"{name}: got"):
            made()
    with pytest.raises(ArgumentError, match=r"reach: got -0.1; expected a number of at least 0"):
        Approach("hand", "body", reach=-0.1)


def test_numbers_of_numpy_are_numbers():
    near = KeypointDistance("body", "goal")
    assert Sharpened(near, np.int64(2), np.float32(5)) == Sharpened(near, 2.0, 5.0)
    assert Approach("hand", "body", reach=np.int64(2)) == Approach("hand", "body", reach=2.0)


def test_points_are_compared_with_as_many():
    for symmetry in (PLANE, SPACE):
        for points, goal in (("corners", "goal"), ("body", "goal_corners")):
            with pytest.raises(ArgumentError, match=f"objective: got '{goal}' of the goal, of . points"):
                KeypointDistance(points, goal).bind(symmetry)
            with pytest.raises(ArgumentError, match=f"objective: got '{goal}' of the goal, of . points"):
                PoseDistance(points, "turn", goal, "goal_turn", length=1.0).bind(symmetry)
        with pytest.raises(ArgumentError, match=r"objective: got 'corners' .*expected a field of one point"):
            Approach("corners", "hand").bind(symmetry)
    apart = value(Approach("hand", "corners"), hand=(3.0, 4.0))  # of several points the mean counts
    assert apart == 5.0


def test_a_plain_function_is_an_objective():
    def away(states, channels, goal, goal_channels):
        return (states.select(channels["body"]) - goal.select(goal_channels["goal"])).norm(dim=-2)[..., 0]

    assert value(FunctionObjective(away), body=(3.0, 4.0)) == 5.0
    assert_invariant(FunctionObjective(away), PLANE)
    near = KeypointDistance("body", "goal")
    assert value(near + away, body=(3.0, 4.0)) == 10.0
    sharp, plain = (value(Sharpened(each, 2.0, 5.0), body=(3.0, 4.0)) for each in (away, near))
    assert sharp == pytest.approx(plain)
    for wrong in (3, "near", None):
        with pytest.raises(ArgumentError, match=r"objective: got .*; expected an Objective, or a function"):
            Sharpened(wrong, 1.0, 1.0)


def test_fields_that_are_not_there_are_refused():
    with pytest.raises(
        ArgumentError, match=r"objective: got 'corner'; expected a field of the state.*corners"
    ):
        KeypointDistance("corner", "goal_corners").bind(PLANE)
    with pytest.raises(ArgumentError, match=r"'corners'; expected a field of the goal.*goal_corners"):
        KeypointDistance("corners", "corners").bind(PLANE)
    absolute = Symmetry(SE2(), {"hand": Point()}, action=Point())
    with pytest.raises(ArgumentError, match="an action of vectors"):
        ActionCost().bind(absolute)
