"""Environments copied and pickled at any time go on bit for bit alike, each by itself."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import equiworld.envs  # noqa: F401  registers
from equiworld.envs import GroupAction, RandomGroupAction
from equiworld.envs.pusht.simulation import PushTState, Simulation
from equiworld.groups import SE2, SO3

PUSHT, CLOUDPUSH = "equiworld/PushT-v0", "equiworld/CloudPush-v0"
WAYS: dict[str, Callable[[Any], Any]] = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda env: pickle.loads(pickle.dumps(env)),
    "copy of a copy": lambda env: copy.deepcopy(pickle.loads(pickle.dumps(env))),
}
SEEN = {"points": 16, "noise": 0.001, "view": "random", "dropout": 0.1}
MAKERS: dict[str, Callable[[], gym.Env]] = {
    "PushT": lambda: gym.make(PUSHT, goal="random"),
    "PushT without walls": lambda: gym.make(PUSHT, walls=False, starts="free", outside="project"),
    "PushT turned": lambda: GroupAction(gym.make(PUSHT), SE2().rotation(0.7)),
    "PushT turned at random": lambda: RandomGroupAction(gym.make(PUSHT), SE2()),
    "CloudPush": lambda: gym.make(CLOUDPUSH, points=16),
    "CloudPush of all sorts": lambda: gym.make(CLOUDPUSH, observe_pose=True, shape="zed", **SEEN),
    "CloudPush on a table": lambda: gym.make(CLOUDPUSH, points=16, table=True, gravity=9.81),
    "CloudPush turned at random": lambda: RandomGroupAction(gym.make(CLOUDPUSH, points=16), SO3()),
}


def numbers(result: Any) -> list[Any]:
    """Everything in what an environment returned, in order, bits as they are."""
    if isinstance(result, dict):
        return [part for key in sorted(result) for part in (key, *numbers(result[key]))]
    if isinstance(result, tuple | list):
        return [part for one in result for part in numbers(one)]
    if hasattr(result, "matrix"):
        return [result.matrix.tobytes(), result.translation.tobytes()]
    return [np.asarray(result).tobytes()]


def push(env: gym.Env, steps: int) -> list[Any]:
    """Pushes towards the block or the body, so that there is contact, and what came of them."""
    found = []
    for _ in range(steps):
        scene = env.unwrapped
        body = scene.simulation.block_pose[:2] if "PushT" in str(scene) else scene.simulation.body_pose[0]
        way = np.asarray(body) - scene.simulation.agent_pos
        noise = env.action_space.sample()
        radius = env.action_space.radius
        action = 0.5 * radius * way / np.linalg.norm(way) + 0.3 * noise
        result = env.step(action)
        found.append(numbers(result))
    return found


def go_on(env: gym.Env) -> list[Any]:
    """All that follows: this episode, the next, an episode of a seed, and every generator."""
    found = push(env, 12)
    found += [numbers(env.reset()), *push(env, 3), numbers(env.reset(seed=5)), *push(env, 3)]
    return [*found, env.np_random.random(), env.action_space.sample().tobytes()]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", MAKERS)
def test_a_copy_in_the_middle_of_contact_goes_on_alike(name: str, way: str) -> None:
    env = MAKERS[name]()
    env.action_space.seed(3)
    env.reset(seed=1)
    push(env, 25)
    state, twin = env.unwrapped.get_state(), WAYS[way](env)
    assert twin.unwrapped.get_state() == state
    ahead = go_on(twin)
    assert env.unwrapped.get_state() == state, "what the copy does is its own"
    assert go_on(env) == ahead
    twin.reset(seed=6)
    assert go_on(twin) != ahead


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("name", MAKERS)
def test_a_copy_before_the_first_step_goes_on_alike(name: str, begun: bool, way: str) -> None:
    env = MAKERS[name]()
    env.action_space.seed(3)
    if begun:
        env.reset(seed=1)
    twin = WAYS[way](env)
    if not begun:
        assert numbers(env.reset(seed=2)) == numbers(twin.reset(seed=2))
    assert go_on(twin) == go_on(env)


@pytest.mark.parametrize("way", WAYS)
def test_what_was_set_by_hand_stays(way: str) -> None:
    env = gym.make(PUSHT)
    env.reset(seed=0)
    env.unwrapped.success_coverage, env.unwrapped.note = 0.5, {"mine": 1}
    env.unwrapped.simulation.label = "mine"
    twin = WAYS[way](env).unwrapped
    assert (twin.success_coverage, twin.note, twin.simulation.label) == (0.5, {"mine": 1}, "mine")

    env = gym.make(CLOUDPUSH, points=16)
    env.action_space.seed(3)
    env.reset(seed=0)
    env.unwrapped.simulation.model.opt.gravity[:] = 0.0, 0.0, -3.0
    twin = WAYS[way](env)
    assert twin.unwrapped.simulation.model.opt.gravity.tolist() == [0.0, 0.0, -3.0]
    assert go_on(twin) == go_on(env)


@pytest.mark.parametrize("way", WAYS)
def test_walls_changed_by_hand_stand_from_the_next_episode_on_in_copies_too(way: str) -> None:
    env = gym.make(PUSHT, outside="project").unwrapped
    start = {"state": PushTState((250.0, 250.0), (0.0, 0.0), (420.0, 250.0, 0.3), (256.0, 256.0, 0.0))}
    right = np.array([100.0, 0.0])

    def pushed(env: Any) -> list[float]:
        return [float(env.step(right)[0]["block_pos"][0]) for _ in range(12)]

    env.reset(options=start)
    env.simulation.walls = False
    twin = WAYS[way](env)
    with_walls = pushed(twin)
    assert with_walls == pushed(env)
    for one in (env, twin):
        one.reset(options=start)
    without = pushed(twin)
    assert without == pushed(env)
    assert without[-1] > with_walls[-1] + 50.0


@pytest.mark.parametrize("way", WAYS)
def test_a_copy_of_one_that_has_drawn_draws_the_same(way: str) -> None:
    for name, arguments in ((PUSHT, {}), (CLOUDPUSH, {"points": 16})):
        env = gym.make(name, render_mode="rgb_array", **arguments)
        env.reset(seed=0)
        picture = env.render()
        twin = WAYS[way](env)
        assert np.array_equal(twin.render(), picture)
        twin.close()
        assert np.array_equal(env.render(), picture)
        env.close()


def restarts(world: Simulation, target: Callable[[int], tuple[float, float]], periods: int) -> int:
    """Play, and count how often the past was let go of; copies by state and by pickle go on alike throughout."""
    kept, twin = [], Simulation()
    for period in range(periods):
        if period % 487 == 0:
            twin.set_state(world.get_state())
        if period % 811 == 0:
            twin = pickle.loads(pickle.dumps(world))
        if period % 50 == 0:
            kept.append(len(world.get_state().targets))
        for one in (world, twin):
            one.step(target(period))
        assert (twin.agent_pos, twin.agent_vel) == (world.agent_pos, world.agent_vel)
        assert twin.block_pose == world.block_pose
    assert max(kept) <= 4000
    return int((np.diff(kept) < 0).sum())


def test_an_episode_without_an_end_keeps_a_bounded_past_and_stays_exact() -> None:
    world, rng = Simulation(), np.random.default_rng(0)
    world.set_state(PushTState((150.0, 150.0), (0.0, 0.0), (256.0, 256.0, 0.3), (256.0, 256.0, 0.0)))
    targets = rng.uniform(60.0, 450.0, (5000, 2)).tolist()
    assert restarts(world, lambda period: tuple(targets[period]), 5000) >= 1


def test_a_world_that_never_rests_keeps_a_bounded_past_too() -> None:
    world = Simulation()
    world.set_state(PushTState((256.0, 120.0), (0.0, 0.0), (256.0, 60.0, 0.0), (256.0, 256.0, 0.0)))
    assert restarts(world, lambda period: (256.0, 0.0), 4500) == 1


def test_to_let_go_of_the_past_moves_nothing_that_lies_still() -> None:
    world = Simulation()
    block = (255.3, 256.7, 0.3)
    world.set_state(PushTState((100.0, 100.0), (0.0, 0.0), block, (256.0, 256.0, 0.0)))
    poses = set()
    for period in range(4500):
        world.step((100.0 + period % 7, 100.0))
        poses.add(world.block_pose)
    assert len(world.get_state().targets) == 4500 % 2000
    assert np.ptp(np.array(sorted(poses)), axis=0).max() <= 1e-13
    assert world.get_state().block == block


def test_the_comparison_can_fail() -> None:
    env = gym.make(PUSHT)
    env.action_space.seed(3)
    env.reset(seed=1)
    push(env, 25)
    other = gym.make(PUSHT)
    other.action_space = copy.deepcopy(env.action_space)
    state = env.unwrapped.get_state()
    other.reset(options={"state": PushTState(state.agent_pos, state.agent_vel, state.block, state.goal)})
    after, found = push(env, 12), push(other, 12)
    assert after != found
