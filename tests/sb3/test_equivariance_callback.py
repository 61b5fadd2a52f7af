"""The callback that measures a policy while it trains: again in a second training, and never across a normaliser."""

import math

import gymnasium as gym
import numpy as np
import pytest

pytest.importorskip("stable_baselines3")

from equivariant_cases import CASES, Drift
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from equiworld.errors import ArgumentError
from equiworld.sb3 import EquivarianceCallback, VecNormalizeEquivariant

WAY = CASES["turns, a vector"]


def plain(envs):
    kwargs = {"n_steps": 16, "batch_size": 16, "n_epochs": 1, "device": "cpu", "seed": 0}
    return PPO("MultiInputPolicy", envs, policy_kwargs={"net_arch": [8]}, **kwargs)


def bare():
    return DummyVecEnv([lambda: Drift(WAY)])


def test_numbers_that_are_scaled_one_by_one_are_refused():
    callback = EquivarianceCallback(WAY, every=16, samples=16)
    for envs in (VecNormalize(bare()), VecNormalize(VecNormalize(bare()), norm_obs=False)):
        with pytest.raises(ArgumentError, match="VecNormalizeEquivariant"):
            plain(envs).learn(16, callback=callback)
    for envs in (VecNormalize(bare(), norm_obs=False), VecNormalizeEquivariant(bare(), WAY)):
        plain(envs).learn(16, callback=callback)
        assert callback.deviation > 0.1


def test_wrappers_outside_of_what_carries_the_symmetry_are_refused():
    class Shifted(gym.ObservationWrapper):
        def observation(self, seen):
            return {**seen, "way": seen["way"] + 1.0}

    from equiworld.sb3 import with_symmetry

    callback = EquivarianceCallback(every=16, samples=16)
    with pytest.raises(ArgumentError, match="one in Shifted"):
        plain(Shifted(with_symmetry(Drift(WAY)))).learn(16, callback=callback)
    plain(with_symmetry(Drift(WAY))).learn(16, callback=callback)
    assert callback.deviation > 0.1


def test_it_measures_in_every_training():
    callback = EquivarianceCallback(WAY, every=32, samples=16)
    plain(bare()).learn(64, callback=callback)
    callback.deviation = math.nan
    model = plain(bare()).learn(32, callback=callback)  # steps are counted from 0 again
    assert np.isfinite(callback.deviation)
    callback.deviation = math.nan
    model.learn(16, callback=callback, reset_num_timesteps=False)
    assert math.isnan(callback.deviation)  # it is not due yet
    model.learn(16, callback=callback, reset_num_timesteps=False)
    assert np.isfinite(callback.deviation)


def test_what_was_seen_elsewhere_is_no_matter():
    callback = EquivarianceCallback(WAY, every=16, samples=64)
    plain(bare()).learn(16, callback=callback)
    two = DummyVecEnv([lambda: Drift(WAY)] * 2)
    assert plain(two).learn(32, callback=callback).num_timesteps == 32
    assert np.isfinite(callback.deviation)
