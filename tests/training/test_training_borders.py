"""Values at the border of collecting and training: NumPy's numbers, odd arrays, another default dtype."""

from __future__ import annotations

import copy
import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from trainer_cases import CONFIG, Stop, fresh, interrupted, same

from equiworld.errors import ArgumentError, CheckpointError
from equiworld.storage import load_tensors, save_tensors
from equiworld.training import Dataset, TrainingConfig, collect, train

PUSHT = "equiworld/PushT-v0"
COUNTS = ["transitions", "seed", "action_repeat", "steps_per_start", "workers"]
WHOLE = ["steps", "batch_size", "encoder_steps", "joint_steps", "seed", "checkpoint_every"]
REAL = ["learning_rate", "weight_decay", "gradient_clip"]
NO_COUNTS = [True, np.True_, float("nan"), np.float64("inf"), 2.0, np.float32(2), "2", [2], 2j]
NO_NUMBERS = [True, np.True_, float("nan"), np.float32("nan"), np.float64("inf"), "2", [2.0], None, 2j]
DEFAULTS = [torch.float64, torch.float16, torch.bfloat16]
INTEGERS = [np.int8, np.uint8, np.int64, np.uint64, np.array]


@pytest.fixture(autouse=True)
def _usual_default_dtype():
    yield
    torch.set_default_dtype(torch.float32)


# ----------------------------------------------------------------------------------------------- numbers


@pytest.mark.parametrize("kind", INTEGERS, ids=str)
def test_numpys_counts_collect_the_same_and_can_be_saved(kind, tmp_path):
    counts = dict(zip(COUNTS, (30, 3, 2, 4, 1), strict=True))
    plain, data = (collect(PUSHT, **{k: to(v) for k, v in counts.items()}) for to in (int, kind))
    assert data.fingerprint() == plain.fingerprint()
    assert data.provenance == plain.provenance
    loaded = Dataset.load(data.save(tmp_path / "data"))
    assert loaded.provenance == data.provenance
    assert loaded.action_repeat == 2
    assert [type(loaded.provenance[name]) for name in ("seed", "steps_per_start")] == [int, int]


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("value", [*NO_COUNTS, -1], ids=repr)
def test_what_is_no_count_is_refused_before_collecting(name, value, tmp_path):
    with pytest.raises(ArgumentError, match=f"^{name}: got .*; expected"):
        collect(PUSHT, **({"transitions": 10, "folder": tmp_path / "chunks"} | {name: value}))
    assert not list(tmp_path.iterdir())


class Slotted:
    """Keeps its settings in slots, and is false."""

    __slots__ = ("action_repeat", "size", "steps_per_start")

    def __init__(self, size):
        self.action_repeat, self.steps_per_start, self.size = 2, 4, size

    def __len__(self):
        return 0

    def start(self, rng):
        return {}

    def action(self, rng, observation):
        return rng.uniform(-self.size, self.size, 2)


def test_an_exploration_of_any_class_is_taken_and_told():
    small, large = (collect(PUSHT, 8, exploration=Slotted(size)) for size in (1.0, 50.0))
    assert np.abs(small.action).max() <= 1.0 < np.abs(large.action).max()
    assert small.provenance["exploration"]["size"] == "1.0"
    assert small.action_repeat == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("exploration", "random"),
        ("exploration", False),
        ("exploration", print),
        ("folder", 3),
        ("folder", b"chunks"),
        ("folder", "a\0b"),
        ("progress", 1),
    ],
)
def test_what_collecting_is_told_wrongly_is_refused_by_name(name, value):
    with pytest.raises(ArgumentError, match=f"^{name}: got "):
        collect(PUSHT, 5, **{name: value})


@pytest.mark.parametrize("kind", INTEGERS, ids=str)
def test_numpys_numbers_configure_the_same_training(kind, pusht_data, tmp_path):
    counts = {
        "steps": 10,
        "batch_size": 16,
        "encoder_steps": 0,
        "joint_steps": 3,
        "seed": 4,
        "checkpoint_every": 6,
    }
    plain = TrainingConfig(**counts, learning_rate=0.03125, weight_decay=0.25, gradient_clip=8.0)
    config = TrainingConfig(
        **{name: kind(value) for name, value in counts.items()},
        learning_rate=np.float32(0.03125),
        weight_decay=np.float16(0.25),
        gradient_clip=kind(8),
        folder=tmp_path / "checkpoints",
    )
    assert {**asdict(config), "folder": None} == asdict(plain)
    assert json.loads(json.dumps(config.identity())) == config.identity() == plain.identity()
    assert same(train(fresh(), pusht_data, config), train(fresh(), pusht_data, plain))
    assert len(list(tmp_path.glob("checkpoints/*"))) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [(n, v) for n in WHOLE for v in [*NO_COUNTS, -1]]
    + [(n, v) for n in REAL for v in [*NO_NUMBERS, -1.0] if (n, v) != ("weight_decay", None)],
    ids=repr,
)
def test_what_is_no_number_configures_nothing(name, value):
    with pytest.raises(ArgumentError, match=f"^{name}: got .*; expected"):
        TrainingConfig(**{name: value})


def test_a_dataset_keeps_numpys_numbers_as_plain_ones(pusht_data, tmp_path):
    provenance = {"seed": np.int64(3), "scale": np.float32(0.5), "goal": np.arange(2), "walls": np.True_}
    data = replace(pusht_data, action_repeat=np.int32(2), provenance=provenance)
    loaded = Dataset.load(data.save(tmp_path / "data"))
    assert loaded.provenance == {"seed": 3, "scale": 0.5, "goal": [0, 1], "walls": True}
    assert type(loaded.action_repeat) is int
    for wrong in (0, -1, True, 1.5, "a", None):
        with pytest.raises(ArgumentError, match=r"^action_repeat: got"):
            replace(pusht_data, action_repeat=wrong)
    for wrong in (None, [1], "seed"):
        with pytest.raises(ArgumentError, match=r"^provenance: got"):
            replace(pusht_data, provenance=wrong)


def test_a_slice_takes_numpys_numbers_and_no_other(pusht_data):
    plain, odd = (pusht_data.slice_of_headings(kind(0.5), kind(0.25)) for kind in (float, np.float16))
    assert plain.fingerprint() == odd.fingerprint()
    assert 0 < len(plain) < len(pusht_data)
    for wrong in (float("nan"), -0.1, True, "0.5", None):
        with pytest.raises(ArgumentError, match="half_width"):
            pusht_data.slice_of_headings(wrong)
    with pytest.raises(ArgumentError, match="centre"):
        pusht_data.slice_of_headings(0.5, float("nan"))


# ------------------------------------------------------------------------------------------------ arrays


def read_only(array: np.ndarray) -> np.ndarray:
    array = array.copy()
    array.setflags(write=False)
    return array


KINDS = {
    "backwards": lambda array: array[::-1].copy()[::-1],
    "every other": lambda array: array.repeat(2, 0)[::2],
    "columns backwards": lambda array: array[..., ::-1].copy()[..., ::-1],
    "Fortran": np.asfortranarray,
    "read only": read_only,
    "one for all": lambda array: np.broadcast_to(array[:1], array.shape),
    "the other byte order": lambda array: array.astype(array.dtype.newbyteorder()),
    "not aligned": lambda array: np.frombuffer(b"x" + array.tobytes(), array.dtype, -1, 1).reshape(
        array.shape
    ),
    "long double": lambda array: array.astype(np.longdouble) if array.dtype.kind == "f" else array,
    "a list": lambda array: array.tolist(),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_arrays_of_every_layout_are_kept(kind, dtype, pusht_data, tmp_path):
    def laid_out(array):
        return KINDS[kind](array if array.dtype == np.int64 else array.astype(dtype))

    def fields(arrays):
        return {name: laid_out(array) for name, array in arrays.items()}

    data = Dataset(
        pusht_data.symmetry,
        fields(pusht_data.observation),
        laid_out(pusht_data.action),
        fields(pusht_data.next_observation),
        laid_out(pusht_data.episode),
    )
    loaded = Dataset.load(data.save(tmp_path / "data"))
    assert loaded.fingerprint() == data.fingerprint()
    assert loaded.action.dtype == (np.float64 if kind in ("long double", "a list") else dtype)
    assert np.array_equal(loaded.action, np.asarray(laid_out(pusht_data.action)))
    for name, array in pusht_data.observation.items():
        assert np.array_equal(loaded.observation[name], np.asarray(laid_out(array))), name
    for one, other in zip(data.features(), loaded.features(), strict=True):
        assert torch.allclose(one.flatten(), other.flatten(), rtol=1e-5)  # cosines may differ in the last bit


@pytest.mark.parametrize(
    "which", [slice(None, None, -1), slice(400, 3, -7), slice(5, 5), np.arange(9)[::-2]], ids=str
)
def test_every_selection_is_kept(which, pusht_data, tmp_path):
    chosen = pusht_data.select(which)
    loaded = Dataset.load(chosen.save(tmp_path / "data"))
    assert loaded.fingerprint() == chosen.fingerprint()
    assert np.array_equal(loaded.action, pusht_data.action[which])


def test_arrays_of_no_numbers_are_refused_by_name(pusht_data):
    words, truths = np.full(pusht_data.action.shape, "a"), pusht_data.action > 0
    for wrong in (words, truths, pusht_data.action * 1j):
        with pytest.raises(ArgumentError, match=r"^action: got an array of .*; expected an array of numbers"):
            replace(pusht_data, action=wrong)
    for wrong in (pusht_data.episode.astype(float), pusht_data.episode > 0):
        with pytest.raises(ArgumentError, match=r"^episode: got an array of .*whole numbers"):
            replace(pusht_data, episode=wrong)


@pytest.mark.parametrize(
    "changed",
    [
        {"action_repeat": 0},
        {"action_repeat": "a"},
        {"provenance": [1]},
        {"symmetry": {}},
        {"symmetry": [1]},
        {"symmetry": None},
    ],
    ids=str,
)
def test_a_file_that_holds_no_dataset_is_told_by_its_name(changed, pusht_data, tmp_path):
    path = pusht_data.save(tmp_path / "data")
    tensors, settings = load_tensors(path, "dataset")
    for tensors_found, settings_found in (
        (tensors, settings | changed),
        ({k: v for k, v in tensors.items() if k != "episode"}, settings),
        (tensors, {k: v for k, v in settings.items() if k not in changed}),
        (tensors, [settings]),
    ):
        save_tensors(path, "dataset", tensors_found, settings_found)
        with pytest.raises(CheckpointError, match=r"data holds no whole dataset"):
            Dataset.load(path)


# ----------------------------------------------------------------------------------------- default dtype


@pytest.mark.parametrize("default", DEFAULTS, ids=str)
def test_collecting_does_not_ask_torchs_default_dtype(default, tmp_path):
    expected = collect(PUSHT, 60, workers=1)
    expected_features = expected.features()
    torch.set_default_dtype(default)
    data = collect(PUSHT, 60, workers=1)
    loaded = Dataset.load(data.save(tmp_path / "data"))
    assert data.fingerprint() == loaded.fingerprint() == expected.fingerprint()
    for one, other in zip(loaded.features(), expected_features, strict=True):
        assert torch.equal(one.flatten(), other.flatten())
        assert one.vectors.dtype == torch.float32


@pytest.mark.parametrize("default", DEFAULTS, ids=str)
@pytest.mark.parametrize("family", ["state", "state-steerable", "augmented"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_training_does_not_ask_torchs_default_dtype(family, dtype, default, pusht_data, tmp_path):
    """Nor does a training that goes on under another one."""
    model, config = fresh(family, dtype), replace(CONFIG, steps=12, checkpoint_every=5)
    whole = train(copy.deepcopy(model), pusht_data, config)
    torch.set_default_dtype(default)
    assert same(train(copy.deepcopy(model), pusht_data, config), whole)
    resumed = replace(config, folder=tmp_path)
    with pytest.raises(Stop):
        train(interrupted(copy.deepcopy(model), 8), pusht_data, resumed)
    torch.set_default_dtype(torch.float32)
    assert same(train(model, pusht_data, resumed), whole)


# ----------------------------------------------------------------------------------------------- folders


def test_a_folder_that_is_a_file_is_refused_before_any_work(pusht_data, tmp_path):
    file = tmp_path / "file"
    file.write_text("mine")
    link = tmp_path / "link"
    link.symlink_to(file)
    (tmp_path / "model" / "checkpoint.safetensors").mkdir(parents=True)
    for wrong in (file, file / "under" / "it", link):
        with pytest.raises(ArgumentError, match=r"folder: got .*; expected a folder, but .*file is none"):
            collect(PUSHT, 10**9, folder=wrong)
        with pytest.raises(ArgumentError, match=r"folder: got .*; expected a folder, but .*file is none"):
            train(interrupted(fresh(), 1), pusht_data, replace(CONFIG, folder=wrong))
    with pytest.raises(ArgumentError, match=r"folder in which checkpoint\.safetensors is no folder"):
        train(interrupted(fresh(), 1), pusht_data, replace(CONFIG, folder=tmp_path / "model"))
    assert file.read_text() == "mine"
