"""A puck in a wind that nobody foresees: the same in all directions, of one sign, or along the world's x alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from puck import Puck


class NoisyPuck(Puck):
    """A puck that is pushed at random.

    Args:
        noise: "all round", "along the way" (which both sides may share), or "along x".
        strength: of the noise.
        settings: of the puck.
    """

    def __init__(self, noise: str, strength: float = 0.1, **settings: Any) -> None:
        super().__init__(**settings)
        self.settings = {
            name: each for name, each in self.settings.items() if name not in ("self", "__class__")
        }
        self.noise, self.strength = noise, strength

    def step(self, action: Any) -> Any:
        drawn = self.strength * self.np_random.normal(size=2)
        if self.noise == "all round":
            self.speed = self.speed + drawn
        elif self.noise == "along the way":
            self.speed = self.speed * (1.0 + drawn[0])
        else:
            self.speed = self.speed + np.array([drawn[0], 0.0])
        return super().step(action)


class OwnNoisePuck(NoisyPuck):
    """One that draws from a generator which nobody else knows."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.hidden = _Hidden()

    def step(self, action: Any) -> Any:
        kept, self._np_random = self._np_random, self.hidden.rng
        try:
            return super().step(action)
        finally:
            self._np_random = kept


class _Hidden:
    """Holds a generator that copies share."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)

    def __deepcopy__(self, memo: Any) -> _Hidden:
        return self
