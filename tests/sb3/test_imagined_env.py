"""A world model as a vectorised environment: what it shows, pays and ends; and policies that learn in it."""

import pickle

import gymnasium as gym
import numpy as np
import pytest
import torch

import equiworld as ew
from equiworld.benchmarks.worlds.reach import REACH
from equiworld.errors import ArgumentError, SimulationError
from equiworld.groups import SE2, SE3
from equiworld.models.decoding import observation_after
from equiworld.planners import CEM, MPCPolicy
from equiworld.tasks import KeypointDistance, Task
from equiworld.training import TrainingConfig, collect, train

sb3 = pytest.importorskip("stable_baselines3")

ENVS, HORIZON = 32, 6


@pytest.fixture(scope="module")
def trained():
    """Of the reach task, whose physics is linear while nobody pushes harder than 1."""
    env = gym.make(REACH)
    data = collect(env, transitions=600, seed=0, workers=1)
    model = ew.WorldModel.for_env(env, "state-steerable", seed=0, scalars=8, vectors=8, depth=1)
    return train(model, data, TrainingConfig(steps=150, batch_size=64, seed=0)), data


def starts(count=64):
    env = gym.make(REACH, half_width=0.3)
    return np.stack([env.reset(seed=seed)[0] for seed in range(count)])


def made(trained, **settings):
    settings = {"n_envs": ENVS, "horizon": HORIZON, **settings}
    return ew.sb3.ImaginedVecEnv(trained[0], starts(), **settings)


def test_it_follows_the_model_and_keeps_the_goal(trained):
    envs, model = made(trained), trained[0]
    shown = envs.reset()
    rng = np.random.default_rng(0)
    for _ in range(HORIZON - 1):
        action = rng.uniform(-0.5, 0.5, (ENVS, 2))
        with torch.no_grad():
            z = model.predict(model.encode(shown), torch.from_numpy(action).float())
        expected = observation_after(model, shown, z)
        found, reward, done, infos = envs.step(action)
        assert np.abs(found - expected).max() <= 1e-6
        assert np.array_equal(found[:, 4:], shown[:, 4:])
        distance = np.linalg.norm(found[:, :2] - found[:, 4:], axis=-1)
        assert np.abs(reward + distance).max() <= 1e-5
        assert not done.any()
        assert len(infos) == ENVS
        shown = found


def test_it_imagines_what_the_simulator_does(trained):
    """One step of a trained model from the same start."""
    env = gym.make(REACH)
    before = np.stack([env.reset(seed=seed)[0] for seed in range(20)])
    action = np.random.default_rng(0).uniform(-0.6, 0.6, (20, 2))
    after = []
    for seed in range(20):
        env.reset(seed=seed)
        after.append(env.step(action[seed])[0])
    model = trained[0]
    with torch.no_grad():
        z = model.predict(model.encode(before), torch.from_numpy(action).float())
    found = observation_after(model, before, z)
    assert np.abs(found - np.stack(after)).max() < 0.2 * np.abs(np.stack(after) - before).max()


def test_episodes_are_truncated_at_the_horizon_and_begin_again(trained):
    envs = made(trained, reward="progress")
    first, total = envs.reset(), np.zeros(ENVS)
    for step in range(1, HORIZON + 1):
        shown, reward, done, infos = envs.step(np.zeros((ENVS, 2)))
        total += reward
        assert done.all() == (step == HORIZON)
    assert all(info["TimeLimit.truncated"] for info in infos)
    last = np.stack([info["terminal_observation"] for info in infos])
    assert np.array_equal(last[:, 4:], first[:, 4:])
    assert not np.array_equal(shown[:, 4:], first[:, 4:])
    fell = np.linalg.norm(first[:, :2] - first[:, 4:], axis=-1) - np.linalg.norm(
        last[:, :2] - last[:, 4:], axis=-1
    )
    assert np.abs(total - fell).max() <= 1e-4
    assert np.abs(total - [info["episode"]["r"] for info in infos]).max() <= 1e-4
    assert {info["episode"]["l"] for info in infos} == {HORIZON}


def test_where_it_terminates_only_those_episodes_begin_again(trained):
    def east(shown):
        return shown[:, 4] > 0.5

    envs = made(trained, terminated=east)
    first = envs.reset()
    shown, _, done, infos = envs.step(np.zeros((ENVS, 2)))
    assert np.array_equal(done, first[:, 4] > 0.5)
    assert 0 < done.sum() < ENVS
    for row in range(ENVS):
        assert ("terminal_observation" in infos[row]) == done[row]
        assert infos[row].get("is_success", False) == done[row]
        assert not infos[row]["TimeLimit.truncated"]
    assert np.array_equal(shown[~done, 4:], first[~done, 4:])


def test_a_reward_is_any_function_of_the_step(trained):
    envs = made(trained, reward=lambda before, action, after: action[:, 0] + 0.0 * after[:, 0])
    envs.reset()
    action = np.random.default_rng(0).uniform(-0.5, 0.5, (ENVS, 2))
    assert np.abs(envs.step(action)[1] - action[:, 0]).max() <= 1e-6


def test_the_same_seed_gives_the_same_episodes(trained):
    one, other = made(trained, seed=3), made(trained, seed=3)
    assert np.array_equal(one.reset(), other.reset())
    first = one.reset()
    assert not np.array_equal(first, made(trained, seed=4).reset())
    for envs in (one, other):
        envs.seed(11)
    assert np.array_equal(one.reset(), other.reset())


def test_starts_of_a_slice_are_moved_over_the_orbit(trained):
    plain, moved = made(trained, n_envs=400), made(trained, n_envs=400, group=SE2())
    angles = []
    for envs in (plain, moved):
        shown = envs.reset()
        way = shown[:, 4:] - shown[:, :2]
        angles.append(np.arctan2(way[:, 1], way[:, 0]))
    assert np.abs(angles[0]).max() <= 0.31
    assert np.histogram(angles[1], 8, (-np.pi, np.pi))[0].min() > 20


def test_states_of_data_with_goals_apart(trained):
    model, data = trained
    goals = {"goal": np.array([[3.0, 4.0], [5.0, 6.0]])}
    envs = ew.sb3.ImaginedVecEnv(model, data, goals=goals, n_envs=50, horizon=3)
    shown = envs.reset()
    assert {tuple(row) for row in shown[:, 4:].tolist()} == {(3.0, 4.0), (5.0, 6.0)}
    known = {tuple(row) for row in data.observation["position"].tolist()}
    assert all(tuple(row) in known for row in shown[:, :2].tolist())
    with pytest.raises(ArgumentError, match="goals: got None"):
        ew.sb3.ImaginedVecEnv(model, data)


def test_what_stable_baselines3_asks_of_a_vectorised_environment(trained):
    from stable_baselines3.common.monitor import Monitor

    envs = made(trained)
    assert envs.num_envs == ENVS
    assert envs.observation_space.shape == (6,)
    assert envs.action_space.contains(np.array([0.5, -0.5]))
    assert envs.get_attr("horizon", [0, 1]) == [HORIZON, HORIZON]
    envs.set_attr("horizon", 3)
    assert envs.horizon == 3
    assert envs.env_is_wrapped(Monitor) == [True] * ENVS
    with pytest.raises(AttributeError, match="has no environments"):
        envs.env_method("render")
    with pytest.raises(ArgumentError, match=r"reset\(\) first"):
        made(trained).step(np.zeros((ENVS, 2)))
    envs.close()


def test_observations_by_key_and_marks_that_move_with_the_body():
    env = gym.make("equiworld/PushT-v0", walls=False)
    model = ew.WorldModel.for_env(env, hidden=(8,))
    rows = [env.reset(seed=seed)[0] for seed in range(5)]
    seen = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    marks = ["block_keypoints"]
    with pytest.raises(ArgumentError, match="whose states do not tell"):
        ew.sb3.ImaginedVecEnv(model, seen)
    envs = ew.sb3.ImaginedVecEnv(model, seen, n_envs=8, horizon=3, attached=marks)
    first = envs.reset()
    for _ in range(2):
        shown, _, _, _ = envs.step(np.full((8, 2), 20.0))
    assert np.abs(shown["block_pos"] - first["block_pos"]).max() > 1e-6
    # Distances between marks are kept, and theirs from the body's reference.
    for each in (first, shown):
        points = each["block_keypoints"].reshape(8, -1, 2)
        each["apart"] = np.linalg.norm(points - each["block_pos"][:, None], axis=-1)
    assert np.abs(shown["apart"] - first["apart"]).max() <= 1e-3
    last = envs.step(np.zeros((8, 2)))[3][0]["terminal_observation"]
    assert set(last) == set(seen)
    envs = ew.sb3.ImaginedVecEnv(model, seen, n_envs=8, horizon=3, attached=marks)
    sb3.PPO("MultiInputPolicy", envs, n_steps=4, batch_size=16, seed=0, device="cpu").learn(64)


def test_marks_are_where_the_simulator_has_them():
    """Not predicted but computed: of states that the simulator itself went through."""
    env = gym.make("equiworld/PushT-v0", walls=False)
    model = ew.WorldModel.for_env(env, hidden=(8,)).double()
    before, _ = env.reset(seed=1)
    after = before
    for _ in range(40):
        way = after["block_pos"] - after["agent_pos"]
        after, *_ = env.step(20.0 * way / np.linalg.norm(way))
    assert np.abs(after["block_pos"] - before["block_pos"]).max() > 1.0
    batch = {name: array[None] for name, array in before.items()}
    z = model.encode({name: array[None] for name, array in after.items()})
    found = observation_after(model, batch, z, ["block_keypoints"])
    assert np.abs(found["block_keypoints"][0] - after["block_keypoints"]).max() <= 1e-9


def test_a_policy_that_was_trained_in_it_acts_in_the_world_and_proposes_plans(trained):
    """Learned from imagined episodes alone; tried in the simulator, and as what a planner starts from."""
    model = trained[0]
    envs = made(trained, n_envs=64, horizon=30, reward="progress", group=SE2())
    algorithm = sb3.PPO(
        "MlpPolicy",
        envs,
        n_steps=30,
        batch_size=480,
        n_epochs=5,
        gamma=0.9,
        learning_rate=2e-3,
        seed=0,
        device="cpu",
    )
    untrained = ew.symmetrise(sb3.PPO("MlpPolicy", envs, seed=0, device="cpu"), REACH)
    algorithm.learn(64 * 30 * 12)
    policy = ew.symmetrise(algorithm, REACH)
    returns = [
        ew.evaluate(each, REACH, episodes=12, seed=100, max_steps=40).mean_return
        for each in (untrained, policy)
    ]
    assert returns[1] > returns[0] + 0.2

    task = Task(cost=KeypointDistance("position", "goal"))
    planner = CEM(horizon=10, samples=8, elites=2, iterations=1)
    seen, costs = starts(16), []
    for prior in (None, algorithm):
        costs.append(MPCPolicy(model, planner, task=task, prior=prior).plan(seen).cost.mean().item())
    assert costs[1] < costs[0]


def test_what_cannot_be_imagined_is_refused(trained):
    model, seen = trained[0], starts(2)
    for settings, told in [
        ({"reward": "sparse"}, "reward: got 'sparse'"),
        ({"terminated": 3}, "terminated: got 3"),
        ({"horizon": 0}, "horizon: got 0"),
        ({"n_envs": 0}, "n_envs: got 0"),
        ({"group": SE3()}, "expected dimension 2"),
        ({"goals": {"place": [[0.0, 0.0]]}}, "expected the goal fields"),
        ({"goals": {"goal": [[0.0]]}}, r"goal: got shape \(1, 1\)"),
    ]:
        with pytest.raises(ArgumentError, match=told):
            ew.sb3.ImaginedVecEnv(model, seen, **settings)
    cloud = ew.WorldModel.for_env("equiworld/CloudPush-v0", "latent") if _has_mujoco() else None
    if cloud is not None:
        with pytest.raises(ArgumentError, match="states that are the observed ones"):
            ew.sb3.ImaginedVecEnv(cloud, {})
    envs = made(trained, reward=lambda before, action, after: np.full(len(after), np.nan))
    envs.reset()
    with pytest.raises(SimulationError, match="not finite"):
        envs.step(np.zeros((ENVS, 2)))
    envs = made(trained, terminated=lambda after: np.zeros(3, bool))
    envs.reset()
    with pytest.raises(ArgumentError, match="terminated: got shape"):
        envs.step(np.zeros((ENVS, 2)))


@pytest.mark.parametrize(
    "actions", [np.zeros(2 * ENVS), np.zeros((ENVS, 3)), np.full((ENVS, 2), np.nan), None]
)
def test_actions_of_another_shape_are_refused(trained, actions):
    envs = made(trained)
    envs.reset()
    with pytest.raises(ArgumentError, match="actions"):
        envs.step(actions)


def _has_mujoco() -> bool:
    import importlib.util

    return importlib.util.find_spec("mujoco") is not None


def test_a_file_holds_it_and_it_goes_on_where_it_was(trained):
    envs = made(trained, seed=3)
    envs.reset()
    again = pickle.loads(pickle.dumps(envs))
    for _ in range(HORIZON + 1):  # beyond the end of the episode, and a start that is drawn
        action = np.full((ENVS, 2), 0.3)
        (seen, reward, *_), (other, twin, *_) = envs.step(action), again.step(action)
        assert np.array_equal(seen, other)
        assert np.array_equal(reward, twin)
