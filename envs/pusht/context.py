"""What breaks PushT's symmetry: the four walls, as something that is observed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiworld.envs.pusht import geometry
from equiworld.symmetry import Context, Segments

__all__ = ["walls_context"]


def walls_context(inset: float = 0.0) -> Context:
    """The walls as four segments [px], their middle lines, which the T's corners may touch.

    Args:
        inset: how much nearer to the centre they stand than gym-pusht's [px].

    >>> walls_context().value[:4]
    (5.0, 506.0, 5.0, 5.0)
    """
    walls = Segments(4, outline=geometry.KEYPOINTS.tolist())
    return Context("walls", walls, geometry.wall_segments(inset).ravel().tolist(), _place)


def _place(env: Any, value: NDArray[np.float64]) -> None:
    env.simulation.place_walls(value.reshape(4, 2, 2))
