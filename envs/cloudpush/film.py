"""Episodes of CloudPush side by side, seen by one camera, from recorded observations."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from equiworld.envs.cloudpush.geometry import Array, Pose, as_pose, rotation_matrix
from equiworld.envs.cloudpush.rays import cast
from equiworld.envs.cloudpush.rendering import (
    AGENT,
    BODY,
    CLOUD,
    EDGE,
    GOAL,
    Camera,
    Scene,
    corners_of,
    ends_of_agent,
)
from equiworld.envs.cloudpush.shapes import Shape
from equiworld.envs.film import Episode, Film, Shown, font

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["CloudPushFilm"]

PANEL, FOOT = 340, 26  # pixels
TRAIL = 12  # steps
ASTRAY = 0.06  # [m] farther off than they need to be: such ways may leave the picture
KEY = (("goal", "goal pose"), ("body", "body"), ("agent", "end-effector"), ("cloud", "observed point cloud"))


class _Places(NamedTuple):
    """Positions and poses at one step."""

    agent: Array
    body: Pose
    goal: Pose


class CloudPushFilm(Film):
    """Episodes of CloudPush side by side, all at one scale and seen by one camera.

    Args:
        episodes: by the titles of their row and their column; each begins with a reset.
        shape: of the body.
        size: of a panel [pixels].
        solved: whether the task is, from an `info`.
    """

    def __init__(
        self,
        episodes: Mapping[str, Mapping[str, Episode]],
        shape: Shape,
        size: int = PANEL,
        solved: Callable[[Mapping[str, Any]], bool] = lambda info: bool(info["is_success"]),
    ) -> None:
        super().__init__(episodes, size, solved)
        self.shape = shape
        self._places = {
            (row, column): [_places(shown) for shown in episode]
            for row, columns in episodes.items()
            for column, episode in columns.items()
        }
        camera = Camera(_azimuth(list(self._places.values()), shape))
        views = {name: camera.around(_held(places, shape)) for name, places in self._places.items()}
        radius = max(radius for _, radius in views.values())
        self._scenes = {
            name: Scene(shape, self._places[name][0].goal, centre, radius, camera, size)
            for name, (centre, _) in views.items()
        }

    def draw(self, row: str, column: str, step: int) -> NDArray[np.uint8]:
        """The scene with the observed cloud and the last steps of the end-effector's way."""
        places, observation = self._places[row, column], self.episodes[row][column][step].observation
        cloud = np.reshape(observation.get("cloud", ()), (-1, 3))
        trail = [one.agent for one in places[max(0, step - TRAIL) : step + 1]]
        return self._scenes[row, column].draw(places[step].body, places[step].agent, cloud, trail)

    def status(self, shown: Shown) -> str:
        """How far the body is from its goal."""
        distance, angle = shown.info["mean_point_distance"], shown.info["angle"]
        return f": {1000 * distance:.0f} mm, {math.degrees(angle):.0f}° to goal"

    def key(self, width: int) -> Image:
        """Body, goal, end-effector and cloud in words."""
        from PIL import Image, ImageDraw

        sheet = Image.new("RGB", (width, FOOT), (255, 255, 255))
        canvas, middle, small = ImageDraw.Draw(sheet), FOOT // 2 + 1, font(13)
        lengths = [26 + canvas.textlength(text, font=small) for _, text in KEY]
        gap = min(34.0, (width - sum(lengths)) / len(KEY))
        left = (width - sum(lengths) - gap * (len(KEY) - 1)) / 2
        for (kind, text), length in zip(KEY, lengths, strict=True):
            _symbol(canvas, kind, left, middle)
            canvas.text((left + 22, middle), text, (40, 40, 40), font=small, anchor="lm")
            left += length + gap
        return sheet


def _places(shown: Shown) -> _Places:
    return _Places(
        np.asarray(shown.observation["agent_pos"], np.float64),
        _pose(shown.info, "body"),
        _pose(shown.info, "goal"),
    )


def _pose(info: Mapping[str, Any], name: str) -> Pose:
    return as_pose(name, (info[f"{name}_pos"], np.reshape(info[f"{name}_rotation"], (3, 3))))


def _held(places: Sequence[_Places], shape: Shape) -> Array:
    """Points that a picture of an episode must hold: its start, its goal and its ways, but not who goes far astray."""
    first = places[0]
    far = 1.15 * math.dist(first.body.position, first.goal.position) + ASTRAY
    near = shape.surface.reach + ASTRAY
    held = [corners_of(shape, first.goal), corners_of(shape, first.body), ends_of_agent(first.agent)]
    for agent, body, goal in places:
        if math.dist(body.position, goal.position) < far:
            held.append(corners_of(shape, body))
            if math.dist(agent, body.position) < near:
                held.append(ends_of_agent(agent))
    return np.concatenate(held)


def _azimuth(episodes: Sequence[Sequence[_Places]], shape: Shape) -> float:
    """The azimuth [rad] of a camera that sees the end-effectors most of the time and the ways to go from the side."""
    scores = []
    candidates = np.radians(np.arange(10.0, 370.0, 20.0))
    for azimuth in candidates:
        towards, shares = Camera(float(azimuth)).towards, []
        for places in episodes:
            seen = [_sees(towards, one, shape) for one in places[:: max(1, len(places) // 12)]]
            way = np.subtract(places[0].goal.position, places[0].body.position)
            slanted = abs(float(way @ towards)) / max(float(np.linalg.norm(way)), 1e-9)
            shares.append(np.mean(seen) - 0.5 * slanted)
        scores.append(np.mean(shares) + 0.3 * min(shares))
    return float(candidates[int(np.argmax(scores))])


def _sees(towards: Array, places: _Places, shape: Shape) -> bool:
    """Whether nothing hides the centre of the end-effector."""
    rotation = rotation_matrix(places.body.quaternion)
    origin = (np.subtract(places.agent, places.body.position) @ rotation)[None]
    # Back from the camera: what is met first is nearer to it, if anything is met on this side.
    return bool(cast(shape.surface.solids, origin, -towards @ rotation).depth[0] > 0.0)


def _symbol(canvas: Any, kind: str, left: float, middle: float) -> None:
    square = (left, middle - 7, left + 14, middle + 7)
    if kind == "goal":
        canvas.rectangle(
            square, fill=(215, 241, 219), outline=tuple(round(0.8 * ink) for ink in GOAL), width=2
        )
    elif kind == "body":
        canvas.rectangle(square, fill=BODY, outline=EDGE, width=1)
    elif kind == "agent":
        canvas.ellipse(square, fill=AGENT)
    else:
        for x, y in ((2, -4), (9, -5), (5, 0), (12, 1), (1, 4), (8, 5)):
            canvas.ellipse((left + x - 1, middle + y - 1, left + x + 1, middle + y + 1), fill=CLOUD)
