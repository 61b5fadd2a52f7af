"""What users pass to environments, checked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiworld.errors import ArgumentError

__all__ = ["as_displacement", "check_choice", "check_range", "finite", "is_number"]


def finite(name: str, value: Any, size: int) -> tuple[float, ...]:
    """`size` finite numbers, or an ArgumentError that names them."""
    try:
        numbers = tuple(map(float, value))
    except (TypeError, ValueError):
        numbers = ()
    if len(numbers) != size or not all(map(math.isfinite, numbers)):
        raise ArgumentError(name, repr(value), f"{size} finite numbers")
    return numbers


def check_choice(name: str, value: Any, meaning: str, options: Sequence[Any]) -> None:
    """Refuse what is none of the options."""
    if not any(value is option or (isinstance(value, str) and value == option) for option in options):
        raise ArgumentError(name, repr(value), meaning, options)


def is_number(value: Any) -> bool:
    """Whether this is one real number."""
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def check_range(name: str, value: Any, unit: str, high: float = math.inf, zero: bool = False) -> None:
    """Refuse what is no finite number above 0 (or 0, if allowed) and up to `high`."""
    if not (is_number(value) and (value > 0 or (zero and value == 0)) and value <= high and value < math.inf):
        limit = "" if high == math.inf else f" and at most {high:.6g}"
        raise ArgumentError(
            name, repr(value), f"a finite number {'of at least' if zero else 'above'} 0{limit} {unit}"
        )


def as_displacement(action: Any, radius: float, outside: str) -> NDArray[np.float64]:
    """An action as a displacement `(3,)` in the ball.

    Args:
        action: three finite numbers [m].
        radius: of the ball [m].
        outside: what to do with a longer one: "raise", or "project" it radially.
    """
    try:
        displacement = np.asarray(action, dtype=np.float64)
    except (TypeError, ValueError):
        raise ArgumentError("action", repr(action), "three finite numbers") from None
    if displacement.shape != (3,):
        raise ArgumentError("action", f"shape {displacement.shape}", "shape (3,)")
    length = math.hypot(*displacement.tolist())
    if length <= radius * (1 + 1e-6):
        return displacement
    if not math.isfinite(length):
        raise ArgumentError("action", displacement.tolist(), "finite numbers")
    if outside == "raise":
        raise ArgumentError(
            "action",
            f"{displacement.tolist()} of length {length:.6g}",
            f"a displacement in the ball of radius {radius:g} m; "
            'make the env with outside="project" to have it shortened',
        )
    return displacement * (radius / length)
