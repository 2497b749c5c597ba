"""Completion criteria: when a tuning job is over, and why."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from hpt_cli.spec.model import TuningSpec
from hpt_cli.tuning import events as ev
from hpt_cli.tuning.evidence import list_runs, trial
from hpt_cli.tuning.fold import fold
from hpt_cli.tuning.jobs.training_job import TrainingJob
from hpt_cli.tuning.repeats.configurations import Configuration, list_configurations
from hpt_cli.tuning.state import TuningState
from hpt_cli.tuning.summary import (
    final_objective,
    final_value,
    find_objective_status,
    tuning_seconds,
)

FIRST_FAILURES = 5
"""A tuning job whose first jobs all fail, or show no value of the objective, is Failed, as
SageMaker's are ("No training job succeeded after 5 attempts")."""
IMPROVEMENT = 0.01
"""An improvement counts from 1 % of the best value on, as at SageMaker."""
CONVERGENCE_JOBS = 10
"""Convergence is judged over the latest third of the jobs, and over no fewer than this."""
CONVERGENCE_SHARE = 0.01
"""The share of the way from the median to the best below which an improvement is noise."""

CANNOT_START = {126, 127}
"""The exit codes of a command whose program is no program, or is not found."""


@dataclass(frozen=True, slots=True)
class Completion:
    """How a tuning job ends. With `stop_running` it does not wait for running jobs."""

    status: Literal["Completed", "Failed", "Stopped"]
    reason: str
    stop_running: bool = False


def find_completion(spec: TuningSpec, state: TuningState, now: float) -> Completion | None:
    """Return the reason to start no more jobs; None if there is none.

    Jobs in flight are waited for when there is nothing left to try, and stopped when there is no
    time or no need left; `on_completion` says otherwise.
    """
    if state.status == "Stopping":
        reason = "interrupted" if state.stop_reason == "Interrupted" else "stopped by the user"
        return Completion("Stopped", reason, stop_running=True)
    if (failure := _find_failure(spec, state)) is not None:
        return Completion("Failed", failure, stop_running=True)
    # Only the first reason is given: time comes before results, and results before limits.
    for reason, stops in _find_reasons(spec, state, now):
        return _complete(spec, state, reason, stops=stops)
    # Jobs that failed in an outage are still to run, where it turns out to be over.
    return None if state.failures.is_unresolved else _find_limit(spec, state)


def _find_failure(spec: TuningSpec, state: TuningState) -> str | None:
    """Return why a tuning job is to be given up; None if it is not."""
    since, metric = state.started_at, spec.objective_metric_name
    # What failed under an earlier tuner may have been mended since.
    failed = state.jobs.cached(("failed", since), lambda ended: _list_failed(ended, since))
    if spec.fail_fast and failed:
        return f"fail_fast: training job {min(failed)} failed"
    first = state.jobs.cached(("first", metric), lambda ended: _list_fruitless(spec, ended))
    if sum(_find_end(job) >= since for job in first) < FIRST_FAILURES:
        return None
    if all(job.phase == "Failed" for job in first):
        return f"all of the first {len(first)} training jobs failed"
    return f"none of the first {len(first)} training jobs has a value of {metric}"


def _find_limit(spec: TuningSpec, state: TuningState) -> Completion | None:
    """Return how a tuning job ends that has no more jobs to try; None if it has."""
    limit, suspects = _find_last_job(spec, state), state.failures.suspects
    if limit is None or suspects is None or suspects.is_over:
        return limit
    reason = (
        f"training job {suspects.tested} failed again, and none is left that may show why. If the"
        " surroundings are at fault, 'hpt resume' runs what failed again once they are mended"
    )
    return Completion("Failed", reason)


def _find_last_job(spec: TuningSpec, state: TuningState) -> Completion | None:
    """Return how a tuning job ends that has no more jobs to try, as if none had failed in vain."""
    count = len(state.jobs)
    # A job without hyperparameters counts only when it has some: the space may be exhausted.
    if all(job.hyperparameters is not None for job in state.jobs.open):
        if count >= spec.job_limit:
            return _complete(spec, state, _describe_limit(spec), stops=False)
        if state.exhausted and state.next_proposal is None:
            if spec.constraints and not count:
                return Completion("Failed", "no point was found that meets the constraints")
            return _complete(spec, state, _describe_exhaustion(spec, state), stops=False)
    return None


def _complete(spec: TuningSpec, state: TuningState, reason: str, *, stops: bool) -> Completion:
    failed = state.jobs.count("Failed")
    if failed and failed == len(state.jobs):
        return Completion("Failed", "all training jobs failed")
    stop_running = stops if spec.on_completion is None else spec.on_completion == "stop"
    metric = spec.objective_metric_name
    if state.jobs.cached(("vain", metric), lambda ended: _is_vain(spec, ended)):
        finals = (final_value(job, spec.objective) for job in state.jobs.ended.values())
        has_value = any(final is not None for final in finals)
        which = " within the metric constraints" if spec.metric_constraints and has_value else ""
        reason = f"{reason}; no training job has a usable value of {metric}{which}"
        return Completion("Failed", reason, stop_running)
    return Completion("Completed", reason, stop_running)


def _list_failed(ended: Mapping[int, TrainingJob], since: float) -> list[int]:
    """Return the numbers of the jobs that are Failed, and ended since then."""
    failed = (job for job in ended.values() if job.phase == "Failed")
    return [job.number for job in failed if _find_end(job) >= since]


def _list_fruitless(spec: TuningSpec, ended: Mapping[int, TrainingJob]) -> list[TrainingJob]:
    """Return all jobs that have ended, if none has shown that the command works; else none.

    Such a job failed, or came to its end, or to a time limit, without a value of the objective.
    Those that were stopped because the tuning job failed are left out.
    """
    jobs = [job for job in ended.values() if job.stop_reason != "TuningJobFinished"]
    reasons = (None, "MaxRuntimeExceeded", "Hung")
    is_fruitless = (
        job.stop_reason in reasons and final_value(job, spec.objective) is None for job in jobs
    )
    return jobs if all(is_fruitless) else []


def _is_vain(spec: TuningSpec, ended: Mapping[int, TrainingJob]) -> bool:
    """Return whether no job has a result that counts, though one was left to come to its end."""
    return any(job.stop_reason is None for job in ended.values()) and all(
        find_objective_status(job, spec.objective) == "Failed" for job in ended.values()
    )


def may_go_on(spec: TuningSpec, state: TuningState, now: float) -> bool:
    """Return whether a tuning job that has ended could start more jobs, if resumed."""
    return foresee_end(spec, state, now) is None


def has_no_value(spec: TuningSpec, state: TuningState) -> bool:
    """Return whether no training job has shown any value of the objective."""
    metric = spec.objective_metric_name
    return not any(job.curve(metric) for job in state.jobs.values())


def is_fault_of_spec(spec: TuningSpec, state: TuningState) -> bool:
    """Return whether a tuning job failed of its spec, which stays the same when it is resumed.

    Its definitions found no value in a job that came to its end, or no program could be started.
    """
    if state.status != "Failed" or not has_no_value(spec, state):
        return False
    jobs = [job for job in state.jobs.values() if job.phase in ("Completed", "Failed")]
    codes = {job.attempts[-1].exit_code for job in jobs if job.attempts}
    return any(job.phase == "Completed" for job in jobs) or (bool(codes) and codes <= CANNOT_START)


def foresee_end(
    spec: TuningSpec, state: TuningState, now: float, requeued: Iterable[int] = ()
) -> Completion | None:
    """Return how a tuning job would end at once, if it was resumed now; None if it goes on.

    Args:
        spec: what is asked for by now.
        state: as its last tuner has left it.
        now: seconds since the epoch.
        requeued: the jobs that had failed and would run again.
    """
    state = fold(state, ev.TunerStarted(at=now, pid=0, host=""))
    for number in requeued:
        state = fold(state, ev.JobRequeued(at=now, number=number, reason="Asked"))
    return find_completion(spec, state, now)


def _find_reasons(spec: TuningSpec, state: TuningState, now: float) -> Iterator[tuple[str, bool]]:
    """Yield each criterion that is met, and whether it stops the running jobs."""
    limit = spec.max_runtime_seconds
    if limit is not None and tuning_seconds(state, now) >= limit:
        yield f"max_runtime_seconds ({limit:g}) reached", True
    yield from _find_result_reasons(spec, state)


def _find_result_reasons(spec: TuningSpec, state: TuningState) -> Iterator[tuple[str, bool]]:
    """Yield the met criteria among those that look at results."""
    target, patience = spec.target_objective_metric_value, spec.max_jobs_not_improving
    if target is None and patience is None and not spec.complete_on_convergence:
        return
    if target is not None and _find_least_loss(spec, state) <= spec.objective.loss(target):
        yield f"target_objective_metric_value ({target:g}) reached", True
    losses = state.jobs.cached("losses", lambda ended: list_losses(spec, ended))
    if patience is not None and count_not_improving(losses) >= patience:
        what = "training jobs" if spec.repeats is None else "configurations"
        yield f"{patience} {what} in a row did not improve the best by 1 %", False
    if spec.complete_on_convergence and has_converged(
        losses, state.jobs.cached("noise", lambda ended: measure_noise(spec, ended))
    ):
        yield "converged: more training jobs are unlikely to improve the best", False


def _describe_limit(spec: TuningSpec) -> str:
    if spec.max_jobs is None and spec.strategy == "Grid":
        return f"all {spec.job_limit} points of the grid have been tried"
    return f"max_jobs ({spec.job_limit}) reached"


def _describe_exhaustion(spec: TuningSpec, state: TuningState) -> str:
    if spec.repeats is None:
        which = " that were found to meet the constraints" if spec.constraints else ""
        return f"all {len(state.jobs)} points of the search space{which} have been tried"
    known = list_configurations(list_runs(spec, state), spec.seed_name)
    return f"all {len(known)} configurations have been tried, as often as they may be the best"


def list_losses(spec: TuningSpec, ended: Mapping[int, TrainingJob]) -> list[float]:
    """Return the final losses of the jobs that ended with a result, in order of their ends.

    With repeats these are the mean losses of configurations, in order of their first ends.
    """
    able = [job for job in ended.values() if job.phase in ("Completed", "Stopped")]
    able.sort(key=lambda job: (_find_end(job), job.number))
    if spec.repeats is not None:
        return _list_means(list_configurations([trial(spec, job) for job in able], spec.seed_name))
    finals = (final_objective(job, spec.objective) for job in able)
    return [spec.objective.loss(final) for final in finals if final is not None]


def _list_means(configurations: Iterable[Configuration]) -> list[float]:
    means = [each.mean for each in configurations if not each.is_broken]
    return [mean for mean in means if mean is not None]


def _find_least_loss(spec: TuningSpec, state: TuningState) -> float:
    """Return the least loss; with repeats, of what is not run again: one good run is luck."""
    if spec.repeats is None:
        losses = state.jobs.cached("losses", lambda ended: list_losses(spec, ended))
    else:
        losses = state.jobs.cached("settled", lambda _: _list_settled(spec, state))
    return min(losses, default=math.inf)


def _list_settled(spec: TuningSpec, state: TuningState) -> list[float]:
    """Return the mean losses of the configurations of this tuning job that are not run again."""
    assert spec.repeats is not None
    count, known = spec.repeats.count, list_configurations(list_runs(spec, state), spec.seed_name)
    able = (each for each in known if each.runs[-1].number > 0 and not each.is_pending)
    return _list_means(each for each in able if not each.may_run_again(count))


def _find_end(job: TrainingJob) -> float:
    return job.attempts[-1].ended_at or 0.0 if job.attempts else 0.0


def count_not_improving(losses: Sequence[float]) -> int:
    """Return how many results in a row, up to the latest, did not beat the best by 1 %."""
    best = math.inf
    count = 0
    for loss in losses:
        # 1 % of infinity, subtracted from infinity, is NaN: nothing would be an improvement.
        if loss < best - (IMPROVEMENT * abs(best) if math.isfinite(best) else 0.0):
            best, count = loss, 0
        else:
            count += 1
    return count


def has_converged(losses: Sequence[float], noise: float) -> bool:
    """Return whether the latest third of the results, at least ten, improved by noise only.

    What they improved the best by is the estimate of what as many more would. It is nothing when
    it is below the noise of the metric, or 1 % of the way from the median result to the best.
    """
    window = max(CONVERGENCE_JOBS, len(losses) // 3)
    if len(losses) < 2 * window:
        return False
    before, best = min(losses[:-window]), min(losses)
    if not math.isfinite(before):
        return False
    spread = statistics.median(losses) - best
    bar = max(noise, CONVERGENCE_SHARE * spread if math.isfinite(spread) else 0.0)
    return before - best <= bar


def measure_noise(spec: TuningSpec, ended: Mapping[int, TrainingJob]) -> float:
    """Return how much the objective moves between epochs at the end of completed jobs."""
    steps = []
    for job in ended.values():
        if job.phase != "Completed":
            continue
        curve = spec.objective.choose(job.curve(spec.objective.metric))
        if len(curve) >= 2 and math.isfinite(curve[-1][1] - curve[-2][1]):
            steps.append(abs(curve[-1][1] - curve[-2][1]))
    return statistics.median(steps) if steps else 0.0
