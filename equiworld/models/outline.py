"""Where the corners of a body are, by the vectors of its state."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from equiworld.errors import ArgumentError
from equiworld.models.state_layout import StateLayout
from equiworld.nn.constant import Constant
from equiworld.symmetry.surfaces import Surfaces

__all__ = ["Outline"]

_MIRRORED = 1e-9  # relative


class Outline:
    """The corners of a body's outline, placed by its heading or its axes.

    Args:
        layout: of the state that shows them.
        field: surfaces that say what the outline is.

    Raises:
        ArgumentError: an outline of a body whose axes or mirror image are unknown.
    """

    def __init__(self, layout: StateLayout, field: Surfaces) -> None:
        self._channel = layout.body
        self._outline: Constant | None = None
        if not field.outline:
            return
        symmetry, name = layout.symmetry, f"{type(field).__name__}.outline"
        if layout.body is None or not layout.reference:
            raise ArgumentError(name, "given", "none, or a body: `reference`, and `heading` or a Rotation")
        corners = np.array(field.outline)
        if corners.shape[-1] != symmetry.dim:
            raise ArgumentError(name, f"points of {corners.shape[-1]} numbers", f"{symmetry.dim} each")
        if symmetry.dim == 2:
            c, s = np.cos(layout.body.axis), np.sin(layout.body.axis)
            corners = corners @ np.array([[c, -s], [s, c]])  # along the heading, and across it
        if not symmetry.group.proper and not _is_mirror_image(corners):
            raise ArgumentError(
                name, "no mirror image of itself", "one about the heading, or a group without reflections"
            )
        self._outline = Constant(torch.from_numpy(corners.T.copy()))

    def corners(self, vectors: Tensor) -> Tensor | None:
        """From the body's reference `(…, d, c)`, by the vectors of its state."""
        if self._outline is None or self._channel is None:
            return None
        outline = self._outline.like(vectors)
        axes = vectors[..., self._channel.start : self._channel.stop]
        if vectors.shape[-2] == 2:
            x, y = axes[..., 0, :1], axes[..., 1, :1]
            axes = torch.stack([torch.cat([x, y], -1), torch.cat([-y, x], -1)], -1)
        return axes[..., : len(outline)] @ outline


def _is_mirror_image(corners: NDArray[np.float64]) -> bool:
    """Whether corners `(n, 2)`, along the heading and across it, are a set that a reflection of the latter keeps."""
    if corners.shape[-1] != 2:
        return False
    apart = np.abs(corners[:, None] * (1.0, -1.0) - corners).max(-1).min(-1)
    return bool((apart <= _MIRRORED * np.abs(corners).max()).all())
