"""The command line from end to end, in settings as small as they get."""

import json
from dataclasses import replace

import gymnasium
import numpy as np
import pytest

from equiworld import cli
from equiworld.cli import main
from equiworld.commands import Outcome
from equiworld.commands.environment import parse_arguments, symmetric_arguments
from equiworld.errors import ArgumentError, SimulationError
from equiworld.models import WorldModel
from equiworld.planners import MPPI, PLANNERS, RandomShooting
from equiworld.results import read_json
from equiworld.tasks import TASKS, task_of
from equiworld.training import Dataset

PLANNER = ["planner:cem", "--planner.samples", "16", "--planner.iterations", "3"]


@pytest.fixture(scope="module")
def data_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    words = ["collect", "--out", str(folder), "--transitions", "400", "--headings", "30", "--seed", "3"]
    assert main([*words, "--workers", "1", "--no-progress"]) == 0
    return folder


@pytest.fixture(scope="module")
def model_folder(data_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    words = ["train", "--data", str(data_folder), "--out", str(folder), "--steps", "5", "--batch-size", "64"]
    assert main([*words, "--no-progress"]) == 0
    return folder


def test_collect_keeps_to_the_slice_and_says_where_it_wrote(data_folder, capsys):
    data = Dataset.load(data_folder / "data.safetensors")
    assert np.degrees(data.heading_offset().max()) <= 30
    assert data.provenance["seed"] == 3
    words = ["collect", "--out", str(data_folder), "--transitions", "400", "--headings", "30", "--seed", "3"]
    assert main([*words, "--workers", "1", "--no-progress"]) == 0  # again: found, not collected
    assert "data.safetensors" in capsys.readouterr().out


def test_collect_refuses_chunks_of_another_seed_in_one_line(data_folder, capsys):
    words = ["collect", "--out", str(data_folder), "--transitions", "400", "--headings", "30", "--seed", "4"]
    assert main([*words, "--workers", "1", "--no-progress"]) == 2
    assert_one_line(capsys, "collected with other settings")


def test_train_writes_a_model_that_loads_and_resumes(model_folder, data_folder, capsys):
    model = WorldModel.load(model_folder)
    # "auto", from few transitions
    assert (model.family, model.env_id, model.action_repeat) == ("state-steerable", "equiworld/PushT-v0", 2)
    words = ["train", "--data", str(data_folder), "--out", str(model_folder), "--steps", "5"]
    assert main([*words, "--batch-size", "64", "--no-progress"]) == 0
    assert "5 steps" in capsys.readouterr().out


def test_a_model_remembers_how_its_environment_was_made(tmp_path, capsys):
    out, arguments = str(tmp_path), '{"max_displacement": 50.0}'
    words = ["collect", "--out", out, "--env-arguments", arguments, "--transitions", "60", "--workers", "1"]
    assert main([*words, "--no-progress"]) == 0
    train = ["train", "--data", out, "--out", out, "--steps", "2", "--batch-size", "16", "--no-progress"]
    assert main(train) == 0
    assert WorldModel.load(tmp_path).env_arguments == {"max_displacement": "50.0"}
    short = ["--model", out, *PLANNER, "--quick", "--episodes", "1"]
    for more, expected in (
        ([], {"max_displacement": "50.0"}),
        (["--env", "equiworld:equiworld/PushT-v0"], {"max_displacement": "50.0"}),
        (["--env-arguments", "{}"], {}),
    ):
        assert main(["evaluate", *short, "--max-steps", "2", "--no-progress", *more]) == 0
        assert read_json(tmp_path / "evaluate.json")["config"]["env_settings"] == expected
    main(["certify", *short, "--steps", "2", "--elements", "1"])
    settings = read_json(tmp_path / "certificate.json")["config"]["env_settings"]
    assert settings == {"max_displacement": "50.0", "walls": "False"}
    capsys.readouterr()


def test_evaluate_prints_a_table_and_writes_the_result(model_folder, capsys):
    words = ["evaluate", "--model", str(model_folder), "--quick", "--episodes", "2", "--max-steps", "4"]
    assert main([*words, "--no-progress", *PLANNER]) == 0
    assert "success 0/2" in capsys.readouterr().out
    assert len(read_json(model_folder / "evaluate.json")["rows"]) == 2
    assert main([*words, "--success", "None"]) == 0
    assert "return" in capsys.readouterr().out
    assert read_json(model_folder / "evaluate.json")["config"]["success"] is None
    assert main([*words, "--success", "solved"]) != 0
    assert "'solved'" in capsys.readouterr().err


@pytest.mark.parametrize("name", PLANNERS)
def test_every_registered_planner_is_on_the_command_line(name, model_folder, monkeypatch, capsys):
    monkeypatch.setattr(cli.Evaluate, "run", lambda settings: Outcome(repr(settings.planner)))
    words = ["evaluate", f"planner:{name}", "--model", str(model_folder), "--planner.samples", "24"]
    assert main(words) == 0
    assert capsys.readouterr().out.strip() == repr(PLANNERS[name](samples=24))


def test_without_a_planner_the_tasks_own_plans(model_folder, monkeypatch):
    used = []

    def told(policy, *others, **settings):
        used.append(policy.planner)
        raise SimulationError("enough")

    monkeypatch.setattr("equiworld.commands.evaluation.evaluate", told)
    monkeypatch.setattr("equiworld.commands.certification.certify", told)
    ours = MPPI(samples=8)
    monkeypatch.setitem(TASKS, "equiworld/PushT-v0", replace(task_of("equiworld/PushT-v0"), planner=ours))
    for words in (["evaluate"], ["certify"], ["certify", "planner:random-shooting"]):
        assert main([*words, "--model", str(model_folder)]) == 2
    assert used == [ours, ours, RandomShooting()]


def test_the_task_says_where_the_symmetry_is_whole(tmp_path, monkeypatch):
    assert symmetric_arguments("equiworld:equiworld/PushT-v0") == {"walls": False}
    assert symmetric_arguments("equiworld/CloudPush-v0") == symmetric_arguments("never/Heard-v0") == {}
    with pytest.raises(ArgumentError, match=r"^--env: got 'nowhere_at_all:x'"):
        symmetric_arguments("nowhere_at_all:x")
    # of a module that registers its task when it is imported
    (tmp_path / "somebodys_env.py").write_text(
        "from equiworld.tasks import KeypointDistance, Task, register_task\n"
        "register_task('theirs/Env-v0', Task(KeypointDistance('p', 'g'), symmetric_arguments={'wind': 0}))\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    try:
        assert symmetric_arguments("somebodys_env:theirs/Env-v0") == {"wind": 0}
    finally:
        TASKS.pop("theirs/Env-v0", None)


def test_certify_passes_the_equivariant_model_and_draws_it(model_folder, tmp_path, capsys):
    words = ["certify", "--model", str(model_folder), "--out", str(tmp_path), "--quick", "--steps", "6"]
    assert main([*words, "--mode", "both", *PLANNER]) == 0
    assert "PASSED" in capsys.readouterr().out
    assert read_json(tmp_path / "certificate.json")["config"]["passed"]
    assert (tmp_path / "certificate.png").read_bytes().startswith(b"\x89PNG")


def test_certify_fails_the_plain_model_with_exit_code_1(data_folder, tmp_path, capsys):
    words = ["train", "--data", str(data_folder), "--out", str(tmp_path), "--family", "mlp", "--quick"]
    assert main([*words, "--steps", "5", "--no-progress"]) == 0
    words = ["certify", "--model", str(tmp_path), "--quick", "--steps", "6", *PLANNER]
    assert main([*words, "--no-door"]) == 1
    shown = capsys.readouterr().out
    assert "FAILED" in shown
    assert "note: door=False" in shown
    assert main(words) == 0  # behind the door it is exact too


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["collect", "--transitions", "0"], "transitions: got 0"),
        (["collect", "--headings", "-3"], "--headings"),
        (["collect", "--env", "equiworld/Push-v0"], "--env"),
        (["collect", "--env-arguments", "walls=no"], "JSON"),
        (["collect", "--env-arguments", '{"wall": 1}'], "--env-arguments"),
        (["train", "--data", "nowhere"], "nowhere/data.safetensors"),
        (["evaluate", "--model", "nowhere"], "nowhere/model.safetensors"),
        (["certify", "--model", "nowhere"], "nowhere/model.safetensors"),
        (["report", "nowhere"], "DIR: got nowhere; expected a folder with rows"),
        (["report", ".", "--earlier", "nowhere.json"], "DIR: got .; expected a folder with rows"),
        (["report", "nowhere", "--out", "/dev/null/page.html"], "--out: got /dev/null"),
        (["report", "nowhere", "--out", "."], "a folder in which"),
        (["report", "nowhere", "--markdown", "/dev/null/page.md"], "--markdown: got /dev/null"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(words, expected, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    assert_one_line(capsys, expected)


def test_an_unknown_family_lists_those_there_are(data_folder, tmp_path, capsys):
    words = ["train", "--data", str(data_folder), "--out", str(tmp_path), "--family", "stat"]
    assert main(words) == 2
    assert_one_line(capsys, "did you mean 'state'")


@pytest.mark.parametrize("words", [[], ["bench"], ["bench", "one-ste"], ["demo", "--sed", "1"], ["nonsense"]])
def test_what_is_no_command_ends_with_exit_code_2(words, capsys):
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2


def test_a_demo_that_is_none_is_refused_in_one_line(capsys):
    assert main(["demo", "--env", "clod"]) == 2
    assert_one_line(capsys, "did you mean 'cloud'")


def test_an_engine_that_is_not_installed_is_said_in_one_line(monkeypatch, capsys):
    def missing(questions, settings):
        raise gymnasium.error.DependencyNotInstalled("MuJoCo is not installed; pip install equiworld[mujoco]")

    monkeypatch.setattr("equiworld.benchmarks.demo.run", missing)
    assert main(["demo", "--env=cloud", "--quick"]) == 2
    assert_one_line(capsys, "equiworld[mujoco]")


@pytest.mark.parametrize(
    "words", [["--help"], ["demo", "--help"], ["bench", "--help"], ["bench", "success", "--help"]]
)
def test_help_is_help(words, capsys):
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert not caught.value.code
    assert "usage: equiworld" in capsys.readouterr().out


def test_ctrl_c_says_how_to_go_on(monkeypatch, capsys):
    def interrupted(settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.Collect, "run", interrupted)
    assert main(["collect", "--seed", "5"]) == 130
    assert "`equiworld collect --seed 5` goes on" in capsys.readouterr().err
    monkeypatch.setattr(cli.Evaluate, "run", interrupted)
    assert main(["evaluate"]) == 130
    assert capsys.readouterr().err == "\nequiworld: interrupted; nothing was written\n"


def test_a_traceback_is_to_be_had(monkeypatch):
    def broken(settings):
        raise SimulationError("the physics became non-finite")

    monkeypatch.setattr(cli.Collect, "run", broken)
    assert main(["collect"]) == 2
    monkeypatch.setenv("EQUIWORLD_TRACEBACK", "1")
    with pytest.raises(SimulationError):
        main(["collect"])


def test_a_mistake_of_ours_is_not_hidden(monkeypatch):
    monkeypatch.setattr(cli.Collect, "run", lambda settings: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main(["collect"])


def test_bench_answers_a_registered_question_and_writes_its_result(tmp_path, monkeypatch, capsys):
    from equiworld.benchmarks import QUESTIONS

    monkeypatch.setitem(QUESTIONS, "echo", f"{__name__}:Echo")
    words = ["bench", "echo", "--out", str(tmp_path), "--seed", "7", "--times", "2", "--jobs", "1"]
    assert main([*words, "--no-progress"]) == 0
    assert "seven seven" in capsys.readouterr().out
    assert json.loads((tmp_path / "echo.json").read_text())["rows"][0]["word"] == "seven seven"


def test_arguments_that_are_no_object_are_refused():
    with pytest.raises(ArgumentError, match="JSON object"):
        parse_arguments("[1]")
    assert Outcome("").passed


def assert_one_line(capsys, expected):
    captured = capsys.readouterr()
    assert captured.err.startswith("equiworld: ")
    assert captured.err.count("\n") == 1
    assert expected in captured.err
    assert not captured.out


# A question, as another package would bring one along.

from dataclasses import dataclass  # noqa: E402
from typing import ClassVar  # noqa: E402

from equiworld.benchmarks.suite.question import Question  # noqa: E402
from equiworld.benchmarks.suite.rows import Measure  # noqa: E402


@dataclass(frozen=True)
class Echo(Question):
    """Says its seed in words.

    Attributes:
        times: how often.
    """

    times: int = 1

    name: ClassVar[str] = "echo"
    title: ClassVar[str] = "What does it say?"
    worlds: ClassVar = ("here",)
    arms: ClassVar = ("voice",)
    measures: ClassVar = {"word": Measure("", "that it says")}

    def measure(self, cell, store):
        return [{"word": " ".join([{7: "seven"}[cell.seed]] * self.times)}]


def test_audit_writes_what_it_found_and_fails_where_a_symmetry_is_broken(tmp_path, capsys):
    words = ["audit", "equiworld/PushT-v0", "--quick", "--out", str(tmp_path)]
    assert main([*words, "--env-arguments", '{"walls": false}', "--states", "2", "--group", "Cyclic(4)"]) == 0
    said = capsys.readouterr().out
    assert "Cyclic(4): EXACT" in said
    assert read_json(tmp_path / "audit.json")["config"]["ok"] is True
    assert (tmp_path / "audit.html").exists()
    assert not (tmp_path / "counterexample.json").exists()
    assert main(["audit", "nowhere/Env-v0", "--out", str(tmp_path)]) == 2


def test_audit_of_a_model_file_fails_where_it_has_to(tmp_path, capsys):
    pytest.importorskip("mujoco")
    slope = """<mujoco><worldbody><geom type="box" size="5 5 .1" euler="0 20 0"/>
    <body pos="0 0 .6"><freejoint/><geom type="box" size=".1 .2 .05"/></body></worldbody></mujoco>"""
    path = tmp_path / "slope.xml"
    path.write_text(slope)
    assert main(["audit", str(path), "--quick", "--horizon", "6", "--out", str(tmp_path)]) == 1
    assert "BROKEN" in capsys.readouterr().out
    assert (tmp_path / "counterexample.json").exists()
    path.write_text("<mujoco><nothing/></mujoco>")
    assert main(["audit", str(path), "--out", str(tmp_path)]) == 2
