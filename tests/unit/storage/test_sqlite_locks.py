"""Journals on a file system that has no locks."""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
import time
from pathlib import Path

import pytest

from hpt_cli.storage import sqlite_locks
from hpt_cli.storage.journal import create_journal, open_journal
from hpt_cli.storage.sqlite_locks import choose_locks
from tests import builders as b


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    (tmp_path / "spec.yaml").touch()
    return tmp_path / "journal.sqlite"


def refuse(*_: object) -> None:
    raise OSError(errno.ENOLCK, "No locks available")


def test_locks_are_the_usual_ones_where_there_are_some(journal: Path) -> None:
    assert choose_locks(journal) == choose_locks(journal.with_name("no") / "spec") == ""


def test_a_journal_is_locked_by_a_directory_where_there_are_none(
    journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fcntl, "lockf", refuse)
    create_journal(journal, b.FIRST)
    with open_journal(journal, write=True) as writer:
        writer.append(b.STORY[:2])
    connection = sqlite3.connect(f"{journal.as_uri()}?{choose_locks(journal)}mode=rw", uri=True)
    connection.execute("BEGIN IMMEDIATE")
    assert journal.with_name("journal.sqlite.lock").is_dir()
    connection.close()
    with open_journal(journal) as reader:
        assert len(reader.read_new()) == 3
    assert not journal.with_name("journal.sqlite.lock").exists()


def test_a_lock_that_was_left_is_removed_when_it_is_old(
    journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fcntl, "lockf", refuse)
    monkeypatch.setattr(sqlite_locks, "STALE_SECONDS", 0.3)
    lock = journal.with_name("journal.sqlite.lock")
    lock.mkdir()
    began = time.monotonic()
    assert choose_locks(journal) == "vfs=unix-dotfile&"
    assert time.monotonic() - began >= 0.2
    lock.mkdir()
    os.utime(lock, (1, 1))
    assert choose_locks(journal) == "vfs=unix-dotfile&"
    assert not lock.exists()
