"""Which training jobs were interrupted with their tuner, though they look as if they had failed.

A shutdown, `systemctl stop` and `kill` of a session signal the tuner and its jobs at one moment.
The jobs may be dead before the tuner hears of it, or the tuner dead before it hears of anything.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from hpt_cli.formatting import describe_exit
from hpt_cli.tuning.jobs.training_job import TERMINAL, TrainingJob
from hpt_cli.tuning.state import TuningState

NEAR_SECONDS = 5.0
"""A job that a signal ended so shortly before or after its tuner was interrupted with it."""
MOMENT_SECONDS = 0.5
"""A job that failed so shortly before or after: it has a handler of its own for the signal."""
MAX_KILLED_ATTEMPTS = 3
"""A job that is killed (SIGKILL) with its tuner this often is Failed: it may be what takes the
memory of both."""

HANGUP, INTERRUPT, KILL, TERMINATE = 1, 2, 9, 15
"""The signals that end what is to end; their numbers are the same everywhere."""
SHELL = 128
"""A shell's exit code for a signal, less the signal's number."""


def find_signal(exit_code: int) -> int | None:
    """Return the signal that interrupted a command, by its exit code; None if none did."""
    number = -exit_code if exit_code < 0 else exit_code - SHELL
    return number if number in (HANGUP, INTERRUPT, KILL, TERMINATE) else None


def find_interruption(state: TuningState, last_alive: float) -> float | None:
    """Return when the tuner before was interrupted, if it was, as the next one starts.

    Args:
        state: as the tuner before has left it.
        last_alive: its last sign of life.
    """
    if state.stop_reason == "Interrupted":
        return state.interrupted_at
    return None if state.status in TERMINAL else last_alive


def was_interrupted(
    state: TuningState,
    job: TrainingJob,
    exit_code: int,
    ended_at: float,
    *,
    was_asked: bool = False,
) -> bool:
    """Return whether a job's latest attempt, which has ended, was interrupted with its tuner.

    A job that is killed alone, with a tuner that goes on, is not: it has failed.

    Args:
        state: what is known.
        job: before this end.
        exit_code: as the command left it.
        ended_at: in seconds since the epoch.
        was_asked: whether a signal had reached its launcher too, so that the command may have
            answered one with an exit code of its own.
    """
    request, at = job.stop_request, state.interrupted_at
    if at is None or (exit_code == 0 and not was_asked):
        return False
    # One that was asked by its tuner has its reason already.
    if request is not None and (request.reason != "Interrupted" or ended_at >= request.at):
        return False
    number = find_signal(exit_code) or (TERMINATE if was_asked else None)
    first = at - (MOMENT_SECONDS if number is None else NEAR_SECONDS)
    last = at + (MOMENT_SECONDS if number is None else NEAR_SECONDS)
    if number not in (None, KILL):
        # Without a tuner nobody but the system, or the user, asks a job to end.
        last = math.inf
    if state.status == "InProgress":
        last = min(last, state.started_at)
    killed = sum(
        each.interrupted and find_signal(each.exit_code or 0) == KILL for each in job.attempts
    )
    is_too_often = number == KILL and killed + 1 >= MAX_KILLED_ATTEMPTS
    return first <= ended_at <= last and not is_too_often


def was_stopped_unrecorded(state: TuningState, job: TrainingJob, ended_at: float) -> bool:
    """Return whether a job that was asked to end was so by a tuner that could not record it.

    Whatever its exit code is then: it may have saved its state and ended with 0.
    """
    return job.stop_request is None and ended_at < state.started_at


def may_be_first(
    state: TuningState, job: TrainingJob, exit_code: int, since: float, *, was_asked: bool
) -> bool:
    """Return whether a job that ended so many seconds ago may be the first to hear of a shutdown.

    Its tuner may be about to hear of it too.
    """
    return (
        state.status == "InProgress"
        and job.stop_request is None
        and (was_asked or find_signal(exit_code) is not None)
        and 0 <= since < MOMENT_SECONDS
    )


def list_interrupted(state: TuningState) -> list[int]:
    """Return the numbers of the jobs that are Failed, and were interrupted with their tuner."""
    if state.interrupted_at is None:
        return []
    failed = state.jobs.cached("failed", lambda ended: list(_list_failed(ended)))
    return [job.number for job in failed if _was_interrupted(state, job)]


def _list_failed(ended: Mapping[int, TrainingJob]) -> Iterator[TrainingJob]:
    return (job for job in ended.values() if job.phase == "Failed" and job.attempts)


def _was_interrupted(state: TuningState, job: TrainingJob) -> bool:
    latest = job.attempts[-1]
    if latest.ended_at is None or latest.exit_code is None:
        return False
    # Of others it is known who ended them, or what was found in their output.
    is_unexplained = latest.failure == describe_exit(latest.exit_code)
    return is_unexplained and was_interrupted(state, job, latest.exit_code, latest.ended_at)
