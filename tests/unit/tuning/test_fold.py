"""The transition table, and the fold of events."""

from __future__ import annotations

import inspect
import math
import random
import re
from dataclasses import replace
from itertools import pairwise
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpt_cli.metrics.thinning import Totals, find_fresh_totals
from hpt_cli.tuning import events as ev
from hpt_cli.tuning.allocation import Share
from hpt_cli.tuning.fold import fold, fold_all
from hpt_cli.tuning.jobs import transitions
from hpt_cli.tuning.jobs.spans import add_span
from hpt_cli.tuning.jobs.training_job import Pause, Phase, TrainingJob
from hpt_cli.tuning.jobs.transitions import TRANSITIONS, ImpossibleEventError
from hpt_cli.tuning.state import TuningState
from hpt_cli.tuning.summary import training_seconds
from tests import builders as b

SPEC = b.make_spec()


def phase(*events: ev.Event) -> str:
    return b.fold_all(*b.created(SPEC), *b.suggested(1), *b.launched(1), *events).jobs[1].phase


def test_a_job_that_exits_with_0_is_completed_and_any_other_is_failed() -> None:
    assert phase(b.exited(1, 0)) == "Completed"
    assert phase(b.exited(1, 3)) == "Failed"
    assert phase(b.exited(1, -9)) == "Failed"


def test_a_stopped_job_is_stopped_however_it_exits() -> None:
    for code in (0, 1, -15):
        assert phase(b.observed(1, 0.5), b.stop(1, at=1), b.exited(1, code, at=2)) == "Stopped"


def test_a_job_that_ended_before_it_was_asked_to_stop_ended_by_itself() -> None:
    assert phase(b.stop(1, at=5), b.exited(1, 0, at=4)) == "Completed"
    assert phase(b.stop(1, at=5), b.exited(1, 1, at=4)) == "Failed"


def test_a_job_that_came_to_its_end_although_it_was_asked_to_stop_is_completed() -> None:
    at_end = replace(b.exited(1, 0, at=6), at_end=True)
    assert phase(b.stop(1, at=5), at_end) == "Completed"
    assert phase(b.stop(1, "StoppedByUser", at=5), at_end) == "Completed"
    assert phase(b.stop(1, at=5), b.exited(1, 0, at=6)) == "Stopped"


def test_an_interrupted_job_waits_to_run_again() -> None:
    interrupted = [b.stop(1, "Interrupted", at=1), b.exited(1, -15, at=2)]
    assert phase(*interrupted) == "Interrupted"
    assert phase(*interrupted, *b.launched(1, attempt=2), b.exited(1, 0, attempt=2)) == "Completed"


def test_a_lost_job_runs_again_until_it_was_lost_three_times() -> None:
    lost = ev.JobLost(at=1, number=1, attempt=1, why="gone")
    assert phase(lost) == "Interrupted"
    twice = [lost, *b.launched(1, attempt=2), lost]
    assert phase(*twice) == "Interrupted"
    assert phase(*twice, *b.launched(1, attempt=3), lost) == "Failed"
    paused = ev.JobPaused(at=1, number=1, attempt=3, reason="job 2 is likelier")
    stood_still = [*twice, *b.launched(1, attempt=3), paused, lost]
    assert phase(*stood_still) == "Interrupted", "it stood still, so it was not the cause"
    assert phase(*stood_still, *b.launched(1, attempt=4), lost) == "Failed"


def test_a_job_that_was_killed_while_stopping_is_stopped() -> None:
    assert phase(b.stop(1), ev.JobLost(at=1, number=1, attempt=1, why="gone")) == "Stopped"


def test_observations_may_come_twice() -> None:
    once = b.fold_all(*b.created(SPEC), *b.suggested(1), *b.launched(1), b.observed(1, 3, 2, 1))
    twice = fold(fold(once, b.observed(1, 3, 2)), b.observed(1, 3, 2, 1))
    assert twice.jobs[1].curve("loss") == once.jobs[1].curve("loss") == ((1, 3), (2, 2), (3, 1))


def test_a_step_that_comes_again_replaces_what_it_had() -> None:
    state = b.fold_all(*b.created(SPEC), *b.suggested(1), *b.launched(1), b.observed(1, 3, 2, 1))
    again = ev.ObservationsRead(
        at=1,
        number=1,
        attempt=1,
        observations=(ev.Observation("loss", 900, 2.0, 7.0),),
    )
    assert fold(state, again).jobs[1].curve("loss") == ((1, 3), (2, 7), (3, 1))


def test_an_attempt_from_a_checkpoint_continues_the_curve() -> None:
    events = [
        *b.suggested(1),
        *b.launched(1),
        b.observed(1, 5, 4, 3),
        b.stop(1, "Interrupted"),
        b.exited(1, -15),
        *b.launched(1, attempt=2),
    ]
    going_on = b.fold_all(*b.created(SPEC), *events, b.observed(1, 2.5, 2, attempt=2, first=3))
    assert going_on.jobs[1].curve("loss") == ((1, 5), (2, 4), (3, 2.5), (4, 2))
    anew = b.fold_all(*b.created(SPEC), *events, b.observed(1, 9, attempt=2))
    assert anew.jobs[1].curve("loss") == ((1, 9),)


def test_what_the_table_does_not_allow_is_refused() -> None:
    with pytest.raises(ImpossibleEventError, match="cannot happen to job 1, which is Completed"):
        b.fold_all(*b.created(SPEC), *b.run(1, 1.0), b.exited(1))
    with pytest.raises(ImpossibleEventError, match="never planned"):
        b.fold_all(*b.created(SPEC), b.exited(7))


def test_the_table_names_every_job_event() -> None:
    named = {kind.__name__ for _, kind in TRANSITIONS}
    known = {
        name
        for name, each in vars(ev).items()
        if isinstance(each, type) and issubclass(each, ev.JobEvent) and each is not ev.JobEvent
    }
    assert named == known - set(_WITHOUT_TRANSITION)


def test_the_picture_shows_every_phase_and_event() -> None:
    comment = inspect.getsource(transitions).split("TRANSITIONS:")[0].split("# The life")[1]
    shown = {*re.findall(r"\w+", comment.split("# 1.")[0])}
    assert {*get_args(Phase)} | {kind.__name__ for _, kind in TRANSITIONS} <= shown
    assert {*_WITHOUT_TRANSITION} <= shown
    assert {each for each in shown if each.startswith(("Job", "Obs", "Space"))} <= {*vars(ev)}


_WITHOUT_TRANSITION = ("JobPlanned", "SpaceExhausted", "JobNoted", "JobJudged", "ValuesCounted")


def make_events(state: TuningState, number: int) -> list[ev.Event]:
    """One event of every kind for a job, as it could come next."""
    job = state.jobs.get(number)
    attempt = len(job.attempts) if job else 0
    return [
        ev.JobPlanned(at=1, number=number),
        ev.JobSuggested(at=1, number=number, hyperparameters={"x": number}, seconds=0),
        ev.JobSubmitting(at=1, number=number, attempt=attempt + 1),
        ev.JobLaunched(at=1, number=number, attempt=attempt, handle={}),
        b.observed(number, 1.0, 2.0, attempt=attempt),
        b.stop(number, "Interrupted", at=1),
        b.stop(number, "EarlyStopped", at=1),
        b.stop(number, "Paused", at=1),
        ev.JobPaused(at=1, number=number, attempt=attempt, reason="job 2 is likelier"),
        ev.JobThawed(at=2, number=number, attempt=attempt, reason="it is the likeliest"),
        b.exited(number, 0, at=2, attempt=attempt),
        b.exited(number, 1, at=2, attempt=attempt),
        replace(b.exited(number, 143, at=2, attempt=attempt), interrupted=True),
        ev.JobLost(at=2, number=number, attempt=attempt, why="gone"),
        ev.JobRequeued(at=3, number=number, reason="Interrupted"),
        ev.JobRequeued(at=3, number=number, reason="Outage"),
    ]


def fits_pause(job: TrainingJob, event: ev.Event) -> bool:
    """Whether an event can happen to a job, if it is paused, with its attempt or without one."""
    if job.phase != "Paused" or isinstance(event, ev.JobStopRequested):
        return True
    return job.is_alive != isinstance(event, ev.JobSubmitting)


@settings(max_examples=200)
@given(st.data())
def test_the_fold_never_fails_on_what_the_table_allows(data: st.DataObject) -> None:
    events: list[ev.Event] = b.created(SPEC)
    state = b.fold_all(*events)
    for _ in range(data.draw(st.integers(0, 25))):
        number = data.draw(st.integers(1, 3))
        event = data.draw(st.sampled_from(make_events(state, number)))
        job = state.jobs.get(number)
        allowed = (job is None) == isinstance(event, ev.JobPlanned) and (
            job is None or ((job.phase, type(event)) in TRANSITIONS and fits_pause(job, event))
        )
        if not allowed:
            with pytest.raises(ImpossibleEventError):
                fold(state, event)
            continue
        before = state
        state = fold(state, event)
        events.append(event)
        assert before.jobs.get(number) is job
        assert state.jobs[number].status in (
            "InProgress",
            "Stopping",
            "Completed",
            "Failed",
            "Stopped",
        )
    assert fold_all(TuningState(), events) == state


def suspended(*spans: tuple[float, float | None]) -> tuple[tuple[float, float], ...]:
    events = [
        ev.JobSuspended(at=99, number=1, attempt=1, since=since, until=until)
        for since, until in spans
    ]
    state = b.fold_all(*b.created(SPEC), *b.suggested(1), *b.launched(1), *events)
    attempt = state.jobs[1].attempt
    assert attempt is not None
    return attempt.suspended


def test_a_suspension_may_be_recorded_twice_or_in_parts() -> None:
    assert suspended((5, 9), (5, 9), (20, 30)) == ((5, 9), (20, 30))
    assert suspended((20, 30), (5, 9), (8, 21)) == ((5, 30),)


def test_a_suspension_lasts_until_it_is_said_to_be_over() -> None:
    assert suspended((5, None)) == ((5, math.inf),)
    assert suspended((5, None), (4.5, 9)) == ((4.5, 9),)
    assert suspended((5, None), (1, 3)) == ((1, 3), (5, math.inf))
    assert suspended((5, None), (6, 9), (5, None)) == ((5, math.inf),)


@given(
    spans=st.lists(st.tuples(st.floats(0, 50), st.floats(0, 50)).map(sorted), max_size=6),
    order=st.randoms(),
)
def test_spans_are_counted_once_in_whatever_order_they_come(
    spans: list[list[float]], order: random.Random
) -> None:
    joined: tuple[tuple[float, float], ...] = ()
    order.shuffle(spans)
    for since, until in spans:
        joined = add_span(joined, since, until)
    assert list(joined) == sorted(joined)
    assert all(first[1] < second[0] for first, second in pairwise(joined))
    points = [50 * n / 997 for n in range(998)]
    for at in points:
        inside = any(since <= at <= until for since, until in spans)
        assert inside == any(since <= at <= until for since, until in joined)


def totals(count: int) -> Totals:
    return Totals(
        count=count, steps=count, finite=count, sum=0.5, least=-1.0, greatest=1.0, offset=10 * count
    )


def counted(count: int, attempt: int = 1) -> ev.ValuesCounted:
    return ev.ValuesCounted(at=1, number=1, attempt=attempt, totals={"loss": totals(count)})


def test_totals_that_count_further_replace_the_others() -> None:
    begun = [*b.created(SPEC), *b.suggested(1), *b.launched(1), b.observed(1, 3.0, 2.0)]
    state = b.fold_all(*begun, counted(20), counted(30), counted(25), counted(30))
    attempt = state.jobs[1].attempt
    assert attempt is not None
    assert attempt.totals == {"loss": totals(30)}
    assert find_fresh_totals(attempt.totals, {"loss": totals(30), "acc": totals(1)}) == {
        "acc": totals(1)
    }


def test_steps_are_counted_over_the_attempts_that_make_a_curve() -> None:
    story = [*b.created(SPEC), *b.suggested(1), *b.launched(1), b.observed(1, 3.0, 2.0)]
    story += [counted(20), b.stop(1, "Interrupted"), b.exited(1, -15), *b.launched(1, attempt=2)]
    goes_on = b.observed(1, 1.0, attempt=2, first=3)
    job = b.fold_all(*story, goes_on).jobs[1]
    assert (len(job.curve("loss")), job.count_steps("loss")) == (3, 21)
    assert job.list_totals("loss") == [totals(20)]
    begins_anew = b.observed(1, 1.0, attempt=2, first=1)
    job = b.fold_all(*story, begins_anew).jobs[1]
    assert (len(job.curve("loss")), job.count_steps("loss")) == (1, 1)
    assert job.list_totals("loss") == []
    assert job.count_steps("acc") == 0


def test_a_slot_is_taken_until_its_attempt_has_ended() -> None:
    def launched(number: int, slot: int | None) -> list[ev.Event]:
        submitting, started = b.launched(number)
        assert isinstance(submitting, ev.JobSubmitting)
        return [*b.suggested(number), replace(submitting, slot=slot), started]

    state = b.fold_all(*b.created(b.make_spec()), *launched(1, 0), *launched(2, 1))
    assert state.find_slot() == 2
    assert fold(state, b.exited(1)).find_slot() == 0
    assert fold(state, b.exited(2)).find_slot() == 1
    older = b.fold_all(*b.created(b.make_spec()), *launched(1, None))
    assert older.find_slot() == 0, "its job has none"


def paused(number: int, at: float) -> ev.JobPaused:
    return ev.JobPaused(at=at, number=number, attempt=1, reason="job 2 is likelier")


def thawed(number: int, at: float) -> ev.JobThawed:
    return ev.JobThawed(at=at, number=number, attempt=1, reason="it is the likeliest")


BEGUN = [*b.created(SPEC), *b.suggested(1), *b.launched(1), b.observed(1, 3.0, at=10)]


def test_a_paused_job_is_in_progress_and_its_attempt_alive_but_not_at_work() -> None:
    state = b.fold_all(*BEGUN, paused(1, at=20), b.observed(1, 2.0, at=21, first=2))
    job = state.jobs[1]
    assert (job.phase, job.status, job.is_running, job.is_alive) == (
        *("Paused", "InProgress"),
        *(False, True),
    )
    assert (state.running, state.alive, state.paused) == ([], [job], [job])
    assert job.curve("loss") == ((1, 3), (2, 2)), "what was still in the pipe"
    assert (job.count_seconds(50), training_seconds(job, 50)) == (20, 20)
    assert job.pauses == (Pause(20, "job 2 is likelier", {}),)
    job = fold(state, thawed(1, at=50)).jobs[1]
    assert job.pauses == (Pause(20, "job 2 is likelier", {}, 50, "it is the likeliest"),)
    assert (job.phase, job.is_running, job.count_seconds(60)) == ("Training", True, 30)


def test_a_paused_job_may_end_in_every_way() -> None:
    begun = [*BEGUN, paused(1, at=20)]

    def phase(*events: ev.Event) -> str:
        return b.fold_all(*begun, *events).jobs[1].phase

    assert phase(b.exited(1, 0, at=30)) == "Completed", "somebody else let it go on"
    assert phase(b.exited(1, -9, at=30)) == "Failed"
    assert phase(ev.JobLost(at=30, number=1, attempt=1, why="gone")) == "Interrupted"
    assert phase(b.stop(1, at=30)) == "Stopping"
    stopped = b.fold_all(*begun, b.stop(1, at=30), b.exited(1, -15, at=32)).jobs[1]
    assert (stopped.phase, stopped.count_seconds(99)) == ("Stopped", 22)
    assert [(each.until, each.went_on) for each in stopped.pauses] == [(30, "")]


def test_a_job_that_is_paused_by_its_checkpoint_ends_its_attempt_and_goes_on_with_the_next() -> (
    None
):
    begun = [*BEGUN, b.stop(1, "Paused", at=20), b.exited(1, -15, at=22)]
    job = b.fold_all(*begun).jobs[1]
    assert (job.phase, job.status, job.is_alive) == ("Paused", "InProgress", False)
    assert (job.count_seconds(99), job.has_ended) == (22, False)
    assert b.fold_all(*begun, b.stop(1, at=30)).jobs[1].phase == "Stopped"
    again = b.fold_all(*begun, *b.launched(1, attempt=2, at=50)).jobs[1]
    assert (again.phase, again.pauses[0].until) == ("Starting", 50)
    for impossible in (thawed(1, at=30), b.exited(1, at=30), paused(1, at=30)):
        with pytest.raises(ImpossibleEventError):
            b.fold_all(*begun, impossible)
    with pytest.raises(ImpossibleEventError):
        b.fold_all(*BEGUN, paused(1, at=20), *b.launched(1, attempt=2))


def test_whatever_else_a_job_is_asked_while_it_is_stopped_to_be_paused_weighs_more() -> None:
    asked = [b.stop(1, "Paused", at=20), b.stop(1, "StoppedByUser", at=21), b.exited(1, -15, at=22)]
    job = b.fold_all(*BEGUN, *asked).jobs[1]
    assert (job.phase, job.stop_reason) == ("Stopped", "StoppedByUser")
    both = [b.stop(1, "EarlyStopped", at=20), b.stop(1, "Paused", at=21), b.exited(1, -15, at=22)]
    assert b.fold_all(*BEGUN, *both).jobs[1].stop_reason == "EarlyStopped"


def test_a_paused_job_keeps_its_memory_its_slot_and_its_gpus_unless_they_are_shared() -> None:
    submitting, started = b.launched(1)
    assert isinstance(submitting, ev.JobSubmitting)
    share = Share(cores=(0, 1), gpus=("0",), memory_gb=2.0)
    begun = [*b.suggested(1), replace(submitting, slot=0, share=share), started, paused(1, at=5)]

    def fold_with(**pausing: bool) -> TuningState:
        spec = b.make_spec(early_stopping_type="Auto", gpus=["0"], pausing=pausing)
        return b.fold_all(*b.created(spec), *begun)

    state = fold_with()
    assert state.find_slot() == 1
    assert state.list_held() == [Share(gpus=("0",), memory_gb=2.0)]
    assert fold_with(share_gpus=True).list_held() == [Share(gpus=(), memory_gb=2.0)]
