"""What the documentation shows runs as it stands: the Python blocks of a page, in order, are one program."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OTHERS = [
    "auditing.md",
    "audits.md",
    "bodies.md",
    "breaking.md",
    "concepts.md",
    "discover.md",
    "known-environments.md",
    "latents.md",
    "planners.md",
    "pusht.md",
]

if not (ROOT / "docs").exists():
    pytest.skip("runs in a checkout only", allow_module_level=True)


def program(text: str) -> str:
    """The Python blocks, by the same rule as those of README.md."""
    spec = importlib.util.spec_from_file_location("readme", ROOT / ".ci" / "readme.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.program(text)


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """In a fresh interpreter, in an empty folder."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, "MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("page", OTHERS)
def test_the_blocks_of_a_page_run(page, tmp_path):
    code = program((ROOT / "docs" / page).read_text(encoding="utf-8"))
    assert code.strip()
    done = run(code, tmp_path)
    assert done.returncode == 0, done.stderr


def test_a_page_that_fails_would_be_noticed(tmp_path):
    text = "```python\nx = 1\n```\nand then\n```python\nassert x == 2\n```\n```text\nnot python\n```\n"
    assert program(text) == "x = 1\n\nassert x == 2\n"
    assert run(program(text), tmp_path).returncode != 0


def test_exact_policy_runs_and_says_what_the_page_claims(tmp_path):
    """The verdicts that the page promises, out of its own run."""
    pytest.importorskip("stable_baselines3")
    done = run(program((ROOT / "docs" / "exact-policy.md").read_text(encoding="utf-8")), tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "()"
    assert lines[1].startswith("active PASSED")
    assert any("whose world, started at g·s" in line for line in lines)
    assert lines[-1].startswith("active PASSED")


def test_the_page_for_stable_baselines3_runs(tmp_path):
    pytest.importorskip("stable_baselines3")
    pytest.importorskip("mujoco")
    done = run(program((ROOT / "docs" / "sb3.md").read_text(encoding="utf-8")), tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("deviation ")


def test_the_page_for_legged_robots_runs(tmp_path):
    pytest.importorskip("stable_baselines3")
    pytest.importorskip("mujoco")
    done = run(program((ROOT / "docs" / "legged-robots.md").read_text(encoding="utf-8")), tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "+thigh_left_joint"
    assert any("stiffness of joint right_knee and left_knee" in line for line in lines)
    assert any(line.startswith("active PASSED") for line in lines)


def test_your_own_environment_runs_and_says_what_the_page_claims(tmp_path):
    pytest.importorskip("mujoco")
    done = run(program((ROOT / "docs" / "your-own-env.md").read_text(encoding="utf-8")), tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("Pendulum-v1 under ")
    assert "EXACT" in lines[0]
    assert any(line.startswith("('sine: declared Scalar(); Pseudoscalar() would fit") for line in lines)
    assert sum(line.startswith("active PASSED") for line in lines) == 2
    solved = next(line for line in lines if line.startswith("success"))
    assert int(solved.split()[1].split("/")[0]) >= 8
    assert any(line.startswith("joints: declared SignedPermutation") for line in lines)
    assert any(line.startswith("relMSE") for line in lines)


def test_deployment_runs_and_says_what_the_page_claims(tmp_path):
    for library in ("stable_baselines3", "onnxscript", "onnxruntime"):
        pytest.importorskip(library)
    done = run(program((ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")), tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("out/policy.onnx: from the original")
    assert lines[1].startswith("out/policy.onnx PASSED: hashes agree, 144 inputs")
    assert sum(line.startswith("active PASSED") for line in lines) == 2
    assert any(line.startswith("worst of 3 others") for line in lines)
    assert {file.name for file in (tmp_path / "out").iterdir()} >= {"policy.onnx", "policy.certificate.json"}
