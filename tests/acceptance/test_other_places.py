"""One home in several places: copied, moved, and seen from another machine."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

from tests.acceptance.conftest import Terminal, wait_until
from tests.acceptance.test_interrupt import check_complete


def count_epochs(log: Path) -> int:
    return log.read_text().count("epoch=") if log.exists() else 0


def test_a_copy_runs_again_what_the_original_goes_on_with(terminal: Terminal) -> None:
    run = terminal.start("run", terminal.write_spec(options="--seconds 1.5", max_jobs=2))
    terminal.wait_for_log("t", 2, "epoch=1")
    original, copy = terminal.directory / ".hpt", terminal.directory / "copy"
    shutil.copytree(original, copy)
    resumed = terminal.start("resume", "t", "--home", "copy", "--plain")
    wait_until((copy / "t/jobs/0002/a2").exists, "the copy's own attempt")
    terminal.hpt("stop", "t", "--home", "copy")
    _, err = resumed.communicate(timeout=60)
    assert f"runs it for {original / 't/jobs/0001/a1'}, of which this directory is a copy" in err
    assert run.wait(60) == 0
    rows = check_complete(terminal, "t", jobs=2, epochs=4)
    assert {row["attempts"] for row in rows} == {1}
    rows = terminal.json("jobs", "t", "--home", "copy")
    assert {row["training_job_status"] for row in rows} == {"Stopped"}


def test_a_home_that_was_moved_keeps_its_jobs(terminal: Terminal) -> None:
    spec = terminal.write_spec(options="--seconds 1 --epochs 3", max_jobs=2)
    run = terminal.start("run", spec)
    terminal.wait_for_log("t", 2, "epoch=1")
    run.kill()
    run.wait()
    moved = (terminal.directory / ".hpt").rename(terminal.directory / "moved")
    terminal.hpt("resume", "t", "--home", "moved")
    moved.rename(terminal.directory / ".hpt")
    rows = terminal.json("jobs", "t")
    assert {row["training_job_status"] for row in rows} == {"Completed"}
    # What the program wrote after the move went to files that it could not find, but its output
    # and its end are there.
    assert [(row["attempts"], row["epochs"]) for row in rows] == [(1, 3), (1, 3)]
    assert terminal.find_processes() == []


def test_jobs_that_run_on_another_machine_are_not_run_again(terminal: Terminal) -> None:
    run = terminal.start("run", terminal.write_spec(options="--epochs 1000"))
    terminal.wait_for_log("t", 2, "epoch=1")
    journal = sqlite3.connect(terminal.directory / ".hpt/t/journal.sqlite")
    launched = "SELECT count(*) FROM event WHERE type = 'JobLaunched'"
    wait_until(lambda: journal.execute(launched).fetchone() == (2,), "both launches")
    run.kill()
    run.wait()
    changed = "json_set(body, '$.handle.host', 'far', '$.handle.identity', 'boot:1')"
    with journal:
        journal.execute(f"UPDATE event SET body = {changed} WHERE type = 'JobLaunched'")
    journal.close()
    before = {process.pid for process in terminal.find_processes()}
    for command in ("resume", "stop"):
        text = terminal.hpt(command, "t", code=1)
        assert "error[running-elsewhere]" in text
        assert "training jobs of t are still running on far: 1, 2" in text
    assert {process.pid for process in terminal.find_processes()} == before
    for process in terminal.find_processes():
        process.kill()
    assert "looking whether training jobs still run on far" in terminal.hpt("stop", "t")
    rows = terminal.json("jobs", "t")
    assert {row["training_job_status"] for row in rows} == {"Stopped"}
