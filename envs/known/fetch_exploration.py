"""What is worth trying in FetchPush: going behind the block, as seen from where it should go, and pushing it there.

The table's plane is one of complex numbers, in which the block is the origin and points where it should go along x.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["GAIN", "HELD", "FetchPushExploration", "Hand", "plane"]

GAIN = 0.03  # [m] that the longest action takes a hand in one step
HELD = 0.04  # [m] between the middles of the block and of a hand that pushes it
_BEHIND, _AROUND = 0.065, 0.085  # [m] from the block's middle: where a push begins, and a circle around it
_TOUCH, _SIDEWAYS = 0.02, 0.015  # [m] a hand is behind the block from here on, so far off the line at most
_DETOUR, _STRAIGHT = 0.8, 0.6  # [rad] on the circle in a step at most; a hand goes straight within
_MIDDLE, _HALF = (1.345, 0.749), 0.17  # [m] where blocks and goals begin lie
_CLOSE = 0.03  # [m] a place is reached


class Hand(NamedTuple):
    """Hands above the table.

    Attributes:
        place: relative to the block, as seen along the way that it should go.
    """

    place: Tensor

    def behind(self, side: Tensor | float) -> Tensor:
        """Whether a push from here, `side` [m] left of the block's middle, takes the block along."""
        return (self.place.real < -_TOUCH) & ((self.place.imag - side).abs() < _SIDEWAYS)

    def approach(self, side: Tensor | float) -> Tensor:
        """Where to go next to come behind the block, around it where it is in the way."""
        angle = self.place.angle()
        turn = torch.remainder(math.tau - angle, math.tau) - math.pi
        ahead = angle + turn.clamp(-_DETOUR, _DETOUR)
        around = torch.polar(torch.full_like(ahead, _AROUND), ahead)
        return torch.where(turn.abs() > _STRAIGHT, around, 1j * side - _BEHIND)

    def push(self, side: Tensor | float) -> Tensor:
        """The direction of a push through the block."""
        ahead = 1j * side + 2 * HELD - self.place
        return ahead / ahead.abs()


@dataclass
class _Intent:
    """What a hand is about; not shown, for it is no setting that data is known by.

    Attributes:
        target: where the block should go; None if that is to be drawn.
        side: [m] left of the block's middle.
        pace: of the push, as a share of the longest action.
        height: [m] of the hand.
    """

    target: complex | None = field(default=None, repr=False)
    side: float = field(default=0.0, repr=False)
    pace: float = field(default=1.0, repr=False)
    height: float = field(default=0.0, repr=False)


class FetchPushExploration:
    """Goes behind the block and pushes it, to one random place after another and to the goal, with noise.

    Scripted: it knows how a hand gets around a block, and that it should stay low. The block moves in about half of
    the transitions, of random actions in hardly any.

    Args:
        action_repeat: steps that an action is held.
        steps_per_start: actions in an episode.
        noise: of each action, as a share of the longest.
        wild: share of the actions that go anywhere.

    >>> FetchPushExploration(noise=0.3).start(np.random.default_rng(0))
    {}
    """

    def __init__(
        self, action_repeat: int = 1, steps_per_start: int = 50, noise: float = 0.25, wild: float = 0.1
    ) -> None:
        self.action_repeat, self.steps_per_start = action_repeat, steps_per_start
        self.noise, self.wild = noise, wild
        self._intent = _Intent()

    def start(self, rng: np.random.Generator) -> dict[str, Any]:
        """No options for the reset; where the block goes is drawn anew."""
        self._intent.target = None
        return {}

    def action(
        self, rng: np.random.Generator, observation: dict[str, NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        """A displacement `(4,)` around the block or through it, or anywhere; nothing of the fingers."""
        seen, block = observation["observation"], complex(plane(observation["achieved_goal"]))
        intent, target = self._intent, self._intent.target
        if target is None or abs(target - block) < _CLOSE or rng.random() < 0.05:
            target = self._draw(rng, block, complex(plane(observation["desired_goal"])))
        along = (target - block) / max(abs(target - block), 1e-9)
        hand = Hand(torch.tensor((complex(plane(seen[:3])) - block) / along, dtype=torch.complex128))
        if hand.behind(intent.side):
            move = complex(intent.pace * hand.push(intent.side))
        else:
            move = complex((hand.approach(intent.side) - hand.place) / GAIN)
        flat, lift = move / max(1.0, abs(move)) * along, (intent.height - seen[2]) / GAIN
        action = np.array([flat.real, flat.imag, min(max(lift, -1.0), 1.0)])
        action += self.noise * np.array([1.0, 1.0, 0.5]) * rng.normal(size=3)
        if rng.random() < self.wild:
            action = rng.uniform(-1.0, 1.0, 3)
        return np.append(action / max(1.0, float(np.linalg.norm(action))), 0.0)

    def _draw(self, rng: np.random.Generator, block: complex, goal: complex) -> complex:
        """Where to push the block next, on which side, how fast, and at what height."""
        intent = self._intent
        intent.side, intent.height = rng.uniform(-0.015, 0.015), rng.uniform(0.42, 0.44)
        intent.pace = math.exp(rng.uniform(math.log(0.3), 0.0))
        place = block + rng.uniform(0.06, 0.25) * np.exp(1j * rng.uniform(-math.pi, math.pi))
        x, y = np.clip([place.real - _MIDDLE[0], place.imag - _MIDDLE[1]], -_HALF, _HALF).tolist()
        intent.target = complex(_MIDDLE[0] + x, _MIDDLE[1] + y)
        if rng.random() < 0.3:
            intent.target = goal + complex(*rng.normal(0.0, 0.02, 2))
        return intent.target


def plane(arrows: Any) -> Any:
    """What of arrows in space `(…, 3)`, NumPy's or torch's, lies in the table's plane, as complex numbers `(…)`."""
    return arrows[..., 0] + 1j * arrows[..., 1]
