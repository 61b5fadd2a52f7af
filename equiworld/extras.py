"""Libraries that only some of the package needs."""

from __future__ import annotations

import importlib
from types import ModuleType

from equiworld.errors import ArgumentError

__all__ = ["optional"]


def optional(name: str, extra: str) -> ModuleType:
    """An optional library.

    Args:
        name: what is imported.
        extra: what of this package brings it.

    Raises:
        ArgumentError: it is not installed; names the extra.

    >>> optional("json", "none").__name__
    'json'
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        expected = f'it, which is an extra: `pip install "equiworld[{extra}]"`'
        raise ArgumentError(name, f"no such package ({error})", expected) from error
