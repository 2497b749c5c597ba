"""SageMaker's median rule.

"If the value of the objective metric for the current training job is worse than the median value of
running averages of the objective metric for previous training jobs up to the same epoch, SageMaker
stops the current training job" (Developer Guide, "Stop Training Jobs Early"). Following Perrone et
al. 2021, nothing is judged before ten training jobs have completed; a first epoch alone says little.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from hpt_cli.core.stop_rules import LossCurve, Verdict

MIN_COMPLETED_JOBS = 10
MIN_EPOCHS = 2


def judge(live: LossCurve, others: Sequence[LossCurve]) -> Verdict:
    """Stop when the loss at this epoch is strictly above the median of the running averages."""
    epoch = len(live.losses)
    step, loss = live.steps[-1], live.losses[-1]
    completed = [other for other in others if other.status == "Completed"]
    averages = [
        average for other in completed if (average := _running_average(other, step)) is not None
    ]
    if epoch < MIN_EPOCHS or len(completed) < MIN_COMPLETED_JOBS or not averages:
        return Verdict(False)
    median = statistics.median(averages)
    evidence = {"step": step, "loss": loss, "median": median, "jobs": len(averages)}
    return Verdict(
        loss > median, f"worse than the median of {len(averages)} jobs at this epoch", evidence
    )


def _running_average(curve: LossCurve, step: float) -> float | None:
    """The mean loss up to a step; None for a job that never reached it."""
    if not curve.steps or curve.steps[-1] < step:
        return None
    seen = [loss for at, loss in zip(curve.steps, curve.losses, strict=True) if at <= step]
    return statistics.fmean(seen) if seen else None
