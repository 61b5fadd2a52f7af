"""A point mass in the plane that commutes with E(2): all planar fields, episodes of random length."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from equiworld.groups import E2, O2, SE2, SO2, GroupElement
from equiworld.symmetry import (
    Cloud,
    Concatenation,
    Heading,
    Point,
    Pseudoscalar,
    Scalar,
    Symmetry,
    Vector,
    register_symmetry,
)

ID = "test/PointMass-v0"
CENTRE = (1.0, -2.0)
SYMMETRY = Symmetry(
    group=E2(),
    observation={
        "position": Point(),
        "velocity": Vector(),
        "heading": Heading(),
        "spin": Pseudoscalar(),
        "mass": Scalar(),
        "landmarks": Cloud(3),
        "goal": Point(),
    },
    action=Vector(),
    goal=("goal",),
    centre=CENTRE,
    length_scale=2.0,
    info={"pose": Concatenation((Point(), Heading(low=0.0))), "start": Point()},
)
_BOUNDS = {"position": 60, "velocity": 30, "spin": 100, "mass": 3, "landmarks": 10, "goal": 10}


class PointMass(gym.Env):
    """Push the mass; an episode ends after a number of steps drawn at reset."""

    metadata = {"render_modes": []}  # noqa: RUF012

    def __init__(self, bounded: bool = False, dtype: str = "float64", longest: int = 12) -> None:
        self.type = np.dtype(dtype).type
        self.longest = longest
        sizes = {name: field.size(2) for name, field in SYMMETRY.observation.items()}
        self.observation_space = spaces.Dict(
            {
                name: spaces.Box(-np.pi, np.pi, (1,), self.type)
                if name == "heading"
                else spaces.Box(*self._limits(name, bounded), (size,), self.type)
                for name, size in sizes.items()
            }
        )
        limit = 1.0 if bounded else np.inf
        self.action_space = spaces.Box(-limit, limit, (2,), self.type)
        self.received: list[Any] = []  # what reached the simulator
        self.options: Any = None

    @staticmethod
    def _limits(name: str, bounded: bool) -> tuple[float, float]:
        return (-_BOUNDS[name], _BOUNDS[name]) if bounded else (-np.inf, np.inf)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.options = options
        if (options or {}).get("fail"):
            raise RuntimeError("asked to fail")
        self.position, self.velocity, self.goal = self.np_random.uniform(-5, 5, (3, 2))
        self.landmarks = self.np_random.uniform(-9, 9, 6)
        self.mass = self.np_random.uniform(0.5, 3)
        self.spin, self.steps = 0.0, 0
        self.length = int(self.np_random.integers(3, self.longest + 1))
        return self._observation(), {**self._info(), "start": self.position.copy()}

    def step(self, action: Any) -> Any:
        action = np.asarray(action, dtype=np.float64)
        self.received.append(action)
        self.spin += float(self.velocity[0] * action[1] - self.velocity[1] * action[0]) / 10
        self.velocity = 0.9 * self.velocity + 0.1 * action / self.mass
        self.position = self.position + 0.1 * self.velocity
        self.steps += 1
        reward = -float(np.linalg.norm(self.position - self.goal))
        ended = self.steps >= self.length
        terminated = ended and self.length % 2 == 0
        return self._observation(), reward, terminated, ended and not terminated, self._info()

    def _observation(self) -> dict[str, Any]:
        raw = {
            "position": self.position,
            "velocity": self.velocity,
            "heading": [self._heading()],
            "spin": [self.spin],
            "mass": [self.mass],
            "landmarks": self.landmarks,
            "goal": self.goal,
        }
        return {name: np.array(value, dtype=self.type) for name, value in raw.items()}

    def _heading(self) -> float:
        return float(np.arctan2(self.velocity[1], self.velocity[0]))

    def _info(self) -> dict[str, Any]:
        pose = np.array([*self.position, self._heading() % (2 * np.pi)])
        return {"pose": pose, "steps": self.steps, "mass": self.mass}


ELEMENTS = {
    "identity": E2().identity(),
    "turn": SO2().rotation(2.1),
    "shift": SE2().translation([3.0, -40.0]),
    "both": SE2().sample(np.random.default_rng(0), scale=5.0),
    "mirror": O2().reflection(0.7),
    "glide": E2().translation([1.0, 2.0]) @ O2().reflection(-1.3),
}


if ID not in gym.registry:
    gym.register(ID, entry_point="point_mass:PointMass", max_episode_steps=1000)
register_symmetry(ID, SYMMETRY)


def same(first: Any, second: Any, atol: float = 1e-12) -> None:
    """Assert that two nested results agree: arrays and elements within `atol`, angles as directions."""
    if isinstance(first, dict):
        assert isinstance(second, dict)
        assert first.keys() == second.keys()
        for key in first:
            if key in ("heading", "pose") and first[key] is not None:
                first_angle, second_angle = first[key][..., -1], second[key][..., -1]
                assert np.allclose(np.exp(1j * first_angle), np.exp(1j * second_angle), rtol=0, atol=atol), (
                    key
                )
                same(first[key][..., :-1], second[key][..., :-1], atol)
            else:
                same(first[key], second[key], atol)
    elif isinstance(first, tuple | list) or (isinstance(first, np.ndarray) and first.dtype == object):
        assert len(first) == len(second)
        for one, other in zip(first, second, strict=True):
            same(one, other, atol)
    elif isinstance(first, GroupElement):
        assert first.is_close(second, atol)
    elif first is None:
        assert second is None
    else:
        first, second = np.asarray(first), np.asarray(second)
        assert first.dtype == second.dtype
        assert first.shape == second.shape
        assert np.allclose(first, second, rtol=atol, atol=atol, equal_nan=True)


def run(env: gym.Env, taken: np.ndarray, seed: int = 0) -> list[Any]:
    """Everything that the env returns, episode after episode."""
    results: list[Any] = [env.reset(seed=seed)]
    for action in taken:
        results.append(env.step(action))
        if results[-1][2] or results[-1][3]:
            results.append(env.reset())
    return results


def actions(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, (count, 2))
