"""One line for people about each event."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from hpt_cli.formatting import count, format_hyperparameters, format_number, format_seconds, plain
from hpt_cli.spec.names import job_name
from hpt_cli.spec.objective import Objective
from hpt_cli.tuning import events as ev
from hpt_cli.tuning import summary
from hpt_cli.tuning.jobs.training_job import TrainingJob
from hpt_cli.tuning.state import TuningState


def describe_events(state: TuningState, events: Iterable[ev.Event]) -> Iterator[list[str]]:
    """Yield the lines for each event that people want to know of.

    Args:
        state: after the events.
    """
    for event in events:
        if isinstance(event, ev.Warned):
            yield list(summary.describe_warning(event))
        elif line := describe_event(state, event):
            yield [line]


def describe_event(state: TuningState, event: ev.Event) -> str:
    """Return an event as one line; empty for an event that is of no interest to people.

    Args:
        state: after the event.
    """
    match event:
        case ev.TunerStarted():
            again = len(state.sessions) > 2
            return f"{'resuming' if again else 'tuning'} {state.spec['name']}"
        case ev.TunerSuspended(since=since, until=until):
            return f"the tuner was suspended for {format_seconds(until - since)}"
        case ev.TuningJobStopRequested(reason=reason):
            more = " (press Ctrl-C again to kill them)" if reason == "Interrupted" else ""
            return f"stopping: asking running jobs to end{more}"
        case ev.TuningJobEnded(status=status, reason=reason):
            return f"{status}: {reason}"
        case ev.SpecChanged(changes=changes):
            return plain(", ".join(f"{field} is now {value}" for field, value in changes.items()))
        case ev.PointProposed(point=point, source=source):
            return plain(f"{source} gives a point to try: {format_hyperparameters(point)}")
        case ev.Warned():
            return next(summary.describe_warning(event))
        case ev.LaunchingPaused(reason=reason):
            return plain(f"launching is paused: {reason}. {_PAUSED}")
        case ev.LaunchingResumed(working=number):
            return f"launching continues: {job_name(state.spec['name'], number)} works"
        case ev.ExecutorNoted(text=text):
            return plain(text)
        case ev.SpaceExhausted():
            return "there are no untried points left"
        case ev.JobEvent(number=number):
            return _describe_job_event(state, state.jobs[number], event)
    return ""


_PAUSED = (
    "The surroundings seem to be at fault (the program, its data, a driver): one job at a time is"
    " tried until one works; then those that failed run again, and none of max_jobs is lost"
)


def _describe_job_event(state: TuningState, job: TrainingJob, event: ev.Event) -> str:
    name = job_name(state.spec["name"], job.number)
    match event:
        case ev.JobLaunched(attempt=attempt):
            return _describe_launch(state, job, attempt)
        case ev.JobQueued(reason=reason):
            return plain(f"{name} is waiting: {reason}") if reason else ""
        case ev.JobStarted():
            return f"{name} started"
        case ev.JobSuspended(until=None):
            return f"{name} is suspended: until it goes on, its time does not count"
        case ev.JobSuspended(since=since, until=until) if until is not None:
            return f"{name} was suspended for {format_seconds(until - since)}"
        case ev.JobPaused(reason=why) | ev.JobStopRequested(reason="Paused", explanation=why):
            return plain(f"{name} paused after {_count_epochs(state, job)}: {why}")
        case ev.JobThawed(reason=why):
            return plain(f"{name} goes on after {_count_epochs(state, job)}: {why}")
        case ev.JobStopRequested(reason=reason, explanation=explanation):
            words = f": {explanation}" if explanation else ""
            return f"{name} stopping after {_count_epochs(state, job)}, {reason}{words}"
        case ev.JobExited() | ev.JobLost() | ev.JobRequeued():
            return _describe_end(state, job, event.at)
        case ev.JobNoted(text=text):
            return plain(f"{name}: {text}")
    return ""


def _count_epochs(state: TuningState, job: TrainingJob) -> str:
    return count(job.count_steps(Objective.of_judged(state.spec).metric), "epoch")


def _describe_launch(state: TuningState, job: TrainingJob, attempt: int) -> str:
    is_local = state.spec.get("executor", "local") == "local"
    words = f"{job_name(state.spec['name'], job.number)} {'started' if is_local else 'submitted'}"
    words += f", attempt {attempt}" if attempt > 1 else ""
    share = job.attempt.share if job.attempt else None
    words += f", GPU {share.gpu_names}" if share and share.gpus else ""
    proposal = state.find_proposal(job)
    words += f", proposed by {proposal.source}" if proposal and attempt == 1 else ""
    return f"{plain(words)}: {format_hyperparameters(job.hyperparameters or {})}"


def _describe_end(state: TuningState, job: TrainingJob, now: float) -> str:
    objective = Objective.of(state.spec)
    row = summary.make_row(state, job, objective, now)
    if row.phase == "Paused":
        return ""  # as was said when it was asked to make way
    if row.phase == "Interrupted":
        latest = job.attempt if job.attempt and not job.attempt.interrupted else None
        why = f"failed ({latest.failure})" if latest and latest.failure else "interrupted"
        if latest and latest.lost:
            why = f"was lost ({latest.lost})"
        return plain(f"{row.name} {why}; it will run again")
    if row.failure_reason:
        # A missing objective is warned of, once, with the lines that come nearest.
        last = f" | {row.tail[-1]}" if row.tail and row.status == "Failed" else ""
        return plain(f"{row.name} {row.status}: {row.failure_reason}{last}")
    best = f" ★ {_name_best(state, row, objective)}" if _is_best(state, job, objective) else ""
    return (
        f"{row.name} {row.status} after {count(row.epochs, 'epoch')},"
        f" {format_seconds(row.elapsed)}:"
        f" {plain(objective.metric)} = {format_number(row.final)}{best}"
    )


def _name_best(state: TuningState, row: summary.Row, objective: Objective) -> str:
    """Return what the best job is the best of: parents with the same data may have had better."""
    overall = summary.find_overall_best(state, row, objective)
    is_own = overall is None or overall["training_job_name"] == row.name
    return "best so far" if is_own else "best of this tuning job"


def _is_best(state: TuningState, job: TrainingJob, objective: Objective) -> bool:
    """Return whether a job that ended is better than all others that have."""
    finals = {each.number: summary.final_objective(each, objective) for each in state.jobs.values()}
    losses = {key: objective.loss(each) for key, each in finals.items() if each is not None}
    own = losses.pop(job.number, math.inf)
    return own < min(losses.values(), default=math.inf)
