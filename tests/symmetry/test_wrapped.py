"""What an environment shows through wrappers, and the declaration of it."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import wrappers

from equiworld.envs import GroupAction, VectorGroupAction
from equiworld.errors import ArgumentError, UnknownNameError
from equiworld.groups import SE2, SO2
from equiworld.models import WorldModel
from equiworld.planners import CEM, MPCPolicy, Task
from equiworld.sb3 import symmetrise
from equiworld.symmetry import Parts, Point, Scalar, Symmetry, Vector, register_symmetry, symmetry_of
from equiworld.symmetry.batches import as_batch
from equiworld.symmetry.serialise import symmetry_from_dict, symmetry_to_dict
from equiworld.training import collect
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
)
def test_declarations_go_through_wrappers(layers: Any) -> None:
    env = made(*layers)
    assert deviation(env) <= 1e-12
    assert symmetry_of(env).action == Vector()


def arrays_of(seen: Any) -> list[Any]:
    return [seen[key] for key in sorted(seen)] if isinstance(seen, dict) else [seen]


def timed(env: gym.Env) -> gym.Env:
    return wrappers.TimeAwareObservation(env, flatten=False)


def in_columns(env: gym.Env) -> gym.Env:
    return wrappers.ReshapeObservation(env, (env.observation_space.shape[0], 1))


STACKS = {
    "keys": (stack,),
    "one array": (flatten, stack),
    "in a row": (flatten, stack, flatten),
    "keys in a row": (stack, flatten),
    "some keys": (fewer, stack),
    "some keys of a stack": (stack, fewer),
    "one frame": (lambda env: wrappers.FrameStackObservation(env, 1),),
    "one frame of an array": (flatten, lambda env: wrappers.FrameStackObservation(env, 1)),
    "stacks of a stack": (stack, stack),
    "with the time": (timed, stack),
    "in columns": (flatten, in_columns),
}


@pytest.mark.parametrize("layers", STACKS.values(), ids=STACKS)
def test_stacks_and_arrays_of_several_axes_transform(layers: Any) -> None:
    """Frames of before the move stand still, so stacks are filled first."""
    env = made(*layers)
    symmetry = symmetry_of(env)
    assert symmetry.reference == "place"
    for g in SE2().sample(np.random.default_rng(0), 3):
        seen = []
        for turned in (False, True):
            shown, _ = env.reset(seed=1)
            if turned:
                move(env, g)
            for step in range(9):
                action = np.array([0.3, -0.2 * step])
                shown, *_ = env.step(g.rotate(action) if turned else action)
            seen.append(shown)
        expected = symmetry.transform_observation(g, seen[0])
        for one, other in zip(arrays_of(expected), arrays_of(seen[1]), strict=True):
            assert one.shape == other.shape
            assert np.abs(one - other).max() <= 1e-12
        features = [symmetry.to_features(each, dtype=torch.float64) for each in (seen[0], expected)]
        there = features[0].transform(g).flatten()
        assert (there - features[1].flatten()).abs().max() <= 1e-12
        tensors = seen[0]
        tensors = (
            {key: torch.tensor(each).double() for key, each in tensors.items()}
            if isinstance(tensors, dict)
            else torch.tensor(tensors)
        )
        for each in arrays_of(tensors):
            each.requires_grad_()
        again = symmetry.to_features(tensors, dtype=torch.float64)
        assert (again.flatten() - features[0].flatten()).abs().max() <= 1e-12


@pytest.mark.parametrize("layers", [STACKS["keys"], STACKS["one array"], STACKS["in columns"]])
def test_a_stack_is_one_observation_and_a_batch_of_stacks_is_several(layers: Any) -> None:
    env = made(*layers)
    symmetry = symmetry_of(env)
    one, _ = env.reset(seed=3)
    batch = (
        {key: np.stack([each] * 5) for key, each in one.items()}
        if isinstance(one, dict)
        else np.stack([one] * 5)
    )
    assert [as_batch(symmetry, each)[1] for each in (one, batch)] == [False, True]

    def ahead(seen: Any) -> Any:  # of one observation
        shown = symmetry.observed(seen)
        return np.clip(0.3 * (shown["target"] - shown["place"]) + [0.2, 0.0], -1.0, 1.0)

    task = Task(
        cost=lambda z, c, goal, at: (z.select(c["place"]) - goal.select(at["target"])).norm(dim=-2)[..., 0]
    )
    model = WorldModel.for_env(env, seed=0)
    planned = MPCPolicy(model, CEM(samples=16, iterations=1), dtype="float64", task=task)
    for policy in (symmetrise(ahead, env), planned):
        single, several = (policy.predict(each)[0] for each in (one, batch))
        assert single.shape == (2,)
        assert several.shape == (5, 2)
        g = SE2().rotation(2.0)
        turned = policy.predict(symmetry.transform_observation(g, one))[0]
        assert np.abs(turned - g.rotate(single)).max() <= 1e-9
    data = collect(env, 40, seed=0)
    assert data.symmetry == symmetry
    model = WorldModel.for_data(data)
    assert model.encode(batch).scalars.shape[0] == 5


@pytest.mark.parametrize("layers", STACKS.values(), ids=STACKS)
def test_a_turned_world_shows_stacks_in_their_shape(layers: Any) -> None:
    env = made(*layers)
    g = SE2().rotation(1.0)
    turned = GroupAction(env, g)
    shown = [each.reset(seed=2)[0] for each in (env, turned)]
    expected = symmetry_of(env).transform_observation(g, shown[0])
    for one, other in zip(arrays_of(expected), arrays_of(shown[1]), strict=True):
        assert one.shape == other.shape
        assert np.abs(one - other).max() <= 1e-12
    assert turned.observation_space.contains(shown[1]) or layers[0] is timed  # whose integers become floats
    several = VectorGroupAction(gym.vector.SyncVectorEnv([lambda: made(*layers)] * 2), g)
    for one, other in zip(arrays_of(expected), arrays_of(several.reset(seed=[2, 2])[0]), strict=True):
        assert np.abs(one - other[1]).max() <= 1e-12


def test_a_stack_survives_being_saved() -> None:
    for layers in STACKS.values():
        symmetry = symmetry_of(made(*layers))
        assert symmetry_from_dict(json.loads(json.dumps(symmetry_to_dict(symmetry)))) == symmetry


def test_shapes_of_another_size_are_refused() -> None:
    with pytest.raises(ArgumentError, match="a shape of 2 numbers"):
        Symmetry(SE2(), {"place": Point()}, Vector(), shapes={"place": (3, 2)})
    with pytest.raises(ArgumentError, match="'other'"):
        Symmetry(SE2(), {"place": Point()}, Vector(), shapes={"other": (1, 2)})
    symmetry = symmetry_of(made(stack))
    seen, _ = made(stack).reset(seed=0)
    with pytest.raises(ArgumentError, match=r"place: got shape \(2, 2\)"):
        symmetry.observed({**seen, "place": seen["place"][:2]})


@pytest.mark.parametrize("layers", [(flatten,), (stack,), (flatten, stack), (fewer,)])
def test_environments_side_by_side_are_looked_through(layers: Any) -> None:
    expected = symmetry_of(made(*layers))

    def one() -> gym.Env:
        return made(*layers)

    for vector in (gym.vector.SyncVectorEnv([one] * 2), gym.vector.AsyncVectorEnv([one] * 2)):
        assert symmetry_of(vector) == expected
        assert symmetry_of(gym.wrappers.vector.RecordEpisodeStatistics(vector)) == expected
        vector.close()
    side_by_side = gym.make_vec(ID, num_envs=2, vectorization_mode="sync")
    assert symmetry_of(gym.wrappers.vector.FlattenObservation(side_by_side)) == symmetry_of(made(flatten))


def test_those_of_stable_baselines3_are_looked_through() -> None:
    pytest.importorskip("stable_baselines3")
    from stable_baselines3.common.env_util import make_vec_env
    from stable_baselines3.common.vec_env import SubprocVecEnv, VecExtractDictObs, VecFrameStack, VecMonitor

    for kind in (None, SubprocVecEnv):
        for layers in ((), (flatten,), (stack,)):
            wrapped = (lambda env, layers=layers: layers[0](env)) if layers else None
            envs = make_vec_env(
                ID,
                2,
                wrapper_class=wrapped,
                vec_env_cls=kind,
                vec_env_kwargs={"start_method": "fork"} if kind else None,
            )
            assert symmetry_of(VecMonitor(envs)) == symmetry_of(made(*layers))
            envs.close()
    envs = make_vec_env(ID, 2)
    assert symmetry_of(VecExtractDictObs(envs, "place")).observation == {"place": Point()}
    with pytest.raises(ArgumentError, match="begins with zeros: those of 'place'"):
        symmetry_of(VecFrameStack(envs, 2))
    about = replace(SYMMETRY, group=SO2())  # points are vectors from the centre, of which zeros stay zeros
    register_symmetry(ID, about, move)
    found = symmetry_of(VecFrameStack(envs, 2))
    assert found.observed({name: np.zeros(2 * field.size(2)) for name, field in FIELDS.items()})[
        "place"
    ].shape == (2,)


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
    class Shorter(gym.Wrapper):
        def __init__(self, env: gym.Env) -> None:
            super().__init__(env)
            self.observation_space = gym.spaces.Box(-99.0, 99.0, (6,), np.float64)

    with pytest.raises(ArgumentError, match="register or pass a Symmetry"):
        symmetry_of(made(flatten, Shorter))


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


@pytest.mark.parametrize(
    ("low", "high", "turns"), [(-1.0, 1.0, True), (-2.0, 2.0, True), (0.0, 1.0, False), (-1.0, 0.5, False)]
)
def test_actions_have_to_turn_through_wrappers(low: float, high: float, turns: bool) -> None:
    """A scale that is shifted, or another for each axis, makes something else of g·a than g times what it made of a."""
    env = made(lambda inner: wrappers.RescaleAction(inner, np.float64(low), np.float64(high)))
    if turns:
        assert symmetry_of(env).group == SYMMETRY.group
    else:
        with pytest.raises(ArgumentError, match="RescaleAction, which changes actions"):
            symmetry_of(env)


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        (lambda action: 0.5 * action, None),
        (lambda action: action * [1.0, -1.0], "otherwise than they turn"),
        (lambda action: action * np.nan, "cannot be tried: .*finite"),
        (lambda action: 1 / 0, "cannot be tried"),
    ],
)
def test_actions_are_tried_through_functions(change: Any, refused: str | None) -> None:
    env = made(lambda inner: wrappers.TransformAction(inner, change, inner.action_space))
    if refused is None:
        assert symmetry_of(env).group == SYMMETRY.group
    else:
        with pytest.raises(ArgumentError, match=refused):
            symmetry_of(env)


@pytest.mark.parametrize("copied", [True, False])
def test_trying_a_wrapper_changes_nothing_that_it_remembers(copied: bool) -> None:
    class Smooth(gym.ActionWrapper):
        last = np.zeros(2)

        def __init__(self, env: gym.Env) -> None:
            super().__init__(env)
            self.all, self.lock = list[Any](), None if copied else threading.Lock()

        def action(self, action: Any) -> Any:
            self.last = 0.5 * action
            if copied:
                self.all.append(self.last)
            return self.last

    env = made(Smooth, lambda inner: wrappers.StickyAction(inner, 0.5))
    assert symmetry_of(env).group == SYMMETRY.group
    assert not env.env.last.any()  # type: ignore[attr-defined]
    assert not env.env.all  # type: ignore[attr-defined]
    assert env.last_action is None  # type: ignore[attr-defined]
