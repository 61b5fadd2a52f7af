"""What every family of world models keeps."""

from __future__ import annotations

import copy
import random
from dataclasses import replace
from types import SimpleNamespace

import gym_pusht  # noqa: F401  registers the stock environment
import gymnasium as gym
import numpy as np
import pytest
import torch
from family_cases import STATE_FAMILIES
from model_cases import (
    TOYS,
    made,
    observations_of,
    one_of,
    residual,
    trained,
)

import equiworld.envs  # noqa: F401  registers PushT
from equiworld.errors import ArgumentError, UnknownNameError
from equiworld.groups import SE2
from equiworld.models import FAMILIES, Plain, WorldModel, register_family
from equiworld.symmetry import Bound, Cloud, Heading, Point, Scalar, Symmetry, Vector, register_symmetry
from equiworld.training import collect


@pytest.mark.parametrize("family", STATE_FAMILIES)
def test_shapes_of_one_observation_and_of_many(env, family):
    model = made(env, family).double()
    observation, action = observations_of(env)
    kind = model.symmetry.feature_type()
    z = model.encode(observation)
    assert (z.type, z.batch_shape, z.dtype) == (kind, (6,), torch.float64)
    following = model.predict(z, torch.as_tensor(action))
    assert (following.type, following.batch_shape) == (kind, (6,))
    assert following.flatten().isfinite().all()
    assert not torch.equal(following.flatten(), z.flatten())
    single = model.encode(one_of(observation, 2))
    assert single.batch_shape == ()
    alone = model.predict(single, torch.as_tensor(action[2])).flatten()
    assert torch.allclose(alone, following[2].flatten(), atol=1e-9)


@pytest.mark.parametrize("family", STATE_FAMILIES)
def test_actions_come_as_arrays_or_as_features(env, family):
    model = made(env, family)
    observation, action = observations_of(env)
    z, features = model.encode(observation), model.symmetry.action_features(action)
    ours = model.predict(z, torch.as_tensor(action, dtype=torch.float32)).flatten()
    assert torch.allclose(model.predict(z, features).flatten(), ours, atol=1e-4)


@pytest.mark.parametrize("family", STATE_FAMILIES)
def test_a_rollout_is_repeated_prediction(env, family):
    model = made(env, family)
    observation, _ = observations_of(env)
    z = model.encode(observation)
    actions = torch.randn(6, 3, 2, generator=torch.Generator().manual_seed(0))
    states = model.rollout(z, actions)
    assert states.batch_shape == (3, 6)
    for step in range(3):
        z = model.predict(z, actions[:, step])
        assert torch.equal(states[step].flatten(), z.flatten())


@pytest.mark.parametrize("family", STATE_FAMILIES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_headings_keep_unit_length(family, dtype, trained_models, pusht_data):
    model = copy.deepcopy(trained_models[family]).to(dtype)
    channel = model.symmetry.channels()["block_heading"]
    z, action, _ = pusht_data.features(dtype)
    actions = action.vectors[..., 0][:, None].expand(-1, 5, -1)
    length = model.rollout(z, actions).select(channel).norm(dim=-2)
    assert (length - 1).abs().max() <= 4 * torch.finfo(dtype).eps
    assert isinstance(model.symmetry.observation["block_heading"], Heading)


@pytest.mark.parametrize("family", STATE_FAMILIES)
def test_one_seed_means_one_set_of_bits_and_the_global_generators_are_left_alone(family):
    env = gym.make("equiworld/PushT-v0")
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    one, same, other = (made(env, family, seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002
    assert before[2] == random.getstate()
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("family", STATE_FAMILIES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_a_loaded_model_is_the_saved_one_to_the_last_bit(family, dtype, pusht_data, tmp_path):
    model = trained(made(gym.make("equiworld/PushT-v0"), family).to(dtype), pusht_data, steps=5)
    loaded = WorldModel.load(model.save(tmp_path / "new" / "model"))
    assert loaded.recipe == model.recipe
    assert loaded.describe() == model.describe()
    assert loaded.symmetry == model.symmetry
    assert not loaded.training
    states = model.state_dict(), loaded.state_dict()
    assert list(states[0]) == list(states[1])
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    z, action, _ = pusht_data.features(dtype)
    assert torch.equal(model.predict(z, action).flatten(), loaded.predict(z, action).flatten())


def test_a_new_family_needs_one_line():
    register_family("doubled", replace(FAMILIES["mlp"], network=Plain(hidden=(512,))))
    try:
        model = WorldModel.for_env("equiworld/PushT-v0", "doubled", periodic=0)
        assert (model.family, model.recipe.network) == ("doubled", Plain(hidden=(512,), periodic=0))
    finally:
        del FAMILIES["doubled"]


def test_action_bounds_are_those_of_the_space():
    ours = WorldModel.for_env("equiworld/PushT-v0", hidden=(8,))
    assert ours.action_bound == (Bound(radius=100.0, size=2, item=2),)
    assert ours.action_space.dtype == "float64"
    assert not ours.single
    stock = WorldModel.for_env(gym.make("gym_pusht/PushT-v0", obs_type="state"), hidden=(8,))
    assert stock.action_bound == (Bound(radius=256.0, size=2, item=2),)
    assert stock.action_space.low == (0.0, 0.0)
    assert stock.action_space.high == (512.0, 512.0)


def test_errors_name_what_is_wrong_and_what_there_is():
    env = gym.make("equiworld/PushT-v0")
    with pytest.raises(UnknownNameError, match=r"family: got 'stat' \(did you mean 'state'\?\).*mlp-centred"):
        WorldModel.for_env(env, "stat")
    with pytest.raises(ArgumentError, match=r"settings: got 'width'.*'canonical'.*hidden, periodic"):
        WorldModel.for_env(env, "state", width=3)
    with pytest.raises(ArgumentError, match="sizes"):
        WorldModel.for_env(env, "state", hidden=(0,))
    with pytest.raises(UnknownNameError, match=r"CartPole-v1.*equiworld/PushT-v0"):
        WorldModel.for_env("CartPole-v1")
    with pytest.raises(UnknownNameError, match=r"nope/Nothing-v0.*equiworld/PushT-v0"):
        WorldModel.for_env("nope/Nothing-v0")
    model = WorldModel.for_env(env, hidden=(8,))
    z = model.encode(env.reset(seed=0)[0])
    with pytest.raises(ArgumentError, match=r"action: got shape \(3,\); expected shape \(…, 2\)"):
        model.predict(z, torch.zeros(3))


def test_an_environment_without_continuous_actions_is_refused():
    gym.register("tests/Discrete-v0", "gymnasium.envs.classic_control:CartPoleEnv")
    register_symmetry(
        "tests/Discrete-v0", Symmetry(SE2(), {"velocity": Vector(2)}, action=Vector(), flat=True)
    )
    with pytest.raises(ArgumentError, match=r"action space Discrete\(2\).*continuous"):
        WorldModel.for_env("tests/Discrete-v0", "mlp")


@pytest.mark.parametrize("group", TOYS.values(), ids=str)
def test_a_state_without_enough_vectors_for_a_frame_is_exact_too(group):
    """What nothing fixes is not predicted: along the only vector there is, say, and not across it."""
    observation = {"speed": Vector(), "mass": Scalar()}
    model = WorldModel.for_symmetry(
        Symmetry(group, observation, action=Scalar()), "state", env_id="toy", seed=0
    ).double()
    rng = np.random.default_rng(0)
    for speed in (rng.normal(size=(32, group.dim)), np.zeros((32, group.dim))):
        state = {"speed": speed, "mass": rng.normal(size=(32, 1))}
        report = residual(model, torch.float64, state, rng.normal(size=(32, 1)))
        assert report.finite
        assert report.residual <= 1e-12, str(report)


@pytest.mark.parametrize("family", STATE_FAMILIES)
def test_points_without_an_order_are_refused(family):
    """Every family of states would take the first of them for the same point next time."""
    symmetry = Symmetry(SE2(), {"hand": Point(), "cloud": Cloud(8)}, action=Vector())
    with pytest.raises(ArgumentError, match=r"symmetry: got a state with 'cloud', points without an order"):
        WorldModel.for_symmetry(symmetry, family, env_id="toy", seed=0)


def test_auto_looks_at_how_many_transitions_there_are_where_it_is_told():
    chosen = {
        count: WorldModel.for_env("equiworld/PushT-v0", transitions=count).family
        for count in (2_000, 600_000)
    }
    assert chosen == {2_000: "state-steerable", 600_000: "state"}
    assert WorldModel.for_env("equiworld/PushT-v0").family == "state"
    data = collect("equiworld/PushT-v0", transitions=40, seed=0, workers=1)
    assert WorldModel.for_data(data).family == "state-steerable"
    assert WorldModel.for_data(SimpleNamespace(symmetry=data.symmetry, provenance={})).family == "state"


@pytest.mark.parametrize("family", STATE_FAMILIES)
def test_states_and_actions_that_do_not_pair_are_refused_by_name(env, family):
    model = made(env, family)
    observation, action = observations_of(env)
    z, actions = model.encode(observation), torch.as_tensor(action, dtype=torch.float32)
    for wrong, name, message in (
        ((z, actions[:3]), "action", r"batch shape \(3,\)"),
        ((z, actions[0]), "action", r"batch shape \(\)"),
        ((z[0], actions), "action", r"batch shape \(6,\)"),
        ((z, model.encode_goal(observation)), "action", "FeatureType"),
        ((model.action_features(actions), actions), "z", "FeatureType"),
        ((z.flatten(), actions), "z", "a Tensor"),
        ((z, actions.double()), "z", "with actions of torch.float64"),
    ):
        with pytest.raises(ArgumentError, match=f"^{name}: got .*{message}"):
            model.predict(*wrong)
    with pytest.raises(ArgumentError, match=r"^action: got batch shape \(3,\)"):
        model.rollout(z, actions[:3, None].expand(-1, 2, -1))


@pytest.mark.parametrize(
    "seed", [-1, 2**63, 10**400, True, 0.5, np.ma.masked_array([1, 2], mask=[True, False])]
)
def test_seeds_that_no_generator_takes_are_refused(env, seed):
    with pytest.raises(ArgumentError, match=r"^seed: got "):
        made(env, "state", seed=seed)
