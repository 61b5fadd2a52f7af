"""What the command line refuses, it refuses before any work, in one line and with exit code 2."""

import os
import subprocess
import sys

import gymnasium as gym
import pytest

import equiworld.envs  # noqa: F401  registers the environments
from equiworld import cli
from equiworld.cli import main
from equiworld.models import WorldModel


@pytest.fixture(autouse=True)
def no_work(monkeypatch):
    """Whatever takes long must not be begun."""

    def begun(*arguments, **settings):
        raise AssertionError("the work was begun")

    for place in (
        "equiworld.commands.collection.collect",
        "equiworld.commands.training.train",
        "equiworld.commands.evaluation.evaluate",
        "equiworld.commands.certification.certify",
        "equiworld.benchmarks.demo.run",
        "equiworld.commands.benchmarks.run",
        "equiworld.commands.auditing.audit",
        "equiworld.commands.audits.survey",
    ):
        monkeypatch.setattr(place, begun)


@pytest.fixture
def folder(tmp_path, pusht_data):
    """Data and a model of it."""
    pusht_data.save(tmp_path / "data" / "data.safetensors")
    WorldModel.for_env("equiworld/PushT-v0", hidden=(8,)).save(tmp_path / "model")
    return tmp_path


def commands(folder, out):
    """Every command that writes to a folder."""
    yield ["collect", "--out", out]
    yield ["train", "--data", f"{folder}/data", "--out", out]
    yield ["evaluate", "--model", f"{folder}/model", "--out", out]
    yield ["certify", "--model", f"{folder}/model", "--out", out]
    yield ["demo", "--out", out]
    yield ["demo", "--env", "cloud", "--out", out]
    yield ["bench", "one-step", "--out", out]
    yield ["audit", "equiworld/PushT-v0", "--out", out]
    yield ["audits", "--out", out]


def refused(words, capsys) -> str:
    assert main(words) == 2
    captured = capsys.readouterr()
    assert not captured.out
    assert captured.err.startswith("equiworld: ")
    assert captured.err.count("\n") == 1
    return captured.err


def test_the_work_would_be_begun(folder):
    """Negative control: with a folder to write to, each command begins."""
    for words in commands(folder, f"{folder}/out/new"):
        with pytest.raises(AssertionError, match="the work was begun"):
            main(words)


@pytest.mark.parametrize("under", ["", "/a", "/a/b"])
def test_a_file_for_a_folder_is_refused(under, folder, capsys):
    (folder / "file").write_text("mine")
    for words in commands(folder, f"{folder}/file{under}"):
        assert "--out: got" in refused(words, capsys)
    assert (folder / "file").read_text() == "mine"


@pytest.mark.parametrize(
    ("index", "name"),
    [
        (0, "data.safetensors"),
        (1, "model.safetensors"),
        (1, "model.json"),
        (2, "evaluate.json"),
        (3, "certificate.json"),
        (3, "certificate.png"),
        (4, "orientation.json"),
        (5, "space.json"),
        (6, "one-step.json"),
    ],
)
def test_a_folder_where_a_file_is_to_be_written_is_refused(index, name, folder, capsys):
    (folder / "out" / name).mkdir(parents=True)
    words = list(commands(folder, f"{folder}/out"))[index]
    assert name in refused(words, capsys)


def test_a_negative_seed_is_refused(folder, capsys, monkeypatch):
    from equiworld.training import collect

    monkeypatch.setattr("equiworld.commands.collection.collect", collect)  # which knows its own arguments
    for words in commands(folder, f"{folder}/out/new"):
        assert "seed: got -1; expected an integer of at least 0" in refused([*words, "--seed", "-1"], capsys)
    assert not (folder / "out").exists()


@pytest.mark.parametrize("value", ["0", "-3", "180.5", "nan", "inf"])
def test_headings_are_degrees(value, capsys):
    assert "--headings" in refused(["collect", "--headings", value], capsys)


def test_headings_of_what_observes_none_are_refused(capsys, tmp_path):
    pytest.importorskip("mujoco")
    words = ["collect", "--headings", "30", "--out", str(tmp_path / "out")]
    for arguments in ("{}", '{"points": 0, "observe_pose": true}'):
        error = refused([*words, "--env", "equiworld/CloudPush-v0", "--env-arguments", arguments], capsys)
        assert (
            "--headings: got 30.0 for equiworld/CloudPush-v0; expected an environment that observes one"
            in error
        )
    assert not list(tmp_path.iterdir())
    with pytest.raises(AssertionError, match="the work was begun"):
        main(words)


@pytest.mark.parametrize(
    "name", ["--steps", "--batch-size", "--encoder-steps", "--joint-steps", "--learning-rate"]
)
def test_training_out_of_range_is_refused_before_the_data_is_read(name, capsys):
    assert name.strip("-").replace("-", "_") in refused(["train", "--data", "nowhere", name, "-1"], capsys)


def test_the_command_line_knows_no_other_commands():
    """Those of `commands` above are all, and `report`, which writes files and is tested by itself."""
    assert set(cli.COMMANDS) | {"demo", "bench"} == {words[0] for words in commands("a", "b")} | {"report"}
    assert "equiworld/PushT-v0" in gym.registry


def test_help_is_printed_in_an_encoding_without_its_signs():
    told = subprocess.run(
        [sys.executable, "-m", "equiworld.cli", "--help"],
        env={**os.environ, "PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        check=False,
    )
    assert told.returncode == 0
    assert b"Traceback" not in told.stderr
    assert b"certify" in told.stdout
