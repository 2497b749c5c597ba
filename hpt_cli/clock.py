"""The time of day, on a clock that nobody can set.

It begins as the wall clock and goes on as the time since boot does. So an hour that somebody sets
the clock by neither ends a training job nor makes one end before it began.
"""

from __future__ import annotations

import time


def read_ticks() -> float:
    """Seconds since the machine booted, the same for all its processes."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


_ANCHOR = time.time() - read_ticks()


def now() -> float:
    """Seconds since the epoch, UTC."""
    return at_ticks(read_ticks())


def at_ticks(ticks: float) -> float:
    """The time at which the machine had been up for so long."""
    return _ANCHOR + ticks
