"""Workers on one store, let go at once or killed: run by the tests of the store, in a process of its own."""

import contextlib
import os
import random
import signal
import sys
import time
from pathlib import Path

import filelock

from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.sources import sources_digest
from equiworld.benchmarks.suite.store import Store

MODULES = ("equiworld.errors",)


def log(folder, line):
    with open(folder, "ab") as file:
        file.write(f"{line}\n".encode())


def work(folder, made, keys, pause):
    store = Store(folder)
    for key in keys:

        def make(part, key=key):
            log(made, f"artefact {key}")
            for number in range(3):  # goes on from what is there
                if not (part / f"{number}.txt").exists():
                    time.sleep(pause)
                    (part / "new").write_text(f"{key} {number}")
                    os.replace(part / "new", part / f"{number}.txt")

        def measure(key=key):
            path = store.artefact("models", f"model {key}", {"key": key}, MODULES, make)
            time.sleep(pause)
            log(made, f"rows {key}")
            return [{"text": (path / f"{number}.txt").read_text()} for number in range(3)]

        store.rows(Cell("probe", "here", "one", key), {"key": key}, MODULES, measure)


def forked(call):
    child = os.fork()
    if not child:
        try:
            call()
        finally:
            os._exit(sys.exc_info()[0] is not None)
    return child


def at_once(folder, made):
    """Three that are let go together; how many failed."""
    reading, writing = os.pipe()

    def wait_and_work():
        os.close(writing)
        os.read(reading, 1)
        work(folder, made, range(8), 0.01)

    children = [forked(wait_and_work) for _ in range(3)]
    os.close(writing)
    return sum(os.waitpid(child, 0)[1] != 0 for child in children)


def runs(child):
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


def killed(folder, made, count):
    """One after the other, killed after so many lines and a while; how many were."""
    rng, ends = random.Random(0), 0
    for _ in range(count):
        before, lines = made.stat().st_size, rng.randrange(3)
        child = forked(lambda: work(folder, made, range(24), 0.004))
        while made.read_bytes()[before:].count(b"\n") < lines and runs(child):
            time.sleep(0.0005)
        time.sleep(rng.uniform(0.0, 0.015))
        os.kill(child, signal.SIGKILL)
        ends += os.WIFSIGNALED(os.waitpid(child, 0)[1])
    return ends


if __name__ == "__main__":
    way, folder, made = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    made.touch()
    sources_digest(*MODULES)
    if way == "unlocked":
        filelock.FileLock = lambda path: contextlib.nullcontext()
    if way == "killed":
        sys.stdout.write(str(killed(folder, made, 30)))
        work(folder, made, range(24), 0.0)
    else:
        sys.stdout.write(str(at_once(folder, made)))
