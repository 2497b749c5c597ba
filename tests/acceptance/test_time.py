"""Time is time at work: what is frozen, or has been killed, takes none."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil

from tests.acceptance.conftest import Terminal, wait_until

LIMIT = 6.0
"""Far more than the work of a job, or of all, takes."""
PAUSE = LIMIT + 0.5
LIMITS = {
    "max_job_runtime_seconds": LIMIT,
    "max_silence_seconds": LIMIT,
    "max_runtime_seconds": LIMIT,
}
WORK = {"options": "--epochs 10 --seconds 0.25"}


@contextmanager
def suspended(*pids: int) -> Iterator[None]:
    """Stop processes with all their threads, as a freezer does, for longer than any limit."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(PAUSE)
    yield
    for pid in pids:
        os.kill(pid, signal.SIGCONT)


def check_times(terminal: Terminal, jobs: int, attempts: int = 1) -> None:
    rows = terminal.json("jobs", "t")
    assert [row["training_job_status"] for row in rows] == ["Completed"] * jobs
    assert [row["attempts"] for row in rows] == [attempts] * jobs
    assert all(1 < row["training_elapsed_time_seconds"] < LIMIT for row in rows)


def find_command(terminal: Terminal, number: int) -> int:
    """The pid that train.py has printed."""
    terminal.wait_for_log("t", number, "epoch=2")
    return int(terminal.log("t", number).read_text().split()[1])


def test_what_is_frozen_together_goes_on_together(terminal: Terminal) -> None:
    run = terminal.start("run", terminal.write_spec(max_jobs=2, **WORK, **LIMITS))
    for number in (1, 2):
        terminal.wait_for_log("t", number, "epoch=2")
    with suspended(run.pid, *(each.pid for each in terminal.find_processes())):
        pass
    _, said = run.communicate(timeout=60)
    assert run.returncode == 0
    assert re.search(r"the tuner was suspended for [6-9]", said)
    check_times(terminal, jobs=2)
    shown = terminal.json("show", "t")
    assert shown["completion_reason"] == "max_jobs (2) reached"
    assert shown["tuning_time_seconds"] < LIMIT


def test_jobs_that_are_stopped_alone_are_not_ended_for_it(terminal: Terminal) -> None:
    """One with its launcher, and of another the command alone."""
    limits = {name: limit for name, limit in LIMITS.items() if name != "max_runtime_seconds"}
    run = terminal.start("run", terminal.write_spec(max_jobs=2, **WORK, **limits))
    first, second = find_command(terminal, 1), find_command(terminal, 2)
    with suspended(second, *(each.pid for each in psutil.Process(first).parents()[:1]), first):
        rows = terminal.json("jobs", "t")
        assert [row["training_job_status"] for row in rows] == ["InProgress"] * 2
    _, said = run.communicate(timeout=60)
    for number in (1, 2):
        assert f"t-000{number} is suspended: until it goes on, its time does not count" in said
        assert re.search(rf"t-000{number} was suspended for [5-9]", said)
    check_times(terminal, jobs=2)


def test_a_job_that_is_stopped_can_be_stopped_for_good(terminal: Terminal) -> None:
    run = terminal.start("run", terminal.write_spec(max_jobs=1, options="--epochs 99"))
    os.kill(find_command(terminal, 1), signal.SIGSTOP)
    terminal.hpt("stop", "t", "1")
    run.communicate(timeout=60)
    (row,) = terminal.json("jobs", "t")
    assert row["stop_reason"] == "StoppedByUser"
    assert terminal.find_processes() == []


def test_downtime_is_no_time_at_work(terminal: Terminal) -> None:
    run = terminal.start("run", terminal.write_spec(max_jobs=2, **WORK, **LIMITS))
    for number in (1, 2):
        terminal.wait_for_log("t", number, "epoch=2")
    for pid in (run.pid, *(each.pid for each in terminal.find_processes())):
        os.kill(pid, signal.SIGKILL)
    run.wait()
    time.sleep(PAUSE)
    before = terminal.json("show", "t")
    terminal.hpt("resume", "t")
    check_times(terminal, jobs=2, attempts=2)
    shown = terminal.json("show", "t")
    assert shown["completion_reason"] == "max_jobs (2) reached"
    assert before["tuning_time_seconds"] < shown["tuning_time_seconds"] < LIMIT


def test_a_job_works_on_without_a_tuner(terminal: Terminal) -> None:
    """Its time counts for the job, but not for the tuning job."""
    limits = {"max_runtime_seconds": LIMIT}
    options = "--epochs 30 --seconds 0.25"
    run = terminal.start("run", terminal.write_spec(max_jobs=1, options=options, **limits))
    terminal.wait_for_log("t", 1, "epoch=2")
    os.kill(run.pid, signal.SIGSTOP)
    wait_until((terminal.log("t", 1).parent / "exit").exists)
    os.kill(run.pid, signal.SIGCONT)
    _, said = run.communicate(timeout=60)
    assert "the tuner was suspended for" in said
    (row,) = terminal.json("jobs", "t")
    assert row["training_job_status"] == "Completed"
    assert row["training_elapsed_time_seconds"] > 7
    shown: dict[str, Any] = terminal.json("show", "t")
    assert shown["tuning_time_seconds"] < LIMIT
    # That its values were all read at once says nothing about how it printed them.
    assert shown["warnings"] == []
