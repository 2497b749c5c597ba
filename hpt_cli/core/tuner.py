"""decide(spec, state, now) -> commands: what a tuning job should do next.

Pure: the runner and the replay ask it after every change, and carry out what it says. Nothing is
remembered here, so a resumed tuning job decides as an undisturbed one would.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from hpt_cli.core.completion import Completion, find_completion
from hpt_cli.core.events import StopReason
from hpt_cli.core.objective import Objective
from hpt_cli.core.spec import EarlyStopping, TuningSpec
from hpt_cli.core.state import TrainingJob, TuningState
from hpt_cli.core.stop_rules import LossCurve, Verdict, load_stop_rule
from hpt_cli.core.strategies import Question, Trial
from hpt_cli.core.summary import final_objective


@dataclass(frozen=True, slots=True)
class Plan:
    """Choose hyperparameters for a job of this number."""

    number: int


@dataclass(frozen=True, slots=True)
class Launch:
    """Launch a job that has hyperparameters."""

    number: int


@dataclass(frozen=True, slots=True)
class Keep:
    """The judge lets a job go on; its verdict is worth keeping."""

    number: int
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Stop:
    """Ask a job to end."""

    number: int
    reason: StopReason
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class Kill:
    """End a job that was asked to and did not within its grace."""

    number: int


@dataclass(frozen=True, slots=True)
class End:
    """The tuning job is over."""

    completion: Completion


Command: TypeAlias = Plan | Launch | Keep | Stop | Kill | End


def decide(
    spec: TuningSpec, state: TuningState, now: float, observed: Iterable[int] = ()
) -> list[Command]:
    """What to do next.

    Args:
        spec: what was asked for.
        state: what is known.
        now: seconds since the epoch.
        observed: the jobs whose objective has new observations, which the judge has not seen.
    """
    completion = find_completion(spec, state, now)
    commands: list[Command] = [
        Kill(job.number)
        for job in state.running
        if job.stop_request and now >= job.stop_request.at + spec.stop_grace_seconds
    ]
    if completion is not None and completion.stop_running:
        commands += _stop_all(state)
    else:
        commands += _stop_some(spec, state, now, observed)
    if completion is None:
        return commands + _fill_slots(spec, state)
    if state.status == "Stopping" or not any(map(_will_run, state.jobs.values())):
        if not any(job.is_running for job in state.jobs.values()):
            commands.append(End(completion))
        return commands
    return commands + _launch(spec, state)


def _will_run(job: TrainingJob) -> bool:
    return job.phase in ("Suggested", "Interrupted")


def _stop_all(state: TuningState) -> list[Command]:
    reason: StopReason = "TuningJobFinished"
    if state.status == "Stopping":
        reason = "Interrupted" if state.stop_reason == "Interrupted" else "StoppedByUser"
    waiting = [] if reason == "Interrupted" else [j for j in state.jobs.values() if _will_run(j)]
    alive = [job for job in state.running if job.phase in ("Starting", "Training")]
    return [Stop(job.number, reason) for job in [*alive, *waiting]]


def _stop_some(
    spec: TuningSpec, state: TuningState, now: float, observed: Iterable[int]
) -> list[Command]:
    """The jobs that run too long, and those that the judge gives up."""
    commands: list[Command] = []
    limit = spec.max_job_runtime_seconds
    for job in state.running:
        if job.phase not in ("Starting", "Training") or job.attempt is None:
            continue
        if limit is not None and now - job.attempt.started_at >= limit:
            commands.append(Stop(job.number, "MaxRuntimeExceeded"))
        elif job.number in observed and spec.stop_rule is not None:
            verdict = judge_job(spec, state, job, spec.stop_rule)
            commands.append(
                Stop(job.number, "EarlyStopped", verdict)
                if verdict.stop
                else Keep(job.number, verdict)
            )
    return commands


def _fill_slots(spec: TuningSpec, state: TuningState) -> list[Command]:
    """Launch what is ready, and plan jobs for the slots that are still free."""
    launches = _launch(spec, state)
    open_jobs = [job for job in state.jobs.values() if not job.has_ended]
    free = min(spec.max_parallel_jobs - len(open_jobs), spec.max_jobs - len(state.jobs))
    if state.exhausted or free <= 0 or any(job.phase == "Planned" for job in open_jobs):
        return launches
    # One at a time: each suggestion should know of the one before.
    return [*launches, Plan(len(state.jobs) + 1)]


def _launch(spec: TuningSpec, state: TuningState) -> list[Command]:
    free = spec.max_parallel_jobs - len(state.running)
    ready = [job for job in state.jobs.values() if _will_run(job)]
    return [Launch(job.number) for job in ready[: max(0, free)]]


def judge_job(
    spec: TuningSpec, state: TuningState, job: TrainingJob, rule: EarlyStopping
) -> Verdict:
    """What a stop rule says of a running job, which has observations of the objective."""
    live = loss_curve(job, spec.objective)
    others = [
        loss_curve(other, spec.objective)
        for other in state.jobs.values()
        if other.number != job.number and other.hyperparameters is not None
    ]
    return load_stop_rule(rule.rule, **rule.parameters).judge(live, others)


def loss_curve(job: TrainingJob, objective: Objective) -> LossCurve:
    """A job's objective as a stop rule sees it."""
    curve = job.curve(objective.metric)
    return LossCurve(
        number=job.number,
        status=job.phase if job.phase in ("Completed", "Stopped", "Failed") else "Running",
        hyperparameters=job.hyperparameters or {},
        steps=tuple(step for step, _ in curve),
        losses=tuple(objective.loss(value) for _, value in curve),
    )


def ask(spec: TuningSpec, state: TuningState, number: int) -> Question:
    """The question a strategy is asked for job `number`: all it may know is in the state."""
    return Question(
        ranges=spec.hyperparameter_ranges,
        seed=spec.random_seed,
        number=number,
        max_jobs=spec.max_jobs,
        max_parallel_jobs=spec.max_parallel_jobs,
        trials=tuple(
            _trial(job, spec.objective)
            for job in state.jobs.values()
            if job.number != number and job.hyperparameters is not None
        ),
    )


def _trial(job: TrainingJob, objective: Objective) -> Trial:
    curve = loss_curve(job, objective)
    final = final_objective(job, objective)
    return Trial(
        number=job.number,
        hyperparameters=curve.hyperparameters,
        status=curve.status,
        loss=None if final is None else objective.loss(final),
        curve=tuple(zip(curve.steps, curve.losses, strict=True)),
    )
