"""Many environments are looked at by one command, which writes a page; audits of MuJoCo's name their causes."""

from __future__ import annotations

import gymnasium as gym
import pytest

mujoco = pytest.importorskip("mujoco")
pytest.importorskip("imageio")  # Gymnasium's MuJoCo environments import it

from mechanism_cases import BIPED  # noqa: E402

import equiworld as ew  # noqa: E402
from equiworld.cli import main  # noqa: E402
from equiworld.results import read_json  # noqa: E402
from equiworld.verify.auditing.mechanism_causes import mujoco_causes  # noqa: E402
from equiworld.verify.survey import mujoco_ids, page, survey, table  # noqa: E402

FEW = {"starts": 2, "steps": 4}


def test_a_row_says_what_holds_and_what_is_broken_by_what():
    whole, broken, none, wrong = survey(["Walker2d-v5", "Humanoid-v5", "HalfCheetah-v5", "Nothing-v0"], **FEW)
    assert whole["symmetric"] == "mirror y (2 elements)"
    assert whole["broken"] == []
    assert "right_knee" in broken["broken"][0]["causes"][0]["words"]
    assert "foot" in none["none"]
    assert "error" in wrong
    text = table([whole, broken, none, wrong])
    assert len(text.splitlines()) == 6
    assert "right_knee" in text
    assert "could not be made" in text
    assert mujoco.__version__ in page([whole])


def test_the_command_writes_result_and_page_and_adds_earlier_rows(tmp_path):
    robot = tmp_path / "robot.xml"
    robot.write_text(BIPED)
    words = ["audits", "--quick", "--robots", str(robot), "--out"]
    assert main([*words, str(tmp_path / "first")]) == 0
    assert main([*words, str(tmp_path / "both"), "--add", str(tmp_path / "first" / "audits.json")]) == 0
    rows = read_json(tmp_path / "both" / "audits.json")["rows"]
    assert [row["name"].endswith("robot.xml") for row in rows] == [True]  # measured again
    assert "mirror y (2 elements)" in (tmp_path / "both" / "audits.md").read_text()


def test_gymnasiums_robots_are_known():
    assert {"Ant-v5", "Humanoid-v5", "Walker2d-v4"} <= set(mujoco_ids())


def test_causes_are_those_of_what_failed():
    env = gym.make("Humanoid-v5")
    symmetry = ew.symmetry_of(env)
    mirror = symmetry.group.elements()[1]
    names = [cause.name for cause in mujoco_causes(env, symmetry, [mirror])]
    assert names[:2] == ["stiffness of joint", "armature of joint"]
    turn = ew.SO2(axis=(0, 0, 1)).rotation(0.7)
    assert [cause.name for cause in mujoco_causes(env, symmetry, [turn])] == ["friction cone"]
    assert mujoco_causes(gym.make("CartPole-v1"), symmetry, [mirror]) == []
