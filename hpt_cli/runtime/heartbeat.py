"""The heartbeat: a tuner says once a second, in a file, that it lives.

So the next tuner knows until when it worked, also where its machine went down. Nothing is flushed
to the disk, and a thread does it: no slow disk ever holds up the tuner. Where a beat comes late,
the tuner was suspended: stopped by a signal, frozen, or asleep with its machine.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from hpt_cli.files import open_private, read_regular
from hpt_cli.tuning.events import check_moment
from hpt_cli.tuning.jobs.spans import Span

BEAT_SECONDS = 1.0
SUSPENDED_SECONDS = 2.0
"""A beat that comes so much too late: the tuner was suspended meanwhile."""
BUSY_SHARE = 0.5
"""It was only busy, if it used this share of the time on a processor."""


def read_heartbeat(path: Path) -> float | None:
    """Return when a tuner was last alive, in seconds since the epoch; None if that is unknown."""
    try:
        return check_moment(float(read_regular(path)))
    except (OSError, ValueError):
        return None


def write_heartbeat(path: Path, at: float) -> None:
    """Write down that a tuner is alive, if that is possible; it can do its work without."""
    with contextlib.suppress(OSError), open(path, "r+b", opener=_open) as file:
        # As long as the one before, so that no room is needed on a full disk.
        file.write(b"%20.3f\n" % at)


def _open(path: str, flags: int) -> int:
    return open_private(path, flags | os.O_CREAT)


class Heartbeat:
    """The heartbeat of this process, in a `with` block."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._path = path
        self._clock = clock
        self._is_over = threading.Event()
        # A daemon, as a disk may hold it up for ever.
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        self._lock = threading.Lock()
        self._ticked_at, self._spent = clock(), time.process_time()
        self._suspensions: list[Span] = []

    def __enter__(self) -> Heartbeat:
        self.tick()
        # Where no thread can be had, the tuner does its work without.
        with contextlib.suppress(RuntimeError):
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()

    def tick(self) -> float:
        """Return the time; until then it is known when this process was suspended."""
        with self._lock:
            before, spent_before = self._ticked_at, self._spent
            self._ticked_at, self._spent = self._clock(), time.process_time()
            seconds = self._ticked_at - before
            is_late = seconds > BEAT_SECONDS + SUSPENDED_SECONDS
            if is_late and self._spent - spent_before < BUSY_SHARE * seconds:
                self._suspensions.append((before, self._ticked_at))
            return self._ticked_at

    def pop_suspensions(self) -> list[Span]:
        """Return from when to when this process was suspended, since the last call."""
        with self._lock:
            found, self._suspensions = self._suspensions, []
            return found

    def _beat(self) -> None:
        while True:
            write_heartbeat(self._path, self.tick())
            if self._is_over.wait(BEAT_SECONDS):
                return
