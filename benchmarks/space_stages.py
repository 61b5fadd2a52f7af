"""Data of clouds and models of them that are kept: what the benchmarks in space have in common."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import equiworld.envs  # noqa: F401  registers equiworld/CloudPush-v0
import gymnasium as gym
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
    """What is collected and trained, once for all benchmarks that share a folder.

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

    def data(self, name: str) -> Dataset:
        """Transitions that begin in the "slice" or among "all" orientations, or those kept for a "… test"."""
        test = name.endswith("test")
        count = self.test_transitions if test else self.transitions
        angle = math.radians(self.half_width) if name.startswith("slice") else math.pi
        points = TESTED_POINTS if test else TRAINED_POINTS
        seed = 10 * self.seed + _SEEDS[name]
        depends = {"transitions": count, "seed": seed, "angle": angle, "points": points, **self.arguments}
        folder = stage_folder(self.out / "data", name.replace(" ", "-"), depends)
        env = gym.make(ENV, points=points, max_angle=angle, disable_env_checker=True, **self.arguments)
        try:
            return collect(
                env,
                count,
                seed,
                workers=self.workers,
                folder=folder,
                progress=self.progress,
                dtype="float64" if test else "float32",  # tests of exactness need every bit
            )
        finally:
            env.close()

    def overlap(self, *names: str) -> dict[str, Any]:
        """Proof that data sets share no episode: a turned copy of an episode is that episode."""
        return check_disjoint(**{name.replace(" ", "_"): self.data(name) for name in names})

    def folder(self, family: str, data: str, seed: int | None = None) -> Path:
        """Of one model."""
        depends = {
            "family": family,
            "settings": {"seed": self._seed(seed), **self.settings},
            "data": [data, self.transitions, self.seed, self.half_width],
            "training": self._training(),
            **self.arguments,
        }
        return stage_folder(self.out / "models", f"{data}-{family}-{self._seed(seed)}", depends)

    def model(self, family: str, data: str, seed: int | None = None, progress: bool = False) -> WorldModel:
        """The model of a family trained on the "slice" or on "all"; trained now if it is not yet there."""
        folder = self.folder(family, data, seed)
        if (folder / "model.safetensors").exists():
            return WorldModel.load(folder)
        training = self._training(str(folder), progress, self._seed(seed))
        settings = {"seed": self._seed(seed), **self.settings}
        return trained_model(folder, self.data(data), family, settings, training)

    def _seed(self, seed: int | None) -> int:
        return self.seed if seed is None else seed

    def _training(
        self, folder: str | None = None, progress: bool = False, seed: int | None = None
    ) -> TrainingConfig:
        return TrainingConfig(
            steps=self.steps,
            batch_size=self.batch_size,
            encoder_steps=self.encoder_steps,
            joint_steps=self.joint_steps,
            seed=self._seed(seed),
            folder=folder,
            progress=progress,
        )
