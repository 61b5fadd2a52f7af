"""Minari keeps every bit, is read without being believed, and is not needed by whoever does not use it."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from recorded_cases import SYMMETRIES, random_episodes
from test_dataset import equal

import equiworld as ew
from equiworld.errors import ArgumentError, CheckpointError
from equiworld.symmetry import Point, Symmetry, Vector
from equiworld.training import Dataset
from equiworld.training.minari import from_minari, to_minari

minari = pytest.importorskip("minari")
pytest.importorskip("h5py")


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    return tmp_path


def recorded(kind: str = "keys", lengths: tuple[int, ...] = (3, 1, 5)) -> Dataset:
    symmetry = SYMMETRIES[kind]
    return Dataset.from_episodes(symmetry, random_episodes(symmetry, list(lengths))[0], action_repeat=3)


def same(one: Dataset, other: Dataset) -> bool:
    """To the bit: also the sign of zero, which a fingerprint tells too, and the dtypes."""
    return equal(one, other) and list(one.observation) == list(other.observation)


@pytest.mark.parametrize("kind", SYMMETRIES)
def test_what_is_written_is_read(kind):
    data = recorded(kind)
    to_minari(data, f"mine/{kind.replace(' ', '-')}-v0", author="me", description="a test")
    loaded = minari.load_dataset(f"mine/{kind.replace(' ', '-')}-v0")
    assert loaded.total_episodes == 3
    assert loaded.total_steps == 9
    assert same(from_minari(loaded), data)
    assert same(from_minari(loaded, SYMMETRIES[kind]), data)


def test_collected_data_is_kept_with_all_that_is_known_of_it(pusht_data):
    to_minari(pusht_data, "pusht-v3")
    found = from_minari(minari.load_dataset("pusht-v3"))
    assert same(found, pusht_data)
    assert found.make_env().unwrapped.walls is False


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.integers(0, 11), min_size=1, max_size=14), single=st.booleans())
def test_any_rows_in_any_order_are_kept(rows, single):
    data = recorded(lengths=(4, 5, 3)).select(np.array(rows))
    kind = np.float32 if single else np.float64
    data = replace(
        data,
        observation={
            name: (array * -0.0 if name == "mass" else array).astype(kind)
            for name, array in data.observation.items()
        },
        next_observation={name: array.astype(kind) for name, array in data.next_observation.items()},
        action=data.action.astype(kind),
    )
    written = to_minari(data, f"rows/a{uuid.uuid4().hex}-v0")
    assert same(from_minari(written), data)
    steps = sum(len(episode) for episode in written.iterate_episodes())
    assert steps == len(data)


def test_a_part_of_it_is_read_too():
    data = recorded()
    part = to_minari(data, "part-v0").filter_episodes(lambda episode: len(episode) > 2)
    assert same(from_minari(part), data.select(np.repeat([True, False, True], [3, 1, 5])))


# ------------------------------------------------------------------------------------------ anybody's data


def foreign(episodes: list, dataset_id: str, **settings):
    """As somebody else would write it."""
    from gymnasium import spaces
    from minari.data_collector import EpisodeBuffer

    def space(shown):
        if isinstance(shown, dict):
            return spaces.Dict({key: space(array) for key, array in shown.items()})
        return spaces.Box(-np.inf, np.inf, shown.shape[1:], shown.dtype.type)

    buffers = [
        EpisodeBuffer(
            observations=each["observation"],
            actions=each["action"],
            rewards=[1.0] * len(each["action"]),
            terminations=[True] * len(each["action"]),
            truncations=[False] * len(each["action"]),
        )
        for each in episodes
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return minari.create_dataset_from_buffers(
            dataset_id,
            buffers,
            observation_space=space(episodes[0]["observation"]),
            action_space=space({"action": episodes[0]["action"]})["action"],
            **settings,
        )


@pytest.mark.parametrize("kind", SYMMETRIES)
def test_other_peoples_data_takes_a_symmetry(kind):
    symmetry = SYMMETRIES[kind]
    episodes, _ = random_episodes(symmetry, [3, 2])
    dataset = foreign(episodes, f"theirs/{kind.replace(' ', '-')}-v0")
    with pytest.raises(ArgumentError, match=r"symmetry: got None; expected one: theirs/.* does not say"):
        from_minari(dataset)
    expected = Dataset.from_episodes(symmetry, episodes)
    found = from_minari(dataset, symmetry, action_repeat=2)
    assert found.fingerprint() == expected.fingerprint()
    assert found.action_repeat == 2
    assert found.provenance["minari"] == dataset.id
    other = Symmetry(ew.SE2(), {"elsewhere": Point()}, action=Vector())
    with pytest.raises(ArgumentError, match=r"episodes\[0\]"):
        from_minari(dataset, other)


def test_what_is_not_declared_is_left_out_when_asked():
    episodes, _ = random_episodes(SYMMETRIES["keys"], [3])
    whole = Dataset.from_episodes(SYMMETRIES["keys"], episodes)
    episodes[0]["observation"]["camera"] = np.zeros((4, 5), np.float32)
    dataset = foreign(episodes, "camera-v0")
    with pytest.raises(ArgumentError, match="camera"):
        from_minari(dataset, SYMMETRIES["keys"])
    assert from_minari(dataset, SYMMETRIES["keys"], extra_keys="ignore").fingerprint() == whole.fingerprint()


# --------------------------------------------------------------------------------------------- what is wrong


def test_nothing_is_overwritten_and_nothing_is_left_half_written(root):
    data = recorded()
    to_minari(data, "mine-v0")
    with pytest.raises(
        ArgumentError, match=r"dataset_id: got 'mine-v0', which is at .*; expected one that is not"
    ):
        to_minari(data, "mine-v0")
    assert same(from_minari(minari.load_dataset("mine-v0")), data)
    with pytest.raises(ArgumentError, match=r"about: got \['colour'\]"):
        to_minari(data, "other-v0", colour="red")
    assert not (root / "other-v0").exists()
    for wrong in ("mine", "a b-v0", "../mine-v0", "/mine-v0", "", None, 3, "mine-v0\n"):
        with pytest.raises(ArgumentError, match="dataset_id"):
            to_minari(data, wrong)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="data: got no transitions"):
        to_minari(data.select(slice(0, 0)), "none-v0")
    assert sorted(path.name for path in root.iterdir()) == ["mine-v0"]


def test_what_minari_cannot_hold_is_refused():
    for name in ("a/b", ".", "a\0b"):
        symmetry = Symmetry(ew.SE2(), {name: Point()}, action=Vector())
        episode = {"observation": {name: np.zeros((3, 2))}, "action": np.zeros((2, 2))}
        with pytest.raises(ArgumentError, match="names that a file can hold"):
            to_minari(Dataset.from_episodes(symmetry, [episode]), "names-v0")
    data = recorded()
    mixed = replace(
        data, next_observation={name: each.astype("f4") for name, each in data.next_observation.items()}
    )
    with pytest.raises(ArgumentError, match="float64 before and float32 after"):
        to_minari(mixed, "mixed-v0")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "3",
        "null",
        "[" * 100_000,
        '{"symmetry": {}}',
        {"a": 1},
        None,
        7,
    ],
    ids=lambda text: repr(text)[:12],
)
def test_damaged_metadata_is_a_checkpoint_error(text):
    dataset = to_minari(recorded(), "damaged-v0")
    dataset.storage.update_metadata({"equiworld": text})
    with pytest.raises(CheckpointError, match="damaged-v0 holds no whole dataset of equiworld"):
        from_minari(minari.load_dataset("damaged-v0"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("action_repeat", 0),
        ("action_repeat", "2"),
        ("provenance", [1]),
        ("provenance", None),
        ("symmetry", {"group": "os"}),
        ("symmetry", None),
    ],
)
def test_odd_metadata_is_a_checkpoint_error_and_imports_nothing(name, value):
    dataset = to_minari(recorded(), "odd-v0")
    described = json.loads(dataset.storage.metadata["equiworld"])
    described[name] = {**described[name], **value} if isinstance(value, dict) else value
    dataset.storage.update_metadata({"equiworld": json.dumps(described)})
    with pytest.raises(CheckpointError, match="odd-v0"):
        from_minari(dataset)


def test_a_damaged_file_is_a_checkpoint_error(root):
    dataset = to_minari(recorded(), "cut-v0")
    (file,) = root.rglob("main_data.hdf5")
    content = file.read_bytes()
    for size in (0, 100, len(content) // 2):
        file.write_bytes(content[:size])
        with pytest.raises(CheckpointError, match="cut-v0 cannot be read"):
            from_minari(dataset)


@pytest.mark.parametrize("wrong", [None, 3, "mine-v0", object(), [1]])
def test_what_is_no_dataset_is_refused(wrong):
    with pytest.raises(ArgumentError, match=r"dataset: got a .*expected what `minari\.load_dataset"):
        from_minari(wrong)


def test_without_minari_the_error_names_the_extra(monkeypatch):
    data = recorded()
    for module in ("minari", "h5py"):
        with monkeypatch.context() as patch:
            for name in [name for name in sys.modules if name.partition(".")[0] == "minari"]:
                patch.delitem(sys.modules, name)
            patch.setitem(sys.modules, module, None)
            with pytest.raises(ArgumentError, match=r'pip install "equiworld\[minari\]"'):
                to_minari(data, "mine-v0")


def test_it_is_not_imported_unasked(tmp_path):
    code = "import equiworld, equiworld.training.minari, sys; print('minari' in sys.modules, 'h5py' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
