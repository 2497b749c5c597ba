"""The tuner's waits, and what ends them early: signals, and news from threads."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable

INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Signals:
    """Signals that the tuner gets while its event loop runs."""

    def __init__(self) -> None:
        self.received: list[int] = []
        """The interrupts so far, in order."""
        self._handled = 0
        self._news = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop

    def listen(self, on_second: Callable[[], None], on_child: Callable[[], None] | None) -> None:
        """Handle signals in the running event loop.

        Args:
            on_second: called for every interrupt but the first.
            on_child: called when a child process has ended.
        """
        loop = self._loop = asyncio.get_running_loop()
        if on_child is not None:
            loop.add_signal_handler(signal.SIGCHLD, on_child)
        for number in INTERRUPTS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores SIGHUP
                loop.add_signal_handler(number, self._interrupt, number, on_second)

    def _interrupt(self, number: int, on_second: Callable[[], None]) -> None:
        self.received.append(number)
        self._news.set()
        if len(self.received) > 1:
            on_second()

    def pop_interrupt(self) -> bool:
        """Return whether an interrupt came since the last time."""
        before, self._handled = self._handled, len(self.received)
        return self._handled > before

    def wake(self) -> None:
        """End the wait under way, or the next one; may be called from any thread."""
        with contextlib.suppress(RuntimeError):  # the loop is over
            self._loop.call_soon_threadsafe(self._news.set)

    async def wait(self, seconds: float) -> None:
        """Wait for news, at most so long."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), seconds)
            self._news.clear()
