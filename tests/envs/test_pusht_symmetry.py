"""`equiworld/PushT-v0` started at g·s: the turned episode without walls, and something else with them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from pusht_cases import chase, make

from equiworld.envs.pusht.simulation import PushTState
from equiworld.groups import E2, O2, SE2, SO2, GroupElement
from equiworld.symmetry import symmetry_of

pytest.importorskip("gym_pusht")

ELEMENTS = {
    "quarter": SO2().rotation(np.pi / 2),
    "turn": SO2().rotation(2.1),
    "near": SO2().rotation(1e-4),
    "shift": SE2().translation([300.0, -1200.0]),
    "both": SE2().rotation(-2.6) @ SE2().translation([-40.0, 7.0]),
    "mirror": O2().reflection(0.0),
    "mirrored": E2().element(O2().reflection(1.9).matrix, [120.0, -60.0]),
}


def difference(key: str, one: NDArray[np.float64], two: NDArray[np.float64]) -> float:
    if "heading" in key:
        return float(np.abs(np.exp(1j * one) - np.exp(1j * two)).max())
    return float(np.abs(one - two).max())


def deviation(walls: bool, g: GroupElement, start: PushTState, actions: NDArray[np.float64]) -> float:
    """Largest difference [px], over an episode, between g·(the episode) and the episode from g·s."""
    env, turned = make(walls=walls), make(walls=walls)
    symmetry = symmetry_of(env)
    observation, _ = env.reset(options={"state": start})
    shown, info = turned.reset(options={"state": start, "group_element": g})
    assert info["group_element"] is g
    expected = symmetry.transform_observation(g, observation)
    assert all(difference(key, shown[key], expected[key]) < 1e-9 for key in expected)
    worst = 0.0
    for action in actions:
        observation, reward, ended, _, info = env.step(action)
        shown, turned_reward, turned_ended, _, turned_info = turned.step(symmetry.transform_action(g, action))
        expected = symmetry.transform_observation(g, observation)
        worst = max(worst, *(difference(key, shown[key], expected[key]) for key in expected))
        if not walls:
            assert (turned_reward, turned_ended) == (pytest.approx(reward, abs=1e-9), ended)
            assert turned_info["coverage"] == pytest.approx(info["coverage"], abs=1e-9)
    moved = np.hypot(*(observation["block_pos"] - start.block[:2]))
    assert moved > 5.0, "an episode without contact proves nothing"
    return worst


@pytest.mark.parametrize("name", ELEMENTS)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_an_episode_started_turned_is_the_turned_episode(name: str, seed: int) -> None:
    env, rng = make(walls=False), np.random.default_rng(seed)
    start = env.exploration.start(rng)["state"]
    x, y, heading = start.block
    start = start.replace(goal=(x + 20.0, y - 15.0, heading + 0.4))
    env.reset(options={"state": start})
    assert deviation(False, ELEMENTS[name], start, chase(env, rng, 30)) < 1e-8


def test_walls_break_it() -> None:
    """The negative control: the same check notices a push that a wall ends."""
    start, pushes = PushTState((260.0, 255.0), (0, 0), (160.0, 255.0, 1.0), (100.0, 100.0, 0.0)), [-60.0, 0.0]
    turn = SO2().rotation(0.5)
    assert deviation(True, turn, start, np.tile(pushes, (12, 1))) > 1.0
    assert deviation(False, turn, start, np.tile(pushes, (12, 1))) < 1e-8
    quarter = SO2().rotation(np.pi / 2)  # a square of walls keeps its own symmetry
    assert deviation(True, quarter, start, np.tile(pushes, (12, 1))) < 1e-6


def test_seeded_starts_turn_too() -> None:
    env = make(walls=False, goal="random")
    symmetry, g = symmetry_of(env), ELEMENTS["both"]
    for seed in range(20):
        plain, _ = env.reset(seed=seed)
        turned, _ = env.reset(seed=seed, options={"group_element": g})
        expected = symmetry.transform_observation(g, plain)
        for key in ("agent_pos", "block_keypoints", "goal_keypoints"):
            np.testing.assert_allclose(turned[key], expected[key], rtol=0, atol=1e-9)
