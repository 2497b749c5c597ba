"""Replays against the whole tuner, and against a tuner of twenty lines."""

from __future__ import annotations

import heapq
import math
import statistics
from typing import Any

import numpy as np
import pytest

from hpt_cli.analysis.replay import (
    RecordedJob,
    Replay,
    choose_in_order,
    make_spec,
    measure,
    record,
    replay,
)
from hpt_cli.metrics.curve import Observation
from hpt_cli.spec.model import TuningSpec
from hpt_cli.spec.objective import Objective
from hpt_cli.spec.parts import Pausing
from hpt_cli.stop_rules import STOP_RULES, LossCurve, load_stop_rule
from hpt_cli.tuning import events as ev
from hpt_cli.tuning.commands import Launch, Pause, Plan, Stop, Thaw
from hpt_cli.tuning.decide import decide
from hpt_cli.tuning.fold import fold
from hpt_cli.tuning.state import TuningState
from hpt_cli.tuning.summary import tuning_seconds
from tests import builders as b

LOSS = Objective("loss", maximize=False)


def draw_jobs(seed: int, jobs: int = 15, epochs: int = 9) -> list[RecordedJob]:
    """Noisy curves of jobs that take different times; one diverges, one fails early."""
    rng = np.random.default_rng(seed)
    drawn = []
    for number in range(jobs):
        level, fall = rng.uniform(0, 1), rng.uniform(0.5, 3)
        losses = [level + fall / (e + 1) + rng.normal(0, 0.05) for e in range(epochs)]
        if number == 7:
            losses[3:] = [math.nan] * (epochs - 3)
        last = 4 if number == 5 else epochs
        curve = tuple((e + 1.0, float(loss)) for e, loss in enumerate(losses[:last]))
        seconds = float(rng.uniform(2, 20))
        drawn.append(RecordedJob({"x": number}, curve, seconds, exit_code=int(number == 5)))
    return drawn


def stops_of(run: Replay) -> dict[int, int]:
    return {job.number: len(job.curve("loss")) for job in run.stopped}


def replay_by_decide(jobs: list[RecordedJob], spec: TuningSpec) -> dict[int, int]:
    """Every observation through `fold`, every judgement through `decide`."""
    state = TuningState()
    for event in b.created(spec):
        state = fold(state, event)
    due: list[tuple[float, int, int]] = []
    observed: set[int] = set()
    now = 0.0

    def tell(*events: ev.Event) -> None:
        nonlocal state
        for event in events:
            state = fold(state, event)

    def await_epoch(number: int, epoch: int) -> None:
        recorded, attempt = jobs[number - 1], state.jobs[number].attempt
        assert attempt is not None
        elapsed = recorded.seconds * epoch / len(recorded.curve)
        elapsed += sum(until - since for since, until in attempt.suspended)
        heapq.heappush(due, (attempt.started_at + elapsed, number, epoch))

    def act() -> None:
        while commands := decide(spec, state, now, observed):
            observed.clear()
            acted = False
            for command in commands:
                match command:
                    case Plan(number):
                        tell(*b.suggested(number, now, **jobs[number - 1].hyperparameters))
                        acted = True
                    case Launch(number):
                        tell(*b.launched(number, now))
                        await_epoch(number, 1)
                        acted = True
                    case Stop(number, reason):
                        tell(b.stop(number, reason, now), b.exited(number, -15, now))
                        acted = True
                    case Pause(number, why):
                        tell(ev.JobPaused(at=now, number=number, attempt=1, reason=why))
                        due[:] = sorted(each for each in due if each[1] != number)
                        acted = True
                    case Thaw(number, why):
                        tell(ev.JobThawed(at=now, number=number, attempt=1, reason=why))
                        await_epoch(number, len(state.jobs[number].curve("loss")) + 1)
                        acted = True
            if not acted:
                return

    act()
    while due:
        now, number, epoch = heapq.heappop(due)
        if state.jobs[number].has_ended:
            continue
        recorded = jobs[number - 1]
        step, value = recorded.curve[epoch - 1]
        point = Observation("loss", epoch, step, value)
        tell(ev.ObservationsRead(at=now, number=number, attempt=1, observations=(point,)))
        if epoch == len(recorded.curve):
            tell(b.exited(number, recorded.exit_code, now))
        else:
            observed.add(number)
            await_epoch(number, epoch + 1)
        act()
    return {
        job.number: len(job.curve("loss"))
        for job in state.jobs.values()
        if job.stop_reason == "EarlyStopped"
    }


@pytest.mark.parametrize("rule", STOP_RULES)
def test_a_replay_is_what_decide_and_fold_do(rule: str) -> None:
    jobs = draw_jobs(seed=3)
    parameters: dict[str, Any] = (
        {"min_completed_jobs": 3} if rule in ("median", "percentile") else {}
    )
    fast = replay(
        make_spec(LOSS, len(jobs), 3),
        choose_in_order(jobs),
        load_stop_rule(rule, **parameters),
    )
    slow_spec = b.make_spec(
        hyperparameter_ranges={"x": {"type": "Integer", "min_value": 0, "max_value": 99}},
        max_jobs=len(jobs),
        max_parallel_jobs=3,
        early_stopping_type="Auto",
        early_stopping={"rule": rule, **parameters},
    )
    assert stops_of(fast) == replay_by_decide(jobs, slow_spec)
    assert fast.state.jobs[6].phase in ("Failed", "Stopped")
    assert stops_of(fast)[8] <= 6, "three losses in a row that are NaN stop a job"


@pytest.mark.parametrize("pausing", [{}, {"max_paused": 3}])
@pytest.mark.parametrize("seed", range(3))
def test_a_replay_with_pausing_is_what_decide_and_fold_do(
    seed: int, pausing: dict[str, int]
) -> None:
    jobs = draw_jobs(seed, epochs=30)
    spec = make_spec(LOSS, len(jobs), 2, pausing=Pausing.model_validate(pausing))
    fast = replay(spec, choose_in_order(jobs), load_stop_rule("auto"))
    slow_spec = b.make_spec(
        hyperparameter_ranges={"x": {"type": "Integer", "min_value": 0, "max_value": 99}},
        max_jobs=len(jobs),
        early_stopping_type="Auto",
        pausing=pausing,
    )
    assert stops_of(fast) == replay_by_decide(jobs, slow_spec)
    assert not fast.state.jobs.open


def test_a_job_that_goes_on_from_its_checkpoint_starts_up_again() -> None:
    jobs = [
        RecordedJob({"x": 1}, ((1, 9.0), (2, 8.0), (3, 7.0)), seconds=10, seconds_per_epoch=2),
        RecordedJob({"x": 2}, ((1, 5.0), (2, 4.0), (3, 3.0)), seconds=10, seconds_per_epoch=2),
    ]
    pausing = Pausing(method="checkpoint")
    run = replay(make_spec(LOSS, 2, 1, pausing=pausing), choose_in_order(jobs), None)
    assert [job.phase for job in run.state.jobs.values()] == ["Completed", "Completed"]
    assert [len(job.attempts) for job in run.state.jobs.values()] == [2, 1]
    # Job 1 starts up in 4 s and trains two epochs; job 2 is better there, and goes on; then job 1
    # starts up again, and trains the last one.
    assert [job.attempts[-1].ended_at for job in run.state.jobs.values()] == [24, 18]
    assert run.training_time == 8 + 10 + 6


def stop_by_median(jobs: list[RecordedJob], min_completed_jobs: int) -> dict[int, int]:
    """SageMaker's rule for jobs one after the other, from the sentence in its documentation."""
    completed: list[list[float]] = []
    stopped = {}
    for number, job in enumerate(jobs, 1):
        losses = [value if math.isfinite(value) else math.inf for _, value in job.curve]
        for epoch in range(2, len(losses)):
            means = [statistics.fmean(other[:epoch]) for other in completed if len(other) >= epoch]
            diverged = epoch >= 3 and all(map(math.isinf, losses[epoch - 3 : epoch]))
            lags = len(completed) >= min_completed_jobs and losses[epoch - 1] > statistics.median(
                means
            )
            if diverged or lags:
                stopped[number] = epoch
                break
        else:
            if job.exit_code == 0:
                completed.append(losses)
    return stopped


@pytest.mark.parametrize("seed", range(5))
def test_a_replay_agrees_with_the_median_rule_written_anew(seed: int) -> None:
    jobs = draw_jobs(seed)
    rule = load_stop_rule("median", min_completed_jobs=4)
    run = replay(make_spec(LOSS, len(jobs), 1), choose_in_order(jobs), rule)
    expected = stop_by_median(jobs, 4)
    assert expected
    assert stops_of(run) == expected
    spent = sum(
        job.seconds * expected.get(number, len(job.curve)) / len(job.curve)
        for number, job in enumerate(jobs, 1)
    )
    assert tuning_seconds(run.state, None) == pytest.approx(spent)


def make_job(*losses: float, seconds: float = 4.0) -> RecordedJob:
    return RecordedJob({}, tuple((e + 1.0, loss) for e, loss in enumerate(losses)), seconds)


def test_the_clock() -> None:
    jobs = [make_job(1, 1, seconds=10), make_job(1, 1, seconds=4), make_job(1, 1, seconds=3)]
    run = replay(make_spec(LOSS, 3, 2), choose_in_order(jobs), None)
    ends = [job.attempts[0].ended_at for job in run.state.jobs.values()]
    assert ends == [10, 4, 7]
    assert tuning_seconds(run.state, None) == 10


def test_a_job_without_a_value_takes_its_time() -> None:
    run = replay(make_spec(LOSS, 1, 1), choose_in_order([make_job(seconds=5)]), None)
    assert run.state.jobs[1].phase == "Completed"
    assert tuning_seconds(run.state, None) == 5


def test_figures() -> None:
    jobs = [make_job(4, 4, 4, 4), make_job(8, 8, 8, 2), make_job(3, 3, 3, 3)]
    spec, choose = make_spec(LOSS, 3, 1), choose_in_order(jobs)
    off = replay(spec, choose, None)
    rule = load_stop_rule("threshold", worst_loss=7.0, min_epochs=2)
    figures = measure(off, replay(spec, choose, rule), [2, 3, 4])
    assert figures.epochs_saved == pytest.approx(2 / 12)
    assert figures.training_time_saved == pytest.approx(2 / 12)
    assert figures.tuning_time_saved == pytest.approx(2 / 12)
    assert figures.jobs_stopped == 1
    assert figures.kept_best == 0
    assert figures.loss == 1.0, "3 instead of 2, and the median is 3"


def test_equal_bests_are_kept_while_one_is() -> None:
    jobs = [make_job(8, 8, 8, 2), make_job(4, 4, 4, 2)]
    spec, choose = make_spec(LOSS, 2, 1), choose_in_order(jobs)
    off = replay(spec, choose, None)
    rule = load_stop_rule("threshold", worst_loss=7.0)
    figures = measure(off, replay(spec, choose, rule), [2, 2])
    assert (figures.jobs_stopped, figures.kept_best, figures.loss) == (1, 1, 0)


def test_a_rule_knows_the_curves_of_parents() -> None:
    parents = [
        LossCurve(-number, "Completed", (1.0, 2.0, 3.0), (1.0, 1.0, 1.0)) for number in range(3)
    ]
    rule = load_stop_rule("median", min_completed_jobs=3)
    spec, choose = make_spec(LOSS, 1, 1), choose_in_order([make_job(5, 5, 5)])
    assert stops_of(replay(spec, choose, rule, parents)) == {1: 2}
    assert stops_of(replay(spec, choose, rule)) == {}


def test_what_was_stopped_is_not_recorded() -> None:
    ranges = {"x": {"type": "Integer", "min_value": 1, "max_value": 9}}
    spec = b.make_spec(hyperparameter_ranges=ranges, strategy="Bayesian", max_jobs=3)
    state = b.fold_all(
        *b.created(spec),
        *b.run(1, 3.0, 2.0, at=5),
        *b.suggested(2),
        *b.launched(2),
        b.observed(2, 9.0),
        b.stop(2, at=2),
        b.exited(2, -15, at=3),
        *b.suggested(3, 6),
        *b.launched(3, 6),
        b.exited(3, 1, at=8),
    )
    recording = record(state)
    assert recording.left_out == 1
    assert recording.max_parallel_jobs == 2
    assert recording.jobs == {
        1: RecordedJob({"x": 1}, ((1.0, 3.0), (2.0, 2.0)), 1.0),
        3: RecordedJob({"x": 3}, (), 2.0, exit_code=1),
    }
    assert len(recording.replay(None).state.jobs) == 2


@pytest.mark.parametrize(("chosen", "best"), [("last", 6.0), ("best", 1.0), ("mean", 3.0)])
def test_what_counts_is_replayed(chosen: str, best: float) -> None:
    story = [*b.created(b.make_spec(objective_value=chosen)), *b.run(1, 1.0, 2.0, 6.0, at=5)]
    assert record(b.fold_all(*story)).replay(None).best_value == best


def test_a_job_that_takes_long_to_start_is_stopped_no_earlier_for_that() -> None:
    curve = tuple((float(epoch), 1.0 / epoch) for epoch in range(1, 5))
    assert RecordedJob({}, curve, 8.0).find_moment(2) == 4.0
    started = RecordedJob({}, curve, 8.0, seconds_per_epoch=1.0)
    assert [started.find_moment(epoch) for epoch in range(1, 5)] == [5.0, 6.0, 7.0, 8.0]
    values = [b.observed(1, 1.0, at=4.0 + epoch, first=epoch) for epoch in range(1, 5)]
    story = [*b.suggested(1), *b.launched(1), *values, b.exited(1, at=8)]
    recorded = record(b.fold_all(*b.created(b.make_spec()), *story)).jobs[1]
    assert (recorded.seconds_per_epoch, recorded.seconds) == (1.0, 8.0)
