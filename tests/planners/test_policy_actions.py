"""Actions of every kind behind the door, in toy worlds: numbers stay, vectors turn, mirrors negate what they should."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from policy_cases import PLANNER, PLANNERS, toy_model, toy_policy

from equiworld.errors import ArgumentError
from equiworld.groups import E2, O2, O3, SE2, SE3, SO2, Cyclic, Dihedral, GroupElement
from equiworld.models import WorldModel
from equiworld.planners import CEM, ICEM, MPCPolicy, Task
from equiworld.symmetry import (
    Concatenation,
    Heading,
    Point,
    Pseudoscalar,
    Pseudovector,
    Rotation,
    Scalar,
    Symmetry,
    Vector,
)
from equiworld.symmetry.bound import bounds_of_data

pytestmark = pytest.mark.exact

every_planner = pytest.mark.parametrize("planner", PLANNERS)
every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
ROWS = 12


def fast(states, channels, goal, goal_channels):
    """How slowly the first vector moves: invariant, and asks for no goal."""
    return -states.select(channels["vel"])[..., 0].norm(dim=-1)


def near(states, channels, goal, goal_channels):
    return (states.select(channels["pos"]) - goal.select(goal_channels["goal"]))[..., 0].norm(dim=-1)


_BODY = {"heading": Heading(), "joints": Scalar(2), "vel": Vector(), "omega": Scalar(3)}
_PLACED = {"pos": Point(), "vel": Vector(), "mass": Scalar()}
_SPACE = {"pos": Point(), "axes": Rotation(), "vel": Vector(), "grip": Scalar()}
WORLDS: dict[str, Symmetry] = {
    "swimmer: torques": Symmetry(SO2(), _BODY, action=Scalar(2), heading="heading", flat=True),
    "vector and gripper": Symmetry(
        SE2(), _BODY | {"pos": Point()}, action=Concatenation((Vector(), Scalar())), heading="heading"
    ),
    "two vectors and two numbers": Symmetry(
        SE2(),
        _BODY | {"pos": Point()},
        action=Concatenation((Scalar(), Vector(2), Scalar())),
        heading="heading",
    ),
    "unicycle with its mirror": Symmetry(
        E2(), _PLACED | {"way": Heading()}, action=Concatenation((Scalar(), Pseudoscalar())), heading="way"
    ),
    "turn rate alone": Symmetry(O2(), _PLACED | {"wind": Vector()}, action=Pseudoscalar()),
    "arm: displacement and gripper": Symmetry(SE3(), _SPACE, action=Concatenation((Vector(), Scalar()))),
    "arm: seven torques": Symmetry(SE3(), _SPACE, action=Scalar(7)),
    "force and torque in space": Symmetry(
        O3(), _SPACE, action=Concatenation((Vector(), Pseudovector(), Scalar()))
    ),
    "a heading to take": Symmetry(SE2(), _PLACED | {"way": Heading()}, action=Heading(), heading="way"),
    "a heading from north to north": Symmetry(
        SE2(), _PLACED | {"way": Heading()}, action=Heading(low=np.pi / 2), heading="way"
    ),
    "a place to go": Symmetry(SE2(), _PLACED | {"way": Heading()}, action=Point(), heading="way"),
    "quarter turns": Symmetry(Cyclic(4), _PLACED, action=Vector()),
    "a square's symmetries": Symmetry(Dihedral(4), _PLACED, action=Concatenation((Vector(), Pseudoscalar()))),
}


def space_of(symmetry: Symmetry) -> gym.Space:
    """Wide enough that no box cuts off what turns."""
    most = 8.0 if isinstance(symmetry.action, Heading) else 5.0
    return gym.spaces.Box(-most, most, (symmetry.action.size(symmetry.dim),), np.float64)


def observed(symmetry: Symmetry, rows: int = ROWS, seed: int = 0) -> Any:
    """Random observations; orientations are orthonormal."""
    rng = np.random.default_rng(seed)
    arrays = {}
    for name, field in symmetry.observation.items():
        arrays[name] = rng.standard_normal((rows, field.size(symmetry.dim)))
        if isinstance(field, Rotation):
            arrays[name] = SE3().sample(rng, rows).matrix.reshape(rows, 9)
    return np.concatenate(list(arrays.values()), -1) if symmetry.flat else arrays


@lru_cache
def made(world: str, planner: str, dtype: str, **settings: Any) -> MPCPolicy:
    symmetry = WORLDS[world]
    return toy_policy(symmetry, fast, PLANNERS[planner], "mlp", space_of(symmetry), dtype=dtype, **settings)


def turned_apart(policy: MPCPolicy, observation: Any, g: GroupElement) -> tuple[np.ndarray, np.ndarray, Any]:
    """Actions as they should be at g·o and as they are, headings wrapped; and the state there."""
    action, _ = policy.predict(observation)
    found, state = policy.predict(policy.symmetry.transform_observation(g, observation))
    return policy.symmetry.transform_action(g, action), found, state


@every_planner
@every_dtype
@pytest.mark.parametrize("world", WORLDS)
def test_actions_of_any_kind_turn_as_declared(world, planner, dtype):
    policy, symmetry = made(world, planner, dtype), WORLDS[world]
    assert not policy.inexact
    g = symmetry.group.sample(np.random.default_rng(1), ROWS, scale=0.3)
    expected, found, state = turned_apart(policy, observed(symmetry), g)
    apart = np.abs(found - expected)
    if isinstance(symmetry.action, Heading):
        apart = np.minimum(apart, 2 * np.pi - apart)
    assert not state.degenerate.any()
    assert not state.clipped.any()
    assert apart.max() <= 1e-12
    assert found.std(0).min() > 1e-3


@every_planner
@pytest.mark.parametrize("world", ["swimmer: torques", "arm: seven torques"])
def test_numbers_are_equal_to_the_bit(world, planner):
    policy, symmetry = made(world, planner, "float32"), WORLDS[world]
    g = symmetry.group.sample(np.random.default_rng(2), ROWS, scale=3.0)
    expected, found, _ = turned_apart(policy, observed(symmetry), g)
    assert np.array_equal(found, expected)


def test_a_gripper_stays_while_its_vector_turns():
    policy, symmetry = made("vector and gripper", "cem", "float64"), WORLDS["vector and gripper"]
    action, _ = policy.predict(observed(symmetry))
    g = symmetry.group.sample(np.random.default_rng(2), ROWS)
    found, _ = policy.predict(symmetry.transform_observation(g, observed(symmetry)))
    assert np.array_equal(found[:, 2], action[:, 2])
    assert np.abs(found[:, :2] - action[:, :2]).max() > 0.1
    assert np.allclose(found[:, :2], np.einsum("bij,bj->bi", g.matrix, action[:, :2]), rtol=0, atol=1e-12)


def test_without_the_door_they_do_not():
    """Negative control: also numbers come out otherwise, for the model that is asked is a plain one."""
    for world in ("swimmer: torques", "vector and gripper", "force and torque in space"):
        policy, symmetry = made(world, "cem", "float64", door=False), WORLDS[world]
        g = symmetry.group.sample(np.random.default_rng(1), ROWS, scale=0.3)
        expected, found, _ = turned_apart(policy, observed(symmetry), g)
        assert np.abs(found - expected).max() > 1e-2


@pytest.mark.parametrize(
    ("family", "planner"),
    [
        ("auto", "cem"),
        ("auto", "gradient"),
        ("state", "mppi"),
        ("state-steerable", "mppi"),
        ("mlp", "gradient"),
    ],
)
@pytest.mark.parametrize("group", [SE2(), SE3()], ids=str)
def test_a_point_mass_at_rest_with_a_goal_is_exact(group, planner, family):
    """Nothing but the way to the goal tells directions; in space a turn about it stays free, and that is said."""
    fields = {"pos": Point(), "vel": Vector(), "goal": Point()}
    if group.dim == 3:
        fields["wind"] = Vector()
    symmetry = Symmetry(group, fields, action=Vector(), goal=("goal",))
    policy = toy_policy(symmetry, near, PLANNERS[planner], family, space_of(symmetry), dtype="float32")
    here = observed(symmetry) | {"vel": np.zeros((ROWS, group.dim))}
    g = group.sample(np.random.default_rng(1), ROWS, scale=3.0)
    expected, found, state = turned_apart(policy, here, g)
    assert np.abs(found - expected).max() <= 1e-12
    assert not state.degenerate.any()
    if group.dim == 3:
        here["wind"] = np.zeros((ROWS, 3))
        assert policy.predict(here)[1].degenerate.all()
    reached = here | {"goal": here["pos"]}
    assert policy.predict(reached)[1].degenerate.all()


def test_what_never_has_a_frame_says_so_before_any_work():
    symmetry = Symmetry(SE2(), {"pos": Point(), "mass": Scalar()}, action=Vector())

    def heavy(states, channels, goal, goal_channels):
        return states.select(channels["mass"])[..., 0]

    policy = toy_policy(symmetry, heavy, family="mlp", action_space=space_of(symmetry))
    assert any("nothing observed fixes a frame" in reason for reason in policy.inexact)
    assert policy.predict(observed(symmetry))[1].degenerate.all()
    calm = replace(symmetry, action=Scalar(2))
    assert not toy_policy(calm, heavy, family="mlp", action_space=space_of(calm)).inexact


@pytest.mark.parametrize("door", [True, False])
def test_observations_in_float32_are_flagged_from_the_space(door):
    symmetry = WORLDS["swimmer: torques"]
    model = toy_model(symmetry, "mlp", space_of(symmetry), dtype=np.float32)
    policy = MPCPolicy(model, PLANNER, task=Task(cost=fast), door=door)
    assert any("float32" in reason for reason in policy.inexact) == door


@pytest.mark.parametrize("limit", [1e6, 1e10, float(np.finfo(np.float32).max)])
def test_wide_limits_of_an_observation_do_not_blur_it(limit):
    """Many spaces say ±1e10 or float32's largest number where they mean infinity."""
    symmetry = Symmetry(SE2(), {**_PLACED, "way": Heading()}, action=Vector(), heading="way")
    here = observed(symmetry)
    one, other = (
        toy_policy(symmetry, fast, PLANNER, "mlp", space_of(symmetry), limit=size).predict(here)[0]
        for size in (10.0, limit)
    )
    assert np.allclose(one, other, rtol=0, atol=1e-3)


# ------------------------------------------------------------------------------------------------ bounds

PUSH = Symmetry(SE2(), {"pos": Point(), "vel": Vector(), "goal": Point()}, action=Vector(), goal=("goal",))


@pytest.mark.parametrize(
    "space",
    [
        gym.spaces.Box(-np.inf, np.inf, (2,), np.float64),
        gym.spaces.Box(0.0, np.inf, (2,), np.float32),
        gym.spaces.Box(np.array([-1.0, -np.inf]), np.array([np.inf, np.inf]), dtype=np.float64),
    ],
    ids=str,
)
@pytest.mark.parametrize("action", [Concatenation((Scalar(), Pseudoscalar())), Scalar(2)], ids=str)
def test_actions_without_limits_are_refused_before_any_work(space, action):
    model = toy_model(replace(PUSH, action=action), "mlp", space)
    with pytest.raises(ArgumentError, match=r"model\.action_bound.*limits for each part"):
        MPCPolicy(model, PLANNER, task=Task(cost=near))


def test_a_model_of_data_alone_is_bounded_by_them():
    """|a| ≤ .02 was seen: nothing longer is planned; without having seen anything there is no bound."""
    model = WorldModel.for_data(_Recorded(), "mlp", hidden=(16,))
    with pytest.raises(ArgumentError, match=r"model\.action_bound: got nothing about which actions"):
        MPCPolicy(model, PLANNER, task=Task(cost=near))
    rng = np.random.default_rng(0)
    seen = rng.standard_normal((500, 2))
    seen *= (0.02 * rng.random(500) / np.linalg.norm(seen, axis=-1))[:, None]
    model.action_bound = bounds_of_data(PUSH, (), seen)
    policy = MPCPolicy(model, CEM(horizon=3, samples=64, spread=5.0), task=Task(cost=near), dtype="float64")
    length = np.linalg.norm(policy.predict(observed(PUSH))[0], axis=-1)
    assert 0.015 < length.max() <= 0.02


class _Recorded:
    symmetry = PUSH
    provenance: dict[str, Any] = {}  # noqa: RUF012  as of a data set that no environment made


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("planner", ["cem", "gradient"])
@pytest.mark.parametrize("action", [Vector(), Scalar(2), Concatenation((Scalar(), Scalar()))], ids=str)
def test_actions_are_of_the_space_and_its_dtype(dtype, planner, action):
    symmetry = replace(PUSH, action=action)
    for low, high in ((-1.0, 1.0), (-0.1, 0.1), (np.array([-1000.0, -0.1]), np.array([1000.0, 0.1]))):
        low, high = (np.broadcast_to(side, 2).astype(dtype) for side in (low, high))
        space = gym.spaces.Box(low, high, dtype=dtype)
        policy = toy_policy(
            symmetry, near, replace(PLANNERS[planner], spread=3.0), "mlp", space, dtype="float32"
        )
        actions, state = policy.predict(observed(symmetry))
        assert actions.dtype == dtype
        assert all(space.contains(one) for one in actions)
        single, _ = policy.predict({name: array[0] for name, array in observed(symmetry).items()})
        assert space.contains(single)
        assert not state.clipped.any()


def test_numbers_of_very_different_size_are_all_used():
    """±1000 and ±.1: noise is in units of each."""
    symmetry = replace(PUSH, action=Scalar(2))
    space = gym.spaces.Box(np.array([-1000.0, -0.1]), np.array([1000.0, 0.1]), dtype=np.float64)
    for planner in (CEM(horizon=2, samples=64, elites=8), ICEM(horizon=2, samples=64, elites=8)):
        actions, _ = toy_policy(symmetry, near, planner, "mlp", space).predict(observed(symmetry, 40))
        spread = actions.std(0) / [1000.0, 0.1]
        assert spread.min() > 0.005
        assert spread.max() < 1.0


def test_vectors_stay_within_the_ball_inside_a_box():
    """What turns must stay inside however it is turned."""
    space = gym.spaces.Box(np.array([-1.0, -2.0]), np.array([3.0, 2.0]), dtype=np.float64)
    policy = toy_policy(PUSH, near, replace(PLANNER, spread=5.0), "mlp", space)
    length = np.linalg.norm(policy.predict(observed(PUSH, 40))[0], axis=-1)
    assert 0.9 < length.max() <= 1.0 + 1e-12


def test_a_whole_box_on_a_vector_is_used_clipped_and_flagged():
    space = gym.spaces.Box(-1.0, 1.0, (2,), np.float64)
    policy = toy_policy(PUSH, near, replace(PLANNER, spread=5.0), "mlp", space, bound="box")
    assert any("box" in reason for reason in policy.inexact)
    actions, state = policy.predict(observed(PUSH, 40))
    assert np.abs(actions).max() <= 1.0
    assert np.linalg.norm(actions, axis=-1).max() > 1.05  # into the corners
    assert 0 < state.clipped.sum() < 40
    # Of numbers a box is what it always was.
    calm = replace(PUSH, action=Scalar(2))
    assert not toy_policy(calm, near, PLANNER, "mlp", space, bound="box").inexact


def test_a_box_that_no_vector_fits_in_is_refused():
    """No ball about 0 fits into [1, 2]²: nothing turns there."""
    model = toy_model(PUSH, "mlp", gym.spaces.Box(1.0, 2.0, (2,), np.float64))
    with pytest.raises(ArgumentError, match=r"model\.action_bound"):
        MPCPolicy(model, PLANNER, task=Task(cost=near))
