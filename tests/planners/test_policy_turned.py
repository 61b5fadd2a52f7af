"""Policies whose answers turn with the world, in open and in closed loop."""

from __future__ import annotations

import gym_pusht  # noqa: F401  registers the stock environment
import gymnasium as gym
import numpy as np
import pytest
import torch
from equiworld.envs.pusht.simulation import PushTState
from equiworld.planners import CEM, MPCPolicy, Task
from family_cases import STATE_FAMILIES
from policy_cases import ENV, EXACT, PLAIN, policy_of

from equiworld.groups import SE2
from equiworld.models import WorldModel

pytestmark = pytest.mark.exact

# -------------------------------------------------------------------------------- turned with the world


def passive_deviation(policy: MPCPolicy, observations, scale: float = 100.0) -> float:
    """The largest |π(g·o) − ρ(g)·π(o)| [px] over 24 elements."""
    symmetry, worst = policy.symmetry, 0.0
    actions, _ = policy.predict(observations)
    for g in SE2().sample(np.random.default_rng(0), n=24, scale=scale):
        turned, _ = policy.predict(symmetry.transform_observation(g, observations))
        worst = max(worst, float(np.abs(turned - symmetry.transform_action(g, actions)).max()))
    return worst


@pytest.mark.parametrize("family", STATE_FAMILIES)
def test_what_is_seen_turned_is_answered_turned(family, observations):
    deviation = passive_deviation(policy_of(family), observations)
    if family in EXACT:
        assert deviation <= 1e-9
    else:
        assert deviation > 1.0  # negative control


def closed_loop_deviation(policy: MPCPolicy, steps: int = 60) -> tuple[float, float]:
    """How far a world started at g·s comes from g·(the world started at s), and how far the block went [px].

    Six copies in one batch: the first as it is, the others turned and shifted; nobody is told.
    """
    elements = [SE2().identity(), *SE2().sample(np.random.default_rng(1), n=5, scale=300.0)]
    envs = [gym.make(ENV, walls=False) for _ in elements]
    # At rest beside the block, near enough for a policy that knows nothing to hit it.
    options = {"state": PushTState((250.0, 330.0), (0.0, 0.0), (250.0, 250.0, 0.5), (300.0, 200.0, 1.0))}
    seen = [
        env.reset(options=options | {"group_element": g})[0] for env, g in zip(envs, elements, strict=True)
    ]
    symmetry, state, worst, start = policy.symmetry, None, 0.0, seen[0]["block_pos"]
    for _ in range(steps):
        stacked = {name: np.stack([one[name] for one in seen]) for name in seen[0]}
        actions, state = policy.predict(stacked, state)
        seen = [env.step(action)[0] for env, action in zip(envs, actions, strict=True)]
        for g, one in zip(elements, seen, strict=True):
            expected = symmetry.transform_observation(g, seen[0])
            for name in ("agent_pos", "block_pos", "block_keypoints"):
                worst = max(worst, float(np.abs(one[name] - expected[name]).max()))
    return worst, float(np.linalg.norm(seen[0]["block_pos"] - start))


@pytest.mark.parametrize("family", EXACT)
@pytest.mark.parametrize("repeat", [1, 2])
def test_a_world_started_turned_stays_turned(family, repeat):
    deviation, moved = closed_loop_deviation(policy_of(family, repeat))
    assert moved > 5  # there was contact
    assert deviation <= 1e-8


@pytest.mark.parametrize("broken", ["mlp", "mlp-centred", "augmented", "world noise"])
def test_a_plain_model_or_a_stock_sampler_does_not(broken):
    """Negative control."""
    if broken == "world noise":
        stock = CEM(horizon=3, samples=16, iterations=2, elites=4, frame=None)
        policy = policy_of(planner=stock)
    else:
        policy = policy_of(broken)
    assert closed_loop_deviation(policy, steps=20)[0] > 1.0


# -------------------------------------------------------- absolute actions, and a goal nobody observes


def to_the_corner(state, channels, goal, goal_channels):
    """The distance [px] of the agent to 60 px ahead of the block: invariant, and no goal is asked for."""
    assert goal.batch_shape[-1] == 1
    assert not goal_channels
    ahead = state.select(channels["block_pos"]) + 60.0 * state.select(channels["block_heading"])
    return (state.select(channels["agent_pos"]) - ahead)[..., 0].norm(dim=-1)


@pytest.fixture
def stock_policy() -> MPCPolicy:
    env = gym.make("gym_pusht/PushT-v0", obs_type="state")
    model = WorldModel.for_env(env, **PLAIN)
    planner = CEM(horizon=2, samples=32, iterations=2, spread=0.05)
    return MPCPolicy(model, planner, dtype="float64", task=Task(cost=to_the_corner))


@pytest.fixture
def stock_observations() -> np.ndarray:
    env = gym.make("gym_pusht/PushT-v0", obs_type="state")
    return np.stack([env.reset(seed=seed)[0] for seed in range(16)]).astype(np.float64)


def test_actions_that_are_points_start_from_the_body(stock_policy, stock_observations):
    """Not from the corner of the screen, which is where zeros are."""
    actions, _ = stock_policy.predict(stock_observations)
    assert actions.shape == (16, 2)
    assert np.linalg.norm(actions - stock_observations[:, 2:4], axis=-1).max() < 60
    single, state = stock_policy.predict(stock_observations[3])
    assert np.allclose(single, actions[3], rtol=0, atol=1e-9)
    assert gym.make("gym_pusht/PushT-v0").action_space.contains(single.astype(np.float32))
    assert stock_policy.predict(stock_observations[3], state)[0].shape == (2,)


def test_actions_that_are_points_turn_with_the_world_unless_boxed(stock_policy, stock_observations):
    centred = stock_observations.copy()
    centred[:, 2:4] = 256 + (centred[:, 2:4] - 256) / 4
    stock_policy.bound = type(stock_policy.bound)(low=torch.zeros(2) + 240, high=torch.zeros(2) + 270)
    assert passive_deviation(stock_policy, centred, scale=5.0) > 1.0  # negative control
    stock_policy.bound = type(stock_policy.bound)()
    assert passive_deviation(stock_policy, stock_observations) <= 1e-9
