"""Latents of clouds that turn with the world: exactly for those that claim it, and only for those."""

from __future__ import annotations

import copy
from functools import lru_cache

import numpy as np
import pytest
import torch
from cloud_model_cases import (
    CONFIG,
    RICH,
    cloud_data,
    cloud_model,
    cloud_observations,
    reordered,
    some_actions,
)
from family_cases import CLOUD_FAMILIES

from equiworld.groups import O3, SE3
from equiworld.models import FAMILIES, WorldModel
from equiworld.training import train
from equiworld.verify.equivariance import EquivarianceReport, equivariance_residual
from equiworld.verify.representations import as_representation

pytest.importorskip("mujoco")

EXACT = [name for name in CLOUD_FAMILIES if FAMILIES[name].equivariant]
OTHERS = [name for name in CLOUD_FAMILIES if name not in EXACT]


@lru_cache
def model_of(family: str, steps: int = 0, rich: bool = True) -> WorldModel:
    """A model before training, or after that many steps of its encoder."""
    model = cloud_model(family, **(RICH if rich else {}))
    settings = {name: getattr(CONFIG, name) for name in ("steps", "batch_size", "joint_steps")}
    return train(model, cloud_data(), type(CONFIG)(encoder_steps=steps, **settings)) if steps else model


def report_of(model: WorldModel, dtype: torch.dtype, far: float = 0.1, group=None) -> EquivarianceReport:
    """encode, predict and encode_goal at observations moved up to `far` [m] and shuffled."""
    model = copy.deepcopy(model).to(dtype)
    symmetry, rng = model.symmetry, np.random.default_rng(0)

    def step(observation, action):
        observation = reordered(observation, rng)
        z = model.encode(observation)
        following = model.predict(z, torch.as_tensor(action, dtype=dtype))
        return z, following, model.encode_goal(observation)

    observation, action = cloud_observations(), some_actions()
    fields = {name: symmetry.observation[name] for name in observation}
    source = as_representation("observation", (fields, symmetry.action), 3, np.zeros(3), far)
    source.sample = lambda *_: (observation, action)  # type: ignore
    state, goal = model.latent.feature_type(), model.latent.feature_type(model.latent.goal)
    name = str(dtype).removeprefix("torch.")
    return equivariance_residual(step, source, (state, state, goal), group or symmetry.group, dtype=name)


@pytest.mark.exact
@pytest.mark.parametrize("far", [0.1, 1.0, 100.0])
@pytest.mark.parametrize("family", EXACT)
def test_exact_before_and_after_training(family, far):
    """Keypoints that training has hardly spread make poor axes, which magnify rounding.

    Besides, float64 is 1e3 times as coarse at 100 m as at 0.1 m, and float32 too coarse to see the body at all.
    """
    lost = max(1.0, far / 0.1)
    for steps in (0, 60):
        model = model_of(family, steps)
        for dtype, tolerance in ((torch.float64, 1e-11 * lost), (torch.float32, 1e-2)):
            report = report_of(model, dtype, far)
            assert report.elements >= 24
            assert report.finite
            assert not report.constant
            assert len(report.residuals) == 9, "scalars, vectors and points of all three"
            if dtype == torch.float64 or far < 10:
                assert report.residual <= tolerance, str(report)


@pytest.mark.exact
@pytest.mark.parametrize("family", EXACT)
def test_exact_to_twelve_digits_once_keypoints_are_spread(family):
    model = model_of(family, 600, rich=False)
    for dtype, tolerance in ((torch.float64, 1e-12), (torch.float32, 1e-3)):
        report = report_of(model, dtype)
        assert not report.constant
        assert report.residual <= tolerance, str(report)


@pytest.mark.parametrize("steps", [0, 20])
@pytest.mark.parametrize("family", OTHERS)
def test_other_families_fail_the_same_check(family, steps):
    """Negative control: the check can tell, and a little augmentation changes nothing about it."""
    report = report_of(model_of(family, steps), torch.float64)
    assert report.finite
    assert not report.passed
    assert report.residual > 1e-2


def test_a_model_of_rotations_fails_under_reflections():
    """Negative control; a pose or a torque has a handedness, and so may its model."""
    report = report_of(model_of("latent"), torch.float64, group=O3())
    assert report.reflections > 0
    assert report.residual > 1e-2


def test_the_smallest_preferred_direction_is_found():
    """Negative control."""
    model = copy.deepcopy(model_of("latent", 60))
    model.dynamics.register_forward_hook(lambda module, arguments, found: found.map(lambda each: each + 1e-8))
    assert report_of(model, torch.float64).residual > 1e-10


@pytest.mark.exact
@pytest.mark.parametrize("family", ["latent", "latent-mlp-centred", "latent-augmented"])
def test_centred_families_commute_with_translations(family):
    model, observation = copy.deepcopy(model_of(family)).double(), cloud_observations()
    action = torch.as_tensor(some_actions())
    z = model.predict(model.encode(observation), action)
    for shift in ([0.3, -1.0, 0.2], [0.0, 60.0, -80.0]):
        g = SE3().translation(shift)
        moved = model.symmetry.transform_observation(g, observation)
        found, expected = model.predict(model.encode(moved), action), z.transform(g)
        assert (found.points - expected.points).abs().max() <= 1e-10
        assert (found.vectors - expected.vectors).abs().max() <= 1e-10
    plain = copy.deepcopy(model_of("latent-mlp")).double()
    there = plain.encode(
        plain.symmetry.transform_observation(SE3().translation([0.3, 0.0, 0.0]), observation)
    )
    shifted = plain.encode(observation).transform(SE3().translation([0.3, 0.0, 0.0]))
    assert (there.vectors - shifted.vectors).abs().max() > 1e-3  # negative control


@pytest.mark.exact
@pytest.mark.parametrize("far", [1e3, 1e5, 4e6])
@pytest.mark.parametrize("steps", [0, 60])
def test_in_float32_a_world_far_away_is_encoded_as_one_nearby(far, steps):
    """Points come out as float32 can say them so far away; vectors and scalars know no distance."""
    model, observation = model_of("latent", steps), cloud_observations()
    exact = copy.deepcopy(model).double()
    g = SE3().translation(far * np.array([0.6, -0.48, 0.64]))
    moved = model.symmetry.transform_observation(g, observation)
    for encode, truth in ((model.encode, exact.encode), (model.encode_goal, exact.encode_goal)):
        here, there, wanted = encode(observation), encode(moved), truth(observation)
        assert {here.dtype, there.dtype} == {torch.float32}
        for part in ("vectors", "scalars"):
            near, distant = (
                (getattr(found, part) - getattr(wanted, part)).abs().max().item() for found in (here, there)
            )
            assert 0 < distant <= 5 * near, part
        room = torch.finfo(torch.float32).eps * far
        assert (there.points - wanted.transform(g).points).abs().max() <= room + 1e-5
