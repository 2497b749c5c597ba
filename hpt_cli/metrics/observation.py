"""One value that was seen of a metric."""

from __future__ import annotations

from typing import NamedTuple


class Observation(NamedTuple):
    """One value of one metric of one training job.

    `offset` is where in the log, in bytes, the match was found: with the job, the attempt and the
    metric it names the observation, so that reading a log twice records nothing twice.
    """

    metric: str
    offset: int
    step: float
    value: float
