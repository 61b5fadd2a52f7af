"""Bounds of actions, part by part: what turns has a ball, what does not an interval each."""

from __future__ import annotations

import json
import math
import pickle

import gymnasium as gym
import numpy as np
import pytest

from equiworld.envs import Ball
from equiworld.errors import ArgumentError
from equiworld.groups import E2, O2, O3, SE2, SE3, SO2
from equiworld.symmetry import (
    Bound,
    Cloud,
    Concatenation,
    Heading,
    Point,
    Pseudoscalar,
    Pseudovector,
    Rotation,
    Scalar,
    Symmetry,
    Vector,
)
from equiworld.symmetry.bound import ActionSpace, bounds_from_dicts, bounds_of_data, bounds_of_space
from equiworld.symmetry.limits import Limits


def declared(action, group=None, **settings) -> Symmetry:
    return Symmetry(group or SE2(), {"hand": Point()}, action=action, **settings)


def box(low, high, dtype=np.float64) -> gym.spaces.Box:
    return gym.spaces.Box(np.asarray(low, dtype), np.asarray(high, dtype), dtype=dtype)


# ------------------------------------------------------------------------------------------------ of a space


@pytest.mark.parametrize("group", [SO2(), SE2(), O2(), E2()], ids=str)
@pytest.mark.parametrize("action", [Vector(), Pseudovector()], ids=str)
def test_a_box_bounds_a_vector_by_the_ball_inside_it(group, action):
    (bound,) = bounds_of_space(declared(action, group), box([-1.0, -3.0], [2.0, 2.0]))
    assert bound == Bound(radius=1.0, size=2, item=2)
    assert bound.unit == 1.0
    assert not bound.open


def test_a_ball_bounds_a_vector_by_itself():
    (bound,) = bounds_of_space(declared(Vector()), Ball(2, 7.0))
    assert bound == Bound(radius=7.0, size=2, item=2)


def test_each_part_has_its_own():
    action = Concatenation((Scalar(2), Vector(2), Scalar()))
    low, high = [-1.0, 0.0, -3, -4, -5, -6, -0.1], [2.0, 5.0, 3, 4, 5, 2, 0.2]
    found = bounds_of_space(declared(action), box(low, high))
    assert found == (
        Bound(low=(-1.0, 0.0), high=(2.0, 5.0), size=2),
        Bound(radius=2.0, size=4, item=2),
        Bound(low=(-0.1,), high=(0.2,), size=1),
    )
    assert [bound.unit for bound in found] == [(1.5, 2.5), 2.0, (pytest.approx(0.15),)]


def test_a_position_has_a_ball_of_half_its_box():
    (bound,) = bounds_of_space(declared(Point()), box([0.0, 0.0], [512.0, 400.0]))
    assert bound == Bound(radius=200.0, size=2, item=2)


@pytest.mark.parametrize("group", [SO2(), O2()], ids=str)
def test_what_a_mirror_negates_has_an_interval_that_is_its_own_mirror_image(group):
    (bound,) = bounds_of_space(declared(Pseudoscalar(2), group), box([-1.0, -3.0], [2.0, 2.0]))
    expected = ((-1.0, -2.0), (1.0, 2.0)) if not group.proper else ((-1.0, -3.0), (2.0, 2.0))
    assert (bound.low, bound.high) == expected


def test_a_heading_is_bounded_by_a_turn():
    (bound,) = bounds_of_space(declared(Heading()), box([-9.0], [9.0]))
    assert (bound.low, bound.high) == (-math.pi, math.pi)


@pytest.mark.parametrize(
    ("action", "space"),
    [
        (Vector(), box([-np.inf] * 2, [np.inf] * 2)),
        (Vector(), box([1.0, 1.0], [2.0, 2.0])),
        (Scalar(2), box([-1.0, -np.inf], [1.0, 1.0])),
        (Scalar(2), box([0.0, 0.0], [np.inf, np.inf])),
        (Point(), box([-np.inf] * 2, [np.inf] * 2)),
    ],
    ids=str,
)
def test_what_has_no_limit_is_open(action, space):
    (bound,) = bounds_of_space(declared(action), space)
    assert bound.open
    assert np.isfinite(bound.unit).all()


def test_an_orientation_is_no_action():
    with pytest.raises(ArgumentError, match="action: got Rotation"):
        bounds_of_space(declared(Rotation(), SE3()), box([-1.0] * 9, [1.0] * 9))


# ------------------------------------------------------------------------------------------------- of data


def test_data_bound_what_was_never_bounded():
    rng = np.random.default_rng(0)
    action = Concatenation((Vector(2), Scalar(2)))
    seen = rng.uniform(-1, 1, (400, 6)) * [0.02, 0.02, 0.02, 0.02, 5.0, 0.1]
    seen[:, 4] += 10.0
    arrows, numbers = bounds_of_data(declared(action), (), seen)
    longest = np.linalg.norm(seen[:, :4].reshape(-1, 2), axis=-1).max()
    assert arrows == Bound(radius=float(longest), size=4, item=2)
    assert numbers.low == pytest.approx(seen[:, 4:].min(0))
    assert numbers.high == pytest.approx(seen[:, 4:].max(0))
    assert not arrows.open
    assert not numbers.open


def test_data_narrow_a_bound_and_never_widen_it():
    symmetry = declared(Concatenation((Vector(), Scalar())))
    known = (Bound(radius=1.0, size=2, item=2), Bound(low=(-1.0,), high=(1.0,), size=1))
    few = np.array([[0.3, 0.4, 0.2], [0.1, 0.0, -0.5]])
    ball, interval = bounds_of_data(symmetry, known, few)
    assert ball.radius == 0.5
    assert (interval.low, interval.high) == ((-0.5,), (0.2,))
    assert bounds_of_data(symmetry, known, 100 * few)[0].radius == 1.0
    wide = bounds_of_data(symmetry, known, 100 * few)[1]
    assert (wide.low, wide.high) == ((-1.0,), (1.0,))
    # One side that was known is kept.
    half = (Bound(size=2, item=2), Bound(low=(0.0,), size=1))
    _, interval = bounds_of_data(symmetry, half, few)
    assert (interval.low, interval.high) == ((0.0,), (0.2,))


def test_data_at_rest_say_nothing_about_a_vector():
    (bound,) = bounds_of_data(declared(Vector()), (), np.zeros((5, 2)))
    assert bound.open


def test_positions_are_bounded_from_where_they_are_seen():
    rng = np.random.default_rng(0)
    origin = 100 * rng.standard_normal((300, 2))
    seen = origin + rng.uniform(-1, 1, (300, 2))
    (bound,) = bounds_of_data(declared(Point()), (), seen, origin)
    assert 1.0 < bound.radius <= math.sqrt(2)
    (about,) = bounds_of_data(declared(Point(), centre=(5.0, 5.0)), (), np.array([[5.0, 6.0]]))
    assert about.radius == 1.0


@pytest.mark.parametrize("action", [Pseudoscalar(), Pseudovector()], ids=str)
@pytest.mark.parametrize("group", [SO2(), O2()], ids=str)
def test_bounds_of_data_are_the_same_in_the_mirror(group, action):
    symmetry = declared(action, group)
    size = action.size(2)
    seen = np.random.default_rng(0).uniform(-1, 3, (50, size))
    mirrored = symmetry.transform_action(O2().reflection(0.3), seen) if not group.proper else seen
    for one, other in zip(*(bounds_of_data(symmetry, (), each) for each in (seen, mirrored)), strict=True):
        assert one.radius == pytest.approx(other.radius)
        assert one.low == pytest.approx(other.low)
        assert one.high == pytest.approx(other.high)


# --------------------------------------------------------------------------------------------- as it is kept


BOUNDS = [
    Bound(),
    Bound(radius=2),
    Bound(radius=np.float32(0.5), size=np.int64(4), item=np.int64(2)),
    Bound(low=0.0),
    Bound(low=[0.0, -1.0], high=np.array([1.0, np.inf]), size=2),
    Bound(high=-0.5, size=1),
]


@pytest.mark.parametrize("bound", BOUNDS, ids=str)
def test_bounds_are_plain_numbers_and_survive_files(bound):
    assert pickle.loads(pickle.dumps(bound)) == bound
    text = json.dumps(bound.to_dict(), allow_nan=False)
    assert Bound(**json.loads(text)) == bound
    assert hash(bound) == hash(pickle.loads(pickle.dumps(bound)))


def test_bounds_of_earlier_files_are_read():
    symmetry = declared(Concatenation((Vector(), Vector())))
    ball = Bound(radius=3.0, size=2, item=2)
    assert bounds_from_dicts(symmetry, {"radius": 3.0}) == (ball, ball)
    numbers = declared(Scalar(2))
    assert bounds_from_dicts(numbers, {"low": [-1.0, -2.0], "high": [1.0, 2.0]}) == (
        Bound(low=(-1.0, -2.0), high=(1.0, 2.0), size=2),
    )
    for nothing in (None, [], {}):
        assert bounds_from_dicts(numbers, nothing) == ()
    known = (Bound(low=(-1.0,), high=(1.0,), size=1), ball)
    assert (
        bounds_from_dicts(declared(Concatenation((Scalar(), Vector()))), [b.to_dict() for b in known])
        == known
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"radius": 0.0},
        {"radius": -1.0},
        {"radius": math.nan},
        {"radius": math.inf},
        {"radius": True},
        {"radius": "wide"},
        {"low": 1.0, "high": 0.0},
        {"low": (0.0, 2.0), "high": (1.0, 1.0)},
        {"low": math.nan},
        {"high": "much"},
        {"low": [[0.0]]},
        {"size": 0},
        {"size": 1.5},
        {"item": True},
    ],
    ids=str,
)
def test_bounds_that_are_none_are_refused_by_name(wrong):
    with pytest.raises(ArgumentError, match=r"^bound"):
        Bound(**wrong)


def test_low_and_high_of_other_lengths_are_refused():
    with pytest.raises(ArgumentError, match=r"^bound"):
        Bound(low=(0.0, 0.0, 0.0), high=(1.0, 1.0))


# ------------------------------------------------------------------------------------------ what envs take


def test_an_action_space_clips_and_knows_its_dtype():
    space = ActionSpace((-1.0, 0.0), (1.0, 2.0), "float32")
    assert np.array_equal(space.clip(np.array([[5.0, -1.0], [0.5, 0.5]])), [[1.0, 0.0], [0.5, 0.5]])
    assert np.array_equal(ActionSpace().clip(np.array([5.0])), [5.0])


def test_a_whole_box_is_within_the_circumscribed_ball():
    symmetry = declared(Concatenation((Vector(), Scalar())))
    space = box([-1.0, -2.0, -3.0], [3.0, 1.0, 3.0])
    limits = ActionSpace(tuple(space.low.tolist()), tuple(space.high.tolist()))
    ball, interval = limits.circumscribed(bounds_of_space(symmetry, space))
    assert ball.radius == pytest.approx(math.hypot(3.0, 2.0))
    assert (interval.low, interval.high) == ((-3.0,), (3.0,))
    # Nothing is known: nothing is changed.
    assert ActionSpace().circumscribed(bounds_of_space(symmetry, space)) == bounds_of_space(symmetry, space)


def test_in_space_and_for_clouds_too():
    (bound,) = bounds_of_space(declared(Vector(2), O3()), box([-1.0] * 6, [2.0] * 6))
    assert bound == Bound(radius=1.0, size=6, item=3)
    (bound,) = bounds_of_space(declared(Cloud(2), SE3()), box([-1.0] * 6, [2.0] * 6))
    assert bound.item == 3


# ------------------------------------------------------------------------------------------------ in the world


@pytest.mark.parametrize("low", [-math.pi, -3.0, 0.0, 1.0])
def test_an_angle_is_kept_between_the_ends_that_are_declared(low):
    symmetry, rng = declared(Heading(low=low)), np.random.default_rng(0)
    limits = Limits.of_space(symmetry, box([low], [low + math.tau]))
    asked = rng.uniform(low, low + math.tau, (64, 1))
    for g in symmetry.group.sample(rng, 8):
        turned = symmetry.transform_action(g, asked)
        kept, cut = limits.keep(turned)
        assert np.array_equal(kept, turned)
        assert not cut.any()
    assert limits.notes(symmetry) == ()


def test_a_box_around_other_angles_is_said_to_cut_them_off():
    symmetry = declared(Heading(low=0.0))
    assert "cuts off" in " ".join(Limits.of_space(symmetry, box([-math.pi], [math.pi])).notes(symmetry))


@pytest.mark.parametrize(
    ("space", "said"),
    [
        (box([-1.0, -1.0], [1.0, 1.0]), ""),
        (box([-1.0, -math.inf], [math.inf, 2.0]), ""),
        (Ball(2, 7.0), ""),
        (box([0.0, 0.0], [1.0, 1.0]), "cuts off"),
        (box([0.1, -1.0], [1.0, 1.0]), "cuts off"),
        (box([-1.0, -1.0], [1.0, 1.0], np.float32), "float32: rounded"),
        (box([-3, -3], [3, 3], np.int64), "int64: rounded"),
    ],
    ids=str,
)
def test_what_does_not_turn_is_named(space, said):
    symmetry = declared(Vector(), SO2())
    notes = Limits.of_space(symmetry, space).notes(symmetry)
    assert all(said in note for note in notes)
    assert bool(notes) == bool(said)
    turned, kept = [], Limits.of_space(symmetry, space)
    for g in SO2().sample(np.random.default_rng(0), 8):
        one, other = (kept.keep(each)[0] for each in (np.array([[2.4, 0.3]]), g.rotate([[2.4, 0.3]])))
        turned.append(np.abs(g.rotate(one.astype(float)) - other).max())
    assert (max(turned) > 1e-12) == bool(said)


def test_whole_numbers_are_the_nearest_ones():
    limits = Limits.of_space(declared(Scalar(2)), box([-3, -3], [3, 3], np.int64))
    assert limits.keep(np.array([[1.7, -1.7]]))[0].tolist() == [[2, -2]]


@pytest.mark.parametrize("size", [1, 3])
def test_a_space_of_other_numbers_is_refused(size):
    for made in (bounds_of_space, Limits.of_space, ActionSpace.of):
        with pytest.raises(ArgumentError, match=f"action space: got .* of {size} numbers; expected 2"):
            made(declared(Vector()), box([-1.0] * size, [1.0] * size))
