"""GroupAction and RandomGroupAction: exact, transparent, and consistent after errors."""

from __future__ import annotations

import copy
from typing import Any

import gymnasium as gym
import gymnasium.utils.env_checker
import numpy as np
import pytest
from point_mass import ELEMENTS, ID, SYMMETRY, PointMass, actions, run, same

import equiworld.envs  # noqa: F401  registers
from equiworld.envs.group_action import GroupAction, RandomGroupAction
from equiworld.errors import ArgumentError, UnknownNameError
from equiworld.groups import E2, SE2, SO2, SO3, Dihedral, GroupElement
from equiworld.symmetry import Symmetry, symmetry_of


def expected(g: GroupElement, result: Any, symmetry: Symmetry = SYMMETRY) -> Any:
    """What the wrapper has to return where the bare env returns `result`."""
    observation, *rest, info = result
    turned = {**symmetry.transform_info(g, info), "group_element": g}
    return (symmetry.transform_observation(g, observation), *rest, turned)


@pytest.mark.parametrize("name", ELEMENTS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_closed_loop_is_the_turned_trajectory(name: str, dtype: str) -> None:
    g, taken = ELEMENTS[name], actions(300)
    bare = run(PointMass(dtype=dtype), taken)
    env = PointMass(dtype=dtype)
    turned = run(GroupAction(env, g, SYMMETRY), SYMMETRY.transform_action(g, taken))
    assert sum(len(result) == 2 for result in bare) > 20
    for result, shown in zip(bare, turned, strict=True):
        same(expected(g, result), shown, 1e-12 if dtype == "float64" else 2e-5)
    assert np.abs(np.array(env.received) - taken).max() < 1e-15


def test_the_check_can_fail() -> None:
    """The same comparison refuses the wrong element, and actions that were not turned."""
    g, taken = ELEMENTS["turn"], actions(20)
    bare = run(PointMass(), taken)
    wrong_element = run(GroupAction(PointMass(), g.inverse(), SYMMETRY), SYMMETRY.transform_action(g, taken))
    not_turned = run(GroupAction(PointMass(), g, SYMMETRY), taken)
    for wrong in (wrong_element, not_turned):
        with pytest.raises(AssertionError):
            same([expected(g, result) for result in bare], wrong)


@pytest.mark.parametrize("env_id", ["equiworld/PushT-v0", "gym_pusht/PushT-v0"])
def test_push_t_by_quarter_turns(env_id: str) -> None:
    """Quarter turns take no rounding on their way to the simulator, so contacts cannot amplify any."""
    pytest.importorskip("gym_pusht")
    bare, turned = (gym.make(env_id, disable_env_checker=True) for _ in range(2))
    symmetry = symmetry_of(bare)
    # Relative to a centre of 255.5 the quarter turn of an absolute target is exact in float64 too.
    for g in Dihedral(4).elements():
        wrapped = GroupAction(turned, g)
        observation, info = bare.reset(seed=3)
        check_push_t(symmetry, g, (observation, info), wrapped.reset(seed=3))
        bare.action_space.seed(5)
        for _ in range(15):
            action = np.round(bare.action_space.sample() / 2)
            result = bare.step(action)
            check_push_t(symmetry, g, result, wrapped.step(symmetry.transform_action(g, action)))


def check_push_t(symmetry: Symmetry, g: GroupElement, result: Any, shown: Any) -> None:
    observation, *rest, info = expected(g, result, symmetry)
    angles = [name for name in symmetry.observation if "heading" in name]
    for name, one, other in named_arrays(symmetry, observation, shown[0]):
        difference = one - other
        if name in angles:
            difference = np.angle(np.exp(1j * difference))
        assert np.abs(difference).max() < 1e-10, name
    assert rest == list(shown[1:-1])
    for name in ("pos_agent", "vel_agent"):
        assert np.abs(info[name] - shown[-1][name]).max() < 1e-10
    assert np.abs(np.exp(1j * info["block_pose"]) - np.exp(1j * shown[-1]["block_pose"])).max() < 1e-10
    assert shown[-1]["group_element"].is_close(g)


def named_arrays(symmetry: Symmetry, first: Any, second: Any) -> list[tuple[str, Any, Any]]:
    if symmetry.flat:
        return [(name, first[part], second[part]) for name, part in symmetry.segments()]
    return [(name, first[name], second[name]) for name in first]


def test_nothing_else_changes() -> None:
    g = ELEMENTS["glide"]
    observation, info = GroupAction(PointMass(), g, SYMMETRY).reset(seed=0)
    bare_observation, bare_info = PointMass().reset(seed=0)
    assert observation.keys() == bare_observation.keys()
    assert info.keys() == {*bare_info, "group_element"}
    assert info["steps"] == 0
    assert np.array_equal(observation["mass"], bare_observation["mass"])
    assert np.allclose(observation["spin"], -bare_observation["spin"])
    assert not np.allclose(info["start"], bare_info["start"])


def test_the_wrapped_arrays_are_left_alone() -> None:
    env = PointMass()
    wrapped = GroupAction(env, ELEMENTS["turn"], SYMMETRY)
    wrapped.reset(seed=0)
    action = np.array([1.0, 0.0])
    first, *_ = wrapped.step(action)
    kept = copy.deepcopy(first)
    second, *_ = wrapped.step(action)
    same(first, kept)
    assert np.array_equal(action, [1.0, 0.0])
    assert not any(np.shares_memory(first[name], second[name]) for name in first)
    assert not np.shares_memory(env.received[-1], action)


def test_random_elements_change_with_the_episode_and_repeat_with_the_seed() -> None:
    taken = actions(300)
    first, again = (run(RandomGroupAction(PointMass(), E2(), 3.0, SYMMETRY), taken, seed=7) for _ in range(2))
    elements: list[GroupElement] = []
    for one, other in zip(first, again, strict=True):
        same(one, other)
        if len(one) == 2:
            elements.append(one[-1]["group_element"])
        assert one[-1]["group_element"] is elements[-1]
    assert len(elements) > 20
    drawn = GroupElement.stack(elements)
    assert E2().contains(drawn)
    assert len(np.unique(drawn.matrix[:, 0, 0])) == len(elements)
    assert set(drawn.determinant) == {-1.0, 1.0}
    assert 1.5 < np.linalg.norm(drawn.translation, axis=-1).max() <= 3.0


def test_random_elements_turn_what_the_env_does() -> None:
    env = RandomGroupAction(PointMass(), "SE2", symmetry=ID)
    assert env.scale == SYMMETRY.length_scale
    twin = PointMass()
    for episode in range(5):
        observation, info = env.reset(seed=episode)
        g = info["group_element"]
        assert env.group_element is g
        same(expected(g, twin.reset(seed=episode)), (observation, info))
        for action in actions(3, episode):
            same(
                expected(g, twin.step(action)),
                env.step(SYMMETRY.transform_action(g, action)),
                1e-11,
            )


def test_the_element_comes_from_the_generator_of_the_env() -> None:
    env, twin = RandomGroupAction(PointMass(), SE2(), 1.0, SYMMETRY), PointMass()
    _, info = env.reset(seed=11)
    twin.reset(seed=11)
    assert info["group_element"].is_close(SE2().sample(twin.np_random, scale=1.0), atol=0)


@pytest.mark.parametrize("second", ["turn", "glide"])
def test_nested_wrappers_compose(second: str) -> None:
    g, h = ELEMENTS[second], ELEMENTS["both"]
    nested = GroupAction(GroupAction(PointMass(), h, SYMMETRY), g)
    assert nested.symmetry is SYMMETRY
    at_once, taken = GroupAction(PointMass(), g @ h, SYMMETRY), actions(50)
    for one, other in zip(run(at_once, taken), run(nested, taken), strict=True):
        same(one, other, 1e-11)
    assert nested.group_element is g


def test_random_over_fixed_composes() -> None:
    env = RandomGroupAction(GroupAction(PointMass(), ELEMENTS["mirror"], SYMMETRY), SO2())
    for _ in range(3):
        observation, info = env.reset()
        assert info["group_element"].is_close(env.group_element @ ELEMENTS["mirror"])
        raw = env.unwrapped._observation()  # type: ignore[attr-defined]
        same(SYMMETRY.transform_observation(info["group_element"], raw), observation)


def test_an_inverse_undoes() -> None:
    g, taken = ELEMENTS["both"], actions(40)
    there_and_back = GroupAction(GroupAction(PointMass(), g, SYMMETRY), g.inverse())
    for one, other in zip(run(PointMass(), taken), run(there_and_back, taken), strict=True):
        other[-1].pop("group_element")
        same(one, other, 1e-11)


def test_options_pass_through() -> None:
    env, options = GroupAction(PointMass(), ELEMENTS["turn"], SYMMETRY), {"some": "option"}
    env.reset(options=options)
    assert env.unwrapped.options is options  # type: ignore[attr-defined]


def test_passive_on_active() -> None:
    """An episode that begins at h, shown through g that commutes with it: the echo is the product."""
    g, h = SO2().rotation(0.4), SO2().rotation(0.2)
    wrapped, bare = (gym.make("equiworld/PushT-v0", walls=False) for _ in range(2))
    observation, info = GroupAction(wrapped, g).reset(seed=0, options={"group_element": h})
    reference = symmetry_of(bare).transform_observation(g @ h, bare.reset(seed=0)[0])
    assert info["group_element"].is_close(g @ h)
    for name in ("agent_pos", "block_keypoints", "goal_pos"):
        assert np.abs(observation[name] - reference[name]).max() < 1e-9


@pytest.mark.parametrize("h", [SE2().rotation(1.0), E2().reflection(0.4)])
def test_a_turned_world_begins_turned_as_it_is_shown(h: GroupElement) -> None:
    def turned() -> gym.Env:
        return GroupAction(gym.make("equiworld/PushT-v0", walls=False), h)

    env, g = turned(), E2().sample(np.random.default_rng(3), scale=50.0)
    plain, _ = env.reset(seed=4)
    shown, info = env.reset(seed=4, options={"group_element": g})
    wanted = symmetry_of(env).transform_observation(g, plain)
    assert max(np.abs(shown[key] - wanted[key]).max() for key in wanted) <= 1e-9
    assert info["group_element"].is_close(g @ h)


def test_errors_leave_the_state_alone() -> None:
    env = RandomGroupAction(PointMass(), SE2(), 1.0, SYMMETRY)
    with pytest.raises(gym.error.ResetNeeded):
        env.step(np.zeros(2))
    with pytest.raises(gym.error.ResetNeeded):
        _ = env.group_element
    _, info = env.reset(seed=0)
    g = info["group_element"]
    for wrong in (np.zeros(3), [np.nan, 0.0], [0.0, np.inf], "ab", None, [[0.0, 1.0]], [[0.0], 1.0]):
        with pytest.raises(ArgumentError, match="action"):
            env.step(wrong)
    assert env.unwrapped.received == []  # type: ignore[attr-defined]
    with pytest.raises(RuntimeError, match="asked to fail"):
        env.reset(options={"fail": True})
    assert env.group_element is g
    observation, *_, info = env.step(np.array([1.0, 0.0]))
    assert info["group_element"] is g
    raw = env.unwrapped._observation()  # type: ignore[attr-defined]
    same(SYMMETRY.transform_observation(g, raw), observation)


def test_bad_arguments() -> None:
    with pytest.raises(ArgumentError, match="dimension 2"):
        GroupAction(PointMass(), SO3().identity(), SYMMETRY)
    with pytest.raises(ArgumentError, match="dimension 2"):
        RandomGroupAction(PointMass(), SO3(), symmetry=SYMMETRY)
    with pytest.raises(ArgumentError, match="one group element"):
        GroupAction(PointMass(), SO2().rotation([0.0, 1.0]), SYMMETRY)
    with pytest.raises(ArgumentError, match="group element"):
        GroupAction(PointMass(), 1.5, SYMMETRY)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="group"):
        RandomGroupAction(PointMass(), 3, symmetry=SYMMETRY)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="scale"):
        RandomGroupAction(PointMass(), SE2(), -1.0, SYMMETRY)
    with pytest.raises(ArgumentError, match="symmetry"):
        GroupAction(PointMass(), SO2().identity(), symmetry=2)  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="register_symmetry"):
        GroupAction(gym.make("CartPole-v1"), SO2().identity())
    with pytest.raises(ArgumentError, match="position"):
        GroupAction(gym.make("CartPole-v1"), SO2().identity(), SYMMETRY)


def test_wrong_observations_are_named() -> None:
    class Wrong(PointMass):
        def _observation(self) -> dict[str, Any]:
            return {**super()._observation(), "goal": np.zeros(3)}

    with pytest.raises(ArgumentError, match="goal"):
        GroupAction(Wrong(), SO2().identity(), SYMMETRY).reset()


def test_the_test_env_carries_its_symmetry() -> None:
    """The active check: the simulator itself started at g·s does the same, else the tests above are empty."""
    for g in ELEMENTS.values():
        first, second = PointMass(longest=100), PointMass(longest=100)
        observation, _ = first.reset(seed=0)
        second.reset(seed=0)
        turned = SYMMETRY.transform_observation(g, observation)
        second.position, second.velocity, second.goal = turned["position"], turned["velocity"], turned["goal"]
        second.landmarks = turned["landmarks"]
        for action in actions(10):
            observation, *_ = first.step(action)
            shown, *_ = second.step(SYMMETRY.transform_action(g, action))
            same(SYMMETRY.transform_observation(g, observation), shown)
