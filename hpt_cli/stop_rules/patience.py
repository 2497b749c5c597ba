"""Patience: stop a job that no longer improves on itself.

The rule of every training framework, without looking at other jobs (Prechelt 1998, "Early
Stopping - But When?"; the defaults are those of PyTorch Lightning's `EarlyStopping`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hpt_cli.formatting import count
from hpt_cli.stop_rules import LossCurve, StopRule, Verdict
from hpt_cli.stop_rules.curve_stats import check_bounds


@dataclass(frozen=True, slots=True)
class Rule(StopRule):
    """Stop after `patience` epochs in a row without a loss lower by more than `min_delta`."""

    patience: int = 3
    min_delta: float = 0.0
    min_epochs: int = 1

    def __post_init__(self) -> None:
        check_bounds(self, patience=1, min_delta=0, min_epochs=1)

    def judge(self, live: LossCurve, others: Sequence[LossCurve]) -> Verdict:  # noqa: ARG002
        """Judge a running job by its curve so far, which has at least one step."""
        best, waited = live.losses[0], 0
        for loss in live.losses[1:]:
            waited = 0 if loss < best - self.min_delta else waited + 1
            best = loss if waited == 0 else best
        evidence: dict[str, float | int | str] = {
            "step": live.steps[-1],
            "loss": live.losses[-1],
            "held_against": best,
            "epochs_without_improvement": waited,
        }
        stop = waited >= self.patience and len(live.losses) >= self.min_epochs
        return Verdict(stop, f"{count(waited, 'epoch')} without improvement", evidence)
