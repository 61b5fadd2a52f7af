"""Bodies of CloudPush: their surfaces against sampling, and against MuJoCo's own geometry."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from equiworld.envs.cloudpush.boxes import BoxSurface
from equiworld.envs.cloudpush.engine import AGENT_RADIUS, BODY_MASS, Physics
from equiworld.envs.cloudpush.geometry import Pose, mean_point_distance, turn
from equiworld.envs.cloudpush.shapes import SHAPES, Shape, asymmetry, make_shape
from equiworld.envs.cloudpush.simulation import CloudPushState, Simulation
from equiworld.errors import ArgumentError
from equiworld.groups import SO3

mujoco = pytest.importorskip("mujoco")

BODIES = [("bracket", 0), ("zed", 0), ("bottle", 0), ("random", 0), ("random", 7)]
UNTURNED = (1.0, 0.0, 0.0, 0.0)


@pytest.fixture(params=BODIES, ids=lambda body: f"{body[0]}-{body[1]}")
def shape(request: Any) -> Shape:
    return make_shape(*request.param)


def simulate(shape: Shape, agent: Any = (1.0, 1.0, 1.0)) -> Simulation:
    """The body unturned at the origin."""
    simulation = Simulation(shape, Physics())
    simulation.set_state(CloudPushState(tuple(agent), (0, 0, 0), UNTURNED, (0, 0, 0), UNTURNED))
    mujoco.mj_forward(simulation.model, simulation.data)
    return simulation


def test_samples_lie_on_the_surface_with_their_normals_outwards(shape: Shape) -> None:
    points, normals = shape.surface.sample(np.random.default_rng(0), 500)
    assert np.abs(shape.surface.distance(points)).max() < 1e-12
    np.testing.assert_allclose(np.linalg.norm(normals, axis=-1), 1.0)
    for step in (1e-5, -1e-5):
        np.testing.assert_allclose(shape.surface.distance(points + step * normals), step, atol=2e-6)
    assert np.abs(shape.surface.distance(shape.points)).max() < 1e-12


def test_volume_centre_and_inertia_are_those_of_what_is_inside(shape: Shape) -> None:
    rng = np.random.default_rng(1)
    low, high = shape.surface.corners.min(0), shape.surface.corners.max(0)
    points = rng.uniform(low, high, (200_000, 3))
    inside = points[shape.surface.distance(points) < 0]
    volume = np.prod(high - low)
    assert shape.surface.volume == pytest.approx(volume * len(inside) / len(points), rel=0.02)
    assert np.abs(inside.mean(0)).max() < 1e-3  # [m] about the centre of mass
    second = inside.T @ inside / len(inside)
    expected = np.trace(second) * np.eye(3) - second
    np.testing.assert_allclose(
        shape.surface.inertia / shape.surface.volume, expected, atol=0.01 * np.trace(expected)
    )


def test_samples_are_uniform_over_the_surface(shape: Shape) -> None:
    """By Gauss: over a closed surface the normals balance, and the flux of x is three times the volume."""
    points, normals = shape.surface.sample(np.random.default_rng(2), 100_000)
    area = shape.surface.area
    assert np.abs(normals.mean(0)).max() < 0.01
    assert area * (points * normals).sum(-1).mean() == pytest.approx(3 * shape.surface.volume, rel=0.02)
    spread = shape.surface.spread(4000)
    np.testing.assert_allclose(spread.mean(0), points.mean(0), atol=1e-3)
    np.testing.assert_allclose(spread.T @ spread / 4000, points.T @ points / 100_000, atol=3e-5)


def test_distances_are_those_of_many_samples(shape: Shape) -> None:
    rng = np.random.default_rng(3)
    points = rng.uniform(-0.15, 0.15, (50, 3))
    dense, _ = shape.surface.sample(rng, 40_000)
    nearest = np.linalg.norm(points[:, None] - dense, axis=-1).min(-1)
    np.testing.assert_allclose(np.abs(shape.surface.distance(points)), nearest, atol=2e-3)


def test_gaps_are_mujocos(shape: Shape) -> None:
    """Distance of the end-effector from the body, by the engine that will make contact there."""
    rng = np.random.default_rng(4)
    for _ in range(20):
        agent = rng.uniform(-0.15, 0.15, 3)
        gap = float(shape.surface.distance(agent[None])[0]) - AGENT_RADIUS
        if gap < 0.003:  # deep inside, MuJoCo measures otherwise
            continue
        simulation = simulate(shape, agent)
        geoms = range(1, simulation.model.ngeom)
        theirs = min(
            mujoco.mj_geomDistance(simulation.model, simulation.data, 0, geom, 1.0, None) for geom in geoms
        )
        assert gap == pytest.approx(theirs, abs=1e-5)


def test_what_is_seen_is_what_mujocos_rays_reach(shape: Shape) -> None:
    simulation, rng = simulate(shape), np.random.default_rng(5)
    directions = [*SO3().sample(rng, 4).matrix[:, 0], np.array([0.0, 0.0, 1.0]), np.array([0.0, -1.0, 0.0])]
    shares = []
    for direction in directions:
        points, normals = shape.surface.sample(rng, 200)
        facing = np.abs(normals @ direction) > 1e-9
        seen = shape.surface.visible(points, normals, direction)
        hit = np.zeros(1, np.int32)
        reached = [
            mujoco.mj_ray(
                simulation.model, simulation.data, point + 1e-6 * normal, direction, None, 1, 0, hit
            )
            < 0
            and normal @ direction > 0
            for point, normal in zip(points, normals, strict=True)
        ]
        assert (seen == reached)[facing].mean() > 0.99  # up to rays along an edge
        shares.append(seen.mean())
    assert 0.15 < np.mean(shares) < 0.5  # a convex body shows half of its surface


def test_the_engine_gets_the_body(shape: Shape) -> None:
    simulation = simulate(shape)
    model = simulation.model
    assert model.body_mass[2] == BODY_MASS
    moments = np.linalg.eigvalsh(shape.surface.inertia) * BODY_MASS / shape.surface.volume
    np.testing.assert_allclose(np.sort(model.body_inertia[2]), moments, rtol=1e-6)
    assert model.ngeom == 1 + len(shape.surface.solids)


@pytest.mark.parametrize("seed", range(10))
def test_random_bodies_differ_and_have_no_symmetry(seed: int) -> None:
    shape, other = make_shape("random", seed), make_shape("random", seed + 1)
    assert make_shape("random", seed) is shape
    assert shape.surface.volume != other.surface.volume
    assert asymmetry(shape.surface) >= 0.005
    assert 0.12 <= np.ptp(shape.surface.corners, axis=0).max() <= 0.18
    assert shape.fold == 1
    assert repr(shape) == f"Shape('random {seed}')"


def test_the_bracket_has_no_symmetry_and_the_others_have_theirs() -> None:
    assert asymmetry(make_shape("bracket").surface) > 0.01  # [m]
    assert asymmetry(make_shape("zed").surface) < 1e-12
    assert asymmetry(make_shape("bottle").surface) == 0.0
    home = Pose((0, 0, 0), UNTURNED)
    for name, angle, same in (
        ("zed", np.pi, True),
        ("zed", np.pi / 2, False),
        ("bottle", 0.3, True),
        ("bracket", np.pi, False),
    ):
        pose = Pose((0, 0, 0), turn((0, 0, 1), angle))
        distance = mean_point_distance(make_shape(name), pose, home, "ADD-S")
        assert (distance < 1e-12) is same, (name, angle)
    cube = BoxSurface([((0, 0, 0), (0.1, 0.1, 0.1))])
    assert asymmetry(cube) == 0.0


def test_overlapping_boxes_are_one_body() -> None:
    whole = BoxSurface([((0, 0, 0), (0.3, 0.1, 0.1))])
    parts = BoxSurface([((0, 0, 0), (0.2, 0.1, 0.1)), ((0.1, 0, 0), (0.3, 0.1, 0.1))])
    assert parts.area == pytest.approx(whole.area)
    assert parts.volume == pytest.approx(whole.volume)
    np.testing.assert_allclose(parts.inertia, whole.inertia, atol=1e-15)
    points = np.random.default_rng(0).uniform(-0.2, 0.2, (200, 3))
    np.testing.assert_allclose(parts.distance(points), whole.distance(points), atol=1e-12)


def test_bodies_rest_on_sides_that_do_not_tip_over(shape: Shape) -> None:
    downs = shape.surface.resting_directions()
    assert len(downs) >= 4
    np.testing.assert_allclose(np.linalg.norm(downs, axis=-1), 1.0)
    heights = shape.surface.corners @ downs.T
    assert (np.sum(heights > heights.max(0) - 1e-5, axis=0) >= 3).all()  # on a face, not on an edge


def test_a_wrong_body_is_refused() -> None:
    with pytest.raises(ArgumentError, match=f"^shape: got 'teapot'.*{', '.join(SHAPES)}"):
        make_shape("teapot")
    for seed in (-1, 1.5, True, None):
        with pytest.raises(ArgumentError, match=r"^shape_seed: "):
            make_shape("random", seed)  # type: ignore[arg-type]
