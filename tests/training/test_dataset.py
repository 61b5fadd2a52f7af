"""Datasets: chosen, turned, joined, kept and compared without losing or hiding a bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from equiworld.errors import ArgumentError, CheckpointError, OverlapError
from equiworld.groups import SE2, SO2, Cyclic
from equiworld.symmetry import Heading, Point, Scalar, SignedPermutation, Symmetry, Vector
from equiworld.training import Dataset, check_disjoint, collect

SYMMETRY = Symmetry(
    SE2(),
    {"hand": Point(), "speed": Vector(), "turn": Heading(), "goal": Point(), "mass": Scalar()},
    action=Vector(),
    goal=("goal",),
    heading="turn",
    centre=(2.0, -1.0),
)


def toy(count: int = 40, seed: int = 0, symmetry: Symmetry = SYMMETRY) -> Dataset:
    rng = np.random.default_rng(seed)

    def arrays():
        found = {
            name: rng.normal(size=(count, symmetry.observation[name].size(2))) for name in symmetry.state
        }
        return found | {"turn": rng.uniform(-np.pi, np.pi, (count, 1))}

    episode = rng.integers(2**63 - 1, size=-(-count // 5)).repeat(5)[:count]
    return Dataset(symmetry, arrays(), rng.normal(size=(count, 2)), arrays(), episode, 2, {"seed": seed})


def equal(one: Dataset, other: Dataset) -> bool:
    return (
        one.fingerprint() == other.fingerprint()
        and one.symmetry == other.symmetry
        and one.action_repeat == other.action_repeat
        and dict(one.provenance) == dict(other.provenance)
    )


# -------------------------------------------------------------------------------------- chosen and joined


def test_a_mask_an_index_and_a_slice_choose_the_same_rows():
    data = toy()
    index = np.arange(5, 20)
    by_mask, by_index, by_slice = (
        data.select(np.isin(np.arange(40), index)),
        data.select(index),
        data.select(slice(5, 20)),
    )
    assert len(by_slice) == 15
    assert equal(by_mask, by_slice)
    assert equal(by_index, by_slice)
    assert np.array_equal(by_slice.observation["hand"], data.observation["hand"][5:20])
    assert np.array_equal(by_slice.next_observation["mass"], data.next_observation["mass"][5:20])
    assert np.array_equal(data.select(index[::-1]).action, data.action[5:20][::-1])


def test_nothing_chosen_is_a_dataset_too():
    nothing = toy().select(slice(0, 0))
    assert len(nothing) == 0
    assert nothing.features()[0].batch_shape == (0,)


@pytest.mark.parametrize("centre", [0.0, 1.0, np.pi, -3.0, 7.0])
def test_a_slice_of_headings_holds_all_of_them_and_no_other(centre):
    data = toy(400)
    inside = data.slice_of_headings(0.5, centre)
    direction = np.exp(1j * (data.observation["turn"][:, 0] - centre))
    expected = np.abs(np.angle(direction)) <= 0.5
    assert equal(inside, data.select(expected))
    assert 0 < len(inside) < 400
    assert np.allclose(data.heading_offset(centre), np.abs(np.angle(direction)), atol=1e-12)


def test_without_a_heading_there_is_no_slice_of_it():
    with pytest.raises(ArgumentError, match="heading"):
        toy(symmetry=replace(SYMMETRY, heading=None)).slice_of_headings(0.5)


def test_parts_come_together_in_order():
    data = toy()
    parts = [data.select(slice(0, 7)), data.select(slice(7, 30)), data.select(slice(30, 40))]
    assert equal(Dataset.concatenate(parts), data)
    assert not equal(Dataset.concatenate(parts[::-1]), data)


def test_parts_of_two_kinds_do_not_come_together():
    data = toy()
    for other in (replace(data, action_repeat=1), toy(symmetry=replace(SYMMETRY, length_scale=3.0))):
        with pytest.raises(ArgumentError, match="two kinds"):
            Dataset.concatenate([data, other])
    with pytest.raises(ArgumentError, match="no datasets"):
        Dataset.concatenate([])


# -------------------------------------------------------------------------------------------------- turned


def test_transforming_the_data_transforms_its_features():
    data = toy()
    for g in SE2().sample(np.random.default_rng(0), n=24, scale=3.0):
        for moved, stayed in zip(
            data.transform(g).features(torch.float64), data.features(torch.float64), strict=True
        ):
            expected = stayed.transform(g)
            assert torch.allclose(moved.flatten(), expected.flatten(), rtol=0, atol=1e-13)


def test_transformations_follow_one_another():
    data = toy()
    g, h = SE2().sample(np.random.default_rng(1), n=2, scale=3.0)
    whole, stepwise = data.transform(g @ h), data.transform(h).transform(g)
    back = data.transform(g).transform(g.inverse())
    for name in ("hand", "speed", "mass"):
        assert np.allclose(whole.observation[name], stepwise.observation[name], rtol=0, atol=1e-13)
        assert np.allclose(back.next_observation[name], data.next_observation[name], rtol=0, atol=1e-13)
    assert np.array_equal(back.episode, data.episode)
    assert np.array_equal(back.observation["mass"], data.observation["mass"])
    assert not np.allclose(whole.observation["hand"], data.observation["hand"], atol=0.1)


# --------------------------------------------------------------------------------------------------- kept


def test_a_loaded_dataset_is_the_saved_one(tmp_path, pusht_data):
    for data in (toy(), pusht_data, pusht_data.select(slice(3, 90, 7)), toy().select(slice(0, 0))):
        loaded = Dataset.load(data.save(tmp_path / "new" / "data"))
        assert equal(loaded, data)
        assert list(loaded.observation) == list(data.observation)
        assert loaded.action.dtype == np.float64
        assert loaded.episode.dtype == np.int64


def test_a_damaged_file_is_refused(tmp_path):
    path = toy().save(tmp_path / "data.safetensors")
    content = path.read_bytes()
    for cut in (0, 10, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:cut])
        with pytest.raises(CheckpointError, match=r"data\.safetensors is cut off"):
            Dataset.load(path)
    with pytest.raises(FileNotFoundError, match="elsewhere"):
        Dataset.load(tmp_path / "elsewhere")


def test_the_fingerprint_sees_every_number_and_no_order_of_names(tmp_path):
    data = toy()
    prints = {data.fingerprint()}
    for name in data.observation:
        for field in ("observation", "next_observation"):
            changed = {key: array.copy() for key, array in getattr(data, field).items()}
            changed[name][-1, 0] = np.nextafter(changed[name][-1, 0], 9.0)
            prints.add(replace(data, **{field: changed}).fingerprint())
    prints.add(replace(data, action=data.action[:, ::-1].copy()).fingerprint())
    prints.add(replace(data, episode=data.episode + 1).fingerprint())
    assert len(prints) == 2 * len(data.observation) + 3
    other_order = dict(reversed(list(data.observation.items())))
    assert replace(data, observation=other_order).fingerprint() == data.fingerprint()


def test_a_flat_symmetry_with_a_goal_has_features():
    data = toy(symmetry=replace(SYMMETRY, flat=True))
    for flat, mapped in zip(data.features(), toy().features(), strict=True):
        assert torch.equal(flat.flatten(), mapped.flatten())


# ------------------------------------------------------------------------------------------------ refused


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused_by_name(value):
    data = toy()
    for field in ("observation", "next_observation"):
        wrong = {name: array.copy() for name, array in getattr(data, field).items()}
        wrong["speed"][7, 1] = value
        with pytest.raises(ArgumentError, match=rf"^{field}\['speed'\]: got NaN or infinity"):
            replace(data, **{field: wrong})
    action = data.action.copy()
    action[0, 0] = value
    with pytest.raises(ArgumentError, match="action: got NaN or infinity"):
        replace(data, action=action)


def test_wrong_shapes_and_fields_are_refused_by_name():
    data = toy()
    with pytest.raises(ArgumentError, match=r"episode: got shape \(39,\); expected shape \(40,\)"):
        replace(data, episode=data.episode[1:])
    with pytest.raises(ArgumentError, match=r"action: got shape \(40, 1\)"):
        replace(data, action=data.action[:, :1])
    with pytest.raises(ArgumentError, match=r"observation\['hand'\]: got shape \(3, 2\)"):
        replace(data, observation=data.observation | {"hand": np.zeros((3, 2))})
    for wrong in ({"hand": data.observation["hand"]}, data.observation | {"goal": data.observation["hand"]}):
        with pytest.raises(ArgumentError, match=r"next_observation: got .*the state fields"):
            replace(data, next_observation=wrong)


# ----------------------------------------------------------------------------------------------- disjoint


def test_disjoint_data_passes_and_says_what_was_compared():
    report = check_disjoint(train=toy(40, 0), seen=toy(10, 1), turned=toy(20, 2))
    assert report["transitions"] == {"train": 40, "seen": 10, "turned": 20}
    assert set(report["shared"].values()) == {0}
    assert len(report["shared"]) == 6


def test_disjoint_pusht_data_passes(pusht_data):
    other = collect("equiworld/PushT-v0", 60, seed=1, workers=1)
    assert check_disjoint(train=pusht_data, test=other)["transitions"] == {"train": 500, "test": 60}


def renamed(data: Dataset) -> Dataset:
    """The same transitions under other episode numbers."""
    return replace(data, episode=data.episode + 1)


def test_shared_transitions_are_found_under_other_episode_numbers(tmp_path):
    train = toy(40, 0)
    test = Dataset.concatenate([toy(9, 1), renamed(train.select(np.array([17])))])
    with pytest.raises(OverlapError, match="train and test share 1 transitions"):
        check_disjoint(train=train, test=test)
    with pytest.raises(OverlapError, match="train and test share 1 transitions"):
        check_disjoint(train=train, test=Dataset.load(test.save(tmp_path / "test")))
    assert check_disjoint(train=train, test=test.select(slice(0, 9)))


def test_minus_zero_is_zero():
    train = toy()
    train = replace(train, action=np.zeros((40, 2)))
    with pytest.raises(OverlapError, match="40 transitions"):
        check_disjoint(train=train, test=renamed(replace(train, action=-train.action)))


def test_other_transitions_of_shared_episodes_are_found():
    data = toy(40, 0)
    with pytest.raises(OverlapError, match="first and second share 1 episodes"):
        check_disjoint(first=data.select(slice(0, 8)), second=data.select(slice(8, 40)))
    assert check_disjoint(first=data.select(slice(0, 10)), second=data.select(slice(10, 40)))


def test_turned_training_data_is_no_test_data():
    """To an equivariant model a turned copy is what it was trained on: found by its episodes' numbers."""
    train = toy()
    for g in (SO2().rotation(0.3), SE2().translation([1.0, 2.0])):
        with pytest.raises(OverlapError, match="share 8 episodes"):
            check_disjoint(train=train, turned=train.transform(g))
    with pytest.raises(OverlapError, match="share 40 transitions"):
        check_disjoint(train=train, turned=train.transform(SE2().identity()))
    # Whoever renames the episodes hides the copy: numbers alone cannot tell it from other data.
    assert check_disjoint(train=train, turned=renamed(train.transform(SO2().rotation(0.3))))


def test_three_datasets_are_compared_pair_by_pair():
    first, second = toy(10, 0), toy(10, 1)
    with pytest.raises(OverlapError, match="b and c"):
        check_disjoint(a=first, b=second, c=second)
    with pytest.raises(OverlapError, match="a and c"):
        check_disjoint(a=first, b=second, c=first)


def test_the_environment_is_made_again_with_its_arguments(pusht_data):
    assert not pusht_data.make_env().unwrapped.walls
    foreign = replace(pusht_data, provenance={"environment": "nope/Nothing-v0", "arguments": {}})
    with pytest.raises(ArgumentError, match=r"provenance: got environment 'nope/Nothing-v0'"):
        foreign.make_env()
    opaque = replace(pusht_data, provenance={**pusht_data.provenance, "arguments": {"walls": "<object>"}})
    with pytest.raises(ArgumentError, match="provenance"):
        opaque.make_env()


def test_overlap_is_found_between_datasets_of_two_dtypes(pusht_data):
    coarse = replace(
        pusht_data,
        observation={name: array.astype(np.float32) for name, array in pusht_data.observation.items()},
        action=pusht_data.action.astype(np.float32),
        next_observation={
            name: array.astype(np.float32) for name, array in pusht_data.next_observation.items()
        },
        episode=pusht_data.episode + 1,
    )
    with pytest.raises(OverlapError, match="500 transitions"):
        check_disjoint(fine=pusht_data, coarse=coarse)


@pytest.mark.parametrize("group", [Cyclic(2), Cyclic(4)], ids=str)
def test_elements_of_a_subgroup_move_labels_as_the_symmetry_does(group):
    legs = SignedPermutation([(1, 0)])  # exchanged by a quarter turn, where they were after two
    symmetry = Symmetry(Cyclic(4), {"v": Vector(), "legs": legs}, action=legs, flat=True)
    rng = np.random.default_rng(0)
    seen, acted = rng.normal(size=(6, 4)), rng.normal(size=(5, 2))
    data = Dataset.from_episodes(symmetry, [{"observation": seen, "action": acted}])
    for g in group.elements():
        moved = data.transform(g)
        wanted = symmetry.transform_observation(g, seen)
        assert np.array_equal(moved.observation["legs"], wanted[:-1, 2:])
        assert np.array_equal(moved.next_observation["legs"], wanted[1:, 2:])
        assert np.array_equal(moved.action, symmetry.transform_action(g, acted))
