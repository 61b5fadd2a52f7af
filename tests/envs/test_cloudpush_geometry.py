"""Poses in space, and distances from a goal: against matrices, and against many samples."""

from __future__ import annotations

import numpy as np
import pytest
from cloudpush_cases import PROPERTY
from hypothesis import given
from hypothesis import strategies as st

from equiworld.envs.cloudpush.geometry import (
    METRICS,
    Pose,
    angle_between,
    as_pose,
    mean_point_distance,
    multiply,
    quaternion_of,
    rotation_matrix,
    turn,
)
from equiworld.envs.cloudpush.shapes import make_shape
from equiworld.groups import SO3

HOME = Pose((0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0))


@given(seed=st.integers(0, 10_000), angle=st.floats(0.0, np.pi))
@PROPERTY
def test_quaternions_are_the_rotations_that_they_stand_for(seed: int, angle: float) -> None:
    first, second = SO3().sample(np.random.default_rng(seed), 2)
    one, two = quaternion_of(first.matrix), quaternion_of(second.matrix)
    np.testing.assert_allclose(rotation_matrix(one), first.matrix, atol=1e-14)
    np.testing.assert_allclose(rotation_matrix(multiply(one, two)), (first @ second).matrix, atol=1e-14)
    axis = first.matrix[0]
    about = turn(axis.tolist(), angle)
    np.testing.assert_allclose(rotation_matrix(about), SO3().rotation(angle * axis).matrix, atol=1e-14)
    assert angle_between(multiply(two, about), two) == pytest.approx(angle, abs=1e-7)
    # A turn of the body about its own z axis, by half or by any angle, counts as nothing where it is one.
    own = multiply(two, turn((0.0, 0.0, 1.0), angle))
    assert angle_between(own, two, fold=0) == pytest.approx(0.0, abs=1e-7)
    assert angle_between(own, two, fold=2) == pytest.approx(min(angle, np.pi - angle), abs=1e-7)


def test_half_turns_about_every_axis_survive_the_way_through_matrices() -> None:
    for axis in np.eye(3):
        matrix = 2 * np.outer(axis, axis) - np.eye(3)
        np.testing.assert_allclose(rotation_matrix(quaternion_of(matrix)), matrix, atol=1e-15)


@pytest.mark.parametrize("name", ["bracket", "zed", "bottle"])
def test_mean_point_distance(name: str) -> None:
    shape = make_shape(name)
    for metric in METRICS:
        assert mean_point_distance(shape, HOME, HOME, metric) == pytest.approx(0.0, abs=1e-12)
    shifted = Pose((0.0, 0.3, 0.4), HOME.quaternion)
    assert mean_point_distance(shape, shifted, HOME, "ADD") == pytest.approx(0.5)
    rng = np.random.default_rng(0)
    for g in SO3().sample(rng, 5):
        pose = Pose(tuple(rng.normal(size=3) * 0.05), quaternion_of(g.matrix))
        placed = shape.points @ g.matrix.T + pose.position
        expected = np.linalg.norm(placed - shape.points, axis=-1).mean()
        assert mean_point_distance(shape, pose, HOME, "ADD") == pytest.approx(expected)
        nearest = mean_point_distance(shape, pose, HOME, "ADD-S")
        dense = shape.surface.sample(rng, 20_000)[0]
        sums = np.linalg.norm(placed[:, None] - dense, axis=-1).min(-1).mean()
        assert nearest == pytest.approx(sums, abs=1e-3)  # the usual ADD-S with many points
        assert nearest < expected


def test_a_pose_comes_from_a_quaternion_or_a_matrix() -> None:
    g = SO3().sample(np.random.default_rng(0))
    quaternion = quaternion_of(g.matrix)
    for rotation in (quaternion, np.array(quaternion), g.matrix, g.matrix.tolist()):
        pose = as_pose("goal", ((1, 2, 3), rotation))
        assert pose.position == (1.0, 2.0, 3.0)
        np.testing.assert_allclose(pose.quaternion, quaternion, atol=1e-15)
