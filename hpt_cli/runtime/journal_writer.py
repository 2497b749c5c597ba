"""Writes the journal in a thread: the tuner itself never waits for a disk or a lock.

What cannot be written for a while (the disk is full, another program holds the file) is kept and
tried again for as long as it takes. What can never be written again, as the journal is gone or
damaged, is an `error`.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hpt_cli.errors import HptError, TransientError
from hpt_cli.machine.threads import start_thread
from hpt_cli.storage.connection import unwritable
from hpt_cli.storage.home import name_command
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.storage.journal import Journal, open_journal
from hpt_cli.storage.journal_place import JournalPlace
from hpt_cli.tuning import events as ev

BUSY_SECONDS = 1.0
"""Longest wait for another program's lock before the write counts as failed, and is told."""
FIRST_PAUSE_SECONDS = 0.1
MAX_PAUSE_SECONDS = 5.0
"""Longest time before a write that was not possible is tried again."""
LOOK_SECONDS = 1.0
"""How often the thread looks whether the journal is still there."""
WRITE_SECONDS = 0.5
"""Longest time until what was added is written; each write takes some milliseconds."""
PATIENCE_SECONDS = 1.5
"""Longest time that what should follow on a write waits for it, where it cannot wait for ever."""
FAILED_SECONDS = 2.0
"""How long writing fails before people are told."""
SLOW_SECONDS = 15.0
"""How long one write takes before people are told."""
REMIND_SECONDS = 600.0
MAX_UNWRITTEN = 100_000
"""How many events and observations are kept; what is beyond is left in the logs for the while."""


@dataclass
class Batch:
    """Events that are written together."""

    events: Sequence[ev.Event]
    at: float = field(default_factory=time.monotonic)
    """When it was handed over, on time.monotonic's clock."""
    written: threading.Event = field(default_factory=threading.Event)
    """Set when it is on disk."""

    @property
    def size(self) -> int:
        """The number of its events and observations."""
        return sum(
            len(each.observations) if isinstance(each, ev.ObservationsRead) else 1
            for each in self.events
        )


class JournalWriter:
    """Writes what it is handed, in order, while its thread runs."""

    def __init__(self, path: Path, known: int | None, wake: Callable[[], None]) -> None:
        """Prepare to write.

        Args:
            known: the last event that the tuner knows of; None: all that there are.
            wake: called, in the thread, when something was written or never can be.
        """
        self._path = path
        self._known = known
        self._wake = wake
        self._added: list[ev.Event] = []
        self._flushed_at = time.monotonic()
        self._batches: deque[Batch] = deque()
        self._unwritten = 0
        self._changed = threading.Condition()
        self._closed = False
        self._thread: threading.Thread | None = None
        self._journal: Journal | None = None
        self._failure: TransientError | None = None
        self._told_since: float | None = None
        """Since when nothing has been written, if people were told."""
        self._reminded_at = 0.0
        self._waiting: list[tuple[Batch, Callable[[], None]]] = []
        self.opened = threading.Event()
        """Set when the journal was opened, or could not be."""
        self.error: Exception | None = None
        """Why nothing will be written any more."""

    # For the tuner: these return at once

    def start(self) -> None:
        """Start the thread.

        Raises:
            HptError: there is none to have.
        """
        self._thread = start_thread(self._run, "journal")

    @property
    def is_full(self) -> bool:
        """Whether so much is unwritten that no more should be read."""
        return self._unwritten >= MAX_UNWRITTEN

    def add(self, events: Sequence[ev.Event]) -> None:
        """Add events to those that are to be written before long."""
        self._added += events

    def flush(self, then: Callable[[], None] | None = None) -> Batch:
        """Have all that was added written at once.

        Args:
            then: called by `run_due` when it is on disk, or should have been for a while.
        """
        batch, self._added = Batch(self._added), []
        with self._changed:
            self._batches.append(batch)
            self._unwritten += batch.size
            self._changed.notify()
        self._flushed_at = batch.at
        if then is not None:
            self._waiting.append((batch, then))
        return batch

    def run_due(self) -> None:
        """Flush what was added some time ago, and do what has waited for a write long enough."""
        now = time.monotonic()
        if self._added and now - self._flushed_at >= WRITE_SECONDS:
            self.flush()
        waiting, self._waiting = self._waiting, []
        for batch, then in waiting:
            is_late = now - batch.at >= PATIENCE_SECONDS
            if is_late or batch.written.is_set() or self.error is not None:
                then()
            else:
                self._waiting.append((batch, then))

    def pop_notes(self) -> list[str]:
        """Return what people should know by now: that nothing can be written, or again can."""
        now = time.monotonic()
        with self._changed:
            since = self._batches[0].at if self._batches else now
        if self._told_since is not None and now - since < FAILED_SECONDS:
            seconds, self._told_since = now - self._told_since, None
            return [f"the journal {self._path} is written again, after {seconds:.0f} s"]
        limit = FAILED_SECONDS if self._failure else SLOW_SECONDS
        if now - since < limit or self.error is not None:
            return []
        if self._told_since is not None and now - self._reminded_at < REMIND_SECONDS:
            return []
        self._told_since, self._reminded_at = self._told_since or since, now
        at = time.strftime("%H:%M:%S", time.localtime(time.time() - (now - self._told_since)))
        goes_on = "training goes on, and nothing new is launched until it can be"
        problem = self._describe_delay().problems[0]
        return [f"{problem.message} (since {at}; {goes_on}); {problem.hint}"]

    def describe_loss(self) -> HptError:
        """Return the error of a tuner that ends before all is written."""
        problem = self._describe_delay().problems[0]
        resume = name_command("resume", JobDir(self._path.parent))
        return HptError.of(
            problem.slug,
            problem.message,
            f"{problem.hint}; then '{resume}' goes on: what is not recorded is in the files of its"
            " training jobs",
        )

    def _describe_delay(self) -> HptError:
        """Return why nothing has been written for a while."""
        return self._failure or HptError.of(
            "journal-write",
            f"the journal {self._path} cannot be written: its disk does not answer",
            "is it mounted, and its server up?",
        )

    def close(self) -> None:
        """End the thread, whatever is still unwritten."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            # It may hang in a write to a disk that does not answer.
            self._thread.join(BUSY_SECONDS)

    # In the thread

    def _run(self) -> None:
        try:
            self._open_and_write()
        except Exception as error:  # in this thread nobody would see it
            self.error = error
        finally:
            self.opened.set()
            self._wake()

    def _open_and_write(self) -> None:
        with JournalPlace(self._path) as place:
            try:
                self._open(place)
                self.opened.set()
                self._wake()
                while (batches := self._take(place)) and self._write(place, batches):
                    self._wake()
            finally:
                self._close_journal()

    def _take(self, place: JournalPlace) -> list[Batch]:
        """Return all that is to be written, waiting for some; nothing at the end."""
        while True:
            with self._changed:
                if self._changed.wait_for(lambda: self._batches or self._closed, LOOK_SECONDS):
                    return list(self._batches)
            place.check()

    def _write(self, place: JournalPlace, batches: Sequence[Batch]) -> bool:
        """Write batches as one, trying again until this is closed; return whether they are."""
        events = [event for batch in batches for event in batch.events]
        pause = FIRST_PAUSE_SECONDS
        while not self._try_to_write(place, events):
            place.check()
            if place.is_away:
                self._failure = self._describe_absence()
            with self._changed:
                if self._changed.wait_for(lambda: self._closed, pause):
                    return False
            pause = min(2 * pause, MAX_PAUSE_SECONDS)
        with self._changed:
            for batch in batches:
                self._batches.popleft()
                self._unwritten -= batch.size
                batch.written.set()
        return True

    def _try_to_write(self, place: JournalPlace, events: Sequence[ev.Event]) -> bool:
        try:
            journal = self._journal or self._open(place)
            journal.append(events)
            self._known = journal.last_event
        except (TransientError, OSError) as error:
            self._failure = self._failure or self._describe(error)
            # Opened again: what was open may be of a mount that is gone.
            self._close_journal()
            return False
        self._failure = None
        return True

    def _open(self, place: JournalPlace) -> Journal:
        self._journal = open_journal(self._path, write=True, known=self._known)
        self._journal.wait_at_most(BUSY_SECONDS)
        place.check()
        return self._journal

    def _describe(self, error: TransientError | OSError) -> TransientError:
        if isinstance(error, TransientError):
            return error
        return unwritable(self._path, error)

    def _describe_absence(self) -> TransientError:
        return TransientError.of(
            "journal-write",
            f"the journal {self._path} cannot be written: it is not there",
            "was its directory moved, or unmounted? without it, training jobs are stopped soon",
        )

    def _close_journal(self) -> None:
        if self._journal is not None:
            self._journal.close()
            self._journal = None
