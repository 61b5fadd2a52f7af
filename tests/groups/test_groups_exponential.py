"""Exponential and logarithm against a generic oracle, and random products."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.linalg import expm
from scipy.spatial.transform import Rotation

from equiworld.groups import (
    E2,
    E3,
    O2,
    O3,
    SE2,
    SE3,
    SO2,
    SO3,
    Cyclic,
    Dihedral,
    Group,
    Permutation,
)

EXACT = 1e-12
CONTINUOUS = [SO2(), O2(), SE2(), E2(), SO3(), O3(), SE3(), E3()]
ANGLES = st.one_of(
    st.floats(-np.pi, np.pi),
    st.sampled_from([0.0, 1e-300, 1e-16, 1e-8, 1e-3, 1.0000001e-3, 9.999999e-4, np.pi / 2]),
    st.floats(0, 1e-6).map(lambda gap: np.pi - gap),
    st.integers(1, 16).map(lambda power: np.pi - 10.0**-power),
)
DIRECTIONS = st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda vector: np.linalg.norm(vector) > 1e-3)
SHIFTS = st.tuples(*[st.floats(-10, 10)] * 3)


def algebra_vector(group: Group, angle: float, direction: tuple, shift: tuple) -> NDArray[np.float64]:
    """A vector of the Lie algebra with this angle, axis and velocity."""
    turn = [angle] if group.dim == 2 else angle * np.array(direction) / np.linalg.norm(direction)
    return np.concatenate([turn, shift[: group.dim] if group.has_translations else []])


def expm_oracle(group: Group, vector: NDArray[np.float64]) -> NDArray[np.float64]:
    """exp by the generic matrix exponential of the (d+1)×(d+1) generator."""
    dim = group.dim
    generator = np.zeros((dim + 1, dim + 1))
    if dim == 2:
        generator[:2, :2] = [[0, -vector[0]], [vector[0], 0]]
    else:
        x, y, z = vector[:3]
        generator[:3, :3] = [[0, -z, y], [z, 0, -x], [-y, x, 0]]
    if group.has_translations:
        generator[:dim, dim] = vector[-dim:]
    return expm(generator)


@pytest.mark.parametrize("group", CONTINUOUS, ids=repr)
@given(angle=ANGLES, direction=DIRECTIONS, shift=SHIFTS)
@settings(max_examples=60, deadline=None)
def test_exp_log(group: Group, angle: float, direction: tuple, shift: tuple) -> None:
    vector = algebra_vector(group, angle, direction, shift)
    g = group.exp(vector)
    expected = expm_oracle(group, vector)
    dim = group.dim
    assert np.abs(g.matrix - expected[:dim, :dim]).max() <= EXACT
    assert np.abs(g.translation - expected[:dim, dim]).max() <= EXACT * 10  # velocities up to 10
    again = group.exp(group.log(g))
    assert np.abs(again.matrix - g.matrix).max() <= EXACT
    assert np.abs(again.translation - g.translation).max() <= EXACT * 10
    if abs(angle) < np.pi - 1e-2:  # at π the axis may as well be the opposite one
        assert np.abs(group.log(g) - vector).max() <= EXACT * 10
    assert group.contains(g, atol=EXACT)


@pytest.mark.parametrize("group", [SO3(), SE3()], ids=repr)
def test_exp_log_at_half_a_turn(group: Group) -> None:
    """Exactly half a turn about many axes, the axes of the frame among them."""
    axes = np.concatenate([np.eye(3), -np.eye(3), np.random.default_rng(0).normal(size=(50, 3))])
    axes /= np.linalg.norm(axes, axis=-1, keepdims=True)
    matrix = 2 * axes[:, :, None] * axes[:, None, :] - np.eye(3)
    g = group.element(matrix, axes[::-1] if group.has_translations else None)
    log = group.log(g)
    assert np.isfinite(log).all()
    assert np.abs(np.linalg.norm(log[:, :3], axis=-1) - np.pi).max() <= EXACT
    again = group.exp(log)
    assert np.abs(again.matrix - g.matrix).max() <= EXACT
    assert np.abs(again.translation - g.translation).max() <= EXACT


@given(angle=st.floats(-1e4, 1e4), direction=DIRECTIONS)
@settings(max_examples=50, deadline=None)
def test_rotations_agree_with_scipy(angle: float, direction: tuple) -> None:
    axis = np.array(direction) / np.linalg.norm(direction)
    expected = Rotation.from_rotvec(angle * axis).as_matrix()
    for group in (SO3(), O3(), SE3(), E3()):
        assert (group.rotation(angle * axis).matrix == expected).all()
    in_plane = Rotation.from_rotvec([0, 0, angle]).as_matrix()[:2, :2]
    for flat in (SO2(), O2(), SE2(), E2()):
        assert np.abs(flat.rotation(angle).matrix - in_plane).max() <= EXACT


@given(seed=st.integers(0, 2**32 - 1), other=st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_homomorphism_on_random_pairs(seed: int, other: int) -> None:
    for group in (*CONTINUOUS, Cyclic(5), Dihedral(6), Permutation(4)):
        g, h = (group.sample(np.random.default_rng(each)) for each in (seed, other))
        points = np.random.default_rng(seed).normal(size=(3, group.dim))
        assert np.abs((g @ h).act(points) - g.act(h.act(points))).max() <= EXACT
        assert (g @ h @ (g @ h).inverse()).is_close(group.identity(), atol=EXACT)


def test_products_drift_no_faster_than_their_number() -> None:
    """Rounding of 2^16 factors adds up to 2^16 roundings at most; far below what validation refuses."""
    product = SE3().sample(np.random.default_rng(0), 100, scale=1e-3)
    for _ in range(16):
        product = product @ product
    assert SE3().contains(product, atol=2**16 * 1e-15)
    SE3().element(product.matrix, product.translation)
