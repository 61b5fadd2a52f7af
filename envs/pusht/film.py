"""Episodes of PushT side by side, from recorded observations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiworld.envs.film import Episode, Film, Shown
from equiworld.envs.pusht import geometry
from equiworld.envs.pusht.rendering import draw_scene

__all__ = ["PushTFilm"]

PANEL = 176  # pixels
MARGIN, WIDEST = 20.0, 260.0  # [px] around what a picture holds; half of the picture at most


class PushTFilm(Film):
    """Episodes of PushT side by side.

    Args:
        episodes: by the titles of their row and their column; each begins with a reset, and may have walls or none.
        size: of a panel [pixels].
        walls: whether they are drawn.
    """

    def __init__(
        self, episodes: Mapping[str, Mapping[str, Episode]], size: int = PANEL, walls: bool = False
    ) -> None:
        super().__init__(episodes, size)
        self.walls, self._view = walls, _view(episodes)

    def draw(self, row: str, column: str, step: int) -> NDArray[np.uint8]:
        """The scene from above, with the way that the agent came."""
        episode = self.episodes[row][column]
        return draw_scene(
            episode[step].observation["agent_pos"],
            _pose(episode[step], "block"),
            _pose(episode[step], "goal"),
            walls=self.walls,
            size=self.size,
            view=self._view,
            trail=[shown.observation["agent_pos"] for shown in episode[: step + 1]] if step else None,
        )


def _pose(shown: Shown, name: str) -> NDArray[Any]:
    return np.concatenate([shown.observation[f"{name}_pos"], shown.observation[f"{name}_heading"]])


def _view(episodes: Mapping[str, Mapping[str, Episode]]) -> tuple[float, float, float]:
    """A square about the centre that holds goals and blocks, and the agents of the first row."""
    held = []
    for number, row in enumerate(episodes.values()):
        for episode in row.values():
            held += [
                geometry.keypoints(_pose(shown, name)) for shown in episode for name in ("block", "goal")
            ]
            if not number:
                held += [np.reshape(shown.observation["agent_pos"], (1, 2)) for shown in episode]
    centre = np.asarray(geometry.CENTRE)
    # Agents of other rows that go far astray may leave the picture: the rest must stay large enough to see.
    half = min(float(np.abs(np.concatenate(held) - centre).max()) + MARGIN, WIDEST)
    return float(centre[0]) - half, float(centre[1]) - half, 2 * half
