"""A job that dies with its tuner was interrupted; one that is killed alone has failed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hpt_cli.tuning import events as ev
from hpt_cli.tuning.commands import Command, Requeue
from hpt_cli.tuning.decide import decide
from hpt_cli.tuning.failures.interruption import (
    MAX_KILLED_ATTEMPTS,
    MOMENT_SECONDS,
    NEAR_SECONDS,
    find_signal,
    may_be_first,
    was_interrupted,
    was_stopped_unrecorded,
)
from hpt_cli.tuning.state import TuningState
from tests import builders as b

SPEC = b.make_spec()
INTERRUPT = ev.TuningJobStopRequested(at=100, reason="Interrupted")
RUNNING = [*b.created(SPEC), *b.suggested(1), *b.launched(1)]
RESUMED = ev.TunerStarted(at=300, pid=2, host="here")


def decide_all(*events: ev.Event) -> list[Command]:
    state = b.fold_all(*events)
    return decide(SPEC, state, state.last_event_at)


@pytest.mark.parametrize("code", [-1, -2, -9, -15, 129, 130, 137, 143])
def test_a_job_that_died_just_before_the_tuner_heard_its_signal_is_requeued(code: int) -> None:
    events = [*RUNNING, b.exited(1, code, at=100 - NEAR_SECONDS), INTERRUPT]
    assert decide_all(*events) == [Requeue(1, "Interrupted")]
    state = b.fold_all(*events, ev.JobRequeued(at=100, number=1, reason="Interrupted"))
    job = state.jobs[1]
    assert (job.phase, job.failure_reason) == ("Interrupted", "")
    assert job.notes[0].endswith("; it was interrupted with the tuner")
    assert Requeue(1, "Interrupted") not in decide(SPEC, state, 100)


@pytest.mark.parametrize(
    ("code", "at"),
    [
        (-15, 100 - NEAR_SECONDS - 0.1),
        (-11, 99),  # a crash of its own
        (1, 100 - MOMENT_SECONDS - 0.1),
    ],
)
def test_a_job_that_failed_before_has_failed(code: int, at: float) -> None:
    assert Requeue(1, "Interrupted") not in decide_all(
        *RUNNING, b.exited(1, code, at=at), INTERRUPT
    )


def test_a_handler_that_exits_with_1_in_the_same_moment_was_interrupted() -> None:
    assert decide_all(*RUNNING, b.exited(1, 1, at=99.8), INTERRUPT) == [Requeue(1, "Interrupted")]


@pytest.mark.parametrize("code", [-15, -9])
def test_a_job_that_is_killed_alone_has_failed(code: int) -> None:
    state = b.fold_all(*RUNNING, b.exited(1, code, at=99))
    assert state.jobs[1].phase == "Failed"
    assert Requeue(1, "Interrupted") not in decide(SPEC, state, 100)


def test_the_user_s_stop_and_an_end_in_order_change_nothing() -> None:
    failed = [*RUNNING, b.exited(1, -15, at=100)]
    stopped = ev.TuningJobStopRequested(at=100, reason="StoppedByUser")
    ended = ev.TuningJobEnded(at=100, status="Failed", reason="fail_fast")
    assert Requeue(1, "Interrupted") not in decide_all(*failed, stopped)
    assert Requeue(1, "Interrupted") not in decide_all(*failed, ended, RESUMED)


def test_a_job_that_failed_as_its_tuner_was_killed_is_requeued_by_the_next() -> None:
    failed = [*RUNNING, b.exited(1, -9, at=99)]
    assert decide_all(*failed, RESUMED) == [Requeue(1, "Interrupted")]
    # An interrupted tuner that ended in order may have been one that did not know of this.
    ended = ev.TuningJobEnded(at=101, status="Stopped", reason="interrupted")
    assert decide_all(*failed, INTERRUPT, ended, RESUMED) == [Requeue(1, "Interrupted")]


def find_resumed(code: int, ended_at: float) -> bool:
    """Whether the next tuner takes an end for an interruption, if the last one died at 100."""
    state = b.fold_all(*RUNNING, ev.ExecutorNoted(at=100, text="alive"), RESUMED)
    return was_interrupted(state, state.jobs[1], code, ended_at)


def test_what_ended_while_there_was_no_tuner() -> None:
    # At the shutdown, an hour after the tuner was killed.
    assert find_resumed(-15, 250)
    # For want of memory: with the tuner, and alone.
    assert find_resumed(-9, 100 + NEAR_SECONDS)
    assert not find_resumed(-9, 250)
    # In the sight of the next tuner.
    assert not find_resumed(-15, 301)
    assert not find_resumed(0, 100)
    assert not find_resumed(1, 250)


def test_a_job_that_is_killed_with_its_tuner_three_times_is_failed() -> None:
    events = list(RUNNING)
    for attempt in range(1, MAX_KILLED_ATTEMPTS + 1):
        state = b.fold_all(*events, replace(RESUMED, at=100.0 * attempt))
        is_interrupted = was_interrupted(state, state.jobs[1], -9, state.interrupted_at or 0)
        assert is_interrupted == (attempt < MAX_KILLED_ATTEMPTS)
        ended = b.exited(1, -9, at=100.0 * attempt, attempt=attempt)
        events += [
            replace(RESUMED, at=100.0 * attempt),
            replace(ended, interrupted=True),
            *b.launched(1, at=100.0 * attempt, attempt=attempt + 1),
        ]


def test_an_attempt_that_was_interrupted_is_no_failure() -> None:
    interrupted = replace(b.exited(1, -15, at=99), interrupted=True)
    job = b.fold_all(*RUNNING, interrupted).jobs[1]
    assert (job.phase, job.failure_reason, job.attempts[-1].failure) == ("Interrupted", "", "")


def test_one_that_its_tuner_asked_is_not_counted() -> None:
    state = b.fold_all(*RUNNING, INTERRUPT, b.stop(1, "Interrupted", at=100))
    assert not was_interrupted(state, state.jobs[1], -9, 100.1)
    assert was_interrupted(state, state.jobs[1], -9, 99.9)


@pytest.mark.parametrize("code", [0, 1, 75])
def test_a_program_may_answer_the_signal_with_any_exit_code(code: int) -> None:
    """It saves its state, and ends before the tuner has heard; its launcher was signalled too."""
    state = b.fold_all(*RUNNING, INTERRUPT)
    assert was_interrupted(state, state.jobs[1], code, 98, was_asked=True)
    assert not was_interrupted(state, state.jobs[1], code, 98)
    ended = replace(b.exited(1, code, at=98), interrupted=True)
    assert b.fold_all(*RUNNING, INTERRUPT, ended).jobs[1].phase == "Interrupted"


def test_the_first_to_hear_of_a_shutdown_is_not_judged_at_once() -> None:
    state = b.fold_all(*RUNNING)
    assert may_be_first(state, state.jobs[1], -15, 0.1, was_asked=False)
    assert not may_be_first(state, state.jobs[1], -15, MOMENT_SECONDS, was_asked=False)
    assert not may_be_first(state, state.jobs[1], 1, 0.1, was_asked=False)
    assert may_be_first(state, state.jobs[1], 0, 0.1, was_asked=True)
    stopping = b.fold_all(*RUNNING, b.stop(1, "EarlyStopped"))
    assert not may_be_first(stopping, stopping.jobs[1], -15, 0.1, was_asked=False)


def test_signals() -> None:
    codes = [0, 1, 128, 126, 127, 134, 139, -6, -11]
    assert [find_signal(code) for code in codes] == [None] * len(codes)


def test_nothing_is_interrupted_at_first() -> None:
    assert TuningState().interrupted_at is None


@pytest.mark.parametrize("code", [0, 1, -15])
def test_a_job_that_was_asked_to_end_without_a_record_was_interrupted(code: int) -> None:
    state = b.fold_all(*RUNNING, RESUMED)
    assert was_stopped_unrecorded(state, state.jobs[1], ended_at=299)
    assert not was_stopped_unrecorded(state, state.jobs[1], ended_at=301), "this tuner is alive"
    exited = replace(b.exited(1, code, at=299), interrupted=True)
    job = b.fold_all(*RUNNING, RESUMED, exited).jobs[1]
    assert (job.phase, job.failure_reason) == ("Interrupted", "")


def test_a_job_that_its_tuner_is_known_to_have_stopped_keeps_its_reason() -> None:
    stop = ev.JobStopRequested(at=200, number=1, reason="EarlyStopped")
    state = b.fold_all(*RUNNING, stop, RESUMED)
    assert not was_stopped_unrecorded(state, state.jobs[1], ended_at=299)
