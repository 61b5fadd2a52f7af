"""The ball as an action space: a `Box` to everybody, uniform in the ball, closed under rotations."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector.utils import batch_space
from hypothesis import given
from hypothesis import strategies as st
from pusht_cases import PROPERTY

import equiworld.envs  # noqa: F401  registers
from equiworld.envs.spaces import Ball
from equiworld.errors import ArgumentError
from equiworld.groups import SO2, SO3

dims = st.integers(1, 5)
radii = st.floats(1e-3, 1e3)
seeds = st.integers(0, 2**32 - 1)
dtypes = st.sampled_from([np.float32, np.float64])


@given(dim=dims, radius=radii, seed=seeds, dtype=dtypes, batch=st.sampled_from([(), (3,), (2, 3)]))
@PROPERTY
def test_samples_are_members(dim: int, radius: float, seed: int, dtype: type, batch: tuple[int, ...]) -> None:
    ball = Ball(dim, radius, dtype, seed, batch)
    sample = ball.sample()
    assert sample.shape == ball.shape == (*batch, dim)
    assert sample.dtype == ball.dtype == dtype
    assert ball.contains(sample)
    assert sample in ball
    assert isinstance(ball, spaces.Box)
    assert np.all(ball.high == np.asarray(radius, dtype))
    assert np.all(ball.low == np.asarray(-radius, dtype))


@pytest.mark.parametrize("dim", [1, 2, 3, 4])
def test_samples_are_uniform_in_the_ball(dim: int) -> None:
    """The share within a ball of r/R is (r/R)^d, the covariance is isotropic with variance R²/(d+2)."""
    count = 40_000
    samples = Ball(dim, 3.0, seed=0, batch=(count,)).sample()
    share = np.linalg.norm(samples, axis=-1) / 3.0
    levels = np.array([0.2, 0.5, 0.8, 0.95])
    assert np.abs((share[:, None] <= levels).mean(0) - levels**dim).max() < 4 / np.sqrt(count)
    assert np.abs(samples.mean(0)).max() < 3.0 * 4 / np.sqrt(count)
    assert np.abs(np.cov(samples.T) - np.eye(dim) * 9.0 / (dim + 2)).max() < 0.12


def test_the_uniformity_check_can_fail() -> None:
    """Box samples that are projected are not uniform in the ball, and the same figures show it."""
    ball = Ball(2, 3.0)
    samples = ball.project(spaces.Box(-3.0, 3.0, (40_000, 2), np.float64, seed=0).sample())
    share = np.linalg.norm(samples, axis=-1) / 3.0
    assert abs((share <= 0.95).mean() - 0.95**2) > 0.1


@given(seed=seeds, angle=st.floats(-4.0, 4.0))
@PROPERTY
def test_a_rotation_leaves_the_ball_alone(seed: int, angle: float) -> None:
    rng = np.random.default_rng(seed)
    flat, solid = Ball(2, 100.0, seed=seed), Ball(3, 0.5, seed=seed)
    assert SO2().rotation(angle).rotate(flat.sample()) in flat
    assert SO3().sample(rng).rotate(solid.sample()) in solid
    # at the rim too, where a box would refuse
    assert SO2().rotation(angle).rotate(np.array([100.0, 0.0])) in flat


def test_what_is_not_a_member() -> None:
    ball = Ball(2, 100.0)
    assert np.array([100.0, 0.0]) in ball
    assert np.array([60.0, 80.0]) in ball
    wrong = [[99.0, 99.0], [100.01, 0.0], [np.nan, 0.0], [np.inf, 0.0], [0.0], [0.0, 0.0, 0.0], [[0.0, 0.0]]]
    for vector in wrong:
        assert np.array(vector) not in ball
    many = Ball(2, 1.0, batch=(2,))
    assert np.array([[0.6, 0.8], [0.0, 0.0]]) in many
    assert np.array([[0.6, 0.9], [0.0, 0.0]]) not in many


@given(dim=dims, radius=radii, seed=seeds, scale=st.floats(0.0, 100.0))
@PROPERTY
def test_projection_is_radial_and_nearest(dim: int, radius: float, seed: int, scale: float) -> None:
    ball = Ball(dim, radius)
    vector = np.random.default_rng(seed).normal(size=(4, dim)) * scale * radius
    projected = ball.project(vector)
    assert np.all(ball.within(projected))
    length, kept = np.linalg.norm(vector, axis=-1), np.linalg.norm(projected, axis=-1)
    np.testing.assert_allclose(kept, np.minimum(length, radius), rtol=1e-12)
    np.testing.assert_allclose(projected * length[:, None], vector * kept[:, None], rtol=1e-9, atol=1e-9)
    assert np.array_equal(projected[length <= radius], vector[length <= radius])
    assert not ball.project(np.zeros(dim)).any()


def test_equality_is_of_dimension_radius_dtype_and_batch() -> None:
    ball = Ball(2, 100.0)
    assert ball == Ball(2, 100.0, seed=5)
    for other in (
        Ball(3, 100.0),
        Ball(2, 99.0),
        Ball(2, 100.0, np.float32),
        Ball(2, 100.0, batch=(1,)),
        spaces.Box(-100.0, 100.0, (2,), np.float64),
        "ball",
    ):
        assert ball != other
    assert repr(ball) == "Ball(2, 100.0, float64)"
    assert repr(Ball(2, 1.0, batch=(3,))) == "Ball(2, 1.0, float64, batch=(3,))"


@pytest.mark.parametrize("way", ["pickle", "copy", "deepcopy"])
def test_a_copy_goes_on_from_the_same_place(way: str) -> None:
    ball = Ball(2, 100.0, seed=3)
    ball.sample()
    copied = {
        "pickle": lambda: pickle.loads(pickle.dumps(ball)),
        "copy": lambda: copy.copy(ball),
        "deepcopy": lambda: copy.deepcopy(ball),
    }[way]()
    assert type(copied) is Ball
    assert copied == ball
    if way != "copy":  # a shallow copy shares the generator
        assert np.array_equal(copied.sample(), ball.sample())
    assert copied.contains(copied.sample())


def test_the_same_seed_gives_the_same_samples() -> None:
    one, two = Ball(2, 1.0, seed=7), Ball(2, 1.0)
    two.seed(7)
    first = [one.sample() for _ in range(5)]
    assert np.array_equal(first, [two.sample() for _ in range(5)])
    one.seed(7)
    assert np.array_equal(one.sample(), first[0])
    assert not np.array_equal(first[0], first[1])
    two.seed(8)
    assert not np.array_equal(two.sample(), first[0])


def test_batched_by_gymnasium_it_stays_a_ball() -> None:
    many = batch_space(Ball(2, 100.0, seed=0), 50)
    assert isinstance(many, Ball)
    assert many.shape == (50, 2)
    samples = many.sample()
    assert many.contains(samples)
    assert len(np.unique(samples, axis=0)) == 50
    again = batch_space(many, 2)
    assert again.shape == (2, 50, 2)
    assert again.contains(again.sample())
    dictionary = batch_space(spaces.Dict({"push": Ball(3, 1.0)}), 4)
    assert isinstance(dictionary, spaces.Dict)
    assert isinstance(dictionary["push"], Ball)


@pytest.mark.parametrize("batch", [(), (3,)])
def test_batched_its_generator_is_its_own(batch: tuple[int, ...]) -> None:
    for make in (
        lambda: Ball(2, 1.0, seed=4, batch=batch),
        lambda: spaces.Box(-1.0, 1.0, (*batch, 2), seed=4),
    ):
        single, alone, batched = make(), make(), batch_space(make(), 2)
        many = batch_space(single, 2)
        drawn = [many.sample() for _ in range(5)]
        assert np.array_equal(single.sample(), alone.sample()), (
            "drawing from the batch moves the single space"
        )
        assert np.array_equal(drawn[0], batched.sample()), "the batch goes on from where the single space is"
        many.seed(7)
        assert np.array_equal(single.sample(), alone.sample())


@pytest.mark.parametrize("radius", [0.0, -1.0, np.inf, np.nan])
def test_a_wrong_radius_is_refused(radius: float) -> None:
    with pytest.raises(ArgumentError, match=r"^radius: "):
        Ball(2, radius)


def test_a_wrong_dimension_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"^dim: "):
        Ball(0, 1.0)
