"""The peers' task: its predicates, how pairs are turned, what is loaded, and rows that know what they depend on."""

from __future__ import annotations

import math
import sys
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest

from equiworld.benchmarks.questions.peers_task import PUBLISHED, PeersTask
from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.question import Plan
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.worlds import swm_pusht
from equiworld.benchmarks.worlds.loops import run_orbit
from equiworld.benchmarks.worlds.pusht import PUSHT
from equiworld.benchmarks.worlds.swm_pusht import (
    JUDGED,
    OWN,
    STRICT,
    SwmPushTWorld,
    library,
    pairs_as_starts,
    turned,
)
from equiworld.errors import ArgumentError
from equiworld.groups import E2
from equiworld.models import WorldModel
from equiworld.results import read_json
from equiworld.sb3 import FunctionPolicy

with_library = pytest.mark.skipif(library(True).startswith("absent"), reason=library(True))

START = np.array([200.0, 180.0, 240.0, 230.0, 0.3, 0.0, 0.0])
GOAL = np.array([220.0, 200.0, 270.0, 250.0, 1.9, 0.0, 0.0])


def states(rng, count):
    """States near one another, headings about 0 among them."""
    near = rng.normal(0.0, 12.0, (count, 7)) + 250.0
    near[:, 4] = np.remainder(rng.normal(0.0, 0.35, count), 2 * math.pi)
    return near


def without_wrap(state, goal):
    """Wrong: angles on both sides of 0 are called far apart."""
    away = np.linalg.norm(goal[:4] - state[:4])
    return away < 20 and abs(goal[4] - state[4]) < math.pi / 9


# --- predicates ------------------------------------------------------------------------------------------


@with_library
def test_the_own_predicate_is_the_librarys():
    judge, rng = swm_pusht.pusht_class().eval_state, np.random.default_rng(0)
    pairs = list(zip(states(rng, 2000), states(rng, 2000), strict=True))
    theirs = [bool(judge(None, goal, state)[0]) for state, goal in pairs]
    assert 100 < sum(theirs) < 1900
    assert [bool(OWN.holds(state, goal)) for state, goal in pairs] == theirs
    assert [without_wrap(state, goal) for state, goal in pairs] != theirs


@pytest.mark.parametrize("predicate", [OWN, STRICT])
def test_angles_are_those_of_a_circle_and_states_are_as_near_from_either_side(predicate):
    goal = START.copy()
    for turn, solved in ((predicate.angle * 0.99, True), (predicate.angle * 1.01, False), (math.pi, False)):
        for sign in (1, -1):
            for about in (0.0, 1e-3, 3.0, 6.28):
                goal[4], state = about, START.copy()
                state[4] = (about + sign * turn) % (2 * math.pi)
                assert predicate.holds(state, goal) == solved == predicate.holds(goal, state)


def test_the_strict_predicate_asks_for_the_t_alone_and_the_own_one_for_both():
    state = START.copy()
    state[:2] += 300.0
    assert STRICT.holds(state, START)
    assert not OWN.holds(state, START)
    state = START + np.array([0, 0, 11.0, 0, 0, 0, 0])
    assert OWN.holds(state, START)
    assert not STRICT.holds(state, START)


def test_pairs_solved_at_the_start_are_left_out():
    pairs = np.array([[START, START], [START, GOAL], [START, START + np.array([300.0, 0, 0, 0, 0, 0, 0])]])
    assert STRICT.left_of(pairs).tolist() == [1]
    assert OWN.left_of(pairs).tolist() == [1, 2]


# --- what is turned --------------------------------------------------------------------------------------


def test_states_are_turned_about_the_walls_as_a_group_turns_them():
    elements = JUDGED["swm-pusht"].orbit(8, 0)
    assert len({tuple(np.round(g.matrix).ravel()) for g in elements}) == 8
    assert (elements[0].matrix == np.eye(2)).all()
    corners = {tuple(np.round(turned(np.array([5.0, 5.0, *START[2:]]), g)[:2], 9)) for g in elements}
    assert corners == {(5.0, 5.0), (5.0, 506.0), (506.0, 5.0), (506.0, 506.0)}
    for g in elements:
        assert 0 <= turned(START, g)[4] < 2 * math.pi
        for h in elements:
            assert np.allclose(turned(turned(START, g), h), turned(START, h @ g), atol=1e-9)
        for predicate in (OWN, STRICT):
            assert np.allclose(
                predicate.errors(turned(START, g), turned(GOAL, g))[1], predicate.errors(START, GOAL)[1]
            )


def towards_the_block(observation):
    """Turns with the world: into the T, in short steps."""
    away = observation["block_pos"] - observation["agent_pos"]
    return 30.0 * away / max(1e-9, float(np.linalg.norm(away)))


def orbit_of(world, steps=12):
    pairs = pairs_as_starts(np.array([[START, GOAL]]))
    policy = FunctionPolicy(towards_the_block)
    return run_orbit(policy, world, pairs, world.orbit(8, 0), steps, world.loop_arguments(0.0))


@with_library
def test_paths_in_the_library_turn_with_the_square():
    orbit = orbit_of(JUDGED["swm-pusht-strict"])
    moved = (
        orbit.episodes[0][0][-1].observation["block_pos"] - orbit.episodes[0][0][0].observation["block_pos"]
    )
    assert np.linalg.norm(moved) > 5.0
    assert orbit.deviations().max() < 1e-8


@with_library
@pytest.mark.parametrize("part", [slice(0, 2), slice(2, 4), slice(4, 5)])
def test_a_pair_of_which_a_part_is_not_turned_is_noticed(part, monkeypatch):
    def partly(state, g):
        found = turned(state, g)
        found[part] = state[part]
        return found

    monkeypatch.setattr(swm_pusht, "turned", partly)
    deviations = orbit_of(JUDGED["swm-pusht-strict"]).deviations()[:, 0]
    assert (deviations[1:] > 1.0).sum() >= 6  # an element may leave a part of this pair alone


@with_library
def test_an_element_that_is_none_of_the_walls_is_noticed_where_they_are():
    """A quarter of a quarter: the T is pushed into a wall at s and past its place at g·s."""
    world = JUDGED["swm-pusht-strict"]
    start = np.array([256.0, 330.0, 256.0, 150.0, 0.0, 0.0, 0.0])
    pairs = pairs_as_starts(np.array([[start, GOAL]]))
    for g, alike in ((world.orbit(8, 0)[1], True), (E2().rotation(math.pi / 8), False)):
        elements = [E2().identity(), g]
        orbit = run_orbit(
            FunctionPolicy(towards_the_block), world, pairs, elements, 25, world.loop_arguments(0.0)
        )
        assert (orbit.deviations().max() < 1e-6) == alike


@with_library
def test_an_episode_ends_when_the_predicate_has_held_for_its_steps():
    env = JUDGED["swm-pusht-strict"].make(predicate=STRICT)
    _, info = env.reset(seed=0, options={"start": START, "goal": START})
    assert not info["is_success"]
    ended = [env.step(np.zeros(2))[2] for _ in range(3)]
    assert ended == [False, False, True]
    env.reset(seed=0, options={"start": START, "goal": GOAL})
    assert not any(env.step(np.zeros(2))[2] for _ in range(5))


# --- models and pairs ------------------------------------------------------------------------------------


@with_library
def test_the_agent_is_asked_to_its_place_where_the_t_is_home_and_the_predicate_asks_for_it():
    model = WorldModel.for_env(PUSHT.make(), "mlp", hidden=(8,))
    env = JUDGED["swm-pusht"].make(predicate=OWN)
    for world, told in zip(JUDGED.values(), (True, False), strict=True):
        policy = world.policy(model, 0)
        assert policy.model.parameter_count == model.parameter_count
        charge = policy.task.objective().bind(policy.model.latent)
        for t_away, asked in ((0.0, told), (200.0, False)):
            costs = []
            for agent_away in (0.0, 50.0):
                goal = START + np.array([agent_away, 0, t_away, 0, 0, 0, 0])
                seen, _ = env.reset(seed=0, options={"start": START, "goal": goal})
                batch = {name: array[None] for name, array in seen.items()}
                costs.append(float(charge(policy.model.encode(batch), None, policy.model.encode_goal(batch))))
            assert (costs[1] > costs[0] + 10.0) == asked, (t_away, costs)


def test_data_and_models_are_those_of_our_own_pusht():
    for world in JUDGED.values():
        assert (world.name, world.described(), world.modules()) == (
            PUSHT.name,
            PUSHT.described(),
            PUSHT.modules(),
        )
        assert type(world.make().unwrapped) is type(PUSHT.make().unwrapped)
    assert isinstance(JUDGED["swm-pusht"], SwmPushTWorld)


@with_library
@pytest.mark.slow
def test_pairs_are_drawn_once_and_lie_beside_the_rows(tmp_path):
    asked, store = PeersTask().reduced(), Store(tmp_path)
    pairs, digest = asked.manifest(store)
    assert asked.manifest(Store(tmp_path))[1] == digest
    (beside,) = tmp_path.glob("peers-task-pairs-*.json")
    assert digest in beside.name
    rows = read_json(beside)["rows"]
    assert np.array([[row["start"], row["goal"]] for row in rows]).tolist() == pairs.tolist()
    for predicate in (OWN, STRICT):
        assert len(predicate.left_of(pairs)) >= asked.tasks
    assert replace(asked, offset=asked.offset - 1).manifest(store)[1] != digest


def test_an_expert_that_moves_nothing_is_refused(monkeypatch):
    monkeypatch.setattr(swm_pusht, "run_orbit", lambda *given: type("None", (), {"episodes": [[]]}))
    with pytest.raises(ArgumentError, match="expert"):
        swm_pusht.draw_pairs(WorldModel.for_env(PUSHT.make(), "mlp", hidden=(8,)), 1, 5, 10)


# --- the library -----------------------------------------------------------------------------------------


@with_library
def test_nothing_is_planted():
    import pymunk

    before = set(sys.modules), set(gym.registry), set(vars(pymunk.Space))
    kind = swm_pusht.pusht_class()
    assert kind.__module__ == "_equiworld_stable_worldmodel.envs.pusht.env"
    assert {name for name in set(sys.modules) - before[0] if name.startswith("stable_worldmodel")} == set()
    assert (set(gym.registry), set(vars(pymunk.Space))) == before[1:]


def test_a_library_that_is_absent_is_loud_unless_that_is_allowed(tmp_path, monkeypatch):
    def gone(*names):
        raise ImportError("nothing there")

    here = library(True)
    monkeypatch.setattr(swm_pusht, "module_of_peer", gone)
    cell, asked = Cell("peers-task", "swm-pusht", "plain", 0), PeersTask().reduced()
    (row,) = asked.answer(cell, Store(tmp_path))
    assert "nothing there" in row["note"]
    assert asked.inputs(cell)["pairs"]["library"] != here or here.startswith("absent")
    with pytest.raises(ArgumentError, match="nothing there"):
        replace(asked, allow_absent=False).inputs(cell)


def test_published_figures_have_rows_and_a_column_of_their_own(tmp_path):
    asked = PeersTask().reduced()
    cells = [cell for cell in asked.cells(Plan()) if cell.arm == "published"]
    assert [cell.world for cell in cells] == list(PUBLISHED) == list(JUDGED)
    for cell in cells:
        rows = asked.answer(cell, Store(tmp_path))
        assert [row["arm"] for row in rows] == list(PUBLISHED[cell.world])
        assert all(row["published"] and "success" not in row for row in rows)
    assert not [cell for cell in asked.cells(Plan(arms=("plain",))) if cell.arm == "published"]
    assert not asked.cells(Plan(worlds=("pusht",)))
