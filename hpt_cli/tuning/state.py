"""The state of a tuning job, as frozen values; fold.py says how events change it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from hpt_cli.metrics.curve import PackedCurve
from hpt_cli.spec.resources import Pool
from hpt_cli.tuning.allocation import Share
from hpt_cli.tuning.events import PointProposed, Warned
from hpt_cli.tuning.failures.history import FailureHistory
from hpt_cli.tuning.jobs.index import Jobs
from hpt_cli.tuning.jobs.spans import Span
from hpt_cli.tuning.jobs.training_job import Status, TrainingJob


@dataclass(frozen=True, slots=True)
class Parent:
    """A tuning job that this one was warm-started from: how much of it was used."""

    name: str
    used: int
    left_out: int
    best: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class TuningState:
    """Everything known about a tuning job; the fold of its events."""

    spec: Mapping[str, Any] = field(default_factory=dict)
    directory: str = ""
    status: Status = "InProgress"
    reason: str = ""
    created_at: float = 0.0
    stop_reason: str = ""
    exhausted: bool = False
    is_changed: bool = False
    """Whether its spec has changed since it ended."""
    jobs: Jobs[TrainingJob] = field(default_factory=Jobs)
    inherited: Mapping[int, TrainingJob] = field(default_factory=dict)
    """The training jobs of parents, numbered 0, -1, -2 ..."""
    parents: tuple[Parent, ...] = ()
    warnings: tuple[Warned, ...] = ()
    has_varied: bool = False
    """Whether its search space has changed since it began."""
    proposals: tuple[PointProposed, ...] = ()
    """The points that users gave to try, in the order in which they are tried."""
    started_at: float = 0.0
    """When the latest tuner took over."""
    last_event_at: float = 0.0
    """The time of the latest event."""
    interrupted_at: float | None = None
    """When the tuner was asked to stop, to be resumed; or when the one before was or was killed."""
    failures: FailureHistory = field(default_factory=FailureHistory)
    """What the latest failures have in common."""
    pool: Pool | None = None
    """What the latest tuner may hand out to training jobs."""
    past_sessions: tuple[tuple[float, float], ...] = ()
    """When earlier tuners were at work."""
    suspended: tuple[Span, ...] = ()
    """When the latest tuner was suspended."""
    last_seq: int | None = field(default=None, compare=False, repr=False)
    """The journal's last event when the state was read from it."""

    @property
    def sessions(self) -> tuple[tuple[float, float], ...]:
        """From when to when tuners were at work: one session ends, and another begins, when a tuner
        takes over from another, or goes on after it was suspended."""
        starts = [self.started_at, *(until for _, until in self.suspended)]
        ends = [*(since for since, _ in self.suspended), max(self.last_event_at, starts[-1])]
        return (*self.past_sessions, *zip(starts, ends, strict=True))

    @property
    def running(self) -> list[TrainingJob]:
        """The jobs of which an attempt may be at work."""
        return [job for job in self.jobs.open if job.is_running]

    @property
    def alive(self) -> list[TrainingJob]:
        """The jobs of which an attempt may be alive: at work, or paused where it stands."""
        return [job for job in self.jobs.open if job.is_alive]

    @property
    def paused(self) -> list[TrainingJob]:
        """The jobs that are paused, whether an attempt stands still or has ended."""
        return [job for job in self.jobs.open if job.phase == "Paused"]

    @property
    def next_proposal(self) -> int | None:
        """The number, from 1, of the first proposal that no job tries yet; None without one."""
        if not self.proposals:
            return None
        taken = self.jobs.cached("proposals", lambda ended: _count_proposed(ended.values()))
        number = taken + _count_proposed(self.jobs.open) + 1
        return number if number <= len(self.proposals) else None

    def find_proposal(self, job: TrainingJob) -> PointProposed | None:
        """Return the proposal that a job tries; None for a point of the strategy's own."""
        return None if job.proposal is None else self.proposals[job.proposal - 1]

    def find_slot(self) -> int:
        """Return the lowest slot, from 0, that no attempt which may be alive has."""
        taken = {job.attempt.slot for job in self.alive if job.attempt}
        return next(slot for slot in count() if slot not in taken)

    def list_held(self, *but: int) -> list[Share]:
        """Return what the attempts that may be alive hold, except those of some jobs."""
        share_gpus = bool((self.spec.get("pausing") or {}).get("share_gpus"))
        return [
            share.while_paused(share_gpus=share_gpus) if job.phase == "Paused" else share
            for job, share in self._list_alive(but)
        ]

    def list_shares(self, *but: int) -> list[Share]:
        """Return the shares of the attempts that may be alive, also what paused ones leave to
        others of it, and still use the memory of."""
        return [share for _, share in self._list_alive(but)]

    def _list_alive(self, but: Collection[int]) -> list[tuple[TrainingJob, Share]]:
        alive = ((job, job.attempt) for job in self.alive if job.number not in but)
        return [(job, each.share) for job, each in alive if each is not None and each.share]


def _count_proposed(jobs: Iterable[TrainingJob]) -> int:
    return sum(job.proposal is not None for job in jobs)


def forget_curves(state: TuningState, kept: Collection[str], numbers: Iterable[int]) -> TuningState:
    """Return the state with the curves of some metrics only of some jobs, of others the last value.

    For a tuner, which has no use for more of attempts that have ended: the journal holds it.
    """
    jobs = dict(state.jobs)
    for number in numbers:
        jobs[number] = _forget(jobs[number], kept)
    return replace(state, jobs=Jobs(jobs.values()))


def forget_curve(state: TuningState, kept: Collection[str], number: int) -> TuningState:
    """Return the state with the curves of some metrics only of one job."""
    return replace(state, jobs=state.jobs.put(_forget(state.jobs[number], kept)))


def _forget(job: TrainingJob, kept: Collection[str]) -> TrainingJob:
    attempts = []
    for attempt in job.attempts:
        curves = {
            name: PackedCurve(curve) if name in kept else curve[-1:]
            for name, curve in attempt.curves.items()
        }
        arrivals = {name: each for name, each in attempt.arrivals.items() if name in kept}
        attempts.append(replace(attempt, curves=curves, arrivals=arrivals))
    return replace(job, attempts=tuple(attempts))
