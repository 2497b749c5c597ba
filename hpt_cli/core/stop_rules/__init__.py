"""Stop rules: is this training job still worth its time?

A stop rule is a module with one pure function, `judge`, which looks at one live curve beside the
curves of the other training jobs. It is asked after every new observation of the objective.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Literal, Protocol, cast

from hpt_cli.core.hyperparameters import Hyperparameters


@dataclass(frozen=True, slots=True)
class LossCurve:
    """The objective of one training job as losses: lower is better, NaN is inf.

    `steps` grow strictly; `losses[i]` was seen at `steps[i]`.
    """

    number: int
    status: Literal["Running", "Completed", "Stopped", "Failed"]
    hyperparameters: Hyperparameters
    steps: tuple[float, ...]
    losses: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether to stop, why in a few words, and the numbers behind it (losses, not objectives)."""

    stop: bool
    reason: str = ""
    evidence: Mapping[str, float | int | str] = field(default_factory=dict)


class StopRule(Protocol):
    """One way to tell which training jobs lag."""

    def judge(self, live: LossCurve, others: Sequence[LossCurve]) -> Verdict:
        """Judge a running job by its curve so far, which has at least one step."""
        ...


STOP_RULES: dict[str, str] = {
    "median": "median",
}
"""Each rule's module; imported on use."""

AUTO = "median"
"""The rule that `early_stopping_type: Auto` stands for."""


def load_stop_rule(name: str) -> StopRule:
    """The stop rule of this name.

    Raises:
        KeyError: there is none.
    """
    return cast(StopRule, import_module(f"{__name__}.{STOP_RULES[name]}"))
