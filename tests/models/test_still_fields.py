"""Numbers that never change in the data, or change by rounding alone, stay, and blow nothing up."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import equiworld as ew
from equiworld.symmetry import Point, Scalar, Symmetry, Vector

FIELDS = {"place": Point(), "way": Vector(), "rest": Vector(), "height": Scalar(), "mass": Scalar()}
SYMMETRY = Symmetry(ew.SE2(), FIELDS, action=Vector())


def episode(rng: np.random.Generator) -> dict[str, object]:
    actions = rng.uniform(-0.5, 0.5, (20, 2))
    place = rng.normal(size=2) + np.concatenate([np.zeros((1, 2)), np.cumsum(actions, 0)])
    seen = {
        "place": place,
        "way": np.tile([1.0, 2.0], (21, 1)),
        "rest": 1e-18 * rng.normal(size=(21, 2)),  # as of a simulator at rest
        "height": 0.3 + 1e-17 * rng.normal(size=(21, 1)),
        "mass": np.full((21, 1), 2.0),
    }
    return {"observation": seen, "action": actions}


@pytest.mark.parametrize("family", ["state-steerable", "mlp", "augmented"])
def test_what_never_moved_stays_and_may_be_another_one(family: str) -> None:
    rng = np.random.default_rng(0)
    data = ew.Dataset.from_episodes(SYMMETRY, [episode(rng) for _ in range(20)])
    model = ew.train(ew.WorldModel.for_data(data, family), data, ew.TrainingConfig(steps=30))
    assert ew.prediction_error(model, data).fields["mass"].rms == 0.0
    other = {"place": [0.0, 0.0], "way": [1.0, 2.0], "rest": [0.1, 0.0], "height": [0.35], "mass": [2.1]}
    z = model.encode({name: np.array(value) for name, value in other.items()})
    ahead = model.rollout(z, torch.zeros(10, 2))
    assert torch.isfinite(ahead.flatten()).all()
    assert ahead.flatten().abs().max() < 10.0
    assert torch.equal(ahead.scalars[-1, -1], z.scalars[-1])  # the mass
