"""Features in torch: the numbers of the numpy path, with gradients, on any device."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from label_cases import GROUPS, fields
from scipy.spatial.transform import Rotation as SciPyRotation

from equiworld.errors import ArgumentError
from equiworld.groups import SE2, SE3, Group
from equiworld.symmetry import Parts, Point, Rotation, Scalar, Symmetry, Vector
from equiworld.symmetry.quaternions import euler_of, matrix_of, matrix_of_euler, quaternion_of
from equiworld.symmetry.sampling import random_observation
from equiworld.symmetry.tensors import features_of_tensors, tensors_of_features

CASES = [(group, name) for group in GROUPS for name in fields(group)]
EULER = ["xyz", "ZYX", "zxz", "YXY", "yzx", "XZY", "zyz", "XYX"]


def world(group: Group, name: str) -> tuple[Symmetry, dict[str, np.ndarray]]:
    symmetry = Symmetry(group, {name: fields(group)[name]}, Vector(), centre=(0.5,) * group.dim)
    return symmetry, random_observation(symmetry, np.random.default_rng(0), 6)


@pytest.mark.parametrize(("group", "name"), CASES, ids=lambda case: str(case)[:60])
def test_there_and_back_as_in_numpy(group: Group, name: str) -> None:
    symmetry, seen = world(group, name)
    tensors = {key: torch.from_numpy(array) for key, array in seen.items()}
    features = features_of_tensors(symmetry, tensors)
    known = symmetry.to_features(seen, dtype=torch.float64)
    assert features.type == known.type
    assert (features.flatten() - known.flatten()).abs().max() <= 1e-12
    again = features_of_tensors(symmetry, tensors_of_features(symmetry, features))
    assert (again.flatten() - known.flatten()).abs().max() <= 1e-12


@pytest.mark.parametrize("form", ["matrix", "wxyz", "xyzw", *EULER])
def test_orientations_have_gradients(form: str) -> None:
    symmetry = Symmetry(SE3(), {"pose": Rotation(form=form)}, Vector())
    seen = torch.from_numpy(
        random_observation(symmetry, np.random.default_rng(3), 2)["pose"]
    ).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: features_of_tensors(symmetry, {"pose": x}).vectors, (seen,))
    columns = features_of_tensors(symmetry, {"pose": seen.detach()}).vectors.requires_grad_()

    def numbers(vectors: torch.Tensor) -> torch.Tensor:
        whole = features_of_tensors(symmetry, {"pose": seen.detach()})
        changed = type(whole)(whole.scalars, vectors, whole.points)
        return tensors_of_features(symmetry, changed)["pose"]

    assert torch.autograd.gradcheck(numbers, (columns,))


@pytest.mark.parametrize("axes", EULER)
def test_euler_angles_are_scipys(axes: str) -> None:
    rotations = SciPyRotation.random(200, random_state=0)
    matrices = torch.from_numpy(rotations.as_matrix())
    angles = torch.from_numpy(rotations.as_euler(axes))
    assert (matrix_of_euler(angles, axes) - matrices).abs().max() <= 1e-12
    found = euler_of(matrices, axes)
    assert (found - angles).abs().max() <= 1e-7
    assert (matrix_of_euler(found, axes) - matrices).abs().max() <= 1e-9
    locked = matrix_of_euler(
        torch.tensor([[0.3, 0.0, 0.4], [0.3, np.pi / 2, 0.4]], dtype=torch.float64), axes
    )
    again = matrix_of_euler(euler_of(locked, axes), axes)
    assert (again - locked).abs().max() <= 1e-6


def test_quaternions_are_scipys_also_of_half_turns() -> None:
    rotations = SciPyRotation.concatenate(
        [SciPyRotation.random(200, random_state=0), SciPyRotation.from_rotvec(np.pi * np.eye(3))]
    )
    matrices = torch.from_numpy(rotations.as_matrix())
    found = quaternion_of(matrices)
    assert (matrix_of(found) - matrices).abs().max() <= 1e-12
    known = torch.from_numpy(np.roll(rotations.as_quat(canonical=True), 1, -1))
    assert (found[:200] - known[:200]).abs().max() <= 1e-12


def test_models_and_declarations_keep_gradients() -> None:
    symmetry = Symmetry(SE2(), {"place": Point(), "mass": Scalar()}, Vector())
    place = torch.ones(3, 2, requires_grad=True)
    features = symmetry.to_features({"place": place, "mass": torch.ones(3, 1)})
    features.points.square().sum().backward()
    assert (place.grad == 2.0).all()
    assert (
        symmetry.to_features({"place": place.detach(), "mass": torch.ones(3, 1)}).points.dtype
        == torch.float32
    )


def test_nothing_leaves_the_device() -> None:
    pose = {"place": Point(), "pose": Rotation(form="wxyz"), "mass": Scalar()}
    # A centre of its own: other tests give numbers to tensors on meta, and constants are kept by device.
    centre = (0.25, -1.5, 3.25)
    symmetry = Symmetry(SE3(), {"state": Parts(pose, at={"mass": (0,)})}, Vector(), centre=centre, flat=True)
    on_meta = torch.empty(5, 8, device="meta")
    features = features_of_tensors(symmetry, on_meta)
    assert features.vectors.device.type == "meta"
    assert features.batch_shape == (5,)
    whole = torch.arange(8.0).repeat(2, 1)
    found = features_of_tensors(symmetry, whole)
    assert found.scalars.flatten().tolist() == [0.0, 0.0]
    assert found.points[0, :, 0].tolist() == [0.75, 3.5, -0.25]


def test_what_is_traced_is_not_kept() -> None:
    """A centre that was first met while torch exported a program serves what comes after."""
    symmetry = Symmetry(SE2(), {"place": Point()}, Vector(), centre=(0.123, 4.567))
    place = torch.arange(6.0).reshape(3, 2)

    class Encoder(torch.nn.Module):
        def forward(self, place: torch.Tensor) -> torch.Tensor:
            return features_of_tensors(symmetry, {"place": place}).points

    program = torch.export.export(Encoder(), (place,), strict=False).module()
    found = features_of_tensors(symmetry, {"place": place}).points
    assert type(found) is torch.Tensor
    assert (found[..., 0] - (place - torch.tensor([0.123, 4.567]))).abs().max() <= 1e-6
    assert torch.equal(program(place), found)


@pytest.mark.parametrize(
    ("obs", "said"),
    [
        ({"speed": torch.zeros(3)}, "no key 'place'"),
        (torch.zeros(4), "a Tensor"),
        ({"place": torch.zeros(3)}, "(…, 2)"),
    ],
)
def test_errors_say_what_is_wrong(obs: Any, said: str) -> None:
    symmetry = Symmetry(SE2(), {"place": Point()}, Vector())
    with pytest.raises(ArgumentError) as caught:
        features_of_tensors(symmetry, obs)
    assert said in str(caught.value)


@pytest.mark.parametrize("flat", [False, True])
def test_a_tensor_of_no_axes_or_too_few_numbers_is_refused(flat):
    both = Parts({"pos": Point(), "speed": Vector()}, at={"speed": (1, 3)})
    symmetry = Symmetry(SE2(), {"all": both}, Vector(), flat=flat)
    for shape in ((), (1,), (4, 3)):
        shown = torch.zeros(shape, requires_grad=True)
        with pytest.raises(ArgumentError, match=r"^(pos|speed): got shape "):
            symmetry.to_features(shown if flat else {"all": shown})


def test_tensors_of_different_leading_shapes_are_refused():
    symmetry = Symmetry(SE2(), {"pos": Point(), "speed": Vector()}, Vector())
    with pytest.raises(
        ArgumentError, match=r"^speed: got leading shape \(3,\); expected \(\), that of 'pos'"
    ):
        symmetry.to_features({"pos": torch.zeros(2, requires_grad=True), "speed": torch.zeros(3, 2)})
