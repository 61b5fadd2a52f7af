"""States with an orientation in space: its axes are the frame, and stay axes."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from family_cases import STATE_FAMILIES
from model_cases import EXACT, assert_exact, model_of, residual, trained

from equiworld.groups import E3, SE3, SO3, Group
from equiworld.symmetry import Point, Rotation, Symmetry, Vector
from equiworld.training import Dataset

CASES = [(family, group) for family in EXACT for group in (SE3(), E3())]


def symmetry_with_pose(group: Group, poses: int = 1) -> Symmetry:
    return Symmetry(
        group,
        {"hand": Point(), "speed": Vector(), "body": Point(), "pose": Rotation(poses)},
        action=Vector(),
        reference="body",
        length_scale=1.0,
    )


def spinning(group: Group, count: int = 300) -> Dataset:
    """A body that the hand's push moves and turns about its middle."""
    rng = np.random.default_rng(0)
    hand, speed, body, action = rng.normal(size=(4, count, 3))
    pose = SO3().sample(rng, count).matrix
    turn = SO3().rotation(
        0.3 * np.cross(hand - body, action) / (1.0 + np.square(hand - body).sum(-1))[:, None]
    )
    now = {"hand": hand, "speed": speed, "body": body, "pose": pose.reshape(count, 9)}
    after = {
        "hand": hand + 0.1 * speed + 0.2 * action,
        "speed": 0.9 * speed + action,
        "body": body + 0.1 * action,
        "pose": (turn.matrix @ pose).reshape(count, 9),
    }
    return Dataset(symmetry_with_pose(group), now, action, after, np.arange(count) // 10)


def with_nothing_else_to_go_by(data: Dataset) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The hand in the body's middle and at rest: apart from the pose nothing but the action has a direction."""
    observation = {name: array[:32].copy() for name, array in data.observation.items()}
    observation["hand"], observation["speed"] = observation["body"].copy(), np.zeros((32, 3))
    return observation, data.action[:32]


@pytest.mark.exact
@pytest.mark.parametrize(("family", "group"), CASES, ids=str)
def test_exact_whatever_else_degenerates(family, group):
    data = spinning(group)
    model = model_of(data.symmetry, family)
    for ready in (model, trained(copy.deepcopy(model), data)):
        assert_exact(ready, {name: array[:32] for name, array in data.observation.items()}, data.action[:32])
        assert_exact(ready, *with_nothing_else_to_go_by(data))


def test_without_the_pose_as_frame_the_bodys_axes_are_the_frame_all_the_same():
    """They are vectors too, and the first two of them are as good as the pose."""
    data = spinning(SE3())
    model = model_of(data.symmetry, "state").double()
    observation, action = with_nothing_else_to_go_by(data)
    z, following = (
        model.encode(observation),
        model.predict(model.encode(observation), torch.as_tensor(action)),
    )
    pushed = torch.linalg.cross((following.points - z.points)[..., 0], torch.as_tensor(action))
    assert pushed.norm(dim=-1).max() > 1e-3
    model.dynamics.layout.pose = None
    assert residual(model, torch.float64, observation, action).residual < 1e-9


@pytest.mark.exact
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("family", STATE_FAMILIES)
def test_predicted_axes_stay_orthonormal(family, dtype):
    data = spinning(SE3())
    model = trained(model_of(data.symmetry, family), data).to(dtype)
    z, action, _ = data.features(dtype)
    states = model.rollout(z, action.vectors[..., 0][:, None].expand(-1, 10, -1))
    axes = states.select(model.symmetry.channels()["pose"])
    assert axes.shape == (10, 300, 3, 3)
    apart = axes.mT @ axes - torch.eye(3, dtype=dtype)
    assert apart.abs().max() <= 8 * torch.finfo(dtype).eps
    assert (torch.linalg.det(axes) > 0).all()
    assert (axes[-1] - axes[0]).abs().max() > 0.1


def test_of_several_orientations_each_keeps_its_axes_and_the_first_is_the_frame():
    symmetry = symmetry_with_pose(SE3(), poses=2)
    model = model_of(symmetry, "state")
    assert model.dynamics.layout.pose == slice(2, 5)  # behind the hand and its speed
    rng = np.random.default_rng(1)
    poses = SO3().sample(rng, 16).matrix.reshape(8, 18)
    points = {name: rng.normal(size=(8, 3)) for name in ("hand", "speed", "body")}
    z = model.encode({**points, "pose": poses})
    after = model.predict(z, torch.randn(8, 3, generator=torch.Generator().manual_seed(0)))
    axes = after.select(symmetry.channels()["pose"]).unflatten(-1, (2, 3)).movedim(-2, 1)
    assert torch.allclose(axes.mT @ axes, torch.eye(3), atol=1e-5)
    assert torch.allclose(axes, torch.as_tensor(poses.reshape(8, 2, 3, 3)).float(), atol=1.0)


def test_gradients_flow_through_the_axes():
    """Planners by gradient differentiate a prediction."""
    data = spinning(SE3(), 8)
    model = model_of(data.symmetry, "state")
    z, action, _ = data.features()
    pushes = action.vectors[..., 0].clone().requires_grad_()
    following = model.predict(model.predict(z, pushes), pushes)
    following.select(model.symmetry.channels()["pose"]).square()[..., 0, :].sum().backward()
    assert pushes.grad.isfinite().all()
    assert pushes.grad.abs().max() > 0
