"""A journal that somebody else made: it is damage, and reading it does no harm."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sqlite3
import struct
from contextlib import closing
from pathlib import Path

import pytest

from hpt_cli.errors import HptError
from hpt_cli.exports import Results
from hpt_cli.exports.files import FORMATS
from hpt_cli.exports.tables import tabulate_jobs, tabulate_observations
from hpt_cli.storage.connection import SUPER_JOURNAL
from hpt_cli.storage.home import make_job_dir
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.storage.journal import create_journal, open_journal
from hpt_cli.storage.repair import salvage, salvage_observations
from hpt_cli.tuning import events as ev
from hpt_cli.tuning.summary import summarize
from tests import builders as b
from tests.untrusted import BOMB, change

pytestmark = pytest.mark.usefixtures("in_time")


def read_all(path: Path) -> None:
    with open_journal(path) as journal:
        journal.creation()
        journal.state()


@pytest.mark.parametrize(
    "statement",
    [
        f"UPDATE event SET body = '{BOMB}' WHERE seq = 3",
        "UPDATE event SET body = '{}' WHERE seq = 1",
        "UPDATE event SET body = json_set(body, '$.spec.name', '../x') WHERE seq = 1",
        "UPDATE event SET body = json_set(body, '$.spec.name', char(27) || '[2J') WHERE seq = 1",
        "UPDATE event SET body = json_set(body, '$.spec.name', 7) WHERE seq = 1",
        *(
            f"UPDATE event SET body = json_set(body, '$.spec.{field}', json('{value}'))"
            " WHERE seq = 1"
            for field, value in [
                *(("command", "[7]"), ("command", "{}"), ("shell", "null"), ("description", "7")),
                *(("metric_definitions", "7"), ("metric_definitions", '[[""]]')),
                *(("metric_definitions[0].name", "null"), ("hyperparameter_ranges", "[]")),
                *(("static_hyperparameters", '{"x": []}'), ("objective_metric_name", "1.5")),
                *(("warm_start", "[1]"), ("warm_start", "{}"), ("early_stopping", "7")),
                *(("executor", "[]"), ("max_jobs", '"x"'), ("early_stopping_type", "1")),
            ]
        ),
        "UPDATE event SET body = json_set(body, '$.status', char(27)) WHERE body LIKE '%done%'",
        "UPDATE event SET body = json_set(body, '$.attempt', '1/../..') WHERE type = 'JobLaunched'",
        "UPDATE event SET job = 'x' WHERE job = 1",
        "UPDATE event SET at = 'x'",
        "UPDATE event SET body = '[]'",
        "DELETE FROM event",
    ],
)
def test_what_hpt_would_not_write_is_damage(handed_over: JobDir, statement: str) -> None:
    change(handed_over.journal, statement)
    with pytest.raises(HptError, match=r"journal .*/t/journal\.sqlite is damaged"):
        read_all(handed_over.journal)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE observation SET seq = 9e999", "a number in it is infinite, or far too large"),
        ("UPDATE event SET body = '{' WHERE seq = 1", "an event is not JSON"),
        ("UPDATE event SET type = 'Nonsense' WHERE seq = 1", "'Nonsense' is missing in it, or not"),
        ("UPDATE event SET at = 'x'", "a value is of a wrong type (at of TuningJobCreated is 'x')"),
    ],
)
def test_damage_is_said_in_words(handed_over: JobDir, statement: str, words: str) -> None:
    change(handed_over.journal, statement)
    with pytest.raises(HptError) as caught:
        read_all(handed_over.journal)
    assert words in str(caught.value)
    assert "Error" not in str(caught.value)


COLUMNS = {
    "event": ("seq", "at", "type", "job", "body"),
    "observation": ("job", "attempt", "metric", "offset", "step", "value", "seq", "at"),
    "judgement": ("job", "attempt", "step", "stop", "reason", "evidence", "seq", "at"),
}
VALUES = (
    *("9e999", "-9e999", "1e300", "-1", "0", "1.5", "9223372036854775807", "-9223372036854775808"),
    *("4294967296", "NULL", "x'00ff'", "x''", "''", "'x'", "'1'", "'9e999'", "'nan'", "'[1e999]'"),
    *("'[]'", "'{}'", "'{\"x\": Infinity}'", "char(27) || '[31m'", "char(0)"),
    "'" + 400 * "9" + "'",
)


@pytest.mark.parametrize(
    ("table", "column"), [(table, column) for table in COLUMNS for column in COLUMNS[table]]
)
def test_any_value_in_any_column_is_read_or_is_damage(
    handed_over: JobDir, table: str, column: str
) -> None:
    """Through what every command reads: a bug would be another error."""
    judged = "INSERT INTO judgement VALUES (1, 1, 1, 0, 'why', '{}', 98, 1)"
    change(handed_over.journal, judged)
    whole = handed_over.journal.read_bytes()
    for value in VALUES:
        for where in ("1", f"{column} IN (SELECT max({column}) FROM {table})"):
            handed_over.journal.write_bytes(whole)
            with contextlib.suppress(sqlite3.IntegrityError):
                statement = f"UPDATE OR IGNORE {table} SET {column} = {value} WHERE {where}"
                change(handed_over.journal, statement)
            with contextlib.suppress(HptError), open_journal(handed_over.journal) as journal:
                journal.creation()
                state = journal.state()
                summary = summarize(state, 1e9, at_work=False)
                results = Results(summary, state, journal.read_moments())
                for tabulate in (tabulate_jobs, tabulate_observations):
                    FORMATS["csv"](tabulate(results))
                journal.read_judgements(1)
                journal.check()
            list(salvage(handed_over.journal))
            salvage_observations(handed_over.journal)


@pytest.mark.parametrize("best", [{}, {"training_job_name": "x", "hyperparameters": {}}])
def test_a_best_job_of_a_parent_that_is_none_is_damage(
    handed_over: JobDir, best: dict[str, object]
) -> None:
    warm = ev.WarmStarted(at=1, parent="p", jobs=(), left_out=0, best=best)
    with open_journal(handed_over.journal, write=True) as journal:
        journal.append([warm])
    with pytest.raises(HptError, match="damaged"):
        read_all(handed_over.journal)


def test_a_bomb_in_the_evidence_is_damage(handed_over: JobDir) -> None:
    change(
        handed_over.journal,
        f"INSERT INTO judgement VALUES (1, 1, 1, 0, 'why', '{BOMB}', 99, 1)",
    )
    with open_journal(handed_over.journal) as journal, pytest.raises(HptError, match="damaged"):
        journal.read_judgements(1)


def test_what_is_salvaged_goes_around_bombs(handed_over: JobDir) -> None:
    before = len(list(salvage(handed_over.journal)))
    change(handed_over.journal, f"UPDATE event SET body = '{BOMB}' WHERE seq = 3")
    assert len(list(salvage(handed_over.journal))) == before - 1


@pytest.mark.parametrize(
    "statements",
    [
        (
            "ALTER TABLE event RENAME TO real",
            "CREATE VIEW event AS SELECT * FROM real, (WITH RECURSIVE n(i) AS"
            " (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n WHERE i < 0)",
        ),
        ("CREATE TRIGGER t AFTER INSERT ON event BEGIN DELETE FROM observation; END",),
        ("DROP TABLE judgement",),
    ],
)
@pytest.mark.parametrize("write", [False, True])
def test_a_schema_that_computes_is_no_journal(
    handed_over: JobDir, statements: tuple[str, ...], write: bool
) -> None:
    change(handed_over.journal, *statements)
    with pytest.raises(HptError, match="damaged"):
        open_journal(handed_over.journal, write=write)


def leave_half_written(journal: Path, names: Path) -> None:
    """As a tuner that died while it wrote would leave it; the rollback journal names a file."""
    with closing(sqlite3.connect(journal, isolation_level=None)) as connection:
        connection.execute("PRAGMA cache_size = 1")
        connection.execute("BEGIN IMMEDIATE")
        rows = [(number, "y" * 500) for number in range(90, 900)]
        connection.executemany("INSERT INTO event VALUES (?, 1, 'x', NULL, ?)", rows)
        kept = Path(f"{journal}.kept")
        kept.write_bytes(journal.read_bytes())
        hot = Path(f"{journal}-journal").read_bytes()
    name = os.fsencode(names)
    hot += struct.pack(">I", 0x40000000 // 4096 + 1) + name
    hot += struct.pack(">II", len(name), sum(name)) + SUPER_JOURNAL
    kept.rename(journal)
    Path(f"{journal}-journal").write_bytes(hot)


@pytest.mark.parametrize("write", [False, True])
def test_rolling_back_removes_no_other_file(
    handed_over: JobDir, tmp_path: Path, write: bool
) -> None:
    precious = tmp_path / "precious.txt"
    precious.write_text("precious")
    leave_half_written(handed_over.journal, precious)
    with pytest.raises(HptError, match="names another file"):
        open_journal(handed_over.journal, write=write)
    with pytest.raises(HptError, match="names another file"):
        list(salvage(handed_over.journal))
    assert precious.exists()


def test_a_working_directory_that_is_no_text_is_recorded(tmp_path: Path) -> None:
    directory = os.fsdecode(b"/tmp/\xff")
    made = make_job_dir(tmp_path, "t")
    create_journal(made.journal, dataclasses.replace(b.FIRST, directory=directory))  # type: ignore[type-var]
    with open_journal(made.journal) as journal:
        assert journal.state().directory == directory
