"""Latents that a network finds in typed states: exact, trained by prediction, and not collapsed."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from family_cases import STATE_LATENT_FAMILIES
from labelled_cases import DECLARED

from equiworld.errors import ArgumentError
from equiworld.groups import E2, SE2, SO2, Cyclic, Product
from equiworld.models import FAMILIES, WorldModel
from equiworld.planners import CEM, MPCPolicy
from equiworld.symmetry import Features, Point, Pseudoscalar, Scalar, SignedPermutation, Symmetry, Vector
from equiworld.symmetry.sampling import random_array, random_observation
from equiworld.training import Dataset, TrainingConfig, train
from equiworld.training.losses import VICReg
from equiworld.training.stages import stages_of

CONFIG = TrainingConfig(steps=40, batch_size=256, encoder_steps=60, joint_steps=20, encoder_loss=VICReg())
EXACT = [name for name in STATE_LATENT_FAMILIES if FAMILIES[name].equivariant]

UP = (0.0, 0.0, 1.0)
RING = SignedPermutation([(1, 2, 3, 0)])
LABELLED = {
    **{name: each for name, each in DECLARED.items() if each.feature_type().points},
    "upright": Symmetry(E2(axis=UP), {"place": Point(2), "rate": Pseudoscalar()}, action=Vector()),
    "ring": Symmetry(
        Product(SE2(axis=UP), Cyclic(4, axis=UP)), {"place": Point(2), "ring": RING}, action=Vector()
    ),
}

every_family = pytest.mark.parametrize("family", STATE_LATENT_FAMILIES)


def fresh(data, family: str) -> WorldModel:
    return WorldModel.for_data(data, family, width=8)


@pytest.fixture(scope="module")
def trained(pusht_data) -> dict[str, WorldModel]:
    return {family: train(fresh(pusht_data, family), pusht_data, CONFIG) for family in STATE_LATENT_FAMILIES}


def residual(model: WorldModel, data, g, dtype: torch.dtype) -> float:
    """Of encode and predict, relative to the largest number."""
    model = copy.deepcopy(model).to(dtype)
    with torch.no_grad():
        here, there = (
            model.predict(model.encode_features(z), action)
            for z, action, _ in (each.features(dtype) for each in (data, data.transform(g)))
        )
    wanted = here.transform(g).flatten()
    return float((there.flatten() - wanted).abs().max() / wanted.abs().max())


@every_family
def test_latents_commute_with_reflections_too_before_and_after_training(family, trained, pusht_data):
    rng, data = np.random.default_rng(0), pusht_data.select(slice(0, 64))
    elements = [*E2().sample(rng, 20, scale=100.0), E2().rotation(1e-6)]
    assert any(np.linalg.det(g.matrix) < 0 for g in elements)
    for model in (fresh(pusht_data, family), trained[family]):
        worst = [
            max(residual(model, data, g, dtype) for g in elements) for dtype in (torch.float64, torch.float32)
        ]
        assert (worst[0] <= 1e-12 and worst[1] <= 1e-5) == (family in EXACT), worst


def apart(model: WorldModel, symmetry: Symmetry) -> float:
    """Of latents and what is predicted of them, over the group of a declaration, relative to the largest number."""
    rng, group = np.random.default_rng(0), symmetry.group
    seen = random_observation(symmetry, rng, 6)
    acted = random_array(symmetry.action, rng, (6,), np.asarray(symmetry.centre))

    def latents(observation, action) -> tuple[Features, Features]:
        with torch.no_grad():
            z = model.encode(observation)
            return z, model.predict(z, torch.as_tensor(action))

    here, worst = latents(seen, acted), 0.0
    for g in group.elements() if group.finite else group.sample(rng, 24, scale=2.0):
        there = latents(symmetry.transform_observation(g, seen), symmetry.transform_action(g, acted))
        for one, other in zip(here, there, strict=True):
            wanted = one.transform(g).flatten()
            worst = max(worst, float((other.flatten() - wanted).abs().max() / wanted.abs().max()))
    return worst


@pytest.mark.parametrize("family", EXACT)
@pytest.mark.parametrize("name", LABELLED)
def test_latents_commute_with_the_group_that_their_model_says_it_carries(name, family):
    """With a negative control: not with all of the declared group, where that is larger."""
    declared = LABELLED[name]
    model = WorldModel.for_symmetry(declared, family, width=8).double().eval()
    assert model.equivariant
    assert apart(model, model.symmetry) <= 1e-12
    assert (apart(model, declared) > 1e-3) == (model.symmetry != declared)


@every_family
def test_states_are_encoded_one_by_one_and_together(family, trained, pusht_data):
    model = trained[family].double() if trained[family].dtype != torch.float64 else trained[family]
    z, action, _ = pusht_data.select(slice(0, 6)).features(torch.float64)
    kind = model.latent.feature_type()
    assert (kind.points, kind.vectors, kind.scalars) == (4, 4, 4)
    with torch.no_grad():
        latent = model.encode_features(z)
        alone = model.encode_features(z[2])
        following = model.predict(latent, action)
    assert latent.type == following.type == kind
    assert torch.allclose(alone.flatten(), latent[2].flatten(), rtol=0, atol=1e-9)
    model.float()


@every_family
def test_every_stage_moves_every_parameter_it_names(family, pusht_data):
    model = fresh(pusht_data, family)
    for stage in stages_of(model, pusht_data, CONFIG):
        parts = stage.prepare(np.random.default_rng(0))
        model.zero_grad(set_to_none=True)
        stage.loss(tuple(part[:64] for part in parts), np.random.default_rng(1)).backward()
        for parameter in stage.parameters:
            assert parameter.grad is None or parameter.grad.isfinite().all()
        moved = [each for each in stage.parameters if each.grad is not None and each.grad.any()]
        assert len(moved) == sum(each.numel() > 0 for each in stage.parameters)


@every_family
def test_the_variance_term_opens_latents_that_have_collapsed(family, pusht_data):
    """With a negative control: without it they stay as small as they are."""

    def spread_after(loss: VICReg) -> float:
        model = fresh(pusht_data, family)
        inner = model.encoder.network.network
        last = [inner.read_scalars, inner.read_vectors] if family in EXACT else [inner.layers[-1]]
        with torch.no_grad():
            for parameter in [each for layer in last for each in layer.parameters()]:
                parameter.mul_(1e-3)
        train(model, pusht_data, replace(CONFIG, steps=1, joint_steps=0, encoder_loss=loss))
        with torch.no_grad():
            z = model.encode_features(pusht_data.features(model.dtype)[0])
        own = z.points - z.points.mean(-1, keepdim=True)
        arrows = torch.cat([own, z.vectors], -1) / model.symmetry.length_scale
        return float((arrows - arrows.mean(0)).square().sum(-2).mean(0).sqrt().min())

    assert spread_after(VICReg()) > 0.03
    assert spread_after(VICReg(variance=0.0, covariance=0.0)) < 0.01


@every_family
def test_saved_models_are_the_same_ones(family, trained, pusht_data, tmp_path):
    model = trained[family]
    model.save(tmp_path)
    loaded = WorldModel.load(tmp_path)
    z, action, _ = pusht_data.features(torch.float32)
    with torch.no_grad():
        one, other = (each.predict(each.encode_features(z), action).flatten() for each in (model, loaded))
    assert torch.equal(one, other)


@every_family
def test_nobody_plans_in_them_without_being_told(family, trained, observations):
    goal = trained[family].encode_goal(observations)
    assert goal.type.size == 0
    assert isinstance(goal, Features)
    for door in (True, False):
        with pytest.raises(ArgumentError, match="task: got a cost or proposals of 'block_"):
            MPCPolicy(trained[family], CEM(samples=16), door=door).predict(observations)


def test_states_without_points_are_refused():
    symmetry = Symmetry(E2(), {"velocity": Vector()}, action=Vector())
    with pytest.raises(ArgumentError, match="no points"):
        WorldModel.for_symmetry(symmetry, "state-latent")


def test_a_baseline_encodes_and_learns_a_state_without_points():
    symmetry = Symmetry(SO2(), {"arrows": Vector(2), "mass": Scalar()}, action=Vector())
    rng = np.random.default_rng(0)
    before, after = (random_observation(symmetry, rng, 64) for _ in range(2))
    data = Dataset(symmetry, before, rng.normal(size=(64, 2)), after, np.arange(64) // 8)
    for family in set(STATE_LATENT_FAMILIES) - set(EXACT):
        model = WorldModel.for_data(data, family, width=8)
        for _ in range(2):
            with torch.no_grad():
                assert model.encode(before).flatten().isfinite().all()
            train(model, data, replace(CONFIG, steps=4, encoder_steps=4, joint_steps=2))
