"""One objective for several ways to observe: absence passes an alternative over, a mistaken name does not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from equiworld.errors import ArgumentError
from equiworld.groups import SE2
from equiworld.symmetry import Point, Symmetry, Vector
from equiworld.tasks import (
    ActionCost,
    Approach,
    FirstOf,
    FunctionObjective,
    KeypointDistance,
    Objective,
    PoseDistance,
    Sharpened,
)

PLANE = Symmetry(
    SE2(),
    {"hand": Point(), "body": Point(), "corners": Point(4), "goal": Point(), "goal_corners": Point(4)},
    action=Vector(),
    state=("hand", "body"),
    goal=("goal", "goal_corners"),
)
NEAR, PLACE = Approach("hand", "body"), KeypointDistance("body", "goal")


def value(objective: Objective, symmetry: Symmetry = PLANE) -> float:
    """The cost of a hand at (1, 7) and a body at (3, 4), everything else at 0."""
    arrays = {name: np.zeros(field.size(2)) for name, field in symmetry.observation.items()}
    arrays |= {"hand": np.array((1.0, 7.0)), "body": np.array((3.0, 4.0))}
    state, goal = (symmetry.to_features(arrays, names, torch.float64) for names in (None, symmetry.goal))
    return objective.bind(symmetry)(state, torch.zeros(2, dtype=torch.float64), goal).item()


def test_the_first_whose_fields_are_there() -> None:
    missing = KeypointDistance("nothing", "goal")
    assert value(FirstOf((missing, PLACE, NEAR))) == value(PLACE)
    assert value(FirstOf((NEAR, PLACE))) == value(NEAR)
    # One missing term of a sum is enough.
    mixed = FirstOf((PLACE + Approach("nobody", "body"), 2 * PLACE)) + NEAR
    assert value(mixed) == pytest.approx(2 * value(PLACE) + value(NEAR))
    refused = FirstOf((missing, KeypointDistance("body", "nowhere")))
    with pytest.raises(ArgumentError, match=r"objectives: got .*'nothing'.*'nowhere'"):
        refused.bind(PLANE)
    with pytest.raises(ArgumentError, match="objectives: got none"):
        FirstOf(()).bind(PLANE)
    with pytest.raises(
        ArgumentError, match=r"objectives: got no 'a' of the state, 'b' of the goal; expected one"
    ):
        FirstOf((KeypointDistance("a", "b"),)).bind(PLANE)


@pytest.mark.parametrize(
    "mistaken",
    [
        Approach("hand", "bodi"),
        Approach("hand", "bodi") + PLACE,
        Sharpened(Approach("hand", "bodi"), 1.0, 1.0),
        KeypointDistance("bodi", "goal_corners"),
        KeypointDistance("body", "goal_cornes"),
        KeypointDistance("body", "body"),  # of the state, not of the goal
        PoseDistance("bodi", "turn", "goal", "goal_turn", length=1.0),
        PoseDistance("body", "turn", "goal", "goal_turn", length=1.0),
    ],
)
def test_a_mistaken_name_is_not_passed_over(mistaken: Objective) -> None:
    """A field of its own that is there says that it was meant for this environment."""
    other = FunctionObjective(lambda states, channels, goal, goal_channels: states.points[..., 0, 0])
    assert value(FirstOf((other,))) == value(other)
    with pytest.raises(
        ArgumentError, match=r"^objectives: got no '.*, beside .*; expected each objective with all"
    ):
        FirstOf((mistaken, other)).bind(PLANE)
    # After the one that is chosen nobody asks.
    assert value(FirstOf((other, mistaken))) == value(other)


def test_the_message_names_the_field_and_what_there_is() -> None:
    first = KeypointDistance("body", "goal_cornes")
    expected = r"got no 'goal_cornes' of the goal, beside 'body' of the state; .*'goal_corners' of the goal"
    with pytest.raises(ArgumentError, match=expected):
        FirstOf((first, ActionCost())).bind(PLANE)


def test_what_is_observed_and_in_neither_state_nor_goal_is_no_mistake() -> None:
    corners = KeypointDistance("corners", "goal_corners")
    assert value(FirstOf((corners, PLACE))) == value(PLACE)


def test_other_mistakes_are_not_passed_over() -> None:
    absolute = Symmetry(
        SE2(), {"body": Point(), "goal": Point()}, action=Point(), state=("body",), goal=("goal",)
    )
    with pytest.raises(ArgumentError, match="an action of vectors"):
        FirstOf((ActionCost(), PLACE)).bind(absolute)

    @dataclass(frozen=True)
    class Broken(Objective):
        def bind(self, symmetry: Symmetry):
            raise ArgumentError("length", -1.0, "a positive length")

    with pytest.raises(ArgumentError, match="length: got"):
        FirstOf((Broken(), PLACE)).bind(PLANE)


def test_they_are_a_sequence_of_objectives() -> None:
    assert FirstOf([NEAR, PLACE]) == FirstOf((NEAR, PLACE))
    with pytest.raises(
        ArgumentError, match=r"objectives: got KeypointDistance.*; expected a sequence of objectives"
    ):
        FirstOf(PLACE)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="objectives: got 3; expected an Objective"):
        FirstOf((PLACE, 3))  # type: ignore[arg-type]
