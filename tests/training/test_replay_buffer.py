"""What a stable-baselines3 replay buffer holds, and nothing else: whole transitions, in order, as they were acted."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st

import equiworld as ew
from equiworld.errors import ArgumentError
from equiworld.groups import SE2
from equiworld.symmetry import Point, Scalar, Symmetry, Vector
from equiworld.training import Dataset, check_disjoint

buffers = pytest.importorskip("stable_baselines3.common.buffers")

KEYS = Symmetry(ew.SO2(), {"who": Scalar(2), "way": Vector()}, action=Vector())
FLAT = Symmetry(ew.SO2(), {"who": Scalar(2), "way": Vector()}, action=Vector(), flat=True)
LOW, HIGH = np.array([-3.0, 1.0], np.float32), np.array([5.0, 2.0], np.float32)
ACTIONS = spaces.Box(LOW, HIGH)


class Filled:
    """A buffer filled as SB3 does, from environments whose observations say who, which episode and which step it is."""

    def __init__(self, n_envs: int, size: int, steps: int, length: int, kind: str) -> None:
        optimised = kind == "optimised"
        box = spaces.Box(-np.inf, np.inf, (2,), np.float64)
        shown = (
            spaces.Dict({"who": box, "way": box})
            if kind == "keys"
            else spaces.Box(-np.inf, np.inf, (4,), np.float64)
        )
        make = buffers.DictReplayBuffer if kind == "keys" else buffers.ReplayBuffer
        self.buffer = make(
            size * n_envs,
            shown,
            ACTIONS,
            device="cpu",
            n_envs=n_envs,
            optimize_memory_usage=optimised,
            handle_timeout_termination=not optimised,
        )
        self.kind, self.symmetry = kind, KEYS if kind == "keys" else FLAT
        rng = np.random.default_rng(0)
        self.log: list[list[tuple[Any, ...]]] = [
            [] for _ in range(n_envs)
        ]  # (before, action, after, done, episode)
        now = np.array([self.number(env, 0, 0) for env in range(n_envs)])
        episode, step = np.zeros(n_envs, int), np.zeros(n_envs, int)
        for _ in range(steps):
            action = rng.uniform(-1, 1, (n_envs, 2)).astype(np.float32)
            step += 1
            after = np.array([self.number(env, episode[env], step[env]) for env in range(n_envs)])
            done = step >= length + np.arange(n_envs) % 2
            infos = [{"TimeLimit.truncated": bool(each and env % 2)} for env, each in enumerate(done)]
            self.buffer.add(self.shown(now), self.shown(after), action, np.zeros(n_envs), done, infos)
            for env in range(n_envs):
                self.log[env].append(
                    (now[env].copy(), action[env], after[env].copy(), done[env], episode[env])
                )
            episode, step = episode + done, np.where(done, 0, step)
            now = np.array([self.number(env, episode[env], step[env]) for env in range(n_envs)])

    @staticmethod
    def number(env: int, episode: int, step: int) -> list[float]:
        return [env, episode, step, env + 0.1 * step]

    def shown(self, numbers: np.ndarray) -> Any:
        return {"who": numbers[:, :2], "way": numbers[:, 2:]} if self.kind == "keys" else numbers

    def expected(self) -> list[tuple[Any, ...]]:
        """What is left of the log, and whole."""
        size, found = self.buffer.buffer_size, []
        for log in self.log:
            kept = log[-size:]
            if self.kind == "optimised":
                kept = kept[1:] if self.buffer.full else kept
                kept = [each for index, each in enumerate(kept) if not each[3] or index == len(kept) - 1]
            found += kept
        return found


@settings(max_examples=120, deadline=None)
@given(
    n_envs=st.integers(1, 3),
    size=st.integers(2, 12),
    steps=st.integers(1, 40),
    length=st.integers(1, 6),
    kind=st.sampled_from(["keys", "flat", "optimised"]),
)
def test_what_is_whole_is_kept_in_order(n_envs, size, steps, length, kind):
    filled = Filled(n_envs, size, steps, length, kind)
    expected = filled.expected()
    if not expected:
        with pytest.raises(ArgumentError, match="no complete transition"):
            Dataset.from_replay_buffer(filled.buffer, filled.symmetry)
        return
    data = Dataset.from_replay_buffer(filled.buffer, filled.symmetry)
    before, after = (
        np.concatenate([arrays["who"], arrays["way"]], -1)
        for arrays in (data.observation, data.next_observation)
    )
    assert np.array_equal(before, [each[0] for each in expected])
    assert np.array_equal(after, [each[2] for each in expected])
    acted = LOW + 0.5 * (np.array([each[1] for each in expected]) + np.float32(1)) * (HIGH - LOW)
    assert np.array_equal(data.action, acted)
    # One number an episode of one environment, and no number for two, whatever the gaps made of it.
    runs = [(env, number) for (env, number, *_), *_ in expected]
    assert all(
        runs[i] == runs[j] for i in range(len(runs)) for j in range(i) if data.episode[i] == data.episode[j]
    )
    for i in range(1, len(runs)):
        follows = np.array_equal(after[i - 1], before[i]) and runs[i] == runs[i - 1]
        assert (data.episode[i] == data.episode[i - 1]) == follows


def test_a_break_without_an_end_is_an_end():
    """An environment that was reset in mid-episode, as between two calls of `learn`, is in another episode."""
    filled = Filled(1, 20, 6, 100, "flat")
    buffer = filled.buffer
    for array in (buffer.observations, buffer.next_observations):
        array[3:, ..., 3] += 0.5
    data = Dataset.from_replay_buffer(buffer, FLAT)
    assert len(set(data.episode[:3])) == len(set(data.episode[3:])) == 1
    assert len(set(data.episode)) == 2


def test_actions_are_in_the_units_of_the_environment():
    buffer = Filled(1, 20, 10, 5, "flat").buffer
    assert not np.array_equal(
        Dataset.from_replay_buffer(buffer, FLAT).action,
        Dataset.from_replay_buffer(buffer, FLAT, scaled=False).action,
    )
    buffer.actions[4] = 1.5
    with pytest.raises(ArgumentError, match=r"buffer\.actions: got numbers up to 1\.5; .*scaled=False"):
        Dataset.from_replay_buffer(buffer, FLAT)
    assert Dataset.from_replay_buffer(buffer, FLAT, scaled=False).action[4].tolist() == [1.5, 1.5]
    buffer.action_space = spaces.Box(-np.inf, np.inf, (2,))
    with pytest.raises(ArgumentError, match=r"buffer\.action_space: got .*scaled=False"):
        Dataset.from_replay_buffer(buffer, FLAT)


class Plane(gym.Env):
    """Notes every action that it gets."""

    observation_space = spaces.Box(-np.inf, np.inf, (4,), np.float64)
    action_space = ACTIONS
    got: list[np.ndarray]

    def __init__(self) -> None:
        self.got, self.steps = [], 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.state, self.left = self.np_random.normal(size=4), 7
        return self.state.copy(), {}

    def step(self, action: Any) -> Any:
        self.got.append(np.array(action))
        self.left -= 1
        self.state = self.state + np.r_[action, action]
        return self.state.copy(), 0.0, False, self.left == 0, {}


@pytest.mark.parametrize("optimised", [False, True])
def test_what_an_algorithm_collected_is_what_acted(optimised):
    sb3 = pytest.importorskip("stable_baselines3")
    env = Plane()
    model = sb3.TD3(
        "MlpPolicy",
        env,
        buffer_size=1000,
        learning_starts=20,
        batch_size=4,
        policy_kwargs={"net_arch": [4]},
        optimize_memory_usage=optimised,
        replay_buffer_kwargs={"handle_timeout_termination": not optimised},
        device="cpu",
        seed=0,
    )
    model.learn(24)
    model.learn(20)  # from a reset in mid-episode on
    data = Dataset.from_replay_buffer(model.replay_buffer, FLAT)
    acted = np.array(env.got)
    moved = np.concatenate(
        [data.next_observation[name] - data.observation[name] for name in ("who", "way")], -1
    )
    assert np.allclose(moved, np.tile(data.action, 2), atol=1e-12)
    rows = [np.flatnonzero((acted == action).all(-1))[0] for action in data.action]
    assert rows == sorted(set(rows))
    # Every seventh step ends an episode, and so does the second call; 44 steps in all.
    ends = {6, 13, 20, 23, 30, 37} if optimised else set()
    assert set(range(44)) - set(rows) == ends
    assert len(set(data.episode)) == 7
    seen, unseen = data.split((0.7, 0.3))
    check_disjoint(seen=seen, unseen=unseen)
    ew.WorldModel.for_data(seen)


def test_a_dict_buffer_may_hold_more_than_is_declared():
    buffer = Filled(2, 6, 9, 4, "keys").buffer
    whole = Dataset.from_replay_buffer(buffer, KEYS)
    for arrays in (buffer.observations, buffer.next_observations):
        arrays["camera"] = np.full((6, 2, 3, 3), np.nan)
    with pytest.raises(
        ArgumentError, match=r"buffer, environment 0: observations: got the undeclared key 'camera'"
    ):
        Dataset.from_replay_buffer(buffer, KEYS)
    assert Dataset.from_replay_buffer(buffer, KEYS, extra_keys="ignore").fingerprint() == whole.fingerprint()
    buffer.next_observations["way"][3, 1] = np.nan
    with pytest.raises(ArgumentError, match=r"buffer, environment 1: next_observations\['way'\]: got NaN"):
        Dataset.from_replay_buffer(buffer, KEYS, extra_keys="ignore")


def test_only_what_was_filled_is_looked_at():
    buffer = Filled(2, 9, 4, 3, "flat").buffer
    whole = Dataset.from_replay_buffer(buffer, FLAT).fingerprint()
    for array in (buffer.observations, buffer.next_observations, buffer.actions):
        array[4:] = np.nan
    assert Dataset.from_replay_buffer(buffer, FLAT).fingerprint() == whole


@pytest.mark.parametrize(
    ("buffer", "message"),
    [
        (None, "buffer: got a NoneType without 'observations'"),
        ([1, 2], "buffer: got a list without"),
        (buffers.RolloutBuffer(4, Plane.observation_space, ACTIONS, device="cpu"), "without 'dones'"),
        (buffers.ReplayBuffer(4, Plane.observation_space, ACTIONS, device="cpu"), "no complete transition"),
        (
            buffers.ReplayBuffer(4, Plane.observation_space, spaces.Discrete(3), device="cpu"),
            "buffer.action_space",
        ),
        (buffers.ReplayBuffer(4, spaces.Box(0, 1, (3,)), ACTIONS, device="cpu"), r"got shape \(0, 3\)"),
    ],
)
def test_other_buffers_are_refused(buffer, message):
    with pytest.raises(ArgumentError, match=message):
        Dataset.from_replay_buffer(buffer, FLAT)


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 99),
    st.text(max_size=3),
    st.lists(st.floats(), max_size=3),
    st.lists(st.integers(0, 6), max_size=4).map(lambda shape: np.zeros(shape)),
    st.just({"who": np.zeros((6, 1, 2))}),
)


@settings(max_examples=300, deadline=None)
@given(
    name=st.sampled_from(
        ["observations", "next_observations", "actions", "dones", "timeouts", "pos", "full", "action_space"]
    ),
    value=VALUES,
    other=VALUES,
    scaled=st.booleans(),
    optimised=st.booleans(),
)
def test_junk_is_refused_or_right(name, value, other, scaled, optimised):
    filled = vars(Filled(1, 6, 4, 3, "flat").buffer)
    buffer = SimpleNamespace(**{**filled, name: value, "extra": other, "optimize_memory_usage": optimised})
    try:
        data = Dataset.from_replay_buffer(buffer, FLAT, scaled=scaled)
    except ArgumentError:
        return
    assert len(data) > 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dones", np.full((6, 1), np.nan)),
        ("dones", np.full((6, 1), 0.5)),
        ("dones", np.full((6, 1), "no")),
        ("full", np.zeros(2)),
        ("optimize_memory_usage", torch.zeros(2)),
        ("actions", torch.zeros(6, 1, 2).to_sparse()),
        ("observations", torch.tensor(0.5, requires_grad=True)),
    ],
    ids=lambda value: str(getattr(value, "dtype", value)),
)
def test_what_only_looks_like_a_buffer_is_refused(name, value):
    buffer = SimpleNamespace(
        observations=np.zeros((6, 1, 2)),
        next_observations=np.zeros((6, 1, 2)),
        actions=np.zeros((6, 1, 2)),
        dones=np.zeros((6, 1)),
        pos=0,
        full=True,
        action_space=gym.spaces.Box(-1, 1, (2,)),
    )
    symmetry = Symmetry(SE2(), {"pos": Point()}, Vector(), flat=True)
    assert len(Dataset.from_replay_buffer(buffer, symmetry)) == 6
    with pytest.raises(ArgumentError, match=r"^scaled: got "):
        Dataset.from_replay_buffer(buffer, symmetry, scaled=1)
    setattr(buffer, name, value)
    with pytest.raises(ArgumentError, match=rf"^buffer(\.{name})?: got "):
        Dataset.from_replay_buffer(buffer, symmetry)
