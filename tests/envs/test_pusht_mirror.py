"""PushT under E(2): who knows of the mirror, and who was made before it or without it."""

from __future__ import annotations

from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
import torch

from equiworld.envs import GroupAction
from equiworld.errors import ArgumentError
from equiworld.groups import E2, O2, SE2
from equiworld.models import WorldModel
from equiworld.planners import CEM, MPCPolicy
from equiworld.symmetry import Door, Heading, symmetry_of
from equiworld.training import TrainingConfig, collect, train
from equiworld.verify import assert_equivariant
from equiworld.verify.certificate import certify

PLANNER = CEM(samples=16, horizon=3)
ENV = gym.make("equiworld/PushT-v0", walls=False, starts="free")
SYMMETRY = symmetry_of(ENV)


def without_mirror():
    """The declaration as it was without the mirror: rotations and shifts, headings measured from the T's first axis."""
    fields = {
        name: Heading() if isinstance(field, Heading) else field
        for name, field in SYMMETRY.observation.items()
    }
    return replace(SYMMETRY, group=SE2(), observation=fields)


@pytest.mark.exact
@pytest.mark.parametrize("family", ["state", "state-steerable"])
def test_models_commute_with_reflections_too(family):
    model = WorldModel.for_env(ENV, family).double()
    types = (SYMMETRY.feature_type(), SYMMETRY.action.feature_type(2))
    assert_equivariant(model.predict, types, SYMMETRY.feature_type(), E2())


@pytest.mark.exact
def test_the_door_shows_the_mirrored_scene_as_the_scene():
    seen = [ENV.reset(seed=seed)[0] for seed in range(60)]
    here = {name: np.stack([one[name] for one in seen]) for name in seen[0]}
    door, g = Door(SYMMETRY), E2().sample(np.random.default_rng(0), 60, scale=200.0)
    one, other = door.enter(here), door.enter(SYMMETRY.transform_observation(g, here))
    assert not one.degenerate.any()
    assert all(np.array_equal(one.observation[name], other.observation[name]) for name in here)
    apart = one.observation["agent_pos"] - one.observation["block_pos"]
    assert (apart[:, 0] < 0).all() or (apart[:, 0] > 0).all()  # always on one side of the stem
    assert np.abs(one.observation["block_heading"]).max() < 1e-6  # unturned, as without the mirror


@pytest.mark.exact
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_certificate_with_mirrors(dtype):
    policy = MPCPolicy(WorldModel.for_env(ENV, hidden=(16,)), PLANNER, dtype=dtype)
    certificate = certify(policy, ENV, elements=6, episodes=2, steps=10, seed=3)
    assert (certificate.elements.determinant < 0).any()
    assert certificate.max_deviation < 1e-8
    assert certificate.config["group"] == "E2"


def test_wrappers_take_mirrors_and_elements_of_subgroups():
    for g in (O2().reflection(0.7), SE2().rotation(0.7)):
        turned = GroupAction(gym.make("equiworld/PushT-v0"), g)
        plain, _ = gym.make("equiworld/PushT-v0").reset(seed=5)
        shown, _ = turned.reset(seed=5)
        expected = SYMMETRY.transform_observation(g, plain)
        assert all(np.abs(shown[name] - expected[name]).max() < 1e-9 for name in expected)


def test_what_was_made_without_the_mirror_stays_so(tmp_path):
    """Data and models of SE(2) say SE(2), also after training, and are certified with its elements alone."""
    data = replace(
        collect("equiworld/PushT-v0", transitions=60, seed=0, workers=1), symmetry=without_mirror()
    )
    data.save(tmp_path / "data.safetensors")
    data = type(data).load(tmp_path / "data.safetensors")
    assert data.symmetry == without_mirror()
    model = WorldModel.for_env(ENV, "state", symmetry=data.symmetry, hidden=(16,))
    train(model, data, TrainingConfig(steps=2, batch_size=8)).save(tmp_path / "model")
    loaded = WorldModel.load(tmp_path / "model")
    assert loaded.symmetry == without_mirror()
    certificate = certify(MPCPolicy(loaded, PLANNER), ENV, elements=6, episodes=1, steps=8)
    assert certificate.config["group"] == "SE2"
    assert (certificate.elements.determinant > 0).all()
    assert certificate.max_deviation < 1e-8
    # Asked for, its mirror images are tried, and the certificate does not pass.
    assert not certify(MPCPolicy(loaded, PLANNER), ENV, E2(), elements=6, episodes=1, steps=8).passed
    with pytest.raises(ArgumentError):  # the arrays mean something else to a model of the other declaration
        train(WorldModel.for_env(ENV, "state", hidden=(16,)), data, TrainingConfig(steps=2, batch_size=8))


def test_corners_as_a_state_are_modelled_under_rotations():
    """Features know no exchange of points: the model says which part of the group it knows."""
    env = gym.make("gym_pusht/PushT-v0", obs_type="environment_state_agent_pos")
    assert symmetry_of(env).group == E2()
    model = WorldModel.for_env(env)
    assert model.symmetry.group == SE2()
    observation, _ = env.reset(seed=0)
    assert model.encode(observation).points.shape[-1] == 9


def test_a_heading_in_features_is_the_direction_of_the_stem():
    observation, _ = ENV.reset(seed=1)
    arrow = SYMMETRY.to_features(observation, ["block_heading"], torch.float64).vectors[:, 0].numpy()
    corners = observation["block_keypoints"].reshape(8, 2)
    stem = corners[6:].mean(0) - corners[:2].mean(0)  # from the middle of the bar to the foot
    assert np.allclose(arrow, stem / np.linalg.norm(stem), atol=1e-12)
