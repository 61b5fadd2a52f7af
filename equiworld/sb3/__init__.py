"""Policies with stable-baselines3's protocol, whoever made them, behind the door; and world models to train them in."""

import importlib
from typing import TYPE_CHECKING, Any

from equiworld.sb3.functions import FunctionPolicy
from equiworld.sb3.modules import ModulePolicy
from equiworld.sb3.onnx_file import OnnxPolicy
from equiworld.sb3.seams import Seams
from equiworld.sb3.symmetrise import symmetrise
from equiworld.sb3.symmetrised import Symmetrised, SymmetrisedState

if TYPE_CHECKING:
    from equiworld.sb3.imagined import ImaginedVecEnv

__all__ = [
    "FunctionPolicy",
    "ImaginedVecEnv",
    "ModulePolicy",
    "OnnxPolicy",
    "Seams",
    "Symmetrised",
    "SymmetrisedState",
    "symmetrise",
]

_NEEDS_SB3 = {
    "ImaginedVecEnv": "equiworld.sb3.imagined",
}
"""What is imported when it is asked for, for stable-baselines3 is an extra and takes long to import."""


def __getattr__(name: str) -> Any:
    if name not in _NEEDS_SB3:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(importlib.import_module(_NEEDS_SB3[name]), name)
    except ModuleNotFoundError as error:
        if error.name not in ("stable_baselines3", "sb3_contrib"):
            raise
        message = f"{name} needs {error.name}: pip install 'equiworld[sb3]'"
        raise ModuleNotFoundError(message, name=error.name) from error
