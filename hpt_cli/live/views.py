"""Views for a terminal: a live screen, plain lines, or nothing.

Everything goes to standard error; standard output is for results.
"""

from __future__ import annotations

import math
import os
import signal
import threading
from collections import deque
from collections.abc import Iterable
from types import FrameType
from typing import TYPE_CHECKING, Self, TextIO

from hpt_cli.formatting import format_seconds, plain
from hpt_cli.live.messages import describe_event, describe_events
from hpt_cli.live.output import Output
from hpt_cli.tuning.events import Event, Warned
from hpt_cli.tuning.jobs.spans import count_seconds
from hpt_cli.tuning.state import TuningState
from hpt_cli.tuning.summary import Row, summarize

if TYPE_CHECKING:
    from rich.console import Console

REFRESH_SECONDS = 0.5
MESSAGES = 10

# See "Xterm Control Sequences": the alternate screen, the cursor, and one update at a time.
ENTER = "\x1b[?1049h\x1b[?25l\x1b[2J"
LEAVE = "\x1b[?25h\x1b[?1049l"
BEGIN_UPDATE = "\x1b[?2026h\x1b[H"
END_UPDATE = "\x1b[J\x1b[?2026l"
END_LINE = "\x1b[K"


class QuietView:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def show(self, state: TuningState, events: Iterable[Event], now: float) -> None:
        """Show nothing."""


class PlainView(QuietView):
    """Prints a line for each event of interest, for pipes, logs and dumb terminals."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def show(self, state: TuningState, events: Iterable[Event], now: float) -> None:
        """Print a line for each event that people want to know of."""
        elapsed = format_seconds(count_seconds(state.started_at, now, state.suspended))
        for first, *more in describe_events(state, events):
            print(f"[{elapsed:>6}] {plain(first)}", file=self._file, flush=True)
            for line in more:
                print(f"{'':8} {line}", file=self._file, flush=True)


class LiveView(QuietView):
    """Draws the alternate screen, always as a whole, so that nothing stays on it after a resize.

    Ctrl-Z gives the shell its own screen back.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._file = console.file
        self._messages: deque[str] = deque(maxlen=MESSAGES)
        self._rows: tuple[Row, ...] = ()
        self._drawn_at = -math.inf
        self._is_shown = False

    def __enter__(self) -> Self:
        # Python lets only the main thread set handlers of signals.
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTSTP, self._suspend)
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()

    def _suspend(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Leave the screen and suspend this process (Ctrl-Z); draw again when it goes on."""
        self._leave()
        # Sent again without a handler, the signal does what Ctrl-Z does; the next line is reached
        # when the process goes on.
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, self._suspend)
        self._drawn_at = -math.inf

    def _leave(self) -> None:
        if self._is_shown:
            self._write(LEAVE)
            # What comes next, on another output or from the shell, belongs on the shell's screen.
            if isinstance(self._file, Output):
                self._file.drain()
        self._is_shown = False

    def show(self, state: TuningState, events: Iterable[Event], now: float) -> None:
        """Remember the latest messages, and draw if it is time to."""
        self._messages += [
            text
            for each in events
            if not isinstance(each, Warned) and (text := describe_event(state, each))
        ]
        # The clock may have been set back.
        is_due = now - self._drawn_at >= REFRESH_SECONDS or now < self._drawn_at
        if is_due and self._may_draw():
            self._drawn_at = now
            self._draw(state, now)

    def _may_draw(self) -> bool:
        """Return whether the terminal has taken the last frame, and is not another program's."""
        if isinstance(self._file, Output) and not self._file.is_idle:
            return False
        try:
            # In the background, another program has the terminal.
            return os.tcgetpgrp(self._file.fileno()) == os.getpgrp()
        except OSError:
            return True

    def _draw(self, state: TuningState, now: float) -> None:
        from hpt_cli.live.screen import Size, draw_screen

        summary = summarize(state, now, at_work=True, known=self._rows)
        self._rows = summary.rows
        # A terminal that is about to wrap erases its last column.
        size = Size(self._console.width - 1, self._console.height)
        screen = draw_screen(summary, list(self._messages), now, size)
        with self._console.capture() as capture:
            self._console.print(screen, width=size.width)
        # One more line would scroll the screen.
        lines = capture.get().splitlines()[: size.height]
        frame = "\r\n".join(f"{line}{END_LINE}" for line in lines)
        enter = "" if self._is_shown else ENTER
        self._is_shown = True
        self._write(f"{enter}{BEGIN_UPDATE}{frame}{END_UPDATE}")

    def _write(self, text: str) -> None:
        self._file.write(text)
        self._file.flush()
