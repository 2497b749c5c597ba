"""How far a tuning job is: how many training jobs are done, how they ended, what the others do.

Every view and report counts so, and says it in the same words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hpt_cli.tuning.jobs.training_job import TERMINAL

if TYPE_CHECKING:
    from hpt_cli.tuning.summary import Row

ENDED = ("completed", "stopped early", "stopped", "failed")
OPEN = ("running", "stopping", "suspended", "pending", "paused", "in progress", "to run again")
"""What training jobs do that have not ended. `pending`: in the queue of a scheduler. `paused`:
it made way for a likelier one. `in progress`: no more is known of one that ran when its tuner was
gone. One that was not launched yet does not
count."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The training jobs that are done and the others, of each kind that there is.

    `limit` is max_jobs, None without or where more are done.
    """

    limit: int | None
    ended: Mapping[str, int]
    open: Mapping[str, int]

    @property
    def done(self) -> int:
        """How many have ended, however they did."""
        return sum(self.ended.values())

    @property
    def of(self) -> str:
        """How many are done of how many: `7 of 20`, or `7`."""
        return str(self.done) if self.limit is None else f"{self.done} of {self.limit}"

    @property
    def kinds(self) -> dict[str, int]:
        """How many training jobs are of each kind."""
        return {**self.ended, **self.open}

    def describe_kinds(self) -> str:
        """Return how many there are of each kind: `5 completed, 2 stopped early; 2 running`."""
        parts = (
            ", ".join(f"{number} {kind}" for kind, number in counts.items())
            for counts in (self.ended, self.open)
        )
        return "; ".join(filter(None, parts))

    def __str__(self) -> str:
        joint = ": " if self.ended else "; "
        return joint.join(filter(None, (f"{self.of} done", self.describe_kinds())))


def count_progress(rows: Iterable[Row], max_jobs: int | None, *, at_work: bool) -> Progress:
    """Return the progress of a tuning job; `at_work` is whether a tuner holds it."""
    counts = Counter(_find_kind(row, at_work=at_work) for row in rows if row.attempts)
    ended, others = (
        {kind: counts[kind] for kind in kinds if counts[kind]} for kinds in (ENDED, OPEN)
    )
    limit = max_jobs if max_jobs and max_jobs >= sum(ended.values()) else None
    return Progress(limit, ended, others)


def _find_kind(row: Row, *, at_work: bool) -> str:
    if row.phase in TERMINAL:
        return "stopped early" if row.stop_reason == "EarlyStopped" else row.phase.lower()
    if row.phase == "Interrupted":
        return "to run again"
    if row.phase == "Paused":
        return "paused"
    if not at_work:
        return "in progress"
    if row.queue_reason is not None:
        return "pending"
    if row.is_suspended:
        return "suspended"
    return "stopping" if row.phase == "Stopping" else "running"


def compare_kinds(several: Sequence[Progress]) -> Iterator[tuple[str, list[int]]]:
    """Yield each kind of training jobs that there is, and how many of it each tuning job has."""
    for kind in (*ENDED, *OPEN):
        counts = [each.kinds.get(kind, 0) for each in several]
        if any(counts):
            yield kind, counts
