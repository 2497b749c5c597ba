"""The time of day, on a clock that cannot be set.

It starts from the wall clock and then follows the time since boot. So setting the wall clock by an
hour neither ends a training job nor makes one end before it began.
"""

from __future__ import annotations

import time


def read_ticks() -> float:
    """Return seconds since the machine booted, the same for all processes."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


_ANCHOR = time.time() - read_ticks()


def now() -> float:
    """Return seconds since the epoch, UTC."""
    return at_ticks(read_ticks())


def at_ticks(ticks: float) -> float:
    """Return the time, in seconds since the epoch, at so many seconds after boot."""
    return _ANCHOR + ticks
