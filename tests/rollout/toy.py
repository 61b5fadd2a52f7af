"""A line that is walked along, in episodes whose seed says how long they last; it reuses its arrays."""

from __future__ import annotations

from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium import spaces


class Line(gym.Env):
    """Observed are the place, and the seed of the episode.

    Args:
        fails: the step at which it raises.
        spoils: the step at which it shows NaN.
    """

    observation_space = spaces.Box(-np.inf, np.inf, (2,), np.float64)
    action_space = spaces.Box(-1.0, 1.0, (1,), np.float64)

    def __init__(self, fails: int | None = None, spoils: int | None = None) -> None:
        self.fails, self.spoils = fails, spoils
        self.seen = np.zeros(2)
        self.begun: list[tuple[int | None, Any]] = []

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.begun.append((seed, options))
        self.steps, self.length = 0, 1 + (seed or 0) % 4
        self.seen[:] = 0.0, seed or 0
        return self.seen, {"steps": 0}

    def step(self, action: Any) -> Any:
        if self.steps == self.fails:
            raise OverflowError("out of line")
        self.steps += 1
        self.seen[0] += float(action[0])
        if self.steps == self.spoils:
            self.seen[0] = np.nan
        return self.seen, 1.0, self.steps == self.length, False, {"steps": self.steps}


class Memory(NamedTuple):
    """By row, the seed that is seen, and how often the policy was asked in this episode."""

    seed: np.ndarray
    asked: np.ndarray


class Counting:
    """Walks as far as it has been asked in an episode, and writes down what it was asked."""

    def __init__(self) -> None:
        self.batches: list[np.ndarray] = []
        self.starts: list[np.ndarray] = []
        self.states: list[Memory | None] = []

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = True
    ) -> tuple[np.ndarray, Memory]:
        self.batches.append(observation.copy())
        self.starts.append(episode_start)
        self.states.append(state)
        asked = np.zeros(len(observation)) if state is None else state.asked
        asked = np.where(episode_start, 0.0, asked) + 1.0
        return asked[:, None], Memory(observation[:, 1].copy(), asked)
