"""Worker processes that end with the process that started them."""

from __future__ import annotations

import functools
import multiprocessing
import os
import threading
import time

__all__ = ["end_with"]

INTERVAL = 0.5  # [s]


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
