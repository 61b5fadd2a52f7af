"""How well a model of several bodies predicts one step, and how exactly it commutes with their group."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from equiworld.groups import GroupElement
from equiworld.models import WorldModel
from equiworld.models.encoders import CloudObservationEncoder
from equiworld.models.encoders.cloud_layout import CloudLayout
from equiworld.symmetry import Field
from equiworld.training import Dataset
from equiworld.verify.prediction import relative_error

__all__ = ["place_errors", "step_residual"]


def place_errors(model: WorldModel, data: Sequence[Dataset], places: str) -> dict[str, float | None]:
    """Of places: Σ|error|² over Σ|motion|², and the roots of both means. Clouds are fresh: their noise counts.

    Args:
        model: that predicts.
        data: transitions.
        places: the part of latents that holds the places; of poses, of observations.
    """
    error = motion = 0.0
    count = 0
    for each in data:
        found = _predicted(model, each)[places]
        before, after = (
            _shown(model, shown, places).astype(np.float64)
            for shown in (each.observation, each.next_observation)
        )
        error += float(np.square(found - after).sum())
        motion += float(np.square(after - before).sum())
        count += after.size // each.symmetry.dim
    return {
        "relative_error": relative_error(error, motion),
        "error": math.sqrt(error / count),
        "motion": math.sqrt(motion / count),
    }


def step_residual(model: WorldModel, data: Dataset, g: GroupElement) -> float:
    """How far predicting what is moved is from moving what is predicted, in units of the prediction's spread."""
    here, there = _predicted(model, data), _predicted(model, data.transform(g))
    fields, centre = _fields(model, data), data.symmetry.centre
    found = []
    for name, array in here.items():
        moved = fields[name].transform(g, array, centre, name)
        found.append(float(np.abs(there[name] - moved).max() / max(np.std(moved), 1e-12)))
    return max(found)


def _shown(model: WorldModel, arrays: Mapping[str, NDArray[Any]], places: str) -> NDArray[Any]:
    if places in arrays:
        return arrays[places]
    with torch.no_grad():
        return model.latent.observation_arrays(model.encode(arrays))[places]


def _predicted(model: WorldModel, data: Dataset) -> dict[str, NDArray[np.floating]]:
    with torch.no_grad():
        action = torch.as_tensor(np.asarray(data.action, np.float64)).to(model.dtype)
        return model.latent.observation_arrays(model.predict(model.encode(data.observation), action))


def _fields(model: WorldModel, data: Dataset) -> Mapping[str, Field]:
    """What is predicted, under the whole group of the data, of which a model may carry less."""
    if isinstance(model.encoder, CloudObservationEncoder):
        return CloudLayout(data.symmetry, model.encoder.network.out_type).latent.observation
    return data.symmetry.observation
