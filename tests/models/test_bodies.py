"""The network that interchangeable bodies share: exact under S_n × the group of space, for any n."""

from __future__ import annotations

import copy

import gymnasium as gym
import numpy as np
import pytest
import torch
from labelled_cases import blocks

import equiworld.envs  # noqa: F401  registers
from equiworld.errors import ArgumentError
from equiworld.groups import E2, SE2, SE3, Permutation, Product
from equiworld.models import Bodies, WorldModel
from equiworld.models.families import best_family
from equiworld.symmetry import (
    Concatenation,
    Heading,
    Objects,
    Point,
    Pseudovector,
    Rotation,
    Scalar,
    Symmetry,
    Vector,
    symmetry_of,
)
from equiworld.symmetry.sampling import random_observation
from equiworld.training import TrainingConfig, collect, train

SMALL = {"hidden": (16,), "pair": (16,), "periodic": 8}


def space(count: int) -> Symmetry:
    body = Concatenation((Point(), Rotation(), Vector(), Pseudovector(), Scalar()))
    fields = {"hand": Point(), "speed": Vector(), "bodies": Objects(body, count), "mass": Scalar()}
    return Symmetry(Product(SE3(), Permutation(count)), fields, action=Vector(), centre=(0.5, 0.0, -1.0))


def plane(group=None, count: int = 2, pose: bool = True) -> Symmetry:
    body = Concatenation((Point(), Heading(axis=0.7), Vector()) if pose else (Point(), Vector()))
    fields = {"hand": Point(), "bodies": Objects(body, count)}
    return Symmetry(Product(group or E2(), Permutation(count)), fields, action=Point(), centre=(3.0, 1.0))


CASES = {
    "space, two": space(2),
    "space, four": space(4),
    "plane with mirrors": plane(),
    "plane": plane(SE2(), 3),
    "bodies without a pose": plane(pose=False, count=3),
    "one body": plane(count=1),
}


def residual(model: WorldModel, symmetry: Symmetry, elements, seed: int = 0) -> float:
    """max |F(g·s, g·a) − g·F(s, a)| over random states."""
    rng = np.random.default_rng(seed)
    state = random_observation(symmetry, rng, 8)
    action = rng.standard_normal((8, symmetry.action.size(symmetry.dim)))

    def predicted(state, action):
        with torch.no_grad():
            after = model.predict(model.encode(state), torch.as_tensor(action).to(model.dtype))
        return model.symmetry.observation_arrays(after)

    here, worst = predicted(state, action), 0.0
    for g in elements:
        there = predicted(symmetry.transform_observation(g, state), symmetry.transform_action(g, action))
        moved = {
            name: symmetry.observation[name].transform(g, array, symmetry.centre)
            for name, array in here.items()
        }
        for name, array in there.items():
            difference = np.abs(array - moved[name])
            worst = max(worst, float(np.minimum(difference, np.abs(difference - 2 * np.pi)).max()))
    assert all(np.isfinite(array).all() and np.ptp(array) > 0 for array in here.values())
    return worst


@pytest.mark.parametrize("name", CASES)
def test_it_commutes_with_orders_turns_shifts_and_mirrors(name):
    symmetry = CASES[name]
    model = WorldModel.for_symmetry(symmetry, "state-bodies", **SMALL)
    assert model.symmetry == symmetry
    assert model.equivariant
    elements = symmetry.group.sample(np.random.default_rng(1), 24, scale=2.0)
    assert residual(model, symmetry, elements) < 1e-4  # float32
    assert residual(model.double(), symmetry, elements) < 1e-12


def test_all_orders_of_four_bodies_at_sixteen_orientations():
    symmetry = space(4)
    group = symmetry.group
    model = WorldModel.for_symmetry(symmetry, "state-bodies", **SMALL).double()
    turns = SE3().sample(np.random.default_rng(2), 16, scale=1.0)
    elements = [
        group.element(g.matrix, g.translation, label=label)
        for g in turns
        for label in range(group.labels.order)
    ]
    assert len(elements) == 24 * 16
    assert residual(model, symmetry, elements) < 1e-12


@pytest.mark.parametrize("family", ["state", "mlp", "mlp-centred"])
def test_others_do_not_know_that_bodies_are_alike(family):
    symmetry = space(2)
    model = WorldModel.for_symmetry(symmetry, family, hidden=(16,)).double()
    exchange = symmetry.group.element(np.eye(3), np.zeros(3), label=1)
    assert residual(model, symmetry, [exchange]) > 1e-3


def test_the_same_weights_serve_any_number_of_bodies():
    models = [WorldModel.for_symmetry(space(count), "state-bodies", **SMALL) for count in (2, 4)]
    weights = [dict(model.dynamics.network.named_parameters()) for model in models]
    assert {name: one.shape for name, one in weights[0].items()} == {
        name: other.shape for name, other in weights[1].items()
    }


def test_it_is_what_a_declaration_of_alike_bodies_gets_and_refuses_others():
    assert best_family(space(3)) == "state-bodies"
    assert best_family(blocks()) != "state-bodies"  # mirrors negate what a body holds
    for symmetry in (blocks(), Symmetry(SE2(), {"hand": Point()}, action=Vector())):
        with pytest.raises(ArgumentError, match="Objects"):
            WorldModel.for_symmetry(symmetry, "state-bodies")
    with pytest.raises(ArgumentError, match="pair"):
        WorldModel.for_symmetry(space(2), "state-bodies", pair=())
    assert Bodies(pair=(8,)).pair == (8,)


def test_it_stays_exact_when_it_is_trained_saved_and_loaded(tmp_path):
    pytest.importorskip("mujoco")
    env = gym.make("equiworld/CloudPushBodies-v0", bodies=2, disable_env_checker=True)
    data = collect(env, 200, seed=0, workers=1)
    model = WorldModel.for_env(env, **SMALL)
    before = copy.deepcopy(model)
    train(model, data, TrainingConfig(steps=20, batch_size=64))
    assert model.family == "state-bodies"
    symmetry = symmetry_of(env)
    elements = symmetry.group.sample(np.random.default_rng(3), 20, scale=0.3)
    assert residual(model.double(), symmetry, elements) < 1e-12
    loaded = WorldModel.load(model.save(tmp_path / "model"))
    state, action = data.select(slice(5)).observation, torch.zeros(5, 3).double()
    one, other = (each.predict(each.encode(state), action).flatten() for each in (model, loaded))
    assert torch.equal(one, other)
    untrained = before.double()
    assert not torch.equal(one, untrained.predict(untrained.encode(state), action).flatten())
