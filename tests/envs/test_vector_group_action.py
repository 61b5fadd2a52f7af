"""The vector wrappers against loops of single ones: every autoreset mode, in one process and in several."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv
from point_mass import ID, SYMMETRY, same
from vector_cases import AUTOMATIC, BATCH, COUNT, KINDS, MODES, actions, follow, make

import equiworld.envs  # noqa: F401  registers
from equiworld.envs.group_action import RandomGroupAction
from equiworld.envs.vector_group_action import VectorGroupAction, VectorRandomGroupAction
from equiworld.groups import E2, O2, SE2, SO2, GroupElement


def rows(result: Any, index: int) -> Any:
    """The observation of one sub-environment."""
    return {name: array[index] for name, array in result.items()}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", MODES)
def test_fixed_elements_are_a_vector_of_wrapped_envs(kind: Any, mode: AutoresetMode) -> None:
    turned = VectorGroupAction(make(kind, mode), BATCH)
    singles = make(kind, mode, BATCH)
    finals, ends = 0, np.zeros(COUNT, dtype=int)
    for one, other in zip(follow(turned, mode, 220), follow(singles, mode, 220), strict=True):
        same(one, other, 1e-11)
        finals += "final_obs" in one[-1]
        if len(one) == 5:
            ends += one[2] | one[3]
    assert (finals > 0) == (mode is AutoresetMode.SAME_STEP)
    assert ends.min() > 20
    assert len(set(ends)) > 1  # they end at different times
    turned.close()
    singles.close()


def test_the_comparison_can_fail() -> None:
    mode = AutoresetMode.SAME_STEP
    turned, singles = (
        VectorGroupAction(make(SyncVectorEnv, mode), BATCH),
        make(SyncVectorEnv, mode, BATCH[::-1]),
    )
    with pytest.raises(AssertionError):
        same(list(follow(turned, mode, 5)), list(follow(singles, mode, 5)), 1e-11)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", MODES)
def test_random_elements_by_hand(kind: Any, mode: AutoresetMode) -> None:
    """The untouched vector env beside it says what must be seen, and when an element may change."""
    bare, turned = make(kind, mode), VectorRandomGroupAction(make(kind, mode), E2(), 3.0)
    pairs = zip(
        follow(bare, mode, 220),
        follow(turned, mode, 220, lambda action: SYMMETRY.transform_action(turned.group_element, action)),
        strict=True,
    )
    old: list[Any] = [None] * COUNT
    ended, ended_before = np.zeros(COUNT, dtype=bool), np.zeros(COUNT, dtype=bool)
    drawn = 0
    for number, (result, shown) in enumerate(pairs):
        (raw, raw_info), (seen, info) = (result[0], result[-1]), (shown[0], shown[-1])
        stepped = len(result) == 5
        if stepped:
            same(result[1], shown[1], 1e-11)
            same(result[2:4], shown[2:4], 0.0)
            ended_before, ended = ended, result[2] | result[3]
            automatic = {AutoresetMode.NEXT_STEP: ended_before, AutoresetMode.SAME_STEP: ended}
            begins = automatic.get(mode, np.zeros(COUNT, dtype=bool))
        else:
            begins = ended if number else np.ones(COUNT, dtype=bool)
        assert info["_group_element"].tolist() == [stepped or bool(begin) for begin in begins]
        assert info.keys() == {*raw_info, "group_element", "_group_element"}
        for index in range(COUNT):
            g = info["group_element"][index] if info["_group_element"][index] else old[index]
            assert (old[index] is not None and g.is_close(old[index], 0.0)) == (not begins[index])
            drawn += int(begins[index])
            same(SYMMETRY.transform_observation(g, rows(raw, index)), rows(seen, index), 1e-10)
            check_info(g, raw_info, info, index)
            if "final_obs" in raw_info and raw_info["_final_obs"][index]:
                final = SYMMETRY.transform_observation(old[index], raw_info["final_obs"][index])
                same(final, info["final_obs"][index], 1e-10)
                check_info(old[index], raw_info["final_info"], info["final_info"], index)
                assert info["final_info"]["group_element"][index].is_close(old[index], 0.0)
            elif "final_obs" in info:
                assert info["final_obs"][index] is None
            old[index] = g
            assert turned.group_element[index].is_close(g, 0.0)
    assert drawn > 60
    bare.close()
    turned.close()


def check_info(g: GroupElement, raw: Any, seen: Any, index: int) -> None:
    """One sub-environment's entries are turned where they are filled and untouched where not."""
    for key in ("pose", "start", "steps", "mass"):
        if key not in raw:
            assert key not in seen
            continue
        assert np.array_equal(raw[f"_{key}"], seen[f"_{key}"])
        if key in SYMMETRY.info and raw[f"_{key}"][index]:
            value = SYMMETRY.info[key].transform(g, raw[key][index], SYMMETRY.centre)
            same({key: value}, {key: seen[key][index]}, 1e-10)
        else:
            assert np.array_equal(raw[key][index], seen[key][index])


@pytest.mark.parametrize("mode", AUTOMATIC)
def test_elements_repeat_with_the_seed_and_heed_no_neighbour(mode: AutoresetMode) -> None:
    def elements(seed: Any) -> list[list[GroupElement]]:
        env = VectorRandomGroupAction(make(SyncVectorEnv, mode), "SE2", 1.0, ID)
        found: list[list[GroupElement]] = [[] for _ in range(COUNT)]
        for result in follow(env, mode, 60, seed=seed):
            for index, g in enumerate(result[-1]["group_element"]):
                if not found[index] or found[index][-1] is not g:
                    found[index].append(g)
        return found

    first, again, other = elements(5), elements([5, 6, 7]), elements([5, 60, 70])
    for index in range(COUNT):
        assert len(first[index]) > 4
        same(first[index], again[index], 0.0)
    distinct = GroupElement.stack([g for found in first for g in found])
    assert len(np.unique(distinct.matrix[:, 0, 0])) == len(distinct)
    same(first[0], other[0], 0.0)
    assert not first[1][0].is_close(other[1][0])


def test_kinds_agree_bit_for_bit() -> None:
    mode = AutoresetMode.SAME_STEP
    envs = [VectorRandomGroupAction(make(kind, mode), E2(), 3.0) for kind in KINDS]
    for one, other in zip(*(follow(env, mode, 50) for env in envs), strict=True):
        same(one, other, 0.0)
    for env in envs:
        env.close()


def test_without_a_seed_elements_differ() -> None:
    envs = [VectorRandomGroupAction(make(SyncVectorEnv, AutoresetMode.NEXT_STEP), SO2()) for _ in range(2)]
    first, second = (env.reset()[1]["group_element"][0] for env in envs)
    third = envs[0].reset()[1]["group_element"][0]
    assert not first.is_close(second)
    assert not first.is_close(third)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", KINDS)
def test_nested_elements_compose(kind: Any, mode: AutoresetMode) -> None:
    """Vector over single, vector over vector, and both at once show the same."""
    below, taken = BATCH[::-1], 30
    products = [g @ h for g, h in zip(BATCH, below, strict=True)]
    reference = make(SyncVectorEnv, mode, products)
    over_singles = VectorGroupAction(make(kind, mode, below), BATCH)
    over_vector = VectorGroupAction(VectorGroupAction(make(kind, mode), below), BATCH)
    runs = [follow(env, mode, taken) for env in (reference, over_singles, over_vector)]
    for one, two, three in zip(*runs, strict=True):
        same(one, two, 1e-10)
        same(one, three, 1e-10)
    over_singles.close()
    over_vector.close()


def test_random_single_wrappers_work_inside_async() -> None:
    functions = [lambda: RandomGroupAction(gym.make(ID), SE2()) for _ in range(2)]
    env, twin = AsyncVectorEnv(functions), SyncVectorEnv(functions)
    for _ in range(2):
        same(env.reset(seed=3), twin.reset(seed=3), 0.0)
        for action in actions(40):
            same(env.step(action[:2]), twin.step(action[:2]), 0.0)
    env.close()


def test_one_element_for_all() -> None:
    g, mode = O2().reflection(0.4), AutoresetMode.NEXT_STEP
    one, other = (
        VectorGroupAction(make(SyncVectorEnv, mode), element)
        for element in (g.to_dict(), GroupElement.stack([g] * COUNT))
    )
    for first, second in zip(follow(one, mode, 10), follow(other, mode, 10), strict=True):
        same(first, second, 0.0)
