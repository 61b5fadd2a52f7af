"""What `symmetrise` takes: functions, members one an environment, stable-baselines3's models; and what it keeps to."""

from __future__ import annotations

import copy
import json
import pickle
import warnings

import gymnasium as gym
import numpy as np
import pytest

import equiworld.envs  # noqa: F401  registers PushT
from equiworld import symmetrise
from equiworld.benchmarks.worlds.reach import REACH
from equiworld.errors import ArgumentError, CheckpointError
from equiworld.groups import SE2, SO2
from equiworld.models import WorldModel
from equiworld.planners import CEM, MPCPolicy, PerEnvironment
from equiworld.sb3 import Symmetrised
from equiworld.symmetry import Point, Scalar, Symmetry, Vector, register_symmetry, symmetry_of
from equiworld.verify.certificate import certify
from equiworld.verify.evaluate import evaluate

pytestmark = pytest.mark.exact

ENV = "equiworld/PushT-v0"


def pursue(observation):
    """Towards the block and a little east: of one observation, along the world's axes."""
    way = observation["block_pos"] - observation["agent_pos"]
    return 0.2 * way + 0.02 * observation["agent_pos"]


class Wavering:
    """Remembers how long it has acted, and draws."""

    made = 0

    def __init__(self) -> None:
        type(self).made += 1

    def reset(self, seed):
        self.rng, self.steps = np.random.default_rng(seed), 0

    def __call__(self, observation):
        self.steps += 1
        return pursue(observation) + self.steps * self.rng.normal(size=2)


def deviation(policy, observations, symmetry, group, actions_of=lambda p, o: p.predict(o)[0]) -> float:
    worst, actions = 0.0, actions_of(policy, observations)
    for g in group.sample(np.random.default_rng(0), n=16, scale=100.0):
        turned = actions_of(policy, symmetry.transform_observation(g, observations))
        worst = max(worst, float(np.abs(turned - symmetry.transform_action(g, actions)).max()))
    return worst


def row(observations, index):
    return {name: array[index] for name, array in observations.items()}


# --- kinds -----------------------------------------------------------------------------------------------


def test_a_function_of_one_observation_is_a_policy(observations):
    policy = symmetrise(pursue, ENV)
    actions, _ = policy.predict(observations)
    assert actions.shape == (16, 2)
    alone, state = policy.predict(row(observations, 3))
    assert np.allclose(alone, actions[3], rtol=0, atol=1e-12)
    assert state.inner is None
    assert deviation(policy, observations, symmetry_of(ENV), SE2()) <= 1e-11
    plain = np.stack([pursue(row(observations, index)) for index in range(16)])
    assert np.abs(plain - actions).max() > 1.0  # it was not exact before


def test_members_are_made_once_an_environment_and_reset_where_episodes_begin(observations):
    Wavering.made = 0
    policy = symmetrise(PerEnvironment(Wavering, seed=5), ENV)
    state, steps = None, []
    for step in range(4):
        starts = np.full(16, step == 0) | ((np.arange(16) == 7) & (step == 2))
        _, state = policy.predict(observations, state, starts)
        steps.append([member.steps for member in state.inner.members])
    assert Wavering.made == 16
    assert steps[3][0] == 4
    assert steps[3][7] == 2
    assert state.decisions.tolist() == [2 if env == 7 else 4 for env in range(16)]


def test_members_are_exact_in_closed_loop_and_alike_in_every_run():
    policy, env = symmetrise(PerEnvironment(Wavering), ENV), gym.make(ENV, walls=False)
    certificate = certify(policy, env, elements=4, episodes=2, steps=30)
    assert certificate.passed
    assert certificate.max_deviation <= 1e-8
    assert not certify(PerEnvironment(Wavering), env, elements=2, episodes=2, steps=30).passed


def test_two_loops_do_not_share_members(observations):
    policy = PerEnvironment(Wavering)
    first, one = policy.predict(observations)
    _, other = policy.predict(observations)
    for _ in range(3):
        _, other = policy.predict(observations, other)
    again, _ = policy.predict(observations, one)
    assert [member.steps for member in one.members] == [2] * 16
    assert not np.array_equal(first, again)


def test_what_is_no_policy_says_what_would_be_one():
    for wrong, message in (
        (MPCPolicy, "the class MPCPolicy"),
        (3, "got int; expected an object with predict"),
        (Wavering(), r"PerEnvironment\(factory\)"),
    ):
        with pytest.raises(ArgumentError, match=message):
            symmetrise(wrong, ENV)
    for factory, message in ((3, "got int"), (lambda: pursue, "function"), (None, "NoneType")):
        with pytest.raises(ArgumentError, match=f"factory: .*{message}"):
            PerEnvironment(factory).predict(np.zeros((2, 3)))
    shared = Wavering()
    with pytest.raises(ArgumentError, match="the same object twice"):
        PerEnvironment(lambda: shared).predict(np.zeros((2, 3)))


def test_a_state_of_another_batch_and_a_wrong_action_are_refused(observations):
    policy = symmetrise(PerEnvironment(Wavering), ENV)
    _, state = policy.predict(observations)
    few = {name: array[:3] for name, array in observations.items()}
    with pytest.raises(ArgumentError, match="of 16 environments"):
        policy.predict(few, state)
    for answer, message in ((np.zeros(3), "shape"), (np.array([np.nan, 0.0]), "not finite")):
        with pytest.raises(ArgumentError, match=f"policy: .*{message}"):
            symmetrise(lambda observation, answer=answer: answer, ENV).predict(observations)


def test_a_plain_world_model_s_policy(observations):
    model = WorldModel.for_env(ENV, "mlp", hidden=(16,))
    plain = MPCPolicy(model, CEM(samples=16), dtype="float32", door=False)
    assert deviation(plain, observations, symmetry_of(ENV), SE2()) > 1.0
    assert deviation(symmetrise(plain, ENV), observations, symmetry_of(ENV), SE2()) <= 1e-11


# --- stable-baselines3 -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def learned():
    """PPO that has learned nothing: exactness does not wait for that."""
    sb3 = pytest.importorskip("stable_baselines3")
    return sb3.PPO("MlpPolicy", gym.make(REACH), seed=0, n_steps=8, batch_size=8, device="cpu")


def test_stable_baselines3_in_closed_loop(learned):
    env = gym.make(REACH)
    certificate = certify(symmetrise(learned, env), env, elements=8, episodes=3, steps=30)
    assert certificate.passed
    assert certificate.max_deviation <= 1e-8
    assert not certify(learned, env, elements=2, episodes=3, steps=30).passed


def test_it_is_a_policy_for_stable_baselines3_s_vector_environments(learned):
    from stable_baselines3.common.env_util import make_vec_env
    from stable_baselines3.common.evaluation import evaluate_policy

    class Endings(gym.Wrapper):
        """Episodes of different lengths."""

        def reset(self, **kwargs):
            self.left = int(np.random.default_rng(kwargs.get("seed")).integers(3, 9))
            return self.env.reset(**kwargs)

        def step(self, action):
            self.left -= 1
            observation, reward, terminated, _, info = self.env.step(action)
            return observation, reward, terminated, self.left <= 0, info

    envs = make_vec_env(lambda: Endings(gym.make(REACH)), 3, seed=0)
    policy = symmetrise(learned, envs)
    assert policy.inexact == ()
    rewards, lengths = evaluate_policy(policy, envs, n_eval_episodes=6, return_episode_rewards=True)
    assert len(rewards) == 6
    assert len(set(lengths)) > 1

    members = symmetrise(PerEnvironment(Counter), envs)
    observation, state, starts, seen = envs.reset(), None, np.ones(3, bool), []
    for _ in range(20):
        action, state = members.predict(observation, state, starts)
        counts = [member.steps for member in state.inner.members]
        seen.append((starts.copy(), counts))
        observation, _, starts, _ = envs.step(action)
    assert any(0 < begun.sum() < 3 for begun, _ in seen)
    for begun, counts in seen:
        assert all(count == 1 for count, begins in zip(counts, begun, strict=True) if begins)


class Counter:
    def reset(self, seed):
        self.steps = 0

    def __call__(self, observation):
        self.steps += 1
        return np.ones(2) / 2


# --- the action space ------------------------------------------------------------------------------------


class Box(gym.Env):
    """Two velocities and a clock in boxes."""

    def __init__(self, dtype=np.float64) -> None:
        self.observation_space = gym.spaces.Dict(
            {"way": gym.spaces.Box(-9, 9, (2,), dtype), "clock": gym.spaces.Box(0, 9, (1,), dtype)}
        )
        self.action_space = gym.spaces.Box(-1, 1, (2,), dtype)


DECLARED = Symmetry(SO2(), {"way": Vector(), "clock": Scalar()}, action=Vector(), goal=("way",))
WAYS = {
    "way": np.array([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]]),
    "clock": np.zeros((3, 1)),
}


def corner(observation):
    return np.array([1.0, 1.0])


@pytest.fixture(autouse=True)
def _registered():
    register_symmetry("Box", DECLARED)


def test_actions_stay_within_the_space_and_turn(observations):
    policy = symmetrise(corner, Box())
    actions, state = policy.predict(WAYS)
    assert np.allclose(np.linalg.norm(actions, axis=-1), 1.0, atol=1e-12)
    assert all(Box().action_space.contains(action) for action in actions)
    assert not state.clipped.any()
    assert policy.inexact == ()
    assert deviation(policy, WAYS, DECLARED, SO2()) <= 1e-12


def test_a_bare_symmetry_knows_no_bounds():
    actions, _ = symmetrise(corner, DECLARED).predict(WAYS)
    assert np.allclose(np.linalg.norm(actions, axis=-1), np.sqrt(2), atol=1e-12)
    assert actions.dtype == np.float64


def test_the_whole_box_cuts_off_what_is_turned_out_of_it_and_says_so():
    policy = symmetrise(corner, Box(), bound="box")
    actions, state = policy.predict(WAYS)
    assert np.abs(actions).max() <= 1.0
    assert np.linalg.norm(actions[0]) > 1.4
    assert state.clipped.tolist() == [False, False, True]
    with pytest.raises(ArgumentError, match="bound: got 'round'"):
        symmetrise(corner, Box(), bound="round")


def test_the_dtype_of_the_action_space_is_kept_and_what_it_costs_is_said():
    policy = symmetrise(corner, Box(np.float32))
    actions, _ = policy.predict(WAYS)
    assert actions.dtype == np.float32
    assert any("rounded in the world" in note for note in policy.inexact)
    assert any("observations are float32" in note for note in policy.inexact)


def test_an_action_space_of_another_size_is_refused():
    class Wide(Box):
        def __init__(self) -> None:
            super().__init__()
            self.action_space = gym.spaces.Box(-1, 1, (3,), np.float64)

    register_symmetry("Wide", DECLARED)
    with pytest.raises(ArgumentError, match="of 3 numbers; expected 2, as declared"):
        symmetrise(corner, Wide())


def test_observations_normalised_number_by_number_are_refused_and_may_be_behind_the_door(learned):
    from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

    envs = VecNormalize(DummyVecEnv([lambda: gym.make(REACH)]))
    for wrapped in (envs, gym.wrappers.NormalizeObservation(gym.make(REACH))):
        with pytest.raises(ArgumentError, match="which scales each number by itself"):
            symmetrise(learned, wrapped)

    def normalised(seen):
        return learned.predict(envs.normalize_obs(seen), deterministic=True)[0]

    inside = symmetrise(normalised, gym.make(REACH))
    seen = np.stack([gym.make(REACH).reset(seed=seed)[0] for seed in range(4)])
    assert deviation(inside, seen, symmetry_of(REACH), SE2()) <= 1e-9
    assert isinstance(symmetrise(learned, VecNormalize(envs.venv, norm_obs=False)), Symmetrised)


# --- the task and the world ------------------------------------------------------------------------------


def test_a_goal_that_is_only_told_is_warned_of_once():
    pytest.importorskip("gym_pusht")
    env = gym.make("gym_pusht/PushT-v0", obs_type="state", disable_env_checker=True)
    with pytest.warns(UserWarning, match=r"only told as info\['goal_pose'\]") as found:
        symmetrise(lambda observation: observation[:2], env)
    assert len([one for one in found if "goal" in str(one.message)]) == 1


def test_a_walker_is_told_once_and_a_declared_goal_never():
    goalless = Symmetry(SO2(), {"way": Vector(), "clock": Scalar()}, action=Vector())
    register_symmetry("Box", goalless)
    with pytest.warns(UserWarning, match="declares no goal") as found:
        policy = symmetrise(corner, Box())
    assert len(found) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        policy.predict(WAYS)
        symmetrise(corner, goalless)  # nothing is known of its task
        symmetrise(corner, ENV)
        symmetrise(corner, DECLARED)


def test_a_world_that_does_not_carry_the_symmetry_is_refused_unless_told():
    walled = gym.make(ENV, outside="project")
    broken = certify(symmetrise(pursue, walled), walled, elements=3, episodes=3, steps=60)
    assert not broken.passed
    with pytest.raises(ArgumentError, match="certificate: got one of equiworld/PushT-v0 whose world"):
        symmetrise(pursue, walled, certificate=broken)
    assert isinstance(symmetrise(pursue, walled, certificate=broken, anyway=True), Symmetrised)


def test_a_policy_that_fails_in_a_world_that_carries_it_is_what_symmetrise_is_for():
    class Plain:
        def predict(self, obs, state=None, episode_start=None, deterministic=True):
            return np.stack([pursue(row(obs, index)) for index in range(len(obs["agent_pos"]))]), state

    free = gym.make(ENV, walls=False, outside="project")
    failed = certify(Plain(), free, elements=3, episodes=2, steps=40)
    assert not failed.passed
    assert failed.orbit("active").world_deviation <= 1e-8
    assert "the world carries the symmetry, the policy does not" in str(failed)
    assert isinstance(symmetrise(Plain(), free, certificate=failed), Symmetrised)
    passed = certify(symmetrise(Plain(), free), free, elements=2, episodes=2, steps=20)
    assert passed.orbit("active").world_deviation is None  # nothing to be blamed
    passive = certify(Plain(), free, elements=1, episodes=1, steps=2, modes=("passive",))
    with pytest.raises(ArgumentError, match="mode"):
        symmetrise(Plain(), free, certificate=passive)


# --- copies and files ------------------------------------------------------------------------------------


def saved_policies():
    pose = SE2().rotation(0.3) @ SE2().translation([3.0, 4.0])
    mpc = MPCPolicy(WorldModel.for_env(ENV, "mlp", hidden=(8,)), CEM(samples=8, elites=2), door=False)
    return symmetrise(mpc, ENV, reference_pose=pose, ignore=("extra",)), MPCPolicy


def test_saved_and_loaded_by_the_class_that_the_caller_names(observations, tmp_path):
    policy, kind = saved_policies()
    expected, _ = policy.predict(observations)
    for given in (kind, policy.policy):
        again = Symmetrised.load(policy.save(tmp_path / "both"), given)
        found, _ = again.predict({**observations, "extra": np.zeros((16, 1))})
        assert np.array_equal(found, expected)
        assert again.limits == policy.limits


def test_stable_baselines3_saved_and_loaded(learned, tmp_path):
    env = gym.make(REACH)
    policy = symmetrise(learned, env)
    observation = np.stack([env.reset(seed=seed)[0] for seed in range(4)])
    again = Symmetrised.load(policy.save(tmp_path), type(learned))
    assert np.array_equal(again.predict(observation)[0], policy.predict(observation)[0])


def test_what_cannot_be_saved_or_loaded_says_so(tmp_path):
    with pytest.raises(ArgumentError, match=r"policy: got FunctionPolicy, which has no save"):
        symmetrise(pursue, ENV).save(tmp_path / "none")
    assert not (tmp_path / "none").exists()
    with pytest.raises(FileNotFoundError):
        Symmetrised.load(tmp_path / "none", pursue)
    policy, _ = saved_policies()
    policy.save(tmp_path)
    with pytest.raises(ArgumentError, match="the class Counter"):
        Symmetrised.load(tmp_path, Counter)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("version", 99),
        ("symmetry", {"group": "os.system"}),
        ("scales", {"agent_vel": "nan"}),
        ("single", 1),
        ("reference_pose", {"group": "SE2", "matrix": [[2.0, 0.0], [0.0, 1.0]], "translation": [0.0, 0.0]}),
        ("ignore", 3),
        ("limits", {"bounds": [], "dtype": "float64", "low": [0.0], "high": [1.0]}),
        ("limits", {"bounds": [], "dtype": "object"}),
    ],
)
def test_a_damaged_file_is_refused(key, value, tmp_path):
    policy, _ = saved_policies()
    file = policy.save(tmp_path) / "door.json"
    settings = json.loads(file.read_text())
    file.write_text(json.dumps(settings | {key: value}))
    with pytest.raises(CheckpointError, match=r"door\.json is damaged"):
        Symmetrised.load(tmp_path, policy.policy)


def test_copies_of_policies_with_members_decide_alike(observations):
    policy = symmetrise(PerEnvironment(Wavering, seed=3), ENV)
    expected, state = policy.predict(observations)
    following, _ = policy.predict(observations, copy.deepcopy(state))
    for other in (copy.deepcopy(policy), pickle.loads(pickle.dumps(policy))):
        found, after = other.predict(observations)
        assert np.array_equal(found, expected)
        assert np.array_equal(other.predict(observations, after)[0], following)


def test_evaluation_of_members_does_not_depend_on_who_plays_beside(observations):
    env = gym.make(ENV, max_episode_steps=12, outside="project")
    policy = symmetrise(PerEnvironment(Wavering), ENV)
    one, many = (evaluate(policy, env, episodes=4, n_envs=count) for count in (1, 4))
    assert [episode.steps for episode in one.episodes] == [episode.steps for episode in many.episodes]
    for first, second in zip(one.episodes, many.episodes, strict=True):
        assert first.total_reward == pytest.approx(second.total_reward, abs=1e-6)


def test_absolute_targets_in_a_box_are_clipped_where_the_space_ends():
    symmetry = Symmetry(SE2(), {"place": Point(), "goal": Point()}, action=Point(), goal=("goal",))
    register_symmetry("Box", symmetry)

    class Plane(Box):
        def __init__(self) -> None:
            box = gym.spaces.Box(-5, 5, (2,), np.float64)
            self.observation_space = gym.spaces.Dict({"place": box, "goal": box})
            self.action_space = box

    register_symmetry("Plane", symmetry)
    seen = {"place": np.array([[4.0, 0.0], [0.0, 0.0]]), "goal": np.array([[5.0, 0.0], [0.0, 1.0]])}
    actions, state = symmetrise(lambda observation: observation["place"] + [2.0, 0.0], Plane()).predict(seen)
    assert np.allclose(actions, [[5.0, 0.0], [0.0, 2.0]], atol=1e-6)
    assert state.clipped.tolist() == [True, False]


def test_a_planner_without_a_door_gets_one_and_carries_its_memory_through_it():
    """A frame that jumps, as a mirrored one does, would make nonsense of actions that are held in it."""
    env = gym.make("equiworld/PushT-v0", walls=False)
    model = WorldModel.for_env(env, "mlp", seed=0, hidden=(16,), periodic=2)
    model.action_repeat = 2
    plain = MPCPolicy(model, CEM(samples=16), seed=0, door=False)
    policy, whole = symmetrise(plain, env), MPCPolicy(model, CEM(samples=16), seed=0)
    assert isinstance(policy, MPCPolicy)
    assert plain.door is None
    (observation, _), state, other = env.reset(seed=3), None, None
    for _ in range(6):
        action, state = policy.predict(observation, state)
        expected, other = whole.predict(observation, other)
        assert (action == expected).all()
        observation, *_ = env.step(action)
    assert certify(policy, env, elements=4, episodes=2, steps=12).passed


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("reference_pose", 0.5),
        ("ignore", "clock"),
        ("ignore", [1]),
        ("scales", ["block_pos"]),
        ("scales", {"block_pos": -1.0}),
        ("scales", {"other": 1.0}),
        ("certificate", True),
        ("anyway", "yes"),
    ],
)
def test_what_a_door_is_told_wrongly_is_refused_by_name(name, value):
    with pytest.raises(ArgumentError, match=rf"^{name}.*: got "):
        symmetrise(pursue, ENV, **{name: value})


@pytest.mark.parametrize(
    "starts", ["no", [0.5], [True, False], np.ma.masked_array([1], mask=[True])], ids=str
)
def test_starts_of_episodes_are_bools_one_a_row(starts):
    observation = {name: array[None] for name, array in gym.make(ENV).reset(seed=0)[0].items()}
    policy = symmetrise(pursue, ENV)
    _, state = policy.predict(observation)
    assert policy.predict(observation, state, [True])[1].decisions.tolist() == [1]
    with pytest.raises(ArgumentError, match=r"^episode_start: got "):
        policy.predict(observation, state, starts)
