"""What the tuner can be told to do next; commands are never recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from hpt_cli.stop_rules import Verdict
from hpt_cli.tuning.allocation import Share
from hpt_cli.tuning.completion import Completion
from hpt_cli.tuning.events import StopReason


@dataclass(frozen=True, slots=True)
class Plan:
    """Choose hyperparameters for a job of this number."""

    number: int


@dataclass(frozen=True, slots=True)
class Launch:
    """Launch a job that has hyperparameters, with a share of the machine where it asks for one."""

    number: int
    share: Share | None = None


@dataclass(frozen=True, slots=True)
class Continue:
    """The judge lets a job go on; its verdict is worth keeping."""

    number: int
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Stop:
    """Ask a job to end; a judge's verdict says why, or an explanation."""

    number: int
    reason: StopReason
    verdict: Verdict | None = None
    explanation: str = ""


@dataclass(frozen=True, slots=True)
class Kill:
    """End a job that was asked to and did not within its grace."""

    number: int


@dataclass(frozen=True, slots=True)
class End:
    """The tuning job is over."""

    completion: Completion


Command: TypeAlias = Plan | Launch | Continue | Stop | Kill | End
