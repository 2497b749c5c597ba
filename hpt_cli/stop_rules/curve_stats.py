"""Statistics of curves that stop rules share, and the check of their parameters."""

from __future__ import annotations

import math
import statistics
from bisect import bisect_right
from collections.abc import Iterable, Sequence

from hpt_cli.stop_rules import LossCurve

NOISE_EPOCHS = 9
"""Noise is measured over so many epochs, as it changes in the course of training."""
MEDIAN_DEVIATION = 0.6745
"""The median of the absolute values of a standard normal variable."""


def check_bounds(rule: object, **bounds: float | tuple[float, float]) -> None:
    """Raise ValueError if one of a rule's parameters is out of its bounds.

    Args:
        bounds: by parameter, the least value, or the least and the largest.
    """
    for name, allowed in bounds.items():
        low, high = allowed if isinstance(allowed, tuple) else (allowed, math.inf)
        value = getattr(rule, name)
        if not low <= value <= high:
            words = f"at least {low:g}" if high == math.inf else f"between {low:g} and {high:g}"
            raise ValueError(f"{name} must be {words}, not {value:g}")


def list_completed(curves: Iterable[LossCurve]) -> list[LossCurve]:
    """Return the curves that ran to their end, in order of job number."""
    completed = [each for each in curves if each.status == "Completed" and each.losses]
    return sorted(completed, key=lambda each: each.number)


def has_reached(curve: LossCurve, step: float) -> bool:
    """Return whether a job got as far as this step."""
    return bool(curve.steps) and curve.steps[-1] >= step


def losses_until(curve: LossCurve, step: float) -> tuple[float, ...]:
    """Return the losses up to and including a step."""
    return curve.losses[: bisect_right(curve.steps, step)]


def best_until(curve: LossCurve, step: float) -> float:
    """Return the lowest loss up to and including a step; inf where there is none."""
    count = bisect_right(curve.steps, step)
    return curve.lows[count - 1] if count else math.inf


def running_averages(curves: Sequence[LossCurve], step: float) -> list[float]:
    """Return the mean loss up to a step, of every job that reached it."""
    seen = [losses_until(each, step) for each in curves if has_reached(each, step)]
    # The mean is inf where one is, even beside -inf.
    return [math.inf if math.inf in each else statistics.fmean(each) for each in seen if each]


def measure_margin(loss: float, held_against: float) -> float:
    """Return how much worse a loss is than what it is compared with; 0 where both are inf."""
    return 0.0 if loss == held_against else loss - held_against


def measure_noise(curve: LossCurve) -> float:
    """Return the standard deviation of the noise in the last losses of a curve; 0 if too short.

    From its second differences, which have nothing of a steady trend: those of independent noise
    have six times its variance. Their median is heedless of single jumps.
    """
    last = curve.losses[-NOISE_EPOCHS:]
    bends = [abs(a - 2 * b + c) for a, b, c in zip(last, last[1:], last[2:], strict=False)]
    finite = [bend for bend in bends if math.isfinite(bend)]
    return statistics.median(finite) / (MEDIAN_DEVIATION * math.sqrt(6)) if finite else 0.0
