"""The training loop: seeded, resumable to the last bit, one loop for every family."""

from __future__ import annotations

import json
import os
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from equiworld.arguments import integer, number
from equiworld.errors import ArgumentError, CheckpointError, SimulationError
from equiworld.files import check_folder
from equiworld.models import WorldModel
from equiworld.models.stage import Batch, Stage
from equiworld.storage import load_tensors, save_tensors
from equiworld.symmetry.bound import bounds_of_data
from equiworld.symmetry.holding import origin_field
from equiworld.training.dataset import Dataset

__all__ = ["TrainingConfig", "train"]

CHECKPOINT = "checkpoint.safetensors"
LEAST = {"steps": 1, "batch_size": 1, "checkpoint_every": 1, "encoder_steps": 0, "joint_steps": 0, "seed": 0}
"""The smallest of each whole number of a configuration."""


@dataclass(frozen=True)
class TrainingConfig:
    """How to train.

    Attributes:
        steps: optimiser steps.
        batch_size: transitions in each; of stages that train an encoder a sixteenth of it, at least 8.
        learning_rate: peak of the one-cycle schedule; a fifth of it for an encoder alone, a fiftieth for both.
        encoder_steps: steps in which an encoder is trained by itself before; of models that have one.
        joint_steps: steps in which encoder and dynamics are trained together afterwards; likewise.
        weight_decay: of AdamW.
        gradient_clip: longest gradient; longer ones are shortened.
        seed: of the batches and the augmentation.
        checkpoint_every: steps between checkpoints, if there is a folder for them.
        folder: where checkpoints go; training that finds one there goes on from it.
        progress: show a progress bar.
    """

    steps: int = 8000
    batch_size: int = 1024
    learning_rate: float = 1e-2
    encoder_steps: int = 1500
    joint_steps: int = 300
    weight_decay: float = 1e-4
    gradient_clip: float = 100.0
    seed: int = 0
    checkpoint_every: int = 1000
    folder: str | os.PathLike[str] | None = None
    progress: bool = False

    def __post_init__(self) -> None:
        plain: dict[str, Any] = {
            name: integer(name, getattr(self, name), least=least) for name, least in LEAST.items()
        }
        for name in ("learning_rate", "gradient_clip"):
            plain[name] = number(name, getattr(self, name), above=0)
        plain["weight_decay"] = number("weight_decay", self.weight_decay, least=0)
        if self.folder is not None:
            plain["folder"] = os.fspath(self.folder)
        for name, value in plain.items():
            object.__setattr__(self, name, value)


def train(model: WorldModel, data: Dataset, config: TrainingConfig | None = None) -> WorldModel:
    """Train a model on transitions and return it, in evaluation mode.

    With `config.folder`, a checkpoint is written every `checkpoint_every` steps, whole or not at all; an
    interrupted call, called again, goes on from the last and ends with the very bits an uninterrupted one gives.

    Args:
        model: any family; trained in place, in its own dtype.
        data: what to train on.
        config: how; `TrainingConfig()` if None.

    Raises:
        ArgumentError: model and data do not fit together, or an augmentation the data does not allow.
        CheckpointError: the checkpoint is cut off, foreign, or of another model, data or configuration.
        SimulationError: the loss became non-finite; the last checkpoint is kept.
    """
    config = config or TrainingConfig()
    if not model.fits(data.symmetry):
        expected = f"state fields, action and centre of the model, {model.symmetry.channels()}"
        raise ArgumentError("data", data.symmetry.channels(), expected)
    if not len(data):
        raise ArgumentError("data", "no transitions", "at least one")
    if config.folder is not None:
        check_folder("folder", config.folder, [CHECKPOINT])
    model.action_repeat = data.action_repeat
    _take_over(model, data)
    run = _Run(model, data, config)
    run.start()
    run.loop()
    model.eval()
    return model


class _Run:
    """Everything that changes during training, and its checkpoint."""

    def __init__(self, model: WorldModel, data: Dataset, config: TrainingConfig) -> None:
        self.model, self.config = model, config
        self.stages = [stage for stage in model.stages(data, config) if stage.steps]
        self.rng = np.random.default_rng([config.seed, 7])
        self.index = self.step = 0
        keys = ("family", "env_id", "settings", "symmetry", "dtype")
        identity = {
            "model": {key: model.describe()[key] for key in keys},
            "config": {
                k: v for k, v in asdict(config).items() if k not in ("folder", "progress", "checkpoint_every")
            },
            "data": data.fingerprint(),
        }
        self.identity = json.loads(json.dumps(identity))  # as a checkpoint gives it back

    def begin(self) -> None:
        """What the stage begins with: its examples, and an optimiser that has not stepped."""
        stage, config = self.stages[self.index], self.config
        self.parts: Batch = ()  # let go of the last stage's before there are the next one's
        self.parts = stage.prepare(np.random.default_rng([config.seed, 8, self.index]))
        self.optimiser = torch.optim.AdamW(
            stage.parameters, lr=stage.learning_rate, weight_decay=config.weight_decay
        )
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimiser,
            max_lr=stage.learning_rate,
            total_steps=stage.steps + 1,
            cycle_momentum=False,
        )

    def loop(self) -> None:
        """All stages that are left, the present one from its present step on."""
        self.model.train()
        while True:
            self._run_stage(self.stages[self.index])
            if self.index == len(self.stages) - 1:
                return
            self.index, self.step = self.index + 1, 0
            self.begin()

    def _run_stage(self, stage: Stage) -> None:
        from tqdm import tqdm

        config = self.config
        with tqdm(
            total=stage.steps, initial=self.step, desc=f"train {stage.name}", disable=not config.progress
        ) as bar:
            while self.step < stage.steps:
                loss = stage.loss(self._batch(stage), self.rng)
                self.optimiser.zero_grad()
                loss.backward()
                # The norm is not finite exactly when the loss or a gradient is not. Asked at every step: weights
                # that are not finite must reach neither a checkpoint nor the caller.
                norm = clip_grad_norm_(stage.parameters, config.gradient_clip)
                if not torch.isfinite(norm):
                    raise SimulationError(
                        f"training ({stage.name}) became non-finite at step {self.step}; lower learning_rate "
                        f"(now {stage.learning_rate}); the last checkpoint is kept"
                    )
                self.optimiser.step()
                self.schedule.step()
                if stage.after_step is not None:
                    stage.after_step()
                self.step += 1
                bar.update()
                if config.folder and self.step % config.checkpoint_every == 0:
                    self.save()

    def _batch(self, stage: Stage) -> Batch:
        count, size = len(self.parts[0].scalars), stage.batch_size
        index = torch.from_numpy(self.rng.integers(count, size=size))
        batch = tuple(part[index] for part in self.parts)
        group = self.model.augmentation
        if group is None or not stage.augmented:
            return batch
        g = group.sample(self.rng, size)
        return tuple(part.transform(g) for part in batch)

    def save(self) -> None:
        tensors: dict[str, Tensor] = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        state = self.optimiser.state_dict()["state"]
        tensors |= {
            f"optimiser.{i}.{k}": torch.as_tensor(v) for i, part in state.items() for k, v in part.items()
        }
        settings = {
            "stage": self.index,
            "step": self.step,
            "rng": self.rng.bit_generator.state,
            "identity": self.identity,
        }
        save_tensors(Path(str(self.config.folder)) / CHECKPOINT, "checkpoint", tensors, settings)

    def start(self) -> None:
        """Begin, or go on from the folder's checkpoint if there is one."""
        path = Path(self.config.folder or os.devnull) / CHECKPOINT
        if not path.exists():
            self.begin()
            return
        tensors, settings = load_tensors(path, "checkpoint")
        if settings["identity"] != self.identity:
            different = [
                key for key, value in self.identity.items() if settings["identity"].get(key) != value
            ]
            raise CheckpointError(
                f"{path} is of another training run (different: {', '.join(different)}); "
                "train in another folder, or delete it"
            )
        self.index, self.step = settings["stage"], settings["step"]
        weights = _under(tensors, "model.")
        self.model.load_state_dict(weights)  # before: a stage may begin with what the last one made
        self.begin()
        self.model.load_state_dict(weights)
        # Stepping the schedule writes the learning rates; the optimiser's own state follows.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that the optimiser has not stepped yet
            for _ in range(settings["step"]):
                self.schedule.step()
        whole: dict[str, Any] = self.optimiser.state_dict()
        whole["state"] = {}
        for name, tensor in _under(tensors, "optimiser.").items():
            index, key = name.split(".")
            whole["state"].setdefault(int(index), {})[key] = tensor
        self.optimiser.load_state_dict(whole)
        self.rng.bit_generator.state = settings["rng"]


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}


def _take_over(model: WorldModel, data: Dataset) -> None:
    """What the data says of actions and sizes: a planner must not ask for actions beyond those the model has seen."""
    symmetry, origin = model.symmetry, None
    name = origin_field(symmetry)
    if name is not None and name in data.observation:
        centre = np.asarray(symmetry.centre)
        points = data.symmetry.observation[name].encode(data.observation[name].astype(np.float64), centre)[
            "points"
        ]
        origin = points.mean(-1) + centre
    model.action_bound = bounds_of_data(symmetry, model.action_bound, data.action, origin)
    for name, array in data.observation.items():
        spread = float(array.astype(np.float64).std(0).max())
        if spread > 0:
            model.scales[name] = spread
