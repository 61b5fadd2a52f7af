"""Worker processes: whether they pay, what they need, and that they end with the process that started them."""

from __future__ import annotations

import functools
import importlib
import math
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import suppress
from typing import TypeVar

from equiworld.errors import ArgumentError

__all__ = ["UnfitForWorkers", "cores", "end_with", "import_all", "in_workers", "pay"]

INTERVAL = 0.5  # [s]
START = 10.0
"""What workers cost before they begin [s]: new processes that import torch and the environment."""

Job = TypeVar("Job")
Result = TypeVar("Result")


class UnfitForWorkers(ArgumentError):
    """A job cannot be sent to worker processes, or lacks something there that this process has."""

    @classmethod
    def because(cls, reason: str) -> UnfitForWorkers:
        """With what went wrong, in one line."""
        got = f"an environment that worker processes cannot make ({' '.join(reason.split())})"
        return cls("workers", got, "1, or what it is made of in a module that can be imported")


def cores() -> int:
    """How many processors this process may use, which may be fewer than there are.

    >>> cores() >= 1
    True
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1  # systems that cannot tell


def pay(seconds: float, jobs: int, workers: int) -> bool:
    """Whether workers are done with some jobs of so many seconds [s] each sooner than this process is.

    >>> pay(30.0, jobs=8, workers=2), pay(0.1, jobs=8, workers=2), pay(30.0, jobs=8, workers=1)
    (True, False, False)
    """
    return seconds * (jobs - math.ceil(jobs / max(workers, 1))) > START


def in_workers(function: Callable[[Job], Result], jobs: Sequence[Job], workers: int) -> Iterator[Result]:
    """The results of jobs done by other processes, in order.

    Raises:
        UnfitForWorkers: the function or a job cannot be sent there.
        BrokenExecutor: the system ended a worker.
    """
    from joblib import Parallel, delayed

    try:
        yield from Parallel(n_jobs=workers, return_as="generator")(delayed(function)(job) for job in jobs)
    except Exception as error:
        # By its name, for the library imports nothing that reads pickles.
        unsent = any(kind.__name__ == "PicklingError" for kind in type(error).__mro__)
        if unsent or (isinstance(error, BrokenExecutor) and "un-serialize" in str(error)):
            raise UnfitForWorkers.because(str(error.__cause__ or error)) from error
        raise


def import_all(modules: Iterable[str]) -> None:
    """Import what a worker needs and its parent has; what cannot be found there will be missed where it is used."""
    for module in modules:
        with suppress(ImportError):
            importlib.import_module(module)


@functools.cache
def end_with(parent: int) -> None:
    """From now on, end this worker soon after its parent, however that ended; at once if it is gone already.

    A parent that is killed cannot tell its workers, which would go on working, or wait for work, for a minute.
    The parent of an orphan is another process: it is watched from a thread, so that a long simulation step does
    not matter. Where a job is run in the process that asked for it, or by another scheduler, nothing is watched.

    Args:
        parent: id of the process that started the workers.
    """
    if os.getpid() == parent or not multiprocessing.current_process().name.startswith("Loky"):
        return

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(INTERVAL)
        os._exit(1)

    threading.Thread(target=watch, name="equiworld watches its parent", daemon=True).start()
