"""Policies of stable-baselines3 that are equivariant, anybody's behind the door, and world models to train them in."""

import importlib
from typing import TYPE_CHECKING, Any

from equiworld.sb3.functions import FunctionPolicy
from equiworld.sb3.modules import ModulePolicy
from equiworld.sb3.onnx_file import OnnxPolicy
from equiworld.sb3.seams import Seams
from equiworld.sb3.symmetrise import symmetrise
from equiworld.sb3.symmetrised import Symmetrised, SymmetrisedState
from equiworld.sb3.with_symmetry import with_symmetry

if TYPE_CHECKING:
    from equiworld.sb3.actor_critic import EquivariantActorCriticPolicy
    from equiworld.sb3.buffers import (
        AugmentedDictReplayBuffer,
        AugmentedDictRolloutBuffer,
        AugmentedHerReplayBuffer,
        AugmentedReplayBuffer,
        AugmentedRolloutBuffer,
    )
    from equiworld.sb3.callbacks import EquivarianceCallback
    from equiworld.sb3.imagined import ImaginedVecEnv
    from equiworld.sb3.mirror_loss import MirrorLossPolicy
    from equiworld.sb3.normalise import VecNormalizeEquivariant
    from equiworld.sb3.recurrent import EquivariantRecurrentPolicy
    from equiworld.sb3.sac import EquivariantSACPolicy
    from equiworld.sb3.td3 import EquivariantTD3Policy

__all__ = [
    "AugmentedDictReplayBuffer",
    "AugmentedDictRolloutBuffer",
    "AugmentedHerReplayBuffer",
    "AugmentedReplayBuffer",
    "AugmentedRolloutBuffer",
    "EquivarianceCallback",
    "EquivariantActorCriticPolicy",
    "EquivariantRecurrentPolicy",
    "EquivariantSACPolicy",
    "EquivariantTD3Policy",
    "FunctionPolicy",
    "ImaginedVecEnv",
    "MirrorLossPolicy",
    "ModulePolicy",
    "OnnxPolicy",
    "Seams",
    "Symmetrised",
    "SymmetrisedState",
    "VecNormalizeEquivariant",
    "symmetrise",
    "with_symmetry",
]

_NEEDS_SB3 = {
    "EquivariantActorCriticPolicy": "equiworld.sb3.actor_critic",
    "EquivariantRecurrentPolicy": "equiworld.sb3.recurrent",
    "EquivariantSACPolicy": "equiworld.sb3.sac",
    "EquivariantTD3Policy": "equiworld.sb3.td3",
    "AugmentedDictReplayBuffer": "equiworld.sb3.buffers",
    "AugmentedDictRolloutBuffer": "equiworld.sb3.buffers",
    "AugmentedHerReplayBuffer": "equiworld.sb3.buffers",
    "AugmentedReplayBuffer": "equiworld.sb3.buffers",
    "AugmentedRolloutBuffer": "equiworld.sb3.buffers",
    "EquivarianceCallback": "equiworld.sb3.callbacks",
    "MirrorLossPolicy": "equiworld.sb3.mirror_loss",
    "VecNormalizeEquivariant": "equiworld.sb3.normalise",
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
