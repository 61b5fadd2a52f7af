"""Policies over latents of clouds: stable-baselines3's protocol, and closed loops that turn with the world."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
import torch
from cloud_model_cases import ID, cloud_model, cloud_observations, env_of, reordered, rows
from family_cases import CLOUD_FAMILIES
from policy_cases import PLANNERS

from equiworld.errors import ArgumentError
from equiworld.groups import SE3
from equiworld.planners import CEM, FlatModel, MPCPolicy, PolicyState
from equiworld.verify.certificate import certify

pytest.importorskip("mujoco")

pytestmark = pytest.mark.exact

PLANNER = CEM(horizon=3, samples=16, iterations=2, elites=4)


def policy_of(
    family: str = "latent", repeat: int = 1, planner=PLANNER, dtype="float64", door=True, **settings
) -> MPCPolicy:
    model = cloud_model(family, **settings)
    model.action_repeat = repeat
    return MPCPolicy(model, planner, dtype=dtype, door=door)


# ------------------------------------------------------------------------------------------- the protocol


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("family", CLOUD_FAMILIES)
def test_one_observation_or_many(family, dtype):
    policy, observations = MPCPolicy(cloud_model(family), PLANNER, dtype=dtype), cloud_observations()
    space = env_of().action_space
    action, state = policy.predict(rows(observations, 0))
    assert action.shape == (3,)
    assert action.dtype == np.float64
    assert space.contains(action)
    assert isinstance(state, PolicyState)
    actions, state = policy.predict(observations)
    assert actions.shape == (16, 3)
    assert np.isfinite(actions).all()
    assert all(space.contains(one) for one in actions)
    assert [part.shape for part in state] == [(16, 1, 3, 3), (16, 3, 3), *[(16, 3)] * 3, *[(16,)] * 6]
    assert not policy.inexact
    assert policy.predict(rows(observations, slice(0, 1)))[0].shape == (1, 3)
    if dtype == "float64":
        for index in (0, 7):
            alone, _ = policy.predict(rows(observations, index))
            assert np.allclose(alone, actions[index], rtol=0, atol=1e-9)


def test_the_state_carries_everything_and_episodes_begin_where_the_mask_says():
    observations, policy, twin = cloud_observations(), policy_of(repeat=2), policy_of(repeat=2)
    fresh, state = policy.predict(observations)
    first, after = policy.predict(observations, state)
    assert np.array_equal(twin.predict(observations, state)[0], first)
    assert after.steps.tolist() == [2] * 16
    again, state = policy.predict(observations, after, np.arange(16) < 4)
    assert np.allclose(again[:4], fresh[:4], rtol=0, atol=1e-9)
    assert not np.allclose(again[4:], fresh[4:], rtol=0, atol=1e-6)
    assert state.decisions.tolist() == [1] * 4 + [2] * 12


def test_the_goal_is_planned_for():
    """Another goal, another action; negative control of all that follows."""
    policy, observations = policy_of(), cloud_observations()
    actions, _ = policy.predict(observations)
    other, _ = policy.predict(observations | {"goal_cloud": observations["goal_cloud"][::-1]})
    assert np.abs(actions - other).max() > 1e-3


@pytest.mark.parametrize("envs", [2, None])
def test_evaluate_policy_takes_it_as_it_is(envs):
    pytest.importorskip("stable_baselines3")
    from stable_baselines3.common.evaluation import evaluate_policy
    from stable_baselines3.common.vec_env import DummyVecEnv

    def make():
        return gym.make(ID, points=64, max_episode_steps=4)

    env = make() if envs is None else DummyVecEnv([make] * envs)
    rewards, lengths = evaluate_policy(
        policy_of(repeat=2), env, n_eval_episodes=3, return_episode_rewards=True, warn=False
    )
    assert lengths == [4] * 3
    assert np.isfinite(rewards).all()


# -------------------------------------------------------------------------------- turned with the world


def passive_deviation(policy: MPCPolicy) -> float:
    """The largest |π(g·o) − ρ(g)·π(o)| [m] over 3 elements, clouds shuffled."""
    observations, rng = cloud_observations(), np.random.default_rng(0)
    symmetry, worst = policy.symmetry, 0.0
    actions, _ = policy.predict(observations)
    for g in [SE3().near_identity(rng), *SE3().sample(rng, n=2, scale=2.0)]:
        seen = reordered(symmetry.transform_observation(g, observations), rng)
        turned, _ = policy.predict(seen)
        worst = max(worst, float(np.abs(turned - symmetry.transform_action(g, actions)).max()))
    return worst


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("family", CLOUD_FAMILIES)
def test_what_is_seen_turned_is_answered_turned(family, dtype):
    """Whatever eyes the model has, and in whatever order it sees the points."""
    assert passive_deviation(policy_of(family, dtype=dtype)) <= 1e-9


@pytest.mark.parametrize("planner", PLANNERS)
def test_with_every_planner(planner):
    assert passive_deviation(policy_of("latent-mlp", planner=PLANNERS[planner], dtype="float32")) <= 1e-9


@pytest.mark.parametrize("family", ["latent", "latent-mlp"])
def test_without_the_door_it_is_not(family):
    """Negative control."""
    assert passive_deviation(policy_of(family, door=False)) > 1e-2


def closed_loop_deviation(policy: MPCPolicy, seed: int = 0, steps: int = 6) -> tuple[float, float]:
    """How far worlds started at g·s come from g·(the world started at s), and how far the body went [m].

    Each has a call of its own; nobody is told.
    """
    rng = np.random.default_rng(1)
    elements = [SE3().identity(), SE3().near_identity(rng), *SE3().sample(rng, n=1, scale=1.0)]
    envs = [env_of() for _ in elements]
    resets = [
        env.reset(seed=seed, options={"group_element": g}) for env, g in zip(envs, elements, strict=True)
    ]
    seen, infos = [list(column) for column in zip(*resets, strict=True)]
    symmetry, states, worst, start = policy.symmetry, [None] * len(envs), 0.0, infos[0]["body_pos"]
    for _ in range(steps):
        for index, env in enumerate(envs):
            action, states[index] = policy.predict(seen[index], states[index])
            seen[index], _, _, _, infos[index] = env.step(action)
        for g, one, info in zip(elements, seen, infos, strict=True):
            expected, told = symmetry.transform_observation(g, seen[0]), symmetry.transform_info(g, infos[0])
            for name in expected:
                worst = max(worst, float(np.abs(one[name] - expected[name]).max()))
            for name in ("body_pos", "body_rotation"):
                worst = max(worst, float(np.abs(info[name] - told[name]).max()))
    return worst, float(np.linalg.norm(infos[0]["body_pos"] - start))


@pytest.mark.parametrize(
    ("family", "repeat", "dtype"),
    [("latent", 1, "float64"), ("latent", 2, "float32"), ("latent-mlp", 1, "float32")],
)
def test_a_world_started_turned_stays_turned(family, repeat, dtype):
    policy = policy_of(family, repeat, dtype=dtype)
    deviations, moved = zip(*(closed_loop_deviation(policy, seed) for seed in range(3)), strict=True)
    assert max(deviations) <= 1e-9
    assert max(moved) > 1e-3  # there was contact


@pytest.mark.parametrize("family", ["latent"])
def test_a_world_started_turned_does_not_stay_turned_without_the_door(family):
    """Negative control."""
    assert closed_loop_deviation(policy_of(family, door=False))[0] > 1e-3


# ------------------------------------------------------------------------------------------ bad arguments


def test_bad_observations_are_refused_by_field():
    policy, good = policy_of(), rows(cloud_observations(), 0)
    spoilt = good["cloud"].copy()
    spoilt[7] = np.nan
    wrong = {
        r"no key 'goal_cloud'": {name: array for name, array in good.items() if name != "goal_cloud"},
        r"no key 'cloud'": {name: array for name, array in good.items() if name != "cloud"},
        r"no key 'agent_pos'": {name: array for name, array in good.items() if name != "agent_pos"},
        r"^cloud: got NaN or infinity": good | {"cloud": spoilt},
        r"^goal_cloud: got NaN or infinity": good | {"goal_cloud": spoilt},
        r"^cloud: got shape \(1, 191\)": good | {"cloud": good["cloud"][:-1]},
        r"^goal_cloud: got shape \(1, 190\)": good | {"goal_cloud": good["goal_cloud"][:-2]},
        r"^cloud: got shape \(1, 0\)": good | {"cloud": np.zeros(0)},
        r"^cloud: got dtype <U": good | {"cloud": np.full(192, "a")},
        r"^agent_vel: got shape \(1, 2\)": good | {"agent_vel": np.zeros(2)},
        r"observation: got .*ndarray; expected a mapping": np.zeros(390),
        r"undeclared key 'colour'": good | {"colour": np.zeros(3)},
    }
    for message, observation in wrong.items():
        with pytest.raises(ArgumentError, match=message):
            policy.predict(observation)
    many = cloud_observations()
    for name in ("cloud", "goal_cloud"):
        for count in (5, 20):
            message = rf"{name}: got leading shape \({count},\); expected \(16,\)"
            with pytest.raises(ArgumentError, match=message):
                policy.predict(many | {name: np.resize(many[name], (count, 192))})
    with pytest.raises(ArgumentError, match=r"state: got of 16 environments"):
        policy.predict(good, policy.predict(cloud_observations())[1])


def test_clouds_of_other_sizes_are_planned_from():
    policy, space = policy_of(), env_of().action_space
    for points in (1, 5, 200):
        actions, _ = policy.predict(cloud_observations(3, points))
        assert all(space.contains(action) for action in actions)
    mixed = cloud_observations(3, 20) | {"goal_cloud": cloud_observations(3, 5)["goal_cloud"]}
    assert np.isfinite(policy.predict(mixed)[0]).all()


# ------------------------------------------------------------------------------------- elsewhere in the library


def test_other_libraries_plan_in_the_latent():
    model, observations = cloud_model("latent").double(), cloud_observations()
    flat = FlatModel(model)
    x = flat.state(observations)
    assert x.shape == (16, model.latent.feature_type().size)
    action = 0.01 * torch.randn(16, 3, generator=torch.Generator().manual_seed(0)).double()
    expected = model.predict(model.encode(observations), action)
    assert torch.equal(flat.dynamics(x, action), expected.flatten())
    assert flat.running_cost(x, action).shape == (16,)


@pytest.mark.parametrize("shape", ["bottle", "bracket"])
def test_plans_say_how_degenerate_their_frame_is(shape):
    observations = cloud_observations()
    plan = policy_of().plan(observations)
    assert ((plan.degeneracy >= 0) & (plan.degeneracy <= 1)).all()
    env = env_of(shape=shape)
    observation, _ = env.reset(seed=0)
    alone = policy_of().plan(observation)
    assert torch.isfinite(alone.actions).all()
    assert 0 <= float(alone.degeneracy) < 1


def test_a_body_that_lies_where_it_should_fixes_the_frame_unless_it_is_a_ball():
    """The end-effector at rest in the middle of both clouds: what is left is what the body's cloud looks like."""
    observation = dict(cloud_observations(4))
    middle = observation["cloud"].reshape(4, -1, 3).mean(1)
    observation |= {"goal_cloud": observation["cloud"], "agent_pos": middle, "agent_vel": np.zeros((4, 3))}
    _, state = policy_of().predict(observation)
    assert not state.degenerate.any()
    # Every point and its mirror image: the cloud leans nowhere.
    half = observation["cloud"].reshape(4, -1, 3)[:, : observation["cloud"].shape[1] // 6] - middle[:, None]
    ball = np.concatenate([middle[:, None] + half, middle[:, None] - half], 1).reshape(4, -1)
    _, state = policy_of().predict(observation | {"cloud": ball, "goal_cloud": ball})
    assert state.degenerate.all()


def test_errors_do_not_grow_from_step_to_step_a_kilometre_away():
    """A frame of the body: one of the pusher would feed errors of its place back into its direction."""
    certificate = certify(
        policy_of(), env_of(), elements=2, episodes=2, steps=30, seed=8_000_000, translation_scale=1000.0
    )
    assert certificate.degenerate == 0
    assert certificate.max_deviation <= 1e-9


def test_the_policy_alone_turns_with_what_it_is_shown():
    """Passive: the simulator is as ever, and the policy is shown it turned."""
    certificate = certify(
        policy_of(),
        env_of(),
        elements=4,
        episodes=2,
        steps=4,
        modes=("passive",),
        error="mean_point_distance",
    )
    assert certificate.passed, str(certificate)


@pytest.mark.parametrize("door", [True, False])
def test_clouds_of_another_size_than_declared_are_planned_from(door):
    policy = MPCPolicy(cloud_model("latent"), PLANNER, door=door)
    for points in (20, 100):
        actions, _ = policy.predict(cloud_observations(2, points))
        assert actions.shape == (2, 3)
        assert np.isfinite(actions).all()
