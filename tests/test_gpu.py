"""On a GPU, where there is one: training and planning there are what they are on the CPU, and as exact."""

from __future__ import annotations

import copy
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
import torch

import equiworld as ew
from equiworld.models import FAMILIES
from equiworld.planners import PLANNERS
from equiworld.storage import load_tensors
from equiworld.symmetry import Features
from equiworld.training.optimisers import OPTIMISERS
from equiworld.training.trainer import CHECKPOINT

if not torch.cuda.is_available():
    pytest.skip("no GPU here", allow_module_level=True)

SMALL = {"state-steerable": {"scalars": 16, "vectors": 8, "depth": 2}}
PLAIN = {"hidden": (32, 32), "periodic": 8}
CONFIG = ew.TrainingConfig(steps=60, batch_size=64, checkpoint_every=20, device="cuda")
STATES = [
    name
    for name, recipe in FAMILIES.items()
    if not (recipe.encoder.learns or recipe.network.of_finite_groups or recipe.network.of_bodies)
]


@pytest.fixture(scope="module")
def data() -> ew.Dataset:
    return ew.collect("equiworld/PushT-v0", transitions=600, seed=0, workers=1)


def fresh(family: str = "state") -> ew.WorldModel:
    return ew.WorldModel.for_env("equiworld/PushT-v0", family, **SMALL.get(family, PLAIN))


def observations(count: int) -> dict[str, np.ndarray]:
    env = gym.make("equiworld/PushT-v0", walls=False)
    found = [env.reset(seed=seed)[0] for seed in range(count)]
    return {name: np.stack([one[name] for one in found]) for name in found[0]}


def residual(model: ew.WorldModel, dtype: torch.dtype) -> float:
    """encode + predict at g·(s, a) against ρ(g) of those at (s, a), on the model's device: largest, relative."""
    model, symmetry = copy.deepcopy(model).to(dtype), model.symmetry
    obs, rng = observations(16), np.random.default_rng(1)
    action = torch.from_numpy(rng.normal(size=(16, 2)) * 30).to(dtype)

    def step(seen, acted) -> Features:
        with torch.no_grad():
            return model.predict(model.encode(seen), acted.to(model.device)).to(device="cpu")

    here, worst = step(obs, action), 0.0
    for g in symmetry.group.sample(rng, 24):
        turned = torch.from_numpy(symmetry.transform_action(g, action.double().numpy())).to(dtype)
        there = step(symmetry.transform_observation(g, obs), turned)
        apart = (there.flatten() - here.transform(g).flatten()).abs().max()
        worst = max(worst, float(apart / here.flatten().abs().max()))
    return worst


@pytest.mark.parametrize("family", STATES)
def test_predictions_are_those_of_the_cpu(family):
    model, obs = fresh(family).double(), observations(8)
    action = torch.randn(8, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    here = model.predict(model.encode(obs), action)
    there = copy.deepcopy(model).cuda()
    z = there.encode(obs)
    assert z.vectors.is_cuda
    found = there.predict(z, action.cuda()).to(device="cpu")
    assert torch.allclose(found.flatten(), here.flatten(), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize("family", ["state", "state-steerable"])
def test_training_there_leaves_models_exact(family, optimiser, data):
    config = replace(CONFIG, optimiser=OPTIMISERS[optimiser](), learning_rate=1e-3, average=0.9)
    model = ew.train(fresh(family), data, config)
    assert model.device.type == "cuda"
    assert residual(model, torch.float64) <= 1e-12
    assert residual(model, torch.float32) <= 1e-5


def test_resumed_there_is_uninterrupted_to_the_last_bit(data, tmp_path):
    whole = ew.train(fresh(), data, CONFIG)
    stopped, calls = fresh(), 0
    errors = stopped.dynamics.errors

    def counted(*arguments):
        nonlocal calls
        calls += torch.is_grad_enabled()
        if calls == 50:
            raise KeyboardInterrupt
        return errors(*arguments)

    stopped.dynamics.errors = counted  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        ew.train(stopped, data, replace(CONFIG, folder=str(tmp_path)))
    _, settings = load_tensors(tmp_path / CHECKPOINT, "checkpoint")
    assert settings["step"] == 40
    assert settings["machine"]["device"] != "cpu"
    again = ew.train(fresh(), data, replace(CONFIG, folder=str(tmp_path)))
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name]), name


def test_a_model_trained_there_is_saved_for_every_device(data, tmp_path):
    model = ew.train(fresh(), data, CONFIG)
    loaded = ew.WorldModel.load(model.save(tmp_path))
    assert loaded.device.type == "cpu"
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor.cpu(), loaded.state_dict()[name])


@pytest.mark.parametrize("planner", PLANNERS)
def test_decisions_there_turn_with_the_world(planner, data):
    model = ew.train(fresh(), data, CONFIG)
    made = PLANNERS[planner]()
    policy = ew.MPCPolicy(model, replace(made, horizon=4), seed=0, device="cuda")
    obs, symmetry = observations(4), model.declared
    action, state = policy.predict(obs)
    assert not state.degenerate.any()
    for g in symmetry.group.sample(np.random.default_rng(0), 16):
        turned, _ = policy.predict(symmetry.transform_observation(g, obs))
        assert np.abs(turned - symmetry.transform_action(g, action)).max() <= 1e-9


def test_the_closed_loop_there_passes_its_certificate(data):
    model = ew.train(fresh(), data, CONFIG)
    policy = ew.MPCPolicy(model, ew.planners.CEM(samples=32), seed=0, device="cuda")
    env = gym.make("equiworld/PushT-v0", walls=False)
    certificate = ew.certify(policy, env, elements=4, episodes=2, steps=12, tolerance=1e-8)
    assert certificate.passed, str(certificate)


@pytest.mark.parametrize("planner", ["cem", "mppi", "icem", "random-shooting"])
def test_captured_costs_are_those_of_single_launches(planner, data):
    """The first call of a shape is launched, the second captured, the others replayed: the same bits."""
    model = ew.train(fresh(), data, CONFIG)
    policy = ew.MPCPolicy(model, replace(PLANNERS[planner](), horizon=3, iterations=1), seed=0, device="cuda")
    every = observations(6)
    parts = [{name: array[start : start + 3] for name, array in every.items()} for start in (0, 3)]
    first = [policy.predict(parts[index % 2])[0] for index in range(2)]
    for index in range(6):
        assert np.array_equal(policy.predict(parts[index % 2])[0], first[index % 2])
    assert not np.array_equal(*first)


def test_a_question_trains_and_plans_there(tmp_path):
    from equiworld.benchmarks import question
    from equiworld.benchmarks.suite.run import Run, run

    asked = question("success")(device="cuda").reduced()
    (found,) = run(
        [asked], Run(tmp_path, arm=("steerable",), world=("pusht",), seeds=1, jobs=1, progress=False)
    )
    assert len(found["rows"]) == 1


def test_a_cost_that_cannot_be_captured_is_called_as_it_is(data):
    model = ew.train(fresh(), data, CONFIG)

    def waits(states, channels, goal, goal_channels):
        away = states.select(channels["block_pos"]) - goal.select(goal_channels["goal_pos"])
        length = away.square().sum((-2, -1)).sqrt()
        return length if float(length.sum()) >= 0 else -length

    policy = ew.MPCPolicy(model, PLANNERS["cem"](), seed=0, device="cuda", task=ew.planners.Task(cost=waits))
    obs, state = observations(2), None
    for _ in range(4):
        action, state = policy.predict(obs, state)
        assert np.isfinite(action).all()
    assert torch.randn(3, device="cuda").isfinite().all()  # which a capture that breaks off would forbid
