"""A particle in space that is pulled to a place and pushed, with what breaks its SO(3) by a dose."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

__all__ = ["ParticleEnv"]

CENTRE = (0.4, -0.2, 0.3)
STEP = 0.2  # [s]


class ParticleEnv(gym.Env[dict[str, NDArray[np.float64]], NDArray[np.float64]]):
    """Observed are its place [m] and its velocity [m/s]; actions are forces on its unit mass [N].

    The pull towards a place that is not the origin saturates with the distance, and drag grows with speed.

    Args:
        gravity: a force along −z [N], which leaves the turns about z.
        drag: of the velocity along x, beside that along all axes [1/s]; it leaves the turns about x.
    """

    def __init__(self, gravity: float = 0.0, drag: float = 0.0) -> None:
        self.gravity, self.drag = gravity, drag
        unbounded = spaces.Box(-np.inf, np.inf, (3,), np.float64)
        self.observation_space = spaces.Dict({"place": unbounded, "velocity": unbounded})  # type: ignore[assignment]
        self.action_space = spaces.Box(-1.0, 1.0, (3,), np.float64)  # type: ignore[assignment]
        self._place = self._velocity = np.zeros(3)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self._place = self.np_random.normal(CENTRE, 1.0)
        self._velocity = self.np_random.normal(size=3)
        return self._seen(), {}

    def step(self, action: NDArray[np.float64]) -> Any:
        offset, speed = self._place - CENTRE, self._velocity @ self._velocity
        force = np.asarray(action, np.float64) - offset * (0.5 + 1.0 / (1.0 + offset @ offset))
        force = force - 0.3 * self._velocity * np.sqrt(1.0 + speed) - [0.0, 0.0, self.gravity]
        self._velocity = self._velocity + STEP * (force - [self.drag * self._velocity[0], 0.0, 0.0])
        self._place = self._place + STEP * self._velocity
        return self._seen(), 0.0, False, False, {}

    def _seen(self) -> dict[str, NDArray[np.float64]]:
        return {"place": self._place.copy(), "velocity": self._velocity.copy()}
