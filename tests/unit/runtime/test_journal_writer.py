"""The thread that writes the journal: what it does when it cannot."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hpt_cli.errors import HptError
from hpt_cli.runtime import journal_writer
from hpt_cli.runtime.journal_writer import JournalWriter
from hpt_cli.storage import journal_place
from hpt_cli.storage.connection import TakenError, unwritable
from hpt_cli.storage.journal import Journal, create_journal, open_journal
from hpt_cli.tuning import events as ev
from tests.builders import created, make_spec, suggested

pytestmark = pytest.mark.usefixtures("in_time")

FIRST = created(make_spec())[0]
PATIENCE = 20.0


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BUSY_SECONDS", "FIRST_PAUSE_SECONDS", "MAX_PAUSE_SECONDS", "LOOK_SECONDS"):
        monkeypatch.setattr(journal_writer, name, 0.01)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    made = tmp_path / "home" / "journal.sqlite"
    create_journal(made, FIRST)
    return made


@pytest.fixture
def writer(path: Path) -> Iterator[JournalWriter]:
    writer = JournalWriter(path, 1, wake=lambda: None)
    writer.start()
    assert writer.opened.wait(PATIENCE)
    yield writer
    writer.close()


def read(path: Path) -> list[ev.Event]:
    with open_journal(path) as journal:
        return list(journal.read())


def wait_until(is_so: Callable[[], object]) -> None:
    until = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.005)


def fail(
    monkeypatch: pytest.MonkeyPatch, code: int, times: float, *, after: bool = False
) -> list[int]:
    """Let writes fail with an error of SQLite, so often; `after`: when all has been written."""
    tried: list[int] = []
    append = Journal.append

    def append_or_fail(self: Journal, events: Any) -> None:
        if len(tried) >= times:
            return append(self, events)
        if after:
            append(self, events)
        tried.append(code)
        error = sqlite3.OperationalError("it fails")
        error.sqlite_errorcode = code
        raise unwritable(self._path, error)

    monkeypatch.setattr(Journal, "append", append_or_fail)
    return tried


def test_all_is_written_in_order(writer: JournalWriter, path: Path) -> None:
    for each in suggested(1):
        writer.add([each])
        batch = writer.flush()
    assert batch.written.wait(PATIENCE)
    assert read(path) == [FIRST, *suggested(1)]
    assert writer.pop_notes() == []


def test_what_was_added_is_written_before_long(
    writer: JournalWriter, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.add(suggested(1))
    monkeypatch.setattr(journal_writer, "WRITE_SECONDS", 0.0)
    writer.run_due()
    wait_until(lambda: len(read(path)) > 1)


@pytest.mark.parametrize(
    ("code", "way_out"),
    [
        (sqlite3.SQLITE_FULL, "make room on its disk"),
        (sqlite3.SQLITE_BUSY, "end the other program's transaction"),
        (sqlite3.SQLITE_IOERR_FSYNC, "is its disk mounted"),
    ],
)
def test_a_write_that_fails_is_tried_again_and_told(
    writer: JournalWriter, path: Path, monkeypatch: pytest.MonkeyPatch, code: int, way_out: str
) -> None:
    monkeypatch.setattr(journal_writer, "FAILED_SECONDS", 0.0)
    tried = fail(monkeypatch, code, float("inf"))
    writer.add(suggested(1))
    batch = writer.flush()
    wait_until(lambda: len(tried) > 3)
    (told,) = writer.pop_notes()
    assert f"the journal {path} cannot be written: it fails (since " in told
    assert way_out in told
    assert writer.pop_notes() == [], "it is told once"
    assert way_out in str(writer.describe_loss().problems[0].hint)
    monkeypatch.undo()
    assert batch.written.wait(PATIENCE)
    (told,) = writer.pop_notes()
    assert f"the journal {path} is written again" in told
    assert read(path) == [FIRST, *suggested(1)]


def test_what_was_written_in_spite_of_an_error_is_not_written_twice(
    writer: JournalWriter, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(monkeypatch, sqlite3.SQLITE_IOERR_FSYNC, 1, after=True)
    writer.add(suggested(1))
    assert writer.flush().written.wait(PATIENCE)
    writer.add(suggested(2))
    assert writer.flush().written.wait(PATIENCE)
    assert read(path) == [FIRST, *suggested(1), *suggested(2)]


def test_another_program_may_hold_the_journal(writer: JournalWriter, path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    writer.add(suggested(1))
    batch = writer.flush()
    wait_until(lambda: "database is locked" in str(writer.describe_loss()))
    assert not batch.written.is_set()
    other.execute("ROLLBACK")
    other.close()
    assert batch.written.wait(PATIENCE)
    assert read(path) == [FIRST, *suggested(1)]


def test_what_follows_on_a_write_waits_for_it_but_not_for_ever(
    writer: JournalWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    written = writer.flush(lambda: done.append("written"))
    assert written.written.wait(PATIENCE)
    writer.run_due()
    assert done == ["written"]
    fail(monkeypatch, sqlite3.SQLITE_FULL, float("inf"))
    writer.add(suggested(1))
    writer.flush(lambda: done.append("late"))
    writer.run_due()
    assert done == ["written"]
    monkeypatch.setattr(journal_writer, "PATIENCE_SECONDS", 0.0)
    writer.run_due()
    writer.run_due()
    assert done == ["written", "late"]


def test_so_much_is_kept_and_no_more(
    writer: JournalWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_writer, "MAX_UNWRITTEN", len(suggested(1)))
    fail(monkeypatch, sqlite3.SQLITE_FULL, 1)
    assert not writer.is_full
    writer.add(suggested(1))
    batch = writer.flush()
    assert writer.is_full or batch.written.is_set()
    assert batch.written.wait(PATIENCE)
    assert not writer.is_full


def test_closing_does_not_wait_for_what_cannot_be_written(
    writer: JournalWriter, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(monkeypatch, sqlite3.SQLITE_FULL, float("inf"))
    writer.add(suggested(1))
    batch = writer.flush()
    writer.close()
    assert not batch.written.is_set()
    assert writer._thread is not None
    assert not writer._thread.is_alive()
    monkeypatch.undo()
    assert read(path) == [FIRST]


def delete(path: Path) -> None:
    shutil.rmtree(path.parent)


def replace(path: Path) -> None:
    shutil.copy(path, path.with_name("copy"))
    os.replace(path.with_name("copy"), path)


def move(path: Path) -> None:
    path.parent.rename(path.parent.with_name("elsewhere"))


@pytest.mark.parametrize(
    ("do", "words", "hint"),
    [
        (delete, "it was deleted", "without it nothing can be resumed"),
        (replace, "another file is in its place", "what was recorded since then is lost"),
        (move, "its directory was moved", "it can be resumed where its directory is"),
    ],
)
@pytest.mark.parametrize("is_writing", [True, False])
def test_a_journal_that_is_gone_is_told_as_what_it_is(
    writer: JournalWriter,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    do: Callable[[Path], None],
    words: str,
    hint: str,
    *,
    is_writing: bool,
) -> None:
    monkeypatch.setattr(journal_place, "MOVED_SECONDS", 0.1)
    do(path)
    done: list[str] = []
    if is_writing:
        writer.add(suggested(1))
        writer.flush(lambda: done.append("stopped"))
    wait_until(lambda: writer.error is not None)
    writer.run_due()
    assert done == (["stopped"] if is_writing else [])
    assert isinstance(writer.error, HptError)
    (problem,) = writer.error.problems
    assert problem.slug == "journal-write"
    assert f"{path} is gone: {words}" in problem.message
    assert hint in problem.hint
    assert writer.pop_notes() == []


def test_a_directory_that_is_away_for_a_moment_is_waited_for(
    writer: JournalWriter, path: Path
) -> None:
    elsewhere = path.parent.with_name("elsewhere")
    path.parent.rename(elsewhere)
    writer.add(suggested(1))
    batch = writer.flush()
    wait_until(lambda: "it is not there" in str(writer.describe_loss()))
    elsewhere.rename(path.parent)
    assert batch.written.wait(PATIENCE)
    assert writer.error is None
    assert read(path) == [FIRST, *suggested(1)]


def test_another_tuner_ends_it(writer: JournalWriter, path: Path) -> None:
    with open_journal(path, write=True) as journal:
        journal.append(suggested(1))
    writer.add(suggested(2))
    writer.flush()
    wait_until(lambda: writer.error is not None)
    assert isinstance(writer.error, TakenError)


def test_a_damaged_journal_is_the_end(writer: JournalWriter, path: Path) -> None:
    path.write_bytes(b"x" * path.stat().st_size)
    writer.add(suggested(1))
    writer.flush()
    wait_until(lambda: writer.error is not None)
    assert "damaged" in str(writer.error)


def test_a_journal_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite").write_text("no journal" * 100)
    writer = JournalWriter(tmp_path / "journal.sqlite", 0, wake=lambda: None)
    writer.start()
    assert writer.opened.wait(PATIENCE)
    assert "is not a journal" in str(writer.error)
