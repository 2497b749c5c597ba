"""The objective metric: which one, and whether more of it is better."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hpt_cli.metrics.curve import LARGEST


@dataclass(frozen=True, slots=True)
class Objective:
    """The metric that is tuned."""

    metric: str
    maximize: bool

    @classmethod
    def of(cls, spec: Mapping[str, Any]) -> Objective:
        """Return the objective of a recorded spec."""
        return cls(spec["objective_metric_name"], spec["objective_type"] == "Maximize")

    def loss(self, value: float) -> float:
        """Return a value as a loss: lower is better.

        NaN and infinity are the worst there is, and so is what is so large that sums of its squares
        overflow.
        """
        if not abs(value) < LARGEST:
            return math.inf
        return -value if self.maximize else value
