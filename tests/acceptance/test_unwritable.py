"""A journal that cannot be written for a while, or never again."""

from __future__ import annotations

import resource
import shutil
import signal
import sqlite3
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import Terminal, wait_until


@contextmanager
def lock(journal: Path) -> Iterator[None]:
    """Hold the journal as a program does that has a transaction open."""
    connection = sqlite3.connect(journal, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    yield
    connection.close()


@contextmanager
def fill(pid: int) -> Iterator[None]:
    """Let a process write no file beyond its first bytes, as if the disk were full."""
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (100, hard))
    yield
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))


class Tuner:
    """A tuner at work, and what it says."""

    def __init__(self, terminal: Terminal, **changes: Any) -> None:
        """Start a tuning job, and wait until two jobs train."""
        self.process = terminal.start("run", terminal.write_spec(**changes), "--plain")
        self.said = ""
        # Through a pipe, as no file can be written where this process may write none.
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        for number in (1, 2):
            terminal.wait_for_log("t", number, "loss=")

    def _listen(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said += line

    def wait(self) -> int:
        """Wait for its end; return its exit code."""
        code = self.process.wait(60)
        self._listener.join(60)
        return code

    def wait_until_it_says(self, text: str) -> None:
        wait_until(lambda: text in self.said, f"{text!r} in what is said")


@pytest.mark.parametrize("fault", ["full", "locked"])
def test_jobs_go_on_while_the_journal_cannot_be_written(terminal: Terminal, fault: str) -> None:
    if fault == "full" and not hasattr(resource, "prlimit"):
        pytest.skip("needs Linux, to limit another process")
    tuner = Tuner(terminal, options="--seconds 0.3")
    journal = terminal.directory / ".hpt" / "t" / "journal.sqlite"
    with fill(tuner.process.pid) if fault == "full" else lock(journal):
        tuner.wait_until_it_says(f"the journal {journal} cannot be written: ")
        tuner.wait_until_it_says("t-0001 Completed")
        tuner.wait_until_it_says("t-0002 Completed")
        assert not terminal.log("t", 3).exists(), "nothing new begins"
    assert tuner.wait() == 0, tuner.said
    assert "training goes on, and nothing new is launched until it can be" in tuner.said
    assert f"the journal {journal} is written again" in tuner.said
    rows = terminal.json("jobs", "t")
    assert {row["training_job_status"] for row in rows} == {"Completed"}
    assert [row["attempts"] for row in rows] == [1, 1, 1, 1]


def test_a_stop_does_not_wait_for_the_journal(terminal: Terminal) -> None:
    tuner = Tuner(terminal, options="--epochs 1000")
    journal = terminal.directory / ".hpt" / "t" / "journal.sqlite"
    with lock(journal):
        tuner.process.send_signal(signal.SIGTERM)
        tuner.wait_until_it_says("asking running jobs to end")
        tuner.process.send_signal(signal.SIGTERM)
        assert tuner.wait() == 1
        assert terminal.find_processes() == []
        said = tuner.said
        assert f"error[journal-write]: the journal {journal} cannot be written" in said
        assert "'hpt resume t' goes on" in said
        assert "may continue without a tuner" not in said
    resumed = terminal.start("resume", "t", "--plain")
    terminal.wait_for_log("t", 1, "loss=", attempt=2)
    terminal.wait_for_log("t", 2, "loss=", attempt=2)
    resumed.send_signal(signal.SIGTERM)
    assert resumed.wait(60) == 143


@pytest.mark.parametrize("how", ["deleted", "moved"])
def test_a_home_that_is_gone_ends_the_tuner_and_its_jobs(terminal: Terminal, how: str) -> None:
    tuner = Tuner(terminal, options="--epochs 1000")
    home = terminal.directory / ".hpt"
    if how == "deleted":
        shutil.rmtree(home)
    else:
        home.rename(terminal.directory / "elsewhere")
    assert tuner.wait() == 1
    said = tuner.said
    assert terminal.find_processes() == []
    assert f"the journal {home}/t/journal.sqlite is gone: it" in said
    assert "its training jobs have been stopped" in said
    assert "hpt has a bug" not in said
    assert not home.exists(), "nothing is made anew"


@pytest.mark.skipif(sys.platform != "linux", reason="its working directory cannot be deleted")
def test_a_working_directory_that_is_gone_is_waited_for(terminal: Terminal) -> None:
    work = terminal.directory / "work"
    work.mkdir()
    tuner = Tuner(terminal, options="--seconds 0.3", working_directory="work")
    work.rmdir()
    tuner.wait_until_it_says(f"the working directory {work} is gone")
    work.mkdir()
    assert tuner.wait() == 0
    rows = terminal.json("jobs", "t")
    assert {row["training_job_status"] for row in rows} == {"Completed"}
