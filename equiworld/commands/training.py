"""`equiworld train`"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from equiworld.commands.outcome import Outcome
from equiworld.models import WorldModel
from equiworld.training import Dataset, TrainingConfig, train

__all__ = ["Train"]

QUICK_STEPS = 300
DEFAULTS = TrainingConfig()


@dataclass(frozen=True)
class Train:
    """Train a world model on collected data. Interrupted, the same command goes on from its last checkpoint.

    Attributes:
        data: folder of `equiworld collect`.
        out: folder for the model and its checkpoint.
        family: of the model, such as state, state-steerable, mlp, augmented.
        steps: optimiser steps.
        batch_size: transitions in each.
        learning_rate: peak of the one-cycle schedule.
        seed: of the weights and the batches.
        quick: few steps.
        progress: show a progress bar.
    """

    data: Path = Path("runs/data")
    out: Path = Path("runs/model")
    family: str = "state"
    steps: int = DEFAULTS.steps
    batch_size: int = DEFAULTS.batch_size
    learning_rate: float = DEFAULTS.learning_rate
    seed: int = 0
    quick: bool = False
    progress: bool = True

    def run(self) -> Outcome:
        """Train, and write the model."""
        data = Dataset.load(self.data / "data.safetensors")
        env_id = data.provenance["environment"]
        model = WorldModel.for_env(env_id, self.family, seed=self.seed)
        config = TrainingConfig(
            steps=min(self.steps, QUICK_STEPS) if self.quick else self.steps,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            seed=self.seed,
            folder=str(self.out),
            progress=self.progress,
        )
        began = time.perf_counter()
        train(model, data, config)
        model.save(self.out)
        return Outcome(
            f"{self.family} model of {env_id}, {model.parameter_count} parameters, {config.steps} steps on "
            f"{len(data)} transitions in {time.perf_counter() - began:.0f} s: {self.out}"
        )
