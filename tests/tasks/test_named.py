"""An objective of the body that the goal names."""

from __future__ import annotations

import pytest
import torch

from equiworld.errors import ArgumentError
from equiworld.groups import SE2, Permutation, Product
from equiworld.symmetry import Concatenation, Features, Heading, Objects, Point, Scalar, Symmetry, Vector
from equiworld.tasks import Approach, KeypointDistance, Named, Task


def blocks(field=None) -> Symmetry:
    fields = {"hand": Point(), "places": Objects(field or Point(), 3)}
    goal = {"named": Objects(Scalar(), 3), "goal": Point()}
    group = Product(SE2(), Permutation(3))
    return Symmetry(group, {**fields, **goal}, action=Vector(), goal=tuple(goal), action_origin="hand")


def features(places: torch.Tensor, named: int) -> tuple[Features, Features]:
    """A hand at 0 and places `(2, 3)`; a goal at (1, 1) for one of them."""
    nothing = torch.zeros(0, dtype=torch.float64)
    state = Features(nothing, torch.zeros(2, 0).double(), torch.cat((torch.zeros(2, 1).double(), places), -1))
    goal = Features(torch.eye(3).double()[named], torch.zeros(2, 0).double(), torch.ones(2, 1).double())
    return state, goal


DISTANCE = KeypointDistance("places", "goal") + 0.5 * Approach("hand", "places")


@pytest.mark.parametrize("named", range(3))
def test_it_is_the_objective_of_the_named_body(named):
    places = torch.randn(2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    cost = Named(DISTANCE, "named", ("places",)).bind(blocks())
    state, goal = features(places, named)
    found = cost(state, torch.zeros(2), goal)
    wanted = (places[:, named] - 1.0).norm() + 0.5 * places[:, named].norm()
    assert torch.equal(found, wanted) or abs(found - wanted) < 1e-15


def test_exchanging_bodies_and_names_changes_no_bit():
    places = torch.randn(2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    cost = Named(DISTANCE, "named", ("places",)).bind(blocks())
    found = {
        float(cost(state, torch.zeros(2), goal))
        for order in Permutation(3).elements().matrix.argmax(-1)
        for state, goal in [features(places[:, order.tolist()], list(order).index(0))]
    }
    assert len(found) == 1
    other = cost(*features(places, 1)[:1], torch.zeros(2), features(places, 1)[1])
    assert float(other) not in found  # which one is named does matter


def test_a_task_of_it_is_invariant_and_one_that_forgets_the_name_is_not():
    symmetry = blocks()
    Task(Named(DISTANCE, "named", ("places",))).check_invariance(symmetry, 1.0, 1)

    def first(state, channels, goal, goal_channels):
        return (state.select(channels["places"])[..., 0] - goal.select(goal_channels["goal"])[..., 0]).norm(
            dim=-1
        )

    with pytest.raises(ArgumentError, match="as the world is turned"):
        Task(first).check_invariance(symmetry, 1.0, 1)


def test_fields_of_several_kinds_and_fields_that_are_not_there():
    pose = Concatenation((Point(), Heading()))
    Named(Approach("hand", "hand"), "named", ("places",)).bind(blocks(pose))
    with pytest.raises(ArgumentError, match=r"Named\.fields"):
        Named(DISTANCE, "named", ("hand",)).bind(blocks())
    with pytest.raises(ArgumentError, match="elsewhere"):
        Named(DISTANCE, "elsewhere", ("places",)).bind(blocks())
