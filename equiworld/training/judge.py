"""Selection of weights: those that do best on held-out transitions."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from equiworld.training.stages import Batch, Stage

__all__ = ["Judge"]

_JUDGED_AT_ONCE = 4096  # transitions: what the caches hold


class Judge:
    """Early stopping in the form that fits a schedule: all steps are taken, and the best weights are kept.

    Under a one-cycle schedule the loss rises before it falls, so a stop at its first rise would come too early.

    Args:
        model: whose weights are kept.
        stage: whose loss judges them.
        examples: held-out Features of batch shape `(N,)`; none to keep the last weights.
        seed: of what the loss draws, the same at every look: all weights are judged alike, after resuming too.
        average: of the weights, which is judged and kept in their place; None for the weights themselves.

    Attributes:
        loss: the least mean loss so far; infinity before the first.
        weights: the model's then.
    """

    def __init__(
        self,
        model: nn.Module,
        stage: Stage,
        examples: Batch,
        seed: Sequence[int],
        average: AveragedModel | None = None,
    ) -> None:
        self.model, self.stage, self.examples, self.seed = model, stage, examples, seed
        self.average = average
        self.loss = math.inf
        self.weights: dict[str, Tensor] = {}
        # Twenty looks: one costs as much as a step or a few.
        self.every = max(1, stage.steps // 20)

    def look(self, step: int) -> None:
        """Judge the present weights, if it is time to after so many steps."""
        if not self.examples or (step % self.every and step < self.stage.steps):
            return
        present = None
        if self.average is not None:  # the stage's loss is of the model's own weights
            present = _copied(self.model)
            self.model.load_state_dict(self.average.module.state_dict())
        self.model.eval()
        count, total, rng = len(self.examples[0].scalars), 0.0, np.random.default_rng(self.seed)
        with torch.no_grad():
            for start in range(0, count, _JUDGED_AT_ONCE):
                part = tuple(each[start : start + _JUDGED_AT_ONCE] for each in self.examples)
                total += float(self.stage.loss(part, rng)) * len(part[0].scalars)
        self.model.train()
        if total / count < self.loss:
            self.loss = total / count
            self.weights = _copied(self.model)
        if present is not None:
            self.model.load_state_dict(present)

    def restore(self) -> None:
        """Give the model the best weights, if any were judged, or the last average."""
        if self.weights:
            self.model.load_state_dict(self.weights)
        elif self.average is not None:
            self.model.load_state_dict(self.average.module.state_dict())


def _copied(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}
