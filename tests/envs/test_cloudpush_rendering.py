"""The picture of CloudPush: what is drawn is where it should be, rays meet what is there, and no display is needed."""

from __future__ import annotations

import copy
import math
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
from cloudpush_cases import make

from equiworld.envs.cloudpush.engine import AGENT_RADIUS
from equiworld.envs.cloudpush.geometry import Pose, turn
from equiworld.envs.cloudpush.rays import cast
from equiworld.envs.cloudpush.rendering import Camera, Scene, corners_of, ends_of_agent
from equiworld.envs.cloudpush.shapes import SHAPES, make_shape
from equiworld.groups import SE3

pytest.importorskip("mujoco")

SHAPE = make_shape("bracket")
HERE = Pose((0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0))
FAR = Pose((5.0, 5.0, 5.0), HERE.quaternion)


def coverage(image: np.ndarray, channel: int) -> float:
    """The share of pixels in which one colour channel stands out from the other two."""
    values = image.astype(int)
    others = np.delete(values, channel, axis=-1).max(-1)
    return float((values[..., channel] > others + 15).mean())


# --- what the environment shows --------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
def test_body_goal_and_end_effector_are_drawn(shape: str) -> None:
    env = make(shape=shape, render_mode="rgb_array")
    env.reset(seed=1)
    image = env.render()
    assert image is not None
    assert image.shape == (480, 480, 3)
    assert image.dtype == np.uint8
    assert 0.01 < coverage(image, 1) < 0.3  # the goal, green
    assert blue(image).sum() > 300  # the end-effector
    assert 0.03 < coverage(image, 2) < 0.3  # and the bluish body
    assert (image == 255).all(-1).mean() > 0.4  # on white
    at_goal = env.get_state().replace(body_pos=env.get_state().goal_pos, body_quat=env.get_state().goal_quat)
    env.set_state(at_goal)
    assert (env.render() != image).any()


def test_env_renders_and_another_scene_looks_different() -> None:
    env = make(render_mode="rgb_array")
    images = []
    for seed in (1, 2, 1):
        env.reset(seed=seed)
        images.append(env.render())
    assert np.array_equal(images[0], images[2])
    assert not np.array_equal(images[0], images[1])
    for twin in (copy.deepcopy(env), pickle.loads(pickle.dumps(env))):
        assert np.array_equal(twin.render(), images[2])
        env.close()
        twin.close()
        assert np.array_equal(env.render(), images[2])
    assert make().render() is None


def test_nothing_leaves_the_picture_however_far_it_goes() -> None:
    env = make(render_mode="rgb_array")
    env.reset(seed=1)
    before, state = env.render(), env.get_state()
    agent = blue(before).sum()
    assert agent > 100
    env.simulation.set_state(state.replace(agent_pos=(-0.6, -0.6, 0.4)))  # the episode began elsewhere
    assert 10 < blue(env.render()).sum() < agent  # smaller, as more of the world is shown
    env.set_state(state)
    assert np.array_equal(env.render(), before)


def blue(image: np.ndarray) -> np.ndarray:
    """Where the end-effector is."""
    return image[..., 2].astype(int) - image[..., 0] > 120


@pytest.mark.parametrize("before", [None, "egl"])
def test_drawing_leaves_the_process_environment_alone(before: str | None) -> None:
    code = """
import os, sys, gymnasium as gym, equiworld.envs, copy
known = dict(os.environ)
env = gym.make("equiworld/CloudPush-v0", render_mode="rgb_array", points=0, observe_pose=True)
env.reset(seed=0)
first = env.render()
env.step(env.action_space.sample())
assert env.render().shape == first.shape == (480, 480, 3)
env.close()
assert env.render() is not None
assert dict(os.environ) == known, set(os.environ.items()) ^ set(known.items())
assert not {"OpenGL", "matplotlib", "mujoco.egl", "mujoco.osmesa"} & set(sys.modules)
"""
    environment = {
        key: value
        for key, value in os.environ.items()
        if key not in ("PYOPENGL_PLATFORM", "MUJOCO_GL", "DISPLAY")
    }
    if before is not None:
        environment["PYOPENGL_PLATFORM"] = before
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# --- the scene -------------------------------------------------------------------------------------------


def test_a_picture_holds_what_it_was_asked_to_hold() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(50, 3)) + 3.0
    for azimuth in (0.0, 1.0, 4.0):
        camera = Camera(azimuth)
        centre, radius = camera.around(points)
        apart = np.abs((points - centre) @ camera.axes[:, :2]).max()
        assert 0.8 * radius < apart < radius
    assert np.linalg.norm(ends_of_agent((1.0, 2.0, 3.0)) - (1.0, 2.0, 3.0), axis=-1).min() > AGENT_RADIUS
    assert np.allclose(corners_of(SHAPE, FAR) - corners_of(SHAPE, HERE), FAR.position)


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("name", SHAPES)
def test_rays_meet_the_surface_and_only_where_it_is(name: str, precision: str) -> None:
    surface = make_shape(name).surface
    rng = np.random.default_rng(0)
    tolerance = 1e-9 if precision == "float64" else 1e-6
    for direction in [*rng.standard_normal((4, 3)), (0.0, 0.0, 1.0), (1.0, 0.0, 0.0)]:
        along = np.asarray(direction) / np.linalg.norm(direction)
        origins = rng.uniform(-0.12, 0.12, (400, 3))
        hits = cast(surface.solids, origins.astype(precision), along)
        assert hits.depth.dtype == hits.normal.dtype == precision
        met = np.isfinite(hits.depth)
        assert 20 < met.sum() < 400
        points = origins[met] + hits.depth[met, None] * along
        assert np.abs(surface.distance(points)).max() < tolerance
        assert (hits.normal[met] @ along < 1e-9).all()
        assert np.allclose(np.linalg.norm(hits.normal[met], axis=-1), 1.0)
        # A step outwards from there is outside.
        assert (surface.distance(points + 1e-4 * hits.normal[met]) > 0.0).all()
        assert ((hits.facet >= 0) == met).all()
        # A ray that meets nothing is nowhere near: along it all is outside.
        free = origins[~met, None] + np.linspace(-0.4, 0.4, 200)[:, None] * along
        assert (surface.distance(free.reshape(-1, 3)) > -tolerance).all()


@pytest.mark.parametrize(("side", "seen"), [(1.0, True), (-1.0, False)])
def test_what_is_behind_the_body_is_hidden(side: float, seen: bool) -> None:
    camera = Camera(0.3)
    scene = Scene(SHAPE, FAR, (0.0, 0.0, 0.0), 0.15, camera, 120)
    inner = np.asarray(SHAPE.surface.solids[0].centre)
    agent = inner + side * 0.2 * camera.towards
    full = math.pi * (AGENT_RADIUS / 0.15 * 60) ** 2
    assert (blue(scene.draw(HERE, agent)).sum() > 0.5 * full) == seen


def test_what_lies_outside_the_picture_is_left_out() -> None:
    empty = Scene(SHAPE, FAR, (0.0, 0.0, 0.0), 0.15, Camera(0.3), 60).draw(FAR, FAR.position)
    for away in ((9.0, 0.0, 0.0), (0.0, -9.0, 0.0), (9.0, 9.0, 9.0)):
        scene = Scene(SHAPE, Pose(away, HERE.quaternion), (0.0, 0.0, 0.0), 0.15, Camera(0.3), 60)
        assert np.array_equal(scene.draw(Pose(away, HERE.quaternion), away, [away], [away, away]), empty)
    half = Scene(SHAPE, FAR, (0.0, 0.0, 0.0), 0.05, Camera(0.3), 60)  # the body is larger than the picture
    assert (half.draw(HERE, FAR.position) != half.draw(FAR, FAR.position)).any()


def test_the_world_turned_about_the_line_of_sight_is_the_picture_turned() -> None:
    camera = Camera(0.8)
    quarter = SE3().rotation(camera.towards * math.pi / 2)
    env = make()
    env.reset(seed=0)
    state = env.get_state().replace(
        agent_pos=(-0.17, 0.02, 0.0), body_pos=(-0.09, 0.0, 0.0), body_quat=turn((0.0, 0.0, 1.0), 0.5)
    )
    body, agent = [], []
    for one in (state, state.transform(quarter)):
        scene = Scene(SHAPE, FAR, (0.0, 0.0, 0.0), 0.3, camera, 160)
        empty = scene.draw(FAR, FAR.position).astype(int)
        body.append(np.abs(scene.draw(one.body, FAR.position) - empty).max(-1) > 80)
        agent.append(np.abs(scene.draw(FAR, one.agent_pos) - empty).max(-1) > 80)
    assert (np.rot90(body[0]) ^ body[1]).sum() < 0.05 * body[0].sum()
    assert (np.rot90(agent[0]) ^ agent[1]).sum() < 0.1 * agent[0].sum()


def test_a_table_is_the_floor() -> None:
    """The shadow of a body that lies on the table begins where the body ends; above it the two are apart."""
    shape = make_shape("bottle")
    rests = Pose((0.0, 0.0, -float(shape.surface.corners[:, 2].min())), HERE.quaternion)
    dark = {}
    for height in (0.0, 0.15):
        pose = rests._replace(position=(0.0, 0.0, rests.position[2] + height))
        scene = Scene(shape, FAR, (0.0, 0.0, 0.15), 0.3, Camera(0.0), 200, floor=0.0)
        image, empty = scene.draw(pose, FAR.position).astype(int), scene.draw(FAR, FAR.position).astype(int)
        changed = (image != empty).any(-1)
        grey = changed & (np.ptp(image, axis=-1) < 12) & (image.min(-1) > 150)
        dark[height] = grey.sum()
        assert (height > 0.0) == (np.diff(np.flatnonzero(changed.any(1))).max() > 1)  # a gap between the two
    assert dark[0.15] > dark[0.0]
