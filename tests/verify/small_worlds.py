"""Small simulators whose continuous symmetry is known: dimension of the algebra, and what breaks it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from equiworld.groups import SE2, SE3, SO2, SO3, Group

STEP = 0.2
UP = (0.0, 0.0, 1.0)


class World(gym.Env):
    """Named arrays that a function moves on.

    Args:
        start: by key, (mean, spread) of what a reset draws.
        actions: numbers of an action.
        rule: (state, action) → next state.
    """

    def __init__(
        self,
        start: dict[str, tuple[Any, float]],
        actions: int,
        rule: Callable[[dict[str, np.ndarray], np.ndarray], dict[str, np.ndarray]],
    ) -> None:
        self.start = {
            name: (np.atleast_1d(np.asarray(mean, float)), spread) for name, (mean, spread) in start.items()
        }
        self.rule = rule
        self.observation_space = spaces.Dict(
            {
                name: spaces.Box(-np.inf, np.inf, mean.shape, np.float64)
                for name, (mean, _) in self.start.items()
            }
        )
        self.action_space = spaces.Box(-1.0, 1.0, (actions,), np.float64)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.state = {
            name: mean + spread * self.np_random.normal(size=mean.shape)
            for name, (mean, spread) in self.start.items()
        }
        return dict(self.state), {}

    def step(self, action: Any) -> Any:
        self.state = self.rule(self.state, np.asarray(action, float))
        return dict(self.state), 0.0, False, False, {}


def pulled(offset: np.ndarray) -> np.ndarray:
    """A pull towards the origin that grows with the distance, and saturates."""
    return -offset * (0.5 + 1.0 / (1.0 + offset @ offset))


def particle(
    dim: int,
    centre: Any = None,
    force: Callable[[np.ndarray, np.ndarray], Any] = lambda place, speed: 0.0,
    pull: bool = True,
) -> World:
    """One particle, pulled to its centre unless not, with a further force."""
    middle = np.zeros(dim) if centre is None else np.asarray(centre, float)

    def rule(state: dict[str, np.ndarray], action: np.ndarray) -> dict[str, np.ndarray]:
        place, speed = state["place"], state["speed"]
        total = action + force(place - middle, speed) - 0.3 * speed * np.sqrt(1 + speed @ speed)
        total = total + pulled(place - middle) if pull else total
        speed = speed + STEP * total
        return {"place": place + STEP * speed, "speed": speed}

    return World({"place": (middle, 1.0), "speed": (np.zeros(dim), 1.0)}, dim, rule)


def remembering() -> World:
    """A particle that shows its last action too, under the key "action"."""
    inner = particle(2, centre=(1.0, -0.5))

    def rule(state: dict[str, np.ndarray], action: np.ndarray) -> dict[str, np.ndarray]:
        return {**inner.rule(state, action), "action": 0.5 * state["action"] + action}

    return World({**inner.start, "action": (np.zeros(2), 1.0)}, 2, rule)


def pair(dim: int, force: Any = 0.0, pivot: bool = False) -> World:
    """Two particles that attract each other, the first pushed; with a pivot the first hangs at the origin."""

    def rule(state: dict[str, np.ndarray], action: np.ndarray) -> dict[str, np.ndarray]:
        first, second = state["first"], state["second"]
        between = pulled(second - first)
        speeds = state["first_speed"], state["second_speed"]
        forces = (action - between + force + (pulled(first) if pivot else 0.0), between + force)
        speeds = tuple(
            speed + STEP * (pull - 0.3 * speed * np.sqrt(1 + speed @ speed))
            for speed, pull in zip(speeds, forces, strict=True)
        )
        return {
            "first": first + STEP * speeds[0],
            "second": second + STEP * speeds[1],
            "first_speed": speeds[0],
            "second_speed": speeds[1],
        }

    zero = np.zeros(dim)
    names = ("first", "second", "first_speed", "second_speed")
    return World(dict.fromkeys(names, (zero, 1.0)), dim, rule)


def twins(heavier: float = 1.0) -> World:
    """Two particles on a line that attract each other, each pushed by its half of the action; alike unless heavier."""

    def rule(state: dict[str, np.ndarray], action: np.ndarray) -> dict[str, np.ndarray]:
        between = pulled(state["right_place"] - state["left_place"])
        speeds = {
            "left": state["left_speed"] + STEP * (action[:1] - between),
            "right": state["right_speed"] + STEP * (action[1:] + between) / heavier,
        }
        found = {f"{side}_place": state[f"{side}_place"] + STEP * speed for side, speed in speeds.items()}
        return found | {f"{side}_speed": speed for side, speed in speeds.items()}

    names = ("left_place", "right_place", "left_speed", "right_speed")
    return World(dict.fromkeys(names, (0.0, 1.0)), 2, rule)


def unicycle() -> World:
    """Goes where it looks: a place, a heading that wraps, a speed."""

    def rule(state: dict[str, np.ndarray], action: np.ndarray) -> dict[str, np.ndarray]:
        angle, speed = state["heading"][0], state["speed"][0]
        way = np.array([np.cos(angle), np.sin(angle)])
        turned = (angle + STEP * 2 * action[1] + np.pi) % (2 * np.pi) - np.pi
        return {
            "place": state["place"] + STEP * speed * way,
            "heading": np.array([turned]),
            "speed": np.array([speed + STEP * (action[0] - 0.3 * speed)]),
        }

    world = World({"place": (np.zeros(2), 1.0), "heading": (0.0, 1.0), "speed": (0.5, 0.5)}, 2, rule)

    def reset(*, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        World.reset(world, seed=seed)
        world.state["heading"] = world.np_random.uniform(-np.pi, np.pi, 1)
        return dict(world.state), {}

    world.reset = reset
    return world


def top(form: str) -> World:
    """A ball that is turned, its orientation told by Euler's angles; a marked direction of it drags it."""
    from scipy.spatial.transform import Rotation

    def rule(state: dict[str, np.ndarray], action: np.ndarray) -> dict[str, np.ndarray]:
        pose = Rotation.from_euler(form, state["pose"])
        spin = state["spin"] + STEP * (action - 0.5 * pose.apply([0.3, 0.2, 1.0]) - 0.3 * state["spin"])
        return {"pose": (Rotation.from_rotvec(STEP * spin) * pose).as_euler(form), "spin": spin}

    return World({"pose": (np.zeros(3), 0.4), "spin": (np.zeros(3), 0.5)}, 3, rule)


class Flat(gym.ObservationWrapper):
    """The same with all keys in one array.

    Args:
        env: with arrays by key.
        order: of the numbers; one key behind the other if None.
    """

    def __init__(self, env: gym.Env, order: list[int] | None = None) -> None:
        super().__init__(env)
        keys: Any = env.observation_space
        width = sum(each.shape[0] for each in keys.spaces.values())
        self.order = list(range(width)) if order is None else order
        self.observation_space = spaces.Box(-np.inf, np.inf, (width,), np.float64)

    def observation(self, observation: Any) -> Any:
        return np.concatenate(list(observation.values()))[self.order]


def squared(place: np.ndarray, speed: np.ndarray) -> np.ndarray:
    """A pull with the symmetry of a square."""
    return -0.5 * place**3 / (1 + 0.2 * place @ place)


def uneven(place: np.ndarray, speed: np.ndarray) -> np.ndarray:
    """A pull without any symmetry."""
    return np.array([-0.8 * place[0] - 0.4 * np.sin(place[1]), 0.6 * np.cos(place[0]) - 0.2 * place[1] ** 2])


SYSTEMS: dict[str, tuple[Callable[[], gym.Env], int, int, int, Group | None]] = {
    # name: (make, dimension of space, turns, shifts, the group of the library)
    "so(2)": (lambda: particle(2, centre=(1.0, -0.5)), 2, 1, 0, SO2()),
    "so(3)": (lambda: particle(3), 3, 3, 0, SO3()),
    "so(2), uneven drag": (lambda: particle(2, force=lambda p, v: -v * (0.0, 0.6)), 2, 0, 0, None),
    "so(3), gravity": (
        lambda: particle(3, force=lambda p, v: np.array([0, 0, -1.0 - 0.3 * p[2] ** 2])),
        3,
        1,
        0,
        SO2(UP),
    ),
    "se(2)": (lambda: pair(2), 2, 1, 2, SE2()),
    "se(3)": (lambda: pair(3), 3, 3, 3, SE3()),
    "none": (lambda: particle(2, force=uneven), 2, 0, 0, None),
    "free fall": (
        lambda: particle(3, pull=False, force=lambda p, v: np.array([0, 0, -1.0])),
        3,
        1,
        3,
        SE2(UP, along=True),
    ),
    "wind": (lambda: pair(2, force=np.array([0.8, 0.0])), 2, 0, 2, None),
    "hanging pair": (lambda: pair(3, force=np.array([0.0, 0.0, -1.0]), pivot=True), 3, 1, 0, SO2(UP)),
    "unicycle": (unicycle, 2, 1, 2, SE2()),
    "square well": (lambda: particle(2, centre=(2.0, 1.0), pull=False, force=squared), 2, 0, 0, None),
}
