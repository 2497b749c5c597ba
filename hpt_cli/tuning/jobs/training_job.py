"""A training job and its attempts, as frozen values; transitions.py says how events change them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from hpt_cli.metrics.curve import Curve
from hpt_cli.metrics.thinning import Totals
from hpt_cli.spec.hyperparameters import Hyperparameters
from hpt_cli.tuning.allocation import Share
from hpt_cli.tuning.jobs.spans import Span, count_seconds

Phase = Literal[
    "Planned",
    "Suggested",
    "Submitting",
    "Starting",
    "Training",
    "Paused",
    "Stopping",
    "Interrupted",
    "Completed",
    "Failed",
    "Stopped",
]
Status = Literal["InProgress", "Stopping", "Completed", "Failed", "Stopped"]
"""Of a training job, and of a tuning job."""
ENDED: tuple[Phase, ...] = ("Completed", "Failed", "Stopped", "Interrupted")
TERMINAL: tuple[Phase, ...] = ("Completed", "Stopped", "Failed")
RUNNING: tuple[Phase, ...] = ("Submitting", "Starting", "Training", "Stopping")


class ArrivalTimes(NamedTuple):
    """When an attempt's values of a metric were seen: the first, how many with it, the last."""

    since: float
    at_once: int
    until: float


@dataclass(frozen=True, slots=True)
class Attempt:
    """One execution of a training job's command. Times are seconds since the epoch."""

    number: int
    submitted_at: float
    handle: Mapping[str, Any] | None = None
    launched_at: float | None = None
    ended_at: float | None = None
    exit_code: int | None = None
    curves: Mapping[str, Curve] = field(default_factory=dict)
    last_offsets: Mapping[str, int] = field(default_factory=dict)
    """Where each metric was observed last; each is read from one place only."""
    totals: Mapping[str, Totals] = field(default_factory=dict)
    """Of all values of a metric, where its curve has not all."""
    arrivals: Mapping[str, ArrivalTimes] = field(default_factory=dict)
    failure: str = ""
    """Why it failed, if it did."""
    queue_reason: str | None = None
    """Why it waits in a queue, as far as its scheduler says; None where it does not wait."""
    lost: str = ""
    """How it was lost, if it was, and nobody had asked it to stop."""
    evicted: bool = False
    """Whether its scheduler took its place away."""
    interrupted: bool = False
    """Whether it was ended together with its tuner, without having been asked to stop."""
    excused: bool = False
    """Whether its failure does not count, as the job was requeued."""
    share: Share | None = None
    """What it holds of the machine until it has ended."""
    slot: int | None = None
    """The number, from 0, that no other has until it has ended."""
    suspended: tuple[Span, ...] = ()
    """When it was suspended."""

    def count_steps(self, metric: str) -> int:
        """Return how many steps a metric has, also those that its curve has not."""
        recorded, totals = len(self.curves.get(metric, ())), self.totals.get(metric)
        return recorded if totals is None else max(recorded, totals.steps)

    @property
    def started_at(self) -> float:
        """When it began, as well as is known."""
        return self.submitted_at if self.launched_at is None else self.launched_at

    @property
    def is_queued(self) -> bool:
        """Whether it waits for its turn; or waited until it was over."""
        return self.queue_reason is not None

    @property
    def suspended_since(self) -> float | None:
        """Since when it has been suspended; None where it is not."""
        since, until = self.suspended[-1] if self.suspended else (0.0, 0.0)
        return since if math.isinf(until) else None

    def count_seconds(self, until: float) -> float:
        """Return the seconds that it was at work until a moment, or until its end."""
        until = until if self.ended_at is None else min(until, self.ended_at)
        return count_seconds(self.started_at, until, self.suspended)


@dataclass(frozen=True, slots=True)
class StopRequest:
    """Why a job was asked to stop, and when first."""

    at: float
    reason: str
    explanation: str
    evidence: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Pause:
    """That a job made way for others: since when, why, and until when; None while it waits."""

    since: float
    reason: str
    evidence: Mapping[str, Any]
    until: float | None = None
    went_on: str = ""
    """Why it went on, where it did; else it ended."""


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """One training job, as far as it has come."""

    number: int
    phase: Phase
    hyperparameters: Hyperparameters | None = None
    suggest_seconds: float = 0.0
    """How long it took to choose them."""
    proposal: int | None = None
    """The number, from 1, of the proposal that it tries, if it tries one."""
    attempts: tuple[Attempt, ...] = ()
    stop_request: StopRequest | None = None
    failure_reason: str = ""
    tail: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    pauses: tuple[Pause, ...] = ()

    @property
    def status(self) -> Status:
        """The training job status, in SageMaker's words."""
        if self.phase in ("Completed", "Failed", "Stopped", "Stopping"):
            return self.phase
        return "InProgress"

    @property
    def attempt(self) -> Attempt | None:
        """The latest attempt."""
        return self.attempts[-1] if self.attempts else None

    @property
    def is_running(self) -> bool:
        """Whether an attempt may be at work, so that it takes a place among those that run."""
        return self.phase in RUNNING

    @property
    def is_alive(self) -> bool:
        """Whether an attempt may be alive: at work, or paused where it stands."""
        return self.is_running or (self.phase == "Paused" and self.attempts[-1].ended_at is None)

    @property
    def has_ended(self) -> bool:
        """Whether nothing more can happen to it."""
        return self.phase in TERMINAL

    def count_seconds(self, until: float) -> float:
        """Return the seconds that its attempts were at work until a moment, or until their ends."""
        return sum(each.count_seconds(until) for each in self.attempts if not each.is_queued)

    @property
    def stop_reason(self) -> str | None:
        """Why it is Stopped."""
        return self.stop_request.reason if self.phase == "Stopped" and self.stop_request else None

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that have observations."""
        return tuple(dict.fromkeys(name for each in self.attempts for name in each.curves))

    def curve(self, metric: str) -> Curve:
        """Return a metric's observations in order of step.

        An attempt that went on from a checkpoint continues the curve of the one before; one that
        began anew replaces it.
        """
        if len(self.attempts) == 1:
            return self.attempts[0].curves.get(metric, ())
        joined: Curve = ()
        for attempt in self.attempts:
            part = attempt.curves.get(metric, ())
            if part:
                joined = (*(each for each in joined if each[0] < part[0][0]), *part)
        return joined

    def count_steps(self, metric: str) -> int:
        """Return how many steps a metric has, also those that its curve has not."""
        more = sum(
            each.count_steps(metric) - len(each.curves[metric])
            for each in self._list_thinned(metric)
        )
        return len(self.curve(metric)) + more

    def list_totals(self, metric: str) -> list[Totals]:
        """Return what is known of all values in the parts of a curve that have not all."""
        return [each.totals[metric] for each in self._list_thinned(metric)]

    def _list_thinned(self, metric: str) -> list[Attempt]:
        """Return the attempts with totals of a metric that no later one began anew."""
        going: list[Attempt] = []
        for attempt in self.attempts:
            part = attempt.curves.get(metric, ())
            if part:
                going = [each for each in going if each.curves[metric][0][0] < part[0][0]]
                going.append(attempt)
        return [each for each in going if metric in each.totals]
