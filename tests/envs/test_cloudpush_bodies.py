"""Several bodies in space: the group S_n × SE(3), contacts between bodies, states, and what is refused."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest

import equiworld.envs  # noqa: F401  registers
from equiworld.envs.cloudpush.bodies.env import CloudPushBodiesEnv
from equiworld.envs.cloudpush.bodies.state import BodiesState
from equiworld.envs.cloudpush.geometry import Pose
from equiworld.errors import ArgumentError
from equiworld.groups import SE3, Permutation, Product
from equiworld.symmetry import symmetry_of

pytest.importorskip("mujoco")
ID = "equiworld/CloudPushBodies-v0"
NEAR = Pose((0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0))
BESIDE = Pose((0.03, 0.13, 0.02), (0.9238795325112867, 0.0, 0.0, 0.3826834323650898))
GOAL = Pose((0.02, 0.1, 0.0), (1.0, 0.0, 0.0, 0.0))
TOUCHING = BodiesState((0.03, -0.06, 0.0), (NEAR, BESIDE), GOAL)
"""From which the first body is pushed against the second."""
PUSHES = np.tile([0.001, 0.04, 0.001], (14, 1))


def make(**arguments) -> CloudPushBodiesEnv:
    env = gym.make(ID, disable_env_checker=True, **arguments).unwrapped
    assert isinstance(env, CloudPushBodiesEnv)
    return env


def played(env, actions, **options):
    env.reset(seed=0, options=options)
    return [env.step(action)[0] for action in actions]


def apart(env, state, actions, g) -> float:
    """How far the world that begins at g·s is from g·(the world that begins at s), over all that is observed."""
    symmetry = symmetry_of(env)
    here = played(env, actions, state=state)
    turned = [symmetry.transform_action(g, action) for action in actions]
    there = played(env, turned, state=state, group_element=g)
    return max(
        float(np.abs(symmetry.transform_observation(g, before)[name] - after[name]).max())
        for before, after in zip(here, there, strict=True)
        for name in before
    )


@pytest.mark.parametrize("bodies", [2, 3, 4])
def test_physics_commutes_with_turns_shifts_and_orders(bodies):
    env, rng = make(bodies=bodies), np.random.default_rng(bodies)
    group = symmetry_of(env).group
    assert group == Product(SE3(), Permutation(bodies))
    observation, _ = env.reset(seed=bodies)
    state, actions = env.get_state(), []
    for _ in range(15):
        actions.append(env.exploration.action(rng, observation))
        observation = env.step(actions[-1])[0]
    for g in group.sample(rng, 3, scale=0.3):
        assert apart(env, state, actions, g) < 1e-10


def test_bodies_push_each_other_and_that_commutes_too():
    env = make()
    *_, last = played(env, PUSHES, state=TOUCHING)
    moved = last["bodies_pos"].reshape(2, 3) - [NEAR.position, BESIDE.position]
    assert (np.linalg.norm(moved, axis=-1) > 0.01).all()  # the second, which only the first has touched, too
    for g in symmetry_of(env).group.sample(np.random.default_rng(0), 4, scale=0.3):
        assert apart(env, TOUCHING, PUSHES, g) < 1e-9


def test_a_world_with_a_direction_is_found_out():
    env = make(drag=(20.0, 50.0, 80.0))
    assert "anisotropic drag" in symmetry_of(env).holds
    quarter = symmetry_of(env).group.element([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], [0.0] * 3)
    assert apart(env, TOUCHING, PUSHES, quarter) > 1e-4


def test_which_body_is_named_stays_with_it():
    env = make(bodies=3)
    group = symmetry_of(env).group
    env.reset(seed=0)
    state = env.get_state()
    for label in range(group.labels.order):
        turned = state.transform(group.element(np.eye(3), np.zeros(3), label=label))
        assert turned.bodies[turned.named] == state.bodies[state.named]
        assert turned.transform(group.element(np.eye(3), np.zeros(3), label=label).inverse()) == state


def test_a_state_is_the_whole_state():
    env = make()
    played(env, PUSHES[:6], state=TOUCHING)
    middle = env.get_state()
    after = [env.step(action)[0] for action in PUSHES[6:]]
    other = make()
    other.reset(seed=1)
    other.set_state(middle)
    for one, action in zip(after, PUSHES[6:], strict=True):
        again = other.step(action)[0]
        assert all(np.array_equal(one[name], again[name]) for name in one)


def test_starts_touch_nothing_and_name_any_place_alike():
    env, named = make(bodies=3), set()
    for seed in range(12):
        observation, info = env.reset(seed=seed)
        assert env.observation_space.contains(observation)
        assert observation["named"].sum() == 1.0
        assert not info["is_success"]
        state = env.get_state()
        assert env.exploration.is_free(state)
        named.add(state.named)
    assert named == {0, 1, 2}


def test_success_is_the_named_bodys():
    env = make()
    at_home = TOUCHING.replace(bodies=(GOAL, BESIDE.__class__((0.5, 0.0, 0.0), BESIDE.quaternion)))
    for named, solved in ((0, True), (1, False)):
        env.reset(options={"state": at_home.replace(named=named)})
        *_, terminated, _, info = env.step(np.zeros(3))
        assert (terminated, info["is_success"]) == (solved, solved)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"bodies": 1}, "bodies"),
        ({"bodies": 5}, "bodies"),
        ({"bodies": 2.5}, "bodies"),
        ({"shape": "cube"}, "shape"),
        ({"outside": "clip"}, "outside"),
        ({"render_mode": "rgb_array"}, "render_mode"),
    ],
)
def test_wrong_arguments_are_named(arguments, named):
    with pytest.raises(ArgumentError, match=named):
        CloudPushBodiesEnv(**arguments)


def test_wrong_states_and_elements_are_refused():
    env = make()
    with pytest.raises(ArgumentError, match="2, as the env has"):
        env.reset(
            options={"state": TOUCHING.replace(bodies=(NEAR, BESIDE, GOAL), velocities=(), warmstart=())}
        )
    with pytest.raises(ArgumentError, match="named"):
        TOUCHING.replace(named=2)
    three = Product(SE3(), Permutation(3)).identity()
    with pytest.raises(ArgumentError, match="order of 2 bodies"):
        env.reset(seed=0, options={"group_element": three})
    env.reset(seed=0, options={"group_element": SE3().identity()})  # of space alone
