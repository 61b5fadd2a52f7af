"""Independent jobs side by side: one process a job, one thread a process, results in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["in_parallel"]


def in_parallel(
    function: Callable[..., Any],
    jobs: Sequence[tuple[Any, ...]],
    title: str = "jobs",
    workers: int | None = None,
    progress: bool = False,
) -> list[Any]:
    """The function of each job's arguments.

    Args:
        function: importable by name, so that another process finds it.
        jobs: arguments of each call.
        title: of the progress bar.
        workers: processes; as many as cores if None.
        progress: show a progress bar.

    >>> in_parallel(max, [(1, 2), (4, 3)], workers=1)
    [2, 4]
    """
    import joblib
    from joblib import Parallel, delayed, parallel_config
    from tqdm import tqdm

    workers = min(workers or joblib.cpu_count(), max(len(jobs), 1))
    results: list[Any] = []
    with (
        parallel_config("loky", inner_max_num_threads=1),
        tqdm(total=len(jobs), desc=title, disable=not progress) as bar,
    ):
        for one in Parallel(n_jobs=workers, return_as="generator")(delayed(function)(*job) for job in jobs):
            results.append(one)
            bar.update()
    return results
