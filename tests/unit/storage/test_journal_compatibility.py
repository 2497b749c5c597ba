"""Journals of every schema version there was: read for ever; and one of the future: left alone."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import shutil
import sqlite3
from pathlib import Path

import pytest

from hpt_cli.errors import HptError
from hpt_cli.spec.model import TuningSpec
from hpt_cli.spec.resources import Pool
from hpt_cli.storage.connection import SCHEMA_VERSION
from hpt_cli.storage.journal import open_journal
from hpt_cli.tuning.allocation import Share
from hpt_cli.tuning.events import RECORDED
from hpt_cli.tuning.repeats.confirmation import confirm
from hpt_cli.tuning.suggest import suggest
from hpt_cli.tuning.summary import summarize

JOURNALS = Path(__file__).parents[2] / "journals"
ENDS = {
    1: [("Completed", None, 1), ("Stopped", "EarlyStopped", 1), ("Failed", None, 1)],
    2: [("Completed", None, 1), ("Stopped", "EarlyStopped", 1), ("Failed", None, 1)],
    3: [("Completed", None, 1), ("Stopped", "EarlyStopped", 1), ("Failed", None, 1)],
    4: [("Completed", None, 1), ("Stopped", "EarlyStopped", 1), ("Failed", None, 1)],
}
MORE = {1: [("Completed", None, 2)], 2: [("Completed", None, 2), ("Stopped", "Hung", 2)]}
MORE[3] = MORE[4] = [*MORE[2], ("Completed", None, 1)]


def test_there_is_a_frozen_journal_of_every_version() -> None:
    names = [f"schema-{version}.sqlite" for version in range(1, SCHEMA_VERSION + 1)]
    assert {*names} <= {path.name for path in JOURNALS.glob("*.sqlite")}


def test_every_event_and_field_of_today_stands_in_a_frozen_journal() -> None:
    frozen: dict[str, set[str]] = {}
    for path in JOURNALS.glob("schema-*.sqlite"):
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            for kind, body in connection.execute("SELECT type, body FROM event"):
                frozen[kind] = frozen.get(kind, set()) | json.loads(body).keys()
    assert frozen == {
        name: {each.name for each in dataclasses.fields(kind)} - {"at", "number"}
        for name, kind in RECORDED.items()
    }


def test_a_run_on_a_cluster_reads_as_it_did(tmp_path: Path) -> None:
    """It waited, was preempted, was refused, took too long; and its tuner was killed."""
    path = tmp_path / "journal.sqlite"
    shutil.copy(JOURNALS / "schema-3-slurm.sqlite", path)
    with open_journal(path) as journal:
        state = journal.state()
    first, second, third = state.jobs.values()
    assert [job.phase for job in (first, second, third)] == ["Completed", "Failed", "Completed"]
    assert [len(job.attempts) for job in (first, second, third)] == [1, 2, 1]
    assert first.attempts[0].launched_at == 1795532702.7823105
    assert second.attempts[0].evicted
    assert "Slurm: TIMEOUT, it took longer than its time limit" in second.failure_reason
    assert third.attempts[0].launched_at == 1795532706.9928596
    assert third.curve("loss") == ((1, 49.1), (2, 49.2), (3, 49.3))


@pytest.mark.parametrize("version", range(1, SCHEMA_VERSION + 1))
def test_a_frozen_journal_reads_as_it_did(version: int, tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    shutil.copy(JOURNALS / f"schema-{version}.sqlite", path)
    with open_journal(path) as journal:
        state = journal.state()
        (judgement,) = journal.read_judgements(2)
    jobs = [(job.phase, job.stop_reason, len(job.attempts)) for job in state.jobs.values()]
    assert jobs == ENDS[version] + MORE[version]
    assert state.jobs[1].curve("loss") == ((1, 3), (2, 2), (3, 1))
    assert math.isnan(state.jobs[2].curve("loss")[-1][1])
    assert state.jobs[4].curve("loss") == ((1, 4), (2, 3.5), (3, 3))
    assert (state.jobs[2].notes, state.jobs[3].tail) == (("a note",), ("last line",))
    assert (judgement.stop, judgement.evidence) == (True, {"median": 1.5})
    assert len(state.inherited) == 1
    assert TuningSpec.model_validate(state.spec).max_jobs == 4 + version
    best = summarize(state, 0.0, at_work=False).best
    assert best is not None
    assert best.number == 1


def test_a_share_of_the_machine_reads_as_it_did(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    shutil.copy(JOURNALS / "schema-3.sqlite", path)
    with open_journal(path) as journal:
        state = journal.state()
    assert state.pool == Pool(cores=(0, 2, 1, 3), gpus=("0", "GPU-1a2b"), memory_gb=15.5)
    attempt = state.jobs[6].attempt
    assert attempt is not None
    assert attempt.share == Share(cores=(0, 2), gpus=("GPU-1a2b",), gpu_part=0.5, memory_gb=4)


def test_slots_read_as_they_did(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    shutil.copy(JOURNALS / "schema-4-slots.sqlite", path)
    with open_journal(path) as journal:
        state = journal.state()
    first, second = (job.attempt for job in state.jobs.values())
    assert first is not None
    assert second is not None
    assert (first.slot, second.slot, state.find_slot()) == (0, 1, 0)


def test_a_job_that_came_to_its_end_before_it_was_stopped_reads_as_it_did(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    shutil.copy(JOURNALS / "schema-4-at-end.sqlite", path)
    with open_journal(path) as journal:
        phases = [job.phase for job in journal.state().jobs.values()]
    assert phases == ["Completed", "Stopped"]


def test_when_a_tuner_was_last_alive_reads_as_it_did(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    shutil.copy(JOURNALS / "schema-4.sqlite", path)
    with open_journal(path) as journal:
        sessions = journal.state().sessions
    assert sessions == ((0.25, 0.5), (1, 7.1), (20, 31.5), (32, 34))


def test_jobs_that_were_requeued_read_as_they_did(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    shutil.copy(JOURNALS / "schema-4-requeued.sqlite", path)
    with open_journal(path) as journal:
        first, second, third = journal.state().jobs.values()
    assert [(job.phase, len(job.attempts)) for job in (first, second)] == [("Completed", 2)] * 2
    assert [job.attempts[0].interrupted for job in (first, second)] == [True, True]
    note = "attempt 1 failed: killed by SIGTERM; it was interrupted with the tuner"
    assert [job.notes for job in (first, second)] == [(note,), ()]
    assert (third.phase, [each.excused for each in third.attempts]) == (
        "Completed",
        [True, True, False],
    )
    assert third.notes == (
        "attempt 1 failed: exit code 1; the surroundings seem to have been at fault",
        "attempt 2 failed: exit code 1; it runs again by --retry-failed",
    )


def test_what_was_suspended_reads_as_it_did(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    shutil.copy(JOURNALS / "schema-4-suspended.sqlite", path)
    with open_journal(path) as journal:
        state = journal.state()
    assert state.sessions == ((0, 0), (0, 20), (50, 60), (100, 110))
    lost, running = state.jobs[1].attempts
    assert (lost.suspended, lost.ended_at) == (((20, 50),), 70)
    assert running.suspended == ((105, math.inf),)
    rows = summarize(state, 200, at_work=True).rows
    assert [row.elapsed for row in rows] == [(70 - 2 - 30) + (105 - 101)]


def test_what_was_paused_reads_as_it_did(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    shutil.copy(JOURNALS / "schema-4-paused.sqlite", path)
    with open_journal(path) as journal:
        state = journal.state()
    first, second = state.jobs.values()
    assert (first.phase, first.attempts[0].suspended) == ("Completed", ((4, 10),))
    assert (second.phase, second.is_alive, len(second.attempts)) == ("Paused", True, 2)
    assert second.curve("loss") == ((1, 2), (2, 1.5))
    assert [row.elapsed for row in summarize(state, 200, at_work=True).rows] == [7, 6]


def test_what_was_a_success_by_the_spec_reads_as_it_did(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    shutil.copy(JOURNALS / "schema-4-success.sqlite", path)
    with open_journal(path) as journal:
        first, second = journal.state().jobs.values()
    assert (first.phase, first.attempts[0].exit_code, first.failure_reason) == (
        "Completed",
        -11,
        "",
    )
    assert (second.phase, second.attempts[0].exit_code) == ("Failed", 0)
    assert second.failure_reason == "'model saved' (success.when) is not in its output"


def test_what_was_run_again_with_other_seeds_reads_as_it_did(tmp_path: Path) -> None:
    """A tuning job that confirms another; the last of three is the default."""
    path = tmp_path / "journal.sqlite"
    shutil.copy(JOURNALS / "schema-4-repeats.sqlite", path)
    with open_journal(path) as journal:
        state = journal.state()
    summary = summarize(state, 9, at_work=False)
    assert [row.configuration for row in summary.rows] == [1, 2, 3, 2, 1]
    assert [each.losses for each in summary.configurations] == [[0.5, 0.6], [0.4, 0.9], [3.0]]
    assert summary.best_configuration is not None
    assert (summary.best_configuration.number, summary.best_number) == (1, 1)
    found = confirm(summary)
    assert found is not None
    assert (found.search, found.best.job) == ("search", 4)
    assert [(each.job, each.is_default) for each, _ in found.leads] == [(None, True), (7, False)]
    assert suggest(TuningSpec.model_validate(state.spec), state, 6) == {"x": 9, "seed": 2}


def test_totals_of_a_thinned_curve_read_as_they_did(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    shutil.copy(JOURNALS / "schema-4-totals.sqlite", path)
    with open_journal(path) as journal:
        (job,) = journal.state().jobs.values()
    (known,) = job.list_totals("loss")
    assert (known.count, known.steps, known.finite) == (12345, 12000, 12340)
    assert (known.sum, known.least, known.greatest, known.offset) == (-0.5, -1.5, 9, 246900)
    assert job.count_steps("loss") == 12000
    assert job.curve("loss") == ((1, 3), (2, 2))


def test_an_older_journal_that_is_written_is_closed_to_older_hpts(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    shutil.copy(JOURNALS / "schema-1.sqlite", path)
    with open_journal(path):
        pass
    assert path.read_bytes() == (JOURNALS / "schema-1.sqlite").read_bytes()
    with open_journal(path, write=True):
        pass
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
    connection.close()


@pytest.mark.parametrize("write", [False, True])
def test_a_newer_journal_is_refused_and_left_as_it_is(tmp_path: Path, write: bool) -> None:
    path = tmp_path / "journal.sqlite"
    shutil.copy(JOURNALS / f"schema-{SCHEMA_VERSION}.sqlite", path)
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(HptError, match="was written by a newer hpt"):
        open_journal(path, write=write)
    assert path.read_bytes() == before


def test_points_that_a_user_gave_read_as_they_did(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    shutil.copy(JOURNALS / "schema-4-steered.sqlite", path)
    with open_journal(path) as journal:
        state = journal.state()
    proposals = [state.find_proposal(job) for job in state.jobs.values()]
    assert proposals == [state.proposals[0], None]
    assert (state.proposals[0].point, state.proposals[0].source) == ({"x": 3}, "anna")
    ran_with = [job.hyperparameters for job in state.jobs.values()]
    assert ran_with == [{"x": 3, "y": 32}, {"x": 4, "y": 8}]
