"""A phase beside what is observed: how it goes on, how it transforms, and that no state is its own mirror image."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from equiworld.envs import PhaseInput
from equiworld.errors import ArgumentError
from equiworld.groups import SO2, Dihedral, left_right
from equiworld.symmetry import SignedPermutation, Symmetry, Vector, symmetry_of

LEGS = SignedPermutation([(1, 0)])


class Legs(gym.Env):
    """Two joints, in a row or by name."""

    action_space = gym.spaces.Box(-1.0, 1.0, (2,), np.float64)

    def __init__(self, flat=True):
        self.flat = flat
        self.symmetry = Symmetry(left_right(), {"legs": LEGS}, LEGS, flat=flat)
        legs = gym.spaces.Box(-2.0, 2.0, (2,), np.float64)
        self.observation_space = legs if flat else gym.spaces.Dict({"legs": legs})

    def _show(self):
        return self.state.copy() if self.flat else {"legs": self.state.copy()}

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.state = np.zeros(2)
        return self._show(), {}

    def step(self, action):
        self.state = np.clip(self.state + 0.1 * np.asarray(action), -2.0, 2.0)
        return self._show(), 0.0, False, False, {}


@pytest.mark.parametrize("flat", [True, False])
def test_it_goes_on_by_a_period_and_comes_round(flat):
    env = PhaseInput(Legs(flat), period=8)
    seen, _ = env.reset(seed=0, options={"phase": 0.25})

    def clock(seen):
        return seen[-2:] if flat else seen["phase"]

    assert clock(seen) == pytest.approx([0.0, 1.0], abs=1e-12)
    path = [clock(env.step(np.zeros(2))[0]) for _ in range(8)]
    assert path[3] == pytest.approx([0.0, -1.0], abs=1e-12)
    assert path[7] == pytest.approx(clock(seen), abs=1e-12)


@pytest.mark.parametrize("flat", [True, False])
def test_its_mirror_is_half_a_period_later_and_no_state_is_its_own_image(flat):
    env = PhaseInput(Legs(flat), period=8)
    symmetry = symmetry_of(env)
    mirror = symmetry.group.elements()[1]
    seen, _ = env.reset(seed=1, options={"phase": 0.1})
    image = symmetry.transform_observation(mirror, seen)
    for _ in range(4):
        later = env.step(np.zeros(2))[0]
    for one, other in zip(
        (image,) if flat else image.values(), (later,) if flat else later.values(), strict=True
    ):
        assert one == pytest.approx(other, abs=1e-12)
    first = seen if flat else np.concatenate(list(seen.values()))
    second = image if flat else np.concatenate(list(image.values()))
    assert np.abs(first - second).max() > 0.5  # while the legs stand side by side


def test_it_is_an_environment_and_phases_are_drawn_by_seed():
    env = PhaseInput(Legs(), period=20)
    check_env(env, skip_render_check=True)
    phases = [env.reset(seed=seed)[0][-2:] for seed in (3, 3, 4)]
    assert np.array_equal(phases[0], phases[1])
    assert not np.array_equal(phases[0], phases[2])


def test_a_declaration_of_parts_keeps_its_places():
    pytest.importorskip("mujoco")
    env = PhaseInput(gym.make("Ant-v5"), period=50)
    symmetry, rng = symmetry_of(env), np.random.default_rng(0)
    seen, _ = env.reset(seed=0)
    g, h = symmetry.group.sample(rng), symmetry.group.sample(rng)
    once = symmetry.transform_observation(g @ h, seen)
    twice = symmetry.transform_observation(g, symmetry.transform_observation(h, seen))
    assert np.allclose(once[-2:], twice[-2:])
    assert env.observation_space.contains(seen)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ArgumentError, match="period"):
        PhaseInput(Legs(), period=0)
    with pytest.raises(ArgumentError, match="shifts"):
        PhaseInput(Legs(), period=8, shifts=[0.5, 0.5])
    with pytest.raises(ArgumentError, match="representation"):
        PhaseInput(Legs(), period=8, shifts=[0.25])  # a mirror done twice is nothing
    bare = Legs()
    bare.symmetry = Symmetry(SO2(), {"legs": Vector()}, Vector(), flat=True)
    with pytest.raises(ArgumentError, match="labels"):
        PhaseInput(bare, period=8)
    square = Legs()
    square.symmetry = Symmetry(Dihedral(4), {"legs": Vector()}, Vector(), flat=True)
    assert PhaseInput(square, period=8).symmetry.group.order == 8
