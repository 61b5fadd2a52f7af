"""A symmetry is proposed from a MuJoCo model and what an environment observes; the check then agrees."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest

mujoco = pytest.importorskip("mujoco")
pytest.importorskip("imageio")  # Gymnasium's MuJoCo environments import it

from gymnasium import spaces  # noqa: E402
from mechanism_cases import BIPED, hexapod  # noqa: E402

import equiworld as ew  # noqa: E402
from equiworld.errors import ArgumentError  # noqa: E402
from equiworld.symmetry import SignedPermutation  # noqa: E402
from equiworld.verify.mechanism import propose  # noqa: E402


class Robot(gym.Env):
    """A robot of an XML that shows what a function of its data says."""

    def __init__(self, text, look, frame_skip=3):
        self.model = mujoco.MjModel.from_xml_string(text)
        self.data = mujoco.MjData(self.model)
        self._look, self._skip = look, frame_skip
        low, high = self.model.actuator_ctrlrange.T
        self.action_space = spaces.Box(low, high, dtype=np.float64)
        shown = {key: spaces.Box(-np.inf, np.inf, value.shape) for key, value in look(self.data).items()}
        self.observation_space = spaces.Dict(shown)

    def _get_obs(self):
        return self._look(self.data)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        mujoco.mj_resetData(self.model, self.data)
        self.data.qvel[:] = self.np_random.normal(size=self.model.nv) * 0.3
        mujoco.mj_forward(self.model, self.data)
        return self._get_obs(), {}

    def step(self, action):
        self.data.ctrl[:] = action
        for _ in range(self._skip):
            mujoco.mj_step(self.model, self.data)
        return self._get_obs(), float(self.data.qvel[0]), False, False, {}


def proprioception(data):
    return {
        "joints": data.qpos[7:].copy(),
        "base": np.concatenate([data.qpos[2:7], data.qvel[:6]]),
        "joint_rates": data.qvel[6:].copy(),
    }


@pytest.mark.parametrize(
    "name", [pytest.param("Ant-v5", marks=pytest.mark.slow), "Walker2d-v5", "Swimmer-v5", "Reacher-v5"]
)
def test_proposals_for_robots_without_fault_are_confirmed(name):
    found = propose(gym.make(name), starts=4)
    assert found.untyped == ()
    assert found.symmetry.holds == "everywhere"
    report = ew.check_symmetry(gym.make(name), symmetry=found.symmetry, move=found.move, states=2)
    assert report.ok, report


def test_the_proposal_of_an_ant_is_the_known_declaration():
    env = gym.make("Ant-v5")
    found, known = propose(env, starts=2).symmetry, ew.symmetry_of(env)
    assert found.group.order == known.group.order == 8
    rng = np.random.default_rng(0)
    observation, _ = env.reset(seed=0)
    action = rng.normal(size=8)
    places = known.group.elements()
    for g in found.group.elements():
        same = [
            k
            for k in places
            if np.allclose(k.matrix, g.matrix)
            and np.allclose(
                known.group.labels.natural["body"][k.label], found.group.labels.natural["body"][g.label]
            )
        ]
        (other,) = same
        assert np.allclose(found.transform_action(g, action), known.transform_action(other, action))
        one, two = (
            found.transform_observation(g, observation),
            known.transform_observation(other, observation),
        )
        assert np.abs(one - two).max() < 1e-12


def test_a_broken_robot_is_proposed_with_what_breaks_it():
    found = propose(gym.make("Humanoid-v5"), starts=4)
    assert found.untyped == ()
    for words in ("right_knee and left_knee", "armature", "PGS"):
        assert words in found.symmetry.holds


def test_nothing_is_proposed_where_nothing_maps_the_robot_to_itself():
    found = propose(gym.make("HalfCheetah-v5"), starts=2)
    assert found.symmetry is None
    assert found.move is None
    assert "foot" in str(found)


def test_what_is_observed_without_its_partner_is_named():
    def one_sided(data):
        return {**proprioception(data), "left": data.qpos[8:10].copy(), "clock": np.array([data.time])}

    found = propose(Robot(hexapod(4), lambda data: one_sided(data)), starts=2)
    assert found.symmetry is None
    assert any(each.startswith("left") for each in found.untyped)
    assert any(each.startswith("clock") for each in found.untyped)


@pytest.mark.parametrize("world", ["still", "turned"])
def test_turns_of_the_body_leave_the_world_or_turn_it(world):
    env = Robot(hexapod(6), proprioception)
    found = propose(env, world=world, starts=2)
    assert found.symmetry.group.order == 12
    assert isinstance(found.symmetry.action, SignedPermutation)
    # it is paid for going along x: the mirror across y and turns that leave the world alone keep that
    assert found.symmetry.reward is (world == "still")
    report = ew.check_symmetry(env, symmetry=found.symmetry, move=found.move, states=2)
    assert report.ok, report


def test_balls_and_slides_are_typed_or_named():
    found = propose(Robot(BIPED, proprioception), starts=2)
    assert any("quaternion" in each for each in found.untyped)  # of shoulders, which no field holds


def test_what_has_no_model_is_refused():
    with pytest.raises(ArgumentError, match="MuJoCo"):
        propose(gym.make("CartPole-v1"))
    with pytest.raises(ArgumentError, match="world"):
        propose(gym.make("Ant-v5"), world="upside down")
