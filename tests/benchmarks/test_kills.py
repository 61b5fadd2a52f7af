"""Workers and runs that are killed at any moment: what they leave is gone on with, rows are as if nothing happened."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
DRIVER = HERE / "killable.py"
CELLS = 12

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds workers in /proc")


def started(out: Path, backend: str = "loky") -> subprocess.Popen[bytes]:
    """A run in a process group of its own."""
    path = os.pathsep.join([str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path, "RAY_DISABLE_IMPORT_WARNING": "1"}
    command = [sys.executable, str(DRIVER), str(out), backend]
    return subprocess.Popen(
        command, env=environment, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def rows(out: Path) -> list[dict[str, object]]:
    result = json.loads((out / "killable.json").read_text())
    assert result["config"]["missing"] == []
    return sorted(result["rows"], key=lambda row: json.dumps(row, sort_keys=True))


def finished(run: subprocess.Popen[bytes]) -> None:
    _, error = run.communicate(timeout=180)
    assert run.returncode == 0, error.decode()[-2000:]


def workers(run: subprocess.Popen[bytes], backend: str) -> list[int]:
    """Processes that measure cells: of Ray its actors, of loky what descends from the run."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            command = (folder / "cmdline").read_bytes()
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:  # it ended meanwhile
            continue
        if backend == "ray":
            if command.startswith(b"ray::PoolActor"):
                found.append(int(folder.name))
        elif parent == run.pid and b"popen_loky" in command:
            found.append(int(folder.name))
    return found


def some_rows(out: Path, run: subprocess.Popen[bytes], count: int) -> None:
    """Wait until some cells are done."""
    until = time.monotonic() + 120
    while len(list(out.glob("rows/killable/*.json"))) < count:
        assert time.monotonic() < until
        assert run.poll() is None, "it ended before it could be killed"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, object]]:
    out = tmp_path_factory.mktemp("uninterrupted")
    finished(started(out))
    found = rows(out)
    assert len(found) == CELLS
    assert len({row["digest"] for row in found}) == CELLS
    return found


def killed_runs(out: Path, rng: random.Random, kills: int) -> Iterator[int]:
    """Runs that are killed as a whole, at moments from before the first cell to the last."""
    for number in range(kills):
        run = started(out)
        try:
            run.wait(rng.uniform(1.0, 6.0))
        except subprocess.TimeoutExpired:
            yield number
        os.killpg(run.pid, signal.SIGKILL)
        run.communicate()


@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_a_run_that_is_killed_goes_on_where_it_was(
    kills: int, tmp_path: Path, uninterrupted: list[dict[str, object]]
) -> None:
    rng = random.Random(kills)
    for _ in killed_runs(tmp_path, rng, kills):
        for path in tmp_path.glob("rows/killable/*.json"):  # whatever is there is whole
            assert len(json.loads(path.read_text())["rows"]) == 1
    finished(started(tmp_path))
    assert rows(tmp_path) == uninterrupted


@pytest.mark.parametrize("kills", [1, pytest.param(10, marks=pytest.mark.slow)])
def test_cells_of_a_killed_worker_are_given_out_again(
    kills: int, tmp_path: Path, uninterrupted: list[dict[str, object]]
) -> None:
    for number in range(kills):
        out = tmp_path / str(number)
        run = started(out)
        some_rows(out, run, 1 + number % 6)
        victims = workers(run, "loky")
        assert victims
        os.kill(victims[number % len(victims)], signal.SIGKILL)
        finished(run)
        assert rows(out) == uninterrupted


@pytest.mark.parametrize("kills", [1, pytest.param(5, marks=pytest.mark.slow)])
def test_so_are_those_of_a_local_ray(
    kills: int, tmp_path: Path, uninterrupted: list[dict[str, object]]
) -> None:
    pytest.importorskip("ray")
    for number in range(kills):
        out = tmp_path / str(number)
        run = started(out, "ray")
        some_rows(out, run, 1 + number % 6)
        victims = workers(run, "ray")
        assert len(victims) == 2
        os.kill(victims[number % 2], signal.SIGKILL)
        finished(run)
        assert rows(out) == uninterrupted


def test_a_half_written_thing_under_its_name_would_be_noticed(
    tmp_path: Path, uninterrupted: list[dict[str, object]]
) -> None:
    """What these tests compare can differ: a piece that is missing changes rows."""
    finished(started(tmp_path))
    for path in tmp_path.glob("rows/killable/*.json"):
        path.unlink()
    next(tmp_path.glob("things/*/3.txt")).unlink()
    finished(started(tmp_path))
    assert rows(tmp_path) != uninterrupted


def test_shards_together_are_the_whole(tmp_path: Path, uninterrupted: list[dict[str, object]]) -> None:
    from killable import Killable

    from equiworld.benchmarks.suite.run import Run, run

    asked = [Killable(pause=0.0)]
    for part in (1, 2, 3):
        run(asked, Run(tmp_path / str(part), jobs=1, shard=f"{part}/3", progress=False))
    files = [{path.name for path in (tmp_path / str(part)).glob("rows/*/*.json")} for part in (1, 2, 3)]
    assert sum(map(len, files)) == len(set.union(*files)) == CELLS
    merged = Run(
        tmp_path / "all", jobs=1, shard="1/3", merge=(tmp_path / "2", tmp_path / "3"), progress=False
    )
    run(asked, merged)
    (whole,) = run(asked, Run(tmp_path / "all", jobs=1, budget_hours=1e-12, progress=False))
    assert whole["config"]["missing"] == []
    assert rows(tmp_path / "all") == uninterrupted


def test_what_a_budget_leaves_out_is_listed_as_missing(tmp_path: Path) -> None:
    from killable import Killable

    from equiworld.benchmarks.suite.run import Run, run

    asked = [Killable()]
    (result,) = run(asked, Run(tmp_path, jobs=1, budget_hours=0.3 / 3600, progress=False))
    assert 0 < len(result["rows"]) < CELLS
    assert len(result["config"]["missing"]) == CELLS - len(result["rows"])
