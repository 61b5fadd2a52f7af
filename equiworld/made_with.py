"""The arguments that an environment was made with, as text that is read again as literals and never run."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

import numpy as np

from equiworld.errors import ArgumentError

__all__ = ["arguments_as_text", "arguments_from_text"]


def arguments_as_text(arguments: Mapping[str, Any]) -> dict[str, str]:
    """Each argument as Python reads it again, NumPy's numbers as plain ones.

    >>> arguments_as_text({"points": np.int64(3), "walls": False})
    {'points': '3', 'walls': 'False'}
    """
    return {
        str(name): repr(value.item() if isinstance(value, np.generic) else value)
        for name, value in arguments.items()
    }


def arguments_from_text(where: str, arguments: Any) -> dict[str, Any]:
    """What `arguments_as_text` wrote: numbers, strings and the like.

    Args:
        where: they were found, for the message.
        arguments: by name.

    Raises:
        ArgumentError: one is no literal, such as an object; says how to pass it.

    >>> arguments_from_text("provenance", {"points": "3", "walls": "False"})
    {'points': 3, 'walls': False}
    """
    try:
        return {str(name): ast.literal_eval(text) for name, text in dict(arguments).items()}
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        got = f"arguments {arguments} ({error})"
        expected = "arguments that can be read again; pass them: `make_env(arguments={…})`, `--env-arguments`"
        raise ArgumentError(where, got, expected) from error
