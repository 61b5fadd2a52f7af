"""What becomes of a turned action that leaves the box of the wrapped environment."""

from __future__ import annotations

import warnings
from typing import Any, Literal

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from equiworld.envs.arguments import check_choice
from equiworld.errors import ArgumentError
from equiworld.groups import Group, GroupElement
from equiworld.symmetry import Symmetry

__all__ = ["InnerActions", "Outside"]

Outside = Literal["pass", "clip", "raise"]

Array = NDArray[np.float64]


class InnerActions:
    """The bounds of the wrapped environment's actions, kept as the user wishes.

    A turned box is no box: the one that is shown holds all of it, and at any turn but by quarters some more, whose
    actions reach the wrapped environment outside its own box. A ball is its own image.

    Args:
        outside: what to do with those: "pass" them on as they are, "clip" them to the box, or "raise".
    """

    def __init__(self, outside: Outside) -> None:
        check_choice("outside", outside, "what to do with an action outside", ("pass", "clip", "raise"))
        self.outside = outside
        self._box: spaces.Box | None = None  # None where a turn cannot lead outside

    def guard(
        self,
        symmetry: Symmetry,
        g_or_group: GroupElement | Group,
        inner: spaces.Space,
        shown: spaces.Space,
        scale: float = 1.0,
    ) -> None:
        """Keep to the box of `inner`; warn if `shown` holds actions that leave it and nothing is done about them.

        Args:
            symmetry: how actions transform.
            g_or_group: what turns them.
            inner: actions of the wrapped environment.
            shown: actions of the turned world.
            scale: the longest translation.
        """
        if shown is inner:
            return
        assert isinstance(inner, spaces.Box)
        self._box = inner
        self._low, self._high = _with_rounding(inner)
        back = g_or_group if isinstance(g_or_group, Group) else g_or_group.inverse()
        reached = symmetry.transform_space(back, shown, "action", scale)
        assert isinstance(reached, spaces.Box)
        if self.outside == "pass" and (self._off(reached.low) | self._off(reached.high)).any():
            warnings.warn(
                f"of the turned action space {shown} some actions reach the wrapped environment outside its own, "
                f'{inner}; pass outside="clip" or outside="raise" to have them clipped to it or refused',
                stacklevel=3,
            )

    def __call__(self, action: NDArray[Any], ignored: NDArray[np.bool_] | None = None) -> NDArray[Any]:
        """An action `(…, size)` of the wrapped environment, kept to its box.

        Args:
            action: as it comes out of the turn.
            ignored: `(n,)`, the rows that nobody will read.

        Raises:
            ArgumentError: it is outside, and that is not wanted.
        """
        box = self._box
        if box is None or self.outside == "pass":
            return action
        if self.outside == "clip":
            return np.clip(action, box.low, box.high).astype(action.dtype, copy=False)
        off = self._off(action)
        if ignored is not None:
            off[ignored] = False
        if off.any():
            raise ArgumentError(
                "action",
                f"one that is {action.tolist()} in the wrapped environment",
                f'an action in its {box}; wrap with outside="clip" to have it clipped',
            )
        return action

    def _off(self, action: NDArray[Any]) -> NDArray[np.bool_]:
        """Which numbers are outside by more than rounding."""
        return (action < self._low) | (action > self._high)


def _with_rounding(box: spaces.Box) -> tuple[Array, Array]:
    """The bounds, wider by float32's rounding of themselves and float64's of what a turn may bring in."""
    low, high = box.low.astype(np.float64), box.high.astype(np.float64)
    sizes = np.abs([low, high])
    own = np.where(np.isfinite(sizes), sizes, 0.0).max(axis=0)
    margin = 1e-6 * own + 1e-12 * own.max()
    return low - margin, high + margin
