"""Asynchronous successive halving, stopping variant.

At the rungs `min_epochs * reduction_factor ** k` a job goes on only if it is among the best
1/reduction_factor of all jobs that have reached the rung so far, itself included (Li et al. 2020,
MLSys; the variant that never resumes a job is Syne Tune's `ASHA(type="stopping")`, whose defaults
these are). Until reduction_factor jobs have been there, every job goes on.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hpt_cli.formatting import count
from hpt_cli.stop_rules import LossCurve, StopRule, Verdict
from hpt_cli.stop_rules.curve_stats import check_bounds, has_reached, measure_margin
from hpt_cli.stop_rules.percentile import find_quantile


@dataclass(frozen=True, slots=True)
class Rule(StopRule):
    """Stop at a rung what is not among the best 1/reduction_factor there."""

    min_epochs: int = 1
    reduction_factor: float = 3.0

    def __post_init__(self) -> None:
        check_bounds(self, min_epochs=1, reduction_factor=1.5)

    def judge(self, live: LossCurve, others: Sequence[LossCurve]) -> Verdict:
        """Judge a running job by its curve so far, which has at least one step."""
        step, loss = live.steps[-1], live.losses[-1]
        evidence: dict[str, float | int | str] = {"step": step, "loss": loss}
        # Rounded, as a reduction factor such as 2.5 puts rungs between epochs.
        if not any(round(rung) == len(live.losses) for rung in self._rungs(len(live.losses))):
            return Verdict(False, "between two rungs", evidence)
        there = [
            each.losses[bisect_left(each.steps, step)] for each in others if has_reached(each, step)
        ]
        evidence["jobs"] = len(there) + 1
        # Of fewer jobs, the best 1/reduction_factor would be less than one job.
        if len(there) + 1 < self.reduction_factor:
            return Verdict(False, f"{count(len(there) + 1, 'job')} at this rung so far", evidence)
        bar = find_quantile([*there, loss], 1 / self.reduction_factor)
        evidence |= {"held_against": bar, "margin": measure_margin(loss, bar)}
        place = "not among" if loss > bar else "among"
        share = f"the best 1/{self.reduction_factor:g} of {len(there) + 1} jobs at this rung"
        return Verdict(loss > bar, f"{place} {share}", evidence)

    def _rungs(self, last: int) -> Iterator[float]:
        """Yield the rungs in epochs, up to the first that is beyond `last`."""
        rung = float(self.min_epochs)
        while rung <= last:
            yield rung
            rung *= self.reduction_factor
