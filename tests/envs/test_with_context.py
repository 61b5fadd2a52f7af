"""Environments that show what breaks their symmetry: they carry the whole of it where that is turned along."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces

import equiworld as ew
import equiworld.envs
from equiworld.envs import GroupAction, WithContext
from equiworld.envs.pusht.env import PushTEnv
from equiworld.envs.pusht.simulation import PushTState
from equiworld.errors import ArgumentError
from equiworld.planners import CEM
from equiworld.symmetry import Context, Symmetry, Vector, symmetry_of
from equiworld.tasks import Task

SPACE = {"points": 0, "observe_pose": True, "gravity": 3.0, "table": True}


def pusht(**arguments: Any) -> WithContext:
    return WithContext(gym.make("equiworld/PushT-v0", **arguments))


def cloudpush(**arguments: Any) -> WithContext:
    pytest.importorskip("mujoco")
    return WithContext(gym.make("equiworld/CloudPush-v0", **{**SPACE, **arguments}))


def pushed(make: Any, length: float, steps: int, seed: int, turned: bool = True) -> float:
    """The largest deviation of an episode begun at g·s from g·(that begun at s), its actions turned."""
    one, other = make(), make()
    symmetry = one.symmetry
    rng = np.random.default_rng(seed)
    g = symmetry.group.sample(rng, scale=symmetry.length_scale)
    here, _ = one.reset(seed=seed)
    there, _ = other.reset(seed=seed, options={"group_element": g})
    body = symmetry.reference
    worst = 0.0
    for _ in range(steps):
        way = here[body] - here["agent_pos"]
        action = length * way / np.linalg.norm(way) + 0.2 * length * rng.normal(size=symmetry.dim)
        here = one.step(action)[0]
        there = other.step(symmetry.transform_action(g, action) if turned else action)[0]
        expected = symmetry.transform_observation(g, here)
        worst = max(
            worst, *(np.abs(expected[name] - there[name]).max() for name in here if "heading" not in name)
        )
    one.close()
    other.close()
    return worst / symmetry.length_scale


@pytest.mark.parametrize("seed", range(4))
def test_the_table_and_gravity_of_cloudpush_turn_along_and_all_of_space_is_a_symmetry(seed: int) -> None:
    assert pushed(cloudpush, 0.03, 15, seed) < 1e-9


@pytest.mark.parametrize("seed", range(4))
def test_away_from_its_walls_pusht_goes_on_alike(seed: int) -> None:
    assert pushed(lambda: pusht(starts="free"), 10.0, 10, seed) < 1e-9


def test_that_test_fails_where_actions_are_not_turned() -> None:
    assert pushed(cloudpush, 0.03, 15, 0, turned=False) > 1e-2


def test_walls_that_turn_along_stop_the_block_where_they_stand() -> None:
    env, other, plain = pusht(), pusht(), gym.make("equiworld/PushT-v0")
    g = ew.SE2().rotation(0.6) @ ew.SE2().translation([40.0, -30.0])
    state = PushTState((255.0, 120.0), (0.0, 0.0), (255.0, 60.0, 0.0), (255.0, 255.0, 0.0))
    here, _ = env.reset(options={"state": state})
    still, _ = plain.reset(options={"state": state})
    moved, _ = other.reset(options={"state": state, "group_element": g})
    down = np.array([0.0, -30.0])
    for _ in range(6):
        here, still = env.step(down)[0], plain.step(down)[0]
        moved = other.step(g.rotate(down))[0]
    assert all(np.array_equal(here[name], still[name]) for name in still)  # the same physics, bit for bit
    expected = env.symmetry.transform_observation(g, here)
    # The engine solves contacts one after another, in an order that depends on where the walls are.
    assert np.abs(expected["block_pos"] - moved["block_pos"]).max() < 3.0
    assert here["block_pos"][1] > 15.0


def test_the_next_episode_is_back_between_the_old_walls() -> None:
    env, plain = pusht(), gym.make("equiworld/PushT-v0")
    first, _ = env.reset(seed=0, options={"group_element": ew.SE2().rotation(0.5)})
    again, _ = env.reset(seed=1)
    bare, _ = plain.reset(seed=1)
    assert not np.array_equal(first["walls"], again["walls"])
    assert all(np.array_equal(again[name], bare[name]) for name in bare)
    assert np.array_equal(again["walls"], env.contexts[0].value)


def test_observations_are_in_the_space_and_the_declaration_is_found() -> None:
    env = pusht()
    observation, _ = env.reset(seed=0)
    assert env.observation_space.contains(observation)
    assert symmetry_of(env).observation.keys() == observation.keys()
    assert symmetry_of(gym.wrappers.TimeLimit(env, 5)) == env.symmetry
    turned = GroupAction(env, ew.SE2().rotation(1.0))
    assert not np.allclose(turned.reset(seed=0)[0]["walls"], observation["walls"])


@pytest.mark.parametrize("family", ["state", "mlp-centred"])
def test_policies_are_exact_where_the_context_turns_along_and_only_there(family: str) -> None:
    env = pusht()
    model = ew.WorldModel.for_env(env, family, hidden=(16,), periodic=0)
    planner = CEM(samples=12, horizon=2, iterations=1)
    policy = ew.MPCPolicy(model, planner, task=Task(lambda state, channels, *goal: near(state, channels)))
    rng, apart = np.random.default_rng(0), []
    for seed in range(8):
        observation, _ = env.reset(seed=seed)
        observation["block_pos"] = np.array([80.0, 300.0])  # within sight of a wall
        g = env.symmetry.group.sample(rng, scale=100.0)
        moved = env.symmetry.transform_observation(g, observation)
        action = policy.predict(observation)[0]
        assert np.abs(policy.predict(moved)[0] - g.rotate(action)).max() < 1e-10
        stayed = policy.predict(moved | {"walls": observation["walls"]})[0]
        apart.append(np.abs(stayed - g.rotate(action)).max())
    assert max(apart) > 1e-3


def near(state: Any, channels: Any) -> torch.Tensor:
    return (state.select(channels["block_pos"]) - state.select(channels["agent_pos"]))[..., 0].norm(dim=-1)


def test_a_closed_loop_in_a_world_that_is_turned_along_is_certified() -> None:
    env = cloudpush()
    model = ew.WorldModel.for_env(env, "state", hidden=(16,), periodic=0)
    policy = ew.MPCPolicy(
        model, CEM(samples=12, horizon=2, iterations=1), task=ew.tasks.task_of("equiworld/CloudPush-v0")
    )
    found = ew.certify(policy, env, elements=2, episodes=2, steps=6)
    assert found.passed, str(found)


def test_the_check_confirms_all_of_space_with_gravity_and_table_observed_and_refuses_it_without() -> None:
    env = cloudpush()
    assert ew.check_symmetry(env, states=4).ok
    bare = gym.make("equiworld/CloudPush-v0", **{**SPACE, "table": False})
    assert not ew.check_symmetry(bare, states=4).ok


def test_latents_of_clouds_turn_with_gravity_and_table() -> None:
    env = cloudpush(points=16, observe_pose=False)
    model = ew.WorldModel.for_env(env, "latent", width=8, hidden=(8,), periodic=0).double()
    observation, _ = env.reset(seed=0)
    action, keypoints = np.array([0.01, 0.02, 0.0]), model.latent.channels()["keypoints"]
    apart = {True: 0.0, False: 0.0}
    for seed in range(4):
        g = env.symmetry.group.sample(np.random.default_rng(seed), scale=0.3)
        here = (
            model.predict(model.encode(observation), torch.from_numpy(action))
            .select(keypoints)
            .detach()
            .numpy()
        )
        for turned in apart:
            seen = env.symmetry.transform_observation(g, observation)
            seen |= {} if turned else {name: observation[name] for name in ("gravity", "table")}
            z = model.predict(model.encode(seen), torch.from_numpy(g.rotate(action)))
            there = z.select(keypoints).detach().numpy()
            moved = g.matrix @ here + g.translation[:, None]
            apart[turned] = max(apart[turned], np.abs(there - moved).max())
    assert apart[True] < 1e-12
    assert apart[False] > 1e-6


class Drifting(gym.Env[Any, Any]):
    """A point that a current carries along; one array."""

    observation_space = spaces.Box(-np.inf, np.inf, (2,), np.float64)
    action_space = spaces.Box(-1.0, 1.0, (2,), np.float64)
    current = np.array([0.3, 0.0])

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.place = self.np_random.normal(size=2)
        if options and "group_element" in options:
            self.place = options["group_element"].rotate(self.place)
        return self.place.copy(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.place = self.place + action + self.current
        return self.place.copy(), 0.0, False, False, {}


DRIFTING = Symmetry(ew.SO2(), {"place": Vector()}, action=Vector(), flat=True)


def current(place: bool = True) -> Context:
    def put(env: Any, value: Any) -> None:
        env.current = value.copy()

    return Context("current", Vector(), (0.3, 0.0), put if place else None)


def test_any_environment_of_one_array_can_show_what_carries_it_off() -> None:
    env = WithContext(Drifting(), [current()], DRIFTING)
    g = ew.SO2().rotation(2.0)
    here, _ = env.reset(seed=0)
    assert env.observation_space.contains(here)
    here = env.step(np.array([0.1, 0.2]))[0]
    env.reset(seed=0, options={"group_element": g})
    there = env.step(g.rotate([0.1, 0.2]))[0]
    assert np.allclose(there, env.symmetry.transform_observation(g, here), atol=1e-12)


def test_what_nobody_can_turn_is_said() -> None:
    env = WithContext(Drifting(), [current(place=False)], DRIFTING)
    env.reset(seed=0, options={"group_element": ew.SO2().identity()})
    with pytest.raises(ArgumentError, match="moves 'current'"):
        env.reset(seed=0, options={"group_element": ew.SO2().rotation(1.0)})
    with pytest.raises(ArgumentError, match="contexts"):
        WithContext(Drifting(), symmetry=DRIFTING)
    with pytest.raises(ArgumentError, match="one context or more"):
        pusht(walls=False)


def test_bare_environments_are_as_they_were() -> None:
    assert PushTEnv().simulation.placed_walls is None
    assert PushTEnv(walls=False).contexts == ()


def test_what_is_collected_through_it_trains_a_model_that_leaves_the_context_alone() -> None:
    env = pusht()
    data = ew.collect(env, transitions=60, seed=0)
    assert np.array_equal(data.observation["walls"], data.next_observation["walls"])
    model = ew.WorldModel.for_env(env, "state", hidden=(8,), periodic=0)
    model = ew.train(model, data, ew.TrainingConfig(steps=3, batch_size=16))
    observation, _ = env.reset(seed=0)
    after = model.predict(model.encode(observation), torch.zeros(2))
    assert np.allclose(env.symmetry.observation_arrays(after)["walls"], observation["walls"], atol=1e-3)
    policy = ew.MPCPolicy(
        model, CEM(samples=12, horizon=2, iterations=1), task=ew.tasks.task_of("equiworld/PushT-v0")
    )
    assert len(ew.evaluate(policy, env, episodes=2, n_envs=2, max_steps=2).episodes) == 2
    again = gym.make(env.spec)
    assert symmetry_of(again) == env.symmetry
