"""Launches attempts in threads, as a cluster may take its time to answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from threading import Event

from hpt_cli.executors import Executor, Handle, LaunchRequest, TemporaryError
from hpt_cli.machine.claims import Claim
from hpt_cli.machine.shortage import (
    FIRST_PAUSE_SECONDS,
    MAX_PAUSE_SECONDS,
    describe_shortage,
    is_shortage,
)
from hpt_cli.machine.threads import start_pool
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.tuning import events as ev
from hpt_cli.tuning.state import TuningState

AT_A_TIME = 4
STOP_SECONDS = 0.2
"""Time until a waiting launch notices that it is no longer wanted."""


@dataclass(frozen=True)
class Launched:
    """The result of a launch; the handle is None if it was given up."""

    handle: Handle | None
    was_found: bool = False
    """Whether an earlier tuner had launched it."""
    since: float | None = None
    """When the launch began, if the attempt runs from then on: the tuner may have been suspended in
    the middle of it."""


class LaunchQueue:
    """The launches under way; one that is not possible yet is tried again."""

    def __init__(
        self,
        executor: Executor,
        jobdir: JobDir,
        clock: Callable[[], float],
        wake: Callable[[], None],
    ) -> None:
        """`wake` is called, in any thread, when a launch has succeeded or failed.

        Raises:
            HptError: there are no threads to have.
        """
        self._executor = executor
        self._jobdir = jobdir
        self._clock = clock
        self._wake = wake
        self._pool = start_pool(AT_A_TIME, "launch")
        self._futures: dict[int, Future[Launched]] = {}
        self._may_launch = True
        self._closed = Event()
        self._delays: list[str] = []
        self._last_delay = ""

    def __len__(self) -> int:
        return len(self._futures)

    def submit(
        self,
        number: int,
        directory: Path,
        request: LaunchRequest | None,
        *,
        may_exist: bool,
        recorded: Event | None = None,
        take: Callable[[], Claim | None] = lambda: Claim(None),
    ) -> None:
        """Launch an attempt into a directory.

        Args:
            request: None to launch nothing, only to find what an earlier tuner may have launched.
            may_exist: whether an earlier tuner may have launched it.
            recorded: set when the intent to launch it is on disk; nothing is launched before.
            take: claims what it is to hold; it waits where that is another's.
        """
        arguments = number, directory, request, may_exist, recorded, take
        future = self._pool.submit(self._launch_or_wait, *arguments)
        self._futures[number] = future
        future.add_done_callback(lambda _: self._wake())

    def pop_done(self, state: TuningState, at: float) -> Iterator[ev.JobLaunched | ev.JobLost]:
        """Yield an event for each launch that has succeeded or failed since the last time."""
        done = [(number, each) for number, each in self._futures.items() if each.done()]
        for number, launch in done:
            del self._futures[number]
            yield self._describe(state, number, launch, at)

    def _describe(
        self, state: TuningState, number: int, launch: Future[Launched], at: float
    ) -> ev.JobLaunched | ev.JobLost:
        attempts = state.jobs[number].attempts
        # Evicted, as the command is not at fault: it does not count as a lost attempt.
        why, evicted = "its launch was cancelled", True
        try:
            launched = launch.result()
            if launched.handle is not None:
                return ev.JobLaunched(
                    at=at,
                    number=number,
                    attempt=len(attempts),
                    handle=dict(launched.handle),
                    # When the last tuner's launch succeeded is not known; it was soon after it was
                    # submitted.
                    since=attempts[-1].submitted_at if launched.was_found else launched.since,
                )
        except OSError as error:
            why, evicted = f"it could not be launched: {error}", False
        return ev.JobLost(at=at, number=number, attempt=len(attempts), why=why, evicted=evicted)

    def pop_delays(self) -> list[str]:
        """Return why launches wait, since the last time; repetitions in a row once."""
        delays, self._delays = [self._last_delay, *self._delays], []
        self._last_delay = delays[-1]
        return [delay for before, delay in pairwise(delays) if delay != before]

    def give_up(self) -> None:
        """Launch nothing any more; still find what may have been launched."""
        self._may_launch = False

    def close(self) -> None:
        """Stop waiting; launched attempts keep running."""
        self._closed.set()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _launch_or_wait(
        self,
        number: int,
        directory: Path,
        request: LaunchRequest | None,
        may_exist: bool,
        recorded: Event | None,
        take: Callable[[], Claim | None],
    ) -> Launched:
        while recorded is not None and not recorded.wait(STOP_SECONDS) and self._may_launch:
            if self._closed.is_set():
                return Launched(None)
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                return self._find_or_launch(number, directory, request, may_exist, take)
            except (TemporaryError, OSError, RuntimeError, MemoryError) as error:
                is_temporary = isinstance(error, TemporaryError)
                if self._closed.is_set() or not (is_temporary or is_shortage(error)):
                    raise
                self._delays.append(str(error) if is_temporary else describe_shortage(error))
            may_exist = True  # it may have been launched all the same
            self._wait(pause)
            pause = min(2 * pause, MAX_PAUSE_SECONDS)

    def _find_or_launch(
        self,
        number: int,
        directory: Path,
        request: LaunchRequest | None,
        may_exist: bool,
        take: Callable[[], Claim | None],
    ) -> Launched:
        handle = self._executor.find(directory) if may_exist else None
        if handle is not None:
            return Launched(handle, was_found=True)
        if request is None or not self._may_launch:
            return Launched(None)
        _look_for(request.working_directory)
        self._make_directories(number)
        claim = take()
        if claim is None:
            raise TemporaryError("another tuning job holds its cores or GPUs")
        began = self._clock()
        # What `children: keep` leaves running is to hold nothing.
        inherited = claim.descriptor if request.inherits_claim else None
        handle = self._executor.launch(replace(request, claim=inherited))
        # On a cluster it may wait for its turn.
        return Launched(handle, since=began if self._executor.attempts_are_children else None)

    def _make_directories(self, number: int) -> None:
        try:
            self._jobdir.make_training_job(number)
        except OSError as error:  # none of the next jobs would get theirs either
            raise TemporaryError(describe_shortage(error)) from error

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._closed.wait(STOP_SECONDS) and self._may_launch:
            if time.monotonic() >= until:
                return


def _look_for(working_directory: Path) -> None:
    """Raise TemporaryError if commands cannot run in a directory: none of the next jobs' could."""
    if not working_directory.is_dir():
        raise TemporaryError(f"the working directory {working_directory} is gone")
