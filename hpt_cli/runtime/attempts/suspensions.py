"""Looks whether an attempt is suspended: such time is no time at work.

An attempt may be suspended alone, as the tuner can see then; or with the tuner, or while there is
none, as its launcher writes down when it goes on.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

from hpt_cli.executors import Outcome, Pending, Running
from hpt_cli.executors.attempt_files import measure_suspensions, read_suspensions
from hpt_cli.tuning.jobs.spans import Span

LOOK_SECONDS = 1.0
"""Time between two looks at what the launcher has written."""
SUSPENDED_SECONDS = 2.0
"""What stands still for so long is suspended; for less, it may only be slowed down."""
SETTLE_SECONDS = 2.0
"""Time in which the launcher of an attempt that goes on writes down since when it was suspended."""


class Suspensions:
    """The suspensions of one attempt, as far as one tuner sees them."""

    def __init__(self, directory: Path) -> None:
        """Begin to look at the attempt in a directory."""
        self._directory = directory
        self._since: float | None = None
        self._settled_at = -math.inf
        self._looked_at = -math.inf
        self._size = 0
        self._written: list[Span] = []
        self._last: Span | None = None
        """The last one seen: the launcher, which knows its times better, may be about to write it
        down."""
        self._seen: list[Span] = []
        """Those that the launcher, which went on, did not write down."""

    def look(self, outcome: Outcome, now: float, *, closely: bool = False) -> tuple[Span, ...]:
        """Return from when to when the attempt was suspended; to infinity where it still is.

        Args:
            outcome: how it is doing now.
            now: seconds since the epoch.
            closely: whether to read what its launcher has written however short ago that was read.
        """
        is_over = not isinstance(outcome, (Pending, Running))
        if is_over or closely or now - self._looked_at >= LOOK_SECONDS:
            self._looked_at = now
            self._read_written()
        lasts: list[Span] = []
        if isinstance(outcome, Running) and outcome.is_suspended:
            self._since = now if self._since is None else self._since
            self._settled_at = now + SETTLE_SECONDS
            if now - self._since >= SUSPENDED_SECONDS:
                lasts = [(self._since, math.inf)]
        elif self._since is not None:
            if now - self._since >= SUSPENDED_SECONDS:
                self._last = (self._since, now)
            self._since, self._settled_at = None, now + SETTLE_SECONDS
        if self._last is not None and (is_over or self.are_known(now)):
            self._seen += [] if _meets(self._written, self._last) else [self._last]
            self._last = None
        return (*self._written, *self._seen, *lasts)

    def are_known(self, now: float) -> bool:
        """Return whether they are known until now, as of the last look: it is not suspended, nor
        has it just gone on."""
        return now >= self._settled_at

    def _read_written(self) -> None:
        size = measure_suspensions(self._directory)
        if size != self._size:
            self._size = size
            self._written = read_suspensions(self._directory)


def _meets(spans: Iterable[Span], other: Span) -> bool:
    return any(since <= other[1] and until >= other[0] for since, until in spans)
