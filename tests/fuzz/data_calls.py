"""Calls of datasets, training and judgement, on a point mass."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

import equiworld as ew
from equiworld.symmetry import FeatureType
from equiworld.training import Dataset, TrainingConfig

from .loop_calls import TURN, Still, data, episode, model
from .oracle import Call
from .toys import ENV, SYMMETRY

__all__ = ["CALLS"]


def _dataset(given: dict[str, Any], found: Dataset) -> None:
    assert len(found) == len(found.action) == len(found.episode)
    assert found.action.dtype in (np.float32, np.float64)


def _training() -> list[Call]:
    columns = data()
    plain = {
        "steps": 5,
        "batch_size": 4,
        "learning_rate": 1e-3,
        "encoder_steps": 0,
        "joint_steps": 0,
        "weight_decay": 0.1,
        "held_out": 0.1,
        "gradient_clip": 1.0,
        "seed": 0,
        "checkpoint_every": 5,
        "folder": None,
        "progress": False,
    }
    return [
        Call(
            "TrainingConfig",
            TrainingConfig,
            lambda: dict(plain),
            lambda given, found: found.for_transitions(10),
        ),
        Call(
            "Dataset",
            Dataset,
            lambda: {
                "symmetry": SYMMETRY,
                "observation": dict(columns.observation),
                "action": columns.action.copy(),
                "next_observation": dict(columns.next_observation),
                "episode": columns.episode.copy(),
                "action_repeat": 1,
                "provenance": {},
            },
            _dataset,
        ),
        Call(
            "Dataset.from_episodes",
            Dataset.from_episodes,
            lambda: {
                "symmetry": SYMMETRY,
                "episodes": [episode(0)],
                "action_repeat": 1,
                "extra_keys": "refuse",
                "provenance": {},
            },
            _dataset,
        ),
        Call(
            "Dataset of an episode",
            lambda action, observation: Dataset.from_episodes(
                SYMMETRY, [{"action": action, "observation": observation}]
            ),
            lambda: episode(0),
            _dataset,
            real=False,
        ),
        Call(
            "Dataset.split",
            columns.split,
            lambda: {"shares": (0.5, 0.5), "seed": 0},
            lambda given, found: [_dataset(given, part) for part in found],
        ),
        Call(
            "Dataset.select",
            columns.select,
            lambda: {"which": np.array([0, 2])},
            _dataset,
            close=None,
            real=False,
        ),
        Call("Dataset.transform", columns.transform, lambda: {"g": TURN}, _dataset),
        Call("Dataset.concatenate", Dataset.concatenate, lambda: {"parts": [columns, columns]}, _dataset),
        Call(
            "Dataset.slice_of_headings",
            columns.slice_of_headings,
            lambda: {"half_width": 0.5, "centre": 0.0},
            _dataset,
        ),
        Call("Dataset.features", columns.features, lambda: {"dtype": torch.float64}),
        Call(
            "train",
            lambda config, **given: ew.train(
                config=TrainingConfig(steps=2) if config is None else config, **given
            ),
            lambda: {
                "model": ew.WorldModel.for_env(ENV, family="state", hidden=(4,)),
                "data": data(),
                "config": TrainingConfig(steps=2, batch_size=4),
            },
            close=None,
            weight=1,
        ),
        Call(
            "prediction_error",
            ew.prediction_error,
            lambda: {"model": model(), "data": data(), "trained_on": None},
            weight=2,
        ),
        Call(
            "collect",
            ew.collect,
            lambda: {
                "env": ENV,
                "transitions": 5,
                "seed": 0,
                "exploration": None,
                "action_repeat": 1,
                "steps_per_start": 5,
                "workers": 1,
                "folder": None,
                "progress": False,
                "dtype": "float64",
            },
            _dataset,
            weight=2,
        ),
    ]


def _judgement() -> list[Call]:
    return [
        Call(
            "evaluate",
            ew.evaluate,
            lambda: {
                "policy": Still(),
                "env": ENV,
                "episodes": 2,
                "seed": 0,
                "n_envs": 2,
                "options": None,
                "success": "is_success",
                "max_steps": 2,
                "deterministic": True,
                "progress": False,
            },
            lambda given, found: str(found),
            close=None,
            weight=2,
        ),
        Call(
            "certify",
            ew.certify,
            lambda: {
                "policy": Still(),
                "env": ENV,
                "group": ew.E2(),
                "symmetry": SYMMETRY,
                "elements": 2,
                "episodes": 1,
                "steps": 2,
                "seed": 0,
                "modes": ("passive",),
                "stop_at_success": False,
                "tolerance": 1e-8,
                "translation_scale": 1.0,
                "options": None,
                "success": "is_success",
                "error": None,
            },
            lambda given, found: str(found),
            close=None,
            infinite=True,
            weight=2,
        ),
        Call(
            "check_symmetry",
            ew.check_symmetry,
            lambda: {"env": ENV, "symmetry": SYMMETRY, "seed": 0},
            lambda given, found: str(found),
            close=None,
            infinite=True,
            weight=1,
        ),
        Call(
            "assert_equivariant",
            ew.assert_equivariant,
            lambda: {
                "function": lambda z: z.map(lambda tensor: 2.0 * tensor),
                "rep_in": FeatureType(2, vectors=1),
                "rep_out": FeatureType(2, vectors=1),
                "group": ew.SO2(),
                "n_elements": 20,
                "tolerance": 1e-9,
                "seed": 0,
                "dtype": "float64",
                "batch_size": 2,
            },
            close=None,
            kept=("function", "rep_in", "rep_out"),
            allowed=(AssertionError,),
            weight=1,
        ),
    ]


CALLS = [*_training(), *_judgement()]
