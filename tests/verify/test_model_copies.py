"""Copies of environments whose simulator's model was edited, by the user or by their own reset."""

from typing import Any

import gymnasium as gym
import pytest

from equiworld.errors import ArgumentError
from equiworld.rollout import env_copies

pytest.importorskip("mujoco")
pytest.importorskip("imageio")  # Gymnasium's MuJoCo environments import it

from gymnasium.envs.mujoco.walker2d_v5 import Walker2dEnv


@pytest.mark.parametrize("part", ["body_mass", "cone"])
def test_copies_that_lost_an_edited_model_are_refused(part: str) -> None:
    """Gymnasium's MuJoCo environments are copied by making them anew from their arguments."""
    env: Any = gym.make("Walker2d-v5", disable_env_checker=True)
    assert len(env_copies(env, 2)) == 2
    if part == "cone":
        env.unwrapped.model.opt.cone = 1
    else:
        env.unwrapped.model.body_mass[1] *= 1.1
    with pytest.raises(ArgumentError, match=part):
        env_copies(env, 2)


def test_copies_that_lost_what_was_set_in_python_are_refused() -> None:
    env: Any = gym.make("Walker2d-v5", disable_env_checker=True)
    env.reset(seed=3)
    for _ in range(5):
        env.step(env.action_space.sample())
    assert len(env_copies(env, 2)) == 2
    env.unwrapped._ctrl_cost_weight = 0.5
    with pytest.raises(ArgumentError, match="_ctrl_cost_weight was set by hand"):
        env_copies(env, 2)
    assert env_copies(env, 1) == [env]


class Randomised(Walker2dEnv):
    """A robot of another mass in each episode."""

    def reset_model(self) -> Any:
        self.model.body_mass[1] = self.np_random.uniform(3.0, 4.0)
        return super().reset_model()


def test_what_a_reset_edits_is_no_edit_of_the_users() -> None:
    env = Randomised()
    env.reset(seed=5)
    assert len(env_copies(env, 2)) == 2
    env.model.body_mass[2] *= 1.1
    with pytest.raises(ArgumentError, match="body_mass"):
        env_copies(env, 2)
