"""Stored data and models: a finished stage is found again by equal settings."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import gymnasium as gym

import equiworld.envs  # noqa: F401  registers equiworld/PushT-v0
from equiworld.models import WorldModel
from equiworld.results import make_result, read_json, to_plain, versions, write_json
from equiworld.training import Dataset, TrainingConfig, collect, train

__all__ = ["ENV", "collect_slice", "kept_rows", "stage_folder", "trained_model"]

ENV = "equiworld/PushT-v0"


def stage_folder(root: Path, name: str, settings: Mapping[str, Any]) -> Path:
    """A folder for what depends on these settings and on the versions installed, and on nothing else.

    >>> stage_folder(Path("out"), "train", {"seed": 0}) == stage_folder(Path("out"), "train", {"seed": 1})
    False
    """
    text = json.dumps(to_plain({"settings": dict(settings), "versions": versions()}), sort_keys=True)
    return root / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def kept_rows(
    benchmark: str, config: Any, way: Callable[..., list[dict[str, Any]]], *what: Any
) -> list[dict[str, Any]]:
    """`way(config, *what)`, the rows of one job; an interrupted run of the benchmark does not do it again.

    Args:
        benchmark: its name.
        config: a dataclass; its `out` has the rows, and neither that nor `models`, `workers` and `progress` tell jobs
            apart.
        way: the function.
        what: its further arguments.
    """
    kept = {k: v for k, v in asdict(config).items() if k not in ("out", "workers", "progress", "models")}
    name = way.__name__.strip("_")
    file = stage_folder(config.out / "rows", name, {**kept, "what": what}).with_suffix(".json")
    if not file.exists():
        began = time.perf_counter()
        rows = way(config, *what)
        write_json(
            file, make_result(benchmark, kept, rows, time.perf_counter() - began), allow_nonfinite=True
        )
    return read_json(file)["rows"]


def collect_slice(
    folder: Path, transitions: int, seed: int, half_width: float, workers: int | None, progress: bool
) -> Dataset:
    """PushT transitions that begin with the block's heading within ± `half_width`.

    Args:
        folder: where chunks are kept.
        transitions: how many to collect; those that left the slice on the way are dropped.
        seed: of everything random.
        half_width: [rad].
        workers: processes; as many as cores if None.
        progress: show a progress bar.
    """
    from equiworld.envs.pusht.exploration import PushExploration

    exploration = PushExploration(headings=(-half_width, half_width))
    env = gym.make(ENV)
    try:
        data = collect(
            env, transitions, seed, exploration=exploration, workers=workers, folder=folder, progress=progress
        )
    finally:
        env.close()
    # Up to rounding: a start at the very edge belongs to the slice.
    return data.slice_of_headings(half_width + math.ulp(half_width))


def trained_model(
    folder: Path, data: Dataset, family: str, settings: Mapping[str, Any], training: TrainingConfig
) -> WorldModel:
    """The model in the folder, or one trained now and saved there; interrupted training is resumed.

    Args:
        folder: of this model alone.
        data: what to train on.
        family: of the model.
        settings: of the model, its seed included.
        training: how; its folder, where checkpoints go, may be the same.
    """
    if (folder / "model.safetensors").exists():
        return WorldModel.load(folder)
    env = data.make_env()
    try:
        model = WorldModel.for_env(env, family, symmetry=data.symmetry, transitions=len(data), **settings)
    finally:
        env.close()
    train(model, data, training)
    model.save(folder)
    return model
