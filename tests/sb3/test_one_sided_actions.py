"""Numbers of an action that change sign or place, in bounds that leave less of them: none is refused, less is said."""

import warnings

import gymnasium as gym
import numpy as np
import pytest

pytest.importorskip("stable_baselines3")

from equivariant_cases import CASES, Drift, joints
from stable_baselines3 import PPO

import equiworld as ew
from equiworld.errors import ArgumentError
from equiworld.groups import O2, left_right
from equiworld.sb3 import EquivariantActorCriticPolicy
from equiworld.symmetry import Pseudoscalar, Scalar, SignedPermutation, Symmetry, Vector

RATE = Symmetry(O2(), {"way": Vector(2)}, Pseudoscalar(), flat=True)
JOINTS = Symmetry(left_right(), {"q": joints}, joints, flat=True)
ALIKE = Symmetry(left_right(), {"q": SignedPermutation([(1, 0)])}, SignedPermutation([(1, 0)]), flat=True)
NUMBER = Symmetry(O2(), {"way": Vector(2)}, Scalar(), flat=True)


def world(symmetry, low, high):
    env = Drift(symmetry)
    env.action_space = gym.spaces.Box(np.array(low), np.array(high), dtype=np.float64)
    return env


def policy(symmetry, low, high):
    kwargs = {"symmetry": symmetry, "net_arch": [8]}
    settings = {"n_steps": 8, "batch_size": 8, "device": "cpu", "seed": 0}
    return PPO(
        EquivariantActorCriticPolicy, world(symmetry, low, high), policy_kwargs=kwargs, **settings
    ).policy


def behind(symmetry, low, high):
    env = world(symmetry, low, high)
    return ew.symmetrise(lambda seen: np.ones(len(low)), env)


@pytest.mark.parametrize("made", [policy, behind])
@pytest.mark.parametrize(
    ("symmetry", "low", "high"),
    [
        (RATE, [0.0], [1.0]),
        (RATE, [0.5], [1.0]),
        (RATE, [-1.0], [0.0]),
        (JOINTS, [0.0] * 4, [1.0] * 4),
        (ALIKE, [0.0, 1.0], [1.0, 2.0]),
        (ALIKE, [0.0, 2.0], [1.0, 3.0]),
    ],
)
def test_bounds_that_leave_nothing_of_a_number_are_refused(made, symmetry, low, high):
    with pytest.raises(ArgumentError, match=r"action space: .*rescale actions"):
        made(symmetry, low, high)


@pytest.mark.parametrize("made", [policy, behind])
@pytest.mark.parametrize(
    ("symmetry", "low", "high", "which"),
    [
        (RATE, [-0.5], [1.0], r"\[0\]"),
        (JOINTS, [-1.0, -1.0, -1.0, -1.0], [1.0, 1.0, 1.0, 2.0], r"\[3\]"),
        (ALIKE, [0.0, 0.0], [1.0, 2.0], r"\[1\]"),
    ],
)
def test_bounds_that_leave_less_are_told_of(made, symmetry, low, high, which):
    with pytest.warns(UserWarning, match=f"numbers {which} of the action"):
        made(symmetry, low, high)


@pytest.mark.parametrize("made", [policy, behind])
@pytest.mark.parametrize(
    ("symmetry", "low", "high"),
    [
        (RATE, [-1.0], [1.0]),
        (NUMBER, [0.0], [1.0]),
        (ALIKE, [0.0, 0.0], [1.0, 1.0]),
        (ALIKE, [1.0, 1.0], [1.0, 1.0]),  # whose numbers are fixed anyway
        (JOINTS, [-1.0] * 4, [1.0] * 4),
        (CASES["turns, a vector"], [-1.0] * 2, [1.0] * 2),
    ],
)
def test_bounds_that_turn_are_passed_in_silence(made, symmetry, low, high):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message="the symmetry declares no goal")
        made(symmetry, low, high)
