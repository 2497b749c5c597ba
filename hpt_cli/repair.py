"""A damaged journal made whole again, from what can still be read of it and from the logs.

What cannot be read, or cannot follow on the rest, is left out. The observations of every attempt
that is known to have ended are read from its log again; those from files, and from the middle of a
log that was given up (see `gaps`), are taken from the journal. The damaged journal is kept beside
the new one, and so are the directories of training jobs that nothing is known of any more.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from hpt_cli.core.events import (
    AnyEvent,
    JobExited,
    JobLost,
    ObservationsRead,
    TuningJobCreated,
    TuningJobEnded,
    from_fields,
)
from hpt_cli.core.metrics import MetricReader
from hpt_cli.core.observation import Observation
from hpt_cli.core.spec import TuningSpec
from hpt_cli.core.state import ImpossibleEventError, TuningState, fold
from hpt_cli.gaps import find_gap, read_part
from hpt_cli.jobdir import JobDir
from hpt_cli.runner import describe_creation
from hpt_cli.specfile import read_spec
from hpt_cli.store import create_journal
from hpt_cli.tail import FileTail

UNFIT = (ImpossibleEventError, KeyError, TypeError, ValueError, AttributeError, IndexError)
"""What folding an event raises that does not follow on the state."""


@dataclass(frozen=True)
class Repair:
    """What became of a journal."""

    kept: int
    left_out: int
    observations: int
    lost: int
    """Observations from logs' middles, which are neither in the journal nor in the logs."""
    damaged: Path
    set_aside: tuple[Path, ...]


def repair(jobdir: JobDir) -> Repair:
    """Make a journal anew; the caller holds the lock.

    Raises:
        UsageError: neither the journal nor the spec can be read.
        OSError: there is no room, or no right to write.
    """
    damaged = _keep(jobdir)
    found = list(salvage(damaged))
    created = next((each for each in found if isinstance(each, TuningJobCreated)), None)
    if created is None or not _is_spec(created.spec):
        home = jobdir.path.resolve().parent
        created = describe_creation(read_spec(jobdir.spec), home.parent)
    rest = [each for each in found if not isinstance(each, TuningJobCreated)]
    kept_observations = salvage_observations(damaged)
    events, state, lost = _replay(jobdir, created, rest, kept_observations)
    temporary = jobdir.path / "journal.repaired"
    create_journal(temporary, created, *events)
    (jobdir.path / "journal.sqlite-journal").unlink(missing_ok=True)
    os.replace(temporary, jobdir.journal)
    observed = [each for each in events if isinstance(each, ObservationsRead)]
    kept = len(events) - len(observed)
    return Repair(
        kept=kept,
        left_out=len(rest) - kept,
        observations=sum(len(each.observations) for each in observed),
        lost=lost,
        damaged=damaged,
        set_aside=tuple(_set_aside_unknown(jobdir, state)),
    )


def _keep(jobdir: JobDir) -> Path:
    """A copy of the damaged journal, with what sqlite needs to roll it back."""
    for count in itertools.count(1):
        copy = jobdir.path / f"journal.damaged-{count}"
        if not copy.exists():
            break
    shutil.copy2(jobdir.journal, copy)
    with contextlib.suppress(FileNotFoundError):
        shutil.copy2(f"{jobdir.journal}-journal", f"{copy}-journal")
    return copy


def salvage(path: Path) -> Iterator[AnyEvent]:
    """The events that can be read, in order; observations are in the logs."""
    rows = _read_rows(path, "event", "seq", lambda row: row[0])
    for _, at, kind, number, body in (rows[seq] for seq in sorted(rows)):
        with contextlib.suppress(*UNFIT):
            yield from_fields(kind, float(at), number, json.loads(body))


Attempts: TypeAlias = dict[tuple[int, int], list[Observation]]
"""Observations by job and attempt."""


def salvage_observations(path: Path) -> Attempts:
    """The observations that can be read."""
    rows = _read_rows(path, "observation", "job, attempt, metric, offset", lambda row: row[:4])
    found: Attempts = {}
    for job, attempt, metric, offset, step, value, *_ in rows.values():
        with contextlib.suppress(*UNFIT):
            value = math.nan if value is None else float(value)
            each = Observation(str(metric), int(offset), float(step), value)
            found.setdefault((job, attempt), []).append(each)
    return found


def _read_rows(
    path: Path, table: str, order: str, key: Callable[[tuple[Any, ...]], Any]
) -> dict[Any, tuple[Any, ...]]:
    """The rows of a table by their key: up to the damage, and from the other end."""
    rows: dict[Any, tuple[Any, ...]] = {}
    backwards = ", ".join(f"{column} DESC" for column in order.split(", "))
    for each in (order, backwards):
        with (
            contextlib.suppress(sqlite3.DatabaseError),
            contextlib.closing(sqlite3.connect(path)) as connection,
        ):
            for row in connection.execute(f"SELECT * FROM {table} ORDER BY {each}"):
                if key(row) in rows:
                    break
                rows[key(row)] = row
    return rows


def _is_spec(fields: Any) -> bool:
    try:
        TuningSpec.model_validate(fields)
    except ValueError:
        return False
    return True


def _replay(
    jobdir: JobDir,
    created: TuningJobCreated,
    found: Iterable[AnyEvent],
    kept: Attempts,
) -> tuple[list[AnyEvent], TuningState, int]:
    """The events that follow on each other, with the observations of the logs; their fold; and how
    many observations are lost."""
    state = fold(TuningState(), created)
    events: list[AnyEvent] = []
    lost = 0
    for event in found:
        if isinstance(event, (JobExited, JobLost)):
            known = kept.get((event.number, event.attempt), [])
            observations, missing = _read_log(jobdir, state, event, known)
            lost += missing
            if observations:
                with contextlib.suppress(*UNFIT):
                    observed = ObservationsRead(
                        at=event.at,
                        number=event.number,
                        attempt=event.attempt,
                        observations=observations,
                    )
                    state = fold(state, observed)
                    events.append(observed)
        if isinstance(event, TuningJobEnded) and state.running:
            continue  # how a job ended was lost; its files may tell
        with contextlib.suppress(*UNFIT):
            state = fold(state, event)
            events.append(event)
    return events, state, lost


def _read_log(
    jobdir: JobDir, state: TuningState, event: JobExited | JobLost, known: list[Observation]
) -> tuple[tuple[Observation, ...], int]:
    """The observations of an attempt, and how many are lost."""
    spec = TuningSpec.model_validate(state.spec)
    log = jobdir.attempt(event.number, event.attempt).log
    finders = [each for each in spec.finders if not each.file]
    metrics = {each.metric for each in finders}
    of_files = [each for each in known if each.metric not in metrics]
    rest = FileTail(log, finders, may_have_gap=True).read(final=True)
    gap = find_gap(log)
    if gap is None:
        return (*rest, *of_files), 0
    head = MetricReader(finders).feed(read_part(log, 0, gap.begin))
    middle = [
        each for each in known if each.metric in metrics and each.offset < gap.bookmark.offset
    ]
    found = {(each.metric, each.offset): each for each in [*middle, *head]}
    missing = sum(gap.bookmark.counts) - len(found)
    return (*sorted(found.values(), key=lambda each: each.offset), *rest, *of_files), missing


def _set_aside_unknown(jobdir: JobDir, state: TuningState) -> Iterator[Path]:
    """Rename the directories of jobs that are not known: new ones will need their names."""
    for path in sorted((jobdir.path / "jobs").glob("[0-9]*")):
        if path.name.isdigit() and int(path.name) not in state.jobs:
            target = path.with_name(f"{path.name}-lost")
            for count in itertools.count(2):
                if not target.exists():
                    break
                target = path.with_name(f"{path.name}-lost-{count}")
            yield path.rename(target)
