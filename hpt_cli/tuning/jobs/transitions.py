"""fold_job(spec, job, event) -> job: the life of a training job, as a table of transitions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from itertools import repeat
from typing import Any, TypeAlias

from hpt_cli.metrics.curve import Curve, Observation
from hpt_cli.metrics.thinning import find_fresh_totals
from hpt_cli.spec.hyperparameters import write_values
from hpt_cli.tuning import events as ev
from hpt_cli.tuning.failures.success import Ending
from hpt_cli.tuning.jobs.spans import add_span
from hpt_cli.tuning.jobs.training_job import (
    ENDED,
    ArrivalTimes,
    Attempt,
    Pause,
    Phase,
    StopRequest,
    TrainingJob,
)

MAX_LOST_ATTEMPTS = 3
"""A job whose attempts are lost at work this often is Failed: something kills it every time."""

# The life of a training job: arrows are events, and so is what stands in brackets beside a phase,
# which leaves it as it is. JobNoted, JobJudged and ValuesCounted may come at any time and change no
# phase.
#
#                      JobPlanned
#                          |
#                          v        SpaceExhausted
#                       Planned ----------------------> (dropped)
#                          |
#                    JobSuggested
#                          |
#                          v       JobStopRequested
#                      Suggested ---------------------------------------+
#                          |                                            |
#                    JobSubmitting                                      |
#                          |                                            |
#                          v      JobSubmitting      JobStopRequested   |
#     +--------------- Submitting <------ Interrupted ------------------+
#     |                    |                   ^                        |
#     |               JobLaunched              |                        |
#     |                    |                   |                        |
#     |                    v                   |                        |
#     +---------------- Starting (JobQueued, JobStarted, JobSuspended)  |
#     |                  |    |                |                        |
#     |   ObservationsRead    |                |                        |
#     |          |            |                |                        |
#     |          v     JobStopRequested        |                        |
#     +------ Training (ObservationsRead, JobStarted, JobSuspended)     |
#     |          |            |                |                        |
#     |   JobStopRequested    |                |                        |
#     |          |            |                |                        |
#     |          v            |                |                        |
#     +------ Stopping <------+                |                        |
#     |       (ObservationsRead, JobQueued, JobStarted, JobSuspended, JobStopRequested)
#     |                                        |                        v
#     +---- JobExited, JobLost: by rule 2 -----+---> Completed Failed Stopped
#                                              |                  |
#                                              +-- JobRequeued ---+
#
# Beside it, a job that makes way for a likelier one (rule 6):
#
#     Starting, Training ---- JobPaused ----> Paused (ObservationsRead, JobSuspended)
#                                               |  ^
#     Training <------------- JobThawed --------+  |
#     Submitting <----------- JobSubmitting ----+  |
#     Stopping or Stopped <-- JobStopRequested -+  |
#     by rule 2 <------------ JobExited, JobLost+  |
#     Stopping, asked to stop as Paused ----- JobExited, JobLost
#
# 1. A training job is in one phase. An event that the table does not allow is a bug, or a journal
#    that somebody edited: `fold` says so rather than guess, and the journal stays what happened.
# 2. An attempt that ends is judged once, by `_outcome`: who asked it to stop, and why, weighs more
#    than its exit code, unless it ended by itself, before it was asked or at its end. What was
#    found in its output (Retry, Failed) weighs more than either.
# 3. An interrupted attempt, one that was lost through no fault of the command, and one that failed
#    and is to be tried again, is followed by another with the same hyperparameters. What it was may
#    be known only after it has failed (failures/interruption.py): then the job is requeued.
# 4. Observations may come twice, in any grouping, and until the attempt has ended; the state is
#    the same. So a log can be read again from any earlier point. Of very many values not all are
#    recorded; which ones, depends on nothing but the output (metrics/thinning.py).
# 5. Stopping is a phase of its own because a stop takes time: jobs save checkpoints, and print
#    values that still count. An attempt may end before it has printed anything, or before the tuner
#    has heard that it runs: so every running phase can end.
# 6. A paused attempt stands still until it is thawed, asked to stop, or ended by somebody else; the
#    time counts as suspended. A job with checkpoints is asked to stop instead, and its next attempt
#    goes on. So a Paused job has an attempt that stands still, or none that is alive.
TRANSITIONS: Mapping[tuple[Phase, type[ev.JobEvent]], tuple[Phase, ...]] = {
    ("Planned", ev.JobSuggested): ("Suggested",),
    ("Suggested", ev.JobSubmitting): ("Submitting",),
    ("Suggested", ev.JobStopRequested): ("Stopped",),
    ("Interrupted", ev.JobSubmitting): ("Submitting",),
    ("Interrupted", ev.JobStopRequested): ("Stopped",),
    ("Submitting", ev.JobLaunched): ("Starting",),
    ("Submitting", ev.JobExited): ENDED,
    ("Submitting", ev.JobLost): ENDED,
    ("Starting", ev.JobQueued): ("Starting",),
    ("Starting", ev.JobStarted): ("Starting",),
    ("Starting", ev.JobSuspended): ("Starting",),
    ("Starting", ev.ObservationsRead): ("Training",),
    ("Starting", ev.JobStopRequested): ("Stopping",),
    ("Starting", ev.JobExited): ENDED,
    ("Starting", ev.JobLost): ENDED,
    ("Training", ev.ObservationsRead): ("Training",),
    ("Training", ev.JobStarted): ("Training",),
    ("Training", ev.JobSuspended): ("Training",),
    ("Training", ev.JobStopRequested): ("Stopping",),
    ("Training", ev.JobExited): ENDED,
    ("Training", ev.JobLost): ENDED,
    ("Starting", ev.JobPaused): ("Paused",),
    ("Training", ev.JobPaused): ("Paused",),
    ("Paused", ev.ObservationsRead): ("Paused",),
    ("Paused", ev.JobSuspended): ("Paused",),
    ("Paused", ev.JobThawed): ("Training",),
    ("Paused", ev.JobSubmitting): ("Submitting",),
    ("Paused", ev.JobStopRequested): ("Stopping", "Stopped"),
    ("Paused", ev.JobExited): ENDED,
    ("Paused", ev.JobLost): ENDED,
    ("Stopping", ev.ObservationsRead): ("Stopping",),
    ("Stopping", ev.JobQueued): ("Stopping",),
    ("Stopping", ev.JobStarted): ("Stopping",),
    ("Stopping", ev.JobSuspended): ("Stopping",),
    ("Stopping", ev.JobStopRequested): ("Stopping",),
    ("Stopping", ev.JobExited): (*ENDED, "Paused"),
    ("Stopping", ev.JobLost): (*ENDED, "Paused"),
    ("Failed", ev.JobRequeued): ("Interrupted",),
}

_Changes: TypeAlias = dict[str, Any]
"""Fields of a job, with their new values."""


class ImpossibleEventError(Exception):
    """An event that is impossible in the state: a bug, or an edited journal."""


def fold_job(spec: Mapping[str, Any], job: TrainingJob | None, event: ev.JobEvent) -> TrainingJob:
    """Return a job after an event that changes no other.

    Args:
        spec: how hyperparameters are written.
        job: None before it is planned.

    Raises:
        ImpossibleEventError: the event cannot happen in the phase of the job.
    """
    if isinstance(event, ev.JobSuggested):
        event = replace(event, hyperparameters=write_values(event.hyperparameters, spec))
    if isinstance(event, ev.JobPlanned):
        if job is not None:
            raise ImpossibleEventError(f"job {event.number} was planned already")
        return TrainingJob(event.number, "Planned", proposal=event.proposal)
    if job is None:
        raise ImpossibleEventError(f"job {event.number} was never planned")
    if isinstance(event, ev.JobNoted):
        return replace(job, notes=(*job.notes, event.text))
    if isinstance(event, ev.ValuesCounted):
        return replace(job, **_values_counted(job, event))
    phases = TRANSITIONS.get((job.phase, type(event)))
    if phases is None or (job.phase == "Paused" and not _fits_pause(job, event)):
        raise ImpossibleEventError(
            f"{type(event).__name__} cannot happen to job {job.number}, which is {job.phase}"
        )
    phase = phases[0] if len(phases) == 1 else _choose_phase(job, event)
    return replace(job, phase=phase, **_FOLDS[type(event)](job, event))


def _fits_pause(job: TrainingJob, event: ev.JobEvent) -> bool:
    """Return whether an event can happen to a paused job: by whether it has a live attempt."""
    if isinstance(event, ev.JobStopRequested):
        return True
    return job.is_alive != isinstance(event, ev.JobSubmitting)


def _choose_phase(job: TrainingJob, event: ev.JobEvent) -> Phase:
    """Return the phase of a job after an event that may lead to several."""
    if isinstance(event, ev.JobStopRequested):
        return "Stopping" if job.is_alive else "Stopped"
    return _outcome(job, event)


def _outcome(job: TrainingJob, event: ev.JobEvent) -> Phase:
    """Return the phase of a job after its attempt has ended (rules 2 and 3)."""
    request = job.stop_request
    if request is not None and request.reason in ("Retry", "Failed"):
        return "Interrupted" if request.reason == "Retry" else "Failed"
    if isinstance(event, ev.JobExited) and _ended_by_itself(job, event):
        if event.retry or event.interrupted:
            return "Interrupted"
        return "Failed" if _describe_end(event) else "Completed"
    if request is not None:
        return _AFTER_STOP.get(request.reason, "Stopped")
    if isinstance(event, ev.JobLost) and event.evicted:
        return "Interrupted"
    # With the attempt that is judged: its end is not in `job` yet, so it looks like a lost one.
    lost = sum(map(_counts_as_lost, job.attempts))
    return "Failed" if lost >= MAX_LOST_ATTEMPTS else "Interrupted"


def _counts_as_lost(attempt: Attempt) -> bool:
    """Return whether an attempt was lost while it was at work: one that stood still is no cause."""
    is_lost = attempt.exit_code is None and attempt.suspended_since is None
    return is_lost and not attempt.evicted and not attempt.excused


_AFTER_STOP: Mapping[str, Phase] = {"Interrupted": "Interrupted", "Paused": "Paused"}
"""The phase of a job that has ended as it was asked to, by why it was; else Stopped."""


def _ended_by_itself(job: TrainingJob, event: ev.JobExited) -> bool:
    return job.stop_request is None or event.at_end or event.ended_at < job.stop_request.at


def _job_suggested(job: TrainingJob, event: ev.JobSuggested) -> _Changes:  # noqa: ARG001
    return {"hyperparameters": event.hyperparameters, "suggest_seconds": event.seconds}


def _job_submitting(job: TrainingJob, event: ev.JobSubmitting) -> _Changes:
    attempt = Attempt(event.attempt, submitted_at=event.at, share=event.share, slot=event.slot)
    return {
        "attempts": (*job.attempts, attempt),
        "stop_request": None,
        "failure_reason": "",
        **_end_pause(job, event.at, "from its checkpoint"),
    }


def _job_launched(job: TrainingJob, event: ev.JobLaunched) -> _Changes:
    began = event.at if event.since is None else event.since
    return _with_attempt(job, handle=event.handle, launched_at=began)


def _job_queued(job: TrainingJob, event: ev.JobQueued) -> _Changes:
    return _with_attempt(job, queue_reason=event.reason)


def _job_started(job: TrainingJob, event: ev.JobStarted) -> _Changes:
    return _with_attempt(job, queue_reason=None, launched_at=event.since)


def _job_suspended(job: TrainingJob, event: ev.JobSuspended) -> _Changes:
    until = math.inf if event.until is None else event.until
    return _with_attempt(job, suspended=add_span(job.attempts[-1].suspended, event.since, until))


def _job_paused(job: TrainingJob, event: ev.JobPaused) -> _Changes:
    suspended = add_span(job.attempts[-1].suspended, event.at, math.inf)
    pause = Pause(event.at, event.reason, event.evidence)
    return {**_with_attempt(job, suspended=suspended), "pauses": (*job.pauses, pause)}


def _job_thawed(job: TrainingJob, event: ev.JobThawed) -> _Changes:
    return {**_end_suspension(job, event.at), **_end_pause(job, event.at, event.reason)}


def _end_pause(job: TrainingJob, at: float, went_on: str = "") -> _Changes:
    """Return the change of a job that waits no longer, if it did."""
    if not job.pauses or job.pauses[-1].until is not None:
        return {}
    *before, latest = job.pauses
    return {"pauses": (*before, replace(latest, until=at, went_on=went_on))}


def _end_suspension(job: TrainingJob, at: float) -> _Changes:
    """Return the change of an attempt that goes on, if it stands still."""
    attempt = job.attempt
    since = attempt.suspended_since if attempt else None
    if attempt is None or since is None:
        return {}
    return _with_attempt(job, suspended=add_span(attempt.suspended, since, max(since, at)))


def _with_attempt(job: TrainingJob, **changes: Any) -> _Changes:
    """Return the change of a job's latest attempt."""
    return {"attempts": (*job.attempts[:-1], replace(job.attempts[-1], **changes))}


def _job_observed(job: TrainingJob, event: ev.ObservationsRead) -> _Changes:
    attempt = job.attempts[-1]
    curves = dict(attempt.curves)
    last, arrivals = dict(attempt.last_offsets), dict(attempt.arrivals)
    fresh: dict[str, list[tuple[Observation, float]]] = {}
    # Offsets grow along a log, and one read ends where the next begins (rule 4).
    for each, at in zip(event.observations, event.moments or repeat(event.at), strict=False):
        if each.offset > last.get(each.metric, -1):
            fresh.setdefault(each.metric, []).append((each, at))
    for metric, seen in fresh.items():
        points = [(each.step, each.value) for each, _ in seen]
        curves[metric] = _extend(curves.get(metric, ()), points)
        last[metric] = max(each.offset for each, _ in seen)
        moments = [at for _, at in seen]
        since, at_once, _ = arrivals.get(metric, ArrivalTimes(moments[0], 0, moments[0]))
        arrivals[metric] = ArrivalTimes(since, at_once + moments.count(since), moments[-1])
    return _with_attempt(job, curves=curves, last_offsets=last, arrivals=arrivals)


def find_fresh(attempt: Attempt, observations: Iterable[Observation]) -> list[Observation]:
    """Return the observations that are not known of an attempt yet."""
    last = attempt.last_offsets
    return [each for each in observations if each.offset > last.get(each.metric, -1)]


def _values_counted(job: TrainingJob, event: ev.ValuesCounted) -> _Changes:
    known = job.attempts[-1].totals
    return _with_attempt(job, totals={**known, **find_fresh_totals(known, event.totals)})


def _extend(curve: Curve, points: list[tuple[float, float]]) -> Curve:
    """Return the curve with more points; a step that comes again replaces what it had."""
    steps = [step for step, _ in points]
    # The usual case, without building a dict of the whole curve.
    if steps == sorted(set(steps)) and (not curve or steps[0] > curve[-1][0]):
        return (*curve, *points)
    return tuple(sorted({**dict(curve), **dict(points)}.items()))


def _job_stop_requested(job: TrainingJob, event: ev.JobStopRequested) -> _Changes:
    first = job.stop_request if job.phase == "Stopping" else None
    # The first request says why it was stopped, unless it was only to be paused by that.
    if first is not None and first.reason != "Paused":
        return {}
    at = event.at if first is None else first.at
    asked = StopRequest(at, event.reason, event.explanation, event.evidence)
    # What stands still has to go on to end.
    goes_on = _end_suspension(job, event.at) if job.phase == "Paused" and job.is_alive else {}
    if event.reason == "Paused":
        pause = Pause(event.at, event.explanation, event.evidence)
        return {"stop_request": asked, "pauses": (*job.pauses, pause)}
    return {"stop_request": asked, **goes_on, **_end_pause(job, event.at)}


def _job_exited(job: TrainingJob, event: ev.JobExited) -> _Changes:
    failure = _describe_failure(job, event)
    ending = {
        # A job of some milliseconds may end before its launch is recorded.
        "ended_at": max(event.ended_at, job.attempts[-1].started_at),
        "exit_code": event.exit_code,
        "failure": failure,
        "interrupted": event.interrupted,
    }
    return {**_with_attempt(job, **ending), **_after_failure(job, event, failure)}


def _job_lost(job: TrainingJob, event: ev.JobLost) -> _Changes:
    # That an attempt left no exit code is no surprise where it was asked to end.
    failure, lost = _describe_failure(job, event), "" if job.stop_request else event.why
    ended_at = event.at if event.ended_at is None else event.ended_at
    ending = {"ended_at": ended_at, "failure": failure, "lost": lost, "evicted": event.evicted}
    return {**_with_attempt(job, **ending), **_after_failure(job, event, failure or event.why)}


def _describe_failure(job: TrainingJob, event: ev.JobExited | ev.JobLost) -> str:
    """Return why an attempt failed; empty if it did not, or was lost."""
    request = job.stop_request
    if request is not None and request.reason in ("Retry", "Failed"):
        return request.explanation
    if isinstance(event, ev.JobExited) and _ended_by_itself(job, event) and not event.interrupted:
        return _describe_end(event)
    return ""


def _describe_end(event: ev.JobExited) -> str:
    """Return why an attempt that ended by itself failed; empty if it succeeded."""
    succeeded = event.succeeded or not (event.exit_code or event.why)
    return Ending(succeeded, event.why).describe_failure(event.exit_code)


def _after_failure(job: TrainingJob, event: ev.JobExited | ev.JobLost, failure: str) -> _Changes:
    """Return what a job remembers of an attempt's end."""
    outcome = _outcome(job, event)
    notes = job.notes
    has_exited = isinstance(event, ev.JobExited)
    if outcome == "Interrupted" and failure and (has_exited or job.stop_request is None):
        word = "failed" if has_exited else "was lost"
        notes = (*notes, f"attempt {len(job.attempts)} {word}: {failure}")
    reason = failure if outcome == "Failed" else ""
    waits = {} if outcome == "Paused" else _end_pause(job, event.at)
    return {"failure_reason": reason, "notes": notes, "tail": event.tail, **waits}


def _job_requeued(job: TrainingJob, event: ev.JobRequeued) -> _Changes:
    word = "was lost" if job.attempts[-1].lost else "failed"
    note = f"attempt {len(job.attempts)} {word}: {job.failure_reason}; {_WHY[event.reason]}"
    *before, latest = (replace(each, excused=True) for each in job.attempts)
    interrupted = latest.interrupted or event.reason == "Interrupted"
    return {
        "attempts": (*before, replace(latest, interrupted=interrupted)),
        "failure_reason": "",
        "notes": (*job.notes, note),
    }


_WHY: Mapping[ev.RequeueReason, str] = {
    "Interrupted": "it was interrupted with the tuner",
    "Outage": "the surroundings seem to have been at fault",
    "Asked": "it runs again by --retry-failed",
}


_FOLDS: Mapping[Any, Callable[[TrainingJob, Any], _Changes]] = {
    ev.JobSuggested: _job_suggested,
    ev.JobSubmitting: _job_submitting,
    ev.JobLaunched: _job_launched,
    ev.JobQueued: _job_queued,
    ev.JobStarted: _job_started,
    ev.JobSuspended: _job_suspended,
    ev.JobPaused: _job_paused,
    ev.JobThawed: _job_thawed,
    ev.ObservationsRead: _job_observed,
    ev.JobStopRequested: _job_stop_requested,
    ev.JobExited: _job_exited,
    ev.JobLost: _job_lost,
    ev.JobRequeued: _job_requeued,
}

OF_ONE_JOB = (ev.JobPlanned, ev.JobNoted, ev.ValuesCounted, *_FOLDS)
"""The events that change one job and nothing else."""
