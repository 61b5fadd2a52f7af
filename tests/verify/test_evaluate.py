"""Evaluation: every episode once, in lockstep or alone, with honest intervals."""

import math

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import equiworld.envs  # noqa: F401  registers PushT
from equiworld.errors import ArgumentError, SimulationError
from equiworld.results import read_json
from equiworld.verify.evaluate import EvaluationError, evaluate
from equiworld.verify.evaluation import Episode, Evaluation
from equiworld.verify.evaluation.intervals import median_interval, wilson_interval


class Countdown(gym.Env):
    """Seed s takes 1 + s % 7 steps, and succeeds unless s is a multiple of 3. Observes (seed, steps)."""

    observation_space = spaces.Box(-1.0, np.inf, (2,), np.float64)
    action_space = spaces.Box(-1.0, np.inf, (1,), np.float64)

    def __init__(self, fails_at=None, bad=None):
        self.fails_at, self.bad = fails_at, bad

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.seed, self.steps, self.options = seed, 0, options
        return np.array([seed, 0.0]), {}

    def step(self, action):
        # the policy answers what it saw: whoever mixes rows up is found out
        assert action.tolist() == [self.seed]
        if (self.seed, self.steps) == self.fails_at:
            if self.bad is not None:
                return np.array([self.bad, 0.0]), self.bad, False, False, {}
            raise ZeroDivisionError("the engine broke")
        self.steps += 1
        done = self.steps > self.seed % 7
        info = {"is_success": done and self.seed % 3 > 0, "coverage": self.seed / 100, "name": "x"}
        return np.array([self.seed, float(self.steps)]), 0.5, done and self.seed % 2 == 0, done, info


class Echo:
    """Answers the seed it sees, and checks that episode_start is true exactly at step 0."""

    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        assert observation.ndim == 2
        assert episode_start.dtype == bool
        fresh = observation[:, 1] == 0
        counts = np.zeros(len(fresh), int) if state is None else state
        active = episode_start | (observation[:, 1] > 0)
        assert (episode_start[active] == fresh[active]).all()
        return observation[:, :1], counts + 1


@settings(max_examples=20, deadline=None)
@given(episodes=st.integers(1, 30), seed=st.integers(0, 50), n_envs=st.integers(1, 9))
def test_every_episode_runs_once_whatever_the_batch(episodes, seed, n_envs):
    evaluation = evaluate(Echo(), Countdown, episodes=episodes, seed=seed, n_envs=n_envs)
    expected = [
        Episode(s, s % 3 > 0, 1 + s % 7, 0.5 * (1 + s % 7), s % 2 > 0, {"coverage": s / 100})
        for s in range(seed, seed + episodes)
    ]
    assert list(evaluation.episodes) == expected


def test_an_environment_object_is_copied_and_options_reach_every_reset():
    env = Countdown()
    assert len(evaluate(Echo(), env, episodes=10, n_envs=4, options={"goal": 1}).episodes) == 10
    assert env.options == {"goal": 1}


def test_max_steps_cuts_episodes_off():
    evaluation = evaluate(Echo(), Countdown, episodes=7, max_steps=2)
    assert max(episode.steps for episode in evaluation.episodes) == 2
    assert evaluation.episodes[6].truncated


class Endless(Countdown):
    """Odd seeds never end."""

    def step(self, action):
        observation, reward, terminated, truncated, info = super().step(action)
        odd = bool(self.seed % 2)
        return observation, reward, terminated and not odd, truncated and not odd, info


def test_an_episode_that_nothing_limits_is_told_and_not_run_for_ever(monkeypatch):
    monkeypatch.setattr("equiworld.verify.evaluate.UNLIMITED", 50)
    with pytest.raises(
        EvaluationError, match=r"seed 3 has not ended after 50 steps.*pass max_steps="
    ) as found:
        evaluate(Echo(), Endless, episodes=2, seed=2, n_envs=2)
    assert [episode.seed for episode in found.value.partial.episodes] == [2]
    assert evaluate(Echo(), Countdown, episodes=2, seed=2).episodes[1].steps == 4  # ends by itself
    assert evaluate(Echo(), Endless, episodes=1, seed=3, max_steps=70).episodes[0].steps == 70
    limited = lambda: gym.wrappers.TimeLimit(gym.wrappers.OrderEnforcing(Endless()), 80)  # noqa: E731
    outside = lambda: gym.wrappers.OrderEnforcing(limited())  # noqa: E731
    for make in (limited, outside):
        assert evaluate(Echo(), make, episodes=1, seed=3).episodes[0].steps == 80


@pytest.mark.parametrize("n_envs", [1, 4])
def test_a_failing_environment_names_episode_and_step_and_keeps_the_rest(n_envs):
    with pytest.raises(EvaluationError, match="seed 12 at step 3: the engine broke") as caught:
        evaluate(Echo(), lambda: Countdown(fails_at=(12, 3)), episodes=20, n_envs=n_envs)
    assert isinstance(caught.value, SimulationError)
    assert isinstance(caught.value.__cause__.__cause__, ZeroDivisionError)
    kept = caught.value.partial.episodes
    assert len(kept) >= 9
    assert all(episode.steps == 1 + episode.seed % 7 for episode in kept)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_non_finite_numbers_stop_the_run(bad):
    with pytest.raises(EvaluationError, match="seed 5, step 1"):
        evaluate(Echo(), lambda: Countdown(fails_at=(5, 1), bad=bad), episodes=20, n_envs=3)


def test_wrong_arguments_are_named():
    with pytest.raises(ArgumentError, match="policy"):
        evaluate(print, Countdown)
    with pytest.raises(ArgumentError, match="episodes"):
        evaluate(Echo(), Countdown, episodes=0)
    with pytest.raises(ArgumentError, match="n_envs"):
        evaluate(Echo(), Countdown, n_envs=0)
    with pytest.raises(ArgumentError, match=r"success: got 3; expected a key"):
        evaluate(Echo(), Countdown, success=3)
    with pytest.raises(ArgumentError, match="env"):
        evaluate(Echo(), 3)
    env = Countdown()
    with pytest.raises(ArgumentError, match="a new one at each call"):
        evaluate(Echo(), lambda: env, n_envs=2)


# ------------------------------------------------------------------------------------------------- success


class Counted(Countdown):
    """Counts its steps, and says something else in its infos on request."""

    taken = 0

    def __init__(self, change=lambda info, steps: info):
        super().__init__()
        self.change = change

    def step(self, action):
        Counted.taken += 1
        *others, info = super().step(action)
        return (*others, self.change(info, self.steps))


def unclear(info, observation):
    return "False"


def failing(info, observation):
    return info["distance"] < 1


@pytest.mark.parametrize(
    ("success", "message"),
    [
        (
            "solved",
            r"success: got 'solved'; expected a key .*options: is_success, coverage, name",
        ),
        ("name", r"success: got info\['name'\], 'x'; expected one truth value"),
        (unclear, r"success: got what .*unclear returned, 'False'; expected one truth value"),
        (failing, r"success: got .*failing, which raised KeyError: 'distance'; .*options: is_success"),
        (lambda info: True, r"which raised TypeError"),
        (lambda info, observation: None, "expected one truth value"),
        (lambda info, observation: np.zeros(3), "expected one truth value"),
        (lambda info, observation: np.nan, "expected one truth value"),
    ],
)
def test_what_does_not_tell_success_is_refused_at_the_first_step(success, message):
    Counted.taken = 0
    with pytest.raises(ArgumentError, match=message):
        evaluate(Echo(), Counted, episodes=20, seed=5, n_envs=3, success=success)
    assert Counted.taken == 1


@pytest.mark.parametrize(
    "kind", [bool, int, float, np.bool_, np.float32, np.array, lambda value: np.array([value])]
)
def test_success_is_a_key_or_a_function_and_any_truth_value(kind):
    by_key = evaluate(Echo(), Countdown, episodes=12)
    rules = [
        lambda info, observation: kind(info["is_success"]),
        lambda info, observation: kind(observation[0] % 3 > 0),
    ]
    for rule in rules:
        found = evaluate(Echo(), Countdown, episodes=12, success=rule)
        assert found.episodes == by_key.episodes
        assert found.config["success"].endswith("<lambda>(info, observation) at the last step")
    converted = lambda: Counted(lambda info, steps: info | {"is_success": kind(info["is_success"])})  # noqa: E731
    assert evaluate(Echo(), converted, episodes=12).successes == by_key.successes == 8


def test_an_info_that_stops_telling_keeps_what_was_finished():
    forgetful = lambda: Counted(lambda info, steps: info if steps < 4 else {"coverage": 0.0})  # noqa: E731
    with pytest.raises(
        EvaluationError, match=r"success: got 'is_success'.*\(seed 3, step 4\); 3 episodes"
    ) as caught:
        evaluate(Echo(), forgetful, episodes=9, n_envs=1)
    assert [episode.seed for episode in caught.value.partial.episodes] == [0, 1, 2]


def test_the_return_alone_is_enough(tmp_path):
    bare = lambda: Counted(lambda info, steps: {})  # noqa: E731
    with pytest.raises(ArgumentError, match=r"success: got 'is_success'"):
        evaluate(Echo(), bare, episodes=9)
    found = evaluate(Echo(), bare, episodes=9, success=None)
    judged = evaluate(Echo(), Countdown, episodes=9)
    assert not found.judged
    assert judged.judged
    assert found.return_interval() == judged.return_interval()
    assert str(found) == "return 1.722 (95 %: 0.8821 to 2.562) of 9 episodes"
    assert str(judged).endswith("return 1.722 (95 %: 0.8821 to 2.562)")
    saved = read_json(found.save(tmp_path / "found.json"))["config"]
    assert saved["success"] is None
    assert saved["summary"] | {"success_rate": None, "median_steps": None} == saved["summary"]
    assert saved["summary"]["mean_return"] == pytest.approx(31 / 18)
    assert len(found.table().splitlines()) == 11
    for ask in ("successes", "success_rate", "median_steps", "steps_to_success"):
        with pytest.raises(ArgumentError, match="success: got None; expected a key of info, or a function"):
            getattr(found, ask)


def returns(values):
    return Evaluation(tuple(Episode(i, None, 1, value, False, {}) for i, value in enumerate(values)), {}, 0.0)


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=40), st.floats(0.5, 0.999))
def test_the_interval_of_the_return_is_scipys(values, confidence):
    mean, low, high = returns(values).return_interval(confidence)
    expected = (
        stats.ttest_1samp(values, 0.0).confidence_interval(confidence)
        if np.ptp(values) > 1e-6
        else (mean, mean)
    )
    assert (low, high) == pytest.approx(tuple(expected), rel=1e-6, abs=1e-6)
    assert low <= mean <= high


def test_one_episode_tells_no_spread_and_none_no_return():
    assert returns([3.0]).return_interval() == (3.0, -np.inf, np.inf)
    assert returns([3.0]).summary()["return_low"] is None
    assert returns([2.0, 2.0]).return_interval() == (2.0, 2.0, 2.0)
    with pytest.raises(ArgumentError, match="at least one finished episode"):
        returns([]).return_interval()
    with pytest.raises(ArgumentError, match="confidence"):
        returns([1.0, 2.0]).return_interval(1.0)


def test_of_one_episode_no_interval_is_printed():
    assert str(returns([3.0])) == "return 3 of one episode, which gives no interval"
    told = str(evaluate(Echo(), Countdown, episodes=1, seed=1))
    assert told == "success after 2 steps, return 1 of one episode, which gives no interval"
    assert "inf" not in str(evaluate(Echo(), Countdown, episodes=1, seed=3))


def test_the_interval_of_the_return_covers_the_mean_as_often_as_it_says():
    rng, held = np.random.default_rng(0), 0
    for _ in range(600):
        _, low, high = returns(rng.normal(3.0, 2.0, 8).tolist()).return_interval(0.9)
        held += low <= 3.0 <= high
    assert 0.87 <= held / 600 <= 0.93


class OneAction(Echo):
    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        return observation[0, :1], state


def test_a_policy_that_forgets_the_batch_is_told():
    with pytest.raises(ArgumentError, match="one for each of 5 observations"):
        evaluate(OneAction(), Countdown, episodes=9, n_envs=5)


def test_results_can_be_saved_printed_and_tabled(tmp_path):
    evaluation = evaluate(Echo(), Countdown, episodes=9, progress=True)
    result = read_json(evaluation.save(tmp_path / "evaluation.json"))
    assert result["rows"][8]["final_coverage"] == 0.08
    assert result["config"]["summary"]["success_rate"] == 6 / 9
    assert result["config"]["success"] == "info['is_success'] at the last step"
    assert "6/9" in str(evaluation)
    assert len(evaluation.table().splitlines()) == 11
    failed = Evaluation((Episode(0, False, 3, 0.0, True, {}),), {}, 0.0)
    assert read_json(failed.save(tmp_path / "failed.json"))["config"]["summary"]["median_steps"] is None


def test_shares_and_medians_count_failures_as_never():
    steps = [10, 20, 30, 40, 50]
    runs = tuple(Episode(i, n != 10, n, 0.0, False, {}) for i, n in enumerate(steps))
    evaluation = Evaluation(runs, {}, 0.0)
    assert evaluation.median_steps == 40
    assert evaluation.share_within(30) == 2 / 5
    with pytest.raises(ArgumentError, match="at least one"):
        Evaluation((), {}, 0.0).success_rate  # noqa: B018


def test_pusht_copies_start_as_the_original_does():
    class Still:
        def predict(self, obs, state=None, episode_start=None, deterministic=True):
            seen.append(obs["block_pos"].copy())
            return np.zeros((len(obs["block_pos"]), 2)), state

    env = gym.make("equiworld/PushT-v0", walls=False, max_episode_steps=2)
    env.reset(seed=99)
    seen = []
    evaluation = evaluate(Still(), env, episodes=3, seed=4, n_envs=3)
    first = [env.reset(seed=seed)[0]["block_pos"] for seed in (4, 5, 6)]
    assert np.array_equal(seen[0], first)
    assert [episode.steps for episode in evaluation.episodes] == [2, 2, 2]
    assert "coverage" in evaluation.episodes[0].final


def test_a_stable_baselines_model_evaluates_as_it_is():
    sb3 = pytest.importorskip("stable_baselines3")
    env = gym.make("equiworld/PushT-v0", outside="project", max_episode_steps=3)
    model = sb3.PPO("MultiInputPolicy", env, device="cpu", n_steps=8, batch_size=8, seed=0)
    assert len(evaluate(model, env, episodes=3, n_envs=2).episodes) == 3


@given(trials=st.integers(1, 400), share=st.floats(0, 1), confidence=st.floats(0.5, 0.999))
def test_wilson_ends_where_the_score_test_begins_to_refuse(trials, share, confidence):
    successes = round(share * trials)
    low, high = wilson_interval(successes, trials, confidence)
    z = stats.norm.ppf((1 + confidence) / 2)
    assert low <= successes / trials <= high
    for end, refused in ((low, successes > 0), (high, successes < trials)):
        score = abs(successes / trials - end) / np.sqrt(end * (1 - end) / trials) if refused else z
        assert score == pytest.approx(z, rel=1e-6)


def test_the_median_interval_covers_the_median_as_often_as_it_says():
    rng = np.random.default_rng(0)
    held = 0
    for trial in range(300):
        median, low, high = median_interval(rng.exponential(size=41).tolist(), resamples=400, seed=trial)
        assert low <= median <= high
        held += low <= np.log(2) <= high
    assert 0.90 <= held / 300 <= 0.99


@given(
    values=st.lists(st.sampled_from([1.0, 2.0, 3.0, 5.0, 8.0, np.inf]), min_size=1, max_size=30),
    confidence=st.floats(0.5, 0.99),
)
def test_the_median_interval_is_that_of_medians_drawn_one_by_one(values, confidence):
    """A plain reference: lower medians of resamples, cut outwards at both tails."""
    rng, ordered = np.random.default_rng(7), sorted(values)
    drawn = rng.integers(0, len(values), (200, len(values)))
    medians = sorted(sorted(ordered[i] for i in row)[(len(values) - 1) // 2] for row in drawn)
    low, high = (1 - confidence) / 2 * 199, (1 + confidence) / 2 * 199
    _, least, most = median_interval(values, confidence, resamples=200, seed=7)
    assert medians[max(math.floor(low) - 1, 0)] <= least <= medians[math.ceil(low)]
    assert medians[math.floor(high)] <= most <= medians[min(math.ceil(high) + 1, 199)]


@pytest.mark.parametrize("values", [[3.0], [1.0, np.inf], [np.inf, np.inf], [5.0, 5.0, 1.0]])
def test_medians_are_never_nan(values):
    assert not np.isnan(median_interval(values)).any()


def test_statistics_refuse_nonsense():
    for call in (
        lambda: wilson_interval(1, 0),
        lambda: wilson_interval(3, 2),
        lambda: wilson_interval(1, 2, 1.0),
        lambda: median_interval([]),
        lambda: median_interval([np.nan]),
        lambda: median_interval([1.0], resamples=0),
    ):
        with pytest.raises(ArgumentError):
            call()
