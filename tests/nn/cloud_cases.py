"""Clouds of many kinds, and encoders whose every weight counts."""

from __future__ import annotations

import copy
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from equiworld.groups import E3, O2, O3, SE3, SO2, SO3, Group, GroupElement
from equiworld.nn import CloudEncoder
from equiworld.symmetry.features import FeatureType

GROUPS: dict[str, Group] = {"SO2": SO2(), "O2": O2(), "SO3": SO3(), "O3": O3(), "SE3": SE3(), "E3": E3()}
LENGTH = 0.1  # [m]
PARTS = ("scalars", "vectors", "points")
DTYPES = [torch.float32, torch.float64]
BOX = np.array([1.2, 0.6, 0.3])


def kind_of(dim: int) -> FeatureType:
    return FeatureType(dim, scalars=2, vectors=2, points=dim + 1)


def encoder_of(
    group: Group | None, dtype: torch.dtype = torch.float64, dim: int | None = None, **settings
) -> CloudEncoder:
    """A small encoder all of whose weights differ from zero."""
    kind = settings.pop("kind", None) or kind_of(dim or group.dim)
    settings = {"width": 16, "length": LENGTH} | settings
    encoder = CloudEncoder(kind, group, generator=torch.Generator().manual_seed(0), **settings)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in encoder.parameters():
            fan_in = parameter.shape[-1] if parameter.ndim > 1 else 1
            parameter += 0.2 * torch.randn(parameter.shape, generator=generator) / fan_in**0.5
    return encoder.to(dtype)


@lru_cache
def spread_encoder(proper: bool, dim: int) -> CloudEncoder:
    """An encoder for clouds of length 1, trained until its keypoints spread over the cloud, inside its hull."""
    group = {(True, 2): SO2(), (False, 2): O2(), (True, 3): SO3(), (False, 3): O3()}[proper, dim]
    encoder = encoder_of(group, length=1.0)  # in float64: the same weights on any machine, nearly
    optimiser = torch.optim.Adam(encoder.parameters(), lr=5e-3)
    wanted = torch.tensor([0.4, 0.25, 0.15][:dim][::-1], dtype=torch.float64)
    for step in range(120):
        cloud = clouds_of(dim, 32, 8, seed=step, length=1.0)
        features, guesses = encoder.rounds(cloud)
        own = features.points - features.points.mean(-1, keepdim=True)
        found = torch.linalg.eigvalsh(own @ own.mT / own.shape[-1]).clamp(min=1e-8).sqrt()
        missed = sum((guess - features.points.detach()).square().mean() for guess in guesses)
        loss = (wanted - found).square().sum(-1).mean() + 3.0 * missed
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return encoder.requires_grad_(False)


def spread_encoder_of(group: Group, dtype: torch.dtype = torch.float64, length: float = 1.0) -> CloudEncoder:
    """The same for a group, and clouds of another length."""
    encoder = copy.deepcopy(spread_encoder(group.proper, group.dim)).to(dtype)
    encoder.length, encoder.group = length, group
    return encoder


def clouds_of(dim: int, points: int, count: int = 8, seed: int = 0, length: float = LENGTH) -> Tensor:
    """Clouds `(count, d, N)` of a lopsided body, a long box with a short one at its end, turned at random."""
    rng = np.random.default_rng(seed)
    long, short = rng.uniform(-1.0, 1.0, (2, count, dim, points))
    long, short = long * BOX[:dim, None], np.array([0.9, 0.5, 0.2])[:dim, None] + 0.3 * short
    drawn = np.where(rng.uniform(size=(count, 1, points)) < 0.7, long, short)
    turned = {2: SO2(), 3: SO3()}[dim].sample(rng, count).matrix @ drawn
    return torch.from_numpy(length * turned)


def degenerate_clouds(dim: int) -> dict[str, Tensor]:
    """Clouds `(d, N)` that fix no axes, or not all of them."""
    rng = np.random.default_rng(0)
    angle = 2 * np.pi * np.arange(12) / 12
    ring = np.stack([np.cos(angle), np.sin(angle)])
    corners = np.stack(np.meshgrid(*[[-1.0, 1.0]] * dim), 0).reshape(dim, -1)
    found = {
        "one point": np.ones((dim, 1)),
        "one point again and again": np.ones((dim, 9)),
        "two points": rng.standard_normal((dim, 2)),
        "on a line": np.outer(np.linspace(1, 2, dim), rng.standard_normal(20)),
        "symmetric on a line": np.outer(np.eye(dim)[0], [-1.0, 0.0, 1.0]),
        "corners": corners,
        "cross": np.concatenate([np.eye(dim), -np.eye(dim)], 1),
        "ring": np.concatenate([ring, np.zeros((dim - 2, 12))]),
        "tiny": 1e-12 * rng.standard_normal((dim, 20)),
        "huge": 1e6 * rng.standard_normal((dim, 20)),
    }
    if dim == 3:
        found["flat"] = np.concatenate([rng.standard_normal((2, 20)), np.zeros((1, 20))])
        found["of revolution"] = np.concatenate(
            [np.concatenate([radius * ring, np.full((1, 12), z)]) for radius, z in ((1.0, 0.0), (0.4, 2.0))],
            1,
        )
    return {name: torch.from_numpy(LENGTH * cloud) for name, cloud in found.items()}


def deviation(
    encoder: CloudEncoder, cloud: Tensor, g: GroupElement, dtype: torch.dtype | None = None
) -> dict[str, float]:
    """The largest |E(g·cloud) − g·E(cloud)| of each output, moved by exact numbers and then rounded to a dtype.

    That of the encoder's parameters unless given.
    """
    dtype = dtype or next(encoder.parameters()).dtype
    moved = torch.from_numpy(g.matrix) @ cloud + torch.from_numpy(g.translation)[..., None]
    with torch.no_grad():
        expected, found = encoder(cloud.to(dtype)).transform(g), encoder(moved.to(dtype))
    assert all(getattr(found, part).isfinite().all() for part in PARTS)
    return {part: (getattr(found, part) - getattr(expected, part)).abs().max().item() for part in PARTS}
