"""Recipes: one line of a registry, the JSON of a file and the command line's settings at once."""

from __future__ import annotations

import inspect
import json
import math
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from family_cases import STATE_FAMILIES
from model_cases import toy_symmetry

from equiworld import commands
from equiworld.errors import ArgumentError, UnknownNameError
from equiworld.groups import SE2, Dihedral
from equiworld.models import (
    ENCODERS,
    FAMILIES,
    NETWORKS,
    Canonical,
    Cloud,
    Plain,
    Recipe,
    Steerable,
    WorldModel,
    register_family,
)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_recipe_comes_back_from_json(family):
    recipe = FAMILIES[family]
    written = json.loads(json.dumps(recipe.to_dict()))
    assert Recipe.from_dict(written) == recipe
    assert recipe.equivariant == recipe.network.equivariant
    for part, registry in (("network", NETWORKS), ("encoder", ENCODERS)):
        assert type(getattr(recipe, part)) is registry[written[part]["name"]]


@pytest.mark.parametrize("kind", [*NETWORKS.values(), *ENCODERS.values()])
def test_settings_are_frozen_and_of_plain_numbers(kind):
    made = kind()
    for field in fields(made):
        default = getattr(made, field.name)
        numpys = np.asarray(default) if isinstance(default, tuple) else np.asarray(default)[()]
        same = replace(made, **{field.name: numpys})
        assert same == made
        json.dumps(getattr(same, field.name))
        for wrong in ("3", None, -1, math.nan if isinstance(default, float) else 2.5, True, (2.5,), object()):
            with pytest.raises(ArgumentError, match=field.name):
                replace(made, **{field.name: wrong})
        with pytest.raises(AttributeError):
            setattr(made, field.name, default)


def test_settings_go_to_the_part_that_has_them():
    recipe = FAMILIES["latent"].with_settings(hidden=(8,), keypoints=5, vectors=2)
    assert recipe == Recipe(Canonical(hidden=(8,)), Cloud(keypoints=5, vectors=2))
    both = Recipe(Steerable(), Cloud()).with_settings(vectors=7, depth=1)
    assert (both.encoder.vectors, both.network) == (7, Steerable(depth=1))
    whole = FAMILIES["state"].with_settings(network=Plain(hidden=(4,)), centred=False, periodic=0)
    assert whole == Recipe(Plain(hidden=(4,), periodic=0), centred=False)
    with pytest.raises(ArgumentError, match=r"settings: got 'widht'.*'canonical'.*hidden, periodic"):
        FAMILIES["state"].with_settings(widht=3)


def test_recipes_that_cannot_be_are_refused():
    with pytest.raises(ArgumentError, match="centred: got False"):
        Recipe(Canonical(), centred=False)
    with pytest.raises(ArgumentError, match="network: got state"):
        Recipe("state")  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="encoder: got Canonical"):
        Recipe(Canonical(), encoder=Canonical())  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="network: got 'mine'"):
        Recipe.from_dict(FAMILIES["state"].to_dict() | {"network": {"name": "mine"}})
    for name in ("", "auto", 3):
        with pytest.raises(ArgumentError, match="name: got "):
            register_family(name, FAMILIES["state"])  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="recipe: got a "):
        register_family("mine", WorldModel)  # type: ignore[arg-type]


def test_a_model_takes_a_recipe_in_the_place_of_a_family():
    symmetry, recipe = toy_symmetry(SE2()), Recipe(Steerable(scalars=8, vectors=4, depth=1))
    model = WorldModel.for_symmetry(symmetry, recipe, seed=3, depth=2)
    assert (model.family, model.recipe.network.depth) == ("custom", 2)
    same = WorldModel(symmetry, replace(recipe, network=Steerable(8, 4, 2)), seed=3)
    for one, other in zip(model.parameters(), same.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("family", [*STATE_FAMILIES, "state-regular"])
def test_a_model_is_its_encoder_its_dynamics_and_nothing_else(family):
    group = Dihedral(3) if family == "state-regular" else SE2()
    model = WorldModel.for_symmetry(toy_symmetry(group), family)
    assert {name.split(".")[0] for name in model.state_dict()} == {"dynamics"}
    assert dict(model.named_children()).keys() == {"encoder", "dynamics"}


def test_no_concrete_class_of_models_is_a_parent():
    import equiworld.models

    kinds = [*NETWORKS.values(), *ENCODERS.values(), WorldModel, Recipe]
    kinds += [each for each in vars(equiworld.models).values() if inspect.isclass(each)]
    concrete = {each for each in kinds if not inspect.isabstract(each)}
    assert concrete
    for each in concrete:
        assert not [one for one in each.__subclasses__() if one.__module__.startswith("equiworld")], each


def test_the_command_line_has_every_setting():
    names = {field.name for kind in (*NETWORKS.values(), *ENCODERS.values()) for field in fields(kind)}
    model = commands.Train.__dataclass_fields__["model"].default_factory()
    assert names | {"centred", "augmented"} == {field.name for field in fields(model)}
    assert all(getattr(model, field.name) is None for field in fields(model))
