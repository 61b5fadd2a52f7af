"""Settings at the border: every number there is, and nothing else; what needs an episode before there is one."""

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import ResetNeeded

import equiworld.envs
from equiworld.envs.cloudpush.env import CloudPushEnv
from equiworld.envs.cloudpush.simulation import CloudPushState
from equiworld.envs.pusht.env import PushTEnv
from equiworld.envs.pusht.simulation import PushTState
from equiworld.envs.pusht.stock import StockView
from equiworld.errors import ArgumentError

PUSHT, CLOUDPUSH = "equiworld/PushT-v0", "equiworld/CloudPush-v0"
# Values that float32 and the integers hold too.
REALS: list[tuple[str, str, float]] = [
    (PUSHT, "success_coverage", 0.5),
    (PUSHT, "max_displacement", 64.0),
    (CLOUDPUSH, "noise", 0.001953125),
    (CLOUDPUSH, "dropout", 0.25),
    (CLOUDPUSH, "goal_angle", 1.0),
    (CLOUDPUSH, "goal_distance", 0.25),
    (CLOUDPUSH, "max_angle", 2.0),
    (CLOUDPUSH, "friction", 1.0),
    (CLOUDPUSH, "gravity", 10.0),
    (CLOUDPUSH, "drag", 32.0),
    (CLOUDPUSH, "success_distance", 0.0625),
    (CLOUDPUSH, "success_angle", 0.5),
    (CLOUDPUSH, "max_displacement", 0.0625),
]
INTEGERS = [(CLOUDPUSH, "points", 8), (CLOUDPUSH, "shape_seed", 3)]
ROWS = [
    (PUSHT, "goal", (250.0, 200.0, 1.0)),
    (CLOUDPUSH, "drag", (8.0, 16.0, 32.0)),
    (CLOUDPUSH, "view", (0.0, 0.0, 1.0)),
]
FLAGS = [(PUSHT, "walls"), (CLOUDPUSH, "observe_pose"), (CLOUDPUSH, "table")]
FLOATS: list[Callable[[Any], Any]] = [np.float16, np.float32, np.float64, np.longdouble, np.array]
WHOLES: list[Callable[[Any], Any]] = [np.int8, np.int32, np.int64, np.uint16, np.array]


def make(env_id: str, **arguments: Any) -> gym.Env:
    small = {"points": 8, "shape": "random"} if env_id == CLOUDPUSH else {}
    return gym.make(env_id, **{**small, **arguments})


def played(env: gym.Env) -> list[bytes]:
    """An episode, and what is random about actions and data, to the bit."""
    env.action_space.seed(0)
    results = [env.reset(seed=0), *(env.step(env.action_space.sample()) for _ in range(4))]
    rng = np.random.default_rng(0)
    observation = results[-1][0]
    explored = env.unwrapped.exploration.action(rng, observation).tobytes()
    shown = [part.tobytes() for result in results for part in result[0].values()]
    return [*shown, *(np.float64(result[1]).tobytes() for result in results[1:]), explored]


@pytest.mark.parametrize(("env_id", "name", "value"), REALS)
def test_a_number_is_a_number_whatever_its_type(env_id: str, name: str, value: float) -> None:
    expected = played(make(env_id, **{name: value}))
    wholes = WHOLES if value == int(value) else []
    for cast in [*FLOATS, *(lambda v, whole=whole: whole(int(v)) for whole in wholes)]:
        assert played(make(env_id, **{name: cast(value)})) == expected, cast


@pytest.mark.parametrize(("env_id", "name", "value"), INTEGERS)
def test_an_integer_is_an_integer_whatever_its_type(env_id: str, name: str, value: int) -> None:
    expected = played(make(env_id, **{name: value}))
    for cast in WHOLES:
        assert played(make(env_id, **{name: cast(value)})) == expected, cast
    assert played(make(env_id, **{name: value + 1})) != expected


@pytest.mark.parametrize(("env_id", "name", "value"), ROWS)
def test_a_row_of_numbers_may_be_an_array_or_hold_any_numbers(env_id: str, name: str, value: Any) -> None:
    expected = played(make(env_id, **{name: value}))
    rows = [np.array(value), np.array(value, np.float32), list(value), tuple(map(np.float64, value))]
    for row in [*rows, tuple(map(int, value)), tuple(map(np.array, value))]:
        assert played(make(env_id, **{name: row})) == expected, row
    for bad in ("abc", "123", (1.0, 2.0, True), ("1", "2", "3"), (1.0, np.nan, 0.0), np.ones((1, 3)), True):
        with pytest.raises(ArgumentError, match=f"^{name}: "):
            make(env_id, **{name: bad})


@pytest.mark.parametrize(("env_id", "name", "value"), [*REALS, *INTEGERS])
def test_what_is_no_number_is_refused(env_id: str, name: str, value: Any) -> None:
    odd = [np.nan, np.inf, -np.inf, np.float32("nan"), True, False, np.True_, np.array(True)]
    odd += [value + 0.5] if isinstance(value, int) else [10**400]
    for bad in [
        *odd,
        str(value),
        np.str_(value),
        b"1",
        None,
        [value],
        np.array([value]),
        1j,
        -1,
        np.int64(-1),
    ]:
        with pytest.raises(ArgumentError, match=f"^{name}: "):
            make(env_id, **{name: bad})


@pytest.mark.parametrize(("env_id", "name"), FLAGS)
def test_yes_or_no_is_not_guessed(env_id: str, name: str) -> None:
    both = []
    for value in (True, False):
        both.append(played(make(env_id, **{name: value})))
        for cast in (np.bool_, np.array):
            assert played(make(env_id, **{name: cast(value)})) == both[-1]
    for bad in ("no", "", None, 2, 0.0, np.ones(2, bool)):
        with pytest.raises(ArgumentError, match=f"^{name}: "):
            make(env_id, **{name: bad})


@pytest.mark.parametrize("env_id", [PUSHT, CLOUDPUSH])
def test_seeds_may_be_numpys(env_id: str) -> None:
    env = make(env_id)
    expected = env.reset(seed=3)[0]
    for cast in (np.int64, np.uint8, np.array):
        shown = env.reset(seed=cast(3))[0]
        assert all(np.array_equal(shown[key], expected[key]) for key in expected)
    for bad in (True, -1, 1.5, "3", np.float64(3)):
        with pytest.raises(ArgumentError, match=r"^seed: "):
            env.reset(seed=bad)


@pytest.mark.parametrize("env_id", [PUSHT, CLOUDPUSH])
@pytest.mark.parametrize("bad", [True, 3, "goal", ["goal"], np.zeros(2), {"other": 1}, {1: 2}])
def test_options_are_a_mapping_of_known_ones(env_id: str, bad: Any) -> None:
    env = make(env_id)
    with pytest.raises(ArgumentError, match=r"^options: "):
        env.reset(options=bad)
    env.reset(options={})


@pytest.mark.parametrize("argument", ["starts", "outside", "cone", "metric", "shape"])
@pytest.mark.parametrize("bad", ["", "other", 3, np.array(["raise", "free"]), ["raise"]])
def test_a_choice_is_one_of_its_names(argument: str, bad: Any) -> None:
    env_id = PUSHT if argument == "starts" else CLOUDPUSH
    for one in {env_id, PUSHT} if argument == "outside" else {env_id}:
        with pytest.raises(ArgumentError, match=f"^{argument}: "):
            make(one, **{argument: bad})


def test_the_view_of_gym_pusht_takes_any_number_too() -> None:
    import gym_pusht  # noqa: F401  registers

    stock = gym.make("gym_pusht/PushT-v0")
    assert StockView(stock, np.float32(64.0)).action_space == StockView(stock, 64).action_space
    for bad in (np.nan, True, "64", None):
        with pytest.raises(ArgumentError, match=r"^max_displacement: "):
            StockView(stock, bad)
    with pytest.raises(ArgumentError, match=r"^env: "):
        StockView("gym_pusht/PushT-v0")


@pytest.mark.parametrize("kind", [PushTEnv, CloudPushEnv])
def test_before_a_reset_there_is_no_episode(kind: Any) -> None:
    env = kind(render_mode="rgb_array")
    for call in (lambda: env.step(env.action_space.sample()), env.get_state, env.render):
        with pytest.raises(ResetNeeded, match=r"reset\(\)"):
            call()
    env.reset(seed=0)
    state = env.get_state()
    other = kind()
    other.set_state(state)  # a state is an episode, too
    assert other.get_state() == state
    action = 0.5 * env.action_space.high / np.sqrt(env.action_space.dim)
    assert other.step(action)[1] == env.step(action)[1]


@pytest.mark.parametrize(("kind", "state"), [(PushTEnv, PushTState), (CloudPushEnv, CloudPushState)])
def test_what_is_no_state_is_refused_and_changes_nothing(kind: Any, state: Any) -> None:
    env, other = kind(), (CloudPushEnv if kind is PushTEnv else PushTEnv)()
    other.reset(seed=0)
    for begun in (False, True):
        if begun:
            env.reset(seed=0)
            before = env.get_state()
        for junk in (None, "home", 3, np.zeros(10), {}, (), state, other.get_state()):
            with pytest.raises(ArgumentError, match=f"^state: .*a {state.__name__}"):
                env.set_state(junk)
        if begun:
            assert env.get_state() == before
        else:
            with pytest.raises(ResetNeeded):
                env.get_state()


def test_a_ball_takes_any_number_and_nothing_else() -> None:
    ball = equiworld.envs.Ball
    assert ball(np.int64(2), np.float32(0.5)) == ball(2, 0.5) == ball(np.array(2), np.array(0.5))
    for dim in (True, 2.0, "2", None, 0):
        with pytest.raises(ArgumentError, match=r"^dim: "):
            ball(dim, 1.0)
    for radius in (True, "1", None, np.nan, np.inf, 0):
        with pytest.raises(ArgumentError, match=r"^radius: "):
            ball(2, radius)
