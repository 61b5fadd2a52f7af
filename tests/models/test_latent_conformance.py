"""What every family of latents of clouds keeps."""

from __future__ import annotations

import copy
import random

import numpy as np
import pytest
import torch
from cloud_model_cases import (
    CONFIG,
    RICH,
    cloud_data,
    cloud_model,
    cloud_observations,
    env_of,
    reordered,
    rows,
    some_actions,
)
from family_cases import CLOUD_FAMILIES

import equiworld.envs  # noqa: F401  registers PushT
from equiworld.errors import ArgumentError
from equiworld.groups import O3, SE2, SE3
from equiworld.models import WorldModel
from equiworld.symmetry import Cloud, Point, Symmetry, Vector
from equiworld.training import train

pytest.importorskip("mujoco")

SETTINGS = [{}, RICH]


def same(one: WorldModel, other: WorldModel) -> bool:
    first, second = one.state_dict(), other.state_dict()
    return list(first) == list(second) and all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture(scope="module")
def trained_families() -> dict[str, WorldModel]:
    """Every family, trained a little."""
    return {family: train(cloud_model(family, **RICH), cloud_data(), CONFIG) for family in CLOUD_FAMILIES}


# -------------------------------------------------------------------------------------------- encode, predict


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("family", CLOUD_FAMILIES)
def test_shapes_of_one_observation_and_of_many(family, settings):
    model = cloud_model(family, **settings).double()
    observation, action = cloud_observations(), some_actions()
    kind = model.latent.feature_type()
    assert (kind.points, kind.vectors, kind.scalars) == (
        5,
        1 + settings.get("vectors", 0),
        settings.get("scalars", 0),
    )
    z = model.encode(observation)
    assert (z.type, z.batch_shape, z.dtype) == (kind, (16,), torch.float64)
    following = model.predict(z, torch.as_tensor(action))
    assert (following.type, following.batch_shape) == (kind, (16,))
    assert following.flatten().isfinite().all()
    assert not torch.equal(following.flatten(), z.flatten())
    single = model.encode(rows(observation, 2))
    assert single.batch_shape == ()
    assert torch.allclose(single.flatten(), z[2].flatten(), rtol=0, atol=1e-10)
    alone = model.predict(single, torch.as_tensor(action[2])).flatten()
    assert torch.allclose(alone, following[2].flatten(), rtol=0, atol=1e-9)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("family", CLOUD_FAMILIES)
def test_a_goal_is_encoded_as_the_same_cloud_would_be(family, settings):
    model, observation = cloud_model(family, **settings).double(), cloud_observations()
    goal = model.encode_goal(observation)
    assert goal.type == model.latent.feature_type(model.latent.goal)
    assert goal.batch_shape == (16,)
    z = model.encode(observation | {"cloud": observation["goal_cloud"]})
    here, there = model.latent.channels(), model.latent.channels(model.latent.goal)
    names = ["keypoints", *(["latent_vectors", "latent_scalars"] if settings else [])]
    for name in names:
        found, expected = goal.select(there[f"goal_{name}"]), z.select(here[name])
        assert torch.allclose(found, expected, rtol=0, atol=1e-12), name
        other = model.encode(observation).select(here[name])
        assert (found - other).abs().max() > 1e-6, name  # negative control: the goal is another place
    single = model.encode_goal(rows(observation, 3))
    assert torch.allclose(single.flatten(), goal[3].flatten(), rtol=0, atol=1e-10)


@pytest.mark.parametrize("family", CLOUD_FAMILIES)
def test_what_is_observed_beside_the_cloud_is_left_as_it_is(family):
    model, observation = cloud_model(family).double(), cloud_observations()
    z, channels = model.encode(observation), model.latent.channels()
    for name in ("agent_pos", "agent_vel"):
        assert np.array_equal(z.select(channels[name])[..., 0].detach().numpy(), observation[name])


@pytest.mark.parametrize("family", CLOUD_FAMILIES)
def test_clouds_of_any_size_are_taken(family):
    model, kind = cloud_model(family), cloud_model(family).latent.feature_type()
    for points in (1, 2, 5, 200):
        observation = cloud_observations(4, points)
        z, goal = model.encode(observation), model.encode_goal(observation)
        assert z.type == kind
        assert z.flatten().isfinite().all()
        assert goal.flatten().isfinite().all()


@pytest.mark.parametrize("family", CLOUD_FAMILIES)
def test_the_order_of_a_cloud_is_nobodys_business(family, trained_families):
    observation = cloud_observations()
    other = reordered(observation, np.random.default_rng(0))
    assert not np.array_equal(observation["cloud"], other["cloud"])
    for model in (cloud_model(family, **RICH).double(), trained_families[family]):
        tolerance = 1e-10 if model.dtype == torch.float64 else 2e-3
        for encode in (model.encode, model.encode_goal):
            apart = (encode(observation).flatten() - encode(other).flatten()).abs().max()
            assert apart <= tolerance


@pytest.mark.parametrize("family", CLOUD_FAMILIES)
def test_a_rollout_is_repeated_prediction(family):
    model = cloud_model(family)
    z = model.encode(cloud_observations())
    actions = 0.02 * torch.randn(16, 3, 3, generator=torch.Generator().manual_seed(0))
    states = model.rollout(z, actions)
    assert states.batch_shape == (3, 16)
    for step in range(3):
        z = model.predict(z, actions[:, step])
        assert torch.equal(states[step].flatten(), z.flatten())


# ----------------------------------------------------------------------------------------------- seeds, files


@pytest.mark.parametrize("family", CLOUD_FAMILIES)
def test_one_seed_means_one_set_of_bits_and_the_global_generators_are_left_alone(family):
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    one, again, other = (cloud_model(family, seed) for seed in (1, 1, 2))
    config = CONFIG
    data = cloud_data()
    assert same(one, again)
    assert not same(one, other)
    assert same(train(one, data, config), train(again, data, config))
    assert not same(one, other)
    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002
    assert before[2] == random.getstate()


@pytest.mark.parametrize("family", CLOUD_FAMILIES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_a_loaded_model_is_the_saved_one_to_the_last_bit(family, dtype, trained_families, tmp_path):
    source = trained_families[family]
    model = copy.deepcopy(source).to(dtype)
    loaded = WorldModel.load(model.save(tmp_path / "new" / "model"))
    assert loaded.recipe == model.recipe
    assert loaded.family == family
    assert loaded.dtype == dtype
    assert loaded.describe() == model.describe()
    assert (loaded.symmetry, loaded.latent) == (model.symmetry, model.latent)
    assert loaded.action_bound == source.action_bound
    assert not loaded.training
    assert same(loaded, model)
    observation, action = cloud_observations(), torch.as_tensor(some_actions(), dtype=dtype)
    for both in (
        [one.predict(one.encode(observation), action).flatten() for one in (model, loaded)],
        [one.encode_goal(observation).flatten() for one in (model, loaded)],
    ):
        assert torch.equal(*both)


# -------------------------------------------------------------------------------------------------- arguments


@pytest.mark.parametrize("family", CLOUD_FAMILIES)
def test_states_without_one_cloud_are_refused(family):
    with pytest.raises(ArgumentError, match=r"symmetry: got 0 clouds in the state.*one Cloud in the state"):
        WorldModel.for_env("equiworld/PushT-v0", family)
    with pytest.raises(ArgumentError, match=r"symmetry: got 0 clouds in the state"):
        WorldModel.for_env(env_of(points=0, observe_pose=True), family)
    two = Symmetry(SE3(), {"cloud": Cloud(8), "other": Cloud(8)}, action=Vector())
    with pytest.raises(ArgumentError, match=r"symmetry: got 2 clouds in the state"):
        WorldModel.for_symmetry(two, family, env_id="toy", seed=0)
    taken = Symmetry(SE3(), {"cloud": Cloud(8), "keypoints": Point()}, action=Vector())
    with pytest.raises(ArgumentError, match=r"symmetry: got a field 'keypoints'"):
        WorldModel.for_symmetry(taken, family, env_id="toy", seed=0)


@pytest.mark.parametrize("family", CLOUD_FAMILIES)
def test_settings_out_of_range_are_refused(family):
    for name, settings in {
        "cloud_points: got 0": {"cloud_points": 0},
        "at least 4 points": {"keypoints": 3},
        "refinements: got 0": {"refinements": 0},
        "settings: got 'depth'": {"depth": 2},
    }.items():
        with pytest.raises(ArgumentError, match=name):
            cloud_model(family, **settings)


@pytest.mark.parametrize("family", CLOUD_FAMILIES)
def test_observations_that_are_none_are_refused_by_field(family):
    model, good = cloud_model(family), rows(cloud_observations(), 0)
    for message, observation in {
        r"no key 'cloud'": {name: array for name, array in good.items() if name != "cloud"},
        r"cloud: got NaN or infinity": good | {"cloud": np.full(192, np.nan)},
        r"cloud: got shape \(191,\)": good | {"cloud": np.zeros(191)},
        r"cloud: got shape \(0,\)": good | {"cloud": np.zeros(0)},
    }.items():
        with pytest.raises(ArgumentError, match=message):
            model.encode(observation)
    with pytest.raises(ArgumentError, match=r"goal_cloud: got NaN or infinity"):
        model.encode_goal(good | {"goal_cloud": np.full(192, np.inf)})
    with pytest.raises(ArgumentError, match=r"action: got shape \(2,\); expected shape \(…, 3\)"):
        model.predict(model.encode(good), torch.zeros(2))


# ------------------------------------------------------------------------------------ other worlds than CloudPush


@pytest.mark.parametrize("family", CLOUD_FAMILIES)
@pytest.mark.parametrize("group", [SE2(), SE3(), O3()], ids=str)
def test_worlds_of_other_groups_have_latents_too(family, group):
    """Also one without a goal; reflections take the dynamics that knows them."""
    symmetry = Symmetry(group, {"hand": Point(), "cloud": Cloud(20), "speed": Vector()}, action=Vector())
    model = WorldModel.for_symmetry(symmetry, family, env_id="toy", seed=0, width=8, hidden=(8,), periodic=4)
    rng, dim = np.random.default_rng(0), group.dim
    observation = {
        "hand": rng.standard_normal((5, dim)),
        "cloud": rng.standard_normal((5, 20 * dim)),
        "speed": rng.standard_normal((5, dim)),
    }
    z = model.encode(observation)
    assert z.type == model.latent.feature_type()
    following = model.predict(z, torch.zeros(5, dim))
    assert following.flatten().isfinite().all()
    assert model.encode_goal(observation).flatten().shape == (5, 0)
