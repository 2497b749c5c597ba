"""The tuner's log: what it says on its screen, and what is wrong with that screen."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from hpt_cli.files import open_private
from hpt_cli.formatting import plain_lines
from hpt_cli.live.messages import describe_events
from hpt_cli.live.output import Output
from hpt_cli.live.views import QuietView
from hpt_cli.tuning.events import Event
from hpt_cli.tuning.state import TuningState

MAX_BYTES = 10_000_000
"""A longer log is set aside as tuner.log.1, and the one that was there is deleted."""


class TunerLog(QuietView):
    """Appends lines with their date and time to a file."""

    def __init__(self, path: Path, screens: Sequence[Output] = ()) -> None:
        """Prepare.

        Args:
            screens: what is wrong with these is noted, and when it is over.
        """
        self._file = Output(str(path), partial(append, path))
        self._troubles = dict.fromkeys(screens, "")

    def __exit__(self, *_: object) -> None:
        self._note_troubles(time.time())
        self._file.drain()

    def show(self, state: TuningState, events: Iterable[Event], now: float) -> None:
        """Append the lines for each event that people want to know of."""
        for lines in describe_events(state, events):
            self.write("\n".join(lines), now)
        self._note_troubles(now)

    def write(self, text: str, now: float) -> None:
        """Append a message, whose further lines are indented."""
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))
        first, *more = plain_lines(text).split("\n")
        print(f"{when} {first}", *more, sep=f"\n{'':{len(when)}} ", file=self._file)

    def _note_troubles(self, now: float) -> None:
        for screen, before in self._troubles.items():
            trouble = screen.trouble
            if trouble != before:
                self._troubles[screen] = trouble
                self.write(
                    f"{trouble}; the tuner goes on without it"
                    if trouble
                    else f"{screen.name} is written again",
                    now,
                )


def append(path: Path, data: memoryview) -> int:
    """Append to a log, private to its user, and return how many bytes were written.

    It is opened each time, so that it may be deleted, and its directory renamed.

    Raises:
        OSError: it cannot be written.
    """
    descriptor = open_private(str(path), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        if os.fstat(descriptor).st_size > MAX_BYTES:
            os.replace(path, f"{path}.1")
            return append(path, data)
        return os.write(descriptor, data)
    finally:
        os.close(descriptor)
