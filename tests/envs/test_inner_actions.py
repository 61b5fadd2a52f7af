"""What a turned action does where it leaves the box of the wrapped environment, and whether that is said."""

import copy
import warnings
from collections import OrderedDict
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec
from gymnasium.spaces.utils import flatten
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import FlattenObservation

from equiworld.envs import GroupAction, RandomGroupAction, VectorGroupAction, VectorRandomGroupAction
from equiworld.errors import ArgumentError
from equiworld.groups import O2, SO2, Cyclic, GroupElement
from equiworld.symmetry import Concatenation, Scalar, Symmetry, Vector

# That it is said is one test's question; to the others it is no news.
quietly = pytest.mark.filterwarnings("ignore:of the turned action space")
KEYS = ("position", "velocity", "goal")  # not sorted
SYMMETRY = Symmetry(SO2(), {key: Vector() for key in KEYS}, Vector())
MIXED = Symmetry(SO2(), {key: Vector() for key in KEYS}, Concatenation((Vector(), Scalar())))
EIGHTH, QUARTER = SO2().rotation(np.pi / 4), SO2().rotation(np.pi / 2)


class Recorder(gym.Env):
    """Shows three vectors, whatever is done; remembers the actions that reached it."""

    metadata = {"render_modes": []}  # noqa: RUF012

    def __init__(self, low: Any = -1.0, high: Any = 1.0, size: int = 2, dtype: Any = np.float32) -> None:
        parts = [(key, spaces.Box(-9.0, 9.0, (2,), np.float64)) for key in KEYS]
        self.observation_space = spaces.Dict(OrderedDict(parts))
        bounds = (np.broadcast_to(np.array(bound, dtype), (size,)) for bound in (low, high))
        self.action_space = spaces.Box(*bounds, dtype=dtype)
        self.reached: list[np.ndarray] = []

    def _observe(self) -> dict[str, np.ndarray]:
        return {key: self.np_random.normal(size=2) for key in KEYS}

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        return self._observe(), {}

    def step(self, action: Any) -> Any:
        self.reached.append(np.array(action))
        return self._observe(), 0.0, len(self.reached) % 3 == 0, False, {}


def said(wrap: Any) -> list[str]:
    """The warnings of a construction, and that they point here."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        wrap()
    assert all(one.filename == __file__ for one in caught)
    return [str(one.message) for one in caught]


def vector(count: int = 2, mode: AutoresetMode = AutoresetMode.NEXT_STEP, **arguments: Any) -> SyncVectorEnv:
    return SyncVectorEnv([lambda: Recorder(**arguments)] * count, autoreset_mode=mode)


@quietly
@pytest.mark.parametrize(
    ("wrap", "leaves"),
    [
        (lambda: GroupAction(Recorder(), EIGHTH, SYMMETRY), True),
        (lambda: GroupAction(Recorder(), SO2().rotation(1e-3), SYMMETRY), True),
        (lambda: GroupAction(Recorder(), QUARTER, SYMMETRY), False),
        (lambda: GroupAction(Recorder(dtype=np.float64), QUARTER @ QUARTER, SYMMETRY), False),
        (lambda: GroupAction(Recorder(), SO2().identity(), SYMMETRY), False),
        (lambda: GroupAction(Recorder(), O2().reflection(0.0), SYMMETRY), False),
        (lambda: GroupAction(Recorder((0.0, -0.5), (1.0, 3.0)), QUARTER, SYMMETRY), False),
        (lambda: GroupAction(Recorder((-1000, -0.1), (1000, 0.1)), QUARTER, SYMMETRY), False),
        (lambda: GroupAction(Recorder((-1000, -0.1), (1000, 0.1)), EIGHTH, SYMMETRY), True),
        (lambda: GroupAction(Recorder(-np.inf, np.inf), EIGHTH, SYMMETRY), False),
        (lambda: GroupAction(Recorder((-1, -np.inf), (1, np.inf)), EIGHTH, SYMMETRY), True),
        (lambda: GroupAction(Recorder(size=3), EIGHTH, MIXED), True),
        (lambda: RandomGroupAction(Recorder(), SO2(), symmetry=SYMMETRY), True),
        (lambda: RandomGroupAction(Recorder(), Cyclic(4), symmetry=SYMMETRY), False),
        (lambda: VectorGroupAction(vector(), EIGHTH, SYMMETRY), True),
        (lambda: VectorGroupAction(vector(), GroupElement.stack([QUARTER, EIGHTH]), SYMMETRY), True),
        (lambda: VectorGroupAction(vector(), QUARTER, SYMMETRY), False),
        (lambda: VectorRandomGroupAction(vector(), SO2(), symmetry=SYMMETRY), True),
        (lambda: GroupAction(gym.make("equiworld/PushT-v0"), EIGHTH), False),
        (lambda: GroupAction(Recorder(), EIGHTH, SYMMETRY, outside="clip"), False),
        (lambda: GroupAction(Recorder(), EIGHTH, SYMMETRY, outside="raise"), False),
    ],
)
def test_it_is_said_once_and_only_where_it_is_so(wrap: Any, leaves: bool) -> None:
    messages = said(wrap)
    assert len(messages) == leaves
    assert all("outside" in message and "clip" in message and "raise" in message for message in messages)
    env = wrap()
    if not leaves:
        return
    env.reset(seed=0)
    bare = env.env.envs if hasattr(env, "num_envs") else [env.env]
    low, high = (
        np.nan_to_num(bound, posinf=5, neginf=-5) for bound in (env.action_space.low, env.action_space.high)
    )
    for _ in range(5):
        env.step(low), env.step(high)
    reached = np.array([action for one in bare for action in one.reached])
    inner = bare[0].action_space
    assert ((reached < inner.low - 1e-9) | (reached > inner.high + 1e-9)).any(), "the warning is right"


@quietly
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_clipped_or_passed_or_refused_as_asked(dtype: Any) -> None:
    rng = np.random.default_rng(0)
    ways = ("pass", "clip", "raise")
    envs = {
        way: GroupAction(Recorder(dtype=dtype), EIGHTH, SYMMETRY, outside=way)  # type: ignore[arg-type]
        for way in ways
    }
    default = GroupAction(Recorder(dtype=dtype), EIGHTH, SYMMETRY)
    for env in (*envs.values(), default):
        env.reset(seed=0)
    refused = 0
    for _ in range(100):
        action = rng.uniform(-1.41, 1.41, 2).astype(dtype)
        for env in (default, envs["pass"], envs["clip"]):
            env.step(action)
        passed, clipped = (envs[way].unwrapped.reached[-1] for way in ("pass", "clip"))
        assert np.array_equal(default.unwrapped.reached[-1], passed)
        assert np.allclose(passed, SYMMETRY.transform_action(EIGHTH.inverse(), action), atol=1e-6)
        assert np.array_equal(clipped, np.clip(passed, -1, 1))
        assert clipped.dtype == passed.dtype == dtype
        before = len(envs["raise"].unwrapped.reached)
        if np.abs(passed).max() > 1 + 1e-5:
            with pytest.raises(ArgumentError, match=r"^action: .*outside"):
                envs["raise"].step(action)
            assert len(envs["raise"].unwrapped.reached) == before
            refused += 1
        else:
            envs["raise"].step(action)
            assert np.array_equal(envs["raise"].unwrapped.reached[-1], passed)
    assert 20 < refused < 80


@pytest.mark.parametrize("g", [SO2().identity(), QUARTER, QUARTER @ QUARTER, O2().reflection(0.0)])
def test_an_action_at_the_edge_of_a_box_that_is_its_own_image_is_inside(g: GroupElement) -> None:
    env = GroupAction(Recorder((0.0, -0.5), (1.0, 3.0)), g, SYMMETRY, outside="raise")
    env.reset(seed=0)
    low, high = env.action_space.low, env.action_space.high
    for corner in (low, high, np.array([low[0], high[1]]), np.array([high[0], low[1]])):
        env.step(corner)
    assert len(env.unwrapped.reached) == 4


def test_random_elements_and_copies_heed_it_too() -> None:
    env = RandomGroupAction(Recorder(), SO2(), symmetry=SYMMETRY, outside="clip")
    twin = copy.deepcopy(env)
    for one in (env, twin):
        for seed in range(20):
            one.reset(seed=seed)
            one.step(one.action_space.high)
        assert np.abs(one.unwrapped.reached).max() <= 1.0
    assert np.array_equal(env.unwrapped.reached, twin.unwrapped.reached)


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_vectors_are_loops_of_single_ones(mode: AutoresetMode) -> None:
    elements = GroupElement.stack([EIGHTH, QUARTER, SO2().rotation(0.3)])
    turned = VectorGroupAction(vector(3, mode), elements, SYMMETRY, outside="clip")
    turned.reset(seed=0)
    singles = [GroupAction(Recorder(), elements[i], SYMMETRY, outside="clip") for i in range(3)]
    for single in singles:
        single.reset(seed=0)
    rng = np.random.default_rng(0)
    for step in range(8):
        actions = rng.uniform(-1.4, 1.4, (3, 2)).astype(np.float32)
        turned.step(actions)
        if mode is AutoresetMode.NEXT_STEP and step % 4 == 3:
            continue  # this step only resets
        for single, action in zip(singles, actions, strict=True):
            single.step(action)
    for bare, single in zip(turned.env.envs, singles, strict=True):
        assert np.allclose(bare.reached, single.unwrapped.reached, rtol=0, atol=1e-6)


def test_a_row_that_nobody_reads_is_not_refused() -> None:
    turned = VectorGroupAction(vector(2, low=1.0, high=2.0), QUARTER, SYMMETRY, outside="raise")
    turned.reset(seed=0)
    inside = np.tile(np.array([-1.5, 1.5], np.float32), (2, 1))
    with pytest.raises(ArgumentError, match=r"^action: "):
        turned.step(-inside)
    for _ in range(3):
        turned.step(inside)
    turned.step(np.full((2, 2), np.nan, np.float32))  # both begin anew
    turned.step(inside)
    with pytest.raises(ArgumentError, match=r"^action: "):
        turned.step(-inside)


@pytest.mark.parametrize("bad", ["project", None, True, 1])
def test_another_wish_is_refused(bad: Any) -> None:
    for wrap in (
        lambda: GroupAction(Recorder(), EIGHTH, SYMMETRY, outside=bad),
        lambda: RandomGroupAction(Recorder(), SO2(), symmetry=SYMMETRY, outside=bad),
        lambda: VectorGroupAction(vector(), EIGHTH, SYMMETRY, outside=bad),
        lambda: VectorRandomGroupAction(vector(), SO2(), symmetry=SYMMETRY, outside=bad),
    ):
        with pytest.raises(ArgumentError, match=r"^outside: .*pass, clip, raise"):
            wrap()


@quietly
@pytest.mark.parametrize("scale", [True, np.True_, "1", np.nan, np.inf, -1.0, [1.0]])
def test_a_scale_is_a_number(scale: Any) -> None:
    for wrap, env in ((RandomGroupAction, Recorder()), (VectorRandomGroupAction, vector())):
        with pytest.raises(ArgumentError, match=r"^scale: "):
            wrap(env, SO2(), scale, SYMMETRY)
        for cast in (np.float32, np.int64, np.array):
            assert wrap(env, SO2(), cast(2), SYMMETRY).scale == 2.0


@quietly
@pytest.mark.parametrize(
    "wrap",
    [
        lambda env: GroupAction(env, SO2().identity(), SYMMETRY),
        lambda env: GroupAction(GroupAction(env, QUARTER, SYMMETRY), QUARTER.inverse(), SYMMETRY),
        lambda env: RandomGroupAction(env, Cyclic(1), symmetry=SYMMETRY),
    ],
)
def test_keys_keep_their_order(wrap: Any) -> None:
    env, turned = Recorder(), wrap(Recorder())
    assert list(turned.observation_space) == list(env.observation_space) == list(KEYS)
    flat, flat_turned = FlattenObservation(env), FlattenObservation(turned)
    assert np.allclose(flat.reset(seed=0)[0], flat_turned.reset(seed=0)[0], rtol=0, atol=1e-12)
    observation = env.reset(seed=0)[0]
    for element in (EIGHTH, O2().reflection(0.3)):
        shown = GroupAction(Recorder(), element, SYMMETRY)
        expected = SYMMETRY.transform_observation(element, observation)
        found = FlattenObservation(shown).reset(seed=0)[0]
        assert np.allclose(found, flatten(env.observation_space, expected), rtol=0, atol=1e-12)
        assert list(shown.reset()[0]) == list(KEYS)


@quietly
@pytest.mark.parametrize("random", [False, True])
def test_vectors_keep_the_order_of_keys_too(random: bool) -> None:
    plain = vector(3)
    turned = (
        VectorRandomGroupAction(vector(3), SO2(), symmetry=SYMMETRY)
        if random
        else VectorGroupAction(vector(3), EIGHTH, SYMMETRY)
    )
    for name in ("single_observation_space", "observation_space"):
        assert list(getattr(turned, name)) == list(getattr(plain, name)), name
    assert list(turned.single_observation_space) == list(KEYS)
    assert turned.observation_space.contains(turned.reset(seed=0)[0])


@pytest.mark.parametrize("outside", ["pass", "clip", "raise"])
def test_a_spec_remembers_what_to_do_outside(outside: Any) -> None:
    for wrap in (
        lambda env: GroupAction(env, EIGHTH, outside=outside),
        lambda env: RandomGroupAction(env, SO2(), np.float32(0.5), outside=outside),
    ):
        spec = wrap(gym.make("equiworld/PushT-v0")).spec
        again = EnvSpec.from_json(spec.to_json())
        assert again.additional_wrappers[-1].kwargs["outside"] == outside
        assert repr(gym.make(again)) == repr(gym.make(spec))


def test_a_sorted_space_stays_sorted() -> None:
    env = gym.make("equiworld/PushT-v0")
    turned = GroupAction(env, EIGHTH)
    assert list(turned.observation_space) == list(env.observation_space)
