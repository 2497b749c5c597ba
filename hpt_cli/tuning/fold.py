"""fold(state, event) -> state: how events change the state of a tuning job."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

from hpt_cli.spec.hyperparameters import write_values
from hpt_cli.spec.objective import Objective
from hpt_cli.tuning import events as ev
from hpt_cli.tuning.failures.history import (
    MAX_ATTEMPTS,
    FailureHistory,
    add_end,
    begin_outage,
    begin_session,
    end_outage,
    remove_suspect,
)
from hpt_cli.tuning.failures.interruption import find_interruption
from hpt_cli.tuning.jobs.index import Jobs
from hpt_cli.tuning.jobs.spans import add_span
from hpt_cli.tuning.jobs.training_job import TERMINAL, Attempt, TrainingJob
from hpt_cli.tuning.jobs.transitions import OF_ONE_JOB, ImpossibleEventError, fold_job
from hpt_cli.tuning.state import Parent, TuningState

_Changes: TypeAlias = dict[str, Any]
"""Fields of a state, with their new values."""


def fold(state: TuningState, event: ev.Event) -> TuningState:
    """Return the state after an event.

    Raises:
        ImpossibleEventError: the event cannot happen in this state.
    """
    changes: _Changes = {"last_event_at": max(event.at, state.last_event_at)}
    return replace(state, **(changes | _FOLDS[type(event)](state, event)))


def fold_all(state: TuningState, events: Iterable[ev.Event]) -> TuningState:
    """Return the state after many events: as by one `fold` after another, several times faster.

    Raises:
        ImpossibleEventError: an event cannot happen in the state that it comes upon.
    """
    jobs, at = dict(state.jobs), state.last_event_at
    for event in events:
        if isinstance(event, ev.JobEvent) and type(event) in OF_ONE_JOB:
            job = jobs[event.number] = fold_job(state.spec, jobs.get(event.number), event)
            at = max(at, event.at)
            if isinstance(event, ev.JobExited | ev.JobLost | ev.JobRequeued):
                state = replace(state, failures=_follow_failures(state, job, event))
        else:
            state = fold(replace(state, jobs=Jobs(jobs.values()), last_event_at=at), event)
            jobs, at = dict(state.jobs), state.last_event_at
    return replace(state, jobs=Jobs(jobs.values()), last_event_at=at)


def _created(state: TuningState, event: ev.TuningJobCreated) -> _Changes:
    if state.spec:
        raise ImpossibleEventError("a tuning job is created only once")
    return {
        # A tuning job keeps the numbers that it began with.
        "spec": {"number_format": "plain", **event.spec},
        "directory": event.directory,
        "created_at": event.at,
        "started_at": event.at,
    }


def _warm_started(state: TuningState, event: ev.WarmStarted) -> _Changes:
    tuned, judged = Objective.of(state.spec), Objective.of_judged(state.spec)
    metrics = {"judged": judged.metric, "curve": tuned.metric}
    inherited = dict(state.inherited)
    for job in event.jobs:
        # 0, -1 and so on: below the numbers of own jobs.
        number = -len(inherited)
        others = {
            name: ((0.0, math.nan if value is None else value),)
            for name, value in job.get("latest", {}).items()
        }
        curves = {
            metric: tuple((step, math.nan if value is None else value) for step, value in job[name])
            for name, metric in metrics.items()
            if name in job
        }
        attempt = Attempt(1, event.at, ended_at=event.at, curves={**others, **curves})
        phase, hyperparameters = job["status"], job["hyperparameters"]
        inherited[number] = TrainingJob(number, phase, hyperparameters, attempts=(attempt,))
    parent = Parent(event.parent, len(event.jobs), event.left_out, event.best)
    return {"inherited": inherited, "parents": (*state.parents, parent)}


def _spec_changed(state: TuningState, event: ev.SpecChanged) -> _Changes:
    """Return the new spec; `last_event_at` stays, since no tuner need be at work for a change."""
    spec = ev.check_spec({**state.spec, **event.changes})
    is_over = state.status not in ("InProgress", "Stopping")
    changes = {"spec": spec, "is_changed": is_over, "last_event_at": state.last_event_at}
    if event.changes_space:
        static = spec["static_hyperparameters"]
        before = state.spec["static_hyperparameters"].items()
        values = {name: each for name, each in before if static.get(name) != each}
        values |= {name: each for name, each in event.assume.items() if each is not None}
        changes |= _know_values(state, spec, values) | {"exhausted": False, "has_varied": True}
    return changes


def _know_values(
    state: TuningState, spec: Mapping[str, Any], values: Mapping[str, Any]
) -> _Changes:
    """Return the jobs so far with what all that say nothing of it ran with."""

    def know(job: TrainingJob) -> TrainingJob:
        if job.hyperparameters is None:
            return job
        known = {**job.hyperparameters, **values, **job.hyperparameters}
        return replace(job, hyperparameters=write_values(known, spec))

    inherited = {number: know(job) for number, job in state.inherited.items()}
    return {"jobs": Jobs(map(know, state.jobs.values())), "inherited": inherited}


def _proposed(state: TuningState, event: ev.PointProposed) -> _Changes:
    """Return the queue with one more; as with a change of the spec, no tuner need be at work."""
    is_over = state.status not in ("InProgress", "Stopping")
    changes: _Changes = {
        "proposals": (*state.proposals, event),
        "is_changed": is_over,
        "last_event_at": state.last_event_at,
    }
    static = state.spec["static_hyperparameters"]
    if values := {name: each for name, each in static.items() if name in event.point}:
        changes |= _know_values(state, state.spec, values)
    return changes


def _tuner_started(state: TuningState, event: ev.TunerStarted) -> _Changes:
    # The last tuner may have worked on after its last event.
    if event.last_alive is not None:
        last_alive = max(state.last_event_at, min(event.last_alive, event.at))
        state = replace(state, last_event_at=last_alive)
    return {
        "status": "InProgress",
        "reason": "",
        "stop_reason": "",
        "is_changed": False,
        "interrupted_at": find_interruption(state, state.last_event_at),
        "past_sessions": state.sessions,
        "failures": begin_session(state.failures, _list_failed(state)),
        "suspended": (),
        "started_at": event.at,
        "last_event_at": event.at,
        "pool": event.pool,
    }


def _tuner_suspended(state: TuningState, event: ev.TunerSuspended) -> _Changes:
    since = max(event.since, state.started_at)
    return {"suspended": add_span(state.suspended, since, max(since, event.until))}


def _stop_requested(state: TuningState, event: ev.TuningJobStopRequested) -> _Changes:
    # A job that the user has stopped is not merely interrupted by Ctrl-C after that.
    reason = event.reason if state.stop_reason != "StoppedByUser" else "StoppedByUser"
    if reason == "StoppedByUser":
        at = None
    else:
        at = state.interrupted_at if state.status == "Stopping" else event.at
    return {"status": "Stopping", "stop_reason": reason, "interrupted_at": at}


def _ended(state: TuningState, event: ev.TuningJobEnded) -> _Changes:  # noqa: ARG001
    if event.status not in TERMINAL:
        raise ImpossibleEventError(f"a tuning job cannot end as {event.status}")
    return {"status": event.status, "reason": event.reason}


def _warned(state: TuningState, event: ev.Warned) -> _Changes:
    return {"warnings": (*state.warnings, event)}


def _exhausted(state: TuningState, event: ev.SpaceExhausted) -> _Changes:
    if event.number not in state.jobs or state.jobs[event.number].phase != "Planned":
        raise ImpossibleEventError(f"job {event.number} was not being planned")
    return {"exhausted": True, "jobs": state.jobs.drop(event.number)}


def _unchanged(state: TuningState, event: ev.Event) -> _Changes:  # noqa: ARG001
    return {}


def _launching_paused(state: TuningState, event: ev.LaunchingPaused) -> _Changes:
    return {"failures": begin_outage(state.failures, event.at)}


def _launching_resumed(state: TuningState, event: ev.LaunchingResumed) -> _Changes:
    return {"failures": end_outage(state.failures, event.working, _list_failed(state))}


def _list_failed(state: TuningState) -> list[int]:
    """Return the numbers of the failed jobs that may run again."""
    failed = (job for job in state.jobs.ended.values() if job.phase == "Failed")
    return [job.number for job in failed if len(job.attempts) < MAX_ATTEMPTS]


def _job_event(state: TuningState, event: ev.JobEvent) -> _Changes:
    job = fold_job(state.spec, state.jobs.get(event.number), event)
    return {"jobs": state.jobs.put(job), "failures": _follow_failures(state, job, event)}


def _follow_failures(state: TuningState, job: TrainingJob, event: ev.JobEvent) -> FailureHistory:
    if isinstance(event, ev.JobExited | ev.JobLost):
        return add_end(state.failures, job, state.started_at)
    if isinstance(event, ev.JobRequeued):
        return remove_suspect(state.failures, job.number)
    return state.failures


_FOLDS: Mapping[Any, Callable[[TuningState, Any], _Changes]] = {
    ev.TuningJobCreated: _created,
    ev.WarmStarted: _warm_started,
    ev.SpecChanged: _spec_changed,
    ev.PointProposed: _proposed,
    ev.TunerStarted: _tuner_started,
    ev.TunerSuspended: _tuner_suspended,
    ev.TuningJobStopRequested: _stop_requested,
    ev.TuningJobEnded: _ended,
    ev.Warned: _warned,
    ev.SpaceExhausted: _exhausted,
    ev.LaunchingPaused: _launching_paused,
    ev.LaunchingResumed: _launching_resumed,
    ev.ExecutorNoted: _unchanged,
    ev.JobJudged: _unchanged,
} | dict.fromkeys(OF_ONE_JOB, _job_event)
