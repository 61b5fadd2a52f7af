"""`equiworld train`"""

from __future__ import annotations

import math
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
        family: of the model, such as state, state-steerable, mlp, augmented; of clouds, latent.
        steps: optimiser steps.
        batch_size: transitions in each.
        learning_rate: peak of the one-cycle schedule.
        encoder_steps: before, of models with an encoder.
        joint_steps: afterwards, of models with an encoder.
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
    encoder_steps: int = DEFAULTS.encoder_steps
    joint_steps: int = DEFAULTS.joint_steps
    seed: int = 0
    quick: bool = False
    progress: bool = True

    def run(self) -> Outcome:
        """Train, and write the model."""
        data = Dataset.load(self.data / "data.safetensors")
        env = data.make_env()
        model = WorldModel.for_env(env, self.family, seed=self.seed)
        env.close()
        few = QUICK_STEPS if self.quick else math.inf
        steps, encoder_steps, joint_steps = (
            int(min(count, few)) for count in (self.steps, self.encoder_steps, self.joint_steps)
        )
        config = TrainingConfig(
            steps=steps,
            encoder_steps=encoder_steps,
            joint_steps=joint_steps,
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
            f"{self.family} model of {model.env_id}, {model.parameter_count} parameters, {config.steps} steps on "
            f"{len(data)} transitions in {time.perf_counter() - began:.0f} s: {self.out}"
        )
