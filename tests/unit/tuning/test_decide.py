"""decide(), as scripted stories: what is known >> what should be done."""

from __future__ import annotations

import math
from typing import Any

from hpt_cli.tuning import events as ev
from hpt_cli.tuning.commands import Command, Continue, End, Kill, Launch, Plan, Stop
from hpt_cli.tuning.decide import decide
from hpt_cli.tuning.evidence import suggest_request
from tests import builders as b


def commands(
    *events: ev.Event,
    now: float = 0,
    seen: tuple[int, ...] = (),
    silent: tuple[int, ...] = (),
    unjudged: tuple[int, ...] = (),
    **changes: Any,
) -> list[Command]:
    spec = b.make_spec(**changes)
    state = b.fold_all(*b.created(spec), *events)
    return decide(spec, state, now, seen, silent, unjudged=unjudged)


def end(*events: ev.Event, **changes: Any) -> tuple[str, str]:
    (command,) = commands(*events, **changes)
    assert isinstance(command, End)
    return command.completion.status, command.completion.reason


def test_at_first_one_job_is_planned() -> None:
    assert commands() == [Plan(1)]


def test_while_one_is_planned_no_other_is() -> None:
    assert commands(ev.JobPlanned(at=0, number=1)) == []


def test_what_was_suggested_is_launched_and_the_next_is_planned() -> None:
    assert commands(*b.suggested(1)) == [Launch(1), Plan(2)]


def test_no_more_jobs_run_than_are_allowed() -> None:
    assert commands(*b.suggested(1), *b.launched(1), *b.suggested(2), *b.launched(2)) == []


def test_a_free_slot_is_filled() -> None:
    assert commands(*b.run(1, 1.0), *b.suggested(2), *b.launched(2)) == [Plan(3)]


def test_max_jobs_is_the_total_and_running_jobs_are_waited_for() -> None:
    three = [*b.run(1, 1.0), *b.run(2, 1.0), *b.run(3, 1.0)]
    assert commands(*three, *b.suggested(4), *b.launched(4)) == []
    assert end(*three, *b.run(4, 1.0)) == ("Completed", "max_jobs (4) reached")


def test_an_interrupted_job_runs_again_before_anything_new() -> None:
    interrupted = [*b.suggested(1), *b.launched(1), b.stop(1, "Interrupted"), b.exited(1, -15)]
    assert commands(*interrupted) == [Launch(1), Plan(2)]


def test_an_interrupted_last_job_runs_again_though_all_jobs_were_planned() -> None:
    assert commands(
        *b.run(1, 1.0),
        *b.suggested(2),
        *b.launched(2),
        b.stop(2, "Interrupted"),
        b.exited(2, -15),
        max_jobs=2,
    ) == [Launch(2)]


def test_ctrl_c_stops_what_runs_and_leaves_what_waits() -> None:
    interrupt = ev.TuningJobStopRequested(at=1, reason="Interrupted")
    events = [*b.suggested(1), *b.launched(1), *b.suggested(2), interrupt]
    assert commands(*events) == [Stop(1, "Interrupted")]
    after = [*events, b.stop(1, "Interrupted", at=1), b.exited(1, -15, at=2)]
    assert end(*after) == ("Stopped", "interrupted")


def test_the_user_s_stop_ends_interrupted_jobs_too_and_starts_nothing() -> None:
    request = ev.TuningJobStopRequested(at=1, reason="StoppedByUser")
    interrupted = [*b.suggested(2), *b.launched(2), b.stop(2, "Interrupted"), b.exited(2, -15)]
    events = [*b.suggested(1), *b.launched(1), *interrupted, *b.suggested(3), request]
    assert commands(*events) == [Stop(1, "StoppedByUser"), Stop(2, "StoppedByUser")]
    after = [b.stop(1, "StoppedByUser"), b.stop(2, "StoppedByUser"), b.exited(1, -15)]
    assert end(*events, *after) == ("Stopped", "stopped by the user")


PAUSED = [
    *[*b.suggested(1), *b.launched(1), ev.JobPaused(at=1, number=1, attempt=1, reason="why")],
    *[*b.suggested(2), *b.launched(2), b.stop(2, "Paused", at=1), b.exited(2, -15, at=2)],
]
"""Job 1 stands still, and job 2 waits with its checkpoint."""


def test_ctrl_c_ends_a_job_that_stands_still_and_leaves_one_with_a_checkpoint() -> None:
    interrupt = ev.TuningJobStopRequested(at=3, reason="Interrupted")
    assert commands(*PAUSED, interrupt) == [Stop(1, "Interrupted")]
    after = [b.stop(1, "Interrupted", at=3), b.exited(1, -15, at=4)]
    assert end(*PAUSED, interrupt, *after) == ("Stopped", "interrupted")


def test_the_user_s_stop_ends_all_paused_jobs() -> None:
    request = ev.TuningJobStopRequested(at=3, reason="StoppedByUser")
    assert commands(*PAUSED, request) == [Stop(1, "StoppedByUser"), Stop(2, "StoppedByUser")]


def test_the_next_job_is_chosen_ahead_only_where_slots_would_stand_idle() -> None:
    def story(thinking: float, **changes: Any) -> list[Command]:
        ahead = [
            ev.JobPlanned(at=1, number=3),
            ev.JobSuggested(at=1, number=3, hyperparameters={"x": 3}, seconds=thinking),
        ]
        busy = [*b.run(1, 1.0), *b.suggested(2), *b.launched(2), *ahead, *b.launched(3)]
        return commands(*busy, max_jobs=9, **changes)

    assert story(0.02) == []  # a third of that for each of three jobs
    assert story(0.04) == [Plan(4)]
    assert story(0.04, max_parallel_jobs=1) == []


def test_a_job_that_does_not_end_is_killed_after_its_grace() -> None:
    events = [*b.suggested(1), *b.launched(1), *b.suggested(2), *b.launched(2), b.stop(1, at=5)]
    assert commands(*events, now=14, stop_grace_seconds=10) == []
    assert commands(*events, now=15, stop_grace_seconds=10) == [Kill(1)]


def test_a_job_that_runs_too_long_is_stopped() -> None:
    events = [*b.suggested(1), *b.launched(1, at=100), *b.suggested(2), *b.launched(2, at=109)]
    assert commands(*events, now=110, max_job_runtime_seconds=10) == [Stop(1, "MaxRuntimeExceeded")]


def test_the_tuning_job_s_own_limit_stops_all() -> None:
    events = [*b.suggested(1), *b.launched(1)]
    assert commands(*events, now=60, max_runtime_seconds=60) == [Stop(1, "TuningJobFinished")]
    assert end(
        *events, b.stop(1, "TuningJobFinished"), b.exited(1, -15), now=61, max_runtime_seconds=60
    ) == ("Completed", "max_runtime_seconds (60) reached")


def test_five_failures_and_no_success_end_the_tuning_job() -> None:
    failed = [
        event
        for number in range(1, 6)
        for event in [*b.suggested(number), *b.launched(number), b.exited(number, 1)]
    ]
    assert end(*failed, max_jobs=20) == ("Failed", "all of the first 5 training jobs failed")
    assert commands(*b.run(6, 1.0), *failed, max_jobs=20) == [Plan(7)]
    in_flight = [*failed, *b.suggested(6), *b.launched(6)]
    assert commands(*in_flight, max_jobs=20) == [Stop(6, "TuningJobFinished")]
    over = [*in_flight, b.stop(6, "TuningJobFinished"), b.exited(6, -15)]
    assert end(*over, max_jobs=20)[0] == "Failed"


def test_without_a_value_of_the_objective_the_first_five_end_it_as_if_they_had_failed() -> None:
    no_value = [event for number in range(1, 5) for event in b.run(number)]
    failed = [*b.suggested(5), *b.launched(5), b.exited(5, 1)]
    reason = "none of the first 5 training jobs has a value of loss"
    assert end(*no_value, *failed, max_jobs=20) == ("Failed", reason)
    assert commands(*b.run(6, 1.0), *no_value, *failed, max_jobs=20) == [Plan(7)]
    hung = [*b.suggested(5), *b.launched(5), b.stop(5, "Hung"), b.exited(5, -15)]
    assert end(*no_value, *hung, max_jobs=20) == ("Failed", reason)
    by_user = [*b.suggested(5), *b.launched(5), b.stop(5, "StoppedByUser"), b.exited(5, -15)]
    assert commands(*no_value, *by_user, max_jobs=20) == [Plan(6)]


def test_nothing_that_counts_is_no_success_at_the_end() -> None:
    why = "max_jobs (2) reached; no training job has a usable value of loss"
    assert end(*b.run(1), *b.run(2), max_jobs=2) == ("Failed", why)
    assert end(*b.run(1, math.nan), *b.run(2), max_jobs=2) == ("Failed", why)
    assert end(*b.run(1), *b.run(2, 1.0), max_jobs=2)[0] == "Completed"
    by_user = [*b.suggested(1), *b.launched(1), b.stop(1, "StoppedByUser"), b.exited(1, -15)]
    assert end(*by_user, max_jobs=1)[0] == "Completed"


def test_an_exhausted_space_ends_the_tuning_job() -> None:
    exhausted = [ev.JobPlanned(at=0, number=2), ev.SpaceExhausted(at=0, number=2)]
    assert end(*b.run(1, 1.0), *exhausted) == (
        "Completed",
        "all 1 points of the search space have been tried",
    )


def hopeless_job() -> list[ev.Event]:
    good = [event for n in range(1, 13) for event in b.run(n, 1.0, 0.9, 0.8 + n / 1000, 0.7)]
    return [*good, *b.suggested(13), *b.launched(13), b.observed(13, *[50.0] * 3)]


def test_a_hopeless_job_is_stopped_early_and_says_why() -> None:
    (command, _) = commands(*hopeless_job(), seen=(13,), max_jobs=20, early_stopping_type="Auto")
    assert isinstance(command, Stop)
    assert (command.number, command.reason) == (13, "EarlyStopped")
    assert command.verdict is not None
    assert command.verdict.reason
    assert command.verdict.evidence


def test_a_job_at_its_usual_end_is_not_judged_any_more() -> None:
    done = [*hopeless_job(), b.observed(13, 50.0, first=4)]
    assert commands(*done, seen=(13,), max_jobs=20, early_stopping_type="Auto") == [Plan(14)]


def test_off_means_off() -> None:
    assert commands(*hopeless_job(), seen=(13,), max_jobs=20) == [Plan(14)]


def test_only_what_has_news_is_judged() -> None:
    assert commands(*hopeless_job(), max_jobs=20, early_stopping_type="Auto") == [Plan(14)]


def test_a_strategy_is_asked_with_losses_and_without_the_job_itself() -> None:
    spec = b.make_spec(objective_type="Maximize")
    state = b.fold_all(
        *b.created(spec),
        *b.run(1, 1.0, 3.0),
        *b.run(2, math.nan),
        *[*b.suggested(3), *b.launched(3), b.exited(3, 1)],
        *[*b.suggested(4), *b.launched(4), b.observed(4, 2.0)],
        ev.JobPlanned(at=0, number=5),
    )
    request = suggest_request(spec, state, 5)
    assert [(each.number, each.status, each.loss) for each in request.trials] == [
        (1, "Completed", -3.0),
        (2, "Completed", math.inf),
        (3, "Failed", None),
        (4, "Running", None),
    ]
    assert list(request.trials[3].curve) == [(1.0, -2.0)]


def suspended(number: int, since: float, until: float | None) -> ev.JobSuspended:
    return ev.JobSuspended(at=until or since, number=number, attempt=1, since=since, until=until)


def test_a_job_may_be_at_work_as_long_as_its_limit_says() -> None:
    running = [*b.suggested(1), *b.launched(1, at=5), suspended(1, 10, 50)]
    limit = {"max_jobs": 1, "max_job_runtime_seconds": 30}
    assert commands(*running, now=74, **limit) == []
    assert commands(*running, now=75, **limit) == [Stop(1, "MaxRuntimeExceeded")]
    assert commands(*running, suspended(1, 60, None), now=900, **limit) == []


def test_no_time_limit_ends_a_job_that_may_not_have_been_at_work() -> None:
    running = [*b.suggested(1), *b.launched(1), *b.suggested(2), *b.launched(2)]
    limits = {"max_job_runtime_seconds": 30, "max_silence_seconds": 20, "max_jobs": 2}
    late = commands(*running, now=99, silent=(1, 2), unjudged=(1,), **limits)
    assert late == [Stop(2, "MaxRuntimeExceeded")]
    assert commands(*running, now=29, silent=(1,), unjudged=(1,), **limits) == []
    # What it has printed is judged all the same.
    seen = commands(
        *[*running, b.observed(1, 1.0)],
        now=99,
        seen=(1,),
        unjudged=(1, 2),
        early_stopping_type="Auto",
        **limits,
    )
    assert [type(each) for each in seen] == [Continue]


def test_the_time_of_the_tuning_job_is_that_of_its_tuners() -> None:
    asleep = ev.TunerSuspended(at=100, since=10, until=100)
    assert commands(asleep, now=109, max_runtime_seconds=20) == [Plan(1)]
    assert end(asleep, now=110, max_runtime_seconds=20)[1] == "max_runtime_seconds (20) reached"
    # Seen in a single turn, before anything else.
    assert commands(asleep, now=100, max_runtime_seconds=20) == [Plan(1)]


def test_grace_is_time_in_which_a_job_can_end() -> None:
    stopping = [*b.suggested(1), *b.launched(1), b.stop(1, at=5)]
    grace = {"max_jobs": 1, "stop_grace_seconds": 10}
    assert commands(*stopping, now=15, **grace) == [Kill(1)]
    assert commands(*stopping, suspended(1, 6, 90), now=98, **grace) == []
    assert commands(*stopping, suspended(1, 6, 90), now=99, **grace) == [Kill(1)]
    asleep = ev.TunerSuspended(at=95, since=8, until=95)
    assert commands(*stopping, suspended(1, 6, 90), asleep, now=104, **grace) == [Kill(1)]
    assert commands(*stopping, suspended(1, 6, 90), asleep, now=103, **grace) == []
    # One that is stopped for good cannot end by itself.
    assert commands(*stopping, suspended(1, 6, None), now=15, **grace) == [Kill(1)]


def test_what_an_interrupted_tuner_has_not_read_is_left_to_the_next() -> None:
    spec = b.make_spec()
    asked = ev.TuningJobStopRequested(at=5, reason="Interrupted")
    story = [*b.suggested(1), *b.launched(1), asked, b.stop(1, "Interrupted")]
    state = b.fold_all(*b.created(spec), *story)
    assert decide(spec, state, 6) == []
    (command,) = decide(spec, state, 6, left={1})
    assert isinstance(command, End)
    assert command.completion.status == "Stopped"
