"""What an environment shows through wrappers, and the declaration of it."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import wrappers

from equiworld.errors import ArgumentError, UnknownNameError
from equiworld.groups import SE2, SO2
from equiworld.symmetry import Parts, Point, Scalar, Symmetry, Vector, register_symmetry, symmetry_of
from equiworld.verify.certificate import certify

ID = "tests/Slider-v0"
FIELDS = {"speed": Vector(), "place": Point(), "mass": Scalar(), "target": Point()}
SYMMETRY = Symmetry(SE2(), FIELDS, action=Vector(), goal=("target",), reference="place")


class Slider(gym.Env):
    """A puck that is pushed through the plane."""

    observation_space = gym.spaces.Dict(
        {name: gym.spaces.Box(-99.0, 99.0, (field.size(2),), np.float64) for name, field in FIELDS.items()}
    )
    action_space = gym.spaces.Box(-1.0, 1.0, (2,), np.float64)

    def _get_obs(self) -> dict[str, Any]:
        return {name: np.array(getattr(self, name)) for name in FIELDS}

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place, self.target = self.np_random.uniform(-2.0, 2.0, (2, 2))
        self.speed, self.mass = np.zeros(2), self.np_random.uniform(1.0, 2.0, 1)
        return self._get_obs(), {"is_success": False}

    def step(self, action):
        self.speed = 0.8 * self.speed + 0.2 * action / self.mass
        self.place = self.place + self.speed
        return self._get_obs(), 0.0, False, False, {"is_success": False}


def move(env: Any, g: Any) -> None:
    puck = env.unwrapped
    puck.place, puck.target, puck.speed = g.act(puck.place), g.act(puck.target), g.rotate(puck.speed)


@pytest.fixture(autouse=True)
def registered():
    if ID not in gym.registry:
        gym.register(ID, Slider, max_episode_steps=20)
    register_symmetry(ID, SYMMETRY, move)


def made(*layers: Any) -> gym.Env:
    env: gym.Env = gym.make(ID, disable_env_checker=True)
    for layer in layers:
        env = layer(env)
    return env


def deviation(env: gym.Env) -> float:
    """How far what is shown at g·s, three steps on, is from ρ(g) of what is shown at s, by the declaration found."""
    symmetry, worst = symmetry_of(env), 0.0
    for g in SE2().sample(np.random.default_rng(0), 4, scale=3.0):
        shown = []
        for turned in (False, True):
            first, _ = env.reset(seed=1)
            if turned:
                move(env, g)
            env.action_space.seed(0)
            for _ in range(3):
                action = env.action_space.sample() / 2
                first, *_ = env.step(g.rotate(action) if turned else action)
            shown.append(first)
        expected = symmetry.transform_observation(g, shown[0])
        pairs = (
            [(shown[1], expected)] if symmetry.flat else [(shown[1][key], expected[key]) for key in expected]
        )
        worst = max(worst, *(float(np.abs(first - second).max()) for first, second in pairs))
    return worst


def flatten(env: gym.Env) -> gym.Env:
    return wrappers.FlattenObservation(env)


def stack(env: gym.Env) -> gym.Env:
    return wrappers.FrameStackObservation(env, 3)


def fewer(env: gym.Env) -> gym.Env:
    return wrappers.FilterObservation(env, ["place", "speed"])


@pytest.mark.parametrize(
    "layers",
    [
        (),
        (flatten,),
        (fewer,),
        (fewer, flatten),
        (flatten, lambda env: wrappers.TimeLimit(env, 9)),
        (wrappers.RecordEpisodeStatistics, flatten, wrappers.Autoreset),
        (lambda env: wrappers.TransformReward(env, lambda reward: 2 * reward), fewer),
    ],
    ids=str,
)
def test_declarations_go_through_wrappers(layers: Any) -> None:
    env = made(*layers)
    assert deviation(env) <= 1e-12
    assert symmetry_of(env).action == Vector()


def test_stacked_frames_are_put_in_a_row() -> None:
    env = made(flatten, stack, flatten)
    symmetry = symmetry_of(env)
    assert symmetry.flat
    assert len(symmetry.observation) == 12
    assert symmetry.reference == "place"
    assert symmetry.segments.__name__ == "segments"
    # Frames of before the move stand still, so the stack is filled first.
    for g in SE2().sample(np.random.default_rng(0), 3):
        rows = []
        for turned in (False, True):
            shown, _ = env.reset(seed=1)
            if turned:
                move(env, g)
            for step in range(3):
                action = np.array([0.3, -0.2 * step])
                shown, *_ = env.step(g.rotate(action) if turned else action)
            rows.append(shown)
        assert np.abs(symmetry.transform_observation(g, rows[0]) - rows[1]).max() <= 1e-12
    with pytest.raises(ArgumentError, match="FlattenObservation"):
        symmetry_of(made(stack))


def test_what_a_wrapper_carries_comes_first() -> None:
    class Own(gym.ObservationWrapper):
        symmetry = Symmetry(SO2(), {"all": Parts({"s": Scalar(), "v": Vector()})}, Vector(), flat=True)

        def __init__(self, env: gym.Env) -> None:
            super().__init__(env)
            self.observation_space = gym.spaces.Box(-9.0, 9.0, (3,), np.float64)

        def observation(self, observation: Any) -> Any:
            return np.concatenate([observation["mass"], observation["speed"]])

    assert symmetry_of(made(Own)) is Own.symmetry
    assert symmetry_of(made(Own, lambda env: wrappers.TimeLimit(env, 9))).group == SO2()
    other = made(wrappers.RecordEpisodeStatistics)
    other.symmetry = Symmetry(SO2(), FIELDS, action=Vector())  # type: ignore[attr-defined]
    assert symmetry_of(other).group == SO2()


def test_a_wrapper_that_changes_shapes_is_refused() -> None:
    tall = made(flatten, lambda env: wrappers.ReshapeObservation(env, (7, 1)))
    with pytest.raises(ArgumentError, match="register or pass a Symmetry"):
        symmetry_of(tall)


def test_a_symmetry_may_be_passed() -> None:
    class Still:
        def predict(self, obs, state=None, episode_start=None, deterministic=True):
            return np.zeros((len(obs["place"]), 2)), state

    unknown = "tests/UnknownSlider-v0"
    if unknown not in gym.registry:
        gym.register(unknown, lambda **kwargs: Slider(**kwargs), max_episode_steps=20)
    env = gym.make(unknown, disable_env_checker=True)
    with pytest.raises(UnknownNameError):
        symmetry_of(env)
    found = certify(Still(), env, symmetry=SYMMETRY, elements=3, episodes=2, steps=5, modes=("passive",))
    assert found.orbits[0].deviation.max() <= 1e-12


def test_certificates_of_keys_that_hold_several_things() -> None:
    class Joined(gym.ObservationWrapper):
        def __init__(self, env: gym.Env) -> None:
            super().__init__(env)
            box = gym.spaces.Box(-99.0, 99.0, (5,), np.float64)
            self.observation_space = gym.spaces.Dict({"body": box, "target": env.observation_space["target"]})
            inside = Parts({"speed": Vector(), "place": Point(), "mass": Scalar()})
            self.symmetry = Symmetry(
                SE2(), {"body": inside, "target": Point()}, Vector(), goal=("target",), reference="place"
            )

        def observation(self, observation: Any) -> Any:
            whole = np.concatenate([observation[name] for name in ("speed", "place", "mass")])
            return {"body": whole, "target": observation["target"]}

    class Chase:
        def predict(self, obs, state=None, episode_start=None, deterministic=True):
            return np.clip(0.2 * (obs["target"] - obs["body"][:, 2:4]), -0.3, 0.3), state

    class Blind(Chase):
        def predict(self, obs, state=None, episode_start=None, deterministic=True):
            return np.full((len(obs["target"]), 2), 0.2), state

    found = [certify(p(), made(Joined), elements=3, episodes=2, steps=8) for p in (Chase, Blind)]
    assert found[1].orbits[0].motion > 0.1
    assert not found[1].passed
    assert found[0].orbits[0].motion > 0.1
