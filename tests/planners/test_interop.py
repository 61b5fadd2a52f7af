"""Our models in other libraries' planners, and other libraries' policies in ours."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
import torch
from policy_cases import ENV, PLANNER, model_of, rows

from equiworld.errors import ArgumentError
from equiworld.groups import SE2
from equiworld.models import WorldModel
from equiworld.planners import CEM, ActionCost, FlatModel, MPCPolicy, Task
from equiworld.symmetry import Features, Heading, Point, Symmetry, Vector, register_symmetry, symmetry_of


@pytest.fixture
def flat() -> FlatModel:
    return FlatModel(model_of().double())


def test_flat_functions_are_the_model(flat, observations):
    x = flat.state(observations)
    assert x.shape == (16, 8)
    z = flat.model.encode(observations)
    action = torch.randn(16, 2, generator=torch.Generator().manual_seed(0)).double() * 20
    expected = flat.model.predict(z, action)
    assert torch.equal(flat.dynamics(x, action), expected.flatten())
    single = flat.state(rows(observations, 3))
    assert torch.equal(single, x[3:4])
    assert flat.running_cost(x, action).shape == (16,)  # all for the goal of that one observation
    assert not flat.dynamics(x, action).requires_grad


def test_every_observation_is_charged_for_its_own_goal(flat, observations):
    still = torch.zeros(16, 2).double()
    alone = [flat.running_cost(flat.state(rows(observations, row)), still[:1]) for row in range(16)]
    x = flat.state(observations)
    found = flat.running_cost(x, still)
    assert torch.allclose(found, torch.cat(alone), rtol=1e-12)
    assert torch.equal(
        flat.running_cost(torch.stack([x, x]), torch.stack([still, still])), found.expand(2, 16)
    )
    flat.state(rows(observations, 0))
    assert not torch.allclose(flat.running_cost(x, still), found)  # all of them for the goal of the first


def test_states_of_another_number_than_the_goals_are_refused(flat, observations):
    action = torch.zeros(5, 2).double()
    with pytest.raises(ArgumentError, match=r"goal: got None; expected state\(observation\)"):
        flat.running_cost(torch.zeros(5, 8).double(), action)
    x = flat.state(observations)
    for wrong in (x[:5], x[0]):
        with pytest.raises(ArgumentError, match=r"state: got shape .*expected shape \(…, 16, n\)"):
            flat.running_cost(wrong, action)


def test_the_cost_protocol_sums_what_rollouts_cost(flat, observations):
    candidates = torch.randn(16, 5, 3, 2, generator=torch.Generator().manual_seed(0)).double() * 20
    info = {
        name: torch.as_tensor(array)[:, None].expand(-1, 5, -1) for name, array in observations.items()
    } | {"pixels": torch.zeros(16, 5, 3)}
    found = flat.get_cost(info, candidates)
    assert found.shape == (16, 5)
    for env in (0, 7):
        x, total = flat.state(rows(observations, env)), 0.0
        for step in range(3):
            x = flat.dynamics(x, candidates[env, 2, step : step + 1])
            total = total + flat.running_cost(x, candidates[env, 2, step : step + 1])
        assert torch.allclose(found[env, 2], total[0], rtol=1e-12)
    assert next(flat.parameters()).dtype == torch.float64


def test_pytorch_mppi_takes_it(flat, observations):
    pytorch_mppi = pytest.importorskip("pytorch_mppi")
    x = flat.state(rows(observations, 0))[0]
    controller = pytorch_mppi.MPPI(
        flat.dynamics,
        flat.running_cost,
        nx=8,
        noise_sigma=torch.eye(2).double() * 400,
        num_samples=64,
        horizon=3,
        u_min=torch.tensor([-100.0, -100.0]).double(),
        u_max=torch.tensor([100.0, 100.0]).double(),
    )
    action = controller.command(x)
    assert action.shape == (2,)
    assert action.isfinite().all()


# ------------------------------------------------------------------------------------------------- a prior


class Pusher:
    """Always pushes towards the block, in the manner of stable-baselines3's policies."""

    def __init__(self) -> None:
        self.asked: list[dict[str, np.ndarray]] = []

    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        self.asked.append(observation)
        return 0.5 * (observation["block_pos"] - observation["agent_pos"]), None


def test_what_a_prior_would_do_is_among_the_candidates(observations):
    """Nothing else is tried but rest: the prior's first action, held, as keypoints cannot be imagined."""
    prior = Pusher()
    planner = CEM(horizon=3, samples=2, iterations=1, elites=1)
    policy = MPCPolicy(model_of(), planner, dtype="float64", prior=prior, task=Task(cost=-1 * ActionCost()))
    action, state = policy.predict(observations)
    expected = 0.5 * (observations["block_pos"] - observations["agent_pos"])
    near = np.linalg.norm(expected, axis=-1) < 100
    assert near.sum() > 5
    grid = 100 * 2.0**-20  # [px] of what it is asked on
    assert np.allclose(action[near], expected[near], rtol=0, atol=grid)
    planned = np.einsum("bij,bhj->bhi", state.rotation, state.plan[:, 0])
    assert np.allclose(planned[near], expected[near][:, None], rtol=0, atol=grid)
    assert len(prior.asked) == 1


class Eastward:
    """Knows nothing of any symmetry."""

    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        way = np.array([80.0, 0.0]) + 0.1 * observation["goal_pos"] - 0.05 * observation["agent_pos"]
        return way, None


def test_a_prior_is_asked_in_the_frame_and_needs_no_symmetry_of_its_own(observations):
    settings = {"prior": Eastward(), "task": Task(cost=-1 * ActionCost()), "dtype": "float32"}
    planner = CEM(horizon=3, samples=8, iterations=1, elites=1)
    for door in (True, False):
        policy = MPCPolicy(model_of("mlp"), planner, door=door, **settings)
        action, _ = policy.predict(observations)
        g = SE2().sample(np.random.default_rng(0), 16, scale=100.0)
        turned, _ = policy.predict(policy.symmetry.transform_observation(g, observations))
        apart = np.abs(turned - policy.symmetry.transform_action(g, action)).max()
        assert apart <= 1e-9 if door else apart > 1.0  # and the negative control


@pytest.mark.parametrize("door", [True, False])
def test_a_prior_sees_all_that_is_observed(door, observations):
    """Also what neither the model nor the cost looks at: it was trained on whole observations."""
    seen = []

    class Whole:
        def predict(self, observation, state=None, episode_start=None, deterministic=True):
            seen.append(observation)
            return np.zeros_like(observation["agent_pos"]), None

    MPCPolicy(model_of(), PLANNER, prior=Whole(), door=door).predict(observations)
    assert set(seen[0]) == set(observations)


class Walk(gym.Env):
    """A point in the plane that sees where it is going."""

    observation_space = gym.spaces.Dict(
        {
            name: gym.spaces.Box(-10, 10, (size,), np.float64)
            for name, size in (("position", 2), ("way", 1), ("target", 2))
        }
    )
    action_space = gym.spaces.Box(-1, 1, (2,), np.float64)


def test_a_prior_is_asked_again_where_the_model_says_what_it_will_see():
    symmetry = Symmetry(
        SE2(),
        {"position": Point(), "way": Heading(), "target": Point()},
        action=Vector(),
        goal=("target",),
        centre=(1.0, 2.0),
    )
    register_symmetry("tests/Walk-v0", symmetry)
    gym.register("tests/Walk-v0", Walk)
    asked = []

    class Homing:
        def predict(self, observation, state=None, episode_start=None, deterministic=True):
            asked.append(observation)
            return 0.1 * (observation["target"] - observation["position"]), None

    def cost(states, channels, goal, goal_channels):
        away = states.select(channels["position"]) - goal.select(goal_channels["target"])
        return away.square().sum((-2, -1))

    model = WorldModel.for_env("tests/Walk-v0", "state", hidden=(8,), periodic=0)
    policy = MPCPolicy(model, CEM(horizon=4, samples=8, elites=2), prior=Homing(), task=Task(cost=cost))
    seen = {"position": np.array([1.5, 2.5]), "way": np.array([0.3]), "target": np.array([0.0, 1.0])}
    policy.predict(seen)
    assert len(asked) == 4
    # It sees its frame: distances are those of the world, and so is the goal while the position moves on.
    for one in asked:
        assert set(one) == set(seen)
    way = [one["target"] - one["position"] for one in asked]
    assert np.linalg.norm(way[0]) == pytest.approx(np.hypot(1.5, 1.5), abs=1e-5)
    following = policy.model.predict(
        policy.model.encode(asked[0]), torch.as_tensor(0.1 * way[0], dtype=torch.float32)
    )
    arrays = symmetry.observation_arrays(following)
    assert np.allclose(asked[1]["position"], arrays["position"], atol=1e-5)
    assert np.array_equal(asked[1]["target"], asked[0]["target"])
    assert not np.allclose(asked[1]["position"], asked[0]["position"], atol=1e-3)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((np.zeros((16, 3)), None), r"actions of shape \(16, 3\); expected shape \(16, 2\)"),
        ((np.zeros(2), None), r"actions of shape \(2,\)"),
        ((np.full((16, 2), np.nan), None), "NaN or infinity"),
        ((None, None), "dtype object; expected real numbers"),
        (None, "one whose predict returned a NoneType"),
    ],
    ids=["size", "one row", "NaN", "no action", "nothing"],
)
def test_what_a_prior_does_is_checked(answer, told, observations):
    class Fixed:
        def predict(self, observation, state=None, episode_start=None, deterministic=True):
            return self.answer

    for horizon in (1, 3):
        prior = Fixed()
        policy = MPCPolicy(model_of(), CEM(horizon=horizon, samples=4, elites=2), prior=prior)
        prior.answer = answer
        with pytest.raises(ArgumentError, match=f"prior: got {told}"):
            policy.predict(observations)
        prior.answer = np.zeros((16, 2), np.float32), None
        assert policy.predict(observations)[0].shape == (16, 2)


def test_what_has_no_predict_is_no_prior():
    with pytest.raises(ArgumentError, match="prior: got int; expected a policy with predict"):
        MPCPolicy(model_of(), PLANNER, prior=3)


def test_observations_come_back_from_their_features(observations):
    symmetry = symmetry_of(ENV)
    for names in (None, symmetry.goal):
        features = symmetry.to_features(observations, names, torch.float64)
        for name, array in symmetry.observation_arrays(features, names).items():
            assert np.allclose(array, observations[name], rtol=0, atol=1e-9)
    with pytest.raises(ArgumentError, match="features: got FeatureType"):
        symmetry.observation_arrays(Features.zeros(symmetry.action.feature_type(2), (3,), torch.float32))
