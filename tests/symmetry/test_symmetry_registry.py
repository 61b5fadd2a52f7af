"""Looking up the symmetry of ids, environments, wrappers, vector environments and VecEnvs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from equiworld.envs.pusht import geometry
from equiworld.errors import ArgumentError, UnknownNameError
from equiworld.groups import E2, O2, SE2, SO2
from equiworld.symmetry import Heading, Point, Symmetry, Vector, register_symmetry, registry, symmetry_of

gym_pusht = pytest.importorskip("gym_pusht")

STOCK = "gym_pusht/PushT-v0"
OURS = "equiworld/PushT-v0"
KEYPOINTS = "environment_state_agent_pos"


class Plane(gym.Env[np.ndarray, np.ndarray]):
    """A velocity that one sets."""

    observation_space = spaces.Box(-1, 1, (2,), np.float64)
    action_space = spaces.Box(-1, 1, (2,), np.float64)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        return np.zeros(2), {}


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    """Leave both registries as they were."""
    entries, ids = dict(registry._ENTRIES), set(gym.registry)
    yield
    registry._ENTRIES.clear()
    registry._ENTRIES.update(entries)
    for added in set(gym.registry) - ids:
        if added.startswith("test/"):
            del gym.registry[added]


def plane(group: Any = None) -> Symmetry:
    return Symmetry(group or SO2(), {"velocity": Vector()}, Vector(), flat=True)


def test_stock_pusht_by_id_and_object() -> None:
    by_id = symmetry_of(STOCK)
    env = gym.make(STOCK)
    assert symmetry_of(env) == symmetry_of(env.unwrapped) == by_id
    assert by_id.group == E2()
    assert by_id.centre == (255.5, 255.5)
    assert by_id.holds == "away from the walls"
    assert by_id.flat
    assert by_id.action == Point()
    observation, info = env.reset(seed=0)
    features = by_id.to_features(observation)
    assert features.type == by_id.feature_type()
    moved = by_id.transform_observation(SE2().rotation(np.pi), observation)
    np.testing.assert_allclose(moved[:4] + observation[:4], 511.0)
    turned = by_id.transform_info(SE2().rotation(np.pi / 2), info)
    angle = turned["goal_pose"][2] - info["goal_pose"][2]
    assert angle == pytest.approx(np.pi / 2)
    assert turned["n_contacts"] == info["n_contacts"]
    env.close()


def test_stock_pusht_keypoints_and_what_is_not_numbers() -> None:
    env = gym.make(STOCK, obs_type=KEYPOINTS)
    symmetry = symmetry_of(env)
    corners = Point(8, mirror=(1, 0, 3, 2, 5, 4, 7, 6))
    assert symmetry.observation == {"environment_state": corners, "agent_pos": Point()}
    observation, _ = env.reset(seed=0)
    moved = symmetry.transform_observation(SE2().rotation(np.pi), observation)
    np.testing.assert_allclose(moved["environment_state"] + observation["environment_state"], 511.0)
    # The corners of the mirrored T in the order in which gym-pusht shows them.
    block, g = env.unwrapped.block, O2().reflection(0.8)
    shown = np.array([*block.position, block.angle])
    mirrored = symmetry_of(STOCK).info["block_pose"].transform(g, shown, symmetry.centre)
    for pose, expected in ((shown, observation), (mirrored, symmetry.transform_observation(g, observation))):
        corners = geometry.keypoints(geometry.from_stock_pose(pose)).ravel()
        np.testing.assert_allclose(corners, expected["environment_state"], atol=1e-9)
    env.close()
    with pytest.raises(ArgumentError, match="state, environment_state_agent_pos"):
        symmetry_of(gym.make(STOCK, obs_type="pixels"))


def test_our_pusht() -> None:
    pytest.importorskip("equiworld.envs")
    env = gym.make(OURS)
    symmetry = symmetry_of(env)
    assert symmetry == symmetry_of(OURS)
    assert symmetry.holds == "away from the walls"
    assert symmetry_of(gym.make(OURS, walls=False)).holds == "everywhere"
    assert symmetry.state == ("agent_pos", "agent_vel", "block_pos", "block_heading")
    assert list(symmetry.goal.items()) == [
        ("goal_pos", "block_pos"),
        ("goal_heading", "block_heading"),
        ("goal_keypoints", "block_keypoints"),
    ]
    assert (symmetry.reference, symmetry.heading) == ("block_pos", "block_heading")
    assert (symmetry.action, symmetry.action_origin) == (Vector(), "agent_pos")
    assert symmetry.observation["block_heading"] == Heading(axis=np.pi / 2)
    observation, info = env.reset(seed=0)
    g = SE2().rotation(0.7)
    assert symmetry.transform_space(g, env.observation_space).contains(
        symmetry.transform_observation(g, observation)
    )
    assert symmetry.transform_space(g, env.action_space) is env.action_space
    symmetry.transform_info(g, info)


def test_wrappers_and_vector_environments() -> None:
    expected = symmetry_of(STOCK)
    wrapped = gym.wrappers.RecordEpisodeStatistics(gym.wrappers.TimeLimit(gym.make(STOCK), 10))
    assert symmetry_of(wrapped) == expected
    vector = gym.make_vec(STOCK, num_envs=2, vectorization_mode="sync")
    assert symmetry_of(vector) == expected
    assert symmetry_of(gym.wrappers.vector.RecordEpisodeStatistics(vector)) == expected
    keyed = gym.make_vec(STOCK, num_envs=2, vectorization_mode="sync", obs_type=KEYPOINTS)
    assert not symmetry_of(keyed).flat


def test_environments_in_other_processes() -> None:
    vector = gym.make_vec(STOCK, num_envs=1, vectorization_mode="async", obs_type=KEYPOINTS)
    try:
        assert not symmetry_of(vector).flat
    finally:
        vector.close()


def test_stable_baselines_environments() -> None:
    vec_env = pytest.importorskip("stable_baselines3.common.vec_env")
    dummy = vec_env.DummyVecEnv([lambda: gym.make(STOCK)])
    assert symmetry_of(dummy) == symmetry_of(vec_env.VecMonitor(dummy)) == symmetry_of(STOCK)

    class Remote:
        """What SubprocVecEnv shows of itself: attributes by name, no members."""

        def __init__(self, **options: Any) -> None:
            self._env = gym.make(STOCK, **options)
            self.observation_space, self.num_envs = self._env.observation_space, 1

        def get_attr(self, name: str, indices: Any = None) -> list[Any]:
            return [self._env.get_wrapper_attr(name)]

    assert symmetry_of(Remote()) == symmetry_of(STOCK)
    assert not symmetry_of(Remote(obs_type=KEYPOINTS)).flat


def test_environment_made_without_an_id() -> None:
    from gym_pusht.envs import PushTEnv

    assert symmetry_of(PushTEnv(obs_type="state")) == symmetry_of(STOCK)

    class Nowhere(Plane):
        """Registered under no name."""

    with pytest.raises(UnknownNameError, match="Nowhere"):
        symmetry_of(Nowhere())


@pytest.mark.parametrize(
    ("walled", "fixed", "said"),
    [
        (E2, None, "different symmetries"),
        (SE2, None, None),
        (SE2, lambda env, g: None, None),
    ],
)
def test_several_ids_of_one_class_have_to_agree(walled: Any, fixed: Any, said: str | None) -> None:
    """As Gymnasium's versions do; which of them was meant, an environment made without an id does not tell."""
    gym.register("test/Open-v0", entry_point=Plane)
    gym.register("test/Walled-v0", entry_point=Plane, kwargs={})
    register_symmetry("test/Open-v0", plane(SE2()), fixed)
    register_symmetry("test/Walled-v0", plane(walled()), fixed)
    assert symmetry_of("test/Walled-v0") == symmetry_of(gym.make("test/Walled-v0")) == plane(walled())
    assert symmetry_of(gym.make("test/Open-v0")) == plane(SE2())
    if said is None:
        assert symmetry_of(Plane()) == plane(SE2())
        assert registry.move_of(Plane()) is None or fixed is not None
    else:
        with pytest.raises(ArgumentError, match=rf"^env: .*{said}.*options: test/Open-v0, test/Walled-v0"):
            symmetry_of(Plane())
        assert registry.move_of(Plane()) is None  # which they agree about


def test_ids_that_are_moved_otherwise_have_to_be_told_apart() -> None:
    gym.register("test/Open-v0", entry_point=Plane)
    gym.register("test/Walled-v0", entry_point=Plane)
    register_symmetry("test/Open-v0", plane(), lambda env, g: None)
    register_symmetry("test/Walled-v0", plane())
    assert symmetry_of(Plane()) == plane()
    assert registry.move_of(gym.make("test/Walled-v0")) is None
    with pytest.raises(ArgumentError, match="test/Open-v0, test/Walled-v0"):
        registry.move_of(Plane())


def test_environment_that_is_a_batch_by_itself() -> None:
    class Batch(gym.vector.VectorEnv):  # type: ignore[type-arg]
        def __init__(self) -> None:
            self.num_envs, self.walls = 2, False
            self.single_observation_space = spaces.Box(-1, 1, (2,), np.float64)
            self.observation_space = spaces.Box(-1, 1, (2, 2), np.float64)
            self.spec = gym.spec("test/Plane-v0")

    gym.register("test/Plane-v0", entry_point=Plane)
    register_symmetry("test/Plane-v0", lambda env: plane(SO2() if env.unwrapped.walls else SE2()))
    assert symmetry_of(Batch()) == plane(SE2())


def test_registering() -> None:
    gym.register("test/Plane-v0", entry_point=Plane)
    with pytest.raises(UnknownNameError) as caught:
        symmetry_of("test/Plane-v0")
    message = str(caught.value)
    assert STOCK in message
    assert OURS in message
    assert "register_symmetry(env_id, Symmetry(...))" in message
    register_symmetry("test/Plane-v0", plane())
    assert symmetry_of("test/Plane-v0") == symmetry_of(gym.make("test/Plane-v0")) == plane()
    assert symmetry_of(Plane()) == plane()  # the class is that of the registered id
    register_symmetry("test/Plane-v0", lambda env: plane(SE2()))
    assert symmetry_of("test/Plane-v0") == symmetry_of(gym.make("test/Plane-v0")) == plane(SE2())
    symmetry = plane()
    assert symmetry_of(symmetry) is symmetry


def test_wrappers_that_change_the_observation_are_followed_or_refused() -> None:
    flat = gym.wrappers.FlattenObservation(gym.make(STOCK, obs_type=KEYPOINTS))
    assert symmetry_of(flat).flat
    shape = (flat.observation_space.shape[0] // 2, 2)
    assert symmetry_of(gym.wrappers.ReshapeObservation(flat, shape)).shapes == {"observation": shape}
    for refused in (
        gym.wrappers.TransformObservation(flat, lambda seen: 2 * seen, None),
        gym.wrappers.NormalizeObservation(flat),
        gym.wrappers.MaxAndSkipObservation(flat),
        gym.wrappers.DelayObservation(flat, 2),
    ):
        with pytest.raises(ArgumentError, match=type(refused).__name__):
            symmetry_of(refused)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: symmetry_of("CartPole-v1"), "got 'CartPole-v1'"),
        (lambda: symmetry_of("gym_pusht/PushT-v1"), "did you mean 'gym_pusht/PushT-v0'"),
        (lambda: symmetry_of(gym.make("CartPole-v1")), "register_symmetry"),
        (lambda: symmetry_of(None), "a vector environment"),
        (lambda: symmetry_of(7), "env: got 7"),
        (lambda: register_symmetry("", plane()), "env_id"),
        (lambda: register_symmetry("a", "SE2"), "symmetry"),  # type: ignore[arg-type]
    ],
)
def test_errors_say_what_is_wrong(call: Any, said: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        call()
    assert said in str(caught.value)


def test_entry_of_the_wrong_type_and_unknown_to_gymnasium() -> None:
    gym.register("test/Plane-v0", entry_point=Plane)
    register_symmetry("test/Plane-v0", lambda env: "SE2")  # type: ignore[arg-type, return-value]
    with pytest.raises(ArgumentError, match="test/Plane-v0"):
        symmetry_of("test/Plane-v0")
    register_symmetry("nowhere/Plane-v0", lambda env: plane())
    with pytest.raises(ArgumentError, match="import its package first"):
        symmetry_of("nowhere/Plane-v0")


def test_ids_work_before_their_package_is_imported() -> None:
    program = (
        "import sys; from equiworld.symmetry import symmetry_of; assert 'gym_pusht' not in sys.modules; "
        f"assert symmetry_of({STOCK!r}).flat; assert not symmetry_of({OURS!r}).flat"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
