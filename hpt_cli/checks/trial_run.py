"""One training job run on trial: its output, its duration, the metrics found in it.

Only what is returned is kept; no journal records it.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from hpt_cli import executors as ex
from hpt_cli.errors import HptError
from hpt_cli.logs.log_file import READ_BYTES, read_lines, read_part
from hpt_cli.logs.tail import AttemptTail
from hpt_cli.metrics.curve import Observation
from hpt_cli.metrics.extractors import Extractor
from hpt_cli.metrics.lines import split_lines
from hpt_cli.spec.parts import Success
from hpt_cli.storage.job_directory import AttemptDir
from hpt_cli.tuning.failures.success import judge_end, list_awaited

GRACE_SECONDS = 5.0

Show: TypeAlias = Callable[[float, int, Sequence[str]], None]


@dataclass(frozen=True)
class TrialRun:
    """The outcome of one training job. Times are in seconds from its start."""

    exit_code: int | None
    """None if it was cut off."""
    seconds: float
    lines: tuple[str, ...]
    observations: tuple[tuple[float, Observation], ...]
    """(time, observation) of each value."""
    failure: str = ""
    """Why it failed, if it did."""

    @property
    def was_cut_off(self) -> bool:
        """Whether it was still running when its time was up."""
        return self.exit_code is None

    def list_times(self, metric: str) -> list[float]:
        """Return the times of the values of a metric."""
        return [at for at, each in self.observations if each.metric == metric]

    def list_values(self, metric: str) -> list[float]:
        """Return the values of a metric."""
        return [each.value for _, each in self.observations if each.metric == metric]


def try_job(
    executor: ex.Executor,
    request: ex.LaunchRequest,
    extractors: Sequence[Extractor],
    limit: float,
    show: Show,
    success: Success | None = None,
) -> TrialRun:
    """Run one training job to its end, or for `limit` seconds.

    Args:
        show: called several times a second with its running time, the number of values found, and
            the lines that it has printed since.
        success: when it has succeeded, if not by the exit code 0.

    Raises:
        OSError: it could not be launched.
    """
    log = AttemptDir(request.directory).log
    rules = list_awaited(success)
    tail = AttemptTail(extractors, log, request.directory.parent, 0.0, {}, rules=rules)
    try:
        handle = executor.launch(request)
    except ex.TemporaryError as error:
        raise HptError.of("launch", f"the trial run cannot be launched now: {error}") from error
    begun = time.monotonic()
    found: list[tuple[float, Observation]] = []
    outcome: ex.Outcome = ex.Running()
    is_over, offset = False, 0
    try:
        while not is_over:
            time.sleep(executor.poll_seconds)
            (outcome,) = executor.poll([handle])
            if isinstance(outcome, ex.Pending):
                begun = time.monotonic()
            seconds = time.monotonic() - begun
            is_over = isinstance(outcome, (ex.Exited, ex.Lost)) or seconds >= limit
            found += [(seconds, each) for each in tail.read(final=is_over)]
            offset, lines = _read_new(log, offset, final=is_over)
            show(seconds, len(found), lines)
    finally:
        if isinstance(outcome, (ex.Pending, ex.Running)):
            executor.stop(handle, force=False)
            wait_for_end(executor, handle)
        executor.sweep(handle, 0.0)
    code, has_text = _read_code(outcome), bool(tail.pop_matches())
    why = outcome.why if isinstance(outcome, ex.Exited) else ""
    ending = None if code is None else judge_end(success, code, why, has_text=has_text)
    failure = ending.describe_failure(code) if ending is not None and code is not None else ""
    return TrialRun(code, seconds, tuple(read_lines(log)), tuple(found), failure)


def _read_new(log: Path, offset: int, *, final: bool) -> tuple[int, list[str]]:
    """Return how far a log was read, and its lines from an offset to there.

    Args:
        final: whether a line without an end is read, too.
    """
    try:
        new = read_part(log, offset, READ_BYTES)
    except FileNotFoundError:
        return offset, []
    whole = new if final else new[: new.rfind(b"\n") + 1]
    return offset + len(whole), split_lines(whole)


def wait_for_end(executor: ex.Executor, handle: ex.Handle) -> None:
    """Wait for a job that was asked to end, and kill it if it does not."""
    deadline = time.monotonic() + GRACE_SECONDS
    while isinstance(executor.poll([handle])[0], (ex.Pending, ex.Running)):
        if time.monotonic() > deadline:
            executor.stop(handle, force=True)
        time.sleep(executor.poll_seconds)


def _read_code(outcome: ex.Outcome) -> int | None:
    match outcome:
        case ex.Exited(exit_code=code):
            return code
        case ex.Lost():
            return -signal.SIGKILL
    return None
