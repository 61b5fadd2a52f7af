"""Data and models that several benchmarks need: made once in the output folder, found there the next time."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import equiworld.envs  # noqa: F401  (registers the environments)
import gymnasium as gym
import numpy as np
from equiworld.envs.pusht.exploration import PushExploration
from joblib import Parallel, delayed

from equiworld.models import WorldModel
from equiworld.training import Dataset, TrainingConfig, collect, train

__all__ = ["SLICE", "TrainingRun", "prepare_data", "train_all"]

ENV = "equiworld/PushT-v0"
SLICE = math.radians(30.0)  # block headings within ± this are the training slice


@dataclass(frozen=True)
class TrainingRun:
    """One model to train.

    Attributes:
        family: of the model.
        seed: of its weights and batches.
        steps: optimiser steps.
        settings: of the family, beyond its defaults.
        data: name of the data it is trained on, for its folder.
    """

    family: str
    seed: int = 0
    steps: int = 6000
    settings: tuple[tuple[str, Any], ...] = ()
    data: str = "slice"

    @property
    def name(self) -> str:
        """Of its folder."""
        settings = "".join(f"-{key}={value}" for key, value in self.settings).replace(" ", "")
        return f"{self.data}-{self.family}-seed{self.seed}-{self.steps}{settings}"


def prepare_data(
    out: Path,
    transitions: int,
    seed: int,
    half_width: float = SLICE,
    progress: bool = False,
    workers: int | None = None,
) -> Dataset:
    """Transitions that begin with the block's heading within ± `half_width`; π for all orientations.

    Args:
        out: folder; the data is read from there if the same call made it before.
        transitions: to collect; a few leave the slice in mid-episode and are dropped.
        seed: of the collection.
        half_width: [rad].
        progress: show a progress bar.
        workers: processes.
    """
    path = out / f"data-{math.degrees(half_width):.0f}-{transitions}-{seed}.safetensors"
    if path.exists():
        return Dataset.load(path)
    env = gym.make(ENV)
    exploration = PushExploration(headings=(-half_width, half_width))
    data = collect(
        env,
        transitions,
        seed,
        exploration=exploration,
        folder=path.with_suffix(""),
        progress=progress,
        workers=workers,
    )
    data = data.slice_of_headings(half_width) if half_width < np.pi else data
    data.save(path)
    return data


def train_all(out: Path, runs: list[tuple[TrainingRun, Dataset]], workers: int = 2) -> list[WorldModel]:
    """Train models in parallel processes, one thread each; those found finished in `out` are only loaded."""
    waiting = [(run, data) for run, data in runs if not (out / run.name / "model.safetensors").exists()]
    if waiting:
        Parallel(n_jobs=min(workers, len(waiting)))(delayed(_train)(out, *item) for item in waiting)
    return [WorldModel.load(out / run.name) for run, _ in runs]


def _train(out: Path, run: TrainingRun, data: Dataset) -> None:
    import torch

    torch.set_num_threads(1)  # this worker's own process: the other core trains another model
    model = WorldModel.for_env(ENV, run.family, seed=run.seed, **dict(run.settings))
    config = TrainingConfig(steps=run.steps, seed=run.seed, folder=str(out / run.name))
    train(model, data, config)
    model.save(out / run.name)


def describe(config: Any) -> dict[str, Any]:
    """A settings dataclass as JSON-able values."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(config).items()}
