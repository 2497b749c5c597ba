"""decide(spec, state, now) -> commands: what a tuning job should do next.

Pure: the runner and the replay ask it after every change, and carry out what it says. Nothing is
remembered here, so a resumed tuning job decides as an undisturbed one would.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from statistics import fmean

from hpt_cli.spec.model import TuningSpec
from hpt_cli.spec.resources import Resource
from hpt_cli.stop_rules import LossCurve, Verdict
from hpt_cli.tuning.allocation import allocate
from hpt_cli.tuning.commands import Command, Continue, End, Kill, Launch, Requeue, Stop
from hpt_cli.tuning.completion import find_completion
from hpt_cli.tuning.events import StopReason
from hpt_cli.tuning.evidence import is_at_end, is_comparable, learn_from_ended, loss_curve
from hpt_cli.tuning.failures.interruption import list_interrupted
from hpt_cli.tuning.failures.outage import (
    end_outage_or_probe,
    find_outage,
    list_requeued,
    list_waiting,
)
from hpt_cli.tuning.failures.retry import judge_hung
from hpt_cli.tuning.jobs.spans import add_span, count_seconds
from hpt_cli.tuning.jobs.training_job import TrainingJob
from hpt_cli.tuning.pausing import Judge, find_limit, let_go_on, pause_some
from hpt_cli.tuning.state import TuningState
from hpt_cli.tuning.steering.proposals import plan_next
from hpt_cli.tuning.summary import training_seconds

IDLE_SHARE = 0.01
"""A suggestion that takes more than this share of a training job's time is made ahead."""
RECENT_JOBS = 50
"""How many of the latest jobs are averaged to tell how long one takes."""


def decide(
    spec: TuningSpec,
    state: TuningState,
    now: float,
    observed: Iterable[int] = (),
    silent: Iterable[int] = (),
    avoided: Collection[Resource] = (),
    unjudged: Collection[int] = (),
    left: Collection[int] = (),
    most_paused: float = math.inf,
    judge: Judge | None = None,
    *,
    is_short: bool = False,
) -> list[Command]:
    """Return what to do next.

    Args:
        spec: what was asked for.
        state: what is known.
        now: seconds since the epoch.
        observed: the jobs with new values of what they are judged by, which the judge has not seen.
        silent: the jobs that have printed nothing for longer than they may.
        avoided: the cores and GPUs that are left to others.
        unjudged: the jobs of which it is not known now how long they have been at work, or which
            have ended and are only read to the end: no time limit ends them.
        left: the jobs that have ended, and are left for the next tuner to read.
        most_paused: how many jobs may be paused at a time, as far as memory allows.
        judge: what judges paused jobs; the stop rule of the spec where nothing else does.
        is_short: whether memory is so short that a paused job is to be given up.
    """
    judge = judge or partial(judge_job, spec, state)
    if interrupted := list_interrupted(state):
        # First of all, as what was interrupted has not failed.
        return [Requeue(number, "Interrupted") for number in interrupted]
    completion = find_completion(spec, state, now)
    commands = _kill_some(spec, state, now)
    if completion is not None and completion.stop_running:
        commands += _stop_all(state)
    else:
        judged = _stop_some(spec, state, now, observed, silent, unjudged)
        commands += pause_some(spec, state, judged, avoided, most_paused, judge, is_short=is_short)
    if completion is None:
        return commands + _go_on(spec, state, now, avoided, most_paused, judge)
    # What has been chosen already, or is to go on, still belongs to the tuning job.
    if not completion.stop_running and any(map(_will_run, state.jobs.open)):
        launches = _launch(spec, state, avoided, _list_ready(state, now))
        return commands + launches + _fill_up(spec, state, launches, avoided, judge)
    if all(job.number in left for job in state.alive):
        commands.append(End(completion))
    return commands


def _kill_some(spec: TuningSpec, state: TuningState, now: float) -> list[Command]:
    """Return the kills of jobs that have had their grace period."""
    return [
        Kill(job.number)
        for job in state.running
        if job.stop_request and _count_grace(state, job, now) >= spec.stop_grace_seconds
    ]


def _count_grace(state: TuningState, job: TrainingJob, now: float) -> float:
    """Return the seconds that a job has had to end since it was asked to.

    Not while the tuner was suspended, and perhaps the machine; but those in which the job still is:
    one that cannot end is killed.
    """
    assert job.stop_request is not None
    suspended = state.suspended
    for since, until in job.attempt.suspended if job.attempt else ():
        if until < math.inf:
            suspended = add_span(suspended, since, until)
    return count_seconds(job.stop_request.at, now, suspended)


def _will_run(job: TrainingJob) -> bool:
    return job.phase in ("Suggested", "Interrupted", "Paused")


def _stop_all(state: TuningState) -> list[Command]:
    reason: StopReason = "TuningJobFinished"
    if state.status == "Stopping":
        reason = "Interrupted" if state.stop_reason == "Interrupted" else "StoppedByUser"
    # A job between two attempts is over where the tuning job is; where the tuner is only
    # interrupted, it goes on when that is resumed.
    between = ("Interrupted", "Paused") if reason != "Interrupted" else ()
    return [
        Stop(job.number, reason)
        for job in state.jobs.open
        if job.phase in ("Starting", "Training", *between)
        or (job.phase == "Paused" and job.is_alive)
    ]


def _stop_some(
    spec: TuningSpec,
    state: TuningState,
    now: float,
    observed: Iterable[int],
    silent: Iterable[int],
    unjudged: Collection[int],
) -> list[Command]:
    """Return the stops of jobs that run too long, hang, or are hopeless by the stop rule."""
    commands: list[Command] = []
    limit = spec.max_job_runtime_seconds
    for job in state.running:
        # Time in a cluster's queue is no running time, and a job that stops has its grace.
        if job.phase not in ("Starting", "Training") or not job.attempt or job.attempt.is_queued:
            continue
        is_judged = job.number not in unjudged
        if limit is not None and is_judged and job.attempt.count_seconds(now) >= limit:
            commands.append(Stop(job.number, "MaxRuntimeExceeded"))
        elif is_judged and job.number in silent:
            why = f"it printed nothing for {spec.max_silence_seconds:g} s"
            commands.append(Stop(job.number, judge_hung(spec, job), explanation=why))
        elif (
            job.number in observed
            and spec.stop_rule is not None
            and not is_at_end(spec, state, job)
        ):
            verdict = judge_job(spec, state, job)
            if spec.resource_limit and job.count_steps(spec.judged.metric) >= spec.resource_limit:
                verdict = replace(verdict, stop=True, reason="max_resource reached")
            commands.append(
                Stop(job.number, "EarlyStopped", verdict)
                if verdict.stop
                else Continue(job.number, verdict)
            )
    return commands


def _go_on(
    spec: TuningSpec,
    state: TuningState,
    now: float,
    avoided: Collection[Resource],
    most_paused: float,
    judge: Judge,
) -> list[Command]:
    """Return launches and plans; in an outage, one at a time to see whether it is over."""
    outage = state.failures.outage
    if outage is not None:
        command = end_outage_or_probe(spec, state, outage, now)
        if isinstance(command, Launch):
            return _launch(spec, state, avoided, [command.number])
        return [command] if command else []
    if (pause := find_outage(state)) is not None:
        return [pause]
    return list_requeued(state, now) or _fill_slots(spec, state, now, avoided, most_paused, judge)


def _fill_slots(
    spec: TuningSpec,
    state: TuningState,
    now: float,
    avoided: Collection[Resource],
    most_paused: float,
    judge: Judge,
) -> list[Command]:
    """Return launches of what is ready, and plans for the slots that are still free; or what
    becomes of paused jobs."""
    places = spec.count_slots(state.pool) - len(state.running)
    if going := let_go_on(spec, state, places, avoided, judge, before_others=True):
        return going
    launches = _launch(spec, state, avoided, _list_ready(state, now))
    open_jobs = [job for job in state.jobs.open if job.phase != "Paused"]
    wanted = spec.count_slots(state.pool) + should_prefetch(spec, state)
    # Open jobs, and not only running ones: each of those that wait will take a slot too.
    if any(job.phase == "Planned" for job in open_jobs):
        return launches
    # Of those that have begun, all but as many as have a slot must be able to wait.
    room = find_limit(spec, most_paused) + wanted - len(state.jobs.open)
    plan = plan_next(spec, state) if wanted > len(open_jobs) and room > 0 else None
    if plan is None:
        return launches + _fill_up(spec, state, launches, avoided, judge)
    # One at a time: each suggestion should know of the one before.
    return [*launches, plan]


def _fill_up(
    spec: TuningSpec,
    state: TuningState,
    launches: Sequence[Command],
    avoided: Collection[Resource],
    judge: Judge,
) -> list[Command]:
    """Return what becomes of paused jobs, for the slots that nothing else is launched in."""
    places = spec.count_slots(state.pool) - len(state.running) - len(launches)
    shares = [each.share for each in launches if isinstance(each, Launch)]
    return let_go_on(spec, state, places, avoided, judge, shares)


def should_prefetch(spec: TuningSpec, state: TuningState) -> bool:
    """Return whether the next hyperparameters are chosen before a slot is free for them.

    They are then chosen without the result that frees the slot. That is worth it only where slots
    would stand idle for a noticeable time, and never where jobs run one after the other.
    """
    if spec.count_slots(state.pool) == 1:
        return False
    spent, thought = state.jobs.cached("times", _list_recent_times)
    if not spent:
        return False
    # On average: a job that is placed blindly takes no thinking, and the next one may take much.
    thought = [*thought, *(job.suggest_seconds for job in state.jobs.open)]
    return fmean(thought) > IDLE_SHARE * fmean(spent)


def _list_recent_times(ended: Mapping[int, TrainingJob]) -> tuple[list[float], list[float]]:
    """Return the seconds that the latest jobs took, and those that choosing for them took."""
    recent = list(ended.values())[-RECENT_JOBS:]
    spent = [training_seconds(job, now=0.0) for job in recent if job.attempts]
    return spent, [job.suggest_seconds for job in recent]


def _list_ready(state: TuningState, now: float) -> list[int]:
    waiting = list_waiting(state, now)
    ready = (job.number for job in state.jobs.open if job.phase in ("Suggested", "Interrupted"))
    return [number for number in ready if number not in waiting]


def _launch(
    spec: TuningSpec, state: TuningState, avoided: Collection[Resource], ready: Sequence[int]
) -> list[Command]:
    """Return launches of those that are ready, as far as there is room."""
    free = spec.count_slots(state.pool) - len(state.running)
    ready = ready[: max(0, free)]
    request = spec.request
    if request is None or state.pool is None:
        return [Launch(number) for number in ready]
    held = state.list_held()
    launches: list[Command] = []
    for number in ready:
        share = allocate(request, state.pool, held, avoided)
        if share is not None:
            # The next job must not be given the same part of the machine.
            held.append(share)
            launches.append(Launch(number, share))
    return launches


def judge_job(spec: TuningSpec, state: TuningState, job: TrainingJob) -> Verdict:
    """Return the stop rule's verdict on a running job, which has values of what it is judged by."""
    if not is_comparable(spec, job):
        return Verdict(stop=False, reason="its steps are counted over several attempts")
    judged = spec.judged

    def cached_per_job(each: TrainingJob) -> LossCurve:
        return state.jobs.cached_per_job(judged, each, lambda job: loss_curve(job, judged))

    known = learn_from_ended(spec, state)
    going = [
        cached_per_job(other)
        for other in state.jobs.open
        if other.number != job.number
        and other.hyperparameters is not None
        and is_comparable(spec, other)
    ]
    return known.calibration.calibrated.judge(cached_per_job(job), [*known.curves, *going])
