"""Policies in space, where the pose is the frame: answers turn with the world, in open and in closed loop."""

from __future__ import annotations

import equiworld.envs  # noqa: F401  registers CloudPush
import gymnasium as gym
import numpy as np
import pytest
from equiworld.planners import CEM, Approach, MPCPolicy, Task
from family_cases import STATE_FAMILIES
from policy_cases import EXACT, PLAIN, SMALL

from equiworld.groups import SE3, GroupElement
from equiworld.models import WorldModel
from equiworld.training import Dataset, TrainingConfig, collect, train

pytest.importorskip("mujoco")

ENV, PLACES = "equiworld/CloudPush-v0", ("agent_pos", "body_pos", "body_rotation")
PLANNER = CEM(horizon=4, samples=24, iterations=2, elites=4, correlation=2.0)


def made() -> gym.Env:
    return gym.make(ENV, points=0, observe_pose=True, success_distance=1e-4)


def policy_of(family: str, planner: CEM = PLANNER, task: Task | None = None, data: Dataset | None = None):
    model = WorldModel.for_env(made(), family, **SMALL.get(family, PLAIN))
    if data is not None:
        train(model, data, TrainingConfig(steps=150, batch_size=128, learning_rate=1e-2))
    return MPCPolicy(model, planner, dtype="float64", task=task)


def turned_worlds(policy: MPCPolicy, elements: list[GroupElement], steps: int) -> tuple[float, float]:
    """How far worlds started at g·s come from g·(the world started at s), and how far the body went [m]."""
    envs = [made() for _ in elements]
    seen = [env.reset(seed=3, options={"group_element": g})[0] for env, g in zip(envs, elements, strict=True)]
    state, worst, start = None, 0.0, seen[0]["body_pos"]
    for _ in range(steps):
        stacked = {name: np.stack([one[name] for one in seen]) for name in seen[0]}
        actions, state = policy.predict(stacked, state)
        seen = [env.step(action)[0] for env, action in zip(envs, actions, strict=True)]
        for g, one in zip(elements, seen, strict=True):
            expected = policy.symmetry.transform_observation(g, seen[0])
            worst = max(worst, *(float(np.abs(one[name] - expected[name]).max()) for name in PLACES))
    return worst, float(np.linalg.norm(seen[0]["body_pos"] - start))


ELEMENTS = [SE3().identity(), *SE3().sample(np.random.default_rng(0), n=6, scale=0.5)]


@pytest.fixture(scope="module")
def data() -> Dataset:
    return collect(made(), transitions=800, seed=0, workers=1)


@pytest.mark.exact
@pytest.mark.parametrize("family", EXACT)
def test_a_world_in_space_started_turned_stays_turned(family, data):
    """After a little training, and with nothing to do but to run into the body."""
    policy = policy_of(family, task=Task(Approach("agent_pos", "body_pos")), data=data)
    deviation, moved = turned_worlds(policy, ELEMENTS, steps=20)
    assert moved > 0.002  # there was contact
    assert deviation <= 1e-10


@pytest.mark.parametrize("family", [*STATE_FAMILIES, "world noise"])
def test_one_plan_in_space(family):
    """Of the plan itself, at 1e-12, and negative controls."""
    stock = CEM(horizon=4, samples=24, iterations=2, elites=4, frame=None)
    policy = policy_of("state", stock) if family == "world noise" else policy_of(family)
    env, worst = made(), 0.0
    rows = [env.reset(seed=seed)[0] for seed in range(8)]
    observation = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    plain = policy.plan(observation).actions.numpy()
    for g in SE3().sample(np.random.default_rng(1), n=24, scale=0.5):
        turned = policy.plan(policy.symmetry.transform_observation(g, observation)).actions.numpy()
        worst = max(worst, float(np.abs(turned - plain @ g.matrix.T).max()))
    if family in EXACT:
        assert worst <= 1e-12
    else:
        assert worst > 1e-2
