"""A point mass in the plane: cheap enough to be run ten thousand times."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np

import equiworld as ew
from equiworld.symmetry import Heading, Point, Scalar, Symmetry, Vector

__all__ = ["ENV", "SYMMETRY", "Toy", "made", "move", "observation"]

ENV = "fuzz/PointMass-v0"
SYMMETRY = Symmetry(
    ew.E2(),
    {"position": Point(), "velocity": Vector(), "heading": Heading(), "mass": Scalar(), "goal": Point()},
    action=Vector(),
    goal=("goal",),
    centre=(1.0, -2.0),
    heading="heading",
    reference="position",
)


def observation() -> dict[str, np.ndarray]:
    """One, as the environment shows them."""
    return {
        "position": np.array([0.5, 1.0]),
        "velocity": np.array([-0.25, 0.75]),
        "heading": np.array([0.3]),
        "mass": np.array([1.5]),
        "goal": np.array([2.0, -1.0]),
    }


class Toy(gym.Env[Any, Any]):
    """Push the mass to the goal, five steps at most."""

    def __init__(self) -> None:
        sizes = {name: array.shape for name, array in observation().items()}
        boxes = {name: gym.spaces.Box(-np.inf, np.inf, shape, np.float64) for name, shape in sizes.items()}
        boxes["heading"] = gym.spaces.Box(-np.pi, np.pi, (1,), np.float64)
        self.observation_space = gym.spaces.Dict(boxes)
        self.action_space = gym.spaces.Box(-1.0, 1.0, (2,), np.float64)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.position, self.velocity, self.goal = self.np_random.uniform(-2, 2, (3, 2))
        self.steps = 0
        return self._seen(), self._info()

    def step(self, action: Any) -> Any:
        self.velocity = 0.9 * self.velocity + 0.1 * np.asarray(action, np.float64)
        self.position = self.position + 0.1 * self.velocity
        self.steps += 1
        return (
            self._seen(),
            -float(np.linalg.norm(self.position - self.goal)),
            False,
            self.steps >= 5,
            self._info(),
        )

    def _seen(self) -> dict[str, np.ndarray]:
        heading = np.array([np.arctan2(self.velocity[1], self.velocity[0])])
        return {
            "position": self.position.copy(),
            "velocity": self.velocity.copy(),
            "heading": heading,
            "mass": np.array([1.5]),
            "goal": self.goal.copy(),
        }

    def _info(self) -> dict[str, Any]:
        return {"is_success": bool(np.linalg.norm(self.position - self.goal) < 0.5)}


def move(env: gym.Env[Any, Any], g: Any) -> dict[str, np.ndarray]:
    """Bring the point mass to g·s, and look."""
    here = env.unwrapped
    centre = np.array(SYMMETRY.centre)
    here.position, here.goal = (g.act(each - centre) + centre for each in (here.position, here.goal))
    here.velocity = g.rotate(here.velocity)
    return here._seen()


if ENV not in gym.registry:
    gym.register(ENV, entry_point=f"{__name__}:Toy", max_episode_steps=20)
ew.register_symmetry(ENV, SYMMETRY, move=move)


def made() -> gym.Env[Any, Any]:
    """The environment, from the registry."""
    return gym.make(ENV, disable_env_checker=True)
