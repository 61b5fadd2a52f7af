"""The CloudPush scene from the side, without a display: by MuJoCo where there is OpenGL, else by Matplotlib."""

from __future__ import annotations

import contextlib
import importlib
import math
import os
import sys
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from equiworld.envs.cloudpush.engine import AGENT_RADIUS, load_mujoco
from equiworld.envs.cloudpush.geometry import Array, Pose, rotation_matrix
from equiworld.envs.cloudpush.simulation import Simulation
from equiworld.envs.cloudpush.surface import Solid
from equiworld.errors import ArgumentError

__all__ = ["Picture"]

SIZE = 480  # [pixels]
_AZIMUTH, _ELEVATION = 135.0, 25.0  # [deg]
_COLOURS = {
    "body": (0.56, 0.64, 0.72, 1.0),
    "goal": (0.56, 0.93, 0.56, 0.35),
    "agent": (0.31, 0.49, 1.0, 1.0),
    "cloud": (0.85, 0.3, 0.2, 1.0),
}
_POINT = 0.0012  # [m] radius of a drawn point
_MARGIN = 1.1

Backend = Literal["mujoco", "matplotlib"]


class Picture:
    """Draws a simulation, its goal and its cloud.

    Args:
        simulation: whose scene it is.
        backend: "mujoco" or "matplotlib"; by default the first that works here.

    Raises:
        ArgumentError: another backend, or "mujoco" where no OpenGL context can be made.
    """

    def __init__(self, simulation: Simulation, backend: Backend | None = None) -> None:
        if backend not in (None, "mujoco", "matplotlib"):
            raise ArgumentError("backend", repr(backend), "what to draw with", (None, "mujoco", "matplotlib"))
        self.simulation = simulation
        self._context = None if backend == "matplotlib" else _open_context()
        if self._context is None and backend == "mujoco":
            raise ArgumentError(
                "backend", "'mujoco' without OpenGL", "a machine with EGL, OSMesa or a display"
            )
        self.backend: Backend = "matplotlib" if self._context is None else "mujoco"
        self._buffers: Any = None

    def __reduce__(self) -> tuple[Any, ...]:
        # An OpenGL context cannot be copied or pickled: a copied environment has None in its place, and opens one
        # of its own when it draws.
        return type(None), ()

    def draw(self, body: Pose, goal: Pose, cloud: Array | None = None) -> NDArray[np.uint8]:
        """A picture `(480, 480, 3)` uint8 that holds body, goal and end-effector, seen from the side.

        Args:
            body: where the body is.
            goal: where it should be.
            cloud: points `(n, 3)` [m] to draw too.
        """
        agent = self.simulation.agent_pos
        centre = (np.asarray(body.position) + goal.position) / 2
        reach = self.simulation.shape.surface.reach
        away = float(np.linalg.norm(np.asarray(body.position) - goal.position)) / 2 + reach
        radius = max(away, float(np.linalg.norm(agent - centre)) + AGENT_RADIUS) * _MARGIN
        points = np.empty((0, 3)) if cloud is None else cloud
        draw = self._draw_mujoco if self.backend == "mujoco" else self._draw_matplotlib
        return draw(body, goal, agent, points, centre, radius)

    def close(self) -> None:
        """Give back the OpenGL context."""
        if self._context is not None:
            if self._buffers is not None:
                self._buffers[1].free()
            self._context.free()
        self._context = self._buffers = None

    def __del__(self) -> None:
        # While the interpreter shuts down, OpenGL may be gone before.
        with contextlib.suppress(Exception):
            self.close()

    def _draw_mujoco(
        self, body: Pose, goal: Pose, agent: Array, cloud: Array, centre: Array, radius: float
    ) -> NDArray[np.uint8]:
        mujoco = load_mujoco()
        self._context.make_current()  # type: ignore[union-attr]
        if self._buffers is None:
            model = self.simulation.model
            context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100.value)
            mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, context)
            self._buffers = mujoco.MjvScene(model, maxgeom=4000), context
        scene, context = self._buffers
        camera = mujoco.MjvCamera()
        camera.lookat[:] = centre
        camera.azimuth, camera.elevation = _AZIMUTH, -_ELEVATION
        fovy = math.radians(float(self.simulation.model.vis.global_.fovy))
        camera.distance = radius / math.sin(fovy / 2)
        options, perturbation = mujoco.MjvOption(), mujoco.MjvPerturb()
        category = mujoco.mjtCatBit.mjCAT_STATIC.value
        mujoco.mjv_updateScene(
            self.simulation.model, self.simulation.data, options, perturbation, camera, category, scene
        )
        for pose, colour in ((body, "body"), (goal, "goal")):
            for solid in self.simulation.shape.surface.solids:
                kind, size = _mujoco_size(mujoco, solid)
                rotation = rotation_matrix(pose.quaternion)
                _add(mujoco, scene, kind, size, rotation @ solid.centre + pose.position, rotation, colour)
        sphere = mujoco.mjtGeom.mjGEOM_SPHERE.value
        _add(mujoco, scene, sphere, [AGENT_RADIUS] * 3, agent, np.eye(3), "agent")
        for point in cloud:
            _add(mujoco, scene, sphere, [_POINT] * 3, point, np.eye(3), "cloud")
        for light in range(scene.nlight):
            scene.lights[light].castshadow = 0
        pixels = np.empty((SIZE, SIZE, 3), np.uint8)
        view = mujoco.MjrRect(0, 0, SIZE, SIZE)
        mujoco.mjr_render(view, scene, context)
        mujoco.mjr_readPixels(pixels, None, view, context)
        return pixels[::-1].copy()

    def _draw_matplotlib(
        self, body: Pose, goal: Pose, agent: Array, cloud: Array, centre: Array, radius: float
    ) -> NDArray[np.uint8]:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from mpl_toolkits.mplot3d.art3d import Poly3DCollection

        figure = Figure(figsize=(SIZE / 100, SIZE / 100), dpi=100)
        canvas = FigureCanvasAgg(figure)
        axes: Any = figure.add_axes((0.0, 0.0, 1.0, 1.0), projection="3d")
        axes.view_init(elev=_ELEVATION, azim=_AZIMUTH + 180.0)
        axes.set_axis_off()
        for axis, middle in zip("xyz", centre, strict=True):
            getattr(axes, f"set_{axis}lim")(middle - radius * 0.6, middle + radius * 0.6)
        for pose, colour in ((goal, "goal"), (body, "body")):
            rotation = rotation_matrix(pose.quaternion)
            faces = [face @ rotation.T + pose.position for face in self._faces()]
            edge = (*(0.7 * np.array(_COLOURS[colour][:3])).tolist(), 0.6)
            axes.add_collection3d(
                Poly3DCollection(faces, facecolors=_COLOURS[colour], edgecolors=edge, linewidths=0.5)
            )
        axes.scatter(*agent, s=120, color=_COLOURS["agent"])
        if len(cloud):
            axes.scatter(*cloud.T, s=2, color=_COLOURS["cloud"])
        canvas.draw()
        return np.asarray(canvas.buffer_rgba())[..., :3].copy()

    def _faces(self) -> list[Array]:
        """Polygons `(k, 3)` around the body, in its axes."""
        return [face for solid in self.simulation.shape.surface.solids for face in _polygons(solid)]


def _open_context() -> Any:
    """An OpenGL context without a window, or None where there is none to be had."""
    load_mujoco()
    wished = os.environ.get("MUJOCO_GL", "").lower().strip()
    options = {"linux": ("egl", "osmesa", "glfw"), "darwin": ("cgl", "glfw")}.get(sys.platform, ("glfw",))
    for name in (wished,) if wished in options else options:
        if name == "glfw" and sys.platform == "linux" and not os.environ.get("DISPLAY"):
            continue
        try:
            with _platform_kept():
                context = importlib.import_module(f"mujoco.{name}").GLContext(SIZE, SIZE)
                context.make_current()
        except Exception:  # whatever a driver that is not there makes of it
            continue
        return context
    return None


@contextlib.contextmanager
def _platform_kept() -> Iterator[None]:
    """Undo what MuJoCo's modules write into the process's environment, which child processes inherit."""
    name = "PYOPENGL_PLATFORM"
    before = os.environ.get(name)
    try:
        yield
    finally:
        os.environ.pop(name, None)
        if before is not None:
            os.environ[name] = before


def _mujoco_size(mujoco: Any, solid: Solid) -> tuple[int, list[float]]:
    if solid.kind == "box":
        return mujoco.mjtGeom.mjGEOM_BOX.value, list(solid.size)
    radius, half = solid.size
    return mujoco.mjtGeom.mjGEOM_CYLINDER.value, [radius, half, 0.0]


def _add(
    mujoco: Any, scene: Any, kind: int, size: list[float], position: Any, rotation: Array, colour: str
) -> None:
    """One more thing to draw; nothing where the scene is full."""
    if scene.ngeom >= scene.maxgeom:
        return
    rgba = np.array(_COLOURS[colour], np.float32)
    mujoco.mjv_initGeom(
        scene.geoms[scene.ngeom], kind, np.array(size), np.asarray(position), rotation.ravel(), rgba
    )
    scene.ngeom += 1


def _polygons(solid: Solid) -> list[Array]:
    """The faces of one primitive, in body axes."""
    centre = np.asarray(solid.centre)
    if solid.kind == "box":
        square = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)], np.float64)
        faces = []
        for axis in range(3):
            for side in (-1.0, 1.0):
                faces.append(np.insert(square, axis, side, axis=1) * solid.size + centre)
        return faces
    radius, half = solid.size
    angles = np.linspace(0.0, 2 * np.pi, 25)
    rim = np.stack([radius * np.cos(angles), radius * np.sin(angles)], -1)
    low, high = (np.insert(rim, 2, z, axis=1) + centre for z in (-half, half))
    walls = [np.array([low[i], low[i + 1], high[i + 1], high[i]]) for i in range(24)]
    return [low, high, *walls]
