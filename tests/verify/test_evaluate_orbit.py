"""The same episodes at every element of an orbit: success and return by element, with intervals."""

import math

import gymnasium as gym
import numpy as np
import pytest

from equiworld.benchmarks.worlds.reach import REACH
from equiworld.errors import ArgumentError
from equiworld.groups import O2, SE2, SE3, SO2, Cyclic, GroupElement
from equiworld.results import read_json
from equiworld.sb3 import symmetrise
from equiworld.symmetry import Point, Symmetry, Vector, register_symmetry, symmetry_of
from equiworld.verify.evaluate import EvaluationError, OrbitEvaluation, evaluate
from equiworld.verify.evaluation import Episode, Evaluation
from equiworld.verify.evaluation.intervals import mean_interval

EPISODES = 6


class East:
    """Pushes east whatever it sees: solves what lies there."""

    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        return np.tile([1.0, 0.0], (len(observation), 1)), state


def pursue(observation):
    return 4.0 * (observation[4:] - observation[:2]) - 8.0 * observation[2:4]


@pytest.fixture(scope="module")
def env():
    return gym.make(REACH, half_width=math.radians(5.0))


def test_a_policy_of_one_direction_is_told_apart(env):
    found = evaluate(East(), env, group=SO2().grid(4), episodes=EPISODES)
    assert isinstance(found, OrbitEvaluation)
    assert found.success_rates[0] > 0.5
    assert found.success_rates[found.worst] == 0.0
    assert found.worst == 2 or found.success_rates[1:].max() == 0.0
    assert (found.mean_returns[1:] < found.mean_returns[0]).all()
    assert "worst of 3 others" in str(found)


@pytest.mark.parametrize("mode", ["active", "passive"])
def test_one_that_turns_gets_the_same_at_every_element_of_the_same_seeds(env, mode):
    policy = symmetrise(pursue, env)
    found = evaluate(policy, env, group=SE2(), elements=3, episodes=EPISODES, mode=mode)
    assert len(found.evaluations) == 4
    assert found.elements[0].is_close(SE2().identity())
    for each in found.evaluations:
        assert [episode.seed for episode in each.episodes] == list(range(EPISODES))
        for here, there in zip(found.evaluations[0].episodes, each.episodes, strict=True):
            assert here.steps == there.steps
            assert here.total_reward == pytest.approx(there.total_reward, abs=1e-9)
    mean, low, high = found.return_difference(3)
    assert abs(mean) <= 1e-9
    assert high - low <= 1e-9


def test_the_paired_interval_is_narrower_than_that_of_either_mean(env):
    found = evaluate(symmetrise(pursue, env), env, group=SE2(), elements=1, episodes=EPISODES)
    _, low, high = found.evaluations[0].return_interval()
    _, least, most = found.return_difference(1)
    assert most - least < 0.01 * (high - low)


def test_the_identity_gives_what_evaluate_gives_without_a_group(env):
    plain = evaluate(East(), env, episodes=EPISODES, seed=3)
    found = evaluate(East(), env, group=Cyclic(3), episodes=EPISODES, seed=3)
    assert isinstance(plain, Evaluation)
    assert [each.row() for each in found.evaluations[0].episodes] == [each.row() for each in plain.episodes]
    assert len(found.elements) == 3


def test_the_table_and_the_file_have_a_row_an_element(env, tmp_path):
    found = evaluate(East(), env, group=SE2(), elements=2, episodes=3)
    content = read_json(found.save(tmp_path / "orbit.json"))
    assert content["benchmark"] == "evaluate-orbit"
    assert len(content["rows"]) == 3
    assert {"angle_deg", "success_low", "success_high", "return_low", "return_apart"} <= set(
        content["rows"][1]
    )
    assert content["config"]["group"] == "SE2"
    assert [len(each) for each in content["config"]["episodes_by_element"]] == [3, 3, 3]
    assert len(found.table().splitlines()) >= 4
    assert len(found.pooled.episodes) == 6


def test_success_need_not_be_asked_for(env):
    found = evaluate(East(), env, group=SE2(), elements=2, episodes=2, success=None)
    assert not found.judged
    assert found.rows()[0]["success_rate"] is None
    assert found.worst == int(np.argmin(found.mean_returns))


class Deaf(gym.Env):
    """Starts where it likes, whatever element it is asked for."""

    observation_space = gym.spaces.Box(-10.0, 10.0, (2,), np.float64)
    action_space = gym.spaces.Box(-1.0, 1.0, (2,), np.float64)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place, self.steps = self.np_random.normal(size=2), 0
        return self.place.copy(), {"is_success": False}

    def step(self, action):
        self.place, self.steps = self.place + 0.1 * action, self.steps + 1
        return (
            self.place.copy(),
            -float(np.linalg.norm(self.place)),
            False,
            self.steps >= 5,
            {"is_success": True},
        )


DEAF = Symmetry(SO2(), {"place": Point()}, action=Vector(), flat=True)


class Home:
    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        return -observation, state


def test_an_environment_that_ignores_the_element_is_refused_and_may_be_shown_turned_or_moved():
    with pytest.raises(ArgumentError, match=r"env: got an environment in whose episode at g·s place is"):
        evaluate(Home(), Deaf(), group=SO2(), episodes=2, symmetry=DEAF)
    shown = evaluate(Home(), Deaf, group=SO2(), episodes=2, symmetry=DEAF, mode="passive", elements=2)
    assert np.ptp(shown.mean_returns) <= 1e-12

    def move(env, g):
        env.unwrapped.place = g.act(env.unwrapped.place)
        return env.unwrapped.place.copy()

    register_symmetry("Deaf", DEAF, move=move)
    moved = evaluate(Home(), Deaf, group=SO2(), episodes=2, elements=2)
    assert np.ptp(moved.mean_returns) <= 1e-9


class Asked(Deaf):
    """Begins at g·s when asked: by the turn of g alone where `mirrors` is false, and no farther than its walls."""

    mirrors, wall = True, math.inf

    def reset(self, *, seed=None, options=None):
        _, info = super().reset(seed=seed)
        g = (options or {}).get("group_element")
        if g is not None:
            x, y = g.matrix[:, 0]
            matrix = g.matrix if self.mirrors else np.array([[x, -y], [y, x]])
            self.place = np.clip(matrix @ self.place, -self.wall, self.wall)
        return self.place.copy(), info


class Unmirrored(Asked):
    mirrors = False


class Walled(Asked):
    wall = 1.2


@pytest.mark.parametrize("seed", range(4))
def test_every_beginning_at_every_element_is_looked_at(seed):
    """With a negative control: one that begins at g·s at all of them is evaluated."""
    mirrored = Symmetry(O2(), {"place": Point()}, action=Vector(), flat=True)
    settings = {"group": O2(), "episodes": 8, "elements": 6, "seed": seed, "symmetry": mirrored}
    found = evaluate(Home(), Asked, **settings)
    assert np.ptp(found.mean_returns) <= 1e-9
    for env in (Unmirrored, Walled):
        with pytest.raises(ArgumentError, match=r"env: got an environment in whose episode at g·s place is"):
            evaluate(Home(), env, **settings)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"group": "SE2"}, "group: got SE2; expected a group"),
        ({"group": SE2().identity()}, r"group: got elements of batch shape \(\)"),
        ({"group": SE3()}, "dimension 2"),
        ({"group": GroupElement.stack([SE2().identity()])}, "group: got the identity alone"),
        ({"group": SE2(), "mode": "both"}, "mode: got 'both'"),
        ({"group": SE2(), "elements": 0}, "elements: got 0"),
        ({"group": SE2(), "symmetry": "PushT"}, "symmetry: got PushT"),
    ],
)
def test_what_is_no_orbit_is_refused(env, settings, told):
    with pytest.raises(ArgumentError, match=told):
        evaluate(East(), env, episodes=1, **settings)


def test_a_failure_in_the_middle_says_where(env):
    class Breaks:
        def __init__(self):
            self.calls = 0

        def predict(self, observation, state=None, episode_start=None, deterministic=True):
            return np.full((len(observation), 2), np.nan), state

    with pytest.raises(EvaluationError):
        evaluate(Breaks(), env, group=SE2(), episodes=2)


def test_elements_may_be_given(env):
    batch = GroupElement.stack([SE2().rotation(0.5), SE2().rotation(1.0)])
    found = evaluate(symmetrise(pursue, REACH), env, group=batch, episodes=2)
    assert len(found.elements) == 3
    assert symmetry_of(REACH).group == found.elements.group
    with pytest.raises(ArgumentError, match="confidence"):
        found.return_difference(1, confidence=2.0)


def test_the_worst_of_the_others_is_none_that_is_the_identity():
    """Where the identity does worst, the sentence about the others is about another one."""
    runs = [Evaluation((Episode(0, None, 9, gain, False, {}),), {}, 1.0) for gain in (0.1, 0.5, 0.4)]
    found = OrbitEvaluation(SO2().grid(3), tuple(runs), {}, 2.0)
    assert found.worst == 0
    assert "worst of 2 others (-120.0°): return 0.4" in str(found)


def runs_of(ends):
    """An orbit of runs: success, steps and return by element and seed, `(K, N, 3)`."""
    runs = [
        Evaluation(
            tuple(
                Episode(seed, bool(won), int(steps), gain, False, {})
                for seed, (won, steps, gain) in enumerate(each)
            ),
            {},
            1.0,
        )
        for each in ends
    ]
    return OrbitEvaluation(SO2().grid(len(runs)), tuple(runs), {}, 1.0)


def test_images_of_an_episode_tell_no_more_than_the_episode():
    """With a negative control: those that differ from element to element tell more."""
    rng = np.random.default_rng(0)
    ends = np.stack([np.arange(6) != 2, rng.integers(5, 50, 6), rng.normal(size=6)], -1)
    alike = runs_of(np.repeat(ends[None], 21, 0))
    here, pooled = alike.evaluations[0], alike.pooled
    assert pooled.success_interval() == here.success_interval()
    assert pooled.return_interval() == pytest.approx(here.return_interval(), abs=1e-12)
    assert pooled.median_steps_interval() == here.median_steps_interval()
    drawn = np.stack(
        [rng.random((21, 60)) < 0.5, rng.integers(5, 50, (21, 60)), rng.normal(size=(21, 60))], -1
    )
    apart = runs_of(drawn)
    for interval in ("success_interval", "return_interval"):
        (*_, low, high), (*_, least, most) = (
            getattr(each, interval)() for each in (apart.evaluations[0], apart.pooled)
        )
        assert most - least < 0.5 * (high - low)
    assert apart.pooled.success_rate == pytest.approx(apart.success_rates[1:].mean())
    assert apart.pooled.mean_return == pytest.approx(apart.mean_returns[1:].mean())


def test_intervals_of_pooled_runs_hold_the_truth_as_often_as_they_say():
    """Starts differ and elements do not: of episodes taken for independent far fewer intervals would hold it."""
    rng, held = np.random.default_rng(1), []
    for _ in range(200):
        ease = rng.normal(size=(1, 20))
        gains = ease + 0.1 * rng.normal(size=(9, 20))
        wins = ease + 0.1 * rng.normal(size=(9, 20)) > 0
        pooled = runs_of(np.stack([wins, np.full((9, 20), 5), gains], -1)).pooled
        _, low, high = pooled.return_interval()
        least, most = pooled.success_interval()
        alone = mean_interval([episode.total_reward for episode in pooled.episodes])
        held.append((low <= 0 <= high, least <= 0.5 <= most, alone[1] <= 0 <= alone[2]))
    returns, shares, independent = np.mean(held, 0)
    assert min(returns, shares) > 0.9
    assert independent < 0.7
