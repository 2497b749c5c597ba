"""Opening the journal's SQLite file: modes, schema version, what is refused.

A journal may come from somebody else: in a directory that was handed over, or unpacked. SQLite
trusts its files more than that. A rollback journal that lies beside one may name another file, a
"super-journal", which SQLite removes once it has rolled back; triggers and views in the schema
compute when rows are written or read, with whatever functions there are. So a rollback journal
that names a file is refused before anything is opened that could roll back; tables must be tables,
and nothing may be triggered; and `trusted_schema` is off, so that what else is in a schema can call
only harmless functions. What stands in the rows is checked where they become events.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from hpt_cli.errors import HptError, TransientError, damaged_journal
from hpt_cli.files import open_regular
from hpt_cli.storage.sqlite_locks import choose_locks

SCHEMA_VERSION = 4
"""1: the first. 2: specs change, and an exit may say that another attempt follows. 3: attempts hold
shares of a machine, or wait for their turn on a cluster. 4:
when the last tuner was last alive;
when tuners and attempts were suspended, and the last sign of life of a lost attempt;
jobs that had failed are requeued;
totals of metrics of which not all values are recorded;
texts of values beside the numbers;
the slots of attempts.
Older ones are read as they are."""
BUSY_SECONDS = 60.0
"""How long a command waits for a lock of another program, unless told otherwise."""
MAX_PATH_BYTES = 504
"""MAX_PATHNAME in SQLite's os_unix.c, without the ending of the rollback journal's name."""
TABLES = ("event", "observation", "judgement")
SUPER_JOURNAL = bytes.fromhex("d9d505f920a163d7")
"""The end of a rollback journal that names another file (https://sqlite.org/fileformat2.html)."""

TRANSIENT_SQLITE_ERRORS = (
    *(sqlite3.SQLITE_PERM, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM),
    *(sqlite3.SQLITE_READONLY, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_IOERR),
    *(sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_AUTH),
)
"""SQLite's codes for a full disk, a lock and the like: the journal may well be whole."""


def is_transient(error: sqlite3.DatabaseError) -> bool:
    """Return whether it is the disk, or another process, and not what stands in the file."""
    # The lowest byte is the primary code; extended codes say more in the others.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in TRANSIENT_SQLITE_ERRORS


class TakenError(HptError):
    """A journal that another tuner writes to."""


def unreadable(why: str) -> TransientError:
    """Return the error of a journal that may be whole, but cannot be read now."""
    return TransientError.of(
        "journal-unreadable",
        f"the journal cannot be read now: {why}",
        "is its disk mounted and writable? nothing was changed",
    )


def unwritable(path: Path, error: Exception) -> TransientError:
    """Return the error of a journal that may be whole, but cannot be written now."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    ways_out = {
        sqlite3.SQLITE_FULL: "make room on its disk",
        sqlite3.SQLITE_BUSY: "end the other program's transaction, or close it there",
    }
    return TransientError.of(
        "journal-write",
        f"the journal {path} cannot be written: {error}",
        ways_out.get(code, "is its disk mounted, and may you write there?"),
    )


def refuse_long_path(path: Path) -> None:
    """Raise HptError for a path that SQLite cannot open: it says only that it is unable to."""
    length = len(os.fsencode(path.absolute()))
    if length > MAX_PATH_BYTES:
        raise HptError.of(
            "path-long",
            f"{path} cannot be opened: with its directory the path has {length} bytes, and SQLite"
            f" opens none of more than {MAX_PATH_BYTES}",
            "choose a shorter place with --home DIR or HPT_HOME; the working directory may stay",
        )


def check_schema(connection: sqlite3.Connection, path: Path, *, write: bool) -> None:
    """Refuse a file that is no journal; mark an older one that is to be written as of this version.

    Raises:
        HptError: it is no journal, or one that a newer hpt has written.
        sqlite3.DatabaseError: the same, in SQLite's words.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > SCHEMA_VERSION:
        raise HptError.of(
            "journal-newer",
            f"{path} was written by a newer hpt (schema {version}; this one knows"
            f" {SCHEMA_VERSION})",
            "upgrade hpt; the file is untouched",
        )
    if write and version < SCHEMA_VERSION:
        # An older hpt would not understand what this one adds.
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    if not _has_our_tables(connection):
        raise damaged_journal("it has other tables", path)


def _has_our_tables(connection: sqlite3.Connection) -> bool:
    """Return whether the tables are tables, not views, and no trigger waits for what is written."""
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
        raise damaged_journal("what is left of the last write names another file", path)


def connect(path: Path, *, write: bool) -> sqlite3.Connection:
    """Return a connection to a journal; a reader never disturbs the writer.

    Raises:
        HptError: its path is too long, or a rollback journal beside it names another file.
        sqlite3.DatabaseError: it cannot be opened.
    """
    refuse_long_path(path.resolve())
    where = f"{path.resolve().as_uri()}?{choose_locks(path)}"
    if write:
        _refuse_super_journal(path.resolve())
        connection = _open(f"{where}mode=rw")
        # Cheaper than to delete the rollback journal, as the directory does not change.
        connection.execute("PRAGMA journal_mode = TRUNCATE")
        connection.execute("PRAGMA synchronous = FULL")
        return connection
    connection = _open(f"{where}mode=ro")
    try:
        # Opening reads nothing: only a query finds out that a write has to be rolled back first.
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        return connection
    except sqlite3.DatabaseError as error:
        connection.close()
        if not isinstance(error, sqlite3.OperationalError):
            raise
    # A tuner died while it wrote: only a connection with the right to write can roll that back.
    _refuse_super_journal(path.resolve())
    connection = _open(f"{where}mode=rw")
    connection.execute("PRAGMA query_only = ON")
    return connection


def open_damaged(path: Path) -> sqlite3.Connection:
    """Return a connection to the copy of a damaged journal, to read what can be read.

    Raises:
        HptError: reading it could do harm.
        sqlite3.DatabaseError: it cannot be opened.
    """
    _refuse_super_journal(path)
    return _open(f"{path.resolve().as_uri()}?{choose_locks(path)}mode=rw")


def _open(uri: str) -> sqlite3.Connection:
    # Without an isolation level, Python begins no transactions of its own.
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
    # A stranger's schema may call nothing but what is harmless.
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection
