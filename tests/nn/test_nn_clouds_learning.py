"""What encoders of clouds can learn, and that nothing in them is left out of learning."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cloud_cases import GROUPS, clouds_of, encoder_of
from torch import Tensor

from equiworld.groups import SO3
from equiworld.nn import CloudEncoder
from equiworld.symmetry.features import FeatureType

# ------------------------------------------------------------------------------------------ every part learns


@pytest.mark.parametrize("name", [*GROUPS, "plain"])
@pytest.mark.parametrize("settings", [{}, {"refinements": 1}, {"refinements": 3}], ids=str)
def test_every_channel_and_every_parameter_has_a_gradient(name, settings):
    group = GROUPS.get(name)
    encoder = encoder_of(group, dim=3 if group is None else group.dim, **settings)
    features = encoder(clouds_of(encoder.out_type.dim, 48))
    parameters = [parameter for parameter in encoder.parameters() if parameter.numel()]
    channels = {
        "scalars": features.scalars.square().sum(0),
        "vectors": features.vectors.square().sum((0, 1)),
        "points": (features.points - features.points.mean(-1, keepdim=True)).square().sum((0, 1)),
    }
    for part, sizes in channels.items():
        assert len(sizes) == getattr(encoder.out_type, part)
        for index, size in enumerate(sizes):
            assert size > 0, (part, index)
            found = torch.autograd.grad(size, parameters, retain_graph=True, allow_unused=True)
            assert any(one is not None and one.abs().max() > 0 for one in found), (part, index)
    sum(sizes.sum() for sizes in channels.values()).backward()
    for parameter_name, parameter in encoder.named_parameters():
        if parameter.numel():
            assert parameter.grad is not None, parameter_name
            assert parameter.grad.abs().max() > 0, parameter_name
            assert parameter.grad.isfinite().all(), parameter_name


def test_no_two_channels_are_the_same():
    features = encoder_of(SO3())(clouds_of(3, 48))
    for part in ("scalars", "vectors", "points"):
        channels = getattr(features, part).movedim(-1, 0).flatten(1)
        apart = (channels[:, None] - channels).abs().amax(-1) + torch.eye(len(channels))
        assert apart.min() > 1e-4


def test_the_axes_are_learned():
    """Their weights move, and what they move is seen."""
    encoder, cloud = encoder_of(SO3()), clouds_of(3, 48)
    before = encoder(cloud).vectors
    with torch.no_grad():
        encoder.axes += 0.3
        encoder.axes[0, 0] -= 1.0
    assert (encoder(cloud).vectors - before).abs().max() > 1e-3


# ----------------------------------------------------------------------------------- with and without mirrors


CORNERS = np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 0.4], [0.5, 0.4], [0.5, 1.2], [0.0, 1.2]]) - [0.7, 0.4]


def outlines(rng: np.random.Generator, count: int, points: int = 24) -> tuple[Tensor, Tensor]:
    """Flat clouds `(B, 3, N)` along the sides of an L, and u × v of its first two sides `(B, 3)`, unit."""
    sides = np.roll(CORNERS, -1, 0) - CORNERS
    ends = np.linalg.norm(sides, axis=-1).cumsum()
    place = ends[-1] * (np.arange(points) + rng.uniform(size=(count, 1))) / points
    side = np.searchsorted(ends, place)
    left = (ends[side] - place) / np.diff(ends, prepend=0.0)[side]
    flat = CORNERS[side] + (1.0 - left[..., None]) * sides[side]
    rotation = SO3().sample(rng, count).matrix
    cloud = np.einsum("bij,bnj->bin", rotation[..., :2], flat)
    u, v = np.einsum("bij,kj->kbi", rotation[..., :2], sides[:2])
    normal = np.cross(u, v)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    return torch.from_numpy(cloud).float(), torch.from_numpy(normal).float()


def error_of(encoder: CloudEncoder, steps: int) -> tuple[float, float]:
    """Relative error of the learned normal on fresh outlines, and the largest component along the true one."""
    rng = np.random.default_rng(0)
    optimiser = torch.optim.Adam(encoder.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-2, total_steps=steps + 1)
    for _ in range(steps):
        cloud, normal = outlines(rng, 32)
        loss = (encoder(cloud).vectors[..., 0] - normal).square().sum(-1).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    cloud, normal = outlines(np.random.default_rng(1), 256)
    with torch.no_grad():
        found = encoder(cloud).vectors[..., 0]
    error = (found - normal).square().sum(-1).mean().sqrt().item()
    return error, (found * normal).sum(-1).abs().max().item()


@pytest.mark.parametrize("name", ["SO3", "O3"])
def test_only_without_mirrors_is_up_told_from_down(name):
    """A torque's direction u × v is a vector for rotations; a mirror in the cloud's own plane turns it around."""
    kind = FeatureType(3, vectors=1, points=4)
    encoder = CloudEncoder(kind, GROUPS[name], width=16, generator=torch.Generator().manual_seed(0))
    error, along = error_of(encoder, 200)
    if name == "SO3":
        assert error < 0.1
        assert along > 0.9
    else:
        assert error >= 0.9
        assert along <= 1e-4
