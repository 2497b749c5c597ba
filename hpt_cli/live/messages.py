"""An event as one line for people."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from hpt_cli.formatting import count, format_hyperparameters, format_number, format_seconds, plain
from hpt_cli.spec.objective import Objective
from hpt_cli.tuning.events import (
    AnyEvent,
    ExecutorNoted,
    JobExited,
    JobLaunched,
    JobLost,
    JobNoted,
    JobQueued,
    JobStarted,
    JobStopRequested,
    SpaceExhausted,
    SpecChanged,
    TunerStarted,
    TuningJobEnded,
    TuningJobStopRequested,
    Warned,
)
from hpt_cli.tuning.state import TuningState
from hpt_cli.tuning.summary import Row, final_objective, find_overall_best, make_row
from hpt_cli.tuning.warnings import describe_warning

if TYPE_CHECKING:
    pass


def describe_event(state: TuningState, event: AnyEvent) -> str:
    """An event in a line for people; nothing for those that say nothing to them."""
    match event:
        case TunerStarted():
            again = len(state.sessions) > 2
            return f"{'resuming' if again else 'tuning'} {state.spec['name']}"
        case TuningJobStopRequested(reason=reason):
            more = " (Ctrl-C again kills them)" if reason == "Interrupted" else ""
            return f"stopping: running jobs are asked to end{more}"
        case TuningJobEnded(status=status, reason=reason):
            return f"{status}: {reason}"
        case SpecChanged(changes=changes):
            return plain(", ".join(f"{field} is now {value}" for field, value in changes.items()))
        case SpaceExhausted():
            return "there is no untried point left"
        case Warned():
            return next(describe_warning(event))
        case JobLaunched(number=number, attempt=attempt):
            row = _row(state, number, event.at)
            begun = "started" if state.spec.get("executor", "local") == "local" else "submitted"
            words = f", attempt {attempt}" if attempt > 1 else ""
            words += f", GPU {row.share.gpu_names}" if row.share and row.share.gpus else ""
            return (
                f"{row.name} {begun}{plain(words)}: {format_hyperparameters(row.hyperparameters)}"
            )
        case JobQueued(number=number, reason=reason):
            return plain(f"{_row(state, number, event.at).name} waits: {reason}") if reason else ""
        case JobStarted(number=number):
            return f"{_row(state, number, event.at).name} started"
        case ExecutorNoted(text=text):
            return plain(text)
        case JobStopRequested(number=number, reason=reason, explanation=explanation):
            row = _row(state, number, event.at)
            words = f": {explanation}" if explanation else ""
            return f"{row.name} stopping after {count(row.epochs, 'epoch')}, {reason}{words}"
        case JobExited(number=number) | JobLost(number=number):
            return _describe_end(state, number, event.at)
        case JobNoted(number=number, text=text):
            return plain(f"{_row(state, number, event.at).name}: {text}")
    return ""


def _row(state: TuningState, number: int, now: float) -> Row:
    return make_row(state, state.jobs[number], Objective.of(state.spec), now)


def _describe_end(state: TuningState, number: int, now: float) -> str:
    row = _row(state, number, now)
    if row.phase == "Interrupted":
        latest = state.jobs[number].attempt
        why = f"failed ({latest.failure})" if latest and latest.failure else "interrupted"
        if latest and latest.lost:
            why = f"was lost ({latest.lost})"
        return plain(f"{row.name} {why}; it will run again")
    if row.failure_reason:
        # That there is no objective is warned of, once, with the lines that come nearest.
        last = f" | {row.tail[-1]}" if row.tail and row.status == "Failed" else ""
        return plain(f"{row.name} {row.status}: {row.failure_reason}{last}")
    objective = Objective.of(state.spec)
    is_best = _is_best(state, number, objective)
    best = f" ★ {_name_best(state, row, objective)}" if is_best else ""
    return (
        f"{row.name} {row.status} after {count(row.epochs, 'epoch')},"
        f" {format_seconds(row.elapsed)}:"
        f" {plain(objective.metric)} = {format_number(row.final)}{best}"
    )


def _name_best(state: TuningState, row: Row, objective: Objective) -> str:
    """What the best job is the best of: parents with the same data may have had better ones."""
    overall = find_overall_best(state, row, objective)
    is_own = overall is None or overall["training_job_name"] == row.name
    return "best so far" if is_own else "best of this tuning job"


def _is_best(state: TuningState, number: int, objective: Objective) -> bool:
    """Whether a job that ended is better than all that ended before it."""
    finals = {job.number: final_objective(job, objective) for job in state.jobs.values()}
    losses = {key: objective.loss(each) for key, each in finals.items() if each is not None}
    own = losses.pop(number, math.inf)
    return own < min(losses.values(), default=math.inf)
