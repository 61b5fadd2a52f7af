"""The T's geometry against slow, plain references: shapely, dense points, gym-pusht itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pusht_cases import PROPERTY

from equiworld.envs.pusht import geometry
from equiworld.envs.pusht.engine import new_engine
from equiworld.envs.pusht.exploration import PushExploration
from equiworld.groups import SE2, GroupElement

place = st.floats(-300.0, 800.0)
angle = st.floats(-10.0, 10.0)
poses = st.tuples(place, place, angle).map(np.array)
offsets = st.tuples(st.floats(-160.0, 160.0), st.floats(-160.0, 160.0), angle).map(np.array)


def tee(pose: NDArray[np.float64]) -> Any:
    """The T as a shapely polygon, from its two bars."""
    corners = geometry.keypoints(pose)
    return shapely.union_all([shapely.Polygon(corners[:4]), shapely.Polygon(corners[4:])])


def moved(pose: NDArray[np.float64], *by: float) -> NDArray[np.float64]:
    return pose + np.array(by)


def turned(g: GroupElement, pose: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([*g.act(pose[:2]), pose[2] + np.arctan2(g.matrix[1, 0], g.matrix[0, 0])])


@given(pose=poses, offset=offsets)
@PROPERTY
def test_coverage_is_shapelys(pose: NDArray[np.float64], offset: NDArray[np.float64]) -> None:
    goal, block = tee(pose + offset), tee(pose)
    expected = shapely.intersection(block, goal).area / goal.area
    assert geometry.coverage(pose, pose + offset) == pytest.approx(expected, abs=1e-9)


@given(pose=poses)
@PROPERTY
def test_coverage_is_one_at_the_goal_and_zero_far_away(pose: NDArray[np.float64]) -> None:
    assert geometry.coverage(pose, pose) == pytest.approx(1.0, abs=1e-12)
    assert geometry.coverage(pose, moved(pose, 0.0, 0.0, 2 * np.pi)) == pytest.approx(1.0, abs=1e-12)
    assert geometry.coverage(pose, moved(pose, 0.0, 160.0, 0.0)) == 0.0
    assert geometry.coverage(pose, moved(pose, -1e4, 0.0, 1.0)) == 0.0
    assert 0.0 < geometry.coverage(pose, moved(pose, 5.0, 0.0, 0.0)) < 0.95


@given(pose=poses, offset=offsets, seed=st.integers(0, 99))
@PROPERTY
def test_coverage_is_symmetric_and_invariant(
    pose: NDArray[np.float64], offset: NDArray[np.float64], seed: int
) -> None:
    g, goal = SE2().sample(np.random.default_rng(seed), scale=100.0), pose + offset
    covered = geometry.coverage(pose, goal)
    assert geometry.coverage(goal, pose) == pytest.approx(covered, abs=1e-12)
    assert geometry.coverage(turned(g, pose), turned(g, goal)) == pytest.approx(covered, abs=1e-9)


def test_coverage_is_gym_pushts() -> None:
    stock_class = pytest.importorskip("gym_pusht.envs.pusht").PushTEnv
    stock = stock_class(obs_type="state")
    stock.reset(seed=0)
    rng, seen = np.random.default_rng(0), []
    for _ in range(100):
        pose = np.array([*rng.normal(256.0, 40.0, 2), rng.uniform(-7.0, 7.0)])
        stock.block.angle, stock.block.position = pose[2], tuple(pose[:2])
        seen.append(stock._get_coverage())
        covered = geometry.coverage(geometry.from_stock_pose(pose), geometry.STOCK_GOAL)
        assert covered == pytest.approx(seen[-1], abs=1e-9)
        corners = geometry.keypoints(geometry.from_stock_pose(pose))
        np.testing.assert_allclose(corners, stock.get_keypoints(stock._block_shapes), atol=1e-10)
    assert np.ptp(seen) > 0.5


def test_the_engine_is_made_of_gym_pushts_t() -> None:
    """What the engine is built from, read back, is what gym-pusht's own maker made."""
    pymunk = pytest.importorskip("pymunk")
    from pymunk._chipmunk_cffi import lib as chipmunk

    body, shapes = geometry.stock_class().add_tee(pymunk.Space(), (0, 0), 0)
    assert tuple(body.center_of_gravity) == geometry.GRAVITY
    corners = np.array([corner for shape in shapes for corner in shape.get_vertices()])
    assert np.array_equal(corners - geometry.GRAVITY, geometry.KEYPOINTS)
    engine = new_engine(walls=True)
    assert chipmunk.cpBodyGetMass(engine.block) == body.mass
    assert chipmunk.cpBodyGetMoment(engine.block) == body.moment


@given(pose=poses)
@PROPERTY
def test_stock_poses_there_and_back(pose: NDArray[np.float64]) -> None:
    back = geometry.to_stock_pose(geometry.from_stock_pose(pose))
    np.testing.assert_allclose(back, pose, rtol=0, atol=1e-9)
    batch = np.stack([pose, pose + 1.0])
    assert np.array_equal(geometry.from_stock_pose(batch)[0], geometry.from_stock_pose(pose))
    np.testing.assert_allclose(geometry.keypoints(batch)[0], geometry.keypoints(pose), rtol=0, atol=1e-9)


@given(pose=poses, offset=offsets)
@PROPERTY
def test_the_distance_to_the_block_is_shapelys(
    pose: NDArray[np.float64], offset: NDArray[np.float64]
) -> None:
    point, shape = pose[:2] + offset[:2], tee(pose)
    distance = float(geometry.distance_to_block(point, pose))
    if distance > 1e-9:
        assert shape.distance(shapely.Point(point)) == pytest.approx(distance, abs=1e-8)
    if distance < -1e-9:  # at least as deep as this: the seam between the bars is not an edge
        assert shape.contains(shapely.Point(point))
        assert shape.boundary.distance(shapely.Point(point)) >= -distance - 1e-8
    batch = geometry.distance_to_block(np.stack([point, point + 3.0]), np.stack([pose, pose]))
    assert batch[0] == pytest.approx(distance, abs=1e-9)


@given(pose=poses, inset=st.floats(0.5, 10.0))
@PROPERTY
def test_the_outline_is_the_t_and_an_inset_is_inside(pose: NDArray[np.float64], inset: float) -> None:
    outline = shapely.Polygon(geometry.block_outline(pose))
    assert outline.symmetric_difference(tee(pose)).area < 1e-6
    inner = shapely.Polygon(geometry.block_outline(pose, inset=inset))
    eroded = outline.buffer(-inset, join_style="mitre")
    assert inner.symmetric_difference(eroded).area < 1e-6


@given(pose=poses)
@PROPERTY
def test_the_gap_to_the_walls(pose: NDArray[np.float64]) -> None:
    low_x, low_y, high_x, high_y = tee(pose).bounds
    expected = min(low_x - 7.0, low_y - 7.0, 504.0 - high_x, 504.0 - high_y)
    assert float(geometry.wall_gap(pose)) == pytest.approx(expected, abs=1e-9)


# --- starts for data ------------------------------------------------------------------------------------


@pytest.mark.parametrize("walls", [True, False])
def test_starts_are_a_short_way_from_contact(walls: bool) -> None:
    exploration, rng = PushExploration(walls, gap=(2.0, 20.0), headings=(-0.5, 0.5)), np.random.default_rng(0)
    for _ in range(100):
        state = exploration.start(rng)["state"]
        block = np.array(state.block)
        gap = geometry.distance_to_block(state.agent_pos, block) - geometry.AGENT_RADIUS
        assert 2.0 - 1e-9 <= gap <= 20.0 + 1e-9
        assert abs(block[2]) <= 0.5
        assert exploration.is_free(state)
        assert not state.settle
        assert not walls or geometry.wall_gap(block) > 0
        goal = exploration.random_goal(rng)
        assert geometry.wall_gap(goal) > 20.0


def test_pushes_are_log_uniform_in_length() -> None:
    exploration, rng = PushExploration(lengths=(6.0, 95.0)), np.random.default_rng(0)
    observation = {"block_keypoints": geometry.keypoints([200.0, 200.0, 1.0]).reshape(16)}
    observation["agent_pos"] = np.array([100.0, 120.0])
    actions = np.array([exploration.action(rng, observation) for _ in range(2000)])
    lengths = np.hypot(*actions.T)
    assert lengths.min() >= 6.0 - 1e-9
    assert lengths.max() <= 95.0 + 1e-9
    quantiles = np.array([0.25, 0.5, 0.75])
    spread = np.log(lengths / 6.0) / np.log(95.0 / 6.0)
    assert np.abs(np.quantile(spread, quantiles) - quantiles).max() < 0.05
    towards = np.arctan2(80.0, 100.0)
    off = np.abs((np.arctan2(actions[:, 1], actions[:, 0]) - towards + np.pi) % (2 * np.pi) - np.pi)
    assert 0.6 < np.mean(off < 1.2) < 0.9  # mostly towards the block
    assert off.max() > 3.0  # sometimes anywhere
