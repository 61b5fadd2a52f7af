"""`equiworld train`"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

from equiworld.commands.environment import parse_arguments
from equiworld.commands.outcome import Outcome
from equiworld.errors import ArgumentError
from equiworld.files import check_folder, held_folder
from equiworld.models import WorldModel
from equiworld.training import Dataset, TrainingConfig, train

__all__ = ["Train"]

QUICK_STEPS = 300
DEFAULTS = TrainingConfig()


@dataclass(frozen=True)
class Train:
    """Train a world model on collected data. Interrupted, the same command goes on from its last checkpoint.

    Attributes:
        data: folder of `equiworld collect`, or a file that `Dataset.save` wrote.
        out: folder for the model and its checkpoint.
        env: id of the environment, or module:id; the data's by default, if it is known without an import. Data that
            names none needs none: it says itself how it transforms.
        env_arguments: arguments of `gym.make`, as JSON; those that the data was collected with by default.
        family: of the model, such as state, state-steerable, mlp, augmented; of clouds, latent; auto takes the one
            that the declaration can carry best.
        steps: optimiser steps; by the amount of data if not given.
        batch_size: transitions in each.
        learning_rate: peak of the one-cycle schedule.
        encoder_steps: before, of models with an encoder.
        joint_steps: afterwards, of models with an encoder.
        weight_decay: of AdamW; by the amount of data if not given.
        held_out: share of the transitions, in whole episodes, that the dynamics are judged by and never see.
        seed: of the weights, the batches and the held-out episodes.
        quick: few steps.
        progress: show a progress bar.
    """

    data: Path = Path("runs/data")
    out: Path = Path("runs/model")
    env: str | None = None
    env_arguments: str | None = None
    family: str = "auto"
    steps: int | None = DEFAULTS.steps
    batch_size: int = DEFAULTS.batch_size
    learning_rate: float = DEFAULTS.learning_rate
    encoder_steps: int = DEFAULTS.encoder_steps
    joint_steps: int = DEFAULTS.joint_steps
    weight_decay: float | None = DEFAULTS.weight_decay
    held_out: float = DEFAULTS.held_out
    seed: int = 0
    quick: bool = False
    progress: bool = True

    def run(self) -> Outcome:
        """Train, and write the model."""
        config = TrainingConfig(
            steps=self.steps,
            encoder_steps=self.encoder_steps,
            joint_steps=self.joint_steps,
            weight_decay=self.weight_decay,
            held_out=self.held_out,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            seed=self.seed,
            folder=check_folder("--out", self.out, ["model.safetensors", "model.json"]),
            progress=self.progress,
        )
        data = Dataset.load(self.data if self.data.is_file() else self.data / "data.safetensors")
        config = config.for_transitions(len(data))
        if self.quick:
            counts = {name: getattr(config, name) for name in ("steps", "encoder_steps", "joint_steps")}
            config = replace(config, **{name: min(count, QUICK_STEPS) for name, count in counts.items()})
        model = self._model(data, config.seed)
        began = time.perf_counter()
        with held_folder("--out", self.out):
            train(model, data, config)
            model.save(self.out)
        return Outcome(
            f"{model.family} model of {model.env_id}, {model.parameter_count} parameters, {config.steps} steps on "
            f"{len(data)} transitions in {time.perf_counter() - began:.0f} s: {self.out}"
        )

    def _model(self, data: Dataset, seed: int) -> WorldModel:
        """A fresh model, for the environment if there is one, else for the data alone."""
        arguments = None if self.env_arguments is None else parse_arguments(self.env_arguments)
        if self.env is None and data.provenance.get("environment") is None:
            if arguments is not None:
                raise ArgumentError("--env-arguments", self.env_arguments, "--env too: the data names none")
            return WorldModel.for_data(data, self.family, seed)
        env = data.make_env(self.env, arguments)
        try:
            return WorldModel.for_env(env, self.family, seed, symmetry=data.symmetry, transitions=len(data))
        finally:
            env.close()
