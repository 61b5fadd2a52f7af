"""What users pass to environments, checked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, Self, TypeVar

import numpy as np
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from equiworld.arguments import integer, reals
from equiworld.errors import ArgumentError
from equiworld.groups import GroupElement

__all__ = [
    "as_action",
    "as_displacement",
    "as_number",
    "as_real",
    "as_reset",
    "as_seed",
    "as_turned",
    "check_begun",
    "check_choice",
    "finite",
    "info_of_reset",
]


class _Turning(Protocol):
    def transform(self, g: GroupElement) -> Self: ...


S = TypeVar("S", bound=_Turning)


def as_real(value: Any) -> float | None:
    """One real number as a float, also NumPy's and an array of shape (); None for anything else.

    A bool is no number, and neither is a string that spells one.
    """
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, bool) or not isinstance(value, int | float | np.floating):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf


def as_number(name: str, value: Any, unit: str, high: float = math.inf, zero: bool = False) -> float:
    """A finite number above 0 (or 0, if allowed) and up to `high`, or an ArgumentError that names it."""
    number = as_real(value)
    if number is None or not (0 <= number <= high and number < math.inf and (zero or number > 0)):
        limit = "" if high == math.inf else f" and at most {high:.6g}"
        raise ArgumentError(
            name, repr(value), f"a finite number {'of at least' if zero else 'above'} 0{limit} {unit}"
        )
    return number


def as_seed(seed: Any) -> int | None:
    """What `reset` takes as a seed: None, or an integer of at least 0."""
    return None if seed is None else integer("seed", seed, least=0)


def finite(name: str, value: Any, size: int) -> tuple[float, ...]:
    """`size` finite numbers, or an ArgumentError that names them."""
    numbers: tuple[float | None, ...]
    try:
        numbers = tuple(map(as_real, value.tolist() if hasattr(value, "tolist") else value))
    except TypeError:
        numbers = ()
    if len(numbers) != size or any(number is None or not math.isfinite(number) for number in numbers):
        raise ArgumentError(name, repr(value), f"{size} finite numbers")
    return numbers  # type: ignore[return-value]


def as_reset(seed: Any, options: Any, known: Sequence[str]) -> tuple[int | None, dict[str, Any]]:
    """What `reset` takes: a seed or None, and a mapping of known options or None."""
    if options is None:
        return as_seed(seed), {}
    if not isinstance(options, Mapping):
        raise ArgumentError("options", f"a {type(options).__name__}", "a mapping of reset options", known)
    for key in options:
        if key not in known:
            raise ArgumentError("options", repr(key), "known reset options", known)
    return as_seed(seed), dict(options)


def check_choice(name: str, value: Any, meaning: str, options: Sequence[Any]) -> None:
    """Refuse what is none of the options."""
    if not any(value is option or (isinstance(value, str) and value == option) for option in options):
        raise ArgumentError(name, repr(value), meaning, options)


def check_begun(begun: bool, what: str) -> None:
    """Refuse what only an episode has, as Gymnasium's own wrappers do, before one has begun."""
    if not begun:
        raise ResetNeeded(f"{what}: call reset() first, an episode begins there")


def info_of_reset(info: Mapping[str, Any], g: GroupElement | None) -> dict[str, Any]:
    """The info of an episode that begins: there is no success yet, and it tells g where one was asked for.

    >>> info_of_reset({"distance": 0.1}, None)
    {'distance': 0.1, 'is_success': False}
    """
    return {**info, "is_success": False} | ({} if g is None else {"group_element": g})


def as_action(action: Any, size: int) -> NDArray[np.float64]:
    """An action of `size` real numbers, float64, or an ArgumentError; float64 arrays are not asked whether finite."""
    if type(action) is not np.ndarray or action.dtype != np.float64:
        action = reals("action", action)
    if action.shape != (size,):
        raise ArgumentError("action", f"shape {action.shape}", f"shape ({size},)")
    return action


def as_turned(state: S, g: Any, dim: int, expected: str) -> S:
    """The state at g·s, as `options["group_element"]` asks for it.

    Args:
        state: with `transform(g)`, which raises ArgumentError for elements that it cannot take.
        g: what was given.
        dim: of space.
        expected: which elements are taken, in words.
    """
    name = "options['group_element']"
    if not isinstance(g, GroupElement):
        raise ArgumentError(name, type(g).__name__, f"a group element of dimension {dim}")
    try:
        return state.transform(g)
    except ArgumentError as error:
        raise ArgumentError(name, repr(g), expected) from error


def as_displacement(
    action: Any, radius: float, outside: str, size: int = 3, ball: str = "ball of radius {:g} m"
) -> NDArray[np.float64]:
    """An action as a displacement `(size,)` in the ball.

    Args:
        action: finite numbers.
        radius: of the ball.
        outside: what to do with a longer one: "raise", or "project" it radially.
        size: how many numbers.
        ball: what it is called.
    """
    displacement = as_action(action, size)
    length = math.hypot(*displacement.tolist())
    if length <= radius * (1 + 1e-6):
        return displacement
    if not math.isfinite(length):
        raise ArgumentError("action", displacement.tolist(), "finite numbers")
    if outside == "raise":
        raise ArgumentError(
            "action",
            f"{displacement.tolist()} of length {length:.6g}",
            f"a displacement in the {ball.format(radius)}; "
            'make the env with outside="project" to have it shortened',
        )
    return displacement * (radius / length)
