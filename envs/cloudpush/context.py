"""What breaks CloudPush's symmetry: gravity and the table, as something that is observed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiworld.envs.cloudpush.engine import Physics
from equiworld.symmetry import Context, Planes, Vector

__all__ = ["contexts_of"]


def contexts_of(physics: Physics, corners: NDArray[np.float64] | None = None) -> tuple[Context, ...]:
    """Gravity [m/s²] and the table, its middle [m] and its normal, those that there are.

    Args:
        physics: of the simulator.
        corners: of the body, in its own axes `(k, 3)` [m], where its pose is observed.

    >>> [context.name for context in contexts_of(Physics(gravity=9.81, table=True))]
    ['gravity', 'table']
    """
    table = Planes(1, outline=() if corners is None else corners.tolist())
    found = {
        "gravity": Context("gravity", Vector(), (0.0, 0.0, -physics.gravity), _place_gravity),
        "table": Context("table", table, (0.0, 0.0, 0.0, 0.0, 0.0, 1.0), _place_table),
    }
    return tuple(
        found[name] for name, there in (("gravity", physics.gravity > 0), ("table", physics.table)) if there
    )


def _place_gravity(env: Any, value: NDArray[np.float64]) -> None:
    env.simulation.place_gravity(value)


def _place_table(env: Any, value: NDArray[np.float64]) -> None:
    env.simulation.place_table(value[:3], value[3:])
