"""What other people's tools read: made from a declared symmetry, or from policies and models."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_WHERE = {
    "check": "checking",
    "morphosymm": "tables",
    "pairs": "tables",
    "policy": "policies",
    "rsl_rl": "augmentation",
    "world_model": "models",
}
"""By public name, the module that holds it: imported when it is asked for, for some need an extra."""

__all__ = ["check", "morphosymm", "pairs", "policy", "rsl_rl", "world_model"]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
