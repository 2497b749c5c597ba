"""Suggestions in a thread, so that reading logs and stopping jobs never wait for one."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from concurrent.futures import Executor
from threading import Event

from hpt_cli.errors import HptError
from hpt_cli.machine.shortage import (
    FIRST_PAUSE_SECONDS,
    MAX_PAUSE_SECONDS,
    describe_shortage,
    is_shortage,
)
from hpt_cli.machine.threads import start_thread
from hpt_cli.spec.hyperparameters import Hyperparameters
from hpt_cli.spec.model import load_spec
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.storage.journal import open_journal
from hpt_cli.strategies import prepare_strategy
from hpt_cli.tuning import events as ev
from hpt_cli.tuning.state import TuningState
from hpt_cli.tuning.suggest import suggest

HEAD_START_SECONDS = 0.1
"""Longest time that a suggestion waits for a write: both need Python's lock all the time."""


class Suggester:
    """Chooses hyperparameters for one training job at a time."""

    def __init__(
        self, clock: Callable[[], float], wake: Callable[[], None], threads: Executor
    ) -> None:
        """`wake` is called when a suggestion is ready."""
        self._clock = clock
        self._wake = wake
        self._threads = threads
        self._suggestion: asyncio.Task[ev.Event] | None = None
        self._is_prepared = False
        self._delays: list[str] = []

    @property
    def is_busy(self) -> bool:
        """Whether a suggestion has been asked for and not been popped."""
        return self._suggestion is not None

    def suggest(
        self, read: Callable[[], TuningState], number: int, written: Event | None = None
    ) -> None:
        """Begin to choose for job `number`.

        Args:
            read: returns what was known, and asked for, when it was planned; called in the thread.
            written: set when a launch may go on, which comes first: its slot stands idle.
        """
        self._suggestion = asyncio.create_task(self._suggest(read, number, written))
        self._suggestion.add_done_callback(lambda _: self._wake())

    async def _suggest(
        self, read: Callable[[], TuningState], number: int, written: Event | None
    ) -> ev.Event:
        pause, loop = FIRST_PAUSE_SECONDS, asyncio.get_running_loop()
        while True:
            begun = time.perf_counter()
            try:
                if written is not None and not written.is_set():
                    await loop.run_in_executor(self._threads, written.wait, HEAD_START_SECONDS)
                    begun = time.perf_counter()
                hyperparameters = await loop.run_in_executor(self._threads, _choose, read, number)
                break
            except (OSError, RuntimeError, MemoryError, HptError) as error:
                if not is_shortage(error):
                    raise
                self._delays.append(
                    f"choosing hyperparameters is delayed: {describe_shortage(error)}"
                )
            await asyncio.sleep(pause)
            pause = min(2 * pause, MAX_PAUSE_SECONDS)
        seconds = round(time.perf_counter() - begun, 4)
        at = self._clock()
        if hyperparameters is None:
            return ev.SpaceExhausted(at=at, number=number)
        return ev.JobSuggested(
            at=at, number=number, hyperparameters=hyperparameters, seconds=seconds
        )

    def pop_delays(self) -> list[str]:
        """Return why choosing had to be tried again, since the last time."""
        delays, self._delays = self._delays, []
        return delays

    def pop_done(self) -> list[ev.Event]:
        """Return the event of a suggestion that is ready, if there is one."""
        if self._suggestion is None or not self._suggestion.done():
            return []
        event, self._suggestion = self._suggestion.result(), None
        return [event]

    def prepare(self, strategy: str) -> None:
        """Import in a thread, once, what later suggestions of a strategy need."""
        if not self._is_prepared:
            self._is_prepared = True
            with contextlib.suppress(HptError):  # without a thread, the suggestion imports it
                start_thread(lambda: prepare_strategy(strategy), "prepare")

    def cancel(self) -> None:
        """Drop the suggestion under way."""
        if self._suggestion is not None:
            self._suggestion.cancel()


def _choose(read: Callable[[], TuningState], number: int) -> Hyperparameters | None:
    state = read()
    return suggest(load_spec(state.spec), state, number)


def read_planned(jobdir: JobDir, number: int) -> TuningState:
    """Return what was known when a job was planned: it gets the hyperparameters that it would have
    got then.

    Raises:
        HptError: the journal cannot be read.
    """
    with open_journal(jobdir.journal) as journal:
        return journal.state(journal.planned_seq(number))
