"""Numbers that users pass, made plain at the border: NumPy's numbers are numbers, bool is not."""

from __future__ import annotations

import math
import sys
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiworld.errors import ArgumentError

__all__ = ["array_of", "flag", "instance", "integer", "number", "reals", "unmasked"]


def integer(name: str, value: Any, least: int | None = None, most: int | None = None) -> int:
    """A whole number as Python's own, which JSON and Torch take wherever NumPy's is refused.

    Args:
        name: of the argument, for the message.
        value: what came: Python's or NumPy's; 3.0 is refused, and so is True.
        least: the smallest that is allowed.
        most: the largest that is allowed.

    Raises:
        ArgumentError: it is none, or out of range.

    >>> import numpy as np
    >>> integer("steps", np.int64(10), least=1)
    10
    >>> integer("steps", True, least=1)
    Traceback (most recent call last):
        ...
    equiworld.errors.ArgumentError: steps: got True; expected a positive integer
    """
    plain = _plain(value)
    if isinstance(plain, Integral) and _within(int(plain), least, most):
        return int(plain)
    raise _refused(name, value, "integer", least, most)


def number(
    name: str,
    value: Any,
    least: float | None = None,
    most: float | None = None,
    above: float | None = None,
    below: float | None = None,
) -> float:
    """A finite number as Python's own float.

    Args:
        name: of the argument, for the message.
        value: what came: Python's or NumPy's, whole or not; NaN, infinity and True are refused.
        least: the smallest that is allowed.
        most: the largest that is allowed.
        above: all that are allowed are larger.
        below: all that are allowed are smaller.

    Raises:
        ArgumentError: it is none, or out of range.

    >>> import numpy as np
    >>> number("learning_rate", np.float32(0.5), above=0)
    0.5
    >>> number("learning_rate", float("nan"), above=0)
    Traceback (most recent call last):
        ...
    equiworld.errors.ArgumentError: learning_rate: got nan; expected a positive number
    """
    plain = _plain(value)
    try:
        found = float(plain) if isinstance(plain, Real) else math.nan
    except OverflowError:  # a whole number of more than 308 digits
        found = math.inf
    if math.isfinite(found) and _within(found, least, most, above, below):
        return found
    raise _refused(name, value, "number", least, most, above, below)


def reals(name: str, value: Any) -> NDArray[np.float64]:
    """Finite real numbers as float64, of any shape: nothing imaginary, masked or missing is dropped on the way.

    Args:
        name: of the argument, for the message.
        value: what came: an array or nested sequences of numbers; bools and text are refused.

    Raises:
        ArgumentError: they are none.

    >>> reals("points", [1, 2])
    array([1., 2.])
    >>> reals("points", [1j])
    Traceback (most recent call last):
        ...
    equiworld.errors.ArgumentError: points: got dtype complex128; expected real numbers
    """
    array = array_of(name, value)
    if array.dtype.kind not in "iuf":
        raise ArgumentError(name, f"dtype {array.dtype}", "real numbers")
    with np.errstate(all="ignore"):  # of longdouble: what is too large for float64 is refused below
        array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise ArgumentError(name, "NaN or infinity", "finite numbers")
    return array


def array_of(name: str, value: Any) -> NDArray[Any]:
    """Whatever comes as a NumPy array of its own dtype; of tensors the numbers, where NumPy has their dtype or not.

    Args:
        name: of the argument, for the message.
        value: what came: an array, a tensor on any device and with a gradient or not, or nested sequences.

    Raises:
        ArgumentError: it is ragged, masked, sparse, or says itself that it is no array.

    >>> import torch
    >>> array_of("points", torch.ones(2, dtype=torch.bfloat16, requires_grad=True))
    array([1., 1.], dtype=float32)
    """
    value = unmasked(name, value)
    torch = sys.modules.get("torch")  # who holds a tensor has imported it
    try:
        if torch is not None and isinstance(value, torch.Tensor):
            value = value.detach().cpu().resolve_conj().resolve_neg()
            return np.asarray((value.float() if value.dtype == torch.bfloat16 else value).numpy())
        return np.asarray(value)
    except ValueError:
        raise ArgumentError(name, "a ragged sequence", "an array of real numbers") from None
    except (TypeError, RuntimeError, OverflowError) as error:  # sparse tensors, lists of tensors, odd objects
        raise ArgumentError(
            name, f"a {type(value).__name__} ({error})", "an array of real numbers"
        ) from error


def instance(name: str, value: Any, kind: type) -> None:
    """Refuse what is of another class.

    Raises:
        ArgumentError: it is.
    """
    if not isinstance(value, kind):
        raise ArgumentError(name, f"a {type(value).__name__}", f"a {kind.__name__}")


def flag(name: str, value: Any) -> bool:
    """A yes or no: Python's or NumPy's bool; 1 and "no" are refused.

    Raises:
        ArgumentError: it is none.

    >>> flag("door", "no")
    Traceback (most recent call last):
        ...
    equiworld.errors.ArgumentError: door: got 'no'; expected True or False
    """
    plain = value[()] if isinstance(value, np.ndarray) and value.ndim == 0 else value
    if isinstance(plain, bool | np.bool_):
        return bool(plain)
    raise ArgumentError(name, repr(value), "True or False")


def unmasked(name: str, value: Any) -> Any:
    """The value, unless some of it is masked: NumPy hands on what lies under a mask.

    Raises:
        ArgumentError: some of it is.
    """
    if isinstance(value, np.ma.MaskedArray) and np.ma.getmaskarray(value).any():
        hidden = int(np.ma.getmaskarray(value).sum())
        raise ArgumentError(name, f"an array with {hidden} masked number(s)", "numbers, none of them masked")
    return value


def _plain(value: Any) -> Any:
    """A number out of a NumPy array of no axes, such as a file gives back; None for bool, which is an int."""
    value = value[()] if isinstance(value, np.ndarray) and value.ndim == 0 else value
    return None if isinstance(value, bool) else value


def _within(
    value: float,
    least: float | None,
    most: float | None,
    above: float | None = None,
    below: float | None = None,
) -> bool:
    return (
        (least is None or value >= least)
        and (most is None or value <= most)
        and (above is None or value > above)
        and (below is None or value < below)
    )


def _refused(
    name: str,
    value: Any,
    kind: str,
    least: float | None,
    most: float | None,
    above: float | None = None,
    below: float | None = None,
) -> ArgumentError:
    if (kind == "integer" and least == 1) or above == 0:
        kind, least, above = f"positive {kind}", None, None
    words = {"of at least": least, "above": above, "of at most": most, "below": below}
    limits = " and ".join(f"{word} {limit:.6g}" for word, limit in words.items() if limit is not None)
    article = "an" if kind == "integer" else "a"
    return ArgumentError(name, repr(value), f"{article} {kind} {limits}".strip())
