"""The read model."""

from __future__ import annotations

import math

from hpt_cli.metrics.thinning import Totals
from hpt_cli.tuning import events as ev
from hpt_cli.tuning.summary import (
    Summary,
    estimate_saved_seconds,
    list_improvements,
    summarize,
    trace_best,
)
from tests import builders as b


def summary(*events: ev.Event, objective_type: str = "Minimize", now: float = 10) -> Summary:
    spec = b.make_spec(objective_type=objective_type)
    return summarize(b.fold_all(*b.created(spec), *events), now, at_work=True)


def test_the_final_objective_is_the_last_value_not_the_best() -> None:
    row = summary(*b.run(1, 3, 1, 2)).rows[0]
    assert (row.final, row.best, row.epochs) == (2, 1, 3)


def test_the_best_follows_the_objective_type() -> None:
    jobs = [*b.run(1, 3), *b.run(2, 1), *b.run(3, 2)]
    best_low = summary(*jobs).best
    best_high = summary(*jobs, objective_type="Maximize").best
    assert best_low is not None
    assert best_high is not None
    assert (best_low.number, best_high.number) == (2, 1)


def test_nan_and_infinity_are_never_best() -> None:
    best = summary(*b.run(1, math.nan), *b.run(2, -math.inf), *b.run(3, 5)).best
    assert best is not None
    assert best.number == 3
    assert summary(*b.run(1, math.nan)).best is None


def test_a_value_that_cannot_be_compared_is_no_success_of_the_objective() -> None:
    seen = summary(*b.run(1, 1, math.nan), *b.run(2, -math.inf), *b.run(3, math.nan, 5))
    assert [(row.status, row.objective_status, row.failure_reason) for row in seen.rows] == [
        ("Completed", "Failed", "its last value of loss is nan"),
        ("Completed", "Failed", "its last value of loss is -inf"),
        ("Completed", "Succeeded", None),
    ]
    assert seen.objective_counts == {"succeeded": 1, "pending": 0, "failed": 2}


def test_a_failed_objective_is_told_of_what_counts() -> None:
    for chosen, reason in (("mean", "its final value of loss is nan"), ("best", None)):
        spec = b.make_spec(objective_value=chosen)
        story = [*b.created(spec), *b.run(1, math.nan, 2, math.nan)]
        (row,) = summarize(b.fold_all(*story), 9, at_work=True).rows
        assert row.failure_reason == reason


def test_a_job_does_not_end_before_it_began() -> None:
    row = summary(*b.suggested(1), *b.launched(1, at=5), b.exited(1, at=4.98)).rows[0]
    assert (row.started_at, row.ended_at, row.elapsed) == (5, 5, 0)


def test_a_stopped_job_is_best_only_if_no_completed_one_is_as_good() -> None:
    stopped = [*b.suggested(1), *b.launched(1), b.observed(1, 2), b.stop(1), b.exited(1, -15)]
    tied = summary(*stopped, *b.run(2, 2)).best
    beaten = summary(*stopped, *b.run(2, 3)).best
    assert tied is not None
    assert beaten is not None
    assert (tied.number, beaten.number) == (2, 1)


def test_objective_status_is_an_axis_of_its_own() -> None:
    rows = summary(
        *[*b.suggested(1), *b.launched(1), b.exited(1)],
        *[*b.suggested(2), *b.launched(2), b.observed(2, 1), b.stop(2), b.exited(2, -15)],
        *[*b.suggested(3), *b.launched(3), b.observed(3, 1), b.exited(3, 1)],
        *[*b.suggested(4), *b.launched(4), b.observed(4, 1)],
    )
    assert [(row.status, row.objective_status) for row in rows.rows] == [
        ("Completed", "Failed"),
        ("Stopped", "Succeeded"),
        ("Failed", "Failed"),
        ("InProgress", "Pending"),
    ]
    assert rows.job_counts == {"completed": 1, "in_progress": 1, "stopped": 1, "failed": 1}
    assert rows.objective_counts == {"succeeded": 1, "pending": 1, "failed": 2}
    assert rows.rows[0].failure_reason == "it reported no value of loss"


def test_a_result_settles_what_was_doubted_before_the_first_job() -> None:
    doubt = ev.Warned(at=0, slug="doubt-file", message="there is no file train.py", hint="")
    other = ev.Warned(at=0, slug="no-objective", message="", hint="")
    assert summary(doubt, other, *b.suggested(1)).warnings == (doubt, other)
    assert summary(doubt, other, *b.run(1, 2)).warnings == (other,)


def test_times_add_up_over_attempts_and_sessions() -> None:
    result = summary(
        *b.suggested(1),
        *b.launched(1, at=1),
        b.stop(1, "Interrupted", at=2),
        b.exited(1, -15, at=3),
        ev.SpecChanged(at=90, changes={"max_jobs": 9}),
        ev.TunerStarted(at=100, pid=2, host="here"),
        *b.launched(1, at=101, attempt=2),
        now=105,
    )
    assert result.total_training_time == (3 - 1) + (105 - 101)
    assert result.tuning_time == 3 + 5
    # The tuner shows how it ended before it leaves: that takes no tuning time.
    over = ev.TuningJobEnded(at=9, status="Completed", reason="max_jobs (1) reached")
    assert summary(*b.run(1, 0.5), over, now=12).tuning_time == 9


def test_a_slow_start_is_no_interruption() -> None:
    created, _ = b.created(b.make_spec())
    started = [created, ev.TunerStarted(at=1.4, pid=1, host="here")]
    resumed = ev.TunerStarted(at=20, pid=2, host="here")
    for events, idle in ((started, 0), ([*started, *b.run(1, 0.5, at=9), resumed], 10)):
        assert summarize(b.fold_all(*events), 30, at_work=True).idle_seconds == idle


def test_a_tuner_worked_as_long_as_it_is_known_to_have_lived() -> None:
    events = [*b.suggested(1), *b.launched(1, at=1)]

    def measure(last_alive: float | None) -> float:
        resumed = ev.TunerStarted(at=100, pid=2, host="here", last_alive=last_alive)
        return summary(*events, resumed, now=105).tuning_time

    assert measure(None) == 1 + 5
    assert measure(30) == 30 + 5
    # Whatever a clock that was set meanwhile says.
    assert (measure(0.5), measure(900)) == (1 + 5, 100 + 5)


def test_time_is_time_at_work() -> None:
    """Of the job, and of the tuning job: each may be suspended without the other."""
    suspended = [
        ev.TunerSuspended(at=50, since=20, until=50),
        ev.JobSuspended(at=50, number=1, attempt=1, since=30, until=49),
    ]
    going = [*b.suggested(1), *b.launched(1, at=10), *suspended]
    assert summary(*going, now=60).total_training_time == 50 - 19
    assert summary(*going, now=60).tuning_time == 60 - 30
    # It takes no time while it stands still.
    still = ev.JobSuspended(at=70, number=1, attempt=1, since=62)
    assert [summary(*going, still, now=now).rows[0].elapsed for now in (70, 90)] == [33, 33]
    goes_on = ev.JobSuspended(at=80, number=1, attempt=1, since=62, until=80)
    done = summary(*going, still, goes_on, b.exited(1, at=100), now=300)
    assert done.rows[0].elapsed == 90 - 19 - 18
    assert (done.rows[0].started_at, done.rows[0].ended_at) == (10, 100)


def test_a_second_tuner_that_was_suspended_adds_its_own_sessions() -> None:
    resumed = [
        ev.TunerStarted(at=100, pid=2, host="here", last_alive=40),
        ev.TunerSuspended(at=130, since=110, until=120),
    ]
    result = summary(*b.run(1, 3.0, at=4), *resumed, *b.run(2, 0.5, at=129), now=150)
    assert result.sessions == ((0, 0), (0, 40), (100, 110), (120, 130))
    assert result.tuning_time == 40 + 10 + 30
    assert trace_best(result) == [(5, 3.0), (60, 3.0), (60, 0.5), (80, 0.5)]


def test_a_lost_attempt_took_time_until_its_last_sign_of_life() -> None:
    lost = ev.JobLost(at=900, number=1, attempt=1, why="gone", ended_at=30)
    result = summary(*b.suggested(1), *b.launched(1, at=10), lost, now=950)
    assert result.total_training_time == 20


def test_nobody_knows_what_a_job_does_without_a_tuner() -> None:
    state = b.fold_all(
        *b.created(b.make_spec()), *b.suggested(1), *b.launched(1, at=1), b.observed(1, 3.0, at=7)
    )
    result = summarize(state, 500, at_work=False)
    assert (result.total_training_time, result.tuning_time) == (6, 7)


def test_the_pace_of_a_job_leaves_out_when_it_was_suspended() -> None:
    spans = ev.JobSuspended(at=60, number=1, attempt=1, since=20, until=60)
    events = [b.observed(1, 3.0, at=10), spans, b.observed(1, 2.0, 1.0, at=70, first=2)]
    (row,) = summary(*b.suggested(1), *b.launched(1), *events).rows
    assert row.seconds_per_epoch == (10 + 10) / 2


def test_a_job_without_hyperparameters_is_not_shown() -> None:
    assert summary(ev.JobPlanned(at=0, number=1)).rows == ()


def test_how_the_best_moved_over_tuning_time() -> None:
    later = [ev.TunerStarted(at=100, pid=1, host="here"), *b.run(3, 0.5, at=109)]
    state = b.fold_all(
        *b.created(b.make_spec()), *b.run(1, 3.0, at=4), *b.run(2, 4.0, at=6), *later
    )
    found = summarize(state, 120, at_work=True)
    assert [row.number for row in list_improvements(found.rows, found.objective)] == [1, 3]
    # The first tuner was heard of last at 7; the second began at 100: 7 + 10 s of tuning.
    assert trace_best(found) == [(5, 3.0), (17, 3.0), (17, 0.5), (27, 0.5)]


def test_what_early_stopping_saved_is_what_was_left_at_the_job_s_own_pace() -> None:
    stopped = [
        *[*b.suggested(3), *b.launched(3, at=0), b.observed(3, 9.0, 9.0, at=4)],
        *[b.stop(3, at=4), b.exited(3, -15, at=4)],
    ]
    events = [
        *b.created(b.make_spec()),
        *b.run(1, 3.0, 2.0, 1.0, 0.5),
        *b.run(2, 3.0, 2.0, 1.0, 0.5),
    ]
    assert estimate_saved_seconds(summarize(b.fold_all(*events), 9, at_work=True).rows) is None
    rows = summarize(b.fold_all(*events, *stopped), 9, at_work=True).rows
    assert estimate_saved_seconds(rows) == 4.0, "2 of 4 epochs took 4 s"
    assert estimate_saved_seconds(rows[2:]) is None, "nothing completed to measure against"


def test_what_a_job_takes_to_start_is_not_saved() -> None:
    def tell(number: int, epochs: int, start: float) -> list[ev.Event]:
        values = [
            b.observed(number, 9.0 - epoch, at=start + 5 + epoch, first=epoch)
            for epoch in range(1, epochs + 1)
        ]
        return [*b.suggested(number), *b.launched(number, at=start), *values]

    whole = [*tell(1, 4, 0.0), b.exited(1, at=9)]
    cut = [*tell(2, 2, 10.0), b.stop(2, at=17), b.exited(2, -15, at=17)]
    rows = summarize(b.fold_all(*b.created(b.make_spec()), *whole, *cut), 20, at_work=True).rows
    assert [row.seconds_per_epoch for row in rows] == [1.0, 1.0]
    assert estimate_saved_seconds(rows) == 2.0, "not half of the 7 s that two epochs took"
    early = [*tell(2, 1, 10.0), b.stop(2, at=16), b.exited(2, -15, at=16)]
    rows = summarize(b.fold_all(*b.created(b.make_spec()), *whole, *early), 20, at_work=True).rows
    assert estimate_saved_seconds(rows) == 3.0, "at the usual pace"


def test_what_a_thinned_curve_has_not_counts_too() -> None:
    known = Totals(count=70, steps=60, finite=65, sum=1.0, least=-5.0, greatest=9.0, offset=10**6)
    counted = ev.ValuesCounted(at=1, number=1, attempt=1, totals={"loss": known})
    story = [*b.created(b.make_spec()), *b.run(1, 3.0, 2.0)]
    (row,) = summarize(b.fold_all(*story[:-1], counted, story[-1]), 9, at_work=False).rows
    assert (row.epochs, row.best, row.final) == (60, -5.0, 2.0)
