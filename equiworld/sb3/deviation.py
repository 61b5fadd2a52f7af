"""How far a policy of any kind is from equivariance."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiworld.symmetry import Symmetry

__all__ = ["action_deviation"]


def action_deviation(
    policy: Any, symmetry: Symmetry, observations: Any, rng: np.random.Generator, scale: float | None = None
) -> float:
    """The root mean square of π(g·s) − ρ(g) π(s) over that of π(s) about its mean, g drawn for each s; 0 if exact.

    It is √2 for actions that have nothing to do with what they are at s.

    Args:
        policy: anything with `predict(observation, deterministic=True)`.
        symmetry: of observations and actions.
        observations: a batch `(B, …)`, or a mapping of such.
        rng: the elements' source.
        scale: the longest translation; the symmetry's length scale if None.

    >>> from equiworld.groups import SO2
    >>> from equiworld.sb3 import FunctionPolicy
    >>> from equiworld.symmetry import Vector
    >>> symmetry, rng = Symmetry(SO2(), {"way": Vector()}, Vector()), np.random.default_rng(0)
    >>> ahead = FunctionPolicy(lambda seen: seen["way"])
    >>> action_deviation(ahead, symmetry, {"way": rng.normal(size=(32, 2))}, rng) < 1e-12
    True
    """
    arrays = observations.values() if isinstance(observations, dict) else (observations,)
    count = len(next(iter(arrays)))
    g = symmetry.group.sample(rng, count, scale=symmetry.length_scale if scale is None else scale)
    before = _actions(policy, observations)
    after = _actions(policy, symmetry.transform_observation(g, observations))
    apart = after - symmetry.transform_action(g, before)
    spread = np.sqrt(np.square(before - before.mean(0)).sum(-1).mean())
    return float(np.sqrt(np.square(apart).sum(-1).mean()) / max(spread, 1e-12))


def _actions(policy: Any, observations: Any) -> NDArray[np.float64]:
    return np.asarray(policy.predict(observations, deterministic=True)[0], np.float64)
