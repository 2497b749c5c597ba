"""The read model: what every view shows, computed from the state in one place."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, NamedTuple

from hpt_cli.formatting import format_number, plain
from hpt_cli.metrics.curve import Curve
from hpt_cli.spec.hyperparameters import Hyperparameters
from hpt_cli.spec.names import job_name
from hpt_cli.spec.objective import Objective
from hpt_cli.tuning.allocation import Share
from hpt_cli.tuning.events import Warned
from hpt_cli.tuning.failures.history import describe_alike
from hpt_cli.tuning.jobs.spans import count_seconds
from hpt_cli.tuning.jobs.training_job import Pause, TrainingJob
from hpt_cli.tuning.progress import Progress, count_progress
from hpt_cli.tuning.repeats.configurations import Configuration, find_best_configuration
from hpt_cli.tuning.repeats.rows import describe_mean, number_rows, select_rows
from hpt_cli.tuning.state import Parent, TuningState

ObjectiveStatus = Literal["Pending", "Succeeded", "Failed"]

JOB_STATUSES = {
    "Completed": "completed",
    "InProgress": "in_progress",
    "Stopped": "stopped",
    "Failed": "failed",
}
"""The statuses that training jobs are counted by in JSON, and the keys of their counters: a
Stopping one counts as InProgress. For people, progress.py counts."""
RESULT_DIGITS = 6
MIN_RESULTS = 6
"""With fewer results, nothing can be said about which hyperparameters mattered."""


@dataclass(frozen=True, slots=True)
class Row:
    """One training job, as results tables show it. Times are seconds since the epoch."""

    name: str
    number: int
    status: str
    phase: str
    queue_reason: str | None
    stop_reason: str | None
    explanation: str
    objective_status: ObjectiveStatus
    so_far: float | None
    """What counts of its values of the objective until now, whether or not it is a result."""
    final: float | None
    best: float | None
    epochs: int
    """How many values it has had of the metric that it is judged by."""
    started_at: float | None
    ended_at: float | None
    elapsed: float
    attempts: int
    failure_reason: str | None
    tail: tuple[str, ...]
    notes: tuple[str, ...]
    hyperparameters: Hyperparameters
    curve: Curve
    latest: Mapping[str, float]
    """The latest value of every metric."""
    seconds_per_epoch: float | None = None
    """How many seconds an epoch takes, as far as its values were seen to come."""
    share: Share | None = None
    """Which cores and GPUs its latest attempt has, or had."""
    is_suspended: bool = False
    """Whether it stands still, and may go on."""
    pauses: tuple[Pause, ...] = ()
    """When it made way for others."""
    breaks: str = ""
    """By what it breaks a metric constraint, so that it has no result."""
    source: str | None = None
    """Who proposed it; None where hpt chose it."""
    configuration: int | None = None
    """With repeats, the number of its configuration."""


@dataclass(frozen=True, slots=True)
class Summary:
    """One tuning job at a glance."""

    name: str
    status: str
    objective: Objective
    max_jobs: int | None
    job_counts: Mapping[str, int]
    progress: Progress
    objective_counts: Mapping[str, int]
    best: Row | None
    total_training_time: float
    tuning_time: float
    created_at: float
    reason: str
    rows: tuple[Row, ...]
    parents: tuple[Parent, ...] = ()
    warnings: tuple[Warned, ...] = ()
    overall_best: Mapping[str, Any] | None = None
    """The best of this tuning job and its parents, where those had the same data."""
    sessions: tuple[tuple[float, float], ...] = ()
    """From when to when tuners were at work."""
    has_more: bool = False
    """Whether it is Completed, and would continue, as its limits have changed since."""
    pause: str = ""
    """Why launching is paused, if it is."""
    outside: int = 0
    """How many training jobs lie outside the search space, and are not learned from."""
    repeats: Mapping[str, Any] | None = None
    """The part of the spec."""
    configurations: tuple[Configuration, ...] = ()
    """With repeats, those that were tried."""
    best_configuration: Configuration | None = None
    """With repeats, the one whose true mean is likely to be the best."""
    confirms: Mapping[str, Any] | None = None
    """The part of the spec: whose best are run again."""

    @property
    def epochs(self) -> int:
        """How many epochs all training jobs have trained."""
        return sum(row.epochs for row in self.rows)

    @property
    def idle_seconds(self) -> float:
        """The seconds since the first tuner in which none was at work, or it was suspended."""
        # The first is that of who wrote the journal, whose tuner then takes a moment to start.
        sessions = self.sessions[1:]
        return sum(max(0.0, after - until) for (_, until), (after, _) in pairwise(sessions))

    @property
    def best_result(self) -> str:
        """The best value and whose it is: `loss = 0.125 by digits-0007`, with repeats also the mean
        of its configuration; empty without one."""
        if self.best is None:
            return ""
        value = format_number(self.best.final, RESULT_DIGITS)
        text = plain(f"{self.objective.metric} = {value} by {self.best.name}")
        mean = describe_mean(self.best_configuration, self.objective)
        return f"{text}, {mean}" if mean else text

    @property
    def best_name(self) -> str | None:
        """The best training job's name."""
        return self.best.name if self.best else None

    @property
    def best_number(self) -> int | None:
        """The best training job's number."""
        return self.best.number if self.best else None

    @property
    def best_value(self) -> float | None:
        """The best training job's final objective value."""
        return self.best.final if self.best else None


def summarize(
    state: TuningState, now: float, *, at_work: bool, known: Iterable[Row] = ()
) -> Summary:
    """Return the summary of a tuning job at a time.

    Args:
        state: what is known.
        now: seconds since the epoch.
        at_work: whether a tuner holds it.
        known: rows of jobs that had ended, from an earlier summary: they are not made again.
    """
    now = now if at_work else state.last_event_at  # what jobs do without a tuner is not known
    objective = Objective.of(state.spec)
    rows = _make_rows(state, objective, now, known)
    repeats = state.spec.get("repeats")
    rows, configurations = number_rows(rows, objective, repeats)
    best_configuration = find_best_configuration(configurations)
    best = find_best(select_rows(rows, best_configuration, repeats), objective)
    goes_on = state.status in ("InProgress", "Stopping")
    return Summary(
        name=state.spec["name"],
        status=state.status,
        objective=objective,
        max_jobs=state.spec.get("max_jobs"),
        job_counts=_count_jobs(rows),
        progress=count_progress(rows, state.spec.get("max_jobs"), at_work=at_work),
        objective_counts=_count_objectives(rows),
        best=best,
        total_training_time=sum(row.elapsed for row in rows),
        tuning_time=tuning_seconds(state, now if goes_on else None),
        created_at=state.created_at,
        reason=state.reason,
        rows=rows,
        parents=state.parents,
        warnings=tuple(each for each in state.warnings if not (best and each.is_doubt)),
        overall_best=find_overall_best(state, best, objective),
        sessions=state.sessions,
        pause=_describe_pause(state) if goes_on else "",
        repeats=repeats,
        configurations=configurations,
        best_configuration=best_configuration,
        confirms=state.spec.get("confirms"),
    )


def _make_rows(
    state: TuningState, objective: Objective, now: float, known: Iterable[Row]
) -> tuple[Row, ...]:
    """Return the rows of jobs with hyperparameters: those of `known` where they are the same."""
    ended = {(row.number, row.attempts): row for row in known if row.ended_at is not None}

    def find_known(job: TrainingJob) -> Row | None:
        row = ended.get((job.number, len(job.attempts))) if job.has_ended else None
        # They are others once it is known what else it ran with.
        return row if row is not None and row.hyperparameters is job.hyperparameters else None

    return tuple(
        find_known(job) or make_row(state, job, objective, now)
        for job in state.jobs.values()
        if job.hyperparameters is not None and (job.attempts or state.status == "InProgress")
    )


def _describe_pause(state: TuningState) -> str:
    outage = state.failures.outage
    if outage is None or not outage.failures:
        return ""
    return f"{describe_alike(outage.failures)}; one job at a time is tried until one works"


def find_overall_best(
    state: TuningState, best: Row | None, objective: Objective
) -> Mapping[str, Any] | None:
    """Return the best job of a tuning job and its parents; None unless those had the same data."""
    warm_start = state.spec.get("warm_start")
    if not warm_start or warm_start["type"] != "IdenticalDataAndAlgorithm":
        return None
    candidates: list[Mapping[str, Any]] = [each.best for each in state.parents if each.best]
    if best is not None:
        candidates.append(describe_best(best))
    return min(
        candidates, key=lambda each: objective.loss(each["final_objective_value"]), default=None
    )


def describe_best(row: Row) -> dict[str, Any]:
    """Return a best training job as JSON-able values, as a warm start records it."""
    return {
        "training_job_name": row.name,
        "final_objective_value": row.final,
        "hyperparameters": row.hyperparameters,
    }


def make_row(state: TuningState, job: TrainingJob, objective: Objective, now: float) -> Row:
    """Return the row of a job that has hyperparameters."""
    curve, so_far = job.curve(objective.metric), choose_value(job, objective)
    finite = [value for _, value in curve if math.isfinite(value)]
    for totals in job.list_totals(objective.metric):
        finite += [each for each in (totals.least, totals.greatest) if each is not None]
    judged = Objective.of_judged(state.spec).metric
    request, proposal = job.stop_request, state.find_proposal(job)
    started = job.attempts[0].started_at if job.attempts else None
    return Row(
        name=job_name(state.spec["name"], job.number),
        number=job.number,
        status=job.status,
        phase=job.phase,
        queue_reason=job.attempts[-1].queue_reason if job.is_running else None,
        stop_reason=job.stop_reason,
        explanation=request.explanation if request else "",
        objective_status=find_objective_status(job, objective),
        so_far=so_far,
        final=final_objective(job, objective),
        best=min(finite, key=objective.loss) if finite else None,
        epochs=job.count_steps(judged),
        started_at=started,
        ended_at=job.attempts[-1].ended_at if job.attempts and job.has_ended else None,
        elapsed=training_seconds(job, now),
        attempts=len(job.attempts),
        failure_reason=_failure_reason(job, so_far, objective),
        breaks=find_broken(job, objective) if so_far is not None else "",
        tail=job.tail,
        notes=job.notes,
        hyperparameters=job.hyperparameters or {},
        curve=curve,
        latest={name: job.curve(name)[-1][1] for name in job.metrics},
        seconds_per_epoch=measure_seconds_per_epoch(job, judged),
        share=job.attempt.share if job.attempt else None,
        is_suspended=job.is_running and job.attempts[-1].suspended_since is not None,
        pauses=job.pauses,
        source=None if proposal is None else proposal.source,
    )


def final_objective(job: TrainingJob, objective: Objective) -> float | None:
    """Return what counts of the objective's values, for a job that ended with a result, and breaks
    no metric constraint."""
    return None if find_broken(job, objective) else final_value(job, objective)


def final_value(job: TrainingJob, objective: Objective) -> float | None:
    """Return the same whether or not the job breaks a metric constraint."""
    return choose_value(job, objective) if job.phase in ("Completed", "Stopped") else None


def find_broken(job: TrainingJob, objective: Objective, *, may_lack: bool = False) -> str:
    """Return by what a job that ended with a result breaks a metric constraint; "" if by nothing.

    Args:
        may_lack: whether one without a value of such a metric breaks none, as one of a parent does.
    """
    if not objective.constraints or job.phase not in ("Completed", "Stopped"):
        return ""
    latest = {name: job.curve(name)[-1][1] for name in job.metrics}
    return objective.find_broken(latest, may_lack=may_lack or job.number < 1)


def choose_value(job: TrainingJob, objective: Objective) -> float | None:
    """Return what counts of the values that a job has had until now; None without any."""
    curve = objective.choose(job.curve(objective.metric))
    if not curve:
        return None
    totals = job.list_totals(objective.metric)
    return curve[-1][1] if not totals else objective.choose_of_all(curve[-1][1], totals)


def training_seconds(job: TrainingJob, now: float) -> float:
    """Return the seconds that all attempts of a job were at work, which is not their time in a
    queue."""
    total = 0.0
    for attempt in job.attempts:
        if attempt.is_queued:
            continue
        # One that is followed by another has ended, even where that was not recorded.
        if attempt.ended_at is not None or (job.is_alive and attempt is job.attempts[-1]):
            total += attempt.count_seconds(now if attempt.ended_at is None else attempt.ended_at)
    return total


def measure_seconds_per_epoch(job: TrainingJob, metric: str) -> float | None:
    """Return the seconds between two values of a metric, not counting the time before the first.

    None where they were not seen to come one after the other.
    """
    for attempt in reversed(job.attempts):
        arrivals = attempt.arrivals.get(metric)
        if arrivals is None:
            continue
        ended = arrivals.until if attempt.ended_at is None else attempt.ended_at
        seconds = count_seconds(arrivals.since, min(arrivals.until, ended), attempt.suspended)
        epochs = attempt.count_steps(metric) - arrivals.at_once
        if seconds > 0 and epochs > 0:
            return seconds / epochs
    return None


def tuning_seconds(state: TuningState, now: float | None) -> float:
    """Return the seconds of all tuners' work; `now` if one is at work, else None."""
    total = sum(last - start for start, last in state.sessions)
    return total if now is None else total + max(0.0, now - state.last_event_at)


def find_best(rows: Iterable[Row], objective: Objective) -> Row | None:
    """Return the row of the best training job; None if no job has a result.

    A Stopped job is the best only if no Completed one is as good; a job whose last value is NaN or
    infinite never is.
    """

    def order(row: Row) -> tuple[float, bool, int]:
        assert row.final is not None
        return objective.loss(row.final), row.status != "Completed", row.number

    able = [row for row in rows if row.final is not None and math.isfinite(row.final)]
    return min(able, key=order, default=None)


def has_enough_results(rows: Iterable[Row]) -> bool:
    """Return whether there are enough results to learn what mattered, and not all alike."""
    finals = [row.final for row in rows if row.final is not None and math.isfinite(row.final)]
    return len(finals) >= MIN_RESULTS and len(set(finals)) > 1


def list_improvements(rows: Iterable[Row], objective: Objective) -> list[Row]:
    """Return the jobs that were the best when they ended, in that order."""
    improved: list[Row] = []
    for row in sorted(rows, key=lambda row: row.ended_at or math.inf):
        if row.ended_at is None or row.final is None or not math.isfinite(row.final):
            continue
        best = improved[-1].final if improved else None
        if best is None or objective.loss(row.final) < objective.loss(best):
            improved.append(row)
    return improved


def trace_best(summary: Summary) -> list[tuple[float, float]]:
    """Return the best so far over tuning time (s): a step for each improvement, up to now."""
    steps: list[tuple[float, float]] = []
    for row in list_improvements(summary.rows, summary.objective):
        assert row.ended_at is not None
        assert row.final is not None
        at = sum(
            max(0.0, min(last, row.ended_at) - start)
            for start, last in summary.sessions
            if start <= row.ended_at
        )
        steps += [(at, steps[-1][1])] if steps else []
        steps.append((at, row.final))
    return [*steps, (max(summary.tuning_time, steps[-1][0]), steps[-1][1])] if steps else []


def estimate_saved_seconds(rows: Iterable[Row]) -> float | None:
    """Return the training seconds that early stopping has saved; None if it stopped nothing yet."""
    rows = tuple(rows)
    typical = compute_typical_job(rows)
    saved = [each for row in rows if (each := saved_seconds(row, typical)) is not None]
    return sum(saved) if saved else None


class TypicalJob(NamedTuple):
    """Medians over completed jobs: epochs, and seconds for each, as far as known."""

    epochs: float
    seconds_per_epoch: float | None


def compute_typical_job(rows: Iterable[Row]) -> TypicalJob | None:
    """Return what is typical of completed jobs; None without any."""
    full = [row for row in rows if row.status == "Completed" and row.epochs]
    paces = [row.seconds_per_epoch for row in full if row.seconds_per_epoch is not None]
    if not full:
        return None
    seconds_per_epoch = statistics.median(paces) if paces else None
    return TypicalJob(statistics.median(row.epochs for row in full), seconds_per_epoch)


def saved_seconds(row: Row, typical: TypicalJob | None) -> float | None:
    """Return how much longer a stopped job would have taken at its own pace, in seconds.

    What it took to start is no saving, so a pace is measured between its values; the usual pace
    counts where that cannot be.
    """
    if typical is None or row.stop_reason != "EarlyStopped" or not row.epochs:
        return None
    seconds_per_epoch = (
        row.seconds_per_epoch or typical.seconds_per_epoch or row.elapsed / row.epochs
    )
    return seconds_per_epoch * max(0.0, typical.epochs - row.epochs)


def _failure_reason(job: TrainingJob, value: float | None, objective: Objective) -> str | None:
    if job.phase == "Completed" and value is None:
        return f"it reported no value of {objective.metric}"
    if job.phase == "Completed" and value is not None and not math.isfinite(value):
        which = "last" if objective.value == "last" else "final"
        return f"its {which} value of {objective.metric} is {value:g}"
    if broken := find_broken(job, objective):
        return broken
    return job.failure_reason or None


def find_objective_status(job: TrainingJob, objective: Objective) -> ObjectiveStatus:
    """Return as SageMaker does whether a final value was found that can be compared."""
    if not job.has_ended:
        return "Pending"
    final = final_objective(job, objective)
    return "Succeeded" if final is not None and math.isfinite(final) else "Failed"


def _count_jobs(rows: Iterable[Row]) -> dict[str, int]:
    counts = dict.fromkeys(JOB_STATUSES.values(), 0)
    for row in rows:
        counts[JOB_STATUSES.get(row.status, "in_progress")] += 1
    return counts


def _count_objectives(rows: Iterable[Row]) -> dict[str, int]:
    counts = {"succeeded": 0, "pending": 0, "failed": 0}
    for row in rows:
        counts[row.objective_status.lower()] += 1
    return counts


def describe_more(name: str) -> str:
    """Return that a tuning job which is Completed has more to do, and how it does it."""
    return f"its limits have changed, and it has more to do: hpt resume {name}"


def describe_warning(warning: Warned) -> Iterator[str]:
    """Yield a warning's lines: what looks wrong, the output it is about, and what to do."""
    yield plain(f"warning[{warning.slug}]: {warning.message}")
    yield from (plain(f"  │ {line}") for line in warning.lines)
    yield plain(f"  {warning.hint}")
    yield from (plain(f"    - {definition}") for definition in warning.definitions)
