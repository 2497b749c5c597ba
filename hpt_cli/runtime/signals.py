"""The signals that end a tuner, and its waits, which they end early.

They are handled from the start of the command to its end, not only while the loop runs: the first
one in between would end the process, and leave a tuning job that was just begun without a word.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType

from hpt_cli.errors import ExitCode

KEYS = (signal.SIGINT, signal.SIGQUIT)
r"""What Ctrl-C and Ctrl-\ send."""
INTERRUPTS = (*KEYS, signal.SIGTERM, signal.SIGHUP)
SAME_SECONDS = 1.0
"""A shutdown sends several signals: those within so long of each other are one request."""


class Signals:
    """What signals ask for. Use it in a `with` block, in the main thread.

    At first a signal ends the process at once, as there is nothing yet to be ended in order. After
    the block SIGINT and SIGTERM do so again, and the others are ignored.
    """

    def __init__(self) -> None:
        self.first: int | None = None
        """The signal that interrupted the tuning job."""
        self._asked_at: float | None = None
        self._is_news = self._is_impatient = False
        self._answer: Callable[[int], None] = _exit_by
        self._news = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def __enter__(self) -> Signals:
        # Python lets only the main thread set handlers of signals.
        if threading.current_thread() is threading.main_thread():
            ignored = {each for each in INTERRUPTS if signal.getsignal(each) is signal.SIG_IGN}
            # A script ignores the keys, and these alone, for what it starts with `&`. Who sends
            # such a signal means the tuner all the same; nohup ignores SIGHUP, which is meant.
            ignored -= set(KEYS) if ignored == set(KEYS) else set()
            for number in INTERRUPTS:
                if number not in ignored:
                    signal.signal(number, self._receive)
        return self

    def __exit__(self, *_: object) -> None:
        # Nothing is left to be ended in order; but Python's own end takes a while, too.
        for number in INTERRUPTS:
            if signal.getsignal(number) == self._receive:
                ends = number in (signal.SIGINT, signal.SIGTERM)
                signal.signal(number, signal.SIG_DFL if ends else signal.SIG_IGN)

    def _receive(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self._answer(number)

    def remember(self) -> None:
        """From now on only remember signals: there is something that has to be ended in order."""
        self._answer = self._remember

    def _remember(self, number: int) -> None:
        now = time.monotonic()
        if self.first is None:
            self.first, self._is_news = number, True
        elif number in KEYS:
            self._is_impatient = True
        elif number == signal.SIGTERM and self._asked_at is not None:
            self._is_impatient |= now - self._asked_at > SAME_SECONDS
        # A hang-up is no wish of anybody: the kernel and the shell send one each, and a shutdown
        # may follow.
        if self._asked_at is None and number != signal.SIGHUP:
            self._asked_at = now
        self.wake()

    def raise_exit(self) -> None:
        """From now on a signal raises SystemExit with its exit code, to leave the screen first."""
        self._answer = _raise_exit

    def exit_with(self, code: int) -> None:
        """From now on a signal ends the process, with this exit code; but not a hang-up."""

        def leave(number: int) -> None:
            if number != signal.SIGHUP:
                raise SystemExit(code)

        self._answer = leave

    def listen(self, on_child: Callable[[], None] | None = None) -> None:
        """Have signals wake the running event loop.

        Args:
            on_child: called when a child process has ended.
        """
        self._loop = asyncio.get_running_loop()
        # With this handler asyncio also wakes for signals that have handlers of Python's.
        self._loop.add_signal_handler(signal.SIGCHLD, on_child or bool)

    def pop_interrupt(self) -> bool:
        """Return whether the first signal has come since the last time."""
        is_news, self._is_news = self._is_news, False
        return is_news

    def pop_impatience(self) -> bool:
        """Return whether a further request has come since the last time."""
        is_impatient, self._is_impatient = self._is_impatient, False
        return is_impatient

    def wake(self) -> None:
        """End the wait under way, or the next one; may be called from any thread."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is over
                self._loop.call_soon_threadsafe(self._news.set)

    async def wait(self, seconds: float) -> None:
        """Wait for news, at most so long."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), seconds)
            self._news.clear()


def find_exit_code(number: int) -> ExitCode:
    """Return the exit code of a process that a signal has ended in order."""
    return ExitCode.INTERRUPTED if number in KEYS else ExitCode.TERMINATED


def _raise_exit(number: int) -> None:
    raise SystemExit(find_exit_code(number))


def _exit_by(number: int) -> None:
    # An exception is lost where Python has nobody to raise it to: in a __del__, or a callback.
    os._exit(find_exit_code(number))
