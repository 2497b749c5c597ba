"""What is recorded of what the tuner is about to do."""

from __future__ import annotations

import os
import socket

from hpt_cli.spec.model import TuningSpec
from hpt_cli.spec.objective import Objective
from hpt_cli.spec.resources import Pool
from hpt_cli.stop_rules import Verdict
from hpt_cli.tuning import events as ev
from hpt_cli.tuning.commands import Pause, Stop, Thaw
from hpt_cli.tuning.state import TuningState


def start(
    state: TuningState, at: float, pool: Pool | None, last_alive: float | None
) -> ev.TunerStarted:
    """Return that this process begins to tune."""
    if last_alive is not None:  # the clock may have been set since
        last_alive = min(max(last_alive, state.last_event_at), at)
    host = socket.gethostname()
    return ev.TunerStarted(at=at, pid=os.getpid(), host=host, pool=pool, last_alive=last_alive)


def judge(state: TuningState, number: int, verdict: Verdict, now: float) -> ev.JobJudged:
    """Return a stop rule's verdict on a job."""
    job = state.jobs[number]
    return ev.JobJudged(
        at=now,
        number=number,
        attempt=len(job.attempts),
        step=job.curve(Objective.of_judged(state.spec).metric)[-1][0],
        stop=verdict.stop,
        reason=verdict.reason,
        evidence=dict(verdict.evidence),
    )


def stop(command: Stop, now: float) -> ev.JobStopRequested:
    """Return that a job is asked to end."""
    verdict = command.verdict
    return ev.JobStopRequested(
        at=now,
        number=command.number,
        reason=command.reason,
        explanation=verdict.reason if verdict else command.explanation,
        evidence=dict(verdict.evidence) if verdict else {},
    )


def pause(
    spec: TuningSpec, state: TuningState, command: Pause, now: float
) -> ev.JobPaused | ev.JobStopRequested:
    """Return that a job is to stand still; or to end, where it goes on from a checkpoint later."""
    number, reason, evidence = command.number, command.reason, dict(command.evidence)
    if spec.pausing is not None and spec.pausing.method == "checkpoint":
        return ev.JobStopRequested(
            at=now, number=number, reason="Paused", explanation=reason, evidence=evidence
        )
    attempt = len(state.jobs[number].attempts)
    return ev.JobPaused(at=now, number=number, attempt=attempt, reason=reason, evidence=evidence)


def thaw(state: TuningState, command: Thaw, now: float) -> ev.JobThawed:
    """Return that a paused job is to go on."""
    number, attempt = command.number, len(state.jobs[command.number].attempts)
    return ev.JobThawed(at=now, number=number, attempt=attempt, reason=command.reason)
