"""What follows when a training job fails, hangs, or prints what a log rule looks for."""

from __future__ import annotations

from collections.abc import Iterable

from hpt_cli.metrics.log_rules import Purpose
from hpt_cli.metrics.patterns import compile_line_regex
from hpt_cli.spec.model import TuningSpec
from hpt_cli.tuning.events import StopReason
from hpt_cli.tuning.jobs.training_job import TrainingJob


def has_attempts_left(spec: TuningSpec, job: TrainingJob) -> bool:
    """Return whether another attempt may follow if the latest one fails."""
    failures = sum(bool(each.failure) and not each.excused for each in job.attempts)
    return spec.retry is not None and failures + 1 < spec.retry.max_attempts


def is_worth_retrying(spec: TuningSpec, job: TrainingJob, lines: Iterable[str]) -> bool:
    """Return whether an attempt that failed with these last lines is followed by another.

    Raises:
        TimeoutError: a regex takes too long.
    """
    if spec.retry is None or not has_attempts_left(spec, job):
        return False
    words = list(lines)
    if any(_is_in(pattern, words) for pattern in spec.retry.not_when):
        return False
    return not spec.retry.when or any(_is_in(pattern, words) for pattern in spec.retry.when)


def _is_in(pattern: str, lines: Iterable[str]) -> bool:
    compiled = compile_line_regex(pattern)
    return any(compiled.search(line) for line in lines)


def judge_hung(spec: TuningSpec, job: TrainingJob) -> StopReason:
    """Return the stop reason of a job that prints nothing: Retry, if failures are tried again."""
    return "Retry" if is_worth_retrying(spec, job, ["Hung"]) else "Hung"


def judge_match(spec: TuningSpec, job: TrainingJob, action: Purpose) -> StopReason | None:
    """Return the stop reason for what a log rule found in a job's output; None if it goes on."""
    if action == "retry":
        return "Retry" if has_attempts_left(spec, job) else "Failed"
    reasons: dict[Purpose, StopReason] = {"stop": "LogRule", "fail": "Failed"}
    return reasons.get(action)
