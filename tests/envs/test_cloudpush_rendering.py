"""The picture of CloudPush: by either backend what is drawn is where it should be, and it needs no display."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from cloudpush_cases import make

from equiworld.envs.cloudpush import rendering
from equiworld.envs.cloudpush.env import CloudPushEnv
from equiworld.envs.cloudpush.rendering import SIZE, Picture
from equiworld.errors import ArgumentError

pytest.importorskip("mujoco")

BACKENDS = ["matplotlib", "mujoco"]


def picture(env: CloudPushEnv, backend: Any) -> Picture:
    try:
        return Picture(env.simulation, backend)
    except ArgumentError:
        pytest.skip("no OpenGL here")


def coverage(image: np.ndarray, channel: int) -> float:
    """The share of pixels in which one colour channel stands out from the other two."""
    values = image.astype(int)
    others = np.delete(values, channel, axis=-1).max(-1)
    return float((values[..., channel] > others + 15).mean())


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shape", ["bracket", "bottle"])
def test_body_goal_and_end_effector_are_drawn(backend: Any, shape: str) -> None:
    env = make(shape=shape)
    env.reset(seed=1)
    draw = picture(env, backend)
    image = draw.draw(env.simulation.body_pose, env.get_state().goal)
    assert image.shape == (SIZE, SIZE, 3)
    assert image.dtype == np.uint8
    assert 0.01 < coverage(image, 1) < 0.3  # the goal, green
    assert 0.0005 < coverage(image, 2) < 0.3  # the end-effector, blue
    assert (image == 255).all(-1).mean() > 0.4  # on white
    nearer = draw.draw(env.simulation.body_pose, env.simulation.body_pose)
    assert (nearer != image).any()
    draw.close()


def test_env_renders_and_another_scene_looks_different() -> None:
    env = make(render_mode="rgb_array")
    images = []
    for seed in (1, 2, 1):
        env.reset(seed=seed)
        images.append(env.render())
    assert np.array_equal(images[0], images[2])
    assert not np.array_equal(images[0], images[1])
    twin = copy.deepcopy(env)  # an open renderer does not keep an env from being copied
    assert np.array_equal(twin.render(), images[2])
    env.close()
    twin.close()
    assert np.array_equal(env.render(), images[2])
    env.close()
    assert make().render() is None


def test_without_opengl_matplotlib_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "_open_context", lambda: None)
    env = make(render_mode="rgb_array", points=0, observe_pose=True)
    env.reset(seed=1)
    image = env.render()
    assert image is not None
    assert env._picture.backend == "matplotlib"
    with pytest.raises(ArgumentError, match="backend: got 'mujoco' without OpenGL"):
        Picture(env.simulation, "mujoco")
    with pytest.raises(ArgumentError, match=r"^backend: got 'crayons'"):
        Picture(env.simulation, "crayons")  # type: ignore[arg-type]


@pytest.mark.parametrize("before", [None, "", "egl", "osmesa", "nonsense"])
def test_drawing_leaves_the_process_environment_alone(before: str | None) -> None:
    code = """
import os, gymnasium as gym, equiworld.envs, copy
known = dict(os.environ)
env = gym.make("equiworld/CloudPush-v0", render_mode="rgb_array", points=0, observe_pose=True)
env.reset(seed=0)
first = env.render()
env.step(env.action_space.sample())
assert env.render().shape == first.shape == (480, 480, 3)
env.close()
assert env.render() is not None
assert dict(os.environ) == known, set(os.environ.items()) ^ set(known.items())
"""
    environment = {
        key: value for key, value in os.environ.items() if key not in ("PYOPENGL_PLATFORM", "MUJOCO_GL")
    }
    if before is not None:
        environment["PYOPENGL_PLATFORM"] = before
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
