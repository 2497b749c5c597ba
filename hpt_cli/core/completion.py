"""When a tuning job is over, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hpt_cli.core.spec import TuningSpec
from hpt_cli.core.state import TuningState
from hpt_cli.core.summary import tuning_seconds

FIRST_FAILURES = 5
"""A tuning job whose first jobs all fail is Failed, as SageMaker's are ("No training job succeeded
after 5 attempts")."""


@dataclass(frozen=True, slots=True)
class Completion:
    """How a tuning job ends. With `stop_running` it does not wait for the jobs in flight."""

    status: Literal["Completed", "Failed", "Stopped"]
    reason: str
    stop_running: bool = False


def find_completion(spec: TuningSpec, state: TuningState, now: float) -> Completion | None:
    """The reason to start no more jobs, if there is one."""
    if state.status == "Stopping":
        reason = "interrupted" if state.stop_reason == "Interrupted" else "stopped by the user"
        return Completion("Stopped", reason, stop_running=True)
    jobs = state.jobs.values()
    ended = [job for job in jobs if job.has_ended]
    failed = [job for job in ended if job.phase == "Failed"]
    if len(ended) >= FIRST_FAILURES and len(failed) == len(ended):
        return Completion("Failed", f"all of the first {len(failed)} training jobs failed", True)
    if spec.max_runtime_seconds is not None:
        spent = tuning_seconds(state, now)
        if spent >= spec.max_runtime_seconds:
            reason = f"max_runtime_seconds ({spec.max_runtime_seconds:g}) reached"
            return Completion("Completed", reason, stop_running=True)
    if len(jobs) >= spec.max_jobs and all(job.hyperparameters is not None for job in jobs):
        if failed and len(failed) == len(jobs):
            return Completion("Failed", "all training jobs failed")
        return Completion("Completed", f"max_jobs ({spec.max_jobs}) reached")
    if state.exhausted and all(job.hyperparameters is not None for job in jobs):
        reason = f"all {len(jobs)} points of the search space have been tried"
        return Completion("Completed", reason)
    return None
