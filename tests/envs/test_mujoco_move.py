"""Any MuJoCo simulator is brought to g·s from its joints: free, ball, slides, hinges, mocap bodies, goals."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

mujoco = pytest.importorskip("mujoco")
pytest.importorskip("imageio")  # Gymnasium's MuJoCo environments import it

import equiworld as ew  # noqa: E402
from equiworld.envs.known.mujoco_move import mujoco_move  # noqa: E402
from equiworld.errors import ArgumentError  # noqa: E402
from equiworld.groups import O2, SE2, SE3, SO2, SO3  # noqa: E402
from equiworld.symmetry import Concatenation, Point, Rotation, Symmetry, Vector  # noqa: E402

UP = (0.0, 0.0, 1.0)
FREE = """<body name="box" pos="0.1 0 0.3"><freejoint name="loose"/><geom type="box" size=".1 .07 .05"/>
  <body pos="0.1 0 0.05"><joint name="arm" axis="0 1 0"/>
  <geom type="capsule" size=".02" fromto="0 0 0 .2 0 0"/></body></body>"""
BALL = """<body name="bob" pos="0 0 1.2" euler="20 10 0"><joint name="ball" type="ball" damping=".2"/>
  <geom type="capsule" size=".05" fromto="0 0 0 .3 .1 0"/></body>"""
SLED = """<body name="sled" pos="1 1 .5"><joint name="sled_x" type="slide" axis="1 0 0"/>
  <joint name="sled_y" type="slide" axis="0 1 0"/><joint name="sled_z" axis="0 0 1" pos=".1 0 0"/>
  <geom type="box" size=".2 .1 .1" contype="0" conaffinity="0"/></body>"""
ROUND = """<body name="round" pos="-1 0 .5"><joint name="round_x" type="slide" axis="1 1 0"/>
  <joint name="round_y" type="slide" axis="1 -1 0"/>
  <geom type="sphere" size=".1" contype="0" conaffinity="0"/></body>"""
MOCAP = """<body name="hand" mocap="true" pos=".5 .2 .4"><geom type="box" size=".02 .03 .04" contype="0"
  conaffinity="0"/></body>"""
FLOOR = '<geom type="plane" size="9 9 1"/>'


class World(gym.Env):
    """What stands in it is pushed by six numbers, a force and a torque, on its first moving body."""

    def __init__(self, *parts: str, gravity: float = -9.81) -> None:
        self.model = mujoco.MjModel.from_xml_string(
            f'<mujoco><option cone="elliptic" gravity="0 0 {gravity}"/><worldbody>{"".join(parts)}</worldbody></mujoco>'
        )
        self.data = mujoco.MjData(self.model)
        self.bodies = self.model.nbody - 1
        self.observation_space = spaces.Box(-np.inf, np.inf, (18 * self.bodies + 3,), np.float64)
        self.action_space = spaces.Box(-1.0, 1.0, (6,), np.float64)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        mujoco.mj_resetData(self.model, self.data)
        self.goal = self.np_random.normal(size=3)
        self.data.qvel[:] = self.np_random.normal(size=self.model.nv)
        self.data.qpos[:] += 0.1 * self.np_random.normal(size=self.model.nq)
        mujoco.mj_normalizeQuat(self.model, self.data.qpos)
        mujoco.mj_forward(self.model, self.data)
        return self._get_obs(), {}

    def step(self, action):
        self.data.xfrc_applied[1] = action
        mujoco.mj_step(self.model, self.data, 5)
        mujoco.mj_forward(self.model, self.data)
        return self._get_obs(), float(-np.linalg.norm(self.data.xpos[1] - self.goal)), False, False, {}

    def _get_obs(self):
        found = [self.data.xpos[1:].ravel(), self.data.xmat[1:].ravel(), self.goal]
        for body in range(1, self.bodies + 1):
            velocity = np.zeros(6)
            mujoco.mj_objectVelocity(self.model, self.data, mujoco.mjtObj.mjOBJ_BODY, body, velocity, 0)
            found.append(velocity)
        return np.concatenate(found)


def declared(group, bodies):
    fields = {
        "places": Point(bodies),
        "poses": Rotation(bodies),
        "goal": Point(),
        "velocities": Vector(2 * bodies),
    }
    return Symmetry(group, fields, action=Concatenation((Vector(), Vector())), flat=True)


CASES = {
    "free": ((FLOOR, FREE), SE2(axis=UP)),
    "free in space": ((FREE,), SE3()),
    "ball": ((BALL,), SO2(axis=UP)),
    "planar": ((SLED,), SE2(axis=UP)),
    "all together": ((FREE, BALL, SLED, MOCAP, FLOOR), SO2(axis=UP)),
}


@pytest.mark.parametrize("case", CASES)
def test_what_hangs_on_the_world_is_moved(case):
    parts, group = CASES[case]
    env = World(*parts, gravity=0.0 if "space" in case else -9.81)
    found = ew.check_symmetry(env, declared(group, env.bodies), move=mujoco_move, states=4)
    assert found.ok, found
    assert found.verdict == "exact"


def test_slides_alone_carry_round_bodies_and_mirrors():
    env = World(ROUND)
    env.reset(seed=0)
    for g in (SO2().rotation(0.7), O2().reflection(0.3), SE2().translation([0.2, 0.1])):
        before, goal, way = env.data.xpos[1].copy(), env.goal.copy(), env.data.cvel[1, 3:5].copy()
        mujoco_move(env, g)
        assert np.allclose(env.data.xpos[1, :2], g.act(before[:2]), atol=1e-12)
        assert np.allclose(env.goal[:2], g.act(goal[:2]), atol=1e-12)
        assert np.allclose(env.data.cvel[1, 3:5], g.rotate(way), atol=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_there_and_back_is_where_it_was(case):
    parts, group = CASES[case]
    env = World(*parts)
    before, _ = env.reset(seed=3)
    g = group.sample(np.random.default_rng(0))
    mujoco_move(env, g)
    assert np.abs(env._get_obs() - before).max() > 1e-2
    assert np.allclose(mujoco_move(env, g.inverse()), before, atol=1e-12)
    state = env.data.qpos.copy(), env.data.qvel.copy()
    mujoco_move(env, group.identity())
    assert all(np.array_equal(*each) for each in zip(state, (env.data.qpos, env.data.qvel), strict=True))


HINGE = FREE.replace("0.1 0 0.3", "0 0 0.3").replace("freejoint", 'joint axis="{} 0 1"')
BOX = ROUND.replace("sphere", "box").replace('".1"', '".1 .1 .1"')
REFUSED = {
    "a hinge's axis": ((HINGE.format(1),), SO2(axis=UP).rotation(0.5), "axis of hinge 'loose'"),
    "a hinge's place": ((HINGE.format(0),), SE2().translation([1, 0]), "joint 'loose', which is fixed"),
    "a ball's place": ((BALL,), SE3().translation([0.0, 0.0, 1.0]), "joint 'ball', which is fixed"),
    "out of its slides": ((SLED,), SO3().rotation([0.5, 0.0, 0.0]), "slide 'sled_x' out of its slides"),
    "where it cannot slide": ((SLED,), SE3().translation([0.0, 0.0, 1.0]), "slide 'sled_x' where"),
    "mirrors": ((SLED,), O2().reflection(0.2), "a reflection of body 'sled'"),
    "mirrors of a hand": ((MOCAP,), O2().reflection(0.2), "mocap bodies"),
    "a box that slides": (
        (ROUND.replace("sphere", "box").replace('".1"', '".1 .1 .1"'),),
        SO2().rotation(0.5),
        "round",
    ),
    "a batch": ((FREE,), SO2().sample(np.random.default_rng(0), 2), "one group element"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_joints_cannot_do_is_refused_by_name(case):
    parts, g, words = REFUSED[case]
    env = World(*parts)
    env.reset(seed=0)
    before = env.data.qpos.copy()
    with pytest.raises(ArgumentError, match=words):
        mujoco_move(env, g)
    assert np.array_equal(env.data.qpos, before)


def test_a_limited_joint_stays_in_its_range_and_other_simulators_are_refused():
    sled = SLED.replace('name="sled_z"', 'name="sled_z" limited="true" range="-90 90"')
    env = World(sled)
    env.reset(seed=0)
    with pytest.raises(ArgumentError, match=r"joint 'sled_z' to 2\.93; .*in its range, \[-1.571, 1.571\]"):
        mujoco_move(env, SO2().rotation(3.0))
    with pytest.raises(ArgumentError, match="env: got PushTEnv; expected an environment with MuJoCo's"):
        mujoco_move(gym.make("equiworld/PushT-v0"), SO2().identity())
