"""The copies that episodes run in are the environment given: what was set by hand is in all of them."""

import threading
from typing import Any

import gym_pusht  # noqa: F401  registers
import gymnasium as gym
import numpy as np
import pytest

import equiworld.envs  # noqa: F401  registers
from equiworld.envs.pusht.stock import StockView
from equiworld.errors import ArgumentError
from equiworld.rollout import env_copies
from equiworld.verify.certificate import certify
from equiworld.verify.evaluate import evaluate

FREE = {"starts": "free", "walls": False}


class Still:
    """Does nothing."""

    def __init__(self, size: int = 2) -> None:
        self.size = size

    def predict(
        self, obs: Any, state: Any = None, episode_start: Any = None, deterministic: bool = True
    ) -> Any:
        return np.zeros((len(episode_start), self.size)), state


class Toward(Still):
    """Pushes where the block is."""

    def predict(
        self, obs: Any, state: Any = None, episode_start: Any = None, deterministic: bool = True
    ) -> Any:
        return 0.3 * (obs["block_pos"] - obs["agent_pos"]).clip(-200, 200), state


class Handle(gym.Env):
    """Holds something that cannot be copied; `easy` is what makes it succeed."""

    observation_space = gym.spaces.Box(-1, 1, (1,), np.float64)
    action_space = gym.spaces.Box(-1, 1, (2,), np.float64)

    def __init__(self) -> None:
        self.engine, self.easy = threading.Lock(), False

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        return np.zeros(1), {}

    def step(self, action: Any) -> Any:
        return np.zeros(1), 0.0, True, False, {"is_success": self.easy}


gym.register("test/Handle-v0", Handle)


def outcome(env: Any, policy: Any, n_envs: int, **arguments: Any) -> list[Any]:
    result = evaluate(policy, env, episodes=4, n_envs=n_envs, max_steps=15, **arguments)
    return [(episode.success, episode.steps, episode.final["coverage"]) for episode in result.episodes]


@pytest.mark.parametrize("wrapped", [True, False])
def test_what_was_set_by_hand_is_in_every_copy_however_often(wrapped: bool) -> None:
    env = gym.make("equiworld/PushT-v0", **FREE)
    env.unwrapped.success_coverage = -1.0  # whatever is covered will do
    given = env if wrapped else env.unwrapped
    for n_envs in (4, 1, 4, 3):
        result = evaluate(Still(), given, episodes=4, n_envs=n_envs)
        assert [episode.success for episode in result.episodes] == [True] * 4
        assert env.unwrapped.success_coverage == -1.0
    assert evaluate(Still(), gym.make("equiworld/PushT-v0", **FREE), episodes=4, max_steps=3).successes == 0


def test_the_number_of_copies_changes_no_bit_before_and_after_simulating() -> None:
    env = gym.make("equiworld/PushT-v0", **FREE)
    first = outcome(env, Toward(), 4)
    assert any(steps == 15 for _, steps, _ in first)
    for n_envs in (1, 2, 4):
        assert outcome(env, Toward(), n_envs) == first
        assert outcome(lambda: gym.make("equiworld/PushT-v0", **FREE), Toward(), n_envs) == first


def test_settings_of_cloudpush_stay_too() -> None:
    env = gym.make("equiworld/CloudPush-v0", points=0, observe_pose=True)
    env.reset(seed=0)
    env.step(env.action_space.sample())
    object.__setattr__(env.unwrapped.criterion, "success_distance", 10.0)
    object.__setattr__(env.unwrapped.criterion, "success_angle", 10.0)
    for _ in range(2):
        assert evaluate(Still(3), env, episodes=4, n_envs=4).successes == 4


@pytest.mark.parametrize("easy", [True, False])
def test_what_cannot_be_copied_is_refused_with_the_way_out_and_never_made_anew(easy: bool) -> None:
    env = gym.make("test/Handle-v0")
    env.unwrapped.easy = easy
    with pytest.raises(ArgumentError, match=r"^env: .*cannot be copied.*a function that makes one"):
        evaluate(Still(), env, episodes=4, n_envs=4)
    assert evaluate(Still(), env, episodes=4, n_envs=1).successes == 4 * easy

    def make() -> gym.Env:
        made = gym.make("test/Handle-v0")
        made.unwrapped.easy = easy
        return made

    assert evaluate(Still(), make, episodes=4, n_envs=4).successes == 4 * easy


def test_gym_pushts_own_environment_runs_in_copies_until_it_has_simulated() -> None:
    for wrap in (lambda env: env, StockView):
        env = wrap(gym.make("gym_pusht/PushT-v0", max_episode_steps=3))
        env.unwrapped.success_threshold = -1.0
        assert evaluate(Still(), env, episodes=4, n_envs=4).successes == 4
        assert evaluate(Still(), env, episodes=4, n_envs=1).successes == 4
        with pytest.raises(ArgumentError, match=r"^env: .*a function that makes one"):
            evaluate(Still(), env, episodes=4, n_envs=4)


def test_a_certificate_runs_on_an_environment_that_has_simulated() -> None:
    env = gym.make("equiworld/PushT-v0", **FREE)
    env.reset(seed=0)
    env.step(np.array([3.0, 4.0]))
    assert certify(Toward(), env, elements=2, episodes=2, steps=3).passed


@pytest.mark.parametrize("env", ["", "3", "None/Of-v0", "no_such_module:Env-v0", len, lambda: Ellipsis])
def test_what_makes_no_environment_is_refused_by_name(env) -> None:
    with pytest.raises(ArgumentError, match=r"^env: got "):
        env_copies(env, 2)
