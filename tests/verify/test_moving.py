"""Active certificates of simulators that somebody brings to g·s."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from equiworld.errors import ArgumentError
from equiworld.groups import SE2
from equiworld.symmetry import Point, Symmetry, Vector, register_symmetry, registry
from equiworld.verify.certificate import certify

ID = "test/Glider-v0"
SYMMETRY = Symmetry(
    SE2(),
    {"place": Point(), "speed": Vector(), "goal": Point()},
    action=Vector(),
    goal=("goal",),
    centre=(1.0, 2.0),
)


class Glider(gym.Env):
    """A mass that is pushed; its reset knows no elements. A wind may blow along the world's first axis."""

    def __init__(self, wind: float = 0.0) -> None:
        self.wind = wind
        numbers = spaces.Box(-np.inf, np.inf, (2,), np.float64)
        self.observation_space = spaces.Dict(dict.fromkeys(SYMMETRY.observation, numbers))
        self.action_space = spaces.Box(-1.0, 1.0, (2,), np.float64)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        if options:
            raise TypeError(f"no options are known, got {sorted(options)}")
        self.place, self.speed, self.goal = self.np_random.normal(size=(3, 2))
        return self._get_obs(), {}

    def step(self, action):
        self.speed = 0.9 * self.speed + 0.1 * np.asarray(action) + np.array([self.wind, 0.0])
        self.place = self.place + self.speed
        return self._get_obs(), 0.0, False, False, {"is_success": False}

    def _get_obs(self):
        return {"place": self.place.copy(), "speed": self.speed.copy(), "goal": self.goal.copy()}


class Home:
    """Towards the goal."""

    def predict(self, obs, state=None, episode_start=None, deterministic=True):
        return 0.3 * (obs["goal"] - obs["place"]), state


def moved(env, g, forget_the_goal: bool = False, tell: bool = False):
    base, c = env.unwrapped, np.asarray(SYMMETRY.centre)
    base.place, base.speed = c + g.act(base.place - c), g.rotate(base.speed)
    if not forget_the_goal:
        base.goal = c + g.act(base.goal - c)
    return base._get_obs() if tell else None


@pytest.fixture
def registered():
    """Registers with a function that moves; everything is undone afterwards."""
    gym.register(ID, Glider)

    def register(move):
        register_symmetry(ID, SYMMETRY, move=move)

    yield register
    del gym.registry[ID]
    registry._ENTRIES.pop(ID, None)
    registry._MOVES.pop(ID, None)


def certified(wind: float = 0.0):
    return certify(Home(), gym.make(ID, wind=wind), elements=4, episodes=2, steps=20)


@pytest.mark.parametrize("tell", [False, True], ids=["observed again", "told"])
def test_a_moved_simulator_is_certified(registered, tell):
    registered(lambda env, g: moved(env, g, tell=tell))
    assert certified().passed
    assert not certified(wind=0.01).passed  # negative control


def test_without_the_function_it_cannot_be(registered):
    registered(None)
    with pytest.raises(ArgumentError, match=r"no options are known.*register_symmetry\(…, move=…\)"):
        certified()


def test_a_function_that_forgets_something_is_found(registered):
    registered(lambda env, g: moved(env, g, forget_the_goal=True))
    with pytest.raises(ArgumentError, match=r"move: got one after which goal is .* from where g takes it"):
        certified()


def test_it_has_to_be_a_function(registered):
    with pytest.raises(ArgumentError, match="move: got 3"):
        registered(3)
