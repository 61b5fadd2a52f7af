"""A world for each kind of representation, in which nothing is to be learned: states drift at random."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import torch

from equiworld.groups import (
    E2,
    O2,
    O3,
    SE2,
    SE3,
    SO2,
    SO3,
    Cyclic,
    Dihedral,
    Isometries,
    Permutation,
    Product,
    left_right,
)
from equiworld.symmetry import (
    Concatenation,
    Heading,
    Orthogonal,
    Permuted,
    Point,
    Pseudoscalar,
    Pseudovector,
    Rotation,
    Scalar,
    SignedPermutation,
    Symmetry,
    Vector,
)
from equiworld.symmetry.sampling import random_observation

UP = (0.0, 0.0, 1.0)
QUARTER = [[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
LEGS = [(1, 0, 3, 2)]
SIGNS = [(-1, -1, 1, 1)]
joints = SignedPermutation(LEGS, SIGNS)
pair = [(1, 0)]

CASES = {
    "turns, a vector": Symmetry(SO2(), {"way": Vector(), "speed": Scalar()}, Vector()),
    "mirrors, rates": Symmetry(O2(), {"way": Vector(2), "rate": Pseudoscalar(2)}, Pseudoscalar(2)),
    "points, a relative action": Symmetry(
        SE2(), {"a": Point(), "b": Point()}, Vector(), goal={"b": "a"}, centre=(1.0, 2.0), length_scale=2.0
    ),
    "points, an absolute action": Symmetry(
        E2(), {"a": Point(), "b": Point(2)}, Point(), reference="a", centre=(1.0, 2.0)
    ),
    "a pose and a mixture": Symmetry(
        SE2(),
        {"at": Point(), "ahead": Heading(), "to": Point()},
        Concatenation((Scalar(), Vector(), Scalar())),
        reference="at",
        heading="ahead",
    ),
    "space, vectors": Symmetry(
        SO3(), {"a": Vector(2), "spin": Pseudovector()}, Concatenation((Vector(), Vector()))
    ),
    "space, mirrors": Symmetry(
        O3(), {"a": Vector(3), "spin": Pseudovector()}, Concatenation((Vector(), Pseudovector()))
    ),
    "space, a body": Symmetry(
        SE3(), {"at": Point(), "turn": Rotation(), "to": Point()}, Vector(), reference="at"
    ),
    "about gravity": Symmetry(SE2(axis=UP), {"at": Point(), "way": Vector(), "load": Scalar()}, Vector()),
    "about gravity, mirrors": Symmetry(O2(axis=UP), {"way": Vector(2), "rate": Pseudoscalar()}, Vector()),
    "left and right": Symmetry(left_right(), {"q": joints, "height": Scalar(), "v": Vector()}, joints),
    "quarter turns": Symmetry(
        Cyclic(4),
        {"v": Vector(2), "feet": SignedPermutation([(3, 0, 1, 2)])},
        SignedPermutation([(3, 0, 1, 2)]),
    ),
    "a square and a mixed pair": Symmetry(
        Dihedral(4),
        {"v": Vector(), "u": Orthogonal([[[0, -1], [1, 0]], [[1, 0], [0, -1]]])},
        Orthogonal([[[0, -1], [1, 0]], [[1, 0], [0, -1]]]),
    ),
    "two bodies that are alike": Symmetry(
        Product(SO2(), Permutation(2)),
        {"v": Permuted(Vector(), pair), "m": SignedPermutation(pair), "w": Vector()},
        Permuted(Vector(), pair),
    ),
    "a body turned against itself": Symmetry(
        Isometries([np.eye(3)], [QUARTER]),
        {"v": Vector(), "feet": SignedPermutation([(3, 0, 1, 2)])},
        SignedPermutation([(3, 0, 1, 2)]),
    ),
}


class Drift(gym.Env):
    """A state that forgets itself; of one array if `flat`."""

    def __init__(self, symmetry: Symmetry, high: float = 1.0, length: int = 20) -> None:
        self.symmetry, self._length = symmetry, length
        self._rng = np.random.default_rng(0)
        shown = random_observation(symmetry, self._rng, 1)

        def box(array):
            return gym.spaces.Box(-np.inf, np.inf, array.shape[1:], np.float64)

        if isinstance(shown, dict):
            self.observation_space = gym.spaces.Dict({name: box(array) for name, array in shown.items()})
        else:
            self.observation_space = box(shown)
        size = symmetry.action.size(symmetry.dim)
        self.action_space = gym.spaces.Box(-high, high, (size,), np.float64)

    def _show(self):
        shown = random_observation(self.symmetry, self._rng, 1)
        return {name: array[0] for name, array in shown.items()} if isinstance(shown, dict) else shown[0]

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        if seed is not None:
            self._rng = np.random.default_rng(seed)
        self._step = 0
        return self._show(), {}

    def step(self, action):
        self._step += 1
        return self._show(), -float(np.square(action).sum()), False, self._step >= self._length, {}


def tensors(observation):
    """Of NumPy's arrays, float64."""
    if isinstance(observation, dict):
        return {name: torch.as_tensor(array) for name, array in observation.items()}
    return torch.as_tensor(observation)


def linear(symmetry, g, difference):
    """ρ(g) of differences of actions."""
    return symmetry.transform_action(g, difference) - symmetry.transform_action(g, np.zeros_like(difference))
