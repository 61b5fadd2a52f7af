"""Gymnasium's own robots transform as `equiworld.envs.known` declares: state, step, reward and closed loop."""

import subprocess
import sys
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import gymnasium as gym
import numpy as np
import pytest

pytest.importorskip("mujoco")
pytest.importorskip("imageio")  # Gymnasium's MuJoCo environments import it

import mujoco

import equiworld as ew
import equiworld.envs.known
from equiworld.envs.known.ant import ant_group, ant_symmetry, move_ant
from equiworld.envs.known.humanoid import humanoid_symmetry, mend_humanoid, move_humanoid
from equiworld.envs.known.mujoco_state import exchange_in_space
from equiworld.envs.known.reacher import move_reacher
from equiworld.envs.known.walker2d import move_walker2d, walker2d_symmetry
from equiworld.errors import ArgumentError
from equiworld.symmetry import Scalar, SignedPermutation

EXACT = 1e-10
MOVES = {"Ant-v5": move_ant, "Humanoid-v5": move_humanoid}
MOVES |= {"Reacher-v5": move_reacher, "Walker2d-v5": move_walker2d}
BARE = {"include_cfrc_ext_in_observation": False}
PLACED = {"exclude_current_positions_from_observation": False}
UNCLIPPED = {"contact_force_range": (-np.inf, np.inf)}
MIRROR, QUARTER = np.diag([1.0, -1.0, 1.0]), np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])


def made(name, elliptic=False, **settings):
    if name != "Reacher-v5":
        settings["terminate_when_unhealthy"] = False
    env = gym.make(name, **settings)
    if elliptic:
        env.unwrapped.model.opt.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    return env


def mended(**settings):
    return mend_humanoid(made("Humanoid-v5", **settings))


def eight(symmetry):
    """All elements of a small group; of a larger one eight, drawn evenly."""
    group = symmetry.group
    return group.elements() if group.finite else group.sample(np.random.default_rng(0), 8)


def apart(symmetry, first, second):
    """`(n,)`, the largest difference of two batches of observations; of orientations up to the quaternions' sign."""
    found = []
    for name, place in symmetry.segments():
        pair = first[:, place], second[:, place]
        if name == "orientation":
            one, other = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in pair)
            pair = one, np.sign((one * other).sum(1, keepdims=True)) * other
        found.append(np.abs(pair[0] - pair[1]).max(1))
    return np.max(found, 0)


def everywhere(symmetry, elements, one):
    """ρ(g) of one observation or action, for all elements."""
    acts = len(one) == symmetry.action.size(symmetry.dim)
    turn = symmetry.transform_action if acts else symmetry.transform_observation
    return turn(elements, np.tile(one, (len(elements), 1)))


def compared(env, symmetry, states=50, touching=True, seed=0):
    """Step from s with a, and from g·s with ρ(g)·a, for states that random actions lead to, with contacts.

    Returns:
        The largest differences right after the move, after a step, and of rewards; and the number of contacts.
    """
    found = SimpleNamespace(moved=0.0, stepped=0.0, reward=0.0, contacts=0)
    base, rng, elements = env.unwrapped, np.random.default_rng(seed), eight(symmetry)
    saved, box = mujoco.MjData(base.model), env.action_space
    for index in range(states):
        env.reset(seed=1000 * seed + index)
        for _ in range(200):
            for _ in range(rng.integers(5, 60)):
                base.step(rng.uniform(box.low, box.high))
            if base.data.ncon or not touching:
                break
        found.contacts += base.data.ncon
        mujoco.mj_copyData(saved, base.model, base.data)
        before, action = base._get_obs(), rng.uniform(box.low, box.high)
        after, reward, *_ = base.step(action)
        moved, stepped = [], []
        for g, turned in zip(elements, everywhere(symmetry, elements, action), strict=True):
            mujoco.mj_copyData(base.data, base.model, saved)
            moved.append(MOVES[env.spec.id](env, g))
            seen, gained, *_ = base.step(turned)
            stepped.append(seen)
            found.reward = max(found.reward, abs(gained - reward))
        expected = (everywhere(symmetry, elements, each) for each in (before, after))
        for name, shown, wanted in zip(("moved", "stepped"), (moved, stepped), expected, strict=True):
            worst = apart(symmetry, np.array(shown), wanted).max()
            setattr(found, name, max(getattr(found, name), float(worst)))
    assert found.contacts >= states * touching
    return found


KEPT = {
    "ant": (lambda: made("Ant-v5"), ant_symmetry, 50),
    "ant-without-forces": (lambda: made("Ant-v5", **BARE), ant_symmetry, 10),
    "ant-with-positions": (lambda: made("Ant-v5", **PLACED), ant_symmetry, 10),
    "ant-mirror": (lambda: made("Ant-v5"), lambda env: ant_symmetry(env, "mirror"), 10),
    "ant-turns": (lambda: made("Ant-v5", **PLACED), lambda env: ant_symmetry(env, "turns"), 10),
    "walker": (lambda: made("Walker2d-v5"), walker2d_symmetry, 50),
    "walker-with-position": (lambda: made("Walker2d-v5", **PLACED), walker2d_symmetry, 10),
    "humanoid-mended": (mended, humanoid_symmetry, 50),
    "humanoid-with-positions": (lambda: mended(**PLACED), humanoid_symmetry, 5),
    "reacher": (lambda: made("Reacher-v5"), ew.symmetry_of, 50),
}
for _part in ("cinert", "cvel", "qfrc_actuator", "cfrc_ext"):
    _flag = {f"include_{_part}_in_observation": False}
    KEPT[f"humanoid-without-{_part}"] = (partial(mended, **_flag), humanoid_symmetry, 5)


@pytest.mark.parametrize("case", KEPT)
def test_a_step_commutes_with_the_group_and_the_reward_stays(case):
    make, declare, states = KEPT[case]
    found = compared(env := make(), declare(env), states, touching=case != "reacher")
    assert found.moved <= 1e-12
    assert found.stepped <= EXACT
    assert found.reward <= 1e-12


@pytest.mark.slow
@pytest.mark.parametrize("case", ["ant", "walker", "humanoid-mended", "reacher"])
def test_it_does_so_from_hundreds_of_states(case):
    make, declare, _ = KEPT[case]
    found = compared(env := make(), declare(env), 400, touching=case != "reacher", seed=1)
    assert found.moved <= 1e-12
    assert found.stepped <= (EXACT if case != "humanoid-mended" else 1e-8)  # its forces are of some 1000 N
    assert found.reward <= 1e-12


@pytest.mark.parametrize(
    ("settings", "states"), [(BARE, 50), (UNCLIPPED | PLACED, 10)], ids=["bare", "forces"]
)
def test_about_gravity_only_elliptic_cones_carry_it(settings, states):
    env = made("Ant-v5", elliptic=True, **settings)
    symmetry = ant_symmetry(env, "gravity")
    found = compared(env, symmetry, states)
    assert symmetry.holds == "everywhere"
    assert found.stepped <= EXACT
    assert found.reward > 0.1  # it is paid for going along the world's x


def test_pyramids_and_clipped_forces_break_it_and_holds_says_so():
    env = made("Ant-v5", **BARE)
    symmetry = ant_symmetry(env, "gravity")
    assert "pyramidal" in symmetry.holds
    assert compared(env, symmetry, 50).stepped > 1e-4
    env = made("Ant-v5", elliptic=True)
    symmetry = ant_symmetry(env, "gravity")
    assert "clipped to [-1, 1]" in symmetry.holds
    assert compared(env, symmetry, 5).stepped > 1e-2


def test_the_humanoid_as_shipped_breaks_it_and_holds_names_the_parameters():
    env = made("Humanoid-v5")
    holds = humanoid_symmetry(env).holds
    assert compared(env, humanoid_symmetry(env), 10).stepped > 1e-3
    for words in (
        "armature of joint right_hip_y and left_hip_y",
        "right_knee and left_knee: 0 against 1",
        "PGS",
    ):
        assert words in holds
    model = env.unwrapped.model
    model.opt.solver = mujoco.mjtSolver.mjSOL_NEWTON
    model.jnt_stiffness[model.joint("right_knee").id] = 1.0
    model.dof_armature[model.joint("right_hip_y").dofadr] = 0.01
    assert "mj_setConst" in humanoid_symmetry(env).holds  # what follows from these numbers is still the old
    assert humanoid_symmetry(mend_humanoid(env)).holds == "everywhere"


def test_walkers_feet_of_old_are_told():
    env = made("Walker2d-v5", xml_file="walker2d.xml")
    assert "friction of geom foot_geom and foot_left_geom" in walker2d_symmetry(env).holds
    assert compared(env, walker2d_symmetry(env), 20).stepped > 1e-2


@pytest.mark.parametrize("case", ["ant-mirror", "walker", "humanoid-mended", "reacher"])
def test_a_wrong_sign_is_seen(case):
    env = KEPT[case][0]()
    right = KEPT[case][1](env)
    if case == "reacher":
        wrong = Scalar(2)
    else:
        signs = np.array((right.action.signs or [[1] * right.action.count])[0])
        signs[[0, right.action.orders[0][0]]] *= -1  # a pair, or the abdomen: still an involution
        wrong = SignedPermutation(right.action.orders, [signs.tolist()])
    assert compared(env, replace(right, action=wrong), 5, touching=False).stepped > 1e-2


# By hand, from the models' files: joints hip_1 ankle_1 … ankle_4, actuators hip_4 ankle_4 hip_1 … ankle_3. A mirror
# turns hips' axes over; a quarter turn takes the ankle's axis (−1, 1) to (−1, −1), where the next leg's is (1, 1).
LEGS = (6, 7, 0, 1, 2, 3, 4, 5)
ANT = {
    "mirror": (MIRROR, (6, 7, 4, 5, 2, 3, 0, 1), (2, 3, 0, 1, 6, 7, 4, 5), (-1, 1) * 4),
    "turn": (QUARTER, LEGS, LEGS, (1, 1, 1, -1) * 2),
}
HUMANOID = (
    0,
    1,
    2,
    7,
    8,
    9,
    10,
    3,
    4,
    5,
    6,
    14,
    15,
    16,
    11,
    12,
    13,
)  # abdomen z y x, legs, arms: right first


@pytest.mark.parametrize("name", ANT)
def test_the_ants_legs_are_derived_as_by_hand(name):
    h, joints, actuators, signs = ANT[name]
    found = exchange_in_space(made("Ant-v5").unwrapped.model, h).orders
    assert tuple(found.joints[1:] - 1) == joints
    assert tuple(found.actuators) == actuators
    assert tuple(found.joint_signs[1:]) == signs


def test_the_humanoids_sides_and_the_walkers_legs_are_derived_as_by_hand():
    found = exchange_in_space(made("Humanoid-v5").unwrapped.model, MIRROR)
    assert tuple(found.orders.joints[1:] - 1) == HUMANOID
    assert tuple(found.orders.joint_signs[1:]) == (-1, 1, -1, *(1,) * 8, *(-1, -1, 1) * 2)
    assert tuple(found.bodies[1:] - 1) == (0, 1, 2, 6, 7, 8, 3, 4, 5, 11, 12, 9, 10)
    symmetry = walker2d_symmetry(made("Walker2d-v5"))
    observed = symmetry.transform_observation(symmetry.group.elements()[1], np.arange(17.0))
    assert observed.tolist() == [0, 1, 5, 6, 7, 2, 3, 4, 8, 9, 10, 14, 15, 16, 11, 12, 13]


def test_a_changed_model_is_refused():
    env = made("Ant-v5")
    env.unwrapped.model.body_pos[3, 0] += 0.05  # one leg longer
    with pytest.raises(ArgumentError, match="has no partner"):
        ant_symmetry(env)
    with pytest.raises(ArgumentError, match="turns"):
        ant_group("quarters")


@pytest.mark.parametrize("name", MOVES)
def test_there_and_back_is_where_it_was(name):
    env = made(name)
    before, _ = env.reset(seed=3)
    symmetry = ew.symmetry_of(env)
    for g in eight(symmetry):
        MOVES[name](env, g)
        back = MOVES[name](env, g.inverse())
        assert apart(symmetry, back[None], before[None]).max() <= 1e-12


def perceptron(env, seed=0):
    """A random function of all that is observed, within the bounds of actions."""
    rng, numbers, high = np.random.default_rng(seed), env.observation_space.shape[0], env.action_space.high
    inner = rng.normal(size=(32, numbers)) / np.sqrt(numbers)
    outer = rng.normal(size=(len(high), 32)) / np.sqrt(32)
    return lambda observation: high * np.tanh(outer @ np.tanh(inner @ observation))


@pytest.mark.filterwarnings("ignore:the symmetry declares no goal")
@pytest.mark.parametrize("name", ["ant", "walker", "humanoid-mended"])
def test_closed_loops_of_any_policy_are_the_same_all_over_the_orbit(name):
    env, make = KEPT[name][0](), KEPT[name][0]
    policy = ew.symmetrise(perceptron(env), env)
    # A function, for a copy of an environment is made from its arguments, and not mended.
    found = ew.certify(policy, make, elements=7, episodes=2, steps=12, success=None)
    assert found.passed, found
    assert found.orbits[0].worst_field_deviation <= EXACT * (10 if name == "humanoid-mended" else 1)
    actions = np.stack([policy.predict(env.reset(seed=seed)[0])[0] for seed in range(3)])
    assert np.ptp(actions, axis=0).max() > 1e-3


@pytest.mark.filterwarnings("ignore:the symmetry declares no goal")
def test_the_certificate_blames_the_humanoids_world():
    env = made("Humanoid-v5")
    policy = ew.symmetrise(perceptron(env), env)
    found = ew.certify(policy, lambda: made("Humanoid-v5"), episodes=1, steps=8, success=None)
    assert not found.passed
    assert found.orbits[0].world_deviation > 1e-3


def test_importing_it_imports_no_engine():
    code = "import sys, equiworld.envs.known; print('mujoco' in sys.modules, 'imageio' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
