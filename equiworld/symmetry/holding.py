"""Holding one action over several environment steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiworld.symmetry.symmetry import Symmetry

__all__ = ["held_action"]


def held_action(
    symmetry: Symmetry, action: NDArray[Any], before: Mapping[str, Any] | Any, now: Mapping[str, Any] | Any
) -> NDArray[Any]:
    """The action that asks now for what `action` asked before: for one relative to a point, the same target.

    Args:
        symmetry: of the environment.
        action: `(…, size)`, chosen at observation `before`.
        before: the observation at which it was chosen.
        now: the observation now.

    Returns:
        `(…, size)`: `action` itself unless the symmetry names an `action_origin` o; then a + o(before) − o(now).

    >>> from equiworld.symmetry import symmetry_of
    >>> import numpy as np
    >>> symmetry = symmetry_of("equiworld/PushT-v0")
    >>> held_action(symmetry, np.array([9.0, 0.0]), {"agent_pos": [1.0, 1.0]}, {"agent_pos": [4.0, 2.0]})
    array([ 6., -1.])
    """
    origin = symmetry.action_origin
    if origin is None:
        return action
    return action + (np.asarray(before[origin], np.float64) - np.asarray(now[origin], np.float64))
