"""Workers that are killed are told of; workers whose parent is killed end with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import equiworld.envs  # noqa: F401  registers PushT
from equiworld.envs.pusht.exploration import PushExploration
from equiworld.errors import SimulationError
from equiworld.training import collect

PUSHT = "equiworld/PushT-v0"

if not Path("/proc/self/stat").exists():
    pytest.skip("processes are looked up in /proc", allow_module_level=True)


class Deadly(PushExploration):
    """Ends the worker that asks it for an action, as a system short of memory does, while a file is there."""

    def __init__(self, flag: Path) -> None:
        super().__init__()
        self.flag, self.parent = str(flag), os.getpid()

    def action(self, rng, observation):
        if os.getpid() != self.parent and os.path.exists(self.flag):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().action(rng, observation)


@pytest.mark.parametrize("kept", [True, False])
def test_a_worker_that_was_killed_is_told_in_one_line_and_the_call_goes_on(kept, tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules["equiworld.training.collect"], "CHUNK", 40)
    flag, folder = tmp_path / "flag", tmp_path / "chunks" if kept else None
    settings = {"exploration": Deadly(flag), "seed": 5, "folder": folder}
    if kept:
        collect(PUSHT, 40, **settings, workers=1)
    flag.touch()
    said = rf"finished chunks are kept in .*{folder.name}" if kept else "nothing was kept; with a folder"
    with pytest.raises(SimulationError, match=rf"the system ended a worker process.*{said}") as caught:
        collect(PUSHT, 120, **settings, workers=2)
    assert "\n" not in str(caught.value)
    flag.unlink()
    whole = collect(PUSHT, 120, **settings, workers=2)
    assert whole.fingerprint() == collect(PUSHT, 120, **settings | {"folder": None}, workers=1).fingerprint()


# ------------------------------------------------------------------------------------ the command line


def children(parent: int) -> list[int]:
    """Processes that work for another, told from helpers by their names."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and status(int(folder.name))[1] == parent:
                command = (folder / "cmdline").read_bytes()
                found += [int(folder.name)] if b"popen_loky" in command else []
        except OSError:  # it ended meanwhile
            continue
    return found


def status(process: int) -> tuple[str, int]:
    """Its state's letter and its parent."""
    words = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return words[0], int(words[1])


def alive(process: int) -> bool:
    try:
        return status(process)[0] not in "ZX"
    except OSError:
        return False


def wait_for(what: Callable[[], object], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not what() and time.monotonic() < end:
        time.sleep(0.1)
    return bool(what())


@pytest.fixture
def collecting(tmp_path):
    """`equiworld collect` at work for longer than any test waits, in a process of its own."""
    code = "import sys; from equiworld.cli import main; sys.exit(main())"
    words = [
        "collect",
        "--transitions",
        "10000000",
        "--workers",
        "2",
        "--no-progress",
        "--out",
        str(tmp_path),
    ]
    command = [sys.executable, "-c", code, *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert wait_for(lambda: len(children(process.pid)) == 2, 60)
            yield process
        finally:
            process.kill()


def test_the_command_line_says_in_one_line_that_a_worker_was_killed(collecting):
    os.kill(children(collecting.pid)[0], signal.SIGKILL)
    out, error = collecting.communicate(timeout=60)
    assert collecting.returncode == 2
    assert not out
    lines = [line for line in error.splitlines() if line.startswith("equiworld: ")]
    assert len(lines) == 1
    assert "kept in " in lines[0]
    assert "Traceback" not in error


@pytest.mark.parametrize("at_work", [True, False], ids=["at work", "just started"])
def test_workers_end_soon_after_their_parent_was_killed(at_work, collecting, tmp_path):
    if at_work:
        assert wait_for(lambda: list(tmp_path.glob("chunks/*.safetensors")), 120)
    workers = children(collecting.pid)
    assert len(workers) == 2
    collecting.kill()
    collecting.wait()
    assert wait_for(lambda: not any(map(alive, workers)), 30 if not at_work else 10)
