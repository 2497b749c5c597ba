"""A threshold: stop a job whose objective is worse than a fixed value.

Optuna's `ThresholdPruner`, with the one bound that says "worse". It is given as a loss: for a
maximized objective, the negated value.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hpt_cli.stop_rules import LossCurve, StopRule, Verdict
from hpt_cli.stop_rules.curve_stats import check_bounds, measure_margin


@dataclass(frozen=True, slots=True)
class Rule(StopRule):
    """Stop when the loss is strictly above `worst_loss`, from `min_epochs` on."""

    worst_loss: float = math.inf
    min_epochs: int = 1

    def __post_init__(self) -> None:
        check_bounds(self, worst_loss=-math.inf, min_epochs=1)

    def judge(self, live: LossCurve, others: Sequence[LossCurve]) -> Verdict:  # noqa: ARG002
        """Judge a running job by its curve so far, which has at least one step."""
        loss = live.losses[-1]
        evidence: dict[str, float | int | str] = {
            "step": live.steps[-1],
            "loss": loss,
            "held_against": self.worst_loss,
            "margin": measure_margin(loss, self.worst_loss),
        }
        if len(live.losses) < self.min_epochs:
            return Verdict(False, f"not judged before epoch {self.min_epochs}", evidence)
        worse = loss > self.worst_loss
        return Verdict(worse, f"{'beyond' if worse else 'within'} the threshold", evidence)
