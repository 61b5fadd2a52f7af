"""The door in torch operations is the door: for every group and field that there is, in and back."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from equiworld.errors import ArgumentError
from equiworld.export.door import TorchDoor, put_together
from equiworld.groups import E2, E3, O2, O3, SE2, SE3, SO2, SO3, Cyclic, Dihedral, left_right
from equiworld.symmetry import (
    Cloud,
    Concatenation,
    Door,
    Heading,
    Parts,
    Point,
    Pseudoscalar,
    Scalar,
    SignedPermutation,
    Symmetry,
    Vector,
)
from equiworld.symmetry.sampling import random_observation

_PATH = Path(__file__).parent.parent / "symmetry" / "label_cases.py"
_SPEC = importlib.util.spec_from_file_location("label_cases_of_export", _PATH)
assert _SPEC is not None
assert _SPEC.loader is not None
label_cases = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(label_cases)

ROWS = 24
SPATIAL = [
    SE2(),
    E2(),
    SO2(),
    O2(),
    Cyclic(4),
    Dihedral(4),
    SE3(),
    SO3(),
    O3(),
    E3(),
    SO3(),
    SE2(axis=(0, 0, 1)),
]


def tensors(observation):
    if isinstance(observation, dict):
        return {name: torch.from_numpy(np.asarray(array, np.float64)) for name, array in observation.items()}
    return torch.from_numpy(observation)


def compare(symmetry: Symmetry, door: Door | None = None, seed: int = 0, least: float = 1e-12) -> None:
    """Inside, the way back and the flags are those of the door; angles of curved fields to the grid's step."""
    rng = np.random.default_rng(seed)
    seen = random_observation(symmetry, rng, ROWS)
    door = door or Door(symmetry)
    expected, module = door.enter(seen), TorchDoor(door, seen)
    with torch.no_grad():
        arrays, way = module(tensors(seen))
        shown = put_together(module.symmetry, arrays)
        action = rng.normal(size=(ROWS, symmetry.action.size(symmetry.dim)))
        back = module.leave(torch.from_numpy(action), way).numpy()
    wanted = {"observation": expected.observation} if symmetry.flat else expected.observation
    for name, array in shown.items():
        assert np.abs(array.numpy() - wanted[name]).max() <= least, name
    assert np.abs(back - symmetry.transform_action(expected.element, action)).max() <= 1e-12
    assert np.array_equal(way.degenerate.numpy(), expected.degenerate)
    assert np.abs(way.margin.numpy() - expected.margin).max() <= 1e-6


@pytest.mark.parametrize("flat", [False, True], ids=["mapping", "flat"])
@pytest.mark.parametrize("group", SPATIAL, ids=repr)
def test_of_vectors_points_and_numbers(group, flat):
    fields = {"place": Point(2), "speed": Vector(), "mass": Scalar(), "rate": Pseudoscalar()}
    if group.dim == 2:
        fields["way"] = Heading()
    action = Concatenation((Vector(), Pseudoscalar()))
    compare(Symmetry(group, fields, action=action, flat=flat))


@pytest.mark.parametrize("group", label_cases.GROUPS, ids=repr)
def test_of_every_field_that_labels_move(group):
    fields = label_cases.fields(group)
    # quaternions and Euler angles are read off a matrix on the grid, which is one to 1e-6 only
    compare(Symmetry(group, fields, action=Concatenation((Vector(), fields["joints"]))), least=2e-6)


def test_of_keys_that_hold_several_fields_clouds_and_a_reference_pose():
    fields = {"robot": Parts({"place": Point(), "way": Heading(), "speed": Vector()}), "cloud": Cloud(5)}
    symmetry = Symmetry(SE2(), fields, action=Point(), heading="way", reference="place", centre=(3.0, 4.0))
    pose = SE2().rotation(0.4) @ SE2().translation([1.0, 2.0])
    compare(symmetry, Door(symmetry, reference_pose=pose))


def test_states_that_are_their_own_mirror_image_are_flagged_alike():
    symmetry = Symmetry(
        left_right(),
        {"joints": SignedPermutation([(1, 0)], [(-1, -1)])},
        action=SignedPermutation([(1, 0)], [(-1, -1)]),
        flat=True,
    )
    seen = np.array([[0.3, -0.3], [0.3, 0.2], [0.0, 0.0]])
    expected = Door(symmetry).enter(seen).degenerate
    with torch.no_grad():
        _, way = TorchDoor(Door(symmetry), seen)(torch.from_numpy(seen))
    assert expected.tolist() == [True, False, True]
    assert way.degenerate.tolist() == expected.tolist()


def test_gradients_flow_through():
    symmetry = Symmetry(SO2(), {"way": Vector(2)}, action=Vector(), flat=True)
    seen = random_observation(symmetry, np.random.default_rng(0), ROWS)
    module, given = TorchDoor(Door(symmetry), seen), torch.from_numpy(seen).requires_grad_()
    _, way = module(given)
    module.leave(torch.ones(ROWS, 2, dtype=torch.float64), way).sum().backward()
    assert given.grad is not None
    assert bool(given.grad.isfinite().all())
    assert float(given.grad.abs().max()) > 0.0


def test_what_it_cannot_show_is_refused():
    symmetry = Symmetry(SO2(), {"way": Vector(), "goal": Vector()}, action=Vector())
    seen = random_observation(symmetry, np.random.default_rng(0), 2)
    with pytest.raises(ArgumentError, match="one that sees all declared fields"):
        TorchDoor(Door(symmetry, ["way"]), seen)
