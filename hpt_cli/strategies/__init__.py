"""Strategies choose the hyperparameters of the next training job.

A strategy is a module with one pure function, `suggest`. The same request always gets the same
suggestion: randomness comes from the seed and the job's number, and no optimizer outlives a call,
so that a resumed search and an uninterrupted one are the same (as in OSS Vizier).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Literal, Protocol, cast

from hpt_cli.metrics.curve import Curve
from hpt_cli.spec.hyperparameters import Hyperparameters

if TYPE_CHECKING:
    from hpt_cli.spec.constraints import Constraints
    from hpt_cli.spec.ranges import ParameterRange

TrialStatus = Literal["Running", "Completed", "Stopped", "Failed"]


@dataclass(frozen=True, slots=True)
class Trial:
    """A training job as a strategy sees it.

    `loss` is the final objective with lower being better (a maximized one is negated); NaN and
    infinite objectives are inf; None where there is none: running, failed or without a metric.
    `curve` is the loss after each step so far.
    """

    number: int
    hyperparameters: Hyperparameters
    status: TrialStatus
    loss: float | None
    curve: Curve = ()
    is_broken: bool = False
    """Whether it breaks a metric constraint: however good, it is no result."""

    @property
    def has_failed(self) -> bool:
        """Whether nothing came of it."""
        return self.status == "Failed" or self.is_broken


def find_trial_status(phase: str) -> TrialStatus:
    """Return the status of a training job as a trial, in a phase of its life."""
    ended: tuple[TrialStatus, ...] = ("Completed", "Stopped", "Failed")
    return next((status for status in ended if status == phase), "Running")


def _make_no_constraints() -> Constraints:
    # A summary has trials too, and what constraints need takes longer to import than it takes.
    from hpt_cli.spec.constraints import Constraints

    return Constraints()


@dataclass(frozen=True, slots=True)
class SuggestRequest:
    """Everything a suggestion may depend on.

    `number` says how many suggestions were asked for before, and this one; `trials` are the jobs
    before it in order of number. What is `fixed` is given, and only the rest is chosen, so that the
    point meets the `constraints`.
    """

    ranges: Mapping[str, ParameterRange]
    seed: int
    number: int
    max_jobs: int
    max_parallel_jobs: int
    trials: tuple[Trial, ...]
    fixed: Hyperparameters = field(default_factory=dict)
    constraints: Constraints = field(default_factory=_make_no_constraints)


class Strategy(Protocol):
    """One way to choose hyperparameters."""

    def suggest(self, request: SuggestRequest) -> Hyperparameters | None:
        """Return the next hyperparameters to try; None when every point was tried."""
        ...


STRATEGIES = ("Random", "Grid", "Bayesian", "Hyperband")
"""Their modules have the same names; they are imported on use, as one needs scikit-optimize."""


def load_strategy(name: str) -> Strategy:
    """Return the strategy of this name."""
    return cast(Strategy, import_module(f"{__name__}.{name.lower()}"))


def prepare_strategy(name: str) -> None:
    """Import what a strategy needs later but not for its first suggestions, if it can `prepare`."""
    getattr(load_strategy(name), "prepare", lambda: None)()
