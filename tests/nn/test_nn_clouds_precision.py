"""Encoders in float32 of clouds given in float64: nothing is lost by distance, or by clouds that fix little."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cloud_cases import DTYPES, GROUPS, LENGTH, PARTS, clouds_of, deviation, encoder_of, spread_encoder_of
from torch import Tensor

from equiworld.nn import CloudEncoder

pytestmark = pytest.mark.exact

NAMES = ["SO2", "O2", "SO3", "O3"]


def errors(encoder: CloudEncoder, cloud: Tensor, shift: Tensor, dtype: torch.dtype) -> Tensor:
    """How far keypoints, seen from the cloud's mean, and vectors are off those in float64 of the cloud unmoved."""
    exact = spread_encoder_of(encoder.group, length=LENGTH)(cloud)
    moved = (cloud + shift).to(dtype)
    found, middle = encoder(moved), moved.mean(-1, keepdim=True)
    points = (found.points - middle) - (exact.points - cloud.mean(-1, keepdim=True))
    return torch.cat([points, found.vectors - exact.vectors], -1).abs().max()


@pytest.mark.parametrize("far", [1.0, 1e3, 1e5, 4e6])
@pytest.mark.parametrize("name", NAMES)
def test_a_cloud_far_away_is_seen_as_well_as_one_nearby(name, far):
    group = GROUPS[name]
    encoder, cloud = spread_encoder_of(group, torch.float32, LENGTH), clouds_of(group.dim, 64, 24)
    way = torch.from_numpy(np.random.default_rng(0).standard_normal((24, group.dim, 1)))
    shift = far * way / way.norm(dim=1, keepdim=True)
    here = errors(encoder, cloud, 0.0 * shift, torch.float64)
    # At 4,000 km float64 itself leaves half a nanometre: of five encoders a group the worst was 1.4 times as far off.
    assert 0 < errors(encoder, cloud, shift, torch.float64) <= 5 * here
    if far >= 1e3:  # negative control: in float32 the cloud is not there any more
        assert errors(encoder, cloud, shift, torch.float32) > 100 * here


@pytest.mark.parametrize("name", GROUPS)
def test_what_is_moved_gives_perceptrons_the_same_numbers(name):
    """1e-14 where all are the same to the last bit; one that comes out at the next one costs up to 1e-6."""
    group = GROUPS[name]
    g = group.sample(np.random.default_rng(0), 24)
    for encoder in (encoder_of(group, torch.float32), spread_encoder_of(group, torch.float32, LENGTH)):
        found = deviation(encoder, clouds_of(group.dim, 64, 24), g, torch.float64)
        assert max(found.values()) <= 1e-6


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_features_come_in_the_dtype_of_the_cloud(dtype):
    for encoder in (encoder_of(GROUPS["SE3"], kind) for kind in DTYPES):
        features, guesses = encoder.rounds(clouds_of(3, 20).to(dtype))
        assert all(getattr(features, part).dtype == dtype for part in PARTS)
        assert all(guess.dtype == dtype for guess in guesses)


# ------------------------------------------------------------------------------------- clouds that fix little


def poor_clouds(dim: int, draws: int = 24, points: int = 128) -> dict[str, Tensor]:
    """Clouds `(draws, d, N)` of fewer dimensions than space, or of no size or any, each about another place."""
    rng = np.random.default_rng(0)
    place, other = LENGTH * rng.standard_normal((2, draws, dim, 1))
    cloud, axes = (
        clouds_of(dim, points, draws).numpy(),
        np.linalg.qr(rng.standard_normal((draws, dim, dim)))[0],
    )
    first = np.arange(points) < points // 3
    found = {
        "one point": np.repeat(place, points, -1),
        "one point far away": np.repeat(1e8 * place, points, -1),
        "two points": np.where(first, place, other),
        "two neighbours": np.where(first, place, place * (1.0 + 1e-15)),
        "on a line": axes[..., :1] @ cloud[:, :1] + place,
        "in a plane": axes[..., :2] @ cloud[:, :2] + place,
        "tiny": 1e-12 * cloud,
        "tiny, elsewhere": 1e-12 * cloud + place,
        "huge": 1e8 * cloud,
    }
    return {name: torch.from_numpy(array) for name, array in found.items()}


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", [*NAMES, "plain"])
def test_poor_clouds_give_finite_numbers_and_gradients(name, dtype):
    group = GROUPS.get(name)
    encoder = encoder_of(group, dtype, dim=3 if group is None else group.dim)
    for kind, given in poor_clouds(encoder.out_type.dim).items():
        encoder.zero_grad()
        cloud = given.to(dtype).requires_grad_()
        features = encoder(cloud)
        assert all(getattr(features, part).isfinite().all() for part in PARTS), kind
        sum(getattr(features, part).square().mean() for part in PARTS).backward()
        assert cloud.grad.isfinite().all(), kind
        assert all(part.grad.isfinite().all() for part in encoder.parameters() if part.numel()), kind
        low, high = cloud.amin(-1, keepdim=True), cloud.amax(-1, keepdim=True)
        room = 8 * torch.finfo(dtype).eps * cloud.abs().amax()
        assert ((features.points >= low - room) & (features.points <= high + room)).all(), kind


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_poor_clouds_are_turned_along(name, dtype):
    """Axes that nothing fixes leave no trace."""
    group = GROUPS[name]
    encoder, g = encoder_of(group, dtype), group.sample(np.random.default_rng(1), 24)
    for kind, cloud in poor_clouds(group.dim).items():
        found = deviation(encoder, cloud, g, torch.float64)
        with torch.no_grad():
            sizes = {part: getattr(encoder(cloud), part).abs().max().item() for part in PARTS}
        for part, unit in zip(PARTS, (1.0, LENGTH, LENGTH), strict=True):
            relative = found[part] / (sizes[part] + unit)
            # Of a point 1e8 lengths away float64 leaves 1e-8 lengths.
            lost = max(1.0, cloud.abs().max().item() / LENGTH)
            assert relative <= (1e-11 * lost if dtype == torch.float64 else 2e-3), (kind, part)
