"""Actions from one frame to another in torch: those that the declaration's own transformation gives."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from equiworld.groups import E2, E3, O2, SE2, SE3, Cyclic, Dihedral
from equiworld.symmetry import (
    Concatenation,
    Heading,
    Point,
    Pseudoscalar,
    Pseudovector,
    Rotation,
    Scalar,
    Symmetry,
    Vector,
)
from equiworld.symmetry.holding import moved
from equiworld.symmetry.passage import Passage
from equiworld.symmetry.sampling import random_array

PLANE = {
    "vector": Vector(2),
    "points": Point(3),
    "mirrored points": Point(4, mirror=(1, 0, 3, 2)),
    "heading": Heading(axis=0.3),
    "parts": Concatenation((Vector(), Pseudoscalar(), Scalar(), Point(2, mirror=(1, 0)), Heading())),
}
SPACE = {
    "vector": Vector(),
    "pseudovector": Pseudovector(),
    "parts": Concatenation((Point(2), Pseudoscalar(), Pseudovector(), Rotation())),
}
UP = (0.0, 0.0, 1.0)
CASES = [
    *((group, action) for group in (SE2(), E2(), O2(), Cyclic(4), Dihedral(6)) for action in PLANE.values()),
    *((group, action) for group in (SE3(), E3(), SE2(axis=UP), E2(axis=UP)) for action in SPACE.values()),
]


@pytest.mark.exact
@pytest.mark.parametrize(("group", "action"), CASES, ids=str)
def test_actions_are_carried_as_the_declaration_moves_them(group, action):
    symmetry = Symmetry(group, {"way": Vector()}, action=action, centre=(0.5,) * group.dim, length_scale=2.0)
    rng, passage = np.random.default_rng(0), Passage(symmetry, 2.0**-40)
    before, now = (group.sample(rng, 12, scale=2.0) for _ in range(2))
    actions = random_array(action, rng, (12, 2, 3), np.asarray(symmetry.centre))
    frames = (before.matrix, before.translation, now.matrix, now.translation)
    found = passage.carried(*(torch.from_numpy(each) for each in (actions, *frames)))
    expected = moved(symmetry, passage.relative(before, now), actions)
    assert np.abs(found.numpy() - expected).max() <= 1e-14
