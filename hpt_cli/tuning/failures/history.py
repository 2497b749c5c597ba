"""The failures that followed one another, and whether they are alike and quick.

Failures for which the surroundings are at fault are: the training program is broken, its data or a
driver is gone. Whatever the hyperparameters, jobs then end at once, and with the same last words.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from hpt_cli.formatting import count, describe_exit

if TYPE_CHECKING:
    from hpt_cli.tuning.jobs.training_job import Attempt, TrainingJob

USUAL_JOBS = 50
"""How many of the latest jobs tell what time is usual."""
RECENT_FAILURES = 50
ALIKE = 5
"""So many quick failures in a row that are alike are an outage."""
LOST_ALIKE = 3
"""The same for attempts that were lost: that is rarely the fault of a command."""
LEAST_JOBS = 2
"""They are of so many training jobs; one alone may have a fault of its own."""
QUICK_SHARE = 0.25
"""A failure is quick that comes within this share of the usual time of a job."""
START_SECONDS = 2.0
"""What it may take to start a program that fails before its first value, on a busy machine."""
MAX_QUICK_SECONDS = 600.0
LIFE_SECONDS = 10.0
"""A job that has lived so long, and was not quick to fail, works: what it needs to begin is there.
A busy machine may take some seconds to show a failure."""
BESIDE_SECONDS = 10.0
"""Jobs that ran when the surroundings broke, and failed so shortly before, failed of the same."""
MAX_LINE = 300
MAX_ATTEMPTS = 20
"""A job that was launched so often is not run again by itself."""

Signature: TypeAlias = tuple[int | None, str]
"""What failures have in common that are alike: the exit code (None: lost), and the last line
without what differs from job to job."""

_DIFFERENT = re.compile(r"\S*/\S*|0x[0-9a-fA-F]+|\b[0-9a-f]{8,}\b|\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
"""Paths, addresses, identifiers and numbers."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An attempt that failed or was lost. Times are seconds since the epoch."""

    number: int
    submitted_at: float
    ended_at: float
    seconds: float
    """How long it was at work."""
    signature: Signature
    line: str
    """The last line of its output, or how it was lost."""
    has_values: bool
    """Whether it had printed values of a metric."""


@dataclass(frozen=True, slots=True)
class Outage:
    """Launching is paused, as the surroundings seem to be at fault."""

    since: float
    failures: tuple[Failure, ...]
    """Those that led to it, and those since."""
    working: int | None = None
    """A job that was launched since, and ended well."""

    @property
    def probes(self) -> list[Failure]:
        """The attempts that were launched since, to see whether it is over, and failed."""
        return [each for each in self.failures if each.submitted_at >= self.since]


@dataclass(frozen=True, slots=True)
class Suspects:
    """Jobs that failed in an outage that is over: because of it, or of their hyperparameters.

    One of them runs again to find out. If it works they all do; if it fails once more while other
    jobs work, it was the hyperparameters. Where no other job has shown yet that the outage is over,
    they wait for one.
    """

    numbers: tuple[int, ...]
    """Those that have not been run again."""
    signature: Signature
    stage: Literal["to test", "testing", "waiting", "cleared"]
    is_over: bool
    """Whether it is known that the outage is over."""
    tested: int = 0
    """The job that runs again, or did so last."""


@dataclass(frozen=True, slots=True)
class FailureHistory:
    """What is known of the failures of a tuning job, and of the jobs that ended well."""

    usual: tuple[float, ...] = ()
    """The seconds that the latest jobs took that completed."""
    streak: tuple[Failure, ...] = ()
    """The latest quick failures that are alike, since anything that was launched ended well."""
    others: tuple[Failure, ...] = ()
    """The latest failures before the streak, and those that were not quick."""
    known: frozenset[Signature] = frozenset()
    """Failures that came and went while the surroundings were in order."""
    false_alarms: tuple[Signature, ...] = ()
    """The outages of this session that turned out to be none."""
    outage: Outage | None = None
    suspects: Suspects | None = None

    @property
    def quick_seconds(self) -> float | None:
        """The seconds within which a failure is quick; None as long as no job has completed."""
        if not self.usual:
            return None
        return min(QUICK_SHARE * statistics.median(self.usual), MAX_QUICK_SECONDS)

    @property
    def life_seconds(self) -> float | None:
        """The seconds after which a job that runs works; None as long as no job has completed."""
        quick = self.quick_seconds
        return None if quick is None else max(quick, LIFE_SECONDS)

    @property
    def is_outage(self) -> bool:
        """Whether the latest failures are those of an outage."""
        if len({each.number for each in self.streak}) < LEAST_JOBS:
            return False
        signature = self.streak[0].signature
        needed = LOST_ALIKE if signature[0] is None else ALIKE
        # More where the same has come and gone before: then it is likely to be the jobs' own.
        needed <<= (signature in self.known) + self.false_alarms.count(signature)
        return len(self.streak) >= needed

    @property
    def pending(self) -> tuple[int, ...]:
        """The jobs to run again now, of those that failed in an outage."""
        suspects = self.suspects
        if suspects is None or suspects.stage not in ("to test", "cleared"):
            return ()
        return suspects.numbers if suspects.stage == "cleared" else suspects.numbers[:1]

    @property
    def is_unresolved(self) -> bool:
        """Whether there are jobs that failed, but not by their own fault as far as is known."""
        return self.outage is not None or self.is_outage or bool(self.pending)


def add_end(history: FailureHistory, job: TrainingJob, since: float) -> FailureHistory:
    """Return the history after the latest attempt of a job has ended, in a session since then."""
    attempt, quick, life = job.attempts[-1], history.quick_seconds, history.life_seconds
    assert attempt.ended_at is not None
    seconds = attempt.count_seconds(attempt.ended_at)
    if _has_failed(attempt):
        failure = _describe(job, attempt, seconds)
        if quick is None or life is None:
            return replace(history, known=history.known | {failure.signature})
        if attempt.ended_at < since:
            return history
        if seconds >= life:
            return _add_lived(history, failure)
        start = min(START_SECONDS, statistics.median(history.usual))
        is_quick = seconds < (quick if attempt.curves else max(quick, start))
        return _add_failed(_follow_test(history, failure.number), failure, is_quick=is_quick)
    if not attempt.curves and (life is None or seconds < life):
        return history  # it says nothing
    if job.phase == "Completed":
        history = replace(history, usual=(*history.usual, seconds)[-USUAL_JOBS:])
    return _add_working(history, job.number, attempt.submitted_at)


def _has_failed(attempt: Attempt) -> bool:
    is_own = not attempt.interrupted and not attempt.evicted
    return is_own and bool(attempt.failure or attempt.lost)


def _describe(job: TrainingJob, attempt: Attempt, seconds: float) -> Failure:
    lines = [line for line in job.tail if line.strip()]
    line = attempt.lost or (lines[-1].strip()[:MAX_LINE] if lines else "")
    words = [each for each in (job.hyperparameters or {}).values() if isinstance(each, str)]
    return Failure(
        number=job.number,
        submitted_at=attempt.submitted_at,
        ended_at=attempt.ended_at or 0.0,
        seconds=seconds,
        signature=(None, "") if attempt.lost else (attempt.exit_code, mask(line, words)),
        line=line,
        has_values=bool(attempt.curves),
    )


def mask(line: str, words: Iterable[str]) -> str:
    """Return a line without what differs from job to job: numbers, paths, its hyperparameters."""
    for word in sorted(words, key=len, reverse=True):
        line = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", "#", line) if word else line
    return _DIFFERENT.sub("#", line)


def _add_failed(history: FailureHistory, failure: Failure, *, is_quick: bool) -> FailureHistory:
    outage, streak = history.outage, history.streak
    if outage is not None:
        outage = replace(outage, failures=(*outage.failures, failure))
        return replace(history, outage=outage)
    if not is_quick:
        return replace(history, others=_add_other(history, failure))
    if streak and streak[0].signature != failure.signature:
        return replace(history, streak=(failure,), others=_add_other(history, *streak))
    return replace(history, streak=(*streak, failure))


def _add_lived(history: FailureHistory, failure: Failure) -> FailureHistory:
    """Return the history after a failure that says that what a job needs to begin is there."""
    outage = history.outage
    if outage is not None and failure.submitted_at < outage.since:
        outage = replace(outage, failures=(*outage.failures, failure))
        return replace(history, outage=outage)
    history = replace(history, others=_add_other(history, failure))
    return _add_working(history, failure.number, failure.submitted_at)


def _add_other(history: FailureHistory, *failures: Failure) -> tuple[Failure, ...]:
    return (*history.others, *failures)[-RECENT_FAILURES:]


def _follow_test(history: FailureHistory, failed: int) -> FailureHistory:
    """Return the history after a job has failed: it may be the one that was to show why."""
    suspects = history.suspects
    if suspects is None or suspects.stage != "testing" or suspects.tested != failed:
        return history
    if not suspects.is_over:
        numbers = (*suspects.numbers, failed)
        return replace(history, suspects=replace(suspects, numbers=numbers, stage="waiting"))
    # All else works, and this one does not.
    alarms = (*history.false_alarms, suspects.signature)
    known = history.known | {suspects.signature}
    return replace(history, suspects=None, false_alarms=alarms, known=known)


def _add_working(history: FailureHistory, number: int, submitted_at: float) -> FailureHistory:
    suspects, outage, streak = history.suspects, history.outage, history.streak
    if suspects is not None:
        history = replace(history, suspects=_follow_suspects(suspects, number))
    if outage is not None:
        is_news = submitted_at >= outage.since
        return replace(history, outage=replace(outage, working=number)) if is_news else history
    # What had begun before says nothing about the time since.
    if not streak or submitted_at < streak[0].ended_at:
        return history
    return replace(history, streak=(), known=history.known | {streak[0].signature})


def _follow_suspects(suspects: Suspects, working: int) -> Suspects:
    """Return the suspects after a job has worked."""
    stage = "to test" if suspects.stage == "waiting" else suspects.stage
    if working == suspects.tested:
        stage = "cleared"
    return replace(suspects, stage=stage, is_over=True)


def describe_alike(failures: Sequence[Failure]) -> str:
    """Return failures that are alike in words: `5 attempts in a row failed alike (exit code 1)`."""
    last, attempts = failures[-1], count(len(failures), "attempt")
    code = last.signature[0]
    if code is None:
        return f"{attempts} in a row were lost ({last.line})"
    line = f" | {last.line}" if last.line else ""
    return f"{attempts} in a row failed alike ({describe_exit(code)}{line})"


def begin_outage(history: FailureHistory, at: float) -> FailureHistory:
    """Return the history when launching is paused because of the latest failures."""
    first = min((each.submitted_at for each in history.streak), default=at)
    beside = [each for each in history.others if each.ended_at >= first - BESIDE_SECONDS]
    outage = Outage(since=at, failures=(*beside, *history.streak))
    return replace(history, outage=outage, streak=(), others=())


def end_outage(
    history: FailureHistory, working: int | None, failed: Collection[int]
) -> FailureHistory:
    """Return the history when launching goes on.

    Args:
        working: the job that was seen to work again.
        failed: the jobs that are Failed.
    """
    outage = history.outage
    if outage is None or not outage.failures:
        return replace(history, outage=None)
    numbers = dict.fromkeys(each.number for each in outage.failures)
    if history.suspects is not None:  # of the outage before
        numbers |= dict.fromkeys(history.suspects.numbers)
    suspects = Suspects(
        numbers=tuple(number for number in numbers if number in failed),
        signature=outage.failures[-1].signature,
        # One that had failed and works has shown that it was not the hyperparameters.
        stage="cleared" if working in numbers else "to test",
        is_over=working is not None,
    )
    return replace(history, outage=None, suspects=suspects if suspects.numbers else None)


def begin_session(history: FailureHistory, failed: Collection[int]) -> FailureHistory:
    """Return the history when another tuner takes over: it counts afresh."""
    history = end_outage(history, None, failed) if history.outage else history
    suspects = history.suspects
    if suspects is not None:
        # What those wait for may have been mended since.
        stage = "to test" if suspects.stage == "waiting" else suspects.stage
        suspects = replace(suspects, stage=stage, is_over=False)
    return replace(history, streak=(), others=(), false_alarms=(), suspects=suspects)


def remove_suspect(history: FailureHistory, number: int) -> FailureHistory:
    """Return the history when a job that had failed runs again."""
    suspects = history.suspects
    if suspects is None or number not in suspects.numbers:
        return history
    numbers = tuple(each for each in suspects.numbers if each != number)
    suspects = replace(suspects, numbers=numbers)
    if suspects.stage == "to test":
        suspects = replace(suspects, stage="testing", tested=number)
    return replace(history, suspects=suspects)
