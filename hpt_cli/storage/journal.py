"""The journal: one SQLite file for each tuning job, append-only, with one writer.

Decides how events become rows and rows become events, and when they are safe on disk. Knows nothing
of what they mean. A rollback journal, not WAL: home directories are often NFS or Lustre.
"""

from __future__ import annotations

import gc
import json
import math
import operator
import os
import sqlite3
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import resources
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import Any

from hpt_cli import __version__, clock
from hpt_cli.errors import HptError, damaged_journal
from hpt_cli.files import open_regular
from hpt_cli.metrics.observation import Observation
from hpt_cli.spec.model import TuningSpec
from hpt_cli.tuning.events import (
    AnyEvent,
    JobEvent,
    JobJudged,
    ObservationsRead,
    TuningJobCreated,
    check_moment,
    from_fields,
    to_fields,
)
from hpt_cli.tuning.recorded_spec import check_spec
from hpt_cli.tuning.state import ImpossibleEventError, TuningState, fold_all

SCHEMA_VERSION = 3
"""1: the first. 2: specs change, and an exit may say that another attempt follows. 3: attempts hold
shares of a machine, or wait for their turn on a cluster. Older ones are read as they are."""
ALL = "observation"
LATEST = """(SELECT job, attempt, metric, max(step) AS step FROM observation
             GROUP BY job, attempt, metric) JOIN observation USING (job, attempt, metric, step)"""
"""Where observations are read from. A step may have been observed more than once."""
BUSY_SECONDS = 60.0
TABLES = ("event", "observation", "judgement")
SUPER_JOURNAL = bytes.fromhex("d9d505f920a163d7")
"""How a rollback journal ends that names another file (https://sqlite.org/fileformat2.html)."""
UNFIT = (
    *(ImpossibleEventError, LookupError, TypeError, ValueError, AttributeError),
    *(ArithmeticError, RecursionError),
)
"""What reading or folding raises of what hpt has not written."""
PASSING = (
    *(sqlite3.SQLITE_PERM, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM),
    *(sqlite3.SQLITE_READONLY, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_IOERR),
    *(sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_AUTH),
)
"""What sqlite says of a full disk, or of a lock: the journal may well be whole."""
NO_BEGINNING = "it does not say what was asked for"


class Journal:
    """An open journal. Use it in a `with` block."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._next_seq = 1 + self._find_last()
        self._read_seq = 0

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._connection.close()

    def _scalar(self, query: str) -> int:
        return int(self._connection.execute(query).fetchone()[0] or 0)

    def _find_last(self) -> int:
        return max(self._scalar(f"SELECT max(seq) FROM {table}") for table in TABLES)

    def append(self, events: Iterable[AnyEvent]) -> None:
        """Write events, all or none; they are on disk when this returns.

        Raises:
            HptError: the disk is full, or the file cannot be written.
        """
        events = list(events)
        if not events:
            return
        try:
            with self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                for event in events:
                    self._insert(event, self._next_seq)
                    self._next_seq += 1
        except sqlite3.DatabaseError as error:
            if not _is_passing(error):
                raise damaged_journal(f"it cannot be written: {error}") from error
            raise HptError.of(
                "journal-write",
                f"the journal cannot be written: {error}",
                "nothing recorded so far is lost; make room, then resume",
            ) from error

    def _insert(self, event: AnyEvent, seq: int) -> None:
        if isinstance(event, ObservationsRead):
            self._connection.executemany(
                "INSERT OR IGNORE INTO observation VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [_to_row(event, each, seq) for each in event.observations],
            )
            return
        if isinstance(event, JobJudged):
            self._connection.execute(
                "INSERT OR REPLACE INTO judgement VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(event.number, event.attempt, event.step, event.stop, event.reason),
                    *(json.dumps(event.evidence), seq, event.at),
                ),
            )
            return
        number = event.number if isinstance(event, JobEvent) else None
        body = json.dumps(to_fields(event), separators=(",", ":"))
        self._connection.execute(
            "INSERT INTO event VALUES (?, ?, ?, ?, ?)",
            (seq, event.at, type(event).__name__, number, body),
        )

    def read(
        self, until: int | None = None, after: int = 0, *, only_latest: bool = False
    ) -> Iterator[AnyEvent]:
        """The events in an order that folds to the state, up to and including number `until`.

        Observations of one job that nothing else about it came between are read as one event: the
        state is the same, and a long journal reads many times faster.

        Args:
            only_latest: of each metric of each attempt, only what was observed at its last step.

        Raises:
            HptError: the journal is damaged, or was written by a newer hpt.
        """
        last = self._next_seq if until is None else until
        with _reading():
            waiting = self._read_observations(after, last, LATEST if only_latest else ALL)
            rows = self._connection.execute(
                "SELECT seq, at, type, job, body FROM event WHERE seq > ? AND seq <= ?"
                " ORDER BY seq",
                (after, last),
            )
            for seq, at, kind, number, body in rows:
                if number is not None:
                    yield from waiting.take(number, seq)
                yield from_fields(kind, at, number, json.loads(body))
            yield from waiting.take_all()

    def _read_observations(self, after: int, last: int, source: str) -> _Waiting:
        rows = self._connection.execute(
            f"SELECT job, seq, at, attempt, CAST(metric AS TEXT), offset, step, value FROM {source}"
            " WHERE seq > ? AND seq <= ? ORDER BY job, seq, offset",
            (after, last),
        )
        return _Waiting(rows)

    def read_new(self) -> list[AnyEvent]:
        """What was written since this was last asked, by whoever writes; at first, everything."""
        with _reading():
            last = self._find_last()
        if last == self._read_seq:
            return []
        with _no_garbage_collection():
            events = list(self.read(last, after=self._read_seq))
        self._read_seq = last
        return events

    def follow(self, state: TuningState) -> tuple[TuningState, list[AnyEvent]]:
        """The state after what was written since this was last asked, and that.

        Raises:
            HptError: the journal is damaged, or cannot be read now.
        """
        events = self.read_new()
        with _folding():
            return fold_all(state, events), events

    def creation(self) -> TuningJobCreated:
        """The first event: what was asked for.

        Raises:
            HptError: the journal is damaged, or cannot be read now.
        """
        first = next(self.read(until=1), None)
        if not isinstance(first, TuningJobCreated):
            raise damaged_journal(NO_BEGINNING)
        with _folding():
            check_spec(first.spec)
        return first

    def read_moments(self) -> dict[tuple[int, str, float], float]:
        """When each metric of each job was seen at each step: by (job, metric, step), in seconds
        since the epoch; of a step that came again, the last time."""
        with _reading():
            rows = self._connection.execute(
                "SELECT job, metric, step, at FROM observation ORDER BY job, attempt, offset"
            )
            return {(job, metric, step): at for job, metric, step, at in rows}

    def read_judgements(self, number: int) -> list[JobJudged]:
        """What the stop rule said of a job, in order; the state does not hold it."""
        with _reading():
            rows = self._connection.execute(
                "SELECT job, attempt, step, stop, reason, evidence, seq, at FROM judgement"
                " WHERE job = ? ORDER BY attempt, step",
                (number,),
            )
            return [to_judgement(row) for row in rows]

    def planned_seq(self, number: int) -> int:
        """The number of the event that planned a job."""
        query = "SELECT seq FROM event WHERE type = 'JobPlanned' AND job = ?"
        with _reading():
            return int(self._connection.execute(query, (number,)).fetchone()[0])

    def state(self, until: int | None = None, *, only_latest: bool = False) -> TuningState:
        """The fold of the events, up to and including number `until`.

        Args:
            only_latest: curves have their last step only. Final values and statuses are the same,
                and it is several times faster.

        Raises:
            HptError: the journal is damaged, or cannot be read now.
        """
        with _no_garbage_collection(), _folding():
            state = fold_all(TuningState(), self.read(until, only_latest=only_latest))
        if not state.spec:
            raise damaged_journal(NO_BEGINNING)
        has_all = until is None and not state.exhausted
        if has_all and len(state.jobs) != max(state.jobs, default=0):
            raise damaged_journal("training jobs are missing from it")
        return state

    def check(self) -> None:
        """Look for damage where reading alone finds none: the whole file, and what explains stops.

        Raises:
            HptError: there is some.
        """
        with _reading():
            (found,) = self._connection.execute("PRAGMA integrity_check(1)").fetchone()
            for row in self._connection.execute("SELECT * FROM judgement"):
                to_judgement(row)
            # They are there for people; what a stranger's would do is not tried out.
            names = "SELECT count(*) FROM sqlite_master WHERE type = 'view' AND name IN (?, ?)"
            (views,) = self._connection.execute(names, ("training_job", "curve")).fetchone()
        if found != "ok":
            raise damaged_journal(str(found))
        if views != 2:
            raise damaged_journal("a view is missing from it")


def to_judgement(row: tuple[Any, ...]) -> JobJudged:
    """What a row of the table of judgements says.

    Raises:
        TypeError: it is none.
        ValueError: the same.
    """
    number, attempt, step, stop, reason, evidence, _, at = row
    check_moment(at)
    return JobJudged(
        at=at,
        number=operator.index(number),
        attempt=operator.index(attempt),
        step=+step,
        stop=bool(stop),
        reason=str(reason),
        evidence=dict(json.loads(evidence)),
    )


@contextmanager
def _reading() -> Iterator[None]:
    """What goes wrong with the file is an expected failure."""
    try:
        yield
    except (sqlite3.DatabaseError, *UNFIT) as error:
        if isinstance(error, sqlite3.DatabaseError) and _is_passing(error):
            raise _unreadable(str(error)) from error
        raise damaged_journal(f"it cannot be read: {type(error).__name__}: {error}") from error


@contextmanager
def _folding() -> Iterator[None]:
    """Events that do not follow on each other are an expected failure."""
    try:
        yield
    except UNFIT as error:
        raise damaged_journal(f"its events do not follow on each other: {error}") from error


def _is_passing(error: sqlite3.DatabaseError) -> bool:
    """Whether it is the disk, or another process, and not what stands in the file."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in PASSING


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Nothing that is read becomes garbage; looking for it among so much takes half the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class _Waiting:
    """Observations that have not been handed out yet, by job, the earliest first."""

    def __init__(self, rows: Iterable[tuple[int, int, float, int, str, int, float, float | None]]):
        self._rows = {job: deque(group) for job, group in groupby(rows, itemgetter(0))}

    def take(self, job: int, before: float) -> Iterator[ObservationsRead]:
        """What was observed of a job before event number `before`."""
        rows = self._rows.get(job)
        taken: list[Observation] = []
        moments: list[float] = []
        attempt, latest = 0, 0.0
        while rows and rows[0][1] < before:
            _, _, latest, attempt, metric, offset, step, value = rows.popleft()
            # The pluses raise TypeError where text stands for a number.
            value = math.nan if value is None else +value
            if not math.isfinite(step):
                raise ValueError(f"{step} is no step")
            taken.append(Observation(metric, +offset, step, value))
            moments.append(latest)
        if taken:
            check_moment(latest)
            yield ObservationsRead(
                at=latest,
                number=job,
                attempt=attempt,
                observations=tuple(taken),
                moments=() if moments[0] == latest else tuple(moments),
            )

    def take_all(self) -> Iterator[ObservationsRead]:
        """What is left."""
        for job in self._rows:
            yield from self.take(job, math.inf)


def _to_row(event: ObservationsRead, each: Observation, seq: int) -> tuple[object, ...]:
    value = None if math.isnan(each.value) else each.value
    return (
        event.number,
        event.attempt,
        each.metric,
        each.offset,
        each.step,
        value,
        seq,
        event.at,
    )


def describe_creation(spec: TuningSpec, directory: Path) -> TuningJobCreated:
    """The event with which a tuning job begins."""
    return TuningJobCreated(
        at=clock.now(),
        spec=spec.model_dump(mode="json"),
        hpt_version=__version__,
        directory=str(directory.resolve()),
    )


def create_journal(path: Path, *first: AnyEvent) -> None:
    """Make a journal that holds its first events: whole under its name, or not there at all.

    Raises:
        HptError: it cannot be written.
    """
    temporary = path.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    try:
        temporary.touch(mode=0o600)
        connection = sqlite3.connect(temporary, isolation_level=None)
        connection.executescript(
            resources.files("hpt_cli.storage").joinpath("schema.sql").read_text()
        )
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        with Journal(connection) as journal:
            journal.append(first)
        os.replace(temporary, path)
    except (sqlite3.OperationalError, OSError) as error:
        raise HptError.of("journal-write", f"{path} cannot be made: {error}") from error


def _unreadable(why: str) -> HptError:
    return HptError.of(
        "journal-unreadable",
        f"the journal cannot be read now: {why}",
        "is its disk there, and can it be written? nothing was changed",
    )


def open_journal(path: Path, *, write: bool = False) -> Journal:
    """Open a journal, for reading unless told otherwise. Readers never disturb the writer.

    Raises:
        HptError: it is not a journal, or one that a newer hpt has written.
    """
    try:
        connection = _connect(path, write=write)
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        if isinstance(error, sqlite3.DatabaseError) and _is_passing(error):
            raise _unreadable(f"{path}: {error}") from error
        raise damaged_journal(f"{path} is not a journal: {error}") from error
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise HptError.of(
                "journal-newer",
                f"{path} was written by a newer hpt (schema {version}; this one knows"
                f" {SCHEMA_VERSION})",
                "upgrade hpt; the file is untouched",
            )
        if write and version < SCHEMA_VERSION:
            # What this hpt adds, an older one would not understand.
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        if not _has_our_tables(connection):
            raise damaged_journal(f"{path} is not a journal: it has other tables")
        return Journal(connection)
    except BaseException as error:
        connection.close()
        if not isinstance(error, (sqlite3.DatabaseError, TypeError, ValueError)):
            raise
        raise damaged_journal(f"{path} is not a journal: {error}") from error


def _has_our_tables(connection: sqlite3.Connection) -> bool:
    """Whether tables are tables, and no views that compute what they show; and nothing is triggered
    by what is written."""
    names = ", ".join(f"'{name}'" for name in TABLES)
    found = connection.execute(
        f"SELECT sum(name IN ({names}) AND type = 'table' AND sql LIKE 'CREATE TABLE %'),"
        " sum(type = 'trigger') FROM sqlite_master"
    ).fetchone()
    return bool(found == (len(TABLES), 0))


def _refuse_super_journal(path: Path) -> None:
    """Raise HptError if rolling a journal back could remove another file.

    A rollback journal may name one, which SQLite deletes when it is done; hpt's own never do.
    """
    try:
        with open_regular(path.with_name(f"{path.name}-journal")) as file:
            file.seek(-min(len(SUPER_JOURNAL), file.seek(0, os.SEEK_END)), os.SEEK_END)
            ending = file.read()
    except FileNotFoundError:
        return
    if ending == SUPER_JOURNAL:
        raise damaged_journal(f"what is left of the last write to {path} names another file")


def _connect(path: Path, *, write: bool) -> sqlite3.Connection:
    where = path.resolve().as_uri()
    if write:
        _refuse_super_journal(path.resolve())
        connection = _open(f"{where}?mode=rw")
        connection.execute("PRAGMA journal_mode = TRUNCATE")
        connection.execute("PRAGMA synchronous = FULL")
        return connection
    connection = _open(f"{where}?mode=ro")
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        return connection
    except sqlite3.DatabaseError as error:
        connection.close()
        if not isinstance(error, sqlite3.OperationalError):
            raise
    # A tuner died while it wrote: only a connection that may write can roll that back.
    _refuse_super_journal(path.resolve())
    connection = _open(f"{where}?mode=rw")
    connection.execute("PRAGMA query_only = ON")
    return connection


def open_damaged(path: Path) -> sqlite3.Connection:
    """A copy of a journal, whatever is left of it: to read what can be read.

    Raises:
        HptError: reading it could do harm.
        sqlite3.DatabaseError: it cannot be opened.
    """
    _refuse_super_journal(path)
    return _open(f"{path.resolve().as_uri()}?mode=rw")


def _open(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
    # What stands in the schema of a stranger's file may call nothing but what is harmless.
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection
