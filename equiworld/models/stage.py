"""One part of a model's training: what is optimised, on what, by which loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from equiworld.symmetry import Features

__all__ = ["Batch", "Settings", "Stage", "Transitions", "joined"]

Batch = tuple[Features, ...]


class Transitions(Protocol):
    """What a model is trained on, as a `Dataset` gives it."""

    def features(self, dtype: torch.dtype = ...) -> tuple[Features, Features, Features]:
        """Observed state, action and next state, of batch shape `(N,)`."""


class Settings(Protocol):
    """How long and how fast, as a `TrainingConfig` says it."""

    @property
    def steps(self) -> int: ...
    @property
    def batch_size(self) -> int: ...
    @property
    def learning_rate(self) -> float: ...
    @property
    def encoder_steps(self) -> int: ...
    @property
    def joint_steps(self) -> int: ...


@dataclass(frozen=True)
class Stage:
    """One run of the training loop. A model has one or several, one after the other.

    Attributes:
        name: for the progress bar.
        steps: optimiser steps; 0 to leave it out.
        batch_size: examples in each.
        learning_rate: peak of the one-cycle schedule.
        parameters: what is optimised.
        prepare: the examples, Features of batch shape `(N,)`; called once, when what came before is done, with a
            generator of the stage's own. Called again when training is resumed, it must give the same.
        loss: of a batch and a generator, to a scalar.
        augmented: whether the model's augmentation turns each batch.
        after_step: called after each step of the optimiser.
        held_out: the examples that held-out transitions give, to judge the weights by the same loss; made when
            `prepare` has been called. None for a stage whose last weights are kept.
    """

    name: str
    steps: int
    batch_size: int
    learning_rate: float
    parameters: Sequence[nn.Parameter]
    prepare: Callable[[np.random.Generator], Batch]
    loss: Callable[[Batch, np.random.Generator], Tensor]
    augmented: bool = True
    after_step: Callable[[], None] | None = None
    held_out: Callable[[Transitions, np.random.Generator], Batch] | None = None


def joined(parts: Sequence[Features]) -> Features:
    """Examples of several batches `(N,)` in one."""
    return Features(
        torch.cat([part.scalars for part in parts]),
        torch.cat([part.vectors for part in parts]),
        torch.cat([part.points for part in parts]),
    )
