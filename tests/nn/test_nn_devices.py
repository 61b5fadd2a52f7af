"""Layers, networks, frames and Features compute where their numbers lie, and nothing crosses on the way."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from module_cases import FUNCTIONS, MODULES, drawn, features, parts
from second_device import SecondDevice, here
from torch import Tensor, nn

import equiworld.nn
from equiworld.groups import E2, E3, O2, O3, SE2, SE3, SO2, SO3, Cyclic, Dihedral, Group
from equiworld.nn import SeededLinear
from equiworld.symmetry import (
    Features,
    FeatureType,
    Heading,
    Point,
    Rotation,
    Scalar,
    Symmetry,
    Vector,
    frame_of,
)
from equiworld.symmetry.tensors import features_of_tensors, tensors_of_features


def moved(value: Features | Tensor) -> Features | Tensor:
    return value.to(device="meta")


def same_there(
    call: Callable[..., object], *given: Features | Tensor, module: nn.Module | None = None
) -> None:
    """On the second device a function gives the same bits as here; the second time nothing crosses."""
    expected = parts_of(call(*given))
    with SecondDevice() as device:
        if module is not None:
            module.to("meta")
        there = [moved(each) for each in given]
        call(*there)  # what constants there are may come along once
        arrived = device.arrived
        found = parts_of(call(*there))
        assert (device.arrived, device.left) == (arrived, 0)
    assert len(found) == len(expected)
    assert all(torch.equal(here(one), two) for one, two in zip(found, expected, strict=True))


def parts_of(value: object) -> list[Tensor]:
    if isinstance(value, list | tuple):
        return [part for each in value for part in parts_of(each)]
    return [part.detach() for part in parts(value)]


@pytest.mark.parametrize("gradient", [False, True], ids=["plain", "gradient"])
@pytest.mark.parametrize("name", MODULES)
def test_a_module_computes_where_its_weights_are(name, gradient):
    module, given = MODULES[name]()
    weights = [weight for weight in module.parameters() if weight.numel()]

    def call(given):
        if not gradient or not weights:
            with torch.no_grad():
                return module(given)
        now = [weight for weight in module.parameters() if weight.numel()]
        loss = sum(part.square().sum() for part in parts(module(given)))
        return list(torch.autograd.grad(loss, now))

    same_there(call, given, module=module)


@pytest.mark.parametrize("name", ["MLP", "CanonicalNetwork", "RegularNetwork"])
def test_prepared_networks_compute_where_their_weights_are(name):
    module, given = MODULES[name]()
    with torch.no_grad():
        same_there(lambda given: module.prepared()(given), given, module=module)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_a_network_of_labels_goes_to_another_dtype_there(dtype):
    """Its constants come along in float64, whatever it was in before."""
    module, given = MODULES["LabelledSteerableNetwork"]()
    module.to(dtype)
    with torch.no_grad():
        same_there(module, given.to(dtype), module=module)


class MadeHere(nn.Module):
    """Makes a tensor in forward wherever torch makes tensors, as no layer should."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = SeededLinear(4, 3, generator=torch.Generator().manual_seed(0))

    def forward(self, inputs: Tensor) -> Tensor:
        return self.layer(inputs) + torch.ones(3)


class BroughtAlong(MadeHere):
    """Brings its constant along at each call."""

    def forward(self, inputs: Tensor) -> Tensor:
        return self.layer(inputs) + torch.ones(3).to(inputs)


def test_a_module_that_makes_tensors_on_the_cpu_is_caught():
    module = MadeHere()
    with pytest.raises(RuntimeError, match="tensors of two devices"):
        same_there(module, drawn(5, 4), module=module)


def test_a_module_that_brings_its_constants_along_each_time_is_caught():
    module = BroughtAlong()
    with pytest.raises(AssertionError):
        same_there(module, drawn(5, 4), module=module)


def test_numpy_is_refused_on_the_second_device():
    with SecondDevice(), pytest.raises(TypeError, match="NumPy"):
        moved(drawn(5, 4)).numpy()


# ------------------------------------------------------------------------------------ functions of features

GROUPS: tuple[Group, ...] = (
    *(SO2(), O2(), SE2(), E2(), SO3(), O3(), SE3(), E3()),
    *(Cyclic(4), Dihedral(3), SO2(axis=(0, 0, 1)), SO2(axis=(1, 2, 2))),
)


def framed(frame) -> list[Tensor]:
    found = (frame.axes, frame.origin, frame.certainty, frame.fixed, frame.axial, frame.handedness)
    return [part for part in (*found, frame.completed()) if part is not None]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_of_tensors(name):
    given = {"hull_attention": [drawn(5, 4, 3), drawn(5, 20, 3)], "orthonormal": [drawn(5, 3, 3)]}
    given["soft_axes"] = [drawn(5, 3, 2)]
    more = (True, 0.1) if name == "soft_axes" else ()
    same_there(lambda *tensors: getattr(equiworld.nn, name)(*tensors, *more), *given[name])


@pytest.mark.parametrize("pseudo", [False, True], ids=["arrows", "pseudovectors"])
@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_frames_are_read_where_the_arrows_are(group, pseudo):
    arrows = drawn(7, group.dim, 5)
    more = (drawn(7, 2), drawn(7, group.dim, 2)) if pseudo and not group.proper else ()

    def call(arrows, *more):
        numbers, axial = more or (None, None)
        return framed(frame_of(arrows, group, pseudoscalars=numbers, pseudovectors=axial))

    same_there(call, arrows, *more)


@pytest.mark.parametrize("group", [SE2(), O2(), SE3(), O3()], ids=str)
def test_a_pose_is_a_frame_where_it_is(group):
    arrows = torch.eye(group.dim).repeat(4, 1, 2)
    same_there(
        lambda arrows: framed(frame_of(arrows, group, pose=slice(0, group.dim if group.dim == 3 else 1))),
        arrows,
    )


@pytest.mark.parametrize("group", [SE2(), E3()], ids=str)
def test_features_are_transformed_where_they_are(group):
    z = features(FeatureType(group.dim, scalars=2, vectors=3, points=2))
    g = group.sample(np.random.default_rng(0), 5)
    with SecondDevice():
        found = moved(z).transform(g)
        assert all(
            torch.equal(here(one), two)
            for one, two in zip(parts_of(found), parts_of(z.transform(g)), strict=True)
        )
        flat = moved(z).flatten()
        assert torch.equal(here(flat), z.flatten())
        assert moved(z).device.type == "meta"


FIELDS = {
    2: {"mass": Scalar(2), "place": Point(2), "way": Heading(axis=0.3), "own": Heading(body=True)},
    3: {"speed": Vector(), "place": Point(), "axes": Rotation(), "tilt": Rotation(form="xyz")},
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("dim", [2, 3])
def test_observations_become_features_where_they_are(dim, dtype):
    fields = dict(FIELDS[dim])
    if dim == 2:
        fields.pop("own")
    symmetry = Symmetry(SE2() if dim == 2 else SE3(), fields, action=Point(), centre=(1.0, 2.0, 3.0)[:dim])
    rows = {name: drawn(4, field.size(dim)).to(dtype) for name, field in fields.items()}
    if dim == 3:
        rows["axes"] = torch.linalg.qr(drawn(4, 3, 3)).Q.flatten(1).to(dtype)

    def there_and_back(*tensors):
        found = features_of_tensors(symmetry, dict(zip(rows, tensors, strict=True)))
        return [*parts_of(found), *tensors_of_features(symmetry, found).values()]

    same_there(there_and_back, *rows.values())
