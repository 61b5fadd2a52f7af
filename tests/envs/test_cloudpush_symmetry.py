"""`equiworld/CloudPush-v0` started at g·s is the turned episode, unless something prefers a direction."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from cloudpush_cases import ID, chase, deviation, difference, make, started
from gymnasium.vector import SyncVectorEnv
from numpy.typing import NDArray

from equiworld.envs.cloudpush.simulation import CloudPushState
from equiworld.envs.group_action import GroupAction, RandomGroupAction
from equiworld.envs.vector_group_action import VectorGroupAction, VectorRandomGroupAction
from equiworld.groups import SE3, SO3, GroupElement
from equiworld.symmetry import Cloud, Rotation, Vector, symmetry_of
from equiworld.symmetry.serialise import symmetry_from_dict, symmetry_to_dict

pytest.importorskip("mujoco")

ELEMENTS = {
    "quarter": SO3().rotation([0.0, 0.0, np.pi / 2]),
    "half": SO3().rotation([np.pi, 0.0, 0.0]),
    "turn": SO3().rotation([1.1, -0.4, 2.0]),
    "near": SO3().rotation([1e-4, 0.0, 0.0]),
    "shift": SE3().translation([3.0, -1.0, 0.5]),
    "both": SE3().sample(np.random.default_rng(0), scale=1.0),
}
UPRIGHT = {
    "turn": SO3().rotation([0.0, 0.0, 2.1]),
    "shift": SE3().translation([0.4, -0.7, 0.0]) @ SE3().rotation([0.0, 0.0, -0.9]),
}


def episode(arguments: dict[str, Any], seed: int, steps: int = 12) -> tuple[CloudPushState, NDArray]:
    """A start, and actions that push the body about from there."""
    env = make(**arguments)
    start = started(env, seed)
    return start, chase(env, np.random.default_rng(seed), steps)


@pytest.mark.parametrize("name", ELEMENTS)
@pytest.mark.parametrize("shape", ["bracket", "zed", "bottle", "random"])
def test_an_episode_started_turned_is_the_turned_episode(name: str, shape: str) -> None:
    arguments = {"shape": shape, "observe_pose": True, "noise": 0.002, "dropout": 0.1, "view": "random"}
    assert deviation(arguments, ELEMENTS[name], *episode(arguments, 1)) < 1e-10


@pytest.mark.parametrize(
    "arguments",
    [{}, {"friction": 0.0}, {"friction": 1.5}, {"drag": 0.5}, {"points": 32, "goal_angle": 2.0}],
    ids=["default", "frictionless", "rough", "slippery", "few points"],
)
def test_it_does_not_depend_on_the_settings(arguments: dict[str, Any]) -> None:
    assert symmetry_of(make(**arguments)).holds == "everywhere"
    for seed in range(3):
        assert deviation(arguments, ELEMENTS["both"], *episode(arguments, seed)) < 1e-10


BROKEN = {
    "pyramidal friction cones": {"cone": "pyramidal"},
    "gravity": {"gravity": 9.81},
    "anisotropic drag": {"drag": (20.0, 50.0, 100.0)},
    "a camera that stays put": {"view": (0.0, 0.0, 1.0)},
}


@pytest.mark.parametrize("reason", BROKEN)
def test_what_prefers_a_direction_breaks_it_and_is_declared(reason: str) -> None:
    """The negative controls: the same check notices each of them."""
    arguments = BROKEN[reason]
    symmetry = symmetry_of(make(**arguments))
    assert symmetry.holds == f"nowhere, because of {reason}"
    assert symmetry.group == SE3()
    worst = max(deviation(arguments, ELEMENTS["turn"], *episode(arguments, seed)) for seed in range(4))
    assert worst > 1e-3  # [m]


def test_without_friction_the_cone_does_not_matter() -> None:
    arguments = {"cone": "pyramidal", "friction": 0.0}
    assert make(**arguments).symmetry_breakers == ()
    assert deviation(arguments, ELEMENTS["turn"], *episode(arguments, 1)) < 1e-10


@pytest.mark.parametrize("name", UPRIGHT)
def test_gravity_and_a_table_leave_turns_about_the_vertical(name: str) -> None:
    """The breaking of the symmetry is of the right kind: what keeps the vertical still holds."""
    arguments = {"gravity": 9.81, "table": True}
    assert symmetry_of(make(**arguments)).holds == "nowhere, because of gravity and a table"
    for seed in (0, 2):
        assert deviation(arguments, UPRIGHT[name], *episode(arguments, seed, steps=8)) < 1e-9
    falling = {"gravity": 9.81}
    assert deviation(falling, UPRIGHT[name], *episode(falling, 0)) < 1e-10


def test_a_table_in_the_way_breaks_it() -> None:
    """Pushed down onto it; turned by a right angle about itself, the body is pushed along instead."""
    start, pushes = started(make(), 1), np.tile([0.0, 0.0, -0.05], (10, 1))
    start = start.replace(body_pos=(0.0, 0.0, 0.3), agent_pos=(0.0, 0.0, 0.45))
    middle = SE3().translation(start.body_pos)
    g = middle @ SO3().rotation([np.pi / 2, 0.0, 0.0]) @ middle.inverse()
    assert symmetry_of(make(table=True)).holds == "nowhere, because of a table"
    assert deviation({"table": True}, g, start, pushes) > 1e-3
    assert deviation({}, g, start, pushes) < 1e-10


def test_a_drag_with_an_axis_leaves_turns_about_it() -> None:
    arguments = {"drag": (50.0, 50.0, 10.0)}
    assert deviation(arguments, UPRIGHT["turn"], *episode(arguments, 0)) < 1e-10
    assert deviation(arguments, ELEMENTS["turn"], *episode(arguments, 0)) > 1e-3


def test_a_state_in_the_middle_of_contact_can_be_turned() -> None:
    """Solver and velocities turn along: going on from g·(the state) is g·(going on)."""
    env = make()
    started(env, 1)
    chase(env, np.random.default_rng(1), 6)
    state = env.get_state()
    assert np.abs(state.warmstart).max() > 0
    assert deviation({}, ELEMENTS["both"], state, chase(env, np.random.default_rng(2), 8)) < 1e-10


def test_seeded_starts_turn_too() -> None:
    env = make(view="random", observe_pose=True)
    symmetry, g = symmetry_of(env), ELEMENTS["both"]
    for seed in range(10):
        plain, _ = env.reset(seed=seed)
        turned, _ = env.reset(seed=seed, options={"group_element": g})
        assert difference(turned, symmetry.transform_observation(g, plain)) < 1e-12


# --- what is declared -----------------------------------------------------------------------------------


def test_the_declared_symmetry() -> None:
    symmetry = symmetry_of(ID)
    assert symmetry == symmetry_of(gym.make(ID)) == symmetry_from_dict(symmetry_to_dict(symmetry))
    assert symmetry.state == ("agent_pos", "agent_vel", "cloud")
    assert symmetry.goal == {"goal_cloud": "cloud"}
    assert symmetry.observation["cloud"] == Cloud(128)
    assert (symmetry.action, symmetry.action_origin, symmetry.reference) == (Vector(), "agent_pos", None)
    knowing = symmetry_of(make(observe_pose=True, points=16))
    body = ("body_pos", "body_rotation", "body_vel", "body_angular_vel")
    assert knowing.state == ("agent_pos", "agent_vel", *body)
    assert list(knowing.goal.items()) == [
        ("goal_pos", "body_pos"),
        ("goal_rotation", "body_rotation"),
        ("goal_cloud", "cloud"),
    ]
    assert knowing.observation["body_rotation"] == Rotation()
    assert knowing.reference == "body_pos"
    assert "cloud" not in symmetry_of(make(observe_pose=True, points=0)).observation


# --- wrappers -------------------------------------------------------------------------------------------


def play(env: gym.Env, g: GroupElement | None, steps: int = 6) -> list[Any]:
    """An episode under actions of the unturned world, turned by g if given."""
    results = [env.reset(seed=3)]
    for step in range(steps):
        action = np.array([0.02, -0.01, 0.01]) * (step % 3)
        results.append(env.step(action if g is None else g.rotate(action)))
    return results


def test_seen_turned_and_started_turned_are_the_same() -> None:
    g, kind = ELEMENTS["both"], {"observe_pose": True, "view": "random"}
    seen = play(GroupAction(gym.make(ID, **kind), g), g)
    active = make(**kind)
    start = started(active, 3).replace(step=0)
    shown = [active.reset(options={"state": start, "group_element": g})]
    shown += [active.step(g.rotate(np.array([0.02, -0.01, 0.01]) * (step % 3))) for step in range(6)]
    for one, other in zip(seen, shown, strict=True):
        assert difference(one[0], other[0]) < 1e-12
        assert np.abs(one[-1]["body_rotation"] - other[-1]["body_rotation"]).max() < 1e-12


@pytest.mark.parametrize("observe_pose", [False, True])
def test_vector_wrappers_are_loops_of_single_ones(observe_pose: bool) -> None:
    elements = SE3().sample(np.random.default_rng(1), 2, scale=0.5)
    envs = SyncVectorEnv([lambda: gym.make(ID, observe_pose=observe_pose)] * 2)
    turned = VectorGroupAction(envs, elements)
    together = [turned.reset(seed=[3, 3])]
    for step in range(6):
        action = np.array([0.02, -0.01, 0.01]) * (step % 3)
        together.append(turned.step(np.stack([g.rotate(action) for g in elements])))
    for index, g in enumerate(elements):
        alone = play(GroupAction(gym.make(ID, observe_pose=observe_pose), g), g)
        for one, other in zip(alone, together, strict=True):
            assert difference(one[0], {key: rows[index] for key, rows in other[0].items()}) < 1e-12
    assert turned.single_observation_space.contains({key: rows[0] for key, rows in together[-1][0].items()})
    turned.close()


def test_random_elements_leave_the_clouds_of_an_episode_alone() -> None:
    """The wrapper draws from the env's generator after the reset; clouds have random numbers of their own."""
    env, plain = RandomGroupAction(gym.make(ID), SE3()), gym.make(ID)
    for seed in range(3):
        raw, _ = plain.reset(seed=seed)
        shown, info = env.reset(seed=seed)
        g = info["group_element"]
        for _ in range(3):
            assert difference(shown, env.symmetry.transform_observation(g, raw)) < 1e-12
            shown, *_ = env.step(g.rotate(np.array([0.01, 0.0, 0.0])))
            raw, *_ = plain.step(np.array([0.01, 0.0, 0.0]))
    batch = VectorRandomGroupAction(SyncVectorEnv([lambda: gym.make(ID)] * 2), "SE3")
    first, second = batch.reset(seed=0)[1]["group_element"]
    assert not first.is_close(second)
    batch.close()
