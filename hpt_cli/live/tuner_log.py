"""The tuner's log: what it says on its screen, and what is wrong with that screen."""

from __future__ import annotations

import math
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
from hpt_cli.logs.log_file import read_tail
from hpt_cli.tuning.events import Event, JobEvent
from hpt_cli.tuning.state import TuningState

MAX_BYTES = 10_000_000
"""A longer log is set aside as tuner.log.1, and the one that was there is deleted."""

TAIL_LINES = 500
"""How far back a log is read for what it says already."""


class TunerLog(QuietView):
    """Appends lines with their date and time to a file."""

    def __init__(
        self, path: Path, screens: Sequence[Output] = (), recorded_until: float = math.inf
    ) -> None:
        """Prepare.

        Args:
            screens: what is wrong with these is noted, and when it is over.
            recorded_until: until when the journal has what a tuner saw that was killed. What the
                log says of jobs after that is not said again when it is found again.
        """
        self._told = _list_messages(path, recorded_until)
        self._file = Output(str(path), partial(append, path))
        self._troubles = dict.fromkeys(screens, "")

    def __exit__(self, *_: object) -> None:
        self._note_troubles(time.time())
        self._file.drain()

    def show(self, state: TuningState, events: Iterable[Event], now: float) -> None:
        """Append the lines for each event that people want to know of."""
        for event in events:
            for lines in describe_events(state, [event]):
                text = plain_lines("\n".join(lines))
                if isinstance(event, JobEvent) and text in self._told:
                    self._told.remove(text)
                else:
                    self.write(text, now)
        self._note_troubles(now)

    def write(self, text: str, now: float) -> None:
        """Append a message, whose further lines are indented."""
        when = _format_moment(now)
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


def _format_moment(now: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))


def _list_messages(path: Path, since: float) -> list[str]:
    """Return the messages of one line that a log has since then."""
    if math.isinf(since):
        return []
    first = _format_moment(since)
    lines = (line.split(" ", 2) for line in read_tail(path, TAIL_LINES))
    return [rest[0] for day, clock, *rest in lines if rest and f"{day} {clock}" >= first]


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
