"""The question and the arm that the documentation shows: they are as short as it says, and they work as they stand."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from equiworld.benchmarks import QUESTIONS, question
from equiworld.benchmarks.arms import ARMS
from equiworld.benchmarks.suite.arm import Arm
from equiworld.benchmarks.suite.run import Run, run

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"

if not PAGE.exists():
    pytest.skip("runs in a checkout only", allow_module_level=True)


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_a_new_question_is_a_short_file_and_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = blocks("python")
    assert len(code.splitlines()) <= 40
    (tmp_path / "by_action.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(QUESTIONS, "by-action", "by_action:ByAction")
    try:
        asked = question("by-action")().reduced()
        (result,) = run([asked], Run(tmp_path / "out", jobs=1, quick=True, progress=False))
    finally:
        sys.modules.pop("by_action", None)
    assert [(row["arm"], row["part"]) for row in result["rows"]] == [
        (arm, part) for arm in ("equivariant", "augmented") for part in range(4)
    ]
    assert all(row["relative_error"] > 0 for row in result["rows"])


def test_a_new_arm_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    (line,) = [block for block in blocks("text") if "Arm(" in block]
    assert len(line.splitlines()) == 1
    (name, arm), *more = eval(f"{{{line}}}", {"Arm": Arm}).items()
    assert not more
    assert name not in ARMS
    assert arm.family("state") == "state-steerable"
