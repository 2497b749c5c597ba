"""The heartbeat: a tuner says once a second, in a file, that it lives.

So the next tuner knows until when it worked, also where its machine went down. Nothing is flushed
to the disk, and a thread does it: no slow disk ever holds up the tuner.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from pathlib import Path

from hpt_cli.files import open_private, read_regular
from hpt_cli.tuning.events import check_moment

BEAT_SECONDS = 1.0


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

    def __enter__(self) -> Heartbeat:
        # Where no thread can be had, the tuner does its work without.
        with contextlib.suppress(RuntimeError):
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()

    def _beat(self) -> None:
        while True:
            write_heartbeat(self._path, self._clock())
            if self._is_over.wait(BEAT_SECONDS):
                return
