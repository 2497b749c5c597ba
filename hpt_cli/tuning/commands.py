"""What the tuner is to do next; commands are never recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from hpt_cli.stop_rules import Verdict
from hpt_cli.tuning.allocation import Share
from hpt_cli.tuning.completion import Completion
from hpt_cli.tuning.events import RequeueReason, StopReason


@dataclass(frozen=True, slots=True)
class Plan:
    """Choose hyperparameters for a job of this number: those of a proposal, if one waits."""

    number: int
    proposal: int | None = None


@dataclass(frozen=True, slots=True)
class Launch:
    """Launch a job that has hyperparameters, with a share of the machine where it asks for one."""

    number: int
    share: Share | None = None


@dataclass(frozen=True, slots=True)
class Requeue:
    """Have a job that had failed run again."""

    number: int
    reason: RequeueReason


@dataclass(frozen=True, slots=True)
class PauseLaunching:
    """Launch nothing, but a probe from time to time, as the surroundings seem to be at fault."""

    reason: str


@dataclass(frozen=True, slots=True)
class ResumeLaunching:
    """Launch as usual, as this training job works."""

    working: int


@dataclass(frozen=True, slots=True)
class Continue:
    """Record the verdict of a stop rule that lets a job continue."""

    number: int
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Stop:
    """Ask a job to end; a stop rule's verdict or an explanation says why."""

    number: int
    reason: StopReason
    verdict: Verdict | None = None
    explanation: str = ""


@dataclass(frozen=True, slots=True)
class Pause:
    """Have a job make way: by a signal or by its checkpoint. `evidence`: what is known of it."""

    number: int
    reason: str
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Thaw:
    """Have a job that stands still go on."""

    number: int
    reason: str


@dataclass(frozen=True, slots=True)
class Kill:
    """Kill a job that was asked to end and did not within its grace period."""

    number: int


@dataclass(frozen=True, slots=True)
class End:
    """End the tuning job."""

    completion: Completion


Command: TypeAlias = (
    Plan
    | Launch
    | Requeue
    | PauseLaunching
    | ResumeLaunching
    | Continue
    | Stop
    | Pause
    | Thaw
    | Kill
    | End
)
