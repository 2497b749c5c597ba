"""Threads that are started before they are needed: later there may be none to have."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from hpt_cli.errors import HptError


def start_thread(target: Callable[[], None], name: str) -> threading.Thread:
    """Return a new thread that runs `target`; the process does not wait for it at its end.

    Raises:
        HptError: there is none to have.
    """
    thread = threading.Thread(target=target, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError as error:
        raise _no_threads(error) from error
    return thread


def start_pool(size: int, name: str) -> ThreadPoolExecutor:
    """Return a pool of threads, all of which have been started.

    Raises:
        HptError: there are too few to have.
    """
    pool = ThreadPoolExecutor(size, name)
    # A pool starts a thread only for a task that finds none idle: here each waits for all others.
    everybody = threading.Barrier(size)
    try:
        for _ in range(size):
            pool.submit(everybody.wait)
    except RuntimeError as error:
        everybody.abort()
        pool.shutdown(wait=False, cancel_futures=True)
        raise _no_threads(error) from error
    return pool


def _no_threads(error: RuntimeError) -> HptError:
    return HptError.of(
        "threads",
        f"the tuner cannot start the threads that it needs: {error}",
        "raise the limit on processes and threads (ulimit -u; in a container, its pids limit)",
    )
