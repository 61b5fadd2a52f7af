"""The PushT scene from above, in gym-pusht's colours and y pointing down; antialiased, and without a display."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equiworld.envs.pusht import geometry
from equiworld.errors import ArgumentError

__all__ = ["draw_scene"]

_BACKGROUND = (255, 255, 255)
_GOAL = (144, 238, 144)
_WALL = (211, 211, 211)
_TRAIL = (176, 194, 242)
_BLOCK, _BLOCK_INSIDE = (119, 136, 153), (143, 163, 184)
_AGENT, _AGENT_INSIDE = (65, 105, 225), (78, 126, 255)
_TEXT = (60, 60, 60)
_RIM = 4.0  # [px] of the darker edge of block and agent
_STOCK_VIEW = (0.0, 0.0, 512.0)


def draw_scene(
    agent_pos: ArrayLike,
    block_pose: ArrayLike,
    goal_pose: ArrayLike | None,
    *,
    walls: bool,
    size: int = 680,
    view: Sequence[float] | None = None,
    trail: ArrayLike | None = None,
    label: str = "",
) -> NDArray[np.uint8]:
    """A picture `(size, size, 3)` uint8 of the agent, the block and its goal.

    Args:
        agent_pos: `(2,)` [px].
        block_pose: `(3,)`, centre of gravity x, y [px] and heading [rad].
        goal_pose: likewise, or None to draw no goal.
        walls: whether to draw the walls.
        size: of the picture [pixels].
        view: (x, y, width) [px] of the square shown, by its corner of smallest x and y; gym-pusht's
            (0, 0, 512) by default. Without walls there may be more to see.
        trail: `(n, 2)` [px], where the agent came along; drawn faintly below the block.
        label: text in the top left corner.

    Raises:
        ArgumentError: `size`, `view` or `trail` cannot be drawn.

    >>> draw_scene((100.0, 100.0), (255.0, 255.0, 0.5), None, walls=True, size=96).shape
    (96, 96, 3)
    """
    from PIL import Image, ImageDraw

    if size < 1:
        raise ArgumentError("size", size, "a positive number of pixels")
    low_x, low_y, width = _STOCK_VIEW if view is None else view
    if not width > 0:
        raise ArgumentError("view", view, "(x, y, width) with a positive width")
    finer = 2 if size >= 400 else 3  # drawn finer, then averaged: that is the antialiasing
    scale = size * finer / width
    image = Image.new("RGB", (size * finer, size * finer), _BACKGROUND)
    canvas = ImageDraw.Draw(image)

    def pixels(points: ArrayLike) -> list[float]:
        return ((np.asarray(points, np.float64) - (low_x, low_y)) * scale).ravel().tolist()

    def disc(centre: ArrayLike, radius: float, colour: tuple[int, int, int]) -> None:
        (x, y), r = pixels(centre), radius * scale
        canvas.ellipse((x - r, y - r, x + r, y + r), fill=colour)

    if goal_pose is not None:
        canvas.polygon(pixels(geometry.block_outline(goal_pose)), fill=_GOAL)
    if walls:
        reach = geometry.WALL_RADIUS
        corners = pixels([(geometry.WALL_LOW - reach,) * 2, (geometry.WALL_HIGH + reach,) * 2])
        canvas.rectangle(corners, outline=_WALL, width=max(1, round(2 * reach * scale)))
    if trail is not None:
        path = np.asarray(trail, np.float64)
        if path.ndim != 2 or path.shape[-1] != 2:
            raise ArgumentError("trail", f"shape {path.shape}", "positions of shape (n, 2)")
        if len(path) > 1:
            canvas.line(pixels(path), fill=_TRAIL, width=max(1, round(4.0 * scale)), joint="curve")
    canvas.polygon(pixels(geometry.block_outline(block_pose)), fill=_BLOCK)
    canvas.polygon(pixels(geometry.block_outline(block_pose, inset=_RIM)), fill=_BLOCK_INSIDE)
    disc(agent_pos, geometry.AGENT_RADIUS, _AGENT)
    disc(agent_pos, geometry.AGENT_RADIUS - _RIM, _AGENT_INSIDE)
    image = image.reduce(finer)
    if label:
        height = max(10, size // 18)
        ImageDraw.Draw(image).text((height * 0.7, height * 0.6), label, fill=_TEXT, font=_font(height))
    return np.array(image)


@lru_cache(maxsize=16)
def _font(height: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(height)
