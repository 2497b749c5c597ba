"""The journal, on real files."""

from __future__ import annotations

import itertools
import math
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpt_cli.errors import HptError
from hpt_cli.storage.connection import SCHEMA_VERSION
from hpt_cli.storage.journal import create_journal, open_journal
from hpt_cli.tuning import events as ev
from hpt_cli.tuning.state import TuningState
from hpt_cli.tuning.summary import summarize
from tests import builders as b


def make(path: Path, events: list[ev.Event]) -> Path:
    assert isinstance(b.FIRST, ev.TuningJobCreated)
    create_journal(path, b.FIRST)
    with open_journal(path, write=True) as journal:
        journal.append(events)
    return path


def show(state: TuningState) -> str:
    """A state as text in which 1 and 1.0 are the same, and NaN is itself."""
    return re.sub(r"\b(\d+)\.0\b", r"\1", repr(state))


def read_state(path: Path) -> TuningState:
    with open_journal(path) as journal:
        return journal.state()


def test_what_is_read_folds_to_what_was_written(tmp_path: Path) -> None:
    state = read_state(make(tmp_path / "j.sqlite", b.STORY))
    assert show(state) == show(b.fold_all(b.FIRST, *b.STORY))


@settings(max_examples=50, deadline=None)
@given(cuts=st.lists(st.integers(0, len(b.STORY)), max_size=4))
def test_transactions_may_be_cut_anywhere(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int]
) -> None:
    path = make(tmp_path_factory.mktemp("journal") / "j.sqlite", [])
    edges = sorted({0, *cuts, len(b.STORY)})
    for begin, end in itertools.pairwise(edges):
        with open_journal(path, write=True) as journal:
            journal.append(b.STORY[begin:end])
    assert show(read_state(path)) == show(b.fold_all(b.FIRST, *b.STORY))


def test_an_observation_is_kept_once(tmp_path: Path) -> None:
    path = make(
        tmp_path / "j.sqlite", [b.SECOND, *b.suggested(1), *b.launched(1), b.observed(1, 1, 2)]
    )
    with open_journal(path, write=True) as journal:
        journal.append([b.observed(1, 1, 2, 3)])
    assert read_state(path).jobs[1].curve("loss") == ((1, 1), (2, 2), (3, 3))


def test_the_latest_of_each_curve_is_enough_for_what_a_job_came_to(tmp_path: Path) -> None:
    again = [ev.TunerStarted(at=9, pid=2, host="here"), *b.launched(1, at=10, attempt=2)]
    cut_off = [b.stop(1, "Interrupted", at=4), b.exited(1, -15, at=5), *again]
    story = [
        *[
            b.SECOND,
            *b.suggested(1),
            *b.launched(1),
            b.observed(1, 3.0, 2.0),
            b.observed(1, 7.0, first=2),
        ],
        *[*cut_off, b.observed(1, 1.5, 1.25, attempt=2), b.exited(1, at=12, attempt=2)],
        *[
            *b.run(2, 4.0, 5.0),
            *b.run(3, math.nan),
            *b.suggested(4),
            *b.launched(4),
            b.exited(4, 1),
        ],
    ]
    with open_journal(make(tmp_path / "j.sqlite", story)) as journal:
        whole, latest = journal.state(), journal.state(only_latest=True)
    rows, fewer = (summarize(each, 20, at_work=False).rows for each in (whole, latest))
    assert [each.epochs for each in rows] != [each.epochs for each in fewer]
    for row, less in zip(rows, fewer, strict=True):
        assert repr(row.final) == repr(less.final)
        assert (row.status, row.objective_status) == (less.status, less.objective_status)


@pytest.mark.parametrize("chosen", ["best", "mean", {"mean_of_last": 2}])
def test_the_latest_alone_is_not_read_where_more_counts(tmp_path: Path, chosen: object) -> None:
    spec = b.make_spec(objective_value=chosen)
    path = tmp_path / "j.sqlite"
    created, started = b.created(spec)
    assert isinstance(created, ev.TuningJobCreated)
    create_journal(path, created)
    with open_journal(path, write=True) as journal:
        journal.append([started, *b.run(1, 1.0, 2.0, 6.0)])
        assert show(journal.state(only_latest=True)) == show(journal.state())


def test_the_state_of_the_past_knows_nothing_of_what_came_later(tmp_path: Path) -> None:
    events = [
        b.SECOND,
        *b.run(1, 5.0),
        *b.suggested(2),
        *b.launched(2),
        b.observed(2, 1.0),
        ev.JobPlanned(at=2, number=3),
        b.observed(2, 2.0, first=2),
        b.exited(2),
    ]
    path = make(tmp_path / "j.sqlite", events)
    with open_journal(path) as journal:
        past = journal.state(journal.planned_seq(3))
    assert show(past) == show(b.fold_all(b.FIRST, *events[:-2]))


def test_a_batch_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = make(tmp_path / "j.sqlite", [b.SECOND])
    unwritable = ev.JobNoted(at=1, number=1, text="x")
    object.__setattr__(unwritable, "text", object())
    with open_journal(path, write=True) as journal, pytest.raises(TypeError):
        journal.append([*b.suggested(1), unwritable])
    assert read_state(path).jobs == {}


def test_readers_cannot_write(tmp_path: Path) -> None:
    path = make(tmp_path / "j.sqlite", [b.SECOND])
    with open_journal(path) as journal, pytest.raises(HptError, match="cannot be written"):
        journal.append(b.suggested(1))


def test_a_newer_journal_is_refused_and_untouched(tmp_path: Path) -> None:
    path = make(tmp_path / "j.sqlite", b.STORY)
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    before = path.read_bytes()
    for write in (False, True):
        with pytest.raises(HptError, match="newer hpt"):
            open_journal(path, write=write)
    assert path.read_bytes() == before


def test_a_file_that_is_no_journal_is_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(HptError, match="is not a journal"):
        open_journal(path)


def test_an_unknown_event_is_a_clear_error(tmp_path: Path) -> None:
    path = make(tmp_path / "j.sqlite", [b.SECOND])
    connection = sqlite3.connect(path)
    connection.execute("INSERT INTO event VALUES (99, 0, 'Novelty', NULL, '{}')")
    connection.commit()
    connection.close()
    with open_journal(path) as journal, pytest.raises(HptError, match="cannot be read"):
        journal.state()


def test_a_write_that_was_cut_off_is_rolled_back_by_a_reader(tmp_path: Path) -> None:
    path = make(tmp_path / "j.sqlite", [b.SECOND, *b.suggested(1)])
    whole = read_state(path)
    # A power cut in the middle of a commit: the rollback journal is hot, the file half written.
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("PRAGMA cache_spill = 1")
    writer.execute("PRAGMA cache_size = 1")
    writer.execute("BEGIN IMMEDIATE")
    for seq in range(1000, 3000):
        writer.execute("INSERT INTO event VALUES (?, 0, 'JobNoted', 1, ?)", (seq, "x" * 200))
    copy = tmp_path / "copy.sqlite"
    copy.write_bytes(path.read_bytes())
    hot = tmp_path / "copy.sqlite-journal"
    hot.write_bytes((tmp_path / "j.sqlite-journal").read_bytes())
    writer.rollback()
    writer.close()
    assert hot.stat().st_size > 512
    assert show(read_state(copy)) == show(whole)


def test_people_can_read_it_with_sql(tmp_path: Path) -> None:
    path = make(tmp_path / "j.sqlite", b.STORY)
    connection = sqlite3.connect(path)
    rows = connection.execute(
        "SELECT number, attempts, exit_code, stop_reason FROM training_job"
    ).fetchall()
    points = connection.execute("SELECT step, value FROM curve WHERE number = 2").fetchall()
    connection.close()
    assert rows == [(1, 1, 0, None), (2, 1, -15, "EarlyStopped")]
    assert points == [(1.0, 9.0), (2.0, 8.0)]


def test_to_read_and_show_a_journal_is_to_load_no_models() -> None:
    """Pydantic's take longer than a short report."""
    modules = (
        "storage.journal",
        "tuning.summary",
        "reports.show",
        "reports.jobs",
        "reports.overview",
    )
    imports = "; ".join(f"import hpt_cli.{each}" for each in modules)
    loaded = f"import sys; {imports}; print('pydantic.main' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", loaded], capture_output=True, check=True, text=True
    )
    assert done.stdout == "False\n"


def test_a_writer_that_does_not_know_the_last_event_is_refused(tmp_path: Path) -> None:
    path = make(tmp_path / "j.sqlite", [])
    state = read_state(path)
    with open_journal(path, write=True, known=state.last_seq) as late:
        late.append([ev.TunerStarted(at=2.0, pid=1, host="here")])
        with open_journal(path, write=True) as second:
            second.append([ev.TunerStarted(at=3.0, pid=2, host="there")])
            before = read_state(path)
            with pytest.raises(HptError, match=r"another tuner \(process 2 on there\)") as caught:
                late.append([ev.JobPlanned(at=4.0, number=1)])
            assert caught.value.problems[0].slug == "journal-taken"
            assert read_state(path) == before
            second.append([ev.JobPlanned(at=4.0, number=1)])
    # What came between its reading and its first event counts, too.
    with (
        open_journal(path, write=True, known=state.last_seq) as late,
        pytest.raises(HptError, match="has taken over"),
    ):
        late.append([ev.TunerStarted(at=5.0, pid=3, host="here")])
    with open_journal(path, write=True) as fresh:
        fresh.append([ev.TunerStarted(at=5.0, pid=3, host="here")])
