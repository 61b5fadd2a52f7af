"""Every field is a representation, says the truth about a known world, and refuses what it does not have."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from symmetry_cases import (
    CASE_NAMES,
    CASES,
    CENTRES,
    FIELDS,
    GROUPS,
    OBSERVERS,
    difference,
    equivariance_error,
    homomorphism_error,
    random_array,
)

from equiworld.errors import ArgumentError
from equiworld.groups import E2, O2, O3, SE2, SE3, SO2, SO3, Group, GroupElement
from equiworld.symmetry import (
    Concatenation,
    Field,
    Heading,
    Point,
    Pseudoscalar,
    Pseudovector,
    Rotation,
    Scalar,
    Vector,
)
from equiworld.symmetry.motion import Motion

seeds = st.integers(0, 2**32 - 1)
every_case = pytest.mark.parametrize(("field", "group"), CASES, ids=CASE_NAMES)


@every_case
@settings(max_examples=8, deadline=None)
@given(seed=seeds)
def test_field_is_a_representation(field: Field, group: Group, seed: int) -> None:
    rng = np.random.default_rng(seed)
    array = random_array(field, group.dim, rng)
    assert homomorphism_error(field, group.sample(rng), group.sample(rng), array) < 1e-12


@every_case
def test_field_near_the_identity(field: Field, group: Group) -> None:
    if group.finite:
        return
    rng = np.random.default_rng(0)
    array = random_array(field, group.dim, rng)
    for scale in (1e-12, 1e-6):
        g, h = group.near_identity(rng, scale=scale), group.near_identity(rng, scale=scale)
        assert homomorphism_error(field, g, h, array) < 1e-12
        assert difference(field, group.dim, field.transform(g, array, CENTRES[group.dim]), array) < 20 * scale


@pytest.mark.parametrize("dim", [2, 3])
@settings(max_examples=30, deadline=None)
@given(seed=seeds)
def test_field_says_how_the_world_moves(dim: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    world = rng.normal(size=(4, dim))
    for group in GROUPS[dim]:
        for field, observe in OBSERVERS[dim]:
            # angles and frames of nearly degenerate worlds lose digits in the observer, not in the field
            assert equivariance_error(field, observe, group.sample(rng), world) < 1e-9


@pytest.mark.parametrize("dim", [2, 3])
def test_wrong_declarations_are_detected(dim: int) -> None:
    """Negative control: no other field of the same size passes for the true one under all isometries."""
    group = GROUPS[dim][3]
    tried = 0
    for truth, observe in OBSERVERS[dim]:
        for declared in (Scalar(truth.size(dim)), *(field for field, _ in OBSERVERS[dim])):
            if declared == truth or declared.size(dim) != truth.size(dim):
                continue
            errors = []
            for seed in range(20):
                rng = np.random.default_rng(seed)
                errors.append(
                    equivariance_error(declared, observe, group.sample(rng), rng.normal(size=(4, dim)))
                )
            assert max(errors) > 1e-2, (truth, declared)
            tried += 1
    assert tried >= 10


def test_broken_representation_is_detected() -> None:
    """Negative control: R² is no representation of SO(3)."""

    @dataclass(frozen=True)
    class Squared(Vector):
        def motion(self, g: GroupElement, centre: Any) -> Motion:
            return Motion(g.matrix @ g.matrix)

    rng = np.random.default_rng(0)
    g, h = SO3().sample(rng), SO3().sample(rng)
    assert homomorphism_error(Squared(), g, h, rng.normal(size=3)) > 1e-2
    assert homomorphism_error(Vector(), g, h, rng.normal(size=3)) < 1e-12


@every_case
def test_batches_equal_loops_to_the_bit(field: Field, group: Group) -> None:
    rng = np.random.default_rng(1)
    centre = CENTRES[group.dim]
    elements, arrays = group.sample(rng, n=5), random_array(field, group.dim, rng, (5,))
    paired = field.transform(elements, arrays, centre)
    by_one = field.transform(elements[0], arrays, centre)
    orbit = field.transform(elements, arrays[0], centre)
    for i in range(5):
        np.testing.assert_array_equal(paired[i], field.transform(elements[i], arrays[i], centre))
        np.testing.assert_array_equal(by_one[i], field.transform(elements[0], arrays[i], centre))
        np.testing.assert_array_equal(orbit[i], field.transform(elements[i], arrays[0], centre))
    assert field.transform(elements[0], arrays[:0], centre).shape == (0, arrays.shape[1])
    assert {len(each) for each in field.encode(arrays[:0], centre).values()} == {0}


@every_case
def test_float32_stays_and_is_rounded_once(field: Field, group: Group) -> None:
    rng = np.random.default_rng(2)
    array = random_array(field, group.dim, rng, (4,)).astype(np.float32)
    g = group.sample(rng)
    moved = field.transform(g, array, CENTRES[group.dim])
    exact = field.transform(g, array.astype(np.float64), CENTRES[group.dim])
    assert moved.dtype == np.float32
    assert exact.dtype == np.float64
    assert difference(field, group.dim, moved.astype(np.float64), exact) < 1e-6


def test_identity_keeps_every_bit_and_the_input_is_not_touched() -> None:
    rng = np.random.default_rng(3)
    for field in (Scalar(4), Vector(4), Point(4), Heading(4), Heading(4, low=0.0)):
        array = random_array(field, 2, rng, (50,)) * 0.999
        before = array.copy()
        moved = field.transform(SE2().identity(), array, (0.1, 255.5))
        np.testing.assert_array_equal(moved, before)
        assert not np.shares_memory(moved, array)
        field.transform(SE2().sample(rng), array)
        np.testing.assert_array_equal(array, before)


@pytest.mark.parametrize("low", [-np.pi, 0.0, 1.0])
@settings(max_examples=100, deadline=None)
@given(angle=st.floats(-1e3, 1e3), turn=st.floats(-7, 7), narrow=st.booleans())
def test_heading_stays_in_its_range(low: float, angle: float, turn: float, narrow: bool) -> None:
    dtype = np.float32 if narrow else np.float64
    moved = Heading(low=low).transform(SO2().rotation(turn), np.array([angle], dtype))
    assert dtype(low) <= moved[0] < dtype(low + 2 * np.pi)
    expected = float(dtype(angle)) + turn
    assert abs(math.remainder(float(moved[0]) - expected, 2 * math.pi)) < (1e-6 if narrow else 1e-12) * 1e3


def test_heading_at_the_seam() -> None:
    just_below = np.nextafter(-np.pi, -4.0)
    for angle in (np.pi, -np.pi, just_below, np.nextafter(np.pi, 0.0)):
        for dtype in (np.float64, np.float32):
            moved = Heading().transform(SO2().identity(), np.array([angle], dtype))
            assert dtype(-np.pi) <= moved[0] < dtype(np.pi)


def test_heading_in_the_mirror() -> None:
    mirror = O2().reflection(0.0)  # across the first axis
    np.testing.assert_allclose(Heading().transform(mirror, [0.3]), [-0.3], atol=1e-15)
    np.testing.assert_allclose(Pseudoscalar().transform(mirror, [0.3]), [-0.3], atol=0)
    # A stem that points up goes on pointing up in the mirror of the ground.
    upright = Heading(axis=np.pi / 2)
    np.testing.assert_allclose(upright.transform(O2().reflection(np.pi / 2), [0.0]), [0.0], atol=1e-15)


@settings(max_examples=50, deadline=None)
@given(seed=seeds)
def test_a_mirror_image_of_a_body_is_that_body(seed: int) -> None:
    """Marks placed by a pose, of a body that is its own mirror image, are those of the transformed pose."""
    rng = np.random.default_rng(seed)
    axis, half = rng.uniform(-np.pi, np.pi), rng.normal(size=(3, 2))
    sides = np.concatenate([half, half * (1, -1)]) @ rotation(axis).T  # mirrored across the direction `axis`
    marks, heading = Point(6, mirror=(3, 4, 5, 0, 1, 2)), Heading(axis=axis)

    def placed(place: np.ndarray, angle: np.ndarray) -> np.ndarray:
        return (place + sides @ rotation(angle.item()).T).ravel()

    place, angle, g = rng.normal(size=2), rng.uniform(-np.pi, np.pi, 1), E2().sample(rng)
    expected = placed(Point().transform(g, place), heading.transform(g, angle))
    np.testing.assert_allclose(marks.transform(g, placed(place, angle)), expected, atol=1e-12)
    if g.determinant < 0:  # negative controls: in their old places, or about another axis, they are not
        assert np.abs(Point(6).transform(g, placed(place, angle)) - expected).max() > 1e-3
        other = placed(Point().transform(g, place), Heading(axis=axis + 0.5).transform(g, angle))
        assert np.abs(other - expected).max() > 1e-3


def rotation(angle: float) -> np.ndarray:
    return np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])


def test_rotation_forms_agree() -> None:
    rng = np.random.default_rng(4)
    g = SO3().sample(rng)
    matrix = random_array(Rotation(), 3, rng)
    channels = Rotation().encode(matrix, np.zeros(3))
    moved = Rotation().encode(Rotation().transform(g, matrix), np.zeros(3))["vectors"]
    for form in ("xyzw", "wxyz"):
        field = Rotation(form=form)  # type: ignore[arg-type]
        quaternion = field.decode(channels, np.zeros(3))
        turned = field.transform(g, quaternion)
        assert turned[form.index("w")] >= 0
        np.testing.assert_allclose(field.encode(turned, np.zeros(3))["vectors"], moved, atol=1e-14)
        np.testing.assert_allclose(field.transform(g, -3.0 * quaternion), turned, atol=1e-14)


@pytest.mark.parametrize("form", ["xyzw", "wxyz", "xyz"])
def test_what_no_rotation_is_comes_out_as_the_nearest_one(form: str) -> None:
    rng = np.random.default_rng(6)
    field, centre, g = Rotation(8, form=form), np.zeros(3), SO3().sample(rng)
    predicted = rng.normal(size=(3, 24))
    axes = predicted.reshape(3, 8, 3).transpose(1, 0, 2)
    assert 0 < (np.linalg.det(axes) < 0).sum() < 8

    def read(vectors: np.ndarray) -> np.ndarray:
        found = field.encode(field.decode({"vectors": vectors}, centre), centre)["vectors"]
        return found.reshape(3, 8, 3).transpose(1, 0, 2)

    found = read(predicted)
    np.testing.assert_allclose(
        found @ found.transpose(0, 2, 1), np.broadcast_to(np.eye(3), (8, 3, 3)), atol=1e-14
    )
    np.testing.assert_allclose(np.linalg.det(found), 1.0, atol=1e-14)
    away = np.square(found - axes).sum((1, 2))
    for other in SO3().sample(rng, 200).matrix:
        assert (away <= np.square(other - axes).sum((1, 2))).all()
    np.testing.assert_allclose(read(g.matrix @ predicted), g.matrix @ found, atol=1e-12)


@pytest.mark.parametrize("dim", [2, 3])
def test_encode_and_decode_are_inverse(dim: int) -> None:
    rng = np.random.default_rng(5)
    centre = CENTRES[dim]
    for field in FIELDS[dim]:
        array = random_array(field, dim, rng, (3, 2))
        channels = field.encode(array, centre)
        kind = field.feature_type(dim)
        assert {name: part.shape[-1] for name, part in channels.items()} == {
            name: getattr(kind, name) for name in ("scalars", "vectors", "points") if getattr(kind, name)
        }
        np.testing.assert_allclose(field.decode(channels, centre), array, atol=1e-14)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Vector(0), "Vector.count"),
        (lambda: Vector(True), "Vector.count"),
        (lambda: Heading(low=math.nan), "Heading.low"),
        (lambda: Heading(axis=math.inf), "Heading.axis"),
        (lambda: Point(3, mirror=(1, 2, 0)), "pairs of the 3 indices"),
        (lambda: Point(2, mirror=(0,)), "pairs of the 2 indices"),
        (lambda: Point(2, mirror=(0.0, 1.0)), "Point.mirror"),
        (lambda: Point(2, mirror=5), "Point.mirror"),
        (lambda: Rotation(form="zzx"), "matrix, xyzw, wxyz"),  # type: ignore[arg-type]
        (lambda: Concatenation(()), "Concatenation.parts"),
        (lambda: Concatenation((1,)), "Concatenation.parts"),  # type: ignore[arg-type]
        (lambda: Concatenation((Point(), Scalar())).kind, "declare its parts"),
        (lambda: Heading().size(3), "dimension 3"),
        (lambda: Rotation().size(2), "dimension 2"),
        (lambda: Rotation(form="xyzw").transform(O3().element(-np.eye(3)), [0, 0, 0, 1]), "reflection"),
        (lambda: Rotation(form="xyzw").transform(SO3().identity(), [0, 0, 0, 0]), "norm 0"),
        (lambda: Vector().transform(SO2().identity(), [1.0, 2.0, 3.0]), "(…, 2)"),
        (lambda: Vector().transform(SO2().identity(), 1.0), "shape ()"),
        (lambda: Vector().transform(SO2().identity(), [1.0, math.nan]), "NaN"),
        (lambda: Vector().transform(SO2().identity(), [1.0, math.inf]), "infinity"),
        (lambda: Vector().transform(SO2().identity(), ["a", "b"]), "dtype"),
        (lambda: Vector().transform(SO2().identity(), [[1.0], [1.0, 2.0]]), "ragged"),
        (lambda: Vector().transform(SO2().identity(), [True, False]), "bool"),
        (lambda: Vector().transform(SO2().sample(np.random.default_rng(0), n=3), np.ones((4, 2))), "(4,)"),
    ],
)
def test_errors_say_what_is_wrong(make: Any, said: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        make()
    assert said in str(caught.value)


def test_integers_become_float64_and_names_appear() -> None:
    assert Point().transform(E2().identity(), np.array([1, 2])).dtype == np.float64
    with pytest.raises(ArgumentError, match="the_name"):
        Pseudovector().transform(SE3().identity(), [1.0], name="the_name")
