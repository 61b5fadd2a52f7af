"""Every family of world models predicts where its weights and states are, and nothing crosses on the way."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from cloud_model_cases import cloud_model, cloud_observations
from family_cases import CLOUD_FAMILIES, STATE_FAMILIES
from model_cases import model_of, toy_symmetry
from second_device import SecondDevice, here

from equiworld.groups import E2, SE2, SE3, Dihedral, Permutation, Product
from equiworld.models import FAMILIES, WorldModel
from equiworld.symmetry import Cloud, Features, Objects, Point, Symmetry, Vector
from equiworld.symmetry.sampling import random_observation


def small(family: str) -> WorldModel:
    if family in CLOUD_FAMILIES:
        return cloud_model(family)
    if FAMILIES[family].network.of_finite_groups:
        return WorldModel.for_symmetry(toy_symmetry(Dihedral(3)), family, hidden=(12,))
    if FAMILIES[family].network.of_bodies:
        seen = FAMILIES[family].encoder.of_clouds
        fields = {"hand": Point(), "bodies": Objects(Cloud(8) if seen else Point(), 2)}
        group = Product(SE3() if seen else SE2(), Permutation(2))
        symmetry = Symmetry(group, fields, action=Vector())
        return WorldModel.for_symmetry(symmetry, family, hidden=(12,), pair=(12,))
    return model_of(toy_symmetry(SE2()), family)


def observed(model: WorldModel):
    if model.recipe.encoder.of_clouds and not model.recipe.network.of_bodies:
        return cloud_observations(4)
    return random_observation(model.symmetry, np.random.default_rng(0), 4)


def parts(z: Features) -> list[torch.Tensor]:
    return [z.scalars, z.vectors, z.points]


def same_there(call, model: WorldModel, z: Features, actions: torch.Tensor) -> None:
    """A model predicts the same bits on the second device; the second time nothing crosses."""
    with torch.no_grad():
        expected = parts(call(model, z, actions))
        with SecondDevice() as device:
            there = copy.deepcopy(model).to("meta")
            given = z.to(device="meta"), actions.to("meta")
            call(there, *given)
            arrived = device.arrived
            found = parts(call(there, *given))
            assert (device.arrived, device.left) == (arrived, 0)
    assert all(torch.equal(here(one), two) for one, two in zip(found, expected, strict=True))


def repeated(model: WorldModel, z: Features, actions: torch.Tensor) -> Features:
    step = model.stepper()
    for action in actions.unbind(1):
        z = step(z, action)
    return z


CALLS = {
    "predict": lambda model, z, actions: model.predict(z, actions[:, 0]),
    "stepper": repeated,
    "rollout": lambda model, z, actions: model.rollout(z, actions),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_predicts_where_it_is(family, call):
    dtype = torch.float64 if call == "rollout" else torch.float32
    model = small(family).to(dtype)
    z = model.encode(observed(model))
    size = model.symmetry.action.size(model.symmetry.dim)
    actions = torch.randn(4, 3, size, generator=torch.Generator().manual_seed(0), dtype=dtype)
    same_there(CALLS[call], model, z, actions)


@pytest.mark.parametrize("group", [SE3(), E2()], ids=str)
@pytest.mark.parametrize("family", STATE_FAMILIES)
def test_it_does_so_in_space_and_under_reflections(family, group):
    model = model_of(toy_symmetry(group), family)
    actions = torch.randn(4, 3, group.dim, generator=torch.Generator().manual_seed(0))
    same_there(CALLS["rollout"], model, model.encode(observed(model)), actions)


@pytest.mark.parametrize("family", CLOUD_FAMILIES)
def test_clouds_are_encoded_where_they_are(family):
    """From what is observed, in float64, to the latent."""
    model = cloud_model(family)
    shown = model.encoder.observed(cloud_observations(4), torch.float64)

    def encode(model, shown, _):
        return model.encode_features(shown)

    same_there(encode, model, shown, torch.zeros(0))


def test_a_model_that_makes_tensors_on_the_cpu_is_caught():
    model = small("mlp")

    def careless(model, z, actions):
        found = model.predict(z, actions[:, 0])
        return Features(found.scalars, found.vectors, found.points + torch.ones(2, 1))

    with pytest.raises(RuntimeError, match="tensors of two devices"):
        same_there(careless, model, model.encode(observed(model)), torch.zeros(4, 3, 2))
