"""Looks for the requests of other terminals in a thread, as the disk may be slow."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from hpt_cli.errors import HptError
from hpt_cli.machine.threads import start_thread
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.storage.mailbox import pop_requests

LOOK_SECONDS = 0.1


class RequestReader:
    """The requests to one tuner."""

    def __init__(self, jobdir: JobDir, wake: Callable[[], None]) -> None:
        """`wake` is called, in the thread, when there are new ones."""
        self._jobdir = jobdir
        self._wake = wake
        self._requests: deque[dict[str, Any]] = deque()
        self._error: HptError | None = None
        self._closed = threading.Event()
        self.looked = threading.Event()
        """Set when those that were there before have been read."""

    def start(self) -> None:
        """Start the thread.

        Raises:
            HptError: there is none to have.
        """
        start_thread(self._run, "requests")

    def pop(self) -> list[dict[str, Any]]:
        """Return the requests that have come since the last call, oldest first; return at once.

        Raises:
            HptError: they would be looked for somewhere else.
        """
        if self._error is not None:
            raise self._error
        return [self._requests.popleft() for _ in range(len(self._requests))]

    def close(self) -> None:
        """End the thread."""
        self._closed.set()

    def _run(self) -> None:
        while not self._closed.is_set() and self._error is None:
            self._look()
            self._closed.wait(LOOK_SECONDS)

    def _look(self) -> None:
        try:
            found = pop_requests(self._jobdir)
        except HptError as error:
            self._error, found = error, []
        except OSError:  # the disk is away; they stay there until it is back
            return
        self._requests += found
        is_news = bool(found or self._error or not self.looked.is_set())
        self.looked.set()
        if is_news:
            self._wake()
