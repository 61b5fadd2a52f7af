"""Gymnasium's robots as model-free learners meet them: trained in one part of the orbit, tested on all of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import gymnasium as gym
import numpy as np

from equiworld.benchmarks.worlds.reach_tasks import cloudpush_reach, pusht_reach
from equiworld.envs import PhaseInput
from equiworld.envs.known.humanoid import mend_humanoid
from equiworld.groups import GroupElement
from equiworld.symmetry import Symmetry, symmetry_of
from equiworld.symmetry.registry import move_of

__all__ = [
    "LEGGED",
    "ROBOTS",
    "SETTINGS",
    "Robot",
    "SlicedGoals",
    "StartsTurned",
    "legs_apart",
    "symmetry_in",
]


class SlicedGoals(gym.Wrapper):
    """Reacher-v5 with goals in some directions about the middle of the plane alone.

    Goals are drawn again until one lies there; the arm starts about the same direction, east, as always.

    Args:
        env: a Reacher-v5.
        half_width: of the directions [rad].
    """

    def __init__(self, env: gym.Env, half_width: float) -> None:
        super().__init__(env)
        self.half_width = half_width

    def reset(
        self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """As the environment does, until the goal lies in the slice."""
        while True:
            found = self.env.reset(seed=seed, options=None if options is None else dict(options))
            goal = self.get_wrapper_attr("goal")
            if abs(math.atan2(goal[1], goal[0])) <= self.half_width:
                return found
            seed = None


class StartsTurned(gym.Wrapper):
    """The same episodes at g·s: the simulator is brought there after each reset, and a phase with it.

    Args:
        env: whose id has a registered move, or whose reset knows `options={"group_element": g}`.
        g: an element of its symmetry's group.
    """

    def __init__(self, env: gym.Env, g: GroupElement) -> None:
        super().__init__(env)
        self.g, self._move = g, move_of(env)

    def reset(
        self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """As the environment does, and then moved."""
        given = dict(options or {})
        if self._move is None:
            return self.env.reset(seed=seed, options={**given, "group_element": self.g})
        before, info = self.env.reset(seed=seed, options=given)
        seen = self._move(self.env, self.g)
        if seen is None:
            seen = self.unwrapped._get_obs()  # type: ignore[attr-defined]
        if isinstance(self.env, PhaseInput):
            clock = self.env.symmetry.transform_observation(self.g, before)[-2:]
            self.env.phase = (math.atan2(clock[1], clock[0]) / math.tau) % 1.0
            seen = np.concatenate([seen, clock])
        return np.asarray(seen), info


SETTINGS: Mapping[str, Any] = {
    "n_steps": 128,
    "batch_size": 256,
    "n_epochs": 10,
    "learning_rate": 1e-3,
}
"""What PPO is given beyond stable-baselines3's defaults, for all arms."""

LEGGED: Mapping[str, Any] = {
    "n_steps": 256,
    "batch_size": 64,
    "n_epochs": 10,
    "learning_rate": 3e-4,
}
"""The same for robots with legs, which are shown observations over their running spread; as in CleanRL's PPO."""


@dataclass(frozen=True)
class Robot:
    """A world of model-free learners, and what all arms are given in it.

    Attributes:
        make: an environment whose goals lie within some angle of one direction [rad], and whether it is for training.
        sliced: whether there are such goals; training and tests are the same otherwise.
        legs: joints whose angles are compared, left and right.
        steps: of training.
        log_std: log standard deviation of actions at the beginning.
        normalised: whether PPO is given rewards over the running spread of returns.
        spread: whether it is shown observations over their running spread, by type, so that it commutes.
        envs: in which PPO collects.
        settings: of PPO.
        sac: what SAC is given beyond what it is everywhere.
    """

    make: Callable[[float, bool], gym.Env]
    sliced: bool = False
    legs: tuple[str, str] | None = None
    steps: int = 300_000
    log_std: float = -1.0
    normalised: bool = True
    spread: bool = False
    envs: int = 16
    settings: Mapping[str, Any] = field(default_factory=lambda: SETTINGS)
    sac: Mapping[str, Any] = field(default_factory=dict)


PERIOD = 60
"""Of the walkers' phase [steps]."""


def legs_apart(env: gym.Env, legs: tuple[str, str]) -> float:
    """The distance of two joints' angles now [rad]."""
    data: Any = env.unwrapped.data  # type: ignore[attr-defined]
    left, right = (float(data.joint(name).qpos[0]) for name in legs)
    return abs(left - right)


def _reacher(half_width: float, training: bool) -> gym.Env:
    env = gym.make("Reacher-v5")
    return SlicedGoals(env, half_width) if half_width < math.pi else env


def _walker(half_width: float, training: bool) -> gym.Env:
    return gym.make("Walker2d-v5")


def _clocked_walker(half_width: float, training: bool) -> gym.Env:
    return PhaseInput(gym.make("Walker2d-v5"), PERIOD)


def _ant(half_width: float, training: bool) -> gym.Env:
    return gym.make("Ant-v5")


def _humanoid(half_width: float, training: bool) -> gym.Env:
    """With joints and velocities in view alone, as far as one can learn in minutes."""
    left_out = ("cinert", "cvel", "qfrc_actuator", "cfrc_ext")
    return gym.make("Humanoid-v5", **{f"include_{name}_in_observation": False for name in left_out})


def _mended_humanoid(half_width: float, training: bool) -> gym.Env:
    return mend_humanoid(_humanoid(half_width, training))


_THIGHS, _HIPS = ("thigh_left_joint", "thigh_joint"), ("left_hip_y", "right_hip_y")
_REACH: Mapping[str, Any] = {
    "sliced": True,
    "steps": 100_000,
    "log_std": 0.0,
    "normalised": False,
}
# Of hundredths a step: entropy at its first weight of 1 would outweigh them for thousands of steps.
_SMALL_REWARDS: Mapping[str, Any] = {"ent_coef": "auto_0.02"}
_WALK: Mapping[str, Any] = {"log_std": -0.5, "spread": True, "envs": 8, "settings": LEGGED}

ROBOTS: Mapping[str, Robot] = {
    "Reacher-v5": Robot(_reacher, **{**_REACH, "log_std": -1.0}),  # its reward counts the size of actions
    "PushT-reach": Robot(pusht_reach, **_REACH, sac=_SMALL_REWARDS),
    "CloudPush-reach": Robot(cloudpush_reach, **_REACH, sac=_SMALL_REWARDS),
    "Walker2d-v5": Robot(_walker, legs=_THIGHS, **_WALK),
    "Walker2d-phase": Robot(_clocked_walker, legs=_THIGHS, **_WALK),
    "Ant-v5": Robot(_ant, **_WALK),
    "Humanoid-v5": Robot(_humanoid, legs=_HIPS, **_WALK),
    "Humanoid-mended": Robot(_mended_humanoid, legs=_HIPS, **_WALK),
}
"""By name; "phase" with a clock in view, and "mended" with two sides that are equal."""


def symmetry_in(world: str) -> Symmetry:
    """The symmetry of a robot, as declared, whether the simulator has it or not."""
    env = ROBOTS[world].make(math.pi, False)
    return symmetry_of(env).sized(env.observation_space)
