"""Plain models averaged over elements of the group: exact for a finite group that is averaged whole, and only there."""

from __future__ import annotations

import pytest
import torch
from model_cases import model_of, residual, some_of, toy_data, trained

from equiworld.errors import ArgumentError
from equiworld.groups import E2 as Mirrored
from equiworld.groups import SE2, SE3, Cyclic, Dihedral
from equiworld.models import WorldModel, averaged


@pytest.fixture(
    scope="module", params=[(SE2(), Cyclic(8)), (Mirrored(), Dihedral(4))], ids=["turns", "mirrors"]
)
def plain(request):
    """A trained model, its data, and the group that eight elements of its own are."""
    group, finite = request.param
    data = toy_data(group)
    return trained(model_of(data.symmetry, "mlp-centred"), data, steps=30), data, finite


def test_it_is_exact_for_the_finite_group_and_for_no_other_element(plain):
    model, data, finite = plain
    made = averaged(model, 8)
    assert residual(made, torch.float64, *some_of(data), group=finite).residual <= 1e-12
    assert residual(model, torch.float64, *some_of(data), group=finite).residual > 1e-3
    assert residual(made, torch.float64, *some_of(data)).residual > 1e-9
    assert not made.equivariant


def test_more_elements_leave_less_of_the_residual(plain):
    model, data, _ = plain
    left = [residual(averaged(model, n), torch.float64, *some_of(data)).residual for n in (1, 4, 32)]
    assert left[0] > left[1] > left[2]


def test_it_is_the_mean_of_what_is_turned_back(plain):
    model, data, _ = plain
    z, action, _ = data.features()
    made, group = averaged(model, 8), model.symmetry.group
    mean = torch.zeros_like(z.points)
    for g in group.grid(8):
        mean += model.predict(z.transform(g), action.transform(g)).transform(g.inverse()).points / 8
    assert torch.allclose(made.predict(z, action).points, mean, atol=1e-4)


def test_of_one_element_it_is_the_plain_model_and_that_is_left_as_it_was(plain):
    model, data, _ = plain
    z, action, _ = data.features()
    before = model.predict(z, action).flatten()
    assert torch.equal(averaged(model, 1).predict(z, action).flatten(), before)
    assert not torch.equal(averaged(model, 8).predict(z, action).flatten(), before)
    assert torch.equal(model.predict(z, action).flatten(), before)


def test_it_is_saved_and_loaded_and_stepped_alike(plain, tmp_path):
    model, data, _ = plain
    z, action, _ = data.features()
    made = averaged(model, 8)
    loaded = WorldModel.load(made.save(tmp_path))
    assert loaded.recipe == made.recipe
    found = made.predict(z, action).flatten()
    assert torch.equal(loaded.predict(z, action).flatten(), found)
    assert torch.equal(made.stepper()(z, action).flatten(), found)
    assert made.parameter_count == model.parameter_count


def test_in_space_a_spread_of_elements_leaves_less_of_the_residual():
    data = toy_data(SE3())
    model = trained(model_of(data.symmetry, "mlp-centred"), data, steps=30)
    left = [residual(averaged(model, n), torch.float64, *some_of(data)).residual for n in (1, 32)]
    assert 1e-9 < left[1] < left[0]


def test_what_is_no_plain_model_of_states_is_refused():
    for family in ("state", "state-steerable", "soft"):
        with pytest.raises(ArgumentError, match="model: got one of"):
            averaged(model_of(toy_data(SE2()).symmetry, family), 4)
    with pytest.raises(ArgumentError, match="elements"):
        averaged(model_of(toy_data(SE2()).symmetry, "mlp"), 0)
