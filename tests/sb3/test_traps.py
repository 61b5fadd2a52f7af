"""What breaks a symmetric policy on a real robot: a pose that joints are measured from, and no clock."""

import gymnasium as gym
import numpy as np
import pytest

pytest.importorskip("stable_baselines3")
pytest.importorskip("mujoco")

from stable_baselines3 import PPO

import equiworld as ew
from equiworld.envs import PhaseInput
from equiworld.sb3 import EquivariantActorCriticPolicy

ALIKE = np.array([0.1, -0.2, 0.05, 0.1, -0.2, 0.05])
ASTRIDE = np.array([0.1, -0.2, 0.05, -0.1, -0.2, 0.05])


class FromPose(gym.ObservationWrapper):
    """Joint angles are measured from a pose."""

    def __init__(self, env, pose):
        super().__init__(env)
        self.pose = np.concatenate([np.zeros(2), pose, np.zeros(9)])

    def observation(self, seen):
        return seen - self.pose


class AboutPose(gym.ActionWrapper):
    """Actions are added to a pose."""

    def __init__(self, env, pose):
        super().__init__(env)
        self.pose = pose

    def action(self, action):
        return action + self.pose


@pytest.mark.parametrize("wrapper", [FromPose, AboutPose])
def test_a_default_pose_that_differs_between_left_and_right_is_found(wrapper):
    symmetry = ew.symmetry_of("Walker2d-v5")
    alike, astride = (
        ew.check_symmetry(wrapper(gym.make("Walker2d-v5"), pose), symmetry, states=2, steps=2)
        for pose in (ALIKE, ASTRIDE)
    )
    assert alike.ok
    assert not astride.ok
    assert any(problem.startswith("joints") for problem in astride.problems)


def test_a_policy_with_a_clock_is_certified_in_a_loop_that_moves_the_phase_too():
    env = PhaseInput(gym.make("Walker2d-v5"), period=20)
    settings = {"form": "steerable", "net_arch": [8], "ortho_init": False}
    model = PPO(EquivariantActorCriticPolicy, env, policy_kwargs=settings, seed=0, device="cpu")
    model.policy.double()
    assert ew.certify(model, env, episodes=1, steps=10, success=None).passed
    # the control: a phase that stays where it was is no mirror image
    stuck = type("Stuck", (PhaseInput,), {"follow": lambda self, g: None})(gym.make("Walker2d-v5"), period=20)
    with pytest.raises(ew.errors.ArgumentError, match="phase"):
        ew.certify(model, stuck, episodes=1, steps=10, success=None)
