"""Outages: failures in a row for which the surroundings are at fault pause the search.

While launching is paused, one training job at a time shows whether the outage is over: now one
that had failed, now a new one, as there may be a region of the search space where all fail alike.
When one works, the jobs that failed are run again under their numbers; after the first of them, if
none of them is known to work. When none does for long, the tuning job is Failed, and no job counts.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from hpt_cli.formatting import format_seconds
from hpt_cli.spec.model import TuningSpec
from hpt_cli.tuning.commands import (
    Command,
    End,
    Launch,
    PauseLaunching,
    Requeue,
    ResumeLaunching,
)
from hpt_cli.tuning.completion import Completion
from hpt_cli.tuning.failures.history import Outage, describe_alike
from hpt_cli.tuning.jobs.training_job import TrainingJob
from hpt_cli.tuning.state import TuningState
from hpt_cli.tuning.steering.proposals import plan_next

FIRST_PAUSE_SECONDS = 2.0
PAUSE_SHARE = 0.2
"""The longest pause, as a share of the patience."""
PATIENCE_SECONDS = 120.0
PATIENCE_JOBS = 5
"""An outage may last so many times the usual time of a job ..."""
MAX_PATIENCE_SECONDS = 3600.0
"""... but no longer than this, or the tuning job is Failed."""
OLD_SHARE = 2
"""One in so many probes is a job that had failed; the others are new ones."""
LOST_PAUSES = (1.0, 5.0)
"""Seconds until a job that was lost at once is launched again, after the first time and later."""
LOST_AT_ONCE_SECONDS = 10.0


def find_outage(state: TuningState) -> Command | None:
    """Return the command that pauses launching, if the latest failures are an outage."""
    history = state.failures
    if not history.is_outage:
        return None
    streak = history.streak
    seconds = max(each.seconds for each in streak)
    usual = statistics.median(history.usual)
    pace = f"within {format_seconds(seconds)} where {format_seconds(usual)} is usual"
    reason = f"{describe_alike(streak)}, each {pace}"
    return PauseLaunching(reason)


def end_outage_or_probe(
    spec: TuningSpec, state: TuningState, outage: Outage, now: float
) -> Command | None:
    """Return what to do next in an outage; None to wait."""
    working = outage.working or next(_list_working(state, outage, now), None)
    if working is not None:
        return ResumeLaunching(working)
    probing = [job for job in state.running if _is_probe(job, outage)]
    if probing or any(job.phase == "Planned" for job in state.jobs.open):
        return None
    if not state.running and (completion := _give_up(state, outage)):
        return End(completion)
    if now < _find_next_probe(state, outage) or len(state.running) >= spec.count_slots(state.pool):
        return None
    old, new = _choose_old(state, outage), _choose_new(spec, state)
    return (old or new) if len(outage.probes) % OLD_SHARE == 0 else (new or old)


def _find_next_probe(state: TuningState, outage: Outage) -> float:
    """Return when the next job is tried: after growing pauses, and at the end of all patience."""
    probes, end = outage.probes, outage.since + _measure_patience(state)
    last = max([outage.since, *(each.ended_at for each in probes)])
    longest = PAUSE_SHARE * (end - outage.since)
    at = last + min(FIRST_PAUSE_SECONDS * 2.0 ** len(probes), longest)
    return min(at, end) if last < end else at


def _measure_patience(state: TuningState) -> float:
    usual = statistics.median(state.failures.usual)
    return min(max(PATIENCE_SECONDS, PATIENCE_JOBS * usual), MAX_PATIENCE_SECONDS)


def _is_probe(job: TrainingJob, outage: Outage) -> bool:
    return job.attempt is not None and job.attempt.submitted_at >= outage.since


def _list_working(state: TuningState, outage: Outage, now: float) -> Iterator[int]:
    """Yield the probes that have come further than those that failed."""
    values_count = not any(each.has_values for each in outage.failures)
    for job in state.running:
        if job.attempt is None or not _is_probe(job, outage):
            continue
        if _lives(state, job, now) or (values_count and job.attempt.curves):
            yield job.number


def _give_up(state: TuningState, outage: Outage) -> Completion | None:
    """Return how the tuning job ends, where an outage has lasted for too long."""
    probes = outage.probes
    if not probes or probes[-1].submitted_at < outage.since + _measure_patience(state):
        return None
    what = describe_alike(outage.failures)
    lasted = format_seconds(probes[-1].ended_at - outage.since)
    return Completion(
        "Failed",
        f"{what}, for {lasted}: the surroundings are at fault."
        " Once that is mended, 'hpt resume' continues, and runs them again",
    )


def _choose_old(state: TuningState, outage: Outage) -> Command | None:
    """Return what runs a job again that failed: the one with the fewest attempts."""
    open_ = [job.number for job in state.jobs.open if job.phase == "Interrupted"]
    if open_:
        return Launch(open_[0])
    numbers = dict.fromkeys(each.number for each in outage.failures)
    failed = [job for number in numbers if (job := state.jobs[number]).phase == "Failed"]
    oldest = min(failed, key=lambda job: (len(job.attempts), job.number), default=None)
    return Requeue(oldest.number, "Outage") if oldest else None


def _choose_new(spec: TuningSpec, state: TuningState) -> Command | None:
    """Return what runs a job that has not been run, if there is one."""
    for job in state.jobs.open:
        if job.phase == "Suggested":
            return Launch(job.number)
    return plan_next(spec, state)


def list_requeued(state: TuningState, now: float) -> list[Command]:
    """Return the commands that run jobs again that failed in an outage that is over."""
    suspects, numbers = state.failures.suspects, state.failures.pending
    if suspects is not None and suspects.stage == "testing":
        tested = state.jobs[suspects.tested]
        if tested.is_running and _lives(state, tested, now):
            numbers = suspects.numbers
    return [Requeue(number, "Outage") for number in numbers]


def _lives(state: TuningState, job: TrainingJob, now: float) -> bool:
    """Return whether a running job has lived for longer than those that fail at once."""
    attempt, life = job.attempt, state.failures.life_seconds
    if attempt is None or attempt.launched_at is None or attempt.is_queued or life is None:
        return False
    return attempt.count_seconds(now) >= life


def list_waiting(state: TuningState, now: float) -> list[int]:
    """Return the jobs that were lost at once, and wait before they are launched again."""
    return [job.number for job in state.jobs.open if _waits(job, now)]


def _waits(job: TrainingJob, now: float) -> bool:
    if job.phase != "Interrupted":
        return False
    lost = 0
    for attempt in reversed(job.attempts):
        if attempt.ended_at is None or not attempt.lost or attempt.evicted or attempt.excused:
            break
        if attempt.ended_at - attempt.started_at > LOST_AT_ONCE_SECONDS:
            break
        lost += 1
    if not lost:
        return False
    ended_at = job.attempts[-1].ended_at or 0.0
    pause = LOST_PAUSES[min(lost, len(LOST_PAUSES)) - 1]
    return 0 <= now - ended_at < pause
