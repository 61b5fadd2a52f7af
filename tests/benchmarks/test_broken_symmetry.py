"""PushT with a direction of its own: what each dose does, and which elements it leaves alone."""

from __future__ import annotations

import copy
import math

import gymnasium as gym
import numpy as np
import pytest

from equiworld.benchmarks.questions.broken_symmetry import BrokenSymmetry
from equiworld.benchmarks.suite.question import Plan
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.worlds.broken import BREAKS, broken_pusht
from equiworld.envs.pusht import geometry
from equiworld.envs.pusht.simulation import PushTState
from equiworld.errors import ArgumentError
from equiworld.groups import E2, SE2

STRONG = {"gravity": 200.0, "drag": 0.9, "walls": 110.0, "actuators": 45.0}
TURN = E2().element(np.array([[0.0, -1.0], [1.0, 0.0]]), np.zeros(2))
SLANTED = E2().element(np.array([[0.8, -0.6], [0.6, 0.8]]), np.zeros(2))
MIRROR = E2().element(np.array([[-1.0, 0.0], [0.0, 1.0]]), np.zeros(2))
START = PushTState((255.5, 160.0), (0.0, 0.0), (255.5, 255.5, 0.3), geometry.STOCK_GOAL)
PUSHES = np.array([[5.0, 90.0]] * 6 + [[80.0, 20.0]] * 2 + [[-60.0, 50.0]] * 6)


def made(what: str, dose: float) -> gym.Env:
    return broken_pusht(what, dose).make()


def poses(env: gym.Env, start: PushTState, pushes: np.ndarray) -> np.ndarray:
    """The block's corners after each push, `(T, 8, 2)`."""
    env.reset(seed=0, options={"state": start})
    return np.array([env.step(push)[0]["block_keypoints"].reshape(8, 2) for push in pushes])


def apart(env: gym.Env, g) -> float:
    """How far a corner comes to be from g·(where it is unturned) [px]; corners of a mirrored T are told by place."""
    here = poses(env, START, PUSHES)
    there = poses(env, START.transform(g), PUSHES @ g.matrix.T)
    wanted = (here - geometry.CENTRE) @ g.matrix.T + geometry.CENTRE
    return float(np.linalg.norm(wanted[..., None, :] - there[..., None, :, :], axis=-1).min(-1).max())


def test_without_a_dose_it_is_pusht_without_walls_to_the_bit():
    stock = gym.make("equiworld/PushT-v0", walls=False, disable_env_checker=True)
    assert np.array_equal(poses(made("nothing", 0.0), START, PUSHES), poses(stock, START, PUSHES))
    for what in ("gravity", "drag", "actuators"):
        assert np.array_equal(poses(made(what, 0.0), START, PUSHES), poses(stock, START, PUSHES)), what
    walled = gym.make("equiworld/PushT-v0", disable_env_checker=True)
    assert np.array_equal(poses(made("walls", 0.0), START, PUSHES), poses(walled, START, PUSHES))


@pytest.mark.parametrize("what", BREAKS)
def test_each_breaks_what_it_says_and_nothing_else(what):
    env = made(what, STRONG.get(what, 0.0))
    moved = np.linalg.norm(np.ptp(poses(env, START, PUSHES), axis=0), axis=-1).max()
    assert moved > 30.0  # a block that stays proves nothing
    turns = {"gravity": False, "drag": False, "walls": False}.get(what, True)
    for g, holds in ((SLANTED, turns), (MIRROR, what != "actuators")):
        found = apart(env, g)
        assert (found < 1e-8) if holds else (found > 1.0), (what, g)
    # Quarter turns are the walls' own, half turns that of the drag.
    assert (apart(env, TURN) < 1e-8) == (what in ("nothing", "walls", "actuators"))
    assert (apart(env, TURN @ TURN) < 1e-8) == (what != "gravity")


def test_a_free_block_drifts_as_fast_as_is_said_and_glides_as_far():
    far = START.replace(agent_pos=(100.0, 100.0))
    found = poses(made("gravity", 60.0), far, np.zeros((11, 2))).mean(1)
    assert np.allclose(np.diff(found, axis=0), [0.0, -6.0], atol=1e-9)  # 60 px/s for 0.1 s
    assert np.ptp(poses(made("drag", 0.9), far, np.zeros((5, 2))), axis=0).max() < 1e-9
    # Let go of at once, what was pushed along x glides on, and along y it does not.
    for heading, glides in ((0.0, True), (math.pi / 2, False)):
        push = SE2().rotation(heading)
        start = START.replace(agent_pos=(150.0, 255.5), block=(255.5, 255.5, -math.pi / 2)).transform(push)
        pushes = np.array([[90.0, 0.0]] * 4 + [[-90.0, 0.0]] * 4) @ push.matrix.T
        ways = [
            np.linalg.norm(poses(made("drag", dose), start, pushes)[-1].mean(0) - geometry.CENTRE)
            for dose in (0.0, 0.9)
        ]
        assert (ways[1] > ways[0] + 3.0) == glides, ways


@pytest.mark.parametrize("what", STRONG)
def test_states_and_copies_go_on_alike(what):
    env = made(what, STRONG[what]).unwrapped
    poses(env, START, PUSHES[:5])
    state, copied = env.get_state(), copy.deepcopy(env)
    ahead = [env.step(push)[0]["block_keypoints"] for push in PUSHES[5:]]
    env.set_state(state)
    for other in (env, copied):
        assert np.array_equal([other.step(push)[0]["block_keypoints"] for push in PUSHES[5:]], ahead)


def test_episodes_begin_off_the_walls_wherever_they_stand():
    env = made("walls", 110.0).unwrapped
    for seed in range(20):
        options = env.exploration.start(np.random.default_rng(seed))
        assert geometry.wall_gap(options["state"].block) > 110.0


def test_what_cannot_be_broken_is_refused():
    with pytest.raises(ArgumentError, match="gravity"):
        broken_pusht("time", 1.0)
    with pytest.raises(ArgumentError, match="glide"):
        made("drag", 1.0)
    with pytest.raises(ArgumentError, match="pusht"):
        BrokenSymmetry().cells(Plan(worlds=("cloudpush",), arms=("equivariant",)))


def test_every_dose_is_a_world_of_its_own_and_none_is_that_without():
    asked = BrokenSymmetry()
    cells = asked.cells(Plan(seeds=1, arms=("plain",)))
    keys = {Store("/tmp").rows_path(cell, asked.inputs(cell), asked.modules(cell)).name for cell in cells}
    assert len(keys) == len(cells) == 13
    worlds = [asked.world_at(cell) for cell in cells]
    assert len({str(world.described()) for world in worlds}) == len({world.name for world in worlds}) == 13
