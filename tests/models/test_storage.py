"""Files of models and data: whole or refused, never half read, never unpickled."""

from __future__ import annotations

import ast
import errno
import json
import os
import pickle
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from cloud_model_cases import cloud_model
from family_cases import CLOUD_FAMILIES, STATE_FAMILIES

from equiworld import files
from equiworld.errors import CheckpointError, UnknownNameError
from equiworld.groups import SO2
from equiworld.models import Identity, WorldModel
from equiworld.storage import FORMAT_VERSION, load_tensors, save_tensors
from equiworld.symmetry import Bound, Point, Symmetry, Vector

FILE = "model.safetensors"


@pytest.fixture(scope="module")
def model() -> WorldModel:
    return WorldModel.for_env("equiworld/PushT-v0", hidden=(8,), periodic=4)


@pytest.fixture
def folder(model, tmp_path) -> Path:
    """A folder with a saved model."""
    return model.save(tmp_path / "model")


def same_weights(one: WorldModel, other: WorldModel) -> bool:
    first, second = one.state_dict(), other.state_dict()
    return list(first) == list(second) and all(torch.equal(first[name], second[name]) for name in first)


def written(path: Path, header: object, tensors: dict[str, torch.Tensor] | None = None) -> None:
    """A safetensors file with this header, as `save_tensors` never writes it."""
    from safetensors.torch import save_file

    text = header if isinstance(header, str) else json.dumps(header)
    save_file(tensors or {"x": torch.zeros(2)}, path, metadata={"equiworld": text})


def test_tensors_and_settings_come_back_as_they_went(tmp_path):
    tensors = {
        "a": torch.randn(3, 4, dtype=torch.float64),
        "slice": torch.arange(12).reshape(3, 4)[:, ::2],
        "empty": torch.zeros(0, 3),
        "scalar": torch.tensor(2.5),
        "flag": torch.tensor([True, False]),
    }
    settings = {"seed": 3, "nested": {"list": [1, 2.5, None, "π"]}, "large": 2**100}
    path = save_tensors(tmp_path / "new" / "file", "things", tensors, settings)
    found, found_settings = load_tensors(path, "things")
    assert found_settings == settings
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor)


def test_a_loaded_tensor_does_not_change_with_the_file(tmp_path):
    path = save_tensors(tmp_path / "file", "things", {"x": torch.ones(1000)}, {})
    found, _ = load_tensors(path, "things")
    with open(path, "r+b") as file:
        file.seek(-4000, os.SEEK_END)
        file.write(bytes(4000))
    assert found["x"].eq(1).all()


def test_a_file_cut_off_anywhere_is_refused_and_named(folder):
    path = folder / FILE
    content = path.read_bytes()
    cuts = {0, 1, 7, 8, 9, *range(16, len(content), max(len(content) // 60, 1)), len(content) - 1}
    for cut in sorted(cuts):
        path.write_bytes(content[:cut])
        with pytest.raises(CheckpointError, match=r"model\.safetensors is cut off") as caught:
            WorldModel.load(folder)
        assert str(path) in str(caught.value)
    path.write_bytes(content)
    WorldModel.load(folder)


def test_a_flipped_bit_is_found_unless_it_changes_nothing(model, folder):
    path = folder / FILE
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    messages = []
    for place in [0, 3, 8, 9, len(content) - 1, *rng.integers(len(content), size=60)]:
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(bytes(damaged))
        try:
            loaded = WorldModel.load(folder)
        except CheckpointError as error:
            messages.append(str(error))
        else:
            assert same_weights(loaded, model)  # the bit was in the checksum's own name
    assert len(messages) > 60
    assert all(str(path) in message for message in messages)


@pytest.mark.parametrize("content", [b"", b"not a model", b"PK\x03\x04" + bytes(100), bytes(1000)])
def test_a_foreign_file_is_refused_and_named(tmp_path, content):
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        WorldModel.load(tmp_path)


def test_a_pickle_is_refused_and_not_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    (tmp_path / FILE).write_bytes(pickle.dumps(Trap()))
    with pytest.raises(CheckpointError):
        WorldModel.load(tmp_path)
    torch.save(Trap(), tmp_path / FILE)
    with pytest.raises(CheckpointError):
        WorldModel.load(tmp_path)
    assert not (tmp_path / "sprung").exists()
    pickle.loads(pickle.dumps(Trap()))  # negative control: it would have been
    assert (tmp_path / "sprung").exists()


def test_safetensors_of_others_are_refused(tmp_path):
    from safetensors.torch import save_file

    for metadata in (None, {"format": "pt"}):
        save_file({"x": torch.zeros(2)}, tmp_path / FILE, metadata=metadata)
        with pytest.raises(CheckpointError, match=r"model\.safetensors was not written by equiworld"):
            WorldModel.load(tmp_path)
    for header in ("{", "[]", "3", {"kind": "model"}, {"kind": "model", "version": FORMAT_VERSION}):
        written(tmp_path / FILE, header)
        with pytest.raises(CheckpointError, match=r"model\.safetensors"):
            WorldModel.load(tmp_path)


def test_another_version_or_kind_is_refused(tmp_path):
    header = {"kind": "model", "version": FORMAT_VERSION + 1, "settings": {}, "crc32": 0}
    written(tmp_path / FILE, header)
    with pytest.raises(CheckpointError, match=r"model\.safetensors has format version 2; .* reads 1"):
        WorldModel.load(tmp_path)
    save_tensors(tmp_path / FILE, "dataset", {}, {})
    with pytest.raises(CheckpointError, match=r"model\.safetensors holds a dataset; expected a model"):
        WorldModel.load(tmp_path)


@pytest.mark.parametrize("place", ["nothing", "nowhere/at all"])
def test_what_is_missing_is_named(tmp_path, place):
    with pytest.raises(FileNotFoundError, match=place):
        WorldModel.load(tmp_path / place)


def test_a_folder_is_no_file(tmp_path):
    (tmp_path / FILE).mkdir()
    with pytest.raises(FileNotFoundError, match=r"model\.safetensors"):
        WorldModel.load(tmp_path)


def test_tensors_of_another_architecture_are_refused(model, tmp_path):
    tensors, description = model.state_dict(), model.describe()
    path = tmp_path / FILE
    first = next(iter(tensors))
    for wrong in (
        {name: tensor for name, tensor in tensors.items() if name != first},
        tensors | {"surplus": torch.zeros(1)},
        tensors | {first: torch.zeros(99)},
    ):
        save_tensors(path, "model", wrong, description)
        with pytest.raises(CheckpointError, match=r"model\.safetensors holds other tensors"):
            WorldModel.load(tmp_path)
    for part in ("network", "encoder"):
        recipe = description["recipe"] | {part: description["recipe"][part] | {"name": "mine"}}
        save_tensors(path, "model", tensors, description | {"recipe": recipe})
        with pytest.raises(UnknownNameError, match=f"{part}: got 'mine'"):
            WorldModel.load(tmp_path)
        for wrong in (None, {}, {"name": 3}, recipe[part] | {"name": "os.system"}, [1]):
            save_tensors(path, "model", tensors, description | {"recipe": recipe | {part: wrong}})
            with pytest.raises((CheckpointError, UnknownNameError)):
                WorldModel.load(tmp_path)


@pytest.mark.parametrize(
    "asked",
    [
        {"name": "canonical", "hidden": [8] * 100_000, "periodic": 4},
        {"name": "canonical", "hidden": [10**6], "periodic": 10**6},
        {"name": "canonical", "hidden": [40_000, 40_000], "periodic": 4},
        {"name": "canonical", "hidden": [8], "periodic": 10**400},
        {"name": "canonical", "hidden": [[8]], "periodic": 4},
        {"name": "steerable", "scalars": 40_000, "vectors": 2, "depth": 1},
        {"name": "steerable", "scalars": 2, "vectors": 40_000, "depth": 1},
        {"name": "steerable", "scalars": 2, "vectors": 2, "depth": 10**6},
    ],
    ids=lambda asked: str(asked)[:60],
)
def test_a_small_file_cannot_ask_for_a_large_model(model, tmp_path, asked):
    """Refused before anything of that size is made: these are up to 6 GB, or a million layers."""
    description = model.describe()
    recipe = description["recipe"] | {"network": asked}
    save_tensors(tmp_path / FILE, "model", model.state_dict(), description | {"recipe": recipe})
    tracemalloc.start()
    with pytest.raises(CheckpointError, match="numbers of the file fill"):
        WorldModel.load(tmp_path)
    assert tracemalloc.get_traced_memory()[1] < 2**25
    tracemalloc.stop()


def test_a_file_of_a_large_model_loads(tmp_path):
    """The negative control."""
    settings = {"hidden": (3000, 16), "periodic": 2000, "encoder": Identity()}
    large = WorldModel.for_env("equiworld/PushT-v0", "state", **settings)
    assert same_weights(WorldModel.load(large.save(tmp_path)), large)


@pytest.mark.parametrize("failing", ["write", "fsync"])
def test_a_full_disk_leaves_the_old_model_loadable(model, folder, monkeypatch, failing):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    class Full:
        """A file whose disk is full after some bytes."""

        def __init__(self, file):
            self.file = file

        def write(self, content):
            self.file.write(content[:100])
            full()

    if failing == "write":
        whole = files.write_atomically
        monkeypatch.setattr(
            "equiworld.storage.write_atomically",
            lambda path, writer: whole(path, lambda file: writer(Full(file))),
        )
    else:
        monkeypatch.setattr(files.os, "fsync", full)
    other = WorldModel.for_env("equiworld/PushT-v0", seed=1, hidden=(8,), periodic=4)
    with pytest.raises(OSError, match="No space left") as caught:
        other.save(folder)
    assert caught.value.errno == errno.ENOSPC
    assert str(folder / FILE) in str(caught.value)
    monkeypatch.undo()
    assert same_weights(WorldModel.load(folder), model)
    assert sorted(path.name for path in folder.iterdir()) == ["model.json", FILE]
    assert same_weights(WorldModel.load(other.save(folder)), other)


def test_the_description_is_there_to_read(model, folder):
    description = json.loads((folder / "model.json").read_text())
    assert description == json.loads(json.dumps(model.describe()))
    assert description["family"] == "state"
    assert description["action_bound"] == [{"radius": 100.0, "size": 2, "item": 2}]


def as_class(folder: Path) -> tuple[dict[str, torch.Tensor], dict[str, object]]:
    """A saved model as files up to format 2 held it: a class with settings, an average of encoders beside them."""
    tensors, found = load_tensors(folder / FILE, "model")
    recipe = found.pop("recipe")
    settings = {**recipe["encoder"], **recipe["network"], "seed": found.pop("seed")}
    old = {}
    for name, tensor in tensors.items():
        if recipe["network"]["name"] == "plain":
            name = name.replace("dynamics.network.network.layers.", "dynamics.network.layers.layers.")
        if recipe["encoder"]["name"] == "identity":
            name = name.removeprefix("dynamics.")
        elif name.startswith("encoder."):
            name = name.replace("encoder.network.", "encoder.", 1)
            old[name.replace("encoder.", "target.", 1)] = tensor + 1.0
        old[name] = tensor
    settings = {name: value for name, value in settings.items() if name != "name"}
    return old, found | {"settings": settings, "format": 2}


def as_release_0_1_0(folder: Path, bound: object) -> None:
    """Rewrite a saved model as that release wrote it: one bound for all parts, no scales, no format."""
    tensors, settings = as_class(folder)
    old = {
        key: settings[key] for key in settings if key not in ("format", "scales", "single", "action_space")
    }
    save_tensors(folder / FILE, "model", tensors, old | {"action_bound": bound})


@pytest.mark.parametrize("family", [*STATE_FAMILIES, *CLOUD_FAMILIES])
def test_models_that_were_classes_load(family, tmp_path):
    if family in CLOUD_FAMILIES:
        pytest.importorskip("mujoco")
        made = cloud_model(family, seed=3)
    else:
        made = WorldModel.for_env("equiworld/PushT-v0", family, seed=3)
    folder = made.save(tmp_path / "model")
    save_tensors(folder / FILE, "model", *as_class(folder))
    loaded = WorldModel.load(folder)
    assert loaded.recipe == made.recipe
    assert same_weights(loaded, made)
    assert loaded.describe() == made.describe()


@pytest.mark.parametrize(
    ("bound", "radius"),
    [({"radius": 70.0}, 70.0), ({"low": [-3.0, -4.0], "high": [5.0, 6.0]}, 3.0), ({}, None)],
)
def test_models_of_release_0_1_0_load(model, folder, bound, radius):
    as_release_0_1_0(folder, bound)
    loaded = WorldModel.load(folder)
    assert same_weights(loaded, model)
    assert loaded.action_bound == (() if radius is None else (Bound(radius=radius, size=2, item=2),))
    assert (loaded.single, loaded.action_space.dtype) == (False, "float64")


def test_models_of_release_0_1_0_that_mean_something_else_now_are_refused(tmp_path):
    symmetry = Symmetry(SO2(), {"place": Point(2), "speed": Vector()}, action=Vector())
    folder = WorldModel.for_symmetry(symmetry, "state", env_id="toy", seed=0, hidden=(8,)).save(
        tmp_path / "model"
    )
    WorldModel.load(folder)
    as_release_0_1_0(folder, {"radius": 1.0})
    with pytest.raises(CheckpointError, match=r"release 0\.1\.0 saw points from their mean.*train it anew"):
        WorldModel.load(folder)


def test_a_file_names_no_attribute_of_torch(folder):
    tensors, settings = load_tensors(folder / FILE, "model")
    for name in ("onnx", "nn", "float128", "save"):
        save_tensors(folder / FILE, "model", tensors, settings | {"dtype": name})
        with pytest.raises(CheckpointError, match=f"dtype: got '{name}'; expected one of"):
            WorldModel.load(folder)


# ---------------------------------------------------------------------------------- nothing unpickles

PICKLERS = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "_pickle"}
CALLS = {("torch", "load"), ("torch", "save"), ("joblib", "load"), ("joblib", "dump"), ("np", "load"),
         ("pandas", "read_pickle"), ("numpy", "load")}  # fmt: skip


def unpickling(source: str) -> list[str]:
    """What in a source reads or writes pickles."""
    found = []
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
            found += [f"{node.module}.{a.name}" for a in node.names if (node.module, a.name) in CALLS]
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found += [f"{node.value.id}.{node.attr}"] if (node.value.id, node.attr) in CALLS else []
        found += [name for name in names if name.split(".")[0] in PICKLERS]
    return found


def test_nothing_in_the_library_unpickles():
    import equiworld.benchmarks
    import equiworld.planners

    packages = [equiworld, equiworld.envs, equiworld.planners, equiworld.benchmarks]
    sources = [file for package in packages for file in Path(package.__file__).parent.rglob("*.py")]
    assert len(sources) > 50
    for file in sources:
        assert not unpickling(file.read_text()), file


def test_unpickling_would_be_found():
    assert unpickling("import pickle") == ["pickle"]
    assert unpickling("def f():\n    from torch import load") == ["torch.load"]
    assert unpickling("import torch\ntorch.load('x')") == ["torch.load"]
    assert not unpickling("import torch, json\njson.load(file)")
