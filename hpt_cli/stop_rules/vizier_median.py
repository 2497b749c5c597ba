"""Google Vizier's median rule.

"The median stopping rule stops a pending trial x_t at step s if the trial's best objective value by
step s is strictly worse than the median value of the running averages of all completed trials'
objectives reported up to step s" (Golovin et al. 2017, section 3.2.2). The paper names no warm-up.
Azure and NNI use the same rule, Azure with a delay of 5 epochs in its examples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hpt_cli.stop_rules import LossCurve, Verdict, median
from hpt_cli.stop_rules.curve_stats import best_until


@dataclass(frozen=True, slots=True)
class Rule(median.Rule):
    """Stop when the best loss so far is strictly above the median of the running averages."""

    min_completed_jobs: int = 1
    min_epochs: int = 1

    def judge(self, live: LossCurve, others: Sequence[LossCurve]) -> Verdict:
        """Judge a running job by its curve so far, which has at least one step."""
        return self._compare(live, best_until(live, live.steps[-1]), others)
