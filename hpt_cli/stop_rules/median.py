"""SageMaker's median rule.

"If the value of the objective metric for the current training job is worse than the median value of
running averages of the objective metric for previous training jobs up to the same epoch, SageMaker
stops the current training job" (Developer Guide, "Stop Training Jobs Early"). Following Perrone et
al. 2021, nothing is judged before ten training jobs have completed; a first epoch says little.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from hpt_cli.formatting import count
from hpt_cli.stop_rules import LossCurve, StopRule, Verdict
from hpt_cli.stop_rules.curve_stats import (
    check_bounds,
    list_completed,
    measure_margin,
    running_averages,
)


@dataclass(frozen=True, slots=True)
class Rule(StopRule):
    """Stop when the loss at this epoch is strictly above the median of the running averages."""

    min_completed_jobs: int = 10
    min_epochs: int = 2

    def __post_init__(self) -> None:
        check_bounds(self, min_completed_jobs=1, min_epochs=1)

    def judge(self, live: LossCurve, others: Sequence[LossCurve]) -> Verdict:
        """Judge a running job by its curve so far, which has at least one step."""
        return self._compare(live, live.losses[-1], others)

    def _compare(self, live: LossCurve, loss: float, others: Sequence[LossCurve]) -> Verdict:
        """Judge a loss by the median of the completed jobs' running averages."""
        step, completed = live.steps[-1], list_completed(others)
        averages = running_averages(completed, step)
        evidence: dict[str, float | int | str] = {"step": step, "loss": loss, "jobs": len(averages)}
        if len(live.losses) < self.min_epochs:
            return Verdict(False, f"not judged before epoch {self.min_epochs}", evidence)
        if len(completed) < self.min_completed_jobs or not averages:
            reason = f"{len(completed)} of {count(self.min_completed_jobs, 'job')} completed"
            return Verdict(False, reason, evidence)
        median = statistics.median(averages)
        evidence |= {"held_against": median, "margin": measure_margin(loss, median)}
        word = "worse than" if loss > median else "not worse than"
        reason = f"{word} the median of {count(len(averages), 'job')} at this epoch"
        return Verdict(loss > median, reason, evidence)
