"""Parts of several runs, and what is asked of them: what they are not is said before the work."""

import numpy as np
import pytest
from torch import nn

from equiworld.analysis import (
    AveragedEncoder,
    Stitched,
    average_weights,
    compare_runs,
    gauge_between,
    invariance_test,
    latent_error,
)
from equiworld.errors import ArgumentError
from equiworld.groups import SE2, SO2
from equiworld.models import WorldModel
from equiworld.symmetry import Point, Symmetry, Vector

PUCK = Symmetry(SE2(), {"at": Point(), "speed": Vector()}, action=Vector(), reference="at")
MODEL = WorldModel.for_symmetry(PUCK, "state-latent", width=4)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("dynamics", lambda: Stitched(MODEL, 5, None)),
        ("alignment", lambda: Stitched(MODEL, MODEL, 5)),
        ("models", lambda: AveragedEncoder([MODEL, 5], None)),
        ("alignments", lambda: AveragedEncoder([], None)),
        ("alignments", lambda: AveragedEncoder([MODEL, MODEL], [])),
        ("networks", lambda: average_weights(5)),
        ("networks", lambda: average_weights([nn.Linear(2, 2), nn.Linear(3, 2)])),
        ("model", lambda: latent_error(5, None)),
        ("data", lambda: latent_error(MODEL, None)),
        ("data", lambda: gauge_between(MODEL, MODEL, np.zeros((3, 2)))),
        ("latents", lambda: invariance_test(np.zeros((9, 2)), SO2())),
        ("runs", lambda: compare_runs(5)),
    ],
)
def test_what_is_none_is_named(name, wrong):
    with pytest.raises(ArgumentError, match=f"^{name}: "):
        wrong()
