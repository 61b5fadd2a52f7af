"""The training loop: seeded, resumable to the last bit, one loop for every family."""

from __future__ import annotations

import json
import math
import os
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from equiworld.errors import ArgumentError, CheckpointError, SimulationError
from equiworld.files import check_folder
from equiworld.models import WorldModel
from equiworld.storage import load_tensors, save_tensors
from equiworld.symmetry.bound import bounds_of_data
from equiworld.symmetry.holding import origin_field
from equiworld.training.averages import average_of
from equiworld.training.config import TrainingConfig
from equiworld.training.dataset import Dataset
from equiworld.training.held_out import hold_out
from equiworld.training.judge import Judge
from equiworld.training.machine import machine, warn_of_another
from equiworld.training.stages import Batch, Stage, stages_of

__all__ = ["train"]

CHECKPOINT = "checkpoint.safetensors"


def train(
    model: WorldModel,
    data: Dataset,
    config: TrainingConfig | None = None,
    watch: Callable[[str, int], None] | None = None,
) -> WorldModel:
    """Train a model on transitions and return it, in evaluation mode.

    A part of the episodes is held out: they are never trained on, and of the dynamics the weights that do best on them
    are kept (`TrainingConfig.held_out`). Steps and weight decay follow the amount of data unless they are set.

    With `config.folder`, a checkpoint is written every `checkpoint_every` steps, whole or not at all; an
    interrupted call, called again, goes on from the last and ends with the very bits an uninterrupted one gives.

    Args:
        model: any family; trained in place, in its own dtype.
        data: what to train on.
        config: how; `TrainingConfig()` if None.
        watch: called after each step of the optimiser, with the name of the stage and how many steps it has taken; it
            may look at the model, and must leave it as it is.

    Raises:
        ArgumentError: model and data do not fit together, or an augmentation the data does not allow.
        CheckpointError: the checkpoint is cut off, foreign, or of another model, data or configuration.
        SimulationError: the loss became non-finite; the last checkpoint is kept.
    """
    config = TrainingConfig() if config is None else config
    for name, value, kind in (
        ("model", model, WorldModel),
        ("data", data, Dataset),
        ("config", config, TrainingConfig),
    ):
        if not isinstance(value, kind):
            raise ArgumentError(name, f"a {type(value).__name__}", f"a {kind.__name__}")
    if not model.fits(data.symmetry):
        expected = f"state fields, action and centre of the model, {model.symmetry.channels()}"
        raise ArgumentError("data", data.symmetry.channels(), expected)
    if not len(data):
        raise ArgumentError("data", "no transitions", "at least one")
    if config.folder is not None:
        check_folder("folder", config.folder, [CHECKPOINT])
    data = replace(data, symmetry=model.carried(data.symmetry))
    model.action_repeat = data.action_repeat
    _take_over(model, data)
    if config.device is not None:
        model.to(config.device)
    with torch.inference_mode(False), torch.enable_grad():  # whatever mode the caller is in
        run = _Run(model, data, config.for_transitions(len(data)), watch)
        run.start()
        run.loop()
    model.eval()
    return model


class _Run:
    """Everything that changes during training, and its checkpoint."""

    def __init__(
        self,
        model: WorldModel,
        data: Dataset,
        config: TrainingConfig,
        watch: Callable[[str, int], None] | None,
    ) -> None:
        self.model, self.config, self.watch = model, config, watch
        # A generator of its own: which episodes are held out depends on nothing but the seed and the data.
        seen, self.held_out = hold_out(data, config.held_out, np.random.default_rng([config.seed, 9]))
        self.stages = [stage for stage in stages_of(model, seen, config) if stage.steps]
        self.rng = np.random.default_rng([config.seed, 7])
        self.index = self.step = 0
        keys = ("family", "env_id", "recipe", "seed", "symmetry", "dtype")
        identity = {
            "model": {key: model.describe()[key] for key in keys},
            "config": config.identity(),
            "data": data.fingerprint(),
        }
        self.identity = json.loads(json.dumps(identity))  # as a checkpoint gives it back

    def begin(self) -> None:
        """Prepare the stage: its examples, and optimisers that have not stepped."""
        stage, config = self.stages[self.index], self.config
        assert config.weight_decay is not None
        self.parts: Batch = ()  # frees the last stage's before the next one's are made
        self.parts = self._here(stage.prepare(np.random.default_rng([config.seed, 8, self.index])))
        seed = [config.seed, 10, self.index]
        rng = np.random.default_rng(seed)
        examples: Batch = ()
        if stage.held_out is not None and len(self.held_out):
            examples = self._turned(stage, self._here(stage.held_out(self.held_out, rng)), rng)
        self.average = None if config.average is None else average_of(self.model, config.average)
        self.judge = Judge(self.model, stage, examples, seed, self.average)
        rate = stage.learning_rate
        self.optimisers = config.optimiser.build(stage.parameters, rate, config.weight_decay)
        self.schedules = [
            torch.optim.lr_scheduler.OneCycleLR(
                each, max_lr=rate, total_steps=stage.steps + 1, cycle_momentum=False
            )
            for each in self.optimisers
        ]

    def _here(self, parts: Batch) -> Batch:
        """Examples on the model's device."""
        return tuple(part.to(device=self.model.device) for part in parts)

    def loop(self) -> None:
        """All stages that are left, the present one from its present step on."""
        self.model.train()
        while True:
            self._run_stage(self.stages[self.index])
            self.judge.restore()
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
                for optimiser in self.optimisers:
                    optimiser.zero_grad()
                loss.backward()
                # The norm is not finite exactly when the loss or a gradient is not. Asked at every step: weights
                # that are not finite must reach neither a checkpoint nor the caller.
                norm = clip_grad_norm_(stage.parameters, config.gradient_clip)
                if not torch.isfinite(norm):
                    raise SimulationError(
                        f"training ({stage.name}) became non-finite at step {self.step}; lower learning_rate "
                        f"(now {stage.learning_rate}); the last checkpoint is kept"
                    )
                for optimiser, schedule in zip(self.optimisers, self.schedules, strict=True):
                    optimiser.step()
                    schedule.step()
                if stage.after_step is not None:
                    stage.after_step()
                if self.average is not None:
                    self.average.update_parameters(self.model)
                self.step += 1
                self.judge.look(self.step)
                if self.watch is not None:
                    self.watch(stage.name, self.step)
                bar.update()
                if config.folder and self.step % config.checkpoint_every == 0:
                    self.save()

    def _batch(self, stage: Stage) -> Batch:
        count, size = len(self.parts[0].scalars), stage.batch_size
        index = torch.from_numpy(self.rng.integers(count, size=size)).to(self.model.device)
        return self._turned(stage, tuple(part[index] for part in self.parts), self.rng)

    def _turned(self, stage: Stage, batch: Batch, rng: np.random.Generator) -> Batch:
        """A batch under random elements of the model's augmentation, mirrored ones if its group has reflections."""
        group = self.model.augmentation
        if group is None or not stage.augmented:
            return batch
        g = group.sample(rng, len(batch[0].scalars))
        return tuple(part.transform(g) for part in batch)

    def save(self) -> None:
        tensors: dict[str, Tensor] = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        for index, optimiser in enumerate(self.optimisers):
            for number, part in optimiser.state_dict()["state"].items():
                known = {k: torch.as_tensor(v) for k, v in part.items() if v is not None}
                tensors |= {f"optimiser.{index}.{number}.{k}": v for k, v in known.items()}
        for name, module in self._beside().items():
            tensors |= {f"{name}.{k}": v for k, v in module.state_dict().items()}
        tensors |= {f"best.{k}": v for k, v in self.judge.weights.items()}
        settings = {
            "stage": self.index,
            "step": self.step,
            "best": self.judge.loss if self.judge.weights else None,
            "rng": self.rng.bit_generator.state,
            "identity": self.identity,
            "machine": machine(self.model.device),
        }
        save_tensors(Path(str(self.config.folder)) / CHECKPOINT, "checkpoint", tensors, settings)

    def _beside(self) -> dict[str, nn.Module]:
        """The modules that change beside the model, by their names in checkpoints."""
        found = {"memory": self.stages[self.index].memory, "average": self.average}
        return {name: module for name, module in found.items() if module is not None}

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
        warn_of_another(settings.get("machine", {}), machine(self.model.device), path)
        self.index, self.step = settings["stage"], settings["step"]
        weights = _under(tensors, "model.")
        self.model.load_state_dict(weights)  # before: a stage may begin with what the last one made
        self.begin()
        self.model.load_state_dict(weights)
        for name, module in self._beside().items():
            module.load_state_dict(_under(tensors, f"{name}."))
        self.judge.weights = _under(tensors, "best.")
        self.judge.loss = math.inf if settings["best"] is None else settings["best"]
        # Stepping the schedule writes the learning rates; the optimiser's own state follows.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that the optimiser has not stepped yet
            for schedule in self.schedules:
                for _ in range(settings["step"]):
                    schedule.step()
        for index, optimiser in enumerate(self.optimisers):
            whole: dict[str, Any] = optimiser.state_dict()
            whole["state"] = {}
            for name, tensor in _under(tensors, f"optimiser.{index}.").items():
                number, key = name.split(".")
                whole["state"].setdefault(int(number), {})[key] = tensor
            optimiser.load_state_dict(whole)
        self.rng.bit_generator.state = settings["rng"]


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}


def _take_over(model: WorldModel, data: Dataset) -> None:
    """What the data says of actions and sizes: a planner must not ask for actions beyond those the model has seen."""
    symmetry, origin = model.declared, None
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
