"""Optuna's percentile rule.

A job goes on while its best value so far is within the best `percentile` of what the completed jobs
had at the same epoch (Optuna 4, `PercentilePruner`). With its defaults, 50 and 5 completed jobs,
it is Optuna's `MedianPruner`, the pruner that Optuna uses when none is named.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hpt_cli.formatting import count
from hpt_cli.stop_rules import LossCurve, StopRule, Verdict
from hpt_cli.stop_rules.curve_stats import (
    best_until,
    check_bounds,
    has_reached,
    list_completed,
    losses_until,
    measure_margin,
)


@dataclass(frozen=True, slots=True)
class Rule(StopRule):
    """Stop when the best loss so far is strictly above a percentile of the losses at this epoch."""

    percentile: float = 50.0
    min_completed_jobs: int = 5
    min_epochs: int = 1

    def __post_init__(self) -> None:
        check_bounds(self, percentile=(0, 100), min_completed_jobs=1, min_epochs=1)

    def judge(self, live: LossCurve, others: Sequence[LossCurve]) -> Verdict:
        """Judge a running job by its curve so far, which has at least one step."""
        step, best = live.steps[-1], best_until(live, live.steps[-1])
        completed = list_completed(others)
        reached = [losses_until(each, step) for each in completed if has_reached(each, step)]
        losses = [seen[-1] for seen in reached if seen]
        evidence: dict[str, float | int | str] = {"step": step, "loss": best, "jobs": len(losses)}
        if len(live.losses) < self.min_epochs:
            return Verdict(False, f"not judged before epoch {self.min_epochs}", evidence)
        if len(completed) < self.min_completed_jobs or not losses:
            reason = f"{len(completed)} of {count(self.min_completed_jobs, 'job')} completed"
            return Verdict(False, reason, evidence)
        bar = find_quantile(losses, self.percentile / 100)
        evidence |= {"held_against": bar, "margin": measure_margin(best, bar)}
        place = "outside" if best > bar else "within"
        share = f"the best {self.percentile:g}% of {count(len(losses), 'job')}"
        return Verdict(best > bar, f"{place} {share} at this epoch", evidence)


def find_quantile(values: Sequence[float], share: float) -> float:
    """Return the value below which a share of the values lies, interpolated as numpy does."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    if place == low:
        return ordered[low]
    if math.isinf(ordered[low + 1]):
        return ordered[low + 1]
    return ordered[low] + (place - low) * (ordered[low + 1] - ordered[low])
