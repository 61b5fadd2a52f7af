"""What other people's tools read: made from a declared symmetry, or from policies and models."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_WHERE = {
    "morphosymm": "tables",
    "pairs": "tables",
    "rsl_rl": "augmentation",
}
"""By public name, the module that holds it: imported when it is asked for, for some need an extra."""

__all__ = ["morphosymm", "pairs", "rsl_rl"]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
