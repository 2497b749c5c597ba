"""Spans of time: when something was suspended, and how long it was at work."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TypeAlias

Span: TypeAlias = tuple[float, float]
"""From when to when something is suspended, in seconds since the epoch; to infinity where it still
is."""


SLACK = 1.0
"""Seconds by which two tuners may differ in the time of the same event."""


def add_span(spans: Iterable[Span], since: float, until: float) -> tuple[Span, ...]:
    """Return spans in order and apart, with one more; it ends the last one, where that is open."""
    joined: list[Span] = []
    for start, end in sorted([*spans, (since, until)]):
        # What was still suspended went on at `until`, unless it was suspended only after that.
        end = until if math.isinf(end) and start <= until else end
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return tuple(joined)


def covers(spans: Iterable[Span], since: float, until: float) -> bool:
    """Return whether one of the spans holds all of another, as exactly as two tuners tell times."""
    return any(start - SLACK <= since and until <= end + SLACK for start, end in spans)


def list_work(since: float, until: float, suspended: Iterable[Span]) -> Iterator[Span]:
    """Yield from when to when something was at work between two moments.

    Args:
        suspended: in order, and apart.
    """
    for start, end in suspended:
        if since < start < until:
            yield since, start
        since = max(since, end)
    if since <= until:
        yield since, until


def count_seconds(since: float, until: float, suspended: Iterable[Span]) -> float:
    """Return the seconds at work between two moments."""
    idle = (min(end, until) - max(start, since) for start, end in suspended)
    return max(0.0, until - since - sum(each for each in idle if each > 0))
