"""How wrong one predicted step is, as a share of what the step moved."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equiworld.envs.pusht import geometry
from equiworld.groups import GroupElement
from equiworld.models import WorldModel
from equiworld.training import Dataset
from equiworld.verify.prediction import one_step, relative_error

__all__ = ["StepErrors", "away_from_walls", "step_errors", "turned_errors"]

Array = NDArray[np.float64]

CLEAR_OF_WALLS = 5.0  # [px]


@dataclass(frozen=True)
class StepErrors:
    """Squared lengths [px²] of each of N transitions, summed over the block's corners.

    Attributes:
        error: |predicted − next|², `(N,)`.
        motion: |next − now|², `(N,)`.

    >>> StepErrors(np.array([1.0, 0.0]), np.array([4.0, 4.0])).relative()
    0.125
    """

    error: Array
    motion: Array

    def relative(self, which: NDArray[np.bool_] | None = None) -> float | None:
        """relMSE = Σ‖predicted − next‖² / Σ‖next − now‖², pooled; 1 is as bad as "nothing moves".

        Args:
            which: the transitions to pool, `(N,)`; all if None.

        Returns:
            The relative error, or None where nothing moved.
        """
        chosen = slice(None) if which is None else which
        return relative_error(float(self.error[chosen].sum()), float(self.motion[chosen].sum()))

    def comparable(self, which: NDArray[np.bool_] | None = None) -> float:
        """`relative(which)`, infinite where nothing moved: nothing speaks for a model there.

        >>> perfect, still = (StepErrors(np.zeros(1), np.array([motion])) for motion in (1.0, 0.0))
        >>> perfect.comparable(), still.comparable()
        (0.0, inf)
        """
        found = self.relative(which)
        return math.inf if found is None else found


def step_errors(model: WorldModel, data: Dataset) -> StepErrors:
    """Predict every transition by one step, in float64.

    Args:
        model: of states that hold `block_pos` and `block_heading`.
        data: N transitions.

    Raises:
        ArgumentError: the data was collected with another action repeat than the model was trained with.
    """
    following = [model.symmetry.observation_arrays(predicted) for _, predicted, _ in one_step(model, data)]
    names = ("block_pos", "block_heading")
    predicted = {name: np.concatenate([arrays[name] for arrays in following]) for name in names}
    now, after, guess = (
        geometry.keypoints(_poses(arrays)) for arrays in (data.observation, data.next_observation, predicted)
    )
    return StepErrors(((guess - after) ** 2).sum((-1, -2)), ((after - now) ** 2).sum((-1, -2)))


def turned_errors(model: WorldModel, data: Dataset, elements: GroupElement) -> list[StepErrors]:
    """The errors on the data turned by each of the elements."""
    return [step_errors(model, data.transform(g)) for g in elements]


def away_from_walls(data: Dataset, gap: float = CLEAR_OF_WALLS) -> NDArray[np.bool_]:
    """Whether the block is more than `gap` [px] off the walls at both ends of each transition: `(N,)`."""
    ends = (data.observation, data.next_observation)
    return np.all([geometry.wall_gap(_poses(arrays)) > gap for arrays in ends], axis=0)


def _poses(arrays: object) -> Array:
    """Block poses `(N, 3)`: centre of gravity x, y [px] and heading [rad]."""
    return np.concatenate([arrays["block_pos"], arrays["block_heading"]], -1)  # type: ignore[index]
