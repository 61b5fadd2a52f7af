"""Settings of training, and their defaults by the amount of data."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields, replace
from typing import Any

from equiworld.arguments import flag
from equiworld.devices import usable_device
from equiworld.errors import ArgumentError
from equiworld.settings import name_of, settings_to_dict, settle_integers, settle_numbers
from equiworld.training.losses import ENCODER_LOSSES, Agreement, EncoderLoss
from equiworld.training.optimisers import OPTIMISERS, AdamW, OptimiserSettings

__all__ = ["TrainingConfig"]

# Chosen at 2,000 transitions of PushT's slice, which 3000 steps and a decay of 1e-4 learnt by heart; 8000 steps with
# hardly any decay serve half a million. In between, each transition brings steps and weakens the decay alike.
FEWEST_STEPS, MOST_STEPS, STEPS_PER_TRANSITION = 1000, 8000, 0.15
MOST_DECAY, DECAYING_TRANSITIONS = 0.3, 600.0

REGISTRIES: dict[str, Any] = {"optimiser": OPTIMISERS, "encoder_loss": ENCODER_LOSSES}
"""The kinds there are of what has settings of its own."""

_OUTSIDE = ("folder", "progress", "checkpoint_every", "device")
"""Fields on which the trained weights do not depend."""


@dataclass(frozen=True)
class TrainingConfig:
    """How to train.

    Attributes:
        steps: optimiser steps; None for 0.15 for each transition, from 1000 to 8000.
        batch_size: transitions in each; of stages that train an encoder a sixteenth of it, at least 8.
        learning_rate: peak of the one-cycle schedule; a fifth of it for an encoder alone, a fiftieth for both.
        encoder_steps: steps in which an encoder is trained by itself before; of models that have one.
        joint_steps: steps in which encoder and dynamics are trained together afterwards; likewise.
        weight_decay: of the optimiser; None for 600 / transitions, at most 0.3: little data is learnt by heart without.
        held_out: share of the transitions, in whole episodes, that the dynamics are judged by and never see; the
            weights that do best on them are kept. 0 trains on everything and keeps the last weights.
        gradient_clip: longest gradient; longer ones are shortened.
        optimiser: `AdamW()`, `Muon()`, `Adam()` or `SGD()`, with settings of their own.
        encoder_loss: of models with an encoder that learns: `Agreement()`, `VICReg()`, `SIGReg()` or `BlockSIGReg()`.
        target_momentum: share of the average of past encoders, the target of the last stage, that a step keeps.
        average: of the weights themselves, the share of their exponential moving average that a step keeps; the average
            is judged, and kept, in the place of the weights. None for none.
        device: where training computes, such as "cuda"; the model stays there. None for where it is.
        seed: of the batches, the augmentation, and which episodes are held out.
        checkpoint_every: steps between checkpoints, if there is a folder for them.
        folder: where checkpoints go; training that finds one there goes on from it.
        progress: show a progress bar.

    Raises:
        ArgumentError: a number of another kind, or out of its range.
    """

    steps: int | None = None
    batch_size: int = 1024
    learning_rate: float = 1e-2
    encoder_steps: int = 1500
    joint_steps: int = 300
    weight_decay: float | None = None
    held_out: float = 0.1
    gradient_clip: float = 100.0
    optimiser: OptimiserSettings = AdamW()  # noqa: RUF009  frozen
    encoder_loss: EncoderLoss = Agreement()  # noqa: RUF009  frozen
    target_momentum: float = 0.99
    average: float | None = None
    device: str | None = None
    seed: int = 0
    checkpoint_every: int = 1000
    folder: str | os.PathLike[str] | None = None
    progress: bool = False

    def __post_init__(self) -> None:
        settle_integers(self, "steps", "batch_size", "checkpoint_every", least=1)
        settle_integers(self, "encoder_steps", "joint_steps", "seed", least=0)
        settle_numbers(self, "learning_rate", "gradient_clip", above=0.0)
        settle_numbers(self, "weight_decay", least=0.0)
        settle_numbers(self, "held_out", "target_momentum", "average", least=0.0, below=1.0)
        for name, registry in REGISTRIES.items():
            name_of(name, getattr(self, name), registry)
        if self.device is not None:
            object.__setattr__(self, "device", str(usable_device(self.device)))
        if self.folder is not None:
            if not isinstance(self.folder, str | os.PathLike):
                raise ArgumentError("folder", self.folder, "the path of a folder")
            object.__setattr__(self, "folder", os.fspath(self.folder))
        object.__setattr__(self, "progress", flag("progress", self.progress))

    def identity(self) -> dict[str, Any]:
        """The fields on which the trained weights depend, JSON-able."""
        plain = {each.name: getattr(self, each.name) for each in fields(self) if each.name not in _OUTSIDE}
        named = {name: settings_to_dict(name, plain[name], kinds) for name, kinds in REGISTRIES.items()}
        return plain | named

    def for_transitions(self, count: int) -> TrainingConfig:
        """The same with numbers for what is None, for so many transitions.

        >>> TrainingConfig().for_transitions(2_000).weight_decay
        0.3
        >>> TrainingConfig(steps=50).for_transitions(600_000).steps
        50
        """
        steps = min(max(round(STEPS_PER_TRANSITION * count), FEWEST_STEPS), MOST_STEPS)
        decay = min(DECAYING_TRANSITIONS / max(count, 1), MOST_DECAY)
        return replace(
            self,
            steps=steps if self.steps is None else self.steps,
            weight_decay=decay if self.weight_decay is None else self.weight_decay,
        )
