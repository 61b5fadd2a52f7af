"""A puck on ice, and all that can be declared wrongly of it, in the world or in how it is shown."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from equiworld.groups import E2
from equiworld.symmetry import Heading, Parts, Point, Pseudoscalar, Scalar, Symmetry, Vector

CENTRE = (1.0, 2.0)
FIELDS = {
    "place": Point(),
    "speed": Vector(),
    "heading": Heading(),
    "spin": Pseudoscalar(),
    "mass": Scalar(),
    "goal": Point(),
    "one": Scalar(),
}
SYMMETRY = Symmetry(
    E2(),
    {"seen": Parts(FIELDS)},
    action=Vector(),
    goal=("goal",),
    centre=CENTRE,
    info={"way": Vector()},
    flat=True,
)


class Puck(gym.Env):
    """Pushed by the action, spun by pushes across its way.

    Args:
        wind: a push along the world's x.
        magnus: how much the way bends to the left: rotations keep that, mirrors do not.
        pays: for going along the world's x.
        ends: where x exceeds this.
        swapped: whether the speed is shown as (y, x).
        clockwise: whether the heading is counted so.
        upside: whether actions are taken as (x, −y).
        idle: whether actions are ignored.
        dtype: of what is observed.
        strict: whether only actions of the space are taken, dtype and all.
    """

    def __init__(
        self,
        wind: float = 0.0,
        magnus: float = 0.0,
        pays: float = 0.0,
        ends: float = np.inf,
        swapped: bool = False,
        clockwise: bool = False,
        upside: bool = False,
        idle: bool = False,
        dtype: str = "float64",
        strict: bool = False,
    ) -> None:
        self.settings = dict(locals())
        self.observation_space = spaces.Box(-np.inf, np.inf, (10,), np.dtype(dtype).type)
        self.action_space = spaces.Box(-1.0, 1.0, (2,), np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.place, self.speed, self.goal = self.np_random.normal(size=(3, 2))
        self.angle, self.spin = self.np_random.normal(size=2)
        self.mass = self.np_random.uniform(0.5, 2.0)
        return self._get_obs(), {}

    def step(self, action: Any) -> Any:
        told = self.settings
        if told["strict"] and not self.action_space.contains(action):
            raise TypeError("not of the action space")
        push = np.asarray(action, np.float64) * (1.0, -1.0 if told["upside"] else 1.0)
        push = 0.0 * push if told["idle"] else push
        self.spin = 0.9 * self.spin + self.speed[0] * push[1] - self.speed[1] * push[0]
        bend = told["magnus"] * np.array([-self.speed[1], self.speed[0]])
        self.speed = 0.9 * self.speed + 0.1 * push / self.mass + bend + (told["wind"], 0.0)
        self.place, self.angle = self.place + 0.1 * self.speed, self.angle + 0.1 * self.spin
        reward = -float(np.linalg.norm(self.place - self.goal)) + told["pays"] * float(self.speed[0])
        ended = bool(self.place[0] > told["ends"])
        return self._get_obs(), reward, ended, False, {"way": self.goal - self.place}

    def _get_obs(self) -> np.ndarray:
        speed = self.speed[::-1] if self.settings["swapped"] else self.speed
        heading = (-1.0 if self.settings["clockwise"] else 1.0) * self.angle
        wrapped = (heading + np.pi) % (2 * np.pi) - np.pi
        numbers = [*self.place, *speed, wrapped, self.spin, self.mass, *self.goal]
        return np.array([*numbers, 1.0], self.observation_space.dtype)


def move_puck(env: gym.Env, g: Any) -> None:
    """Bring it to g·s, about its centre."""
    base, c = env.unwrapped, np.asarray(CENTRE)
    base.place, base.goal = c + g.act(base.place - c), c + g.act(base.goal - c)
    base.speed, sign = g.rotate(base.speed), float(g.determinant)
    base.spin, turn = sign * base.spin, np.arctan2(g.matrix[1, 0], g.matrix[0, 0])
    base.angle = turn + sign * base.angle
