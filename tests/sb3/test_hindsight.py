"""Goals relabelled in hindsight: equivariant policies train with them, and the augmenting buffer turns them along."""

import gymnasium as gym
import numpy as np
import pytest

pytest.importorskip("stable_baselines3")

from stable_baselines3 import SAC, TD3, HerReplayBuffer

from equiworld.groups import O2
from equiworld.sb3 import AugmentedHerReplayBuffer, EquivariantSACPolicy, EquivariantTD3Policy
from equiworld.sb3.deviation import action_deviation
from equiworld.symmetry import Concatenation, Symmetry, Vector
from equiworld.symmetry.sampling import random_observation

NEAR = 0.3


def box(size):
    return gym.spaces.Box(-np.inf, np.inf, (size,), np.float64)


class Reach(gym.Env):
    """A point with a velocity that is pushed to a goal; the reward is sparse."""

    observation_space = gym.spaces.Dict(
        {"observation": box(4), "achieved_goal": box(2), "desired_goal": box(2)}
    )
    action_space = gym.spaces.Box(-1.0, 1.0, (2,), np.float64)
    symmetry = Symmetry(
        O2(),
        {
            "observation": Concatenation((Vector(), Vector())),
            "achieved_goal": Vector(),
            "desired_goal": Vector(),
        },
        Vector(),
        goal={"desired_goal": "achieved_goal"},
    )

    def compute_reward(self, achieved, desired, info):
        return -(np.linalg.norm(achieved - desired, axis=-1) > NEAR).astype(float)

    def _show(self):
        return {
            "observation": self.state.copy(),
            "achieved_goal": self.state[:2].copy(),
            "desired_goal": self.goal.copy(),
        }

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.state, self.goal = self.np_random.normal(size=4), self.np_random.normal(size=2)
        self.count = 0
        return self._show(), {}

    def step(self, action):
        self.state[2:] = 0.8 * self.state[2:] + 0.3 * np.asarray(action)
        self.state[:2] += 0.2 * self.state[2:]
        self.count += 1
        reward = self.compute_reward(self.state[:2], self.goal, {})
        return self._show(), float(reward), False, self.count >= 20, {}


@pytest.mark.parametrize("form", ["canonical", "steerable"])
@pytest.mark.parametrize(("algorithm", "policy"), [(SAC, EquivariantSACPolicy), (TD3, EquivariantTD3Policy)])
def test_equivariant_policies_train_in_hindsight(algorithm, policy, form):
    kwargs = {"symmetry": Reach.symmetry, "form": form, "net_arch": [8]}
    model = algorithm(
        policy,
        Reach(),
        policy_kwargs=kwargs,
        replay_buffer_class=HerReplayBuffer,
        learning_starts=40,
        seed=0,
        device="cpu",
    ).learn(60)
    rng = np.random.default_rng(0)
    seen = random_observation(Reach.symmetry, rng, 32)
    assert action_deviation(model, Reach.symmetry, seen, rng) < 1e-5


def test_what_is_relabelled_is_turned_together():
    settings = {"symmetry": Reach.symmetry, "n_sampled_goal": 4, "goal_selection_strategy": "future"}
    model = SAC(
        "MultiInputPolicy",
        Reach(),
        replay_buffer_class=AugmentedHerReplayBuffer,
        replay_buffer_kwargs=settings,
        learning_starts=60,
        policy_kwargs={"net_arch": [8]},
        seed=0,
        device="cpu",
    ).learn(64)
    data = model.replay_buffer.sample(200)
    now, after = (
        {name: each.numpy() for name, each in part.items()}
        for part in (data.observations, data.next_observations)
    )
    state, action = now["observation"], data.actions.numpy()
    speed = 0.8 * state[:, 2:] + 0.3 * action
    assert after["observation"][:, 2:] == pytest.approx(speed, abs=1e-5)
    assert after["achieved_goal"] == pytest.approx(state[:, :2] + 0.2 * speed, abs=1e-5)
    assert now["desired_goal"] == pytest.approx(after["desired_goal"], abs=1e-12)
    reward = -(np.linalg.norm(after["achieved_goal"] - after["desired_goal"], axis=-1) > NEAR).astype(float)
    assert data.rewards.numpy()[:, 0] == pytest.approx(reward)
    kept = model.replay_buffer.observations["achieved_goal"][:64, 0]
    apart = np.abs(now["achieved_goal"][:, None] - kept[None]).max(-1).min(1)
    assert (apart > 1e-3).mean() > 0.9
    assert (reward == 0).mean() > 0.2  # of goals that were reached, as no goal at random is
