"""The one stepping loop: slots and lockstep, what the policy is given, where episodes begin and end."""

from itertools import count, islice

import gymnasium as gym
import numpy as np
import pytest
import torch
from toy import Counting, Line

import equiworld.envs  # noqa: F401  registers
from equiworld.errors import ArgumentError, SimulationError
from equiworld.rollout import Replay, Start, rollout

LENGTHS = {seed: 1 + seed % 4 for seed in range(20)}


def starts(n):
    return [Start(seed) for seed in range(n)]


def alone(seed):
    """The episode of a seed, stepped by hand: a plain reference."""
    env, policy, state, places = Line(), Counting(), None, [0.0]
    observation, _ = env.reset(seed=seed)
    ended = False
    while not ended:
        actions, state = policy.predict(observation[None], state, np.array([len(places) == 1]))
        observation, _, ended, *_ = env.step(actions[0])
        places.append(float(observation[0]))
    return places


@pytest.mark.parametrize("n_envs", [1, 2, 3, 7])
def test_every_episode_runs_as_it_does_alone(n_envs):
    found = {}
    for step in rollout(Counting(), [Line() for _ in range(n_envs)], starts(7)):
        found.setdefault(step.start.seed, []).append(float(step.observation[0]))
    assert found == {seed: alone(seed) for seed in range(7)}


def test_a_step_tells_what_happened():
    steps = list(rollout(Counting(), [Line()], [Start(2, {"far": True})]))
    assert [step.number for step in steps] == [0, 1, 2, 3]
    assert [step.ended for step in steps] == [False, False, False, True]
    assert [step.reward for step in steps] == [0.0, 1.0, 1.0, 1.0]
    assert [step.info["steps"] for step in steps] == [0, 1, 2, 3]
    assert steps[0].action is None
    assert steps[0].decision is None
    assert [float(step.action[0]) for step in steps[1:]] == [1.0, 2.0, 3.0]
    assert steps[-1].terminated
    assert not steps[-1].truncated
    assert all(step.decision.seconds >= 0 for step in steps[1:])
    assert steps[1].decision.before is None
    assert steps[2].decision.before is steps[1].decision.after


def test_slots_begin_the_next_episode_and_rows_stay_in_the_batch():
    policy, envs = Counting(), [Line(), Line()]
    steps = list(rollout(policy, envs, starts(5)))
    assert [len(batch) for batch in policy.batches] == [2] * len(policy.batches)
    assert sorted(seed for env in envs for seed, _ in env.begun) == [0, 1, 2, 3, 4]
    for batch, begins in zip(policy.batches, policy.starts, strict=True):
        for row in np.flatnonzero(begins):
            assert batch[row, 0] == 0  # begins where an episode does, and only there
    assert sum(int(begins.sum()) for begins in policy.starts) == 5
    assert sum(step.ended for step in steps) == 5


def test_a_row_that_is_over_shows_its_last_observation_and_is_not_active():
    policy = Counting()
    steps = list(rollout(policy, [Line(), Line()], [Start(0), Start(3)]))
    assert [batch[0, 0] for batch in policy.batches] == [0.0, 1.0, 1.0, 1.0]
    decisions = [step.decision for step in steps if step.env == 1 and step.number]
    assert [decision.active.tolist() for decision in decisions] == [[True, True]] + [[False, True]] * 3


def test_rows_that_are_over_leave_the_batch_and_the_state():
    policy = Counting()
    steps = list(rollout(policy, [Line() for _ in range(3)], starts(3), drop_ended=True))
    assert [batch[:, 1].tolist() for batch in policy.batches] == [[0, 1, 2], [1, 2], [2]]
    assert [state.seed.tolist() for state in policy.states[1:]] == [[1, 2], [2]]
    found = {
        seed: [float(s.action[0]) for s in steps if s.start.seed == seed and s.number] for seed in range(3)
    }
    assert found == {0: [1.0], 1: [1.0, 2.0], 2: [1.0, 2.0, 3.0]}


def test_a_state_without_rows_cannot_leave_them():
    with pytest.raises(ArgumentError, match="named tuple"):
        list(rollout(Replay([np.zeros((2, 1))]), [Line(), Line()], [Start(0), Start(3)], drop_ended=True))


def test_steps_cut_an_episode_off():
    steps = list(rollout(Counting(), [Line()], [Start(3), Start(7)], steps=2))
    assert [(step.start.seed, step.number, step.ended) for step in steps] == [
        (3, 0, False),
        (3, 1, False),
        (3, 2, True),
        (7, 0, False),
        (7, 1, False),
        (7, 2, True),
    ]
    assert [step.number for step in rollout(Counting(), [Line()], [Start(3)], steps=0)] == [0]


def test_who_asks_may_say_where_an_episode_ends():
    """Also beyond the end that the environment tells, and at the reset."""
    beyond = list(rollout(Counting(), [Line()], [Start(0)], ends=lambda step: False, steps=5))
    assert [step.terminated for step in beyond] == [False, True, False, False, False, False]
    some = rollout(Counting(), [Line()], starts(4), ends=lambda step: step.start.seed != 2 or step.terminated)
    assert [(step.start.seed, step.number) for step in some] == [
        (0, 0),
        (1, 0),
        (2, 0),
        (2, 1),
        (2, 2),
        (2, 3),
        (3, 0),
    ]


def test_starts_are_drawn_when_they_begin():
    drawn = []

    def endless():
        for seed in count():
            drawn.append(seed)
            yield Start(seed)

    assert len(list(islice(rollout(Counting(), [Line(), Line()], endless()), 6))) == 6
    assert len(drawn) <= 4


def test_fewer_starts_than_environments_leave_the_others_alone():
    envs = [Line(), Line(), Line()]
    list(rollout(Counting(), envs, starts(2)))
    assert [len(env.begun) for env in envs] == [1, 1, 0]
    assert list(rollout(Counting(), envs, [])) == []


@pytest.mark.parametrize(
    ("env", "message"),
    [
        (Line(fails=2), "seed 3 at step 2: out of line"),
        (Line(spoils=2), r"not finite \(seed 3, step 1\)"),
    ],
)
def test_an_error_says_in_which_episode_and_at_which_step(env, message):
    with pytest.raises(SimulationError, match=message):
        list(rollout(Counting(), [env], [Start(3)]))


@pytest.mark.parametrize("actions", [np.zeros((3, 1)), np.zeros(())])
def test_another_number_of_actions_is_refused(actions):
    with pytest.raises(ArgumentError, match="one for each of 2 observations"):
        list(rollout(Replay([actions]), [Line(), Line()], starts(2)))


def test_what_the_policy_does_to_its_observations_stays_with_it():
    class Vandal(Counting):
        def predict(self, observation, state=None, episode_start=None, deterministic=True):
            observation[:] = 99.0
            return np.ones((len(observation), 1)), None

    assert [float(step.observation[0]) for step in rollout(Vandal(), [Line()], [Start(2)])][-1] == 3.0


def test_replayed_actions_lead_where_they_led():
    env = gym.make("equiworld/PushT-v0")

    class Follow:
        def predict(self, obs, state=None, episode_start=None, deterministic=True):
            return 0.2 * (obs["block_pos"] - obs["agent_pos"]), state

    first = list(rollout(Follow(), [env], [Start(5)], steps=8))
    again = list(rollout(Replay([step.action[None] for step in first[1:]]), [env], [Start(5)], steps=8))
    for one, other in zip(first, again, strict=True):
        assert all(np.array_equal(one.observation[name], other.observation[name]) for name in one.observation)
    other = list(rollout(Replay([-step.action[None] for step in first[1:]]), [env], [Start(5)], steps=8))
    assert not np.array_equal(first[-1].observation["agent_pos"], other[-1].observation["agent_pos"])


class Says:
    """A policy that says whatever it is made with, a row for each observation."""

    def __init__(self, said):
        self.said = said

    def predict(self, obs, state=None, episode_start=None, deterministic=True):
        return self.said, state


@pytest.mark.parametrize(
    "said",
    [np.zeros((1, 1)), np.zeros((1, 3)), np.ones((1, 2)) * 1j, np.array([[None, None]]), [[0.0], [1.0, 2.0]]],
)
def test_actions_that_the_space_does_not_hold_are_refused(said):
    """NumPy would spread one number over two, and drop imaginary parts."""
    env = gym.make("equiworld/PushT-v0")
    with pytest.raises(ArgumentError, match="policy"):
        list(rollout(Says(said), [env], [Start(0)], steps=1))


def test_actions_may_be_tensors_with_a_gradient():
    env = gym.make("equiworld/PushT-v0")
    assert len(list(rollout(Says(torch.zeros(1, 2, requires_grad=True)), [env], [Start(0)], steps=1))) == 2


def test_an_environment_without_info_is_named():
    class Silent(gym.Wrapper):
        def step(self, action):
            return *super().step(action)[:4], None

    with pytest.raises(SimulationError, match=r"info is a NoneType"):
        list(rollout(Says(np.zeros((1, 2))), [Silent(gym.make("equiworld/PushT-v0"))], [Start(0)], steps=1))
