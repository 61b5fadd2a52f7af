"""Plans in a linear latent space, by costs of several symmetries and dynamics that have one or not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from equiworld.analysis.gauge import polar
from equiworld.benchmarks.suite.rows import Row
from equiworld.benchmarks.worlds.hidden_states import KIND, RATES
from equiworld.groups import SO3
from equiworld.groups.arrays import Array

__all__ = ["plan_deviations"]

Cost = Callable[[Tensor, Tensor], Tensor]

_HORIZON, _ITERATIONS, _STEP, _TURNS = 5, 40, 0.05, 16


def _vectors(z: Tensor) -> Tensor:
    return z[..., KIND.scalars :].unflatten(-1, (KIND.vectors, KIND.dim))


def _whole(z: Tensor, goal: Tensor) -> Tensor:
    return (z - goal).square().sum()


def _place(z: Tensor, goal: Tensor) -> Tensor:
    return (_vectors(z)[..., 0, :] - _vectors(goal)[..., 0, :]).square().sum()


def _task(z: Tensor, goal: Tensor) -> Tensor:
    """To be at a place, at right angles to a second vector, with a scalar at its goal."""
    own, other = _vectors(z), _vectors(goal)
    apart = (own[..., 0, :] - other[..., 0, :]).norm(dim=-1)
    angle = (own[..., 1, :] * own[..., 2, :]).sum(-1)
    return (apart + 0.1 * angle.square() + (z[..., 0] - goal[..., 0]).square()).sum()


def _first_axis(z: Tensor, goal: Tensor) -> Tensor:
    return (z[..., KIND.scalars] - goal[..., KIND.scalars]).square().sum()


COSTS: dict[str, Cost] = {
    "whole latent, kept by O(n)": _whole,
    "one vector's place, kept by the group": _place,
    "place, angle and a scalar, kept by the group": _task,
    "the world's first axis, kept by nothing": _first_axis,
}


def plan_deviations(rng: np.random.Generator) -> list[Row]:
    """|plan(g·s) − g·plan(s)|: a row for each cost, with dynamics that commute and with a plain twin."""
    exact = np.diag(RATES), _actuation(np.eye(KIND.dim))
    twin = _fitted(rng, *exact)
    rows = []
    for by, (matrix, push) in (("dynamics that commute", exact), ("plain dynamics, from a slice", twin)):
        for name, cost in COSTS.items():
            if by.startswith("plain") and name.startswith("the world"):
                continue
            worst, largest = 0.0, 0.0
            z, goal = rng.normal(size=(2, KIND.size))
            here = _plan(matrix, push, cost, z, goal)
            for g in SO3().sample_matrices(rng, _TURNS):
                there = _plan(matrix, push, cost, _turned(z, g), _turned(goal, g))
                worst = max(worst, float(np.abs(there - here @ g.T).max()))
                largest = max(largest, float(np.abs(here).max()))
            change = _isometry_change(cost, rng)
            row: Row = {"law": name, "by": by, "deviation": worst / largest}
            rows.append(row | {"isometry_change": change})
    return rows


def _actuation(inner: Array) -> Array:
    """How an action, a vector, pushes the six: by known shares, and no scalar."""
    found = np.zeros((KIND.size, KIND.dim))
    found[KIND.scalars :] = np.kron(np.linspace(1.0, 0.2, KIND.vectors)[:, None], inner)
    return found


def _fitted(rng: np.random.Generator, matrix: Array, push: Array) -> tuple[Array, Array]:
    """Least squares without a symmetry on noisy transitions whose vectors lie near the world's first axis."""
    z, action = rng.normal(size=(400, KIND.size)), rng.normal(size=(400, KIND.dim))
    z[:, KIND.scalars :] *= np.tile([1.0, 0.1, 0.1], KIND.vectors)
    action *= [1.0, 0.1, 0.1]
    after = z @ matrix.T + action @ push.T + 0.1 * rng.normal(size=z.shape)
    found: Array = np.linalg.lstsq(np.hstack([z, action]), after, rcond=None)[0].T.astype(np.float64)
    return found[:, : KIND.size], found[:, KIND.size :]


def _plan(matrix: Array, push: Array, cost: Cost, z: Array, goal: Array) -> Array:
    """Actions `(H, 3)` by a fixed number of gradient steps from rest, Σ|a|² beside the cost."""
    a, b, start, wanted = (torch.as_tensor(each) for each in (matrix, push, z, goal))
    actions = torch.zeros(_HORIZON, KIND.dim, dtype=torch.float64)
    for _ in range(_ITERATIONS):
        actions.requires_grad_()
        with torch.enable_grad():
            state, total = start, 0.1 * actions.square().sum()
            for action in actions:
                state = a @ state + b @ action
                total = total + cost(state, wanted)
            (slope,) = torch.autograd.grad(total, actions)
        actions = (actions - _STEP * slope / (1 + slope.norm())).detach()
    found: Array = actions.numpy()
    return found


def _turned(z: Array, g: Array) -> Array:
    vectors = z[KIND.scalars :].reshape(KIND.vectors, KIND.dim) @ g.T
    return np.concatenate([z[: KIND.scalars], vectors.ravel()])


def _isometry_change(cost: Cost, rng: np.random.Generator) -> float:
    """Largest relative change of the cost where an element of O(n) turns state and goal."""
    changes = []
    for _ in range(8):
        z, goal = rng.normal(size=(2, KIND.size))
        q = polar(rng.normal(size=(KIND.size, KIND.size)))
        one, other = (
            float(cost(*(torch.as_tensor(each) for each in pair))) for pair in ((z, goal), (q @ z, q @ goal))
        )
        changes.append(abs(other - one) / abs(one))
    return max(changes)
