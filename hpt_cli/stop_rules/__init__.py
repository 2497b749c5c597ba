"""Stop rules: is this training job still worth its time?

A stop rule is a module with one frozen dataclass, `Rule`: its fields are the rule's parameters with
their published defaults, and its `judge` looks at one live curve beside the curves of the other
training jobs, in any order. It is asked after every new observation of the objective. A job whose
objective has diverged is stopped by all of them. Where the module has a function `select_ended`, it
says which of the jobs that have ended the rule looks at, when there are many.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from itertools import accumulate
from typing import Any, Literal, Protocol, cast

from hpt_cli.formatting import count

GRACE = 3
"""A job has diverged after so many losses in a row that are not finite."""


@dataclass(frozen=True, slots=True)
class LossCurve:
    """The objective of one training job as losses: lower is better, NaN is inf.

    `steps` grow strictly; `losses[i]` was seen at `steps[i]`.
    """

    number: int
    status: Literal["Running", "Completed", "Stopped", "Failed"]
    steps: tuple[float, ...]
    losses: tuple[float, ...]
    lows: tuple[float, ...] = field(init=False, repr=False, compare=False)
    """The lowest loss up to each step; inf before the first that is not -inf."""

    def __post_init__(self) -> None:
        known = (loss if loss > -math.inf else math.inf for loss in self.losses)
        object.__setattr__(self, "lows", tuple(accumulate(known, min)))


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether to stop, why in a few words, and the numbers behind it (losses, not objectives).

    A verdict to go on has its reason and evidence too.
    """

    stop: bool
    reason: str = ""
    evidence: Mapping[str, float | int | str] = field(default_factory=dict)


class StopRule(Protocol):
    """One way to tell which training jobs lag."""

    def judge(self, live: LossCurve, others: Sequence[LossCurve]) -> Verdict:
        """Judge a running job by its curve so far, which has at least one step."""
        ...

    def calibrate(
        self,
        completed: Sequence[LossCurve],  # noqa: ARG002
        *,
        chosen: bool = False,  # noqa: ARG002
    ) -> StopRule:
        """Return the rule with what it learns from all completed jobs: itself if nothing.

        Args:
            chosen: whether others were paused for these, as they looked better early.
        """
        return self


STOP_RULES = ("auto", "median", "vizier_median", "percentile", "asha", "patience", "threshold")
"""The rules; each has a module of its name, imported on use."""

AUTO = "auto"
"""The rule that `early_stopping_type: Auto` stands for."""


@dataclass(frozen=True, slots=True)
class _Guarded(StopRule):
    """A rule that also stops what has diverged."""

    rule: StopRule

    def judge(self, live: LossCurve, others: Sequence[LossCurve]) -> Verdict:
        recent = live.losses[-GRACE:]
        if len(recent) == GRACE and not any(map(math.isfinite, recent)):
            evidence = {"step": live.steps[-1], "diverged_epochs": GRACE}
            return Verdict(True, f"diverged: no finite value in {count(GRACE, 'epoch')}", evidence)
        return self.rule.judge(live, others)

    def calibrate(self, completed: Sequence[LossCurve], *, chosen: bool = False) -> StopRule:
        return _Guarded(self.rule.calibrate(completed, chosen=chosen))


def load_stop_rule(name: str, **parameters: float) -> StopRule:
    """Return the stop rule of this name, with parameters other than its defaults where given.

    Raises:
        KeyError: there is no such rule.
        TypeError: it has no such parameter.
        ValueError: a parameter is out of its bounds.
    """
    return _Guarded(_load_module(name).Rule(**parameters))


def select_ended(name: str, ended: Sequence[LossCurve]) -> list[LossCurve]:
    """Return the curves of ended jobs that a rule looks at: all, unless the rule says which.

    Raises:
        KeyError: there is no such rule.
    """
    return list(getattr(_load_module(name), "select_ended", list)(ended))


def list_parameters(name: str) -> dict[str, float]:
    """Return a rule's parameters with their defaults; a default's type is the parameter's.

    Raises:
        KeyError: there is no such rule.
    """
    fields = dataclasses.fields(_load_module(name).Rule)
    return {each.name: cast(float, each.default) for each in fields}


def _load_module(name: str) -> Any:
    if name not in STOP_RULES:
        raise KeyError(name)
    return import_module(f"{__name__}.{name}")
