"""A robot of 29 joints, its map under left and right, and a simulator that obeys it."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from equiworld.verify.maps import SignedOrder, SymmetryMap

LEG = ("hip_pitch", "hip_roll", "hip_yaw", "knee", "ankle_pitch", "ankle_roll")
ARM = ("shoulder_pitch", "shoulder_roll", "shoulder_yaw", "elbow", "wrist_roll", "wrist_pitch", "wrist_yaw")
NAMES = (
    *(f"left_{name}" for name in LEG),
    *(f"right_{name}" for name in LEG),
    "waist_yaw",
    "waist_roll",
    "waist_pitch",
    *(f"left_{name}" for name in ARM),
    *(f"right_{name}" for name in ARM),
)


def joints() -> SignedOrder:
    """Rolls and yaws change sign, sides change place."""
    sides = {"left": "right", "right": "left", "waist": "waist"}
    order = [NAMES.index(f"{sides[name.partition('_')[0]]}_{name.partition('_')[2]}") for name in NAMES]
    signs = [1 if name.endswith(("pitch", "knee", "elbow")) else -1 for name in NAMES]
    return SignedOrder(tuple(order), tuple(signs))


def joined(*parts: SignedOrder) -> SignedOrder:
    """One behind the other."""
    order, signs = [], []
    for part in parts:
        order += [len(signs) + source for source in part.order]
        signs += part.signs
    return SignedOrder(tuple(order), tuple(signs))


VECTOR = SignedOrder((0, 1, 2), (1, -1, 1))
PSEUDOVECTOR = SignedOrder((0, 1, 2), (-1, 1, -1))


def robot_map() -> SymmetryMap:
    """Angular velocity, gravity, command, positions, velocities, last action: 96 numbers; and the action."""
    command = SignedOrder((0, 1, 2), (1, -1, -1))
    policy = joined(PSEUDOVECTOR, VECTOR, command, joints(), joints(), joints())
    return SymmetryMap({"policy": [policy]}, [joints()])


def plain_map() -> SymmetryMap:
    """Positions and velocities by themselves, as `Robot` shows them."""
    return SymmetryMap({"position": [joints()], "velocity": [joints()]}, [joints()])


def with_entry(
    given: SymmetryMap, array: str, place: int, source: int | None = None, sign: int | None = None
) -> SymmetryMap:
    """The map with one entry changed under its first isometry."""
    entry = given.arrays[array][0]
    order, signs = list(entry.order), list(entry.signs)
    order[place] = order[place] if source is None else source
    signs[place] = signs[place] if sign is None else sign
    return given.with_entry(array, 0, SignedOrder(tuple(order), tuple(signs)))


class Robot(gym.Env):
    """29 oscillators, coupled in a way that left and right share."""

    def __init__(self) -> None:
        wide = spaces.Box(-np.inf, np.inf, (29,), np.float64)
        self.observation_space = spaces.Dict({"position": wide, "velocity": wide})
        self.action_space = spaces.Box(-1.0, 1.0, (29,), np.float64)
        rng = np.random.default_rng(5)
        self.order, self.signs = (np.array(each) for each in joints())
        raw = rng.normal(size=(29, 29)) / 29
        self.coupling = (raw + self.turned(self.turned(raw.T).T)) / 2
        self.gains = 1.0 + rng.random(29)
        self.gains = (self.gains + self.gains[self.order]) / 2

    def turned(self, rows: np.ndarray) -> np.ndarray:
        return rows[..., self.order] * self.signs

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.position, self.velocity = self.np_random.normal(size=(2, 29))
        return self._get_obs(), {}

    def step(self, action: Any) -> Any:
        force = self.gains * action - np.sin(self.position) + np.tanh(self.position @ self.coupling.T)
        self.velocity = 0.95 * self.velocity + 0.1 * force
        self.position = self.position + 0.1 * self.velocity
        return self._get_obs(), -float(self.position @ self.position), False, False, {}

    def _get_obs(self) -> dict[str, np.ndarray]:
        return {"position": self.position.copy(), "velocity": self.velocity.copy()}


def move_robot(env: gym.Env, g: Any) -> None:
    """To its mirror image."""
    base = env.unwrapped
    if float(g.determinant) < 0:
        base.position, base.velocity = base.turned(base.position), base.turned(base.velocity)
