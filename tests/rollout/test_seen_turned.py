"""The wrapper that certificates and `GroupAction` share."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import ResetNeeded

from equiworld.envs import GroupAction
from equiworld.groups import E2
from equiworld.rollout import SeenTurned
from equiworld.symmetry import symmetry_of


def made():
    return gym.make("equiworld/PushT-v0", walls=False)


def test_it_shows_what_group_action_shows():
    g = E2().sample(np.random.default_rng(0), scale=100.0)
    symmetry = symmetry_of(made())
    plain, turned, wrapped = made(), SeenTurned(made(), symmetry, g), GroupAction(made(), g)
    rng = np.random.default_rng(1)
    for step in range(6):
        action = rng.normal(size=2) * 10
        if step:
            moved = symmetry.transform_action(g, action)
            shown = [plain.step(action)[0], turned.step(moved)[0], wrapped.step(moved)[0]]
        else:
            shown = [each.reset(seed=3)[0] for each in (plain, turned, wrapped)]
        expected = symmetry.transform_observation(g, shown[0])
        for name, array in expected.items():
            assert np.array_equal(shown[1][name], shown[2][name])
            assert np.allclose(array, shown[1][name], rtol=0, atol=1e-9)
    assert not np.allclose(shown[0]["agent_pos"], shown[1]["agent_pos"])


def test_without_an_element_nothing_is_shown():
    with pytest.raises(ResetNeeded, match="SeenTurned"):
        SeenTurned(made(), symmetry_of(made())).reset(seed=0)
