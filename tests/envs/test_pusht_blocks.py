"""Several Ts in the plane: the group S_n × E(2), contacts between blocks, states, and what is refused."""

from __future__ import annotations

import copy
import math

import gymnasium as gym
import numpy as np
import pytest

import equiworld.envs  # noqa: F401  registers
from equiworld.envs.pusht.blocks.env import PushTBlocksEnv
from equiworld.envs.pusht.blocks.state import BlocksState
from equiworld.errors import ArgumentError
from equiworld.groups import E2, Permutation, Product
from equiworld.symmetry import symmetry_of
from equiworld.tasks import task_of

ID = "equiworld/PushTBlocks-v0"
TOUCHING = BlocksState((250.0, 120.0), ((256.0, 200.0, 0.3), (262.0, 330.0, 1.2)), (256.0, 300.0, 0.0))
"""From which the first block is pushed against the second."""
PUSHES = np.tile([1.0, 60.0], (10, 1))


def make(**arguments) -> PushTBlocksEnv:
    env = gym.make(ID, disable_env_checker=True, **arguments).unwrapped
    assert isinstance(env, PushTBlocksEnv)
    return env


def played(env, actions, **options):
    env.reset(seed=0, options=options)
    return [env.step(action)[0] for action in actions]


def apart(env, state, actions, g) -> float:
    """How far places come to be at g·s from g·(where they are at s) [px]."""
    symmetry = symmetry_of(env)
    here = played(env, actions, state=state)
    there = played(
        env, [symmetry.transform_action(g, each) for each in actions], state=state, group_element=g
    )
    return max(
        float(np.abs(symmetry.transform_observation(g, before)[name] - after[name]).max())
        for before, after in zip(here, there, strict=True)
        for name in ("agent_pos", "blocks_pos", "named", "goal_pos")
    )


@pytest.mark.parametrize("blocks", [2, 3])
def test_orders_mean_nothing_to_the_bit(blocks):
    env = make(blocks=blocks)
    env.reset(seed=3)
    state, group = env.get_state(), symmetry_of(env).group
    assert group == Product(E2(), Permutation(blocks))
    for label, g in enumerate(group.section()):
        if label and np.array_equal(g.matrix, np.eye(2)):
            assert apart(env, state, PUSHES, g) == 0.0


def test_turns_and_mirrors_where_one_block_moves_and_where_one_pushes_the_other():
    env = make()
    group = symmetry_of(env).group
    far = TOUCHING.replace(blocks=(TOUCHING.blocks[0], (900.0, 330.0, 1.2)))
    for g in group.sample(np.random.default_rng(0), 6, scale=100.0):
        assert apart(env, far, PUSHES, g) < 1e-9
        assert apart(env, TOUCHING, PUSHES, g) < 1e-2
    *_, last = played(env, PUSHES, state=TOUCHING)
    moved = last["blocks_pos"].reshape(2, 2) - np.array(TOUCHING.blocks)[:, :2]
    assert (np.linalg.norm(moved, axis=-1) > 5.0).all()  # the second, which the agent never touches, too


def test_one_block_alone_moves_as_in_pusht():
    alone = TOUCHING.replace(blocks=(TOUCHING.blocks[0], (900.0, 330.0, 1.2)))
    several, stock = make(), gym.make("equiworld/PushT-v0", walls=False, disable_env_checker=True).unwrapped
    stock.reset(seed=0)
    start = stock.get_state().replace(
        agent_pos=alone.agent_pos, agent_vel=(0.0, 0.0), block=alone.blocks[0], settle=False, targets=()
    )
    stock.set_state(start)
    one = [stock.step(action)[0]["block_pos"] for action in PUSHES]
    other = [each["blocks_pos"][:2] for each in played(several, PUSHES, state=alone)]
    assert np.abs(np.array(one) - np.array(other)).max() < 1.0  # but for how far the solver goes


def test_a_state_is_the_whole_state_and_copies_go_on_alike():
    env = make()
    played(env, PUSHES[:5], state=TOUCHING)
    middle, copied = env.get_state(), copy.deepcopy(env)
    other = make()
    other.reset(seed=1)
    other.set_state(middle)
    for action in PUSHES[5:]:
        one, two, three = (each.step(action)[0] for each in (env, other, copied))
        assert all(
            np.array_equal(one[name], two[name]) and np.array_equal(one[name], three[name]) for name in one
        )


def test_starts_touch_nothing_and_stay_in_their_slice():
    env, named = make(blocks=3, max_heading=math.radians(45.0)), set()
    for seed in range(12):
        observation, info = env.reset(seed=seed)
        assert env.observation_space.contains(observation)
        assert env.exploration.is_free(env.get_state())
        assert np.abs(observation["blocks_heading"]).max() <= math.radians(45.0)
        assert env.exploration.goes_on(info)
        named.add(env.get_state().named)
    assert named == {0, 1, 2}


def test_success_is_the_named_blocks():
    env = make()
    home = TOUCHING.replace(blocks=(TOUCHING.goal, (600.0, 300.0, 0.0)))
    for named, solved in ((0, True), (1, False)):
        env.reset(options={"state": home.replace(named=named)})
        *_, terminated, _, info = env.step(np.zeros(2))
        assert (terminated, info["is_success"]) == (solved, solved)


def test_its_task_is_invariant():
    symmetry = symmetry_of(make())
    task_of(ID).check_invariance(symmetry, 60.0, 2)


def test_wrong_arguments_states_and_elements_are_named():
    for arguments, named in (
        ({"blocks": 1}, "blocks"),
        ({"max_heading": 4.0}, "max_heading"),
        ({"outside": "clip"}, "outside"),
        ({"render_mode": "rgb_array"}, "render_mode"),
    ):
        with pytest.raises(ArgumentError, match=named):
            PushTBlocksEnv(**arguments)
    env = make()
    with pytest.raises(ArgumentError, match="2, as the env has"):
        env.reset(options={"state": TOUCHING.replace(blocks=TOUCHING.blocks * 2)})
    with pytest.raises(ArgumentError, match="order of 2 blocks"):
        env.reset(seed=0, options={"group_element": Product(E2(), Permutation(3)).identity()})
    env.reset(seed=0)
    with pytest.raises(ArgumentError, match="disc"):
        env.step(np.array([1000.0, 0.0]))
