"""A transformed space contains every transformed sample, and no more than it must where that is easy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector.utils import batch_space
from hypothesis import given, settings
from hypothesis import strategies as st
from symmetry_cases import CASE_NAMES, CASES, CENTRES

from equiworld.envs.spaces import Ball
from equiworld.errors import ArgumentError
from equiworld.groups import E2, SE2, SE3, SO2, Cyclic, Group, GroupElement
from equiworld.symmetry import Concatenation, Field, Heading, Point, Scalar, Symmetry, Vector

seeds = st.integers(0, 2**32 - 1)


def random_box(size: int, rng: np.random.Generator, dtype: Any, unbounded: float = 0.2) -> spaces.Box:
    ends = np.sort(rng.normal(size=(2, size)) * 3.0, axis=0)
    low = np.where(rng.random(size) < unbounded, -np.inf, ends[0]).astype(dtype)
    high = np.where(rng.random(size) < unbounded, np.inf, ends[1]).astype(dtype)
    return spaces.Box(low, high, dtype=dtype, seed=int(rng.integers(2**31)))


@pytest.mark.parametrize(("field", "group"), CASES, ids=CASE_NAMES)
@settings(max_examples=6, deadline=None)
@given(seed=seeds, narrow=st.booleans())
def test_every_transformed_sample_is_contained(field: Field, group: Group, seed: int, narrow: bool) -> None:
    rng = np.random.default_rng(seed)
    dim, dtype = group.dim, np.float32 if narrow else np.float64
    symmetry = Symmetry(group, {"x": field}, action=Vector(), centre=tuple(CENTRES[dim]))
    box = random_box(field.size(dim), rng, dtype)
    orbit = symmetry.transform_space(group, spaces.Dict({"x": box}), scale=2.0)
    assert isinstance(orbit, spaces.Dict)
    for _ in range(4):
        g = group.sample(rng, scale=2.0)
        image = symmetry.transform_space(g, spaces.Dict({"x": box}))
        corner = np.where(rng.random(box.shape) < 0.5, box.low, box.high)
        for sample in (
            box.sample(),
            np.where(np.isfinite(corner), corner, 0.5).clip(box.low, box.high).astype(dtype),
        ):
            moved = symmetry.transform_observation(g, {"x": sample})
            assert image.contains(moved), (g, sample, moved, image)
            assert orbit.contains(moved), (g, sample, moved, orbit)


def test_a_space_that_is_too_small_is_noticed() -> None:
    """Negative control: the untouched box does not contain its turned samples."""
    box = spaces.Box(np.zeros(2), np.ones(2), dtype=np.float64, seed=0)
    moved = Point().transform(SO2().rotation(2.0), box.sample())
    assert not box.contains(moved)


PLANE = Symmetry(SE2(), {"pos": Point(), "mass": Scalar()}, Vector(), centre=(255.5, 255.5), flat=True)


def test_quarter_turns_are_tight_and_zero_times_infinity_is_zero() -> None:
    box = spaces.Box(np.array([0.0, -np.inf, 1.0]), np.array([511.0, np.inf, 2.0]), dtype=np.float64)
    turned = PLANE.transform_space(Cyclic(4).turn(1), box)
    np.testing.assert_array_equal(turned.low, [-np.inf, 0.0, 1.0])
    np.testing.assert_array_equal(turned.high, [np.inf, 511.0, 2.0])
    orbit = PLANE.transform_space(Cyclic(4), box)
    np.testing.assert_array_equal(orbit.low, [-np.inf, -np.inf, 1.0])
    assert PLANE.transform_space(SE2().identity(), box) == box


def test_interval_of_one_element_is_reached() -> None:
    square = Symmetry(SE2(), {"pos": Point()}, Vector())
    box = spaces.Box(-np.ones(2), np.ones(2), dtype=np.float64)
    turned = square.transform_space(SE2().rotation(np.pi / 4), spaces.Dict({"pos": box}))["pos"]
    np.testing.assert_allclose(turned.high, np.sqrt(2), rtol=1e-12)
    shifted = square.transform_space(SE2().translation([5.0, 0.0]), spaces.Dict({"pos": box}))["pos"]
    np.testing.assert_array_equal(shifted.high, [6.0, 1.0])
    orbit = square.transform_space(SE2(), spaces.Dict({"pos": box}), scale=3.0)["pos"]
    np.testing.assert_allclose(orbit.high, np.sqrt(2) + 3.0, rtol=1e-9)
    assert square.transform_space(SO2(), spaces.Dict({"pos": box}))["pos"].high[0] < 1.5


def test_heading_arcs() -> None:
    symmetry = Symmetry(SE2(), {"dir": Heading(low=0.0)}, Vector())

    def arc(g: GroupElement | Group, low: float, high: float) -> tuple[float, float]:
        space = spaces.Dict({"dir": spaces.Box(low, high, (1,), np.float64)})
        image = symmetry.transform_space(g, space)["dir"]
        return float(image.low[0]), float(image.high[0])

    circle = (0.0, 2 * np.pi)
    assert arc(SE2().translation([1.0, 2.0]), *circle) == circle
    assert arc(SE2().rotation(1.0), *circle) == circle
    assert arc(SE2(), 0.0, 1.0) == circle
    np.testing.assert_allclose(arc(SE2().rotation(1.0), 1.0, 2.0), (2.0, 3.0))
    np.testing.assert_allclose(arc(E2().reflection(0.0), 1.0, 2.0), (2 * np.pi - 2, 2 * np.pi - 1))
    assert arc(SE2().rotation(1.0), 5.0, 6.0) == circle  # over the seam
    assert arc(SE2().rotation(1.0), -np.inf, np.inf) == circle


def test_balls_of_vectors_are_their_own_image() -> None:
    ball = Ball(2, 100.0)
    relative = Symmetry(SE2(), {"pos": Point()}, Vector())
    absolute = Symmetry(SE2(), {"pos": Point()}, Point())
    for g in (SE2().rotation(1.0), SE2().translation([500.0, 0.0]), SE2()):
        assert relative.transform_space(g, ball) is ball
        assert type(absolute.transform_space(g, ball)) is spaces.Box
    batch = batch_space(ball, 3)
    assert relative.transform_space(SE2().sample(np.random.default_rng(0), n=3), batch) is batch


def test_batched_spaces_pair_with_batches_of_elements() -> None:
    rng = np.random.default_rng(0)
    symmetry = Symmetry(SE2(), {"pos": Point(2)}, Vector(), centre=(3.0, 4.0))
    space = spaces.Dict({"pos": batch_space(random_box(4, rng, np.float32), 5)})
    elements = SE2().sample(rng, n=5)
    image = symmetry.transform_space(elements, space)
    assert image["pos"].shape == (5, 4)
    assert image["pos"].dtype == np.float32
    assert image.contains(symmetry.transform_observation(elements, space.sample()))
    assert symmetry.transform_space(SE2(), space).contains(
        symmetry.transform_observation(elements, space.sample())
    )
    with pytest.raises(ArgumentError, match="leading shape"):
        symmetry.transform_space(elements[:3], space)


def test_integer_boxes_become_floats() -> None:
    symmetry = Symmetry(SE2(), {"pos": Point()}, Vector())
    space = spaces.Dict({"pos": spaces.Box(0, 9, (2,), np.int64)})
    image = symmetry.transform_space(SE2().rotation(1.0), space)
    assert image["pos"].dtype == np.float64
    assert image.contains(symmetry.transform_observation(SE2().rotation(1.0), space.sample()))


def test_roles() -> None:
    box = spaces.Box(-1, 1, (2,), np.float64)
    assert PLANE.transform_space(SE2().rotation(np.pi / 4), box).high[0] == pytest.approx(np.sqrt(2))
    same_size = Symmetry(SE2(), {"pos": Point()}, Vector(), centre=(9.0, 9.0), flat=True)
    with pytest.raises(ArgumentError, match="role"):
        same_size.transform_space(SE2().identity(), box)
    as_action = same_size.transform_space(SE2().rotation(np.pi), box, role="action")
    np.testing.assert_allclose(as_action.high, [1, 1])
    as_observation = same_size.transform_space(SE2().rotation(np.pi), box, role="observation")
    np.testing.assert_allclose(as_observation.low, [17, 17])


def box(size: int) -> spaces.Box:
    return spaces.Box(-1, 1, (size,), np.float64)


@pytest.mark.parametrize(
    ("space", "said"),
    [
        (spaces.Dict({"pos": box(2)}), "'pose'"),
        (spaces.Dict({"pos": box(2), "pose": box(3), "more": box(1)}), "'more'"),
        (spaces.Dict({"pos": box(3), "pose": box(3)}), "'pos'"),
        (spaces.Dict({"pos": spaces.Discrete(2), "pose": box(3)}), "'pos'"),
        (spaces.Dict({"pos": spaces.Box(-1, 1, (), np.float64), "pose": box(3)}), "'pos'"),
        (box(3), "'action'"),
    ],
)
def test_spaces_that_do_not_fit_are_refused_by_name(space: spaces.Space, said: str) -> None:
    symmetry = Symmetry(SE2(), {"pos": Point(), "pose": Concatenation((Point(), Heading()))}, Vector())
    with pytest.raises(ArgumentError) as caught:
        symmetry.transform_space(SE2(), space)
    assert said in str(caught.value)


def test_wrong_groups_are_refused() -> None:
    for wrong in (SE3(), SE3().identity(), np.eye(2)):
        with pytest.raises(ArgumentError):
            PLANE.transform_space(wrong, box(3))  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="scale"):
        PLANE.transform_space(SE2(), box(3), scale=-1.0)
