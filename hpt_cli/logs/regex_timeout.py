"""Bounds the time of one search for a metric, whatever its regex.

Python's `re` backtracks, and while it does nothing else runs; but it looks for signals as it goes.
A timer of processor time (a busy machine is no reason to give up) ticks while a log is read, and
the handler raises into a search that several ticks have found at work. Lines are short enough (see
core.lines) that `re` looks for signals soon.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol

from hpt_cli.metrics.reader import SearchTooLongError

SEARCH_SECONDS = 0.25
"""Of processor time, for one definition in one line; usual is a millionth of it."""


class Searcher(Protocol):
    """What searches: the number of the search under way, 0 between searches."""

    searching: int


class OneSearch:
    """All that the block does, as one search."""

    searching = 1


@contextmanager
def limit_searches(reader: Searcher, seconds: float = SEARCH_SECONDS) -> Iterator[None]:
    """Interrupt the reader's searches that take longer than this, while the block runs.

    Signals reach the main thread only; in another there is no bound.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    seen, since, tick = 0, 0.0, seconds / 4

    def look(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001
        nonlocal seen, since
        now = time.thread_time()
        if not reader.searching or reader.searching != seen:
            seen, since = reader.searching, now
        elif now - since >= seconds - 1.5 * tick:  # it began up to a tick before it was seen
            seen = 0
            raise SearchTooLongError

    before = signal.signal(signal.SIGVTALRM, look)
    signal.setitimer(signal.ITIMER_VIRTUAL, tick, tick)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
