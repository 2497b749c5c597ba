"""The journal: one SQLite file for each tuning job, append-only, with one writer.

Decides how events become rows and rows become events, and when they are safe on disk. Knows nothing
of what they mean. A rollback journal, not WAL: home directories are often NFS or Lustre.
"""

from __future__ import annotations

import gc
import json
import math
import os
import sqlite3
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib import resources
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpt_cli import __version__, clock
from hpt_cli.errors import HptError, damaged_journal
from hpt_cli.files import move_over
from hpt_cli.metrics.curve import Observation
from hpt_cli.spec.objective import Objective
from hpt_cli.storage.connection import (
    SCHEMA_VERSION,
    TABLES,
    TakenError,
    check_schema,
    connect,
    is_transient,
    refuse_long_path,
    unreadable,
    unwritable,
)
from hpt_cli.storage.sqlite_locks import choose_locks
from hpt_cli.tuning import events as ev
from hpt_cli.tuning.fold import fold_all
from hpt_cli.tuning.jobs.transitions import ImpossibleEventError
from hpt_cli.tuning.state import TuningState
from hpt_cli.tuning.typed_json import parse

if TYPE_CHECKING:
    from hpt_cli.spec.model import TuningSpec

ALL = "observation"
LATEST = """(SELECT job, attempt, metric, max(step) AS step FROM observation
             GROUP BY job, attempt, metric) JOIN observation USING (job, attempt, metric, step)"""
"""The sources of observations. A step may have been observed more than once."""
CORRUPT_DATA_ERRORS = (
    *(ImpossibleEventError, LookupError, TypeError, ValueError, AttributeError),
    *(ArithmeticError, RecursionError),
)
"""Raised by reading or folding rows that hpt did not write."""
NO_BEGINNING = "its first event, which holds the spec, is missing"


class Journal:
    """An open journal. Use it in a `with` block."""

    def __init__(
        self, connection: sqlite3.Connection, path: Path, known: int | None = None
    ) -> None:
        """`known`: the last event that the caller has read; None: all that there are."""
        self._connection = connection
        self._path = path
        self._next_seq = 1 + self._find_last()
        self.last_event = self._find_last_event() if known is None else known
        """The number of the last event that the caller has read or written."""
        self._read_seq = 0

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def wait_at_most(self, seconds: float) -> None:
        """Wait no longer than this for the locks of other programs."""
        self._connection.execute(f"PRAGMA busy_timeout = {1000 * seconds:.0f}")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _find_last(self) -> int:
        # The rows of all tables share one sequence of numbers: each is an event.
        queries = (f"SELECT max(seq) FROM {table}" for table in TABLES)
        return max(int(self._connection.execute(each).fetchone()[0] or 0) for each in queries)

    def _find_last_event(self) -> int:
        return int(self._connection.execute("SELECT max(seq) FROM event").fetchone()[0] or 0)

    def append(self, events: Iterable[ev.Event]) -> None:
        """Write events, all or none; they are on disk when this returns.

        Raises:
            TransientError: it cannot be written now: the disk is full, another program holds it.
            TakenError: another process has written to it since, so that these events may
                contradict what is there.
            HptError: it is damaged.
        """
        events = list(events)
        if not events:
            return
        try:
            with self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                if self._find_last_event() == self.last_event:
                    for seq, event in enumerate(events, self._next_seq):
                        self._insert(event, seq)
                elif self._ends_with(events):
                    events = []
                else:
                    raise self._taken()
                last_event = self._find_last_event()
            self._next_seq += len(events)
            self.last_event = last_event
        except sqlite3.DatabaseError as error:
            if not is_transient(error):
                raise damaged_journal(f"it cannot be written: {error}", self._path) from error
            raise unwritable(self._path, error) from error

    def _ends_with(self, events: Sequence[ev.Event]) -> bool:
        """Return whether events were written although the end of their write was reported as an
        error: the last of them is the last in the journal."""
        rows = [_to_event_row(each, 0)[1:] for each in events if type(each) in ev.RECORDED.values()]
        query = "SELECT at, type, job, body FROM event ORDER BY seq DESC LIMIT 1"
        return rows[-1:] == self._connection.execute(query).fetchall()

    def _taken(self) -> TakenError:
        tuner = self._find_latest("TunerStarted")
        who = "another process"
        if isinstance(tuner, ev.TunerStarted) and tuner.pid != os.getpid():
            who = f"another tuner (process {tuner.pid} on {tuner.host})"
        return TakenError.of(
            "journal-taken",
            f"{who} has taken over this tuning job: this one ends, and leaves its jobs alone",
            "was its lock removed, or does another machine tune it? 'hpt show NAME' says how it is",
        )

    def find_tuner(self) -> ev.TunerStarted | None:
        """Return the last tuner; None if there was none, or if it has brought the job to its end.

        Raises:
            HptError: the journal is damaged, or cannot be read now.
        """
        latest = self._find_latest("TunerStarted", "TuningJobEnded")
        return latest if isinstance(latest, ev.TunerStarted) else None

    def _find_latest(self, *kinds: str) -> ev.Event | None:
        """Return the last event of these kinds, which are not those of training jobs."""
        names = ", ".join(f"'{kind}'" for kind in kinds)
        query = (
            f"SELECT at, type, body FROM event WHERE type IN ({names}) ORDER BY seq DESC LIMIT 1"
        )
        with _reading(self._path):
            row = self._connection.execute(query).fetchone()
            return row and ev.from_fields(row[1], row[0], None, json.loads(row[2]))

    def _insert(self, event: ev.Event, seq: int) -> None:
        if isinstance(event, ev.ObservationsRead):
            self._connection.executemany(
                # Observations may come twice (rule 4 in tuning/jobs/transitions.py).
                "INSERT OR IGNORE INTO observation VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [_to_row(event, each, seq) for each in event.observations],
            )
            return
        if isinstance(event, ev.JobJudged):
            judgement = event.number, event.attempt, event.step, event.stop, event.reason
            self._connection.execute(
                "INSERT OR REPLACE INTO judgement VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (*judgement, json.dumps(event.evidence), seq, event.at),
            )
            return
        self._connection.execute(
            "INSERT INTO event VALUES (?, ?, ?, ?, ?)", _to_event_row(event, seq)
        )

    def read(
        self, until: int | None = None, after: int = 0, *, only_latest: bool = False
    ) -> Iterator[ev.Event]:
        """Yield the events in an order that folds to the state, up to and including number `until`.

        Observations of one job that nothing else about it came between are read as one event: the
        state is the same, and a long journal reads many times faster.

        Args:
            only_latest: of each metric of each attempt, only what was observed at its last step.

        Raises:
            HptError: the journal is damaged, or was written by a newer hpt.
        """
        last = self._next_seq if until is None else until
        with _reading(self._path):
            waiting = self._read_observations(after, last, LATEST if only_latest else ALL)
            rows = self._connection.execute(
                "SELECT seq, at, type, job, body FROM event WHERE seq > ? AND seq <= ?"
                " ORDER BY seq",
                (after, last),
            )
            for seq, at, kind, number, body in rows:
                if number is not None:
                    yield from waiting.take(number, seq)
                yield ev.from_fields(kind, at, number, json.loads(body))
            yield from waiting.take_all()

    def _read_observations(self, after: int, last: int, source: str) -> _Waiting:
        rows = self._connection.execute(
            f"SELECT job, seq, at, attempt, CAST(metric AS TEXT), offset, step, value FROM {source}"
            " WHERE seq > ? AND seq <= ? ORDER BY job, seq, offset",
            (after, last),
        )
        return _Waiting(rows)

    def read_new(self) -> list[ev.Event]:
        """Return the events written since the last call, by whoever writes; at first, all."""
        with _reading(self._path):
            last = self._find_last()
        if last == self._read_seq:
            return []
        with _no_garbage_collection():
            events = list(self.read(last, after=self._read_seq))
        self._read_seq = last
        return events

    def follow(self, state: TuningState) -> tuple[TuningState, list[ev.Event]]:
        """Return the state after the events written since the last call, and these events.

        Raises:
            HptError: the journal is damaged, or cannot be read now.
        """
        events = self.read_new()
        with _folding(self._path):
            return fold_all(state, events), events

    def creation(self) -> ev.TuningJobCreated:
        """Return the first event, which holds the spec.

        Raises:
            HptError: the journal is damaged, or cannot be read now.
        """
        first = next(self.read(until=1), None)
        if not isinstance(first, ev.TuningJobCreated):
            raise damaged_journal(NO_BEGINNING, self._path)
        return first

    def read_moments(self) -> dict[tuple[int, str, float], float]:
        """Return when each metric was seen, in seconds since the epoch: by (job, metric, step);
        for a step that came again, the last time."""
        with _reading(self._path):
            rows = self._connection.execute(
                "SELECT job, metric, step, at FROM observation ORDER BY job, attempt, offset"
            )
            return {(job, metric, step): at for job, metric, step, at in rows}

    def read_judgements(self, number: int) -> list[ev.JobJudged]:
        """Return the stop rule's judgements of a job, in order; the state does not hold them."""
        with _reading(self._path):
            rows = self._connection.execute(
                "SELECT job, attempt, step, stop, reason, evidence, seq, at FROM judgement"
                " WHERE job = ? ORDER BY attempt, step",
                (number,),
            )
            return [to_judgement(row) for row in rows]

    def planned_seq(self, number: int) -> int:
        """Return the sequence number of the event after which a job's hyperparameters were chosen:
        that which planned it, or a change of the search space while they were being chosen."""
        # The last: one that found the space exhausted was dropped, and its number is another's.
        query = """
            SELECT max(seq) FROM event WHERE (
                type = 'JobPlanned' AND job = :job
                OR type = 'SpecChanged' AND body LIKE '%"hyperparameter_ranges"%'
            ) AND seq < ifnull(
                (SELECT max(seq) FROM event WHERE type = 'JobSuggested' AND job = :job), seq + 1
            )"""
        with _reading(self._path):
            return int(self._connection.execute(query, {"job": number}).fetchone()[0])

    def state(self, until: int | None = None, *, only_latest: bool = False) -> TuningState:
        """Return the fold of the events, up to and including number `until`.

        Args:
            only_latest: curves have their last step only, where `objective_value` is the last.
                Final values and statuses are the same, and it is several times faster.

        Raises:
            HptError: the journal is damaged, or cannot be read now.
        """
        with _reading(self._path):
            last = self._find_last_event() if until is None else until
        with _no_garbage_collection(), _folding(self._path):
            only_latest = only_latest and Objective.of(self.creation().spec).value == "last"
            state = fold_all(TuningState(), self.read(until, only_latest=only_latest))
        state = replace(state, last_seq=last)
        if not state.spec:
            raise damaged_journal(NO_BEGINNING, self._path)
        # Jobs are numbered from 1 without gaps, but the one that found the space exhausted is
        # dropped.
        has_all = until is None and not state.exhausted
        if has_all and len(state.jobs) != max(state.jobs, default=0):
            raise damaged_journal("training jobs are missing from it", self._path)
        return state

    def check(self) -> None:
        """Look for damage that reading events does not find: in the file, judgements and views.

        Raises:
            HptError: there is some.
        """
        with _reading(self._path):
            (found,) = self._connection.execute("PRAGMA integrity_check(1)").fetchone()
            for row in self._connection.execute("SELECT * FROM judgement"):
                to_judgement(row)
            # They are there for people; what a stranger's would do is not tried out.
            names = "SELECT count(*) FROM sqlite_master WHERE type = 'view' AND name IN (?, ?)"
            (views,) = self._connection.execute(names, ("training_job", "curve")).fetchone()
        if found != "ok":
            raise damaged_journal(str(found), self._path)
        if views != 2:
            raise damaged_journal("a view is missing from it", self._path)


def to_judgement(row: tuple[Any, ...]) -> ev.JobJudged:
    """Return the judgement in a row of its table.

    Raises:
        TypeError: it holds what it should not.
        ValueError: its evidence is no JSON.
    """
    number, attempt, step, stop, reason, evidence, _, at = row
    fields = {"at": at, "number": number, "attempt": attempt, "step": step, "reason": reason}
    return parse(ev.JobJudged, fields | {"stop": bool(stop), "evidence": json.loads(evidence)})


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Raise HptError for what goes wrong with the file."""
    try:
        yield
    except (sqlite3.DatabaseError, *CORRUPT_DATA_ERRORS) as error:
        if isinstance(error, sqlite3.DatabaseError) and is_transient(error):
            raise unreadable(f"{path}: {error}") from error
        raise damaged_journal(f"it cannot be read: {_describe_damage(error)}", path) from error


@contextmanager
def _folding(path: Path) -> Iterator[None]:
    """Raise HptError for events that do not follow on each other."""
    try:
        yield
    except CORRUPT_DATA_ERRORS as error:
        why = f"its events contradict each other: {_describe_damage(error)}"
        raise damaged_journal(why, path) from error


def _describe_damage(error: Exception) -> str:
    """Return in words what is wrong with rows that hpt did not write."""
    match error:
        case sqlite3.DatabaseError(sqlite_errorcode=sqlite3.SQLITE_NOTADB):
            return f"it is not a journal ({error})"
        case json.JSONDecodeError():
            return f"an event is not JSON ({error})"
        case ArithmeticError():
            return "a number in it is infinite, or far too large"
        case RecursionError():
            return "an event is nested too deeply"
        case LookupError():
            return f"{error} is missing in it, or not known"
        case TypeError() | AttributeError():
            return f"a value is of a wrong type ({error})"
    return str(error)


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Pause the garbage collector: nothing that is read becomes garbage, and looking for it among
    so many objects takes half the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class _Waiting:
    """Observations that have not been read yet, by job, the earliest first."""

    def __init__(self, rows: Iterable[tuple[int, int, float, int, str, int, float, float | None]]):
        self._rows = {job: deque(group) for job, group in groupby(rows, itemgetter(0))}

    def take(self, job: int, before: float) -> Iterator[ev.ObservationsRead]:
        """Yield what was observed of a job before event number `before`, as one event."""
        rows = self._rows.get(job)
        taken: list[Observation] = []
        moments: list[float] = []
        attempt, latest = 0, 0.0
        while rows and rows[0][1] < before:
            _, _, latest, attempt, metric, offset, step, value = rows.popleft()
            # The pluses raise TypeError where text stands for a number.
            value = math.nan if value is None else +value
            if not math.isfinite(step):
                raise ValueError(f"{step} is not a step")
            taken.append(Observation(metric, +offset, step, value))
            moments.append(latest)
        if taken:
            ev.check_moment(latest)
            yield ev.ObservationsRead(
                at=latest,
                number=job,
                attempt=attempt,
                observations=tuple(taken),
                moments=() if moments[0] == latest else tuple(moments),
            )

    def take_all(self) -> Iterator[ev.ObservationsRead]:
        """Yield what is left."""
        for job in self._rows:
            yield from self.take(job, math.inf)


def _to_event_row(event: ev.Event, seq: int) -> tuple[object, ...]:
    number = event.number if isinstance(event, ev.JobEvent) else None
    body = json.dumps(ev.to_fields(event), separators=(",", ":"))
    return seq, event.at, type(event).__name__, number, body


def _to_row(event: ev.ObservationsRead, each: Observation, seq: int) -> tuple[object, ...]:
    # SQLite has no NaN: it would store NULL anyway.
    value = None if math.isnan(each.value) else each.value
    key = event.number, event.attempt, each.metric, each.offset
    return (*key, each.step, value, seq, event.at)


def describe_creation(spec: TuningSpec, directory: Path) -> ev.TuningJobCreated:
    """Return the event with which a tuning job begins."""
    return ev.TuningJobCreated(
        at=clock.now(),
        spec=spec.model_dump(mode="json"),
        hpt_version=__version__,
        directory=str(directory.resolve()),
    )


def create_journal(path: Path, *first: ev.Event) -> None:
    """Make a journal that holds its first events: whole under its name, or not there at all.

    Raises:
        HptError: it cannot be written.
    """
    refuse_long_path(path.resolve())
    temporary = path.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    try:
        # Made before SQLite opens it, as SQLite would let others read it.
        temporary.touch(mode=0o600)
        where = f"{temporary.resolve().as_uri()}?{choose_locks(temporary)}mode=rw"
        connection = sqlite3.connect(where, uri=True, isolation_level=None)
        schema = resources.files("hpt_cli.storage").joinpath("schema.sql")
        connection.executescript(schema.read_text())
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        with Journal(connection, path) as journal:
            journal.append(first)
        move_over(temporary, path)
    except (sqlite3.OperationalError, OSError) as error:
        raise HptError.of("journal-write", f"{path} cannot be created: {error}") from error


def open_journal(path: Path, *, write: bool = False, known: int | None = None) -> Journal:
    """Open a journal, for reading unless told otherwise. Readers never disturb the writer.

    Args:
        known: the last event that a writer knows of; if there are others by the time it writes, it
            is refused (see `append`). None: all that there are now.

    Raises:
        HptError: it is not a journal, or one that a newer hpt has written.
    """
    with _reading(path):
        connection = connect(path, write=write)
        try:
            check_schema(connection, path, write=write)
            return Journal(connection, path, known)
        except BaseException:
            connection.close()
            raise
