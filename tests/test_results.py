"""Result files: exact, whole or not at all, and never silent about what they cannot hold."""

import enum
import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from equiworld.errors import ArgumentError, CheckpointError
from equiworld.files import write_atomically
from equiworld.groups import SE2, GroupElement
from equiworld.results import make_result, read_json, text_table, to_plain, versions, write_json


class Colour(enum.Enum):
    RED = "red"


@dataclass(frozen=True)
class Settings:
    group: SE2
    elements: GroupElement
    rate: float = 0.1


def result(**changes):
    return {**make_result("example", {"seed": 3}, [{"residual": 0.1}], 2.0), **changes}


def test_versions_name_every_package_that_numbers_depend_on():
    found = versions()
    always = {"equiworld", "python", "torch", "numpy", "gymnasium", "gym-pusht", "pymunk"}
    assert set(found) == {*always, "mujoco"}
    assert found["numpy"] == np.__version__
    assert all(found[package] for package in always)


def test_what_is_written_is_read_back_to_the_bit(tmp_path):
    g = SE2().sample(np.random.default_rng(0), 3)
    config = Settings(SE2(), g)
    rows = [{"error": np.float64(0.1), "count": np.int64(7), "good": np.bool_(True), "path": Path("a")}]
    path = write_json(tmp_path / "new" / "result.json", make_result("example", config, rows, np.float32(0.5)))
    read = read_json(path)
    assert read["rows"] == [{"error": 0.1, "count": 7, "good": True, "path": "a"}]
    assert read["config"]["group"] == "SE2"
    assert read["seconds"] == 0.5
    again = GroupElement.from_dict(read["config"]["elements"])
    assert np.array_equal(again.matrix, g.matrix)
    assert np.array_equal(again.translation, g.translation)


def test_plain_takes_arrays_tensors_enums_and_nested_dataclasses():
    value = {"t": torch.arange(2, requires_grad=False), "e": Colour.RED, "n": (None, np.zeros((1, 2)))}
    assert to_plain(value) == {"t": [0, 1], "e": "red", "n": [None, [[0.0, 0.0]]]}
    assert to_plain(Settings(SE2(), SE2().identity()))["elements"]["group"] == "SE2"


@settings(max_examples=50)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False) | st.text() | st.none(), max_size=5))
def test_plain_values_survive_json(value):
    assert json.loads(json.dumps(to_plain(value), allow_nan=False)) == value


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("wrap", [float, np.float32, lambda x: np.array([0.0, x]), torch.tensor])
def test_non_finite_numbers_are_refused_by_place_or_written_as_words(tmp_path, value, wrap):
    bad = result(rows=[{"fine": 1.0}, {"residual": wrap(value)}])
    with pytest.raises(ArgumentError, match=r"result\.rows\[1\]\.residual"):
        write_json(tmp_path / "r.json", bad)
    assert not list(tmp_path.iterdir())
    write_json(tmp_path / "r.json", bad, allow_nonfinite=True)
    word = read_json(tmp_path / "r.json")["rows"][1]["residual"]
    word = word[-1] if isinstance(word, list) else word
    assert np.array_equal(float(word), value, equal_nan=True)


@pytest.mark.parametrize("value", [object(), {1: 2.0}, {"f": print}, {3.0}, 1j])
def test_what_json_cannot_hold_is_refused(value):
    with pytest.raises(ArgumentError, match=r"result\.config"):
        to_plain({"config": value})


@pytest.mark.parametrize("key", ["benchmark", "versions", "config", "rows", "seconds"])
def test_an_incomplete_result_is_neither_written_nor_read(tmp_path, key):
    cut = result()
    del cut[key]
    with pytest.raises(ArgumentError, match=key):
        write_json(tmp_path / "r.json", cut)
    (tmp_path / "r.json").write_text(json.dumps(cut))
    with pytest.raises(CheckpointError, match=key):
        read_json(tmp_path / "r.json")


@pytest.mark.parametrize("wrong", [{"rows": [1]}, {"seconds": "2"}, {"seconds": True}, {"config": []}])
def test_wrong_types_are_refused(tmp_path, wrong):
    with pytest.raises(ArgumentError):
        write_json(tmp_path / "r.json", result(**wrong))


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-20], lambda b: b"\xff" + b, lambda b: b"[]", lambda b: b"{a}"]
)
def test_a_damaged_file_is_refused_by_name(tmp_path, damage):
    path = write_json(tmp_path / "r.json", result())
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(CheckpointError, match=r"r\.json"):
        read_json(path)


def test_nan_in_a_foreign_file_is_refused(tmp_path):
    path = tmp_path / "r.json"
    path.write_text(json.dumps(result(seconds=float("nan"))))
    with pytest.raises(CheckpointError, match="NaN"):
        read_json(path)


def test_a_full_disk_leaves_the_old_file_whole(tmp_path, monkeypatch):
    path = write_json(tmp_path / "r.json", result(benchmark="old"))

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device; the old file is untouched") as caught:
        write_json(path, result(benchmark="new"))
    assert caught.value.errno == 28
    monkeypatch.undo()
    assert read_json(path)["benchmark"] == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["r.json"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_the_device_that_is_always_full(tmp_path, monkeypatch):
    path = write_atomically(tmp_path / "a", lambda file: file.write(b"old"))

    def onto_full_device(file):
        with open("/dev/full", "wb", buffering=0) as full:
            full.write(b"new")

    with pytest.raises(OSError, match="cannot write"):
        write_atomically(path, onto_full_device)
    assert path.read_bytes() == b"old"


def test_an_interrupted_writer_leaves_nothing_behind(tmp_path):
    def interrupted(file):
        file.write(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "a", interrupted)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_a_file_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="cannot write"):
        write_atomically(tmp_path / "file" / "a", lambda file: None)


def test_links_and_permissions_stay_as_users_expect(tmp_path):
    real = tmp_path / "real"
    real.write_bytes(b"old")
    link = tmp_path / "link"
    link.symlink_to(real)
    write_atomically(link, lambda file: file.write(b"new"))
    assert link.is_symlink()
    assert real.read_bytes() == b"new"
    (tmp_path / "plain").touch()
    assert stat.S_IMODE(real.stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def test_table_aligns_and_marks_what_is_missing():
    text = text_table([{"a": "x", "b": 1.0, "c": True}, {"a": "longer", "b": None}], {"a": "name", "b": "b"})
    assert text.splitlines() == ["name    b", "------  -", "x       1", "longer  –"]
    assert text_table([]) == ""
    assert "yes" in text_table([{"c": np.bool_(True)}])
