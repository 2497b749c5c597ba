"""The objective metric: which one, whether more of it is better, and what counts of its curve."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from typing import Any, Literal

from hpt_cli.filter.constraint import Constraint, Domain, parse_constraint
from hpt_cli.metrics.curve import LARGEST, Curve
from hpt_cli.metrics.thinning import Totals

OBJECTIVE_FIELDS = (
    "objective_metric_name",
    "objective_type",
    "objective_value",
    "metric_constraints",
    "metric_definitions",
)
"""The fields of a spec that say what is tuned."""
MEAN_DIGITS = 12
"""Significant digits of a mean that people read: rounding errors are in those after them."""


@dataclass(frozen=True, slots=True)
class Objective:
    """The metric that is tuned."""

    metric: str
    maximize: bool
    value: str = "last"
    """What counts of a curve: its last value, its best, its mean, or the mean_of_last values."""
    window: int = 0
    """How many values mean_of_last is the mean of."""
    constraints: tuple[str, ...] = ()
    """What must hold of the last values of metrics, for a result to count."""
    metrics: tuple[str, ...] = ()
    """What metrics there are, where there are constraints."""

    @classmethod
    def of(cls, spec: Mapping[str, Any]) -> Objective:
        """Return the objective of a recorded spec."""
        metric, maximize = spec["objective_metric_name"], spec["objective_type"] == "Maximize"
        chosen = spec.get("objective_value") or "last"
        window = chosen["mean_of_last"] if isinstance(chosen, Mapping) else 0
        value = "mean_of_last" if isinstance(chosen, Mapping) else chosen
        constraints = tuple(spec.get("metric_constraints") or ())
        named = spec["metric_definitions"] if constraints else ()
        metrics = tuple(each["name"] for each in named)
        return cls(metric, maximize, value, window, constraints, metrics)

    @property
    def type(self) -> Literal["Maximize", "Minimize"]:
        """Its objective_type."""
        return "Maximize" if self.maximize else "Minimize"

    def find_broken(self, latest: Mapping[str, float], *, may_lack: bool = False) -> str:
        """Return by which value of a metric a result breaks a constraint, in words; "" if by none.

        Args:
            latest: the last value of each metric that has one.
            may_lack: whether a result without such a value breaks none.
        """
        for text in self.constraints:
            each = _parse_constraint(text, self.metrics)
            met = each.check(latest)
            if met is None and may_lack:
                continue
            if met is None:
                missing = next(name for name in each.names if name not in latest)
                return f"it has no value of {missing}, for the metric constraint '{each.text}'"
            if not met:
                values = ", ".join(f"{name}={latest[name]:.6g}" for name in each.names)
                return f"{values} breaks the metric constraint '{each.text}'"
        return ""

    @classmethod
    def of_judged(cls, spec: Mapping[str, Any]) -> Objective:
        """Return what the training jobs of a recorded spec are judged by."""
        return cls.of(spec).judge_by(spec.get("early_stopping") or {})

    def judge_by(self, asked: Mapping[str, Any]) -> Objective:
        """Return what `early_stopping` says to judge by: this, or another metric as an objective.

        Of another metric the last value counts; `objective_value` is not about it.
        """
        metric, direction = asked.get("metric"), asked.get("metric_type")
        if metric in (None, self.metric):
            return self
        return Objective(metric, direction == "Maximize" if direction else self.maximize)

    def choose(self, curve: Curve) -> Curve:
        """Return what would count at each step of a curve if it ended there."""
        if self.value == "last" or not curve:
            return curve
        values = [value for _, value in curve]
        if self.value == "best":
            chosen = list(accumulate(values, self._choose_better))
        else:
            chosen = _average(values, self.window if self.value == "mean_of_last" else len(values))
        return tuple((step, value) for (step, _), value in zip(curve, chosen, strict=True))

    def choose_of_all(self, chosen: float, totals: Sequence[Totals]) -> float:
        """Return what counts of more values than a curve has.

        Args:
            chosen: what counts of the curve.
            totals: what is known of all values in the parts of it that have not all.
        """
        if self.value == "mean" and any(each.finite for each in totals):
            return sum(each.sum for each in totals) / sum(each.finite for each in totals)
        if self.value != "best":
            return chosen
        ends = [each.greatest if self.maximize else each.least for each in totals]
        return min([chosen, *(end for end in ends if end is not None)], key=self.loss)

    def drop_rounding_error(self, value: float) -> float:
        """Return what counts without the digits that only computing a mean has added."""
        return float(f"{value:.{MEAN_DIGITS}g}") if self.value.startswith("mean") else value

    def _choose_better(self, best: float, value: float) -> float:
        return value if math.isnan(best) or self.loss(value) < self.loss(best) else best

    def loss(self, value: float) -> float:
        """Return a value as a loss: lower is better.

        NaN and infinity are the worst there is, and so is what is so large that sums of its squares
        overflow.
        """
        if not abs(value) < LARGEST:
            return math.inf
        return -value if self.maximize else value

    def from_loss(self, loss: float) -> float:
        """Return the value that has a loss."""
        return -loss if self.maximize else loss


@cache
def _parse_constraint(text: str, metrics: tuple[str, ...]) -> Constraint:
    return parse_constraint(text, dict.fromkeys(metrics, Domain()))


def _average(values: Sequence[float], window: int) -> list[float]:
    """Return at each place the mean of the values up to it, of the latest `window` at most."""
    if window >= len(values):
        return [total / count for count, total in enumerate(accumulate(values), 1)]
    latest = (values[max(0, end - window) : end] for end in range(1, len(values) + 1))
    return [math.fsum(each) / len(each) for each in latest]
