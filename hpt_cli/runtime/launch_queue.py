"""Launches under way. Each is made in a thread, as a cluster may take its time to answer."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from hpt_cli.errors import NO_DESCRIPTORS, HptError
from hpt_cli.executors import Executor, Handle, LaunchRequest, NotNowError
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.tuning import events as ev
from hpt_cli.tuning.state import TuningState

RESOURCE_ERRNOS = {
    *(*NO_DESCRIPTORS, errno.EAGAIN),
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE),
}
"""What the machine lacks, whichever job it is; another attempt would fare no better."""
AT_A_TIME = 4
FIRST_PAUSE_SECONDS = 1.0
MAX_PAUSE_SECONDS = 30.0
"""How long to wait, at most, before a launch that was not possible is tried again."""
STOP_SECONDS = 0.2
"""How soon a wait ends that has become pointless."""


@dataclass(frozen=True)
class Launched:
    """What came of a launch; the handle is None if it was given up."""

    handle: Handle | None
    was_found: bool = False
    """Whether an earlier tuner had made it."""


class LaunchQueue:
    """Launches attempts, as soon as that is possible."""

    def __init__(self, executor: Executor, jobdir: JobDir, wake: Callable[[], None]) -> None:
        """`wake` is called, in whichever thread, when a launch has been made, or has failed."""
        self._executor = executor
        self._jobdir = jobdir
        self._wake = wake
        self._pool = ThreadPoolExecutor(AT_A_TIME, "launch")
        self._futures: dict[int, Future[Launched]] = {}
        self._may_launch = True
        self._closed = Event()
        self._delays: list[str] = []
        self._last_delay = ""

    def __len__(self) -> int:
        return len(self._futures)

    def submit(self, number: int, request: LaunchRequest, *, look: bool) -> None:
        """Launch an attempt of a training job; `look` whether that has been done before."""
        self._begin(number, request.directory, request, look)

    def recover(self, number: int, directory: Path) -> None:
        """Look for an attempt that may have been launched before; launch none."""
        self._begin(number, directory, None, True)

    def _begin(
        self, number: int, directory: Path, request: LaunchRequest | None, look: bool
    ) -> None:
        future = self._pool.submit(self._place, number, directory, request, look)
        self._futures[number] = future
        future.add_done_callback(lambda _: self._wake())

    def pop_done(self, state: TuningState, at: float) -> Iterator[ev.JobLaunched | ev.JobLost]:
        """Yield an event for each launch that has been made, or has failed, since the last time.

        Raises:
            HptError: the machine lacks what any launch would need.
        """
        done = [(number, each) for number, each in self._futures.items() if each.done()]
        for number, launch in done:
            del self._futures[number]
            yield self._describe(state, number, launch, at)

    def _describe(
        self, state: TuningState, number: int, launch: Future[Launched], at: float
    ) -> ev.JobLaunched | ev.JobLost:
        attempts = state.jobs[number].attempts
        why, evicted = "it was not launched any more", True
        try:
            launched = launch.result()
            if launched.handle is not None:
                return ev.JobLaunched(
                    at=at,
                    number=number,
                    attempt=len(attempts),
                    handle=dict(launched.handle),
                    since=attempts[-1].submitted_at if launched.was_found else None,
                )
        except OSError as error:
            if error.errno in RESOURCE_ERRNOS:
                raise HptError.of(
                    "launch",
                    f"training job {number} cannot be launched: {error}",
                    f"it is no fault of the job; go on with 'hpt resume {self._jobdir.name}'",
                ) from error
            why, evicted = f"it could not be launched: {error}", False
        return ev.JobLost(at=at, number=number, attempt=len(attempts), why=why, evicted=evicted)

    def pop_delays(self) -> list[str]:
        """Why launches wait, since the last time; what comes again in a row is told once."""
        delays, self._delays = self._delays, []
        fresh = [
            delay
            for delay, before in zip(delays, [self._last_delay, *delays], strict=False)
            if delay != before
        ]
        self._last_delay = delays[-1] if delays else self._last_delay
        return fresh

    def give_up(self) -> None:
        """Launch nothing any more; what may have been launched already is still looked for."""
        self._may_launch = False

    def close(self) -> None:
        """Leave everything as it is."""
        self._closed.set()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _place(
        self, number: int, directory: Path, request: LaunchRequest | None, look: bool
    ) -> Launched:
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                return self._find_or_launch(number, directory, request, look)
            except NotNowError as error:
                if self._closed.is_set():
                    raise
                self._delays.append(str(error))
            look = True  # it may have been launched nevertheless
            self._wait(pause)
            pause = min(2 * pause, MAX_PAUSE_SECONDS)

    def _find_or_launch(
        self, number: int, directory: Path, request: LaunchRequest | None, look: bool
    ) -> Launched:
        handle = self._executor.find(directory) if look else None
        if handle is not None:
            return Launched(handle, was_found=True)
        if request is None or not self._may_launch:
            return Launched(None)
        self._jobdir.make_training_job(number)
        return Launched(self._executor.launch(request))

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._closed.wait(STOP_SECONDS) and self._may_launch:
            if time.monotonic() >= until:
                return
