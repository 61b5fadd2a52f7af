"""Frames that planners draw noise in, and what stands in where they degenerate."""

from __future__ import annotations

import numpy as np
import planner_cases as cases
import pytest
import torch
from equiworld.planners import CEM
from equiworld.planners.frames import FRAMES, _subgroup, planning_frame, symmetrised

from equiworld.errors import ArgumentError
from equiworld.groups import SE2, SE3, GroupElement
from equiworld.symmetry import Features, Point, Rotation, Symmetry, Vector

PLANE = Symmetry(
    SE2(),
    {"hand": Point(), "body": Point(), "speed": Vector(), "target": Point(2)},
    action=Vector(),
    goal=("target",),
)
SPACE = Symmetry(
    SE3(),
    {"hand": Point(), "corners": Point(3), "speed": Vector(), "spin": Vector(), "target": Point(2)},
    action=Vector(),
    goal=("target",),
)
GOALS = {2: PLANE, 3: SPACE}


def drawn(symmetry: Symmetry, envs: int = 40) -> tuple[Features, Features]:
    generator = torch.Generator().manual_seed(0)
    return tuple(
        Features.unflatten(torch.randn(envs, kind.size, generator=generator).double(), kind)
        for kind in (symmetry.feature_type(), symmetry.feature_type(symmetry.goal))
    )


@pytest.mark.exact
@pytest.mark.parametrize("kind", FRAMES)
@pytest.mark.parametrize("dim", [2, 3])
def test_every_frame_turns_with_the_world(kind, dim):
    symmetry = GOALS[dim]
    z, goal = drawn(symmetry)
    g = symmetry.group.sample(np.random.default_rng(0), n=40, scale=3.0)
    frame = planning_frame(kind, symmetry, z, goal)
    turned = planning_frame(kind, symmetry, z.transform(g), goal.transform(g))
    eye = torch.eye(dim).double().expand(40, dim, dim)
    assert torch.allclose(frame.rotation.mT @ frame.rotation, eye, rtol=0, atol=1e-12)
    assert torch.allclose(turned.rotation, torch.as_tensor(g.matrix) @ frame.rotation, rtol=0, atol=1e-10)
    assert torch.allclose(turned.degeneracy, frame.degeneracy, rtol=0, atol=1e-12)


def test_a_pose_is_the_frame_of_its_state():
    symmetry = Symmetry(
        SE3(), {"hand": Point(), "body": Point(), "pose": Rotation()}, action=Vector(), reference="body"
    )
    g = SE3().sample(np.random.default_rng(0), n=6)
    pose = g.matrix.reshape(6, 9)
    # The hand where the body is: no other arrow to go by.
    z = symmetry.to_features(
        {"hand": g.translation, "body": g.translation, "pose": pose}, dtype=torch.float64
    )
    frame = planning_frame("state", symmetry, z, z)
    assert torch.equal(frame.rotation, torch.as_tensor(g.matrix))
    assert torch.equal(frame.origin, torch.as_tensor(g.translation))
    assert frame.degeneracy.eq(0).all()


def test_the_goal_frame_looks_at_the_goal():
    z, goal = drawn(PLANE)
    frame = planning_frame("goal", PLANE, z, goal)
    towards = goal.points.mean(-1) - z.points.mean(-1)
    assert torch.allclose(frame.rotation[..., 0], towards / towards.norm(dim=-1, keepdim=True), atol=1e-12)


def test_a_goal_that_is_reached_leaves_its_frame_degenerate():
    z, goal = drawn(PLANE, 3)
    points = goal.points.clone()
    points[1] = z.points[1].mean(-1, keepdim=True)
    frame = planning_frame("goal", PLANE, z, Features(goal.scalars, goal.vectors, points))
    assert frame.degeneracy[1] > 1 - 1e-6
    assert frame.rotation.isfinite().all()


def test_frames_without_anything_to_make_them_from_are_refused():
    z, _ = drawn(PLANE, 2)
    nothing = Features(z.scalars, z.vectors[..., :0], z.points[..., :0])
    with pytest.raises(ArgumentError, match=r"frame: got 'goal'; expected a goal with points"):
        planning_frame("goal", PLANE, z, nothing)
    with pytest.raises(ArgumentError, match=r"frame: got 'vectors'"):
        planning_frame("vectors", PLANE, nothing, nothing)


# --------------------------------------------------------------------------------- where a frame degenerates


@pytest.mark.parametrize("dim", [2, 3])
def test_the_finite_group_is_one(dim):
    elements = _subgroup(dim, torch.float64)
    assert len(elements) == {2: 4, 3: 12}[dim]
    assert torch.allclose(torch.linalg.det(elements), torch.ones(len(elements)).double())
    for one in elements:
        products = one @ elements
        distances = (products[:, None] - elements[None]).abs().amax((-2, -1))
        assert (distances.min(1).values < 1e-12).all()
        assert len(set(distances.argmin(1).tolist())) == len(elements)


@pytest.mark.exact
@pytest.mark.parametrize("dim", [2, 3])
def test_symmetrised_noise_is_the_same_set_turned(dim):
    noise = torch.randn(5, 2, 1, dim, 50, generator=torch.Generator().manual_seed(0)).double()
    closed = symmetrised(noise, dim)
    whole = 50 - 50 % len(_subgroup(dim, torch.float64))
    assert closed[..., whole:].eq(0).all()
    assert closed[..., :whole].abs().sum() > 0
    rows = closed.permute(4, 0, 1, 2, 3)
    for element in _subgroup(dim, torch.float64):
        turned = (element @ closed).permute(4, 0, 1, 2, 3)
        apart = (turned[:, None] - rows[None]).flatten(2).abs().amax(-1)
        assert apart.min(1).values.max() < 1e-12


@pytest.mark.exact
@pytest.mark.parametrize("iterations", [1, 3])
@pytest.mark.parametrize("around", ["elites", "mean"])
def test_without_a_frame_plans_still_turn_with_the_finite_group(around, iterations):
    """A heading of length 0: quarter turns hold exactly, an eighth does not."""
    symmetry = cases.PLANE
    z, goal = cases.states(symmetry, 12), cases.states(symmetry, 12, seed=1)
    blind = symmetry.channels()["turn"].start

    def planned(angle: float, above: float = 0.99):
        g = GroupElement.stack([SE2().rotation(angle)] * 12)
        here, there = z.transform(g), goal.transform(g)
        vectors = here.vectors.clone()
        vectors[..., blind] = 0.0
        here = Features(here.scalars, vectors, here.points)
        problem = cases.problem(symmetry, here, there)
        problem = cases.replace(problem, predict=_without_heading(problem.predict, blind))
        planner = CEM(
            horizon=4, samples=49, iterations=iterations, around=around, elites=12, symmetrise_above=above
        )
        return planner.plan(problem, cases.generators(12)).actions, g

    plain, _ = planned(0.0)
    quarter, g = planned(np.pi / 2)
    assert torch.allclose(quarter, cases.moved(plain, g), rtol=0, atol=1e-12)
    eighth, g = planned(np.pi / 4)
    assert not torch.allclose(eighth, cases.moved(plain, g), atol=1e-3)
    # Negative control: unsymmetrised noise.
    (plain, _), (quarter, g) = (planned(angle, above=1.0) for angle in (0.0, np.pi / 2))
    assert not torch.allclose(quarter, cases.moved(plain, g), atol=1e-3)


def _without_heading(predict, channel):
    def blind(z, action):
        following = predict(
            Features(z.scalars, z.vectors.index_fill(-1, torch.tensor([channel]), 0.7), z.points), action
        )
        return Features(
            following.scalars,
            following.vectors.index_fill(-1, torch.tensor([channel]), 0.0),
            following.points,
        )

    return blind
