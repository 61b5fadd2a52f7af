"""A file never chooses what is imported: not by an id, not by an argument, not by the name of a type."""

from __future__ import annotations

import importlib
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
from trainer_cases import fresh

from equiworld.benchmarks.arms import ARMS
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.suite.trained import trained_model
from equiworld.benchmarks.worlds.pusht import PUSHT as PUSHT_WORLD
from equiworld.cli import main
from equiworld.errors import ArgumentError, EquiworldError
from equiworld.models import WorldModel
from equiworld.storage import load_tensors, save_tensors
from equiworld.symmetry import register_symmetry, symmetry_of
from equiworld.symmetry.registry import known_id
from equiworld.training import Dataset

PUSHT = "equiworld/PushT-v0"
NAMED = [
    "canary:Foo-v0",
    f"canary:{PUSHT}",  # known, behind a module that is not
    "canary.inner:Foo-v0",
    "canary/Foo-v0",
    "canary/Foo",
    "canary",
    "canary:",
    ":canary",
    f" {PUSHT}",
    None,
    3,
    ["canary:Foo-v0"],
    {"id": "canary:Foo-v0"},
]


class Importer(gym.Env):
    """Imports what its argument names, as shims of older libraries do."""

    def __init__(self, module: str = "sys") -> None:
        importlib.import_module(module)


@pytest.fixture(autouse=True)
def canary(tmp_path, monkeypatch):
    """A package that can be imported, and an environment that would; whether it was is asked of `sys.modules`."""
    package = tmp_path / "canary"
    package.mkdir()
    for name in ("__init__", "inner", "envs"):
        (package / f"{name}.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    gym.register("test/Importer-v0", Importer)
    yield
    del gym.registry["test/Importer-v0"]
    for name in [name for name in sys.modules if name.split(".")[0] == "canary"]:
        del sys.modules[name]


def sung() -> bool:
    return "canary" in sys.modules


def foreign(data: Dataset, env_id: Any, **arguments: str) -> Dataset:
    return replace(data, provenance={**data.provenance, "environment": env_id, "arguments": arguments})


def data_folder(data: Dataset, folder: Path) -> list[str]:
    data.save(folder / "data.safetensors")
    return ["train", "--data", str(folder), "--steps", "2", "--batch-size", "16", "--no-progress"]


def model_folder(folder: Path, **changes: Any) -> Path:
    path = fresh().save(folder) / "model.safetensors"
    tensors, settings = load_tensors(path, "model")
    save_tensors(path, "model", tensors, settings | changes)
    return folder


def test_the_canary_sings():
    """Negative control: this is what Gymnasium does with such an id."""
    assert not sung()
    gym.make(f"canary:{PUSHT}").close()
    assert sung()


@pytest.mark.parametrize("env_id", NAMED, ids=repr)
def test_the_id_of_a_data_file_imports_nothing(env_id, pusht_data, tmp_path):
    path = foreign(pusht_data, env_id).save(tmp_path / "data")
    with pytest.raises(
        ArgumentError, match=r"provenance: got environment .*name the environment yourself"
    ) as caught:
        Dataset.load(path).make_env()
    assert "--env module:id" in str(caught.value)
    assert not sung()


@pytest.mark.parametrize("env_id", NAMED[:4])
def test_the_command_line_says_in_one_line_how_to_go_on(env_id, pusht_data, tmp_path, capsys):
    words = data_folder(foreign(pusht_data, env_id), tmp_path)
    assert main([*words, "--out", str(tmp_path / "model")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "--env module:id" in error
    assert not sung()


def test_the_user_may_name_it(pusht_data, tmp_path, capsys):
    env = foreign(pusht_data, "canary/Foo-v0", walls="False").make_env(PUSHT)
    assert not env.unwrapped.walls
    assert not sung()
    assert foreign(pusht_data, "x").make_env(PUSHT, {"max_displacement": 7.0}).action_space.radius == 7
    words = data_folder(foreign(pusht_data, "canary/Foo-v0"), tmp_path)
    words += ["--out", str(tmp_path / "model"), "--env", f"canary:{PUSHT}"]
    assert main([*words, "--env-arguments", '{"max_displacement": 50}']) == 0, capsys.readouterr().err
    assert sung()
    model = WorldModel.load(tmp_path / "model")
    assert model.env_id == PUSHT
    assert model.action_bound[0].radius <= 50


@pytest.mark.parametrize("command", ["evaluate", "certify"])
@pytest.mark.parametrize("env_id", NAMED[:4])
def test_the_id_of_a_model_file_imports_nothing(command, env_id, tmp_path, capsys):
    folder = model_folder(tmp_path, env_id=env_id)
    assert main([command, "--model", str(folder), "--quick"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "--env module:id" in error
    assert not sung()


def test_evaluate_takes_the_environment_that_the_user_names(tmp_path, capsys):
    folder = fresh().save(tmp_path)
    words = ["evaluate", "--model", str(folder), "--quick", "--episodes", "1", "--max-steps", "2"]
    words += ["--no-progress", "--env", f"canary:{PUSHT}"]
    words += ["planner:cem", "--planner.samples", "16", "--planner.iterations", "1"]
    assert main(words) == 0, capsys.readouterr().err
    assert sung()


def test_the_arguments_of_a_data_file_import_nothing(pusht_data):
    """Also not through an environment that is registered, but of which nobody said how it transforms."""
    for text in (
        "__import__('canary')",
        "(lambda: __import__('canary'))()",
        "f'{__import__(\"canary\")}'",
        "(" * 9999,
    ):
        with pytest.raises(ArgumentError, match=r"provenance: got arguments"):
            foreign(pusht_data, PUSHT, walls=text).make_env()
    for arguments in ([1], "walls", 7):
        provenance = {"environment": PUSHT, "arguments": arguments}
        with pytest.raises(ArgumentError, match="provenance"):
            replace(pusht_data, provenance=provenance).make_env()
    for name, text in {
        "id": "'canary:Foo-v0'",
        "entry_point": "'canary:Foo'",
        "vector_entry_point": "'canary'",
    }.items():
        with pytest.raises(ArgumentError, match="provenance"):
            foreign(pusht_data, PUSHT, **{name: text}).make_env()
    with pytest.raises(ArgumentError, match="provenance"):
        foreign(pusht_data, "test/Importer-v0", module="'canary'").make_env()
    assert not sung()
    gym.make("test/Importer-v0", module="canary", disable_env_checker=True)
    assert sung()


@pytest.mark.parametrize(
    "name", ["canary", "canary:Point", "canary.inner.Point", "__builtins__", "annotations", "os"]
)
def test_the_names_of_types_in_a_file_import_nothing(name, pusht_data, tmp_path):
    path = pusht_data.save(tmp_path / "data")
    tensors, settings = load_tensors(path, "dataset")
    changes = [{"action": {"type": name}}, {"group": name}, {"group": f"{name}(3)"}]
    for change in changes:
        save_tensors(path, "dataset", tensors, settings | {"symmetry": settings["symmetry"] | change})
        with pytest.raises(EquiworldError):
            Dataset.load(path)
    recipe = fresh().describe()["recipe"]
    for change in (
        {"recipe": recipe | {"network": {"name": name}}},
        {"recipe": recipe | {"encoder": {"name": name}}},
        {"symmetry": settings["symmetry"] | changes[0]},
    ):
        with pytest.raises(EquiworldError):
            WorldModel.load(model_folder(tmp_path / "model", **change))
    assert not sung()


def test_kept_data_of_benchmarks_imports_nothing(pusht_data, tmp_path, monkeypatch):
    store, arm = Store(tmp_path), ARMS["equivariant"]
    scale = replace(PUSHT_WORLD.scales["small"], steps=(1,), width=8)
    monkeypatch.setattr(
        "equiworld.benchmarks.suite.trained.data_of", lambda *_: foreign(pusht_data, f"canary:{PUSHT}")
    )
    with pytest.raises(ArgumentError, match="provenance"):
        trained_model(store, PUSHT_WORLD, arm, 0, scale)
    assert not sung()


def test_an_id_that_the_user_passes_may_import():
    assert symmetry_of(f"canary:{PUSHT}") == symmetry_of(PUSHT)
    assert sung()
    for wrong in ("nowhere_at_all:Foo-v0", "canary.nothing:Foo-v0"):
        with pytest.raises(ArgumentError, match=r"env: got .*a module that can be imported"):
            symmetry_of(wrong)


@pytest.mark.parametrize("env", ["nowhere_at_all:Foo-v0", "canary:a:b", "canary:Foo-v0", ":", ""])
def test_an_id_that_cannot_be_made_is_said_in_one_line(env, tmp_path, pusht_data, capsys):
    train = data_folder(pusht_data, tmp_path / "data")
    for words in (["collect", "--transitions", "5"], train):
        assert main([*words, "--out", str(tmp_path / "out"), "--env", env]) == 2
        assert capsys.readouterr().err.count("\n") == 1


def test_what_is_registered_with_both_is_known(pusht_data):
    gym.register("test/Known-v0", Importer)
    with pytest.raises(ArgumentError, match="file: got environment 'test/Known-v0'"):
        known_id("file", "test/Known-v0")
    register_symmetry("test/Known-v0", pusht_data.symmetry)
    assert known_id("file", "test/Known-v0") == "test/Known-v0"
    del gym.registry["test/Known-v0"]
    with pytest.raises(ArgumentError, match="file: got environment 'test/Known-v0'"):
        known_id("file", "test/Known-v0")
    assert foreign(pusht_data, PUSHT).make_env().unwrapped.walls
