"""Under a group about an axis that does not shift along it, models see how high the body is that all is seen from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from labelled_cases import falling, residual

from equiworld.errors import CheckpointError
from equiworld.groups import SE2, SO2
from equiworld.models import WorldModel
from equiworld.storage import load_tensors, save_tensors
from equiworld.symmetry import Point, Symmetry
from equiworld.training import Dataset, TrainingConfig, train
from equiworld.training.losses import prediction_loss

FAMILIES = {
    "state": {"hidden": (32, 32), "periodic": 0},
    "state-steerable": {"scalars": 16, "vectors": 8, "depth": 2},
    "mlp-centred": {"hidden": (32, 32), "periodic": 0},
}
every_family = pytest.mark.parametrize("family", FAMILIES)


def bouncing(symmetry: Symmetry, count: int = 1000) -> Dataset:
    """A body on a soft floor: the lower it is, the harder it is pushed up."""
    rng, up = np.random.default_rng(0), np.array([0.0, 0.6, 0.8])
    place, speed, action = (rng.normal(size=(count, 3)) for _ in range(3))
    height = place @ up
    after = speed + 0.1 * action + 0.5 * np.exp(-2.0 * height)[:, None].clip(max=5.0) * up
    here = {"place": place, "speed": speed}
    step = {"place": place + 0.1 * after, "speed": after}
    return Dataset(symmetry, here, action, step, np.arange(count) // 10)


def error(symmetry: Symmetry, family: str) -> float:
    """Of one step, in units of each channel's spread, after a short training."""
    data = bouncing(symmetry)
    model = WorldModel.for_symmetry(symmetry, family, env_id="toy", **FAMILIES[family])
    train(model, data, TrainingConfig(steps=300, batch_size=128, learning_rate=1e-2, held_out=0.0))
    if model.equivariant:
        assert residual(model, torch.float64) <= 1e-12
    return prediction_loss(model.dynamics, *data.features()).item()


@every_family
def test_the_height_is_seen(family: str) -> None:
    """Negative control: a group that shifts along the axis says that heights do not matter."""
    assert error(falling(), family) < 0.1 * error(falling(along=True), family)


def test_other_groups_have_no_such_number() -> None:
    for symmetry, raised in (
        (falling(), True),
        (falling(along=True), False),
        (Symmetry(SE2(), {"place": Point()}, Point(), reference="place"), False),
        # Without shifts points are seen from the centre, heights and all.
        (replace(falling(), group=SO2(axis=(0.0, 0.6, 0.8))), False),
    ):
        layout = WorldModel.for_symmetry(symmetry, "state", env_id="toy", hidden=(8,)).dynamics.layout
        assert (layout.raised, layout.in_type.scalars) == (raised, int(raised))


@every_family
def test_models_that_saw_no_height_are_refused(family: str, tmp_path: Path) -> None:
    model = WorldModel.for_symmetry(falling(), family, env_id="toy", **FAMILIES[family])
    folder = model.save(tmp_path)
    WorldModel.load(folder)
    file = folder / "model.safetensors"
    tensors, description = load_tensors(file, "model")
    for name in ("dynamics.in_scalar_mean", "dynamics.in_scalar_scale"):
        tensors[name] = tensors[name][:-1]
    save_tensors(file, "model", tensors, description)
    with pytest.raises(CheckpointError, match=r"did not see heights along the axis.*train it anew"):
        WorldModel.load(folder)
