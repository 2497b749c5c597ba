"""An attempt under way."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeGuard

from hpt_cli.executors import Exited, Handle, Lost
from hpt_cli.runtime.attempts.log_reader import FollowedLog
from hpt_cli.tuning.allocation import Share
from hpt_cli.tuning.failures.success import Ending


@dataclass
class LiveAttempt:
    """An attempt, from its launch until all its processes have ended."""

    job: int
    number: int
    handle: Handle
    share: Share | None
    log: FollowedLog
    killed_at: float = 0.0
    outcome: Exited | Lost | None = None
    """Its end, while it is cleaned up and what it printed is read."""
    ended_at: float = math.inf
    """When that was known, on time.monotonic's clock."""
    ending: Ending | None = None
    """Whether it succeeded; None before all of its output has been read, and if it is lost."""
    last_lines: tuple[str, ...] | None = None
    """What the end of its output says; None before all of it has been read."""
    last_sign: float = 0.0
    """When it was last known to live; 0 before it is known that it has ended."""
    last_alive: float = 0.0
    """When the tuner before this one was last alive."""
    settles_at: float = 0.0
    """When it is to be looked at before it is judged how long it was at work."""
    is_settled: bool = False
    """Whether that is known."""
    stands_still: bool = False
    """Whether it has been seen to, since it was paused."""
    sweep: asyncio.Task[list[str]] | None = None
    others: Sequence[Share] = ()
    """What other jobs hold of the machine; brought up to date while the sweep runs."""


def succeeded(outcome: Exited | Lost, ending: Ending | None) -> TypeGuard[Exited]:
    """Return whether an attempt ended well: by its exit code, as long as no more is known."""
    if not isinstance(outcome, Exited):
        return False
    return ending.succeeded if ending else outcome.exit_code == 0 and not outcome.why
