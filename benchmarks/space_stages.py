"""Stored data of clouds and models of them, shared by the benchmarks in space."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import gymnasium as gym

import equiworld.envs  # noqa: F401  registers equiworld/CloudPush-v0
from equiworld.benchmarks.stages import stage_folder, trained_model
from equiworld.models import WorldModel
from equiworld.training import Dataset, TrainingConfig, check_disjoint, collect

__all__ = ["ENV", "TRAINED_POINTS", "SpaceStages"]

ENV = "equiworld/CloudPush-v0"
TRAINED_POINTS = 256
"""Points of the clouds that are collected; encoders train on halves of them, and are tested on fresh clouds."""
TESTED_POINTS = 128

_SEEDS = {"slice": 0, "all": 1, "slice test": 2, "all test": 3}


@dataclass(frozen=True)
class SpaceStages:
    """The data sets and models, made once for all benchmarks that share a folder.

    Attributes:
        out: folder that data and models are kept in.
        seed: of the data and the models.
        transitions: collected of each of the slice and all orientations.
        test_transitions: likewise, with seeds of their own.
        steps: of the dynamics.
        encoder_steps: of the encoder alone.
        joint_steps: of both together.
        batch_size: transitions in each.
        half_width: of the slice: orientations within this angle [deg] of the unturned one.
        settings: of the models, beside the seed.
        arguments: of the environment that data is collected from.
        workers: processes; as many as cores if None.
        progress: show progress bars.
    """

    out: Path
    seed: int = 0
    transitions: int = 200_000
    test_transitions: int = 2_000
    steps: int = 8000
    encoder_steps: int = 1500
    joint_steps: int = 300
    batch_size: int = 1024
    half_width: float = 45.0
    settings: Mapping[str, Any] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    workers: int | None = None
    progress: bool = True

    @classmethod
    def of(cls, config: Any, **changes: Any) -> SpaceStages:
        """With the settings that a benchmark's share with these by name, and changes."""
        shared = {one.name: getattr(config, one.name) for one in fields(cls) if hasattr(config, one.name)}
        return cls(**{**shared, **changes})

    def data(self, name: str) -> Dataset:
        """Transitions that begin in the "slice" or among "all" orientations, or those kept for a "… test"."""
        what, test = self._collected(name), name.endswith("test")
        env = gym.make(ENV, disable_env_checker=True, **what["arguments"])
        try:
            return collect(
                env,
                what["transitions"],
                what["seed"],
                workers=self.workers,
                folder=self._data_folder(name),
                progress=self.progress,
                dtype="float64" if test else "float32",  # tests of exactness need every bit
            )
        finally:
            env.close()

    def overlap(self, *names: str) -> dict[str, Any]:
        """Proof that data sets share no episode: a turned copy of an episode is that episode."""
        return check_disjoint(**{name.replace(" ", "_"): self.data(name) for name in names})

    def model(self, family: str, data: str, progress: bool = False) -> WorldModel:
        """The model of a family trained on the "slice" or on "all"; trained now if it is not yet there."""
        settings, training = {"seed": self.seed, **self.settings}, self._training()
        depends = {
            "family": family,
            "settings": settings,
            "data": self._data_folder(data).name,
            "training": training,
        }
        folder = stage_folder(self.out / "models", f"{data}-{family}-{self.seed}", depends)
        if (folder / "model.safetensors").exists():
            return WorldModel.load(folder)
        training = replace(training, folder=str(folder), progress=progress)
        return trained_model(folder, self.data(data), family, settings, training)

    def _collected(self, name: str) -> dict[str, Any]:
        """All that a data set depends on."""
        test = name.endswith("test")
        return {
            "transitions": self.test_transitions if test else self.transitions,
            "seed": 10 * self.seed + _SEEDS[name],
            "arguments": {
                "points": TESTED_POINTS if test else TRAINED_POINTS,
                "max_angle": math.radians(self.half_width) if name.startswith("slice") else math.pi,
                **self.arguments,
            },
        }

    def _data_folder(self, name: str) -> Path:
        return stage_folder(self.out / "data", name.replace(" ", "-"), self._collected(name))

    def _training(self) -> TrainingConfig:
        return TrainingConfig(
            steps=self.steps,
            batch_size=self.batch_size,
            encoder_steps=self.encoder_steps,
            joint_steps=self.joint_steps,
            seed=self.seed,
        )
