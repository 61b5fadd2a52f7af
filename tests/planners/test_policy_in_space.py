"""Policies in space, where the pose is the frame: answers turn with the world, in open and in closed loop."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
from family_cases import STATE_FAMILIES
from policy_cases import FAMILIES, PLAIN, PLANNERS, SMALL

import equiworld.envs  # noqa: F401  registers CloudPush
from equiworld.groups import SE3, GroupElement
from equiworld.models import WorldModel
from equiworld.planners import CEM, Approach, MPCPolicy, Planner, Task

pytest.importorskip("mujoco")
pytestmark = pytest.mark.exact

ENV, PLACES = "equiworld/CloudPush-v0", ("agent_pos", "body_pos", "body_rotation")
PLANNER = CEM(horizon=4, samples=24, iterations=2, elites=4, correlation=2.0)


def made() -> gym.Env:
    return gym.make(ENV, points=0, observe_pose=True, success_distance=1e-4)


def policy_of(family: str, planner: Planner = PLANNER, task: Task | None = None, **settings) -> MPCPolicy:
    model = WorldModel.for_env(made(), family, **SMALL.get(family, PLAIN))
    return MPCPolicy(model, planner, **({"dtype": "float32", "task": task} | settings))


def turned_worlds(policy: MPCPolicy, elements: list[GroupElement], steps: int) -> tuple[float, float]:
    """How far worlds started at g·s come from g·(the world started at s), and how far the body went [m]."""
    envs = [made() for _ in elements]
    seen = [
        env.reset(seed=40, options={"group_element": g})[0] for env, g in zip(envs, elements, strict=True)
    ]
    states, worst, start = [None] * len(envs), 0.0, seen[0]["body_pos"]
    for _ in range(steps):
        for index, env in enumerate(envs):
            action, states[index] = policy.predict(seen[index], states[index])
            seen[index] = env.step(action)[0]
        for g, one in zip(elements, seen, strict=True):
            expected = policy.symmetry.transform_observation(g, seen[0])
            worst = max(worst, *(float(np.abs(one[name] - expected[name]).max()) for name in PLACES))
    return worst, float(np.linalg.norm(seen[0]["body_pos"] - start))


ELEMENTS = [SE3().identity(), *SE3().sample(np.random.default_rng(0), n=2, scale=0.5)]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_world_in_space_started_turned_stays_turned(family):
    """With nothing to do but to run into the body."""
    policy = policy_of(family, task=Task(Approach("agent_pos", "body_pos")))
    deviation, moved = turned_worlds(policy, ELEMENTS, steps=12)
    assert deviation <= 1e-10
    assert moved > 0.002  # there was contact


def test_without_the_door_it_does_not():
    """Negative control."""
    policy = policy_of("state", task=Task(Approach("agent_pos", "body_pos")), door=False)
    assert turned_worlds(policy, ELEMENTS, steps=12)[0] > 1e-3


@pytest.fixture(scope="module")
def observation() -> dict[str, np.ndarray]:
    env = made()
    rows = [env.reset(seed=seed)[0] for seed in range(8)]
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def plan_deviation(policy: MPCPolicy, observation: dict[str, np.ndarray]) -> float:
    """The largest |plan(g·o) − R·plan(o)| [m]."""
    worst, plain = 0.0, policy.plan(observation).actions.double().numpy()
    for g in SE3().sample(np.random.default_rng(1), n=6, scale=0.5):
        turned = policy.plan(policy.symmetry.transform_observation(g, observation)).actions.double().numpy()
        worst = max(worst, float(np.abs(turned - plain @ g.matrix.T).max()))
    return worst


@pytest.mark.parametrize("family", STATE_FAMILIES)
def test_one_plan_in_space(family, observation):
    """Of the plan itself, at 1e-12."""
    assert plan_deviation(policy_of(family, dtype="float64"), observation) <= 1e-12


@pytest.mark.parametrize("planner", PLANNERS)
def test_one_plan_of_every_planner(planner, observation):
    """In float32, which the plan is handed out in: to its rounding."""
    assert plan_deviation(policy_of("mlp", PLANNERS[planner]), observation) <= 1e-8
    assert plan_deviation(policy_of("state", PLANNERS[planner], door=False), observation) > 1e-2


def test_the_way_to_the_body_and_to_the_goal_is_all_that_is_missing(observation):
    """The pose is the frame: nothing that is observed leaves it open."""
    _, state = policy_of("mlp").predict(observation | {"agent_pos": observation["body_pos"]})
    assert not state.degenerate.any()
