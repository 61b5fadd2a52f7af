"""Policies whose answers turn with the world, in open and in closed loop: any planner, any model, any dtype."""

from __future__ import annotations

from functools import lru_cache

import gym_pusht  # noqa: F401  registers the stock environment
import gymnasium as gym
import numpy as np
import pytest
from family_cases import STATE_FAMILIES
from policy_cases import BESIDE, EDGE, ENV, FAMILIES, PLAIN, PLANNERS, policy_of, round_observations, rows

from equiworld.envs.pusht.simulation import PushTState
from equiworld.groups import SE2, GroupElement
from equiworld.models import WorldModel
from equiworld.planners import CEM, MPCPolicy, PolicyState, Task

pytestmark = pytest.mark.exact

every_planner = pytest.mark.parametrize("planner", PLANNERS)
every_family = pytest.mark.parametrize("family", FAMILIES)
every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
ELEMENTS = [
    SE2().near_identity(np.random.default_rng(3)),
    *SE2().sample(np.random.default_rng(0), 2, scale=100.0),
]
QUARTER = SE2().rotation(np.pi / 2)


@lru_cache
def policy(family: str, planner: str, dtype: str, repeat: int = 1, **settings) -> MPCPolicy:
    return policy_of(family, repeat, PLANNERS[planner], dtype=dtype, **settings)


# ------------------------------------------------------------------------------------------ what is seen


def passive_deviation(policy: MPCPolicy, observations, elements=ELEMENTS) -> float:
    """The largest |π(g·o) − ρ(g)·π(o)| [px]."""
    symmetry, worst = policy.symmetry, 0.0
    actions, _ = policy.predict(observations)
    assert np.isfinite(actions).all()
    assert np.ptp(actions, axis=0).min() > 1  # a policy that does nothing would turn too
    for g in elements:
        turned, _ = policy.predict(symmetry.transform_observation(g, observations))
        worst = max(worst, float(np.abs(turned - symmetry.transform_action(g, actions)).max()))
    return worst


@every_planner
@every_family
@every_dtype
def test_what_is_seen_turned_is_answered_turned(planner, family, dtype, observations):
    """Also from starts at round numbers."""
    some = {
        name: np.concatenate([observations[name][:6], array]) for name, array in round_observations().items()
    }
    assert passive_deviation(policy(family, planner, dtype), some, [*ELEMENTS, QUARTER]) <= 1e-9


@pytest.mark.parametrize("family", STATE_FAMILIES)
def test_every_family_is_exact_behind_the_door(family, observations):
    made = policy_of(family, dtype="float32")
    assert passive_deviation(made, observations) <= 1e-9


@every_planner
@every_dtype
def test_without_the_door_it_is_not(planner, dtype, observations):
    """Negative control: planned along the world's axes, even with a model that is equivariant."""
    for family in ("state", "mlp"):
        assert passive_deviation(policy(family, planner, dtype, door=False), observations) > 1.0


@every_family
def test_plans_turn_too(family, observations):
    made = policy(family, "icem", "float64")
    plain = made.plan(observations)
    for g in ELEMENTS:
        turned = made.plan(made.symmetry.transform_observation(g, observations))
        for name in ("actions", "carried"):
            expected = getattr(plain, name).numpy() @ g.matrix.T
            assert np.abs(getattr(turned, name).numpy() - expected).max() <= 1e-9
        assert np.array_equal(turned.cost, plain.cost)
        assert np.array_equal(turned.margin > 0, plain.margin > 0)


def test_a_decision_is_the_same_to_the_bit_inside(observations):
    """Not nearly: what turns the action back is all that differs."""
    made = policy("mlp", "mppi", "float32")
    _, state = made.predict(observations)
    for g in ELEMENTS:
        _, turned = made.predict(made.symmetry.transform_observation(g, observations))
        assert np.array_equal(turned.plan, state.plan)


@every_planner
def test_warm_starts_held_actions_and_new_episodes_turn_along(planner, observations):
    """A long history of one batch, seen from two sides; episodes begin row by row."""
    made, rng = policy("mlp", planner, "float32", 2), np.random.default_rng(0)
    symmetry, envs = made.symmetry, 8
    g = SE2().sample(rng, envs, scale=100.0)
    seen, states, worst, kept = rows(observations, slice(0, envs)), (None, None), 0.0, []
    for step in range(7):
        order = np.roll(np.arange(envs), step // 2)
        here = rows(seen, order)
        start = None if step == 0 else (np.arange(envs) + step) % 5 == 0
        first, one = made.predict(here, states[0], start)
        second, other = made.predict(symmetry.transform_observation(g, here), states[1], start)
        worst = max(worst, float(np.abs(second - symmetry.transform_action(g, first)).max()))
        assert np.array_equal(one.plan, other.plan)
        assert np.array_equal(one.decisions, other.decisions)
        states = one, other
        kept.append(one.decisions)
    assert worst <= 1e-9
    assert len(np.unique(kept[-1])) > 1


@every_dtype
def test_a_state_that_comes_from_elsewhere_is_noticed(dtype, observations):
    """Negative control of the warm start: that of another frame gives another action."""
    made = policy("mlp", "cem", dtype)
    _, state = made.predict(observations)
    action, _ = made.predict(observations, state)
    turned = state._replace(rotation=state.rotation @ SE2().rotation(1.0).matrix)
    assert np.abs(made.predict(observations, turned)[0] - action).max() > 1e-3


# ----------------------------------------------------------------------------------------- closed loops


def closed_loop(
    policy: MPCPolicy, elements: list[GroupElement], state: PushTState, steps: int
) -> tuple[float, float, list[PolicyState]]:
    """How far worlds started at g·s come from g·(the world started at s), and how far the block went [px].

    Each world has a call of its own, as it has when it is deployed; nobody is told.
    """
    envs = [gym.make(ENV, walls=False) for _ in elements]
    options = {"state": state}
    seen = [
        env.reset(options=options | {"group_element": g})[0] for env, g in zip(envs, elements, strict=True)
    ]
    symmetry, states, worst, start = policy.symmetry, [None] * len(envs), 0.0, seen[0]["block_pos"]
    for _ in range(steps):
        for index, env in enumerate(envs):
            action, states[index] = policy.predict(seen[index], states[index])
            assert env.action_space.contains(action)
            seen[index] = env.step(action)[0]
        for g, one in zip(elements, seen, strict=True):
            expected = symmetry.transform_observation(g, seen[0])
            for name in ("agent_pos", "agent_vel", "block_pos", "block_keypoints"):
                worst = max(worst, float(np.abs(one[name] - expected[name]).max()))
    return worst, float(np.linalg.norm(seen[0]["block_pos"] - start)), states


WORLDS = [SE2().identity(), *SE2().sample(np.random.default_rng(1), 1, scale=300.0)]


@every_planner
@every_family
@every_dtype
def test_a_world_started_turned_stays_turned(planner, family, dtype):
    """From a start at round numbers, the agent's centre on the block's edge."""
    deviation, _, states = closed_loop(policy(family, planner, dtype), WORLDS, EDGE, steps=5)
    assert deviation <= 1e-8
    assert not any(state.degenerate.any() for state in states)


@pytest.mark.parametrize("repeat", [1, 2])
@pytest.mark.parametrize("family", ["state", "mlp"])
def test_it_stays_turned_through_contact(family, repeat):
    deviation, moved, _ = closed_loop(policy(family, "cem", "float32", repeat), WORLDS, BESIDE, steps=24)
    assert moved > 5
    assert deviation <= 1e-8


@pytest.mark.parametrize("family", ["state", "mlp"])
def test_a_world_started_turned_does_not_stay_turned_without_the_door(family):
    """Negative control."""
    made = policy(family, "cem", "float64", door=False)
    assert closed_loop(made, WORLDS, BESIDE, steps=12)[0] > 1.0


# ------------------------------------------------------------------------------------- what is said of it


def test_observations_in_float32_are_flagged(observations):
    made = policy_of()
    assert not made.inexact
    single = {name: array.astype(np.float32) for name, array in observations.items()}
    made.predict(single)
    assert any("float32" in reason for reason in made.inexact)


def test_what_is_decided_does_not_depend_on_what_was_seen_before(observations):
    """Rounded observations in between leave no trace."""
    made = policy_of("mlp")
    before, _ = made.predict(observations)
    made.predict({name: array.astype(np.float32) for name, array in observations.items()})
    assert np.array_equal(made.predict(observations)[0], before)


def test_all_that_keeps_decisions_from_being_exact_is_said():
    assert not policy_of("mlp").inexact
    assert any("time_budget" in reason for reason in policy_of(planner=CEM(time_budget=1.0)).inexact)
    assert any("door=False" in reason for reason in policy_of(door=False).inexact)


# -------------------------------------------------------- absolute actions, and a goal nobody observes


def to_the_corner(state, channels, goal, goal_channels):
    """The distance [px] of the agent to 60 px ahead of the block: invariant, and no goal is asked for."""
    assert goal.batch_shape[-1] == 1
    assert not goal_channels
    ahead = state.select(channels["block_pos"]) + 60.0 * state.select(channels["block_heading"])
    return (state.select(channels["agent_pos"]) - ahead)[..., 0].norm(dim=-1)


@pytest.fixture
def stock_env() -> gym.Env:
    return gym.make("gym_pusht/PushT-v0", obs_type="state")


@pytest.fixture
def stock_observations(stock_env) -> np.ndarray:
    """Well inside the box of targets."""
    found = np.stack([stock_env.reset(seed=seed)[0] for seed in range(16)]).astype(np.float64)
    found[:, :4] = 256 + (found[:, :4] - 256) / 4
    return found


@pytest.mark.parametrize("family", ["state", "mlp"])
@every_dtype
def test_actions_that_are_points_turn_and_start_from_the_body(family, dtype, stock_env, stock_observations):
    """Not from the corner of the screen, which is where zeros are."""
    model = WorldModel.for_env(stock_env, family, **PLAIN)
    planner = CEM(horizon=2, samples=32, iterations=2, spread=0.05)
    made = MPCPolicy(model, planner, dtype=dtype, task=Task(cost=to_the_corner))
    actions, state = made.predict(stock_observations)
    assert actions.shape == (16, 2)
    assert np.linalg.norm(actions - stock_observations[:, 2:4], axis=-1).max() < 60
    assert all(stock_env.action_space.contains(action) for action in actions)
    assert not state.clipped.any()
    g = SE2().sample(np.random.default_rng(0), 16, scale=20.0)
    turned, _ = made.predict(made.symmetry.transform_observation(g, stock_observations))
    # Both are rounded to the float32 of the action space.
    assert np.abs(turned - made.symmetry.transform_action(g, actions)).max() <= 1e-4
    single, _ = made.predict(stock_observations[3])
    assert np.allclose(single, actions[3], rtol=0, atol=1e-4 if dtype == "float64" else 60)


def test_targets_that_the_box_cuts_off_are_flagged(stock_env, stock_observations):
    """The box is a wall of the world: it stays where it is, and is said to bind."""
    model = WorldModel.for_env(stock_env, "mlp", **PLAIN)
    made = MPCPolicy(model, CEM(horizon=2, samples=32), dtype="float64", task=Task(cost=to_the_corner))
    away = stock_observations.copy()
    away[8:, :4] += 300.0
    actions, state = made.predict(away)
    assert all(stock_env.action_space.contains(action) for action in actions)
    assert state.clipped[8:].any()
    assert not state.clipped[:8].any()
