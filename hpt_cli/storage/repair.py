"""Rebuilding a damaged journal from what can still be read of it, and from the logs.

What cannot be read, or cannot follow on the rest, is left out; events that say no more than that
another one could happen are put back. The observations of every attempt that is known to have ended
are read from its log again; those that are not there, but in the journal, are taken from there. A
training job that is lost is planned anew, under its number. The damaged journal is kept beside the
new one, and so are the directories of training jobs that nothing is known of any more.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import operator
import os
import shutil
import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from hpt_cli.files import move_over
from hpt_cli.logs.tail import AttemptTail
from hpt_cli.metrics.curve import Observation
from hpt_cli.metrics.thinning import Thinner, Totals, find_fresh_totals
from hpt_cli.spec.model import TuningSpec, load_spec
from hpt_cli.storage import journal
from hpt_cli.storage.connection import open_damaged
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.storage.spec_file import read_raw, read_templates
from hpt_cli.tuning import events as ev
from hpt_cli.tuning.evidence import count_before
from hpt_cli.tuning.fold import fold
from hpt_cli.tuning.state import TuningState

BESIDE = ("-journal", "-wal", "-shm")
"""Suffixes of the files that SQLite keeps beside a journal."""
MAX_GAP = 1000
"""How many training jobs in a row may be lost; a number further on is not believed."""
ENDS = (ev.JobExited, ev.JobLost)


@dataclass(frozen=True)
class Repair:
    """What became of a journal."""

    kept: int
    left_out: int
    observations: int
    damaged: Path
    set_aside: tuple[Path, ...]


def repair(jobdir: JobDir) -> Repair:
    """Rebuild a journal in place, and return what became of it; the caller holds the lock.

    Raises:
        UsageError: neither the journal nor the spec can be read.
        OSError: there is no room, or no right to write.
    """
    damaged = _keep(jobdir)
    found = list(salvage(damaged))
    judgements = list(salvage_judgements(damaged))
    created = next((each for each in found if isinstance(each, ev.TuningJobCreated)), None)
    if created is None or not _is_spec(created.spec):
        home = jobdir.path.resolve().parent
        raw = read_templates(read_raw(jobdir.spec), home.parent)
        created = journal.describe_creation(raw.validate(), home.parent)
    rest = [each for each in found if not isinstance(each, ev.TuningJobCreated)]
    rebuilder = _Rebuilder(jobdir, created, salvage_observations(damaged))
    rebuilder.rebuild(rest)
    events, state = rebuilder.events, rebuilder.state
    temporary = jobdir.path / "journal.repaired"
    judged = [each for each in judgements if each.number in state.jobs]
    journal.create_journal(temporary, created, *events, *judged)
    for beside in BESIDE:
        # First, or SQLite would roll the old journal's last write back into the new one.
        Path(f"{jobdir.journal}{beside}").unlink(missing_ok=True)
    move_over(temporary, jobdir.journal)
    observed = [each for each in events if isinstance(each, ev.ObservationsRead)]
    # By identity: events that were put back may be equal to some that were found.
    kept = len({*map(id, events)} & {*map(id, rest)})
    return Repair(
        kept=kept,
        left_out=len(rest) - kept,
        observations=sum(len(each.observations) for each in observed),
        damaged=damaged,
        set_aside=tuple(_set_aside_unknown(jobdir, state)),
    )


def _keep(jobdir: JobDir) -> Path:
    """Copy the damaged journal, with what SQLite needs to roll it back, and return the copy."""
    copies = (jobdir.path / f"journal.damaged-{number}" for number in itertools.count(1))
    copy = next(each for each in copies if not os.path.lexists(each))
    shutil.copy2(jobdir.journal, copy)
    for beside in BESIDE:
        with contextlib.suppress(FileNotFoundError):
            shutil.copy2(f"{jobdir.journal}{beside}", f"{copy}{beside}")
    return copy


def salvage(path: Path) -> Iterator[ev.Event]:
    """Yield the events that can be read, in order; observations are in the logs."""
    rows = _read_rows(path, "event", "seq", lambda row: row[0])
    for row in (rows[seq] for seq in sorted(seq for seq in rows if isinstance(seq, int))):
        with contextlib.suppress(*journal.CORRUPT_DATA_ERRORS):
            _, at, kind, number, body = row
            yield ev.from_fields(kind, float(at), number, json.loads(body))


def salvage_judgements(path: Path) -> Iterator[ev.JobJudged]:
    """Yield the judgements that can be read."""
    for row in _read_rows(path, "judgement", "job, attempt, step", lambda row: row[:3]).values():
        with contextlib.suppress(*journal.CORRUPT_DATA_ERRORS):
            yield journal.to_judgement(row)


Attempts: TypeAlias = dict[tuple[int, int], list[Observation]]
"""Observations by job and attempt."""


def salvage_observations(path: Path) -> Attempts:
    """Return the observations that can be read."""
    rows = _read_rows(path, "observation", "job, attempt, metric, offset", lambda row: row[:4])
    found: Attempts = {}
    for row in rows.values():
        with contextlib.suppress(*journal.CORRUPT_DATA_ERRORS):
            job, attempt, metric, offset, step, value, *_ = row
            value = math.nan if value is None else float(value)
            each = Observation(metric, operator.index(offset), float(step), value)
            if isinstance(metric, str):
                found.setdefault((job, attempt), []).append(each)
    return found


def _read_rows(
    path: Path, table: str, order: str, key: Callable[[tuple[Any, ...]], Any]
) -> dict[Any, tuple[Any, ...]]:
    """Return a table's rows by their key: up to the damage, and from the other end back to it."""
    rows: dict[Any, tuple[Any, ...]] = {}
    backwards = ", ".join(f"{column} DESC" for column in order.split(", "))
    for each in (order, backwards):
        with (
            contextlib.suppress(sqlite3.DatabaseError, UnicodeDecodeError),
            contextlib.closing(open_damaged(path)) as connection,
        ):
            connection.text_factory = _decode
            for row in connection.execute(f"SELECT * FROM {table} ORDER BY {each}"):
                # From the other end, this is where the first pass came to.
                if key(row) in rows:
                    break
                rows[key(row)] = row
    return rows


def _decode(data: bytes) -> str | None:
    """Return UTF-8 data as text, or None: bad bytes spoil no more than their own row."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _is_spec(fields: Any) -> bool:
    try:
        TuningSpec.model_validate(fields)
    except ValueError:
        return False
    return True


class _Rebuilder:
    """Builds events that follow on each other, and their fold."""

    def __init__(self, jobdir: JobDir, created: ev.TuningJobCreated, kept: Attempts) -> None:
        self._jobdir = jobdir
        self._kept = kept
        self._last = 0
        self.state = fold(TuningState(), created)
        self.events: list[ev.Event] = []

    def rebuild(self, found: Sequence[ev.Event]) -> None:
        """Add what was found, in order."""
        ends = {(each.number, each.attempt) for each in found if isinstance(each, ENDS)}
        for event in found:
            if isinstance(event, ev.TuningJobEnded) and self._is_open(event):
                continue  # what is lost is done again
            for missing in self._bridge(event, ends) if isinstance(event, ev.JobEvent) else ():
                self._add(missing)
            self._add(event)
        for number in self._list_missing():
            self._add(ev.JobPlanned(at=self.state.last_event_at, number=number))

    def _is_open(self, event: ev.TuningJobEnded) -> bool:
        if self.state.alive or self._list_missing():
            return True
        return event.status == "Completed" and bool(self.state.jobs.open)

    def _list_missing(self) -> list[int]:
        """Return the numbers of training jobs that are missing altogether."""
        jobs = self.state.jobs
        return [number for number in range(1, self._last) if number not in jobs]

    def _bridge(self, event: ev.JobEvent, ends: Collection[tuple[int, int]]) -> Iterator[ev.Event]:
        """Yield the lost events that must have come before one, if they hold no other data."""
        at, number = event.at, event.number
        job = self.state.jobs.get(number)
        if job is None:
            if isinstance(event, ev.JobSuggested):
                yield ev.JobPlanned(at=at, number=number)
            return
        before, attempt = len(job.attempts), getattr(event, "attempt", len(job.attempts))
        if attempt == before + 1:
            if job.is_alive:
                why = "how it ended was lost with a part of the journal"
                yield ev.JobLost(at=at, number=number, attempt=before, why=why, evicted=True)
            if not isinstance(event, ev.JobSubmitting):
                yield ev.JobSubmitting(at=at, number=number, attempt=attempt)
        is_launched = job.phase != "Submitting" and attempt == before
        needs_launch = not isinstance(event, (ev.JobSubmitting, ev.JobLaunched, ev.JobNoted))
        # An attempt without a known end stays Submitting: the next tuner looks whether it runs.
        if needs_launch and not is_launched and (number, attempt) in ends:
            yield ev.JobLaunched(at=at, number=number, attempt=attempt, handle={})

    def _add(self, event: ev.Event) -> None:
        """Fold an event that follows; before the end of an attempt, with what it had printed."""
        if isinstance(event, ev.JobPlanned):
            if not 1 <= event.number <= self._last + MAX_GAP:
                return
            self._last = max(self._last, event.number)
        if isinstance(event, ENDS):
            job = self.state.jobs.get(event.number)
            if job is None or not job.is_alive or len(job.attempts) != event.attempt:
                return
            known = self._kept.get((event.number, event.attempt), [])
            observations, totals = _read_log(self._jobdir, self.state, event, known)
            at, number, attempt = event.at, event.number, event.attempt
            if observations:
                observed = ev.ObservationsRead(
                    at=at, number=number, attempt=attempt, observations=observations
                )
                self._fold(observed)
            if fresh := find_fresh_totals(job.attempts[-1].totals, totals):
                self._fold(ev.ValuesCounted(at=at, number=number, attempt=attempt, totals=fresh))
        self._fold(event)

    def _fold(self, event: ev.Event) -> None:
        with contextlib.suppress(*journal.CORRUPT_DATA_ERRORS):
            self.state = fold(self.state, event)
            self.events.append(event)


def _read_log(
    jobdir: JobDir, state: TuningState, event: ev.JobExited | ev.JobLost, known: list[Observation]
) -> tuple[tuple[Observation, ...], dict[str, Totals]]:
    """Return an attempt's observations, from its log and the journal, and totals from its log.

    The log is believed, unless an earlier version of hpt gave up its middle: steps that are counted
    then come from the journal.
    """
    spec = load_spec(state.spec)
    log = jobdir.attempt(event.number, event.attempt).log
    extractors = [each for each in spec.extractors if not each.file]
    found = {(each.metric, each.offset): each for each in known}
    thinner = Thinner()
    with contextlib.suppress(OSError):
        job = state.jobs[event.number]
        counted = count_before(job, event.attempt, extractors)
        tail = AttemptTail(
            extractors, log, log.parent, 0.0, {}, thinner=thinner, counted_before=counted
        )
        read = tail.read(final=True)
        logged = {(each.metric, each.offset): each for each in read}
        found = logged | found if log.with_suffix(".gap").exists() else found | logged
    observations = tuple(sorted(found.values(), key=lambda each: each.offset))
    return observations, thinner.pop_totals(final=True)


def _set_aside_unknown(jobdir: JobDir, state: TuningState) -> Iterator[Path]:
    """Rename the directories of jobs that are not known: new ones will need their names."""
    for path in sorted((jobdir.path / "jobs").glob("[0-9]*")):
        if path.name.isdigit() and int(path.name) not in state.jobs:
            names = (f"{path.name}-lost-{number}" for number in itertools.count(2))
            targets = map(path.with_name, itertools.chain([f"{path.name}-lost"], names))
            yield path.rename(next(each for each in targets if not each.exists()))
