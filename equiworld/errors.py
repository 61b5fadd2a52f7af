"""Exceptions. Every message says what was wrong, what came, what was expected, and the options."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "ArgumentError",
    "CheckpointError",
    "EquiworldError",
    "OverlapError",
    "SimulationError",
    "UnknownNameError",
]


class EquiworldError(Exception):
    """Base of everything equiworld raises on purpose. Goes from a worker process to its parent whole."""

    def __reduce__(self) -> tuple[object, ...]:
        # By the message, not by what it was made of: subclasses take other arguments than they keep.
        return _again, (type(self), self.args), self.__dict__


def _again(kind: type[EquiworldError], arguments: tuple[object, ...]) -> EquiworldError:
    return kind.__new__(kind, *arguments)


class ArgumentError(EquiworldError, ValueError):
    """An argument is wrong: its name, what came, what was expected, the options if there are any.

    >>> raise ArgumentError("samples", -1, "a positive integer")
    Traceback (most recent call last):
        ...
    equiworld.errors.ArgumentError: samples: got -1; expected a positive integer
    """

    def __init__(self, argument: str, got: object, expected: str, options: Iterable[object] = ()) -> None:
        shown = got if isinstance(got, str) else _shown(got)
        message = f"{argument}: got {shown}; expected {expected}"
        listed = ", ".join(str(option) for option in options)
        super().__init__(f"{message}; options: {listed}" if listed else message)


def _shown(value: object) -> str:
    """The repr, where there is one: that of a sparse tensor fails in inference mode."""
    try:
        return repr(value)
    except Exception:
        return f"a {type(value).__name__}"


class UnknownNameError(ArgumentError, KeyError):
    """A name that is not registered; lists what is, the nearest match, and how to add one."""

    def __init__(self, argument: str, got: str, known: Iterable[str], how_to_add: str) -> None:
        known = sorted(known)
        nearest = difflib.get_close_matches(got, known, n=1)
        hint = f" (did you mean {nearest[0]!r}?)" if nearest else ""
        super().__init__(argument, repr(got) + hint, f"a registered name; {how_to_add}", known)

    def __str__(self) -> str:  # KeyError would show the repr of the message
        return str(self.args[0])


class CheckpointError(EquiworldError, RuntimeError):
    """A file is cut off, damaged, of another kind, or of a version this release does not read."""


class OverlapError(EquiworldError, RuntimeError):
    """Data that must be disjoint (training, seen test, turned test) share transitions or episodes."""


class SimulationError(EquiworldError, RuntimeError):
    """An environment or a model failed, or returned something non-finite, in the middle of a run."""
