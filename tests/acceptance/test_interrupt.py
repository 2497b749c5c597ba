"""Nothing is lost: kill -9, Ctrl-C, and what other terminals ask for."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from typing import Any

import psutil
import pytest

from tests.acceptance.conftest import HPT, TRAIN, Terminal, wait_until


def read_logged_values(terminal: Terminal, name: str, number: int, attempt: int) -> list[float]:
    text = terminal.log(name, number, attempt).read_text()
    return [float(value) for value in re.findall(r"loss=([\d.e-]+)", text)]


def check_complete(terminal: Terminal, name: str, jobs: int, epochs: int) -> list[dict[str, Any]]:
    """All jobs Completed, each observation of the logs in the journal once."""
    rows: list[dict[str, Any]] = terminal.json("jobs", name, "--curves")
    assert [row["training_job_number"] for row in rows] == list(range(1, jobs + 1))
    assert {row["training_job_status"] for row in rows} == {"Completed"}
    for row in rows:
        logged = read_logged_values(terminal, name, row["training_job_number"], row["attempts"])
        assert [value for _, value in row["curve"]] == logged
        assert len(logged) == epochs
    connection = sqlite3.connect(terminal.directory / ".hpt" / name / "journal.sqlite")
    repeated = connection.execute(
        "SELECT job, json_extract(body, '$.attempt') AS attempt, count(*) FROM event"
        " WHERE type = 'JobExited' GROUP BY job, attempt HAVING count(*) > 1"
    ).fetchall()
    connection.close()
    assert repeated == []
    return rows


@pytest.mark.parametrize("moment", [0.5, 1.8])
def test_kill_9_and_resume(terminal: Terminal, moment: float) -> None:
    run = terminal.start("run", terminal.write_spec(max_jobs=6, options="--seconds 0.15"))
    wait_until(lambda: (terminal.directory / ".hpt/t/journal.sqlite").exists(), "the journal")
    time.sleep(moment)
    run.send_signal(signal.SIGKILL)
    run.wait()
    finished = [
        row for row in terminal.json("jobs", "t") if row["training_job_status"] == "Completed"
    ]
    terminal.hpt("resume", "t")
    rows = check_complete(terminal, "t", jobs=6, epochs=4)
    assert {row["attempts"] for row in rows} == {1}, "the jobs lived on and were taken over"
    after = {row["training_job_number"]: row for row in rows}
    for row in finished:
        assert after[row["training_job_number"]]["training_end_time"] == row["training_end_time"]


def test_kill_9_again_and_again(terminal: Terminal) -> None:
    process = terminal.start("run", terminal.write_spec(max_jobs=5, options="--seconds 0.1"))
    wait_until(lambda: (terminal.directory / ".hpt/t/journal.sqlite").exists(), "the journal")
    for pause in (0.2, 0.9, 0.5, 1.1):
        time.sleep(pause)
        process.kill()
        process.wait()
        process = terminal.start("resume", "t")
    assert process.wait(60) == 0
    check_complete(terminal, "t", jobs=5, epochs=4)


@pytest.mark.parametrize("strategy", ["Random", "Bayesian"])
def test_a_resumed_search_is_the_undisturbed_one(terminal: Terminal, strategy: str) -> None:
    fields: dict[str, Any] = {"strategy": strategy, "max_jobs": 7, "max_parallel_jobs": 1}
    terminal.hpt("run", terminal.write_spec("whole", options="--seconds 0.01", **fields))
    process = terminal.start("run", terminal.write_spec("cut", options="--seconds 0.05", **fields))
    terminal.wait_for_log("cut", 2, "epoch=2")
    process.kill()
    process.wait()
    terminal.hpt("resume", "cut")
    whole = [row["hyperparameters"] for row in terminal.json("jobs", "whole")]
    assert [row["hyperparameters"] for row in terminal.json("jobs", "cut")] == whole


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_job_is_resumed_with_its_hyperparameters(
    terminal: Terminal, number: signal.Signals, code: int
) -> None:
    run = terminal.start("run", terminal.write_spec(options="--seconds 0.2"))
    terminal.wait_for_log("t", 2, "epoch=1")
    run.send_signal(number)
    _, err = run.communicate(timeout=60)
    assert run.returncode == code
    assert err.rstrip().endswith("hpt resume t")
    assert terminal.find_processes() == []
    before = terminal.json("jobs", "t")
    assert terminal.json("show", "t")["tuning_job_status"] == "Stopped"
    assert {row["training_job_status"] for row in before} == {"InProgress"}
    terminal.hpt("resume", "t")
    rows = check_complete(terminal, "t", jobs=4, epochs=4)
    assert [row["attempts"] for row in rows] == [2, 2, 1, 1]
    for old, new in zip(before, rows, strict=False):
        assert old["hyperparameters"] == new["hyperparameters"]
    assert "attempt 2" in terminal.log("t", 1, attempt=2).read_text()


def signal_jobs(terminal: Terminal, number: signal.Signals, job: int = 0) -> None:
    """Send a signal to every process of the training jobs, or to the command of one."""
    for process in terminal.find_processes():
        with contextlib.suppress(psutil.NoSuchProcess):
            is_wanted = not job or (
                process.environ()["HPT_TRAINING_JOB"] == f"t-{job:04}"
                and str(TRAIN) in process.cmdline()[:3]
            )
            if is_wanted:
                process.send_signal(number)


def check_interrupted(terminal: Terminal, jobs: tuple[int, ...] = (1, 2)) -> None:
    """After a resume these have run twice, and all are complete."""
    terminal.hpt("resume", "t")
    rows = check_complete(terminal, "t", jobs=4, epochs=4)
    again = [row["training_job_number"] for row in rows if row["attempts"] == 2]
    assert again == list(jobs)


def test_a_shutdown_interrupts_what_runs(terminal: Terminal) -> None:
    """SIGTERM to all processes at one moment, the tuner last."""
    spec = terminal.write_spec(options="--seconds 0.2", fail_fast=True)
    run = terminal.start("run", spec, "--plain")
    terminal.wait_for_log("t", 2, "epoch=1")
    signal_jobs(terminal, signal.SIGTERM)
    run.terminate()
    _, err = run.communicate(timeout=60)
    assert run.returncode == 143
    assert "Failed" not in err
    assert {row["training_job_status"] for row in terminal.json("jobs", "t")} == {"InProgress"}
    check_interrupted(terminal)


@pytest.mark.parametrize("code", [0, 1])
def test_a_program_that_answers_a_shutdown_by_itself_was_interrupted(
    terminal: Terminal, code: int
) -> None:
    """Its handler ends it, with an exit code of its own, before the tuner has heard."""
    options = f"--seconds 0.2 --mode 'answers {code}'"
    run = terminal.start("run", terminal.write_spec(options=options))
    terminal.wait_for_log("t", 2, "epoch=1")
    signal_jobs(terminal, signal.SIGTERM)
    ends = [terminal.log("t", number).parent / "exit" for number in (1, 2)]
    wait_until(lambda: all(path.exists() for path in ends), "the end of both")
    run.terminate()
    assert run.wait(60) == 143
    check_interrupted(terminal)


def test_a_tuner_that_is_killed_with_its_jobs_has_interrupted_them(terminal: Terminal) -> None:
    run = terminal.start("run", terminal.write_spec(options="--seconds 0.2"))
    terminal.wait_for_log("t", 2, "epoch=1")
    run.kill()
    signal_jobs(terminal, signal.SIGTERM)
    run.wait()
    check_interrupted(terminal)


def test_a_job_that_is_killed_alone_has_failed(terminal: Terminal) -> None:
    run = terminal.start("run", terminal.write_spec(options="--seconds 0.2"))
    terminal.wait_for_log("t", 1, "epoch=1")
    signal_jobs(terminal, signal.SIGKILL, job=1)
    assert run.wait(60) == 0
    first = terminal.json("jobs", "t")[0]
    assert (first["training_job_status"], first["attempts"]) == ("Failed", 1)


def test_a_job_that_failed_seconds_before_a_shutdown_was_interrupted(terminal: Terminal) -> None:
    run = terminal.start("run", terminal.write_spec(options="--seconds 0.5"))
    terminal.wait_for_log("t", 2, "epoch=1")
    signal_jobs(terminal, signal.SIGKILL, job=1)
    wait_until(lambda: terminal.json("jobs", "t")[0]["training_job_status"] == "Failed")
    run.terminate()
    assert run.wait(60) == 143
    first = terminal.json("jobs", "t")[0]
    assert first["training_job_status"] == "InProgress"
    assert "it was interrupted with the tuner" in first["notes"][0]
    terminal.hpt("resume", "t")
    assert {row["training_job_status"] for row in terminal.json("jobs", "t")} == {"Completed"}


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGQUIT, 130), (signal.SIGHUP, 143)]
)
def test_a_signal_in_the_first_moment(
    terminal: Terminal, number: signal.Signals, code: int
) -> None:
    run = terminal.start("run", terminal.write_spec(max_jobs=1))
    wait_until(lambda: (terminal.directory / ".hpt/t/journal.sqlite").exists(), "the journal")
    run.send_signal(number)
    _, err = run.communicate(timeout=60)
    assert run.returncode == code
    assert err.rstrip().endswith("hpt resume t")
    terminal.hpt("resume", "t")
    check_complete(terminal, "t", jobs=1, epochs=4)


def test_a_tuner_in_the_background_of_a_script_hears_an_interrupt(terminal: Terminal) -> None:
    spec = terminal.write_spec(options="--epochs 1000")
    # The shell ignores the signals of the keys for it.
    script = f"{HPT} run {spec} --plain & echo $! > pid; wait $!"
    shell = subprocess.Popen(["sh", "-c", script], cwd=terminal.directory)
    terminal.track(shell)
    terminal.wait_for_log("t", 2, "epoch=1")
    os.kill(int((terminal.directory / "pid").read_text()), signal.SIGINT)
    assert shell.wait(60) == 130


def test_ctrl_c_twice_kills_what_will_not_end(terminal: Terminal) -> None:
    spec = terminal.write_spec(options="--mode deaf --epochs 1000", stop_grace_seconds=1000)
    run = terminal.start("run", spec)
    terminal.wait_for_log("t", 2, "epoch=1")
    run.send_signal(signal.SIGINT)
    terminal.wait_for_log("t", 1, "not now")
    assert run.poll() is None
    run.send_signal(signal.SIGINT)
    assert run.wait(60) == 130
    assert terminal.find_processes() == []


def test_two_tuners_on_one_name(terminal: Terminal) -> None:
    spec = terminal.write_spec(options="--epochs 1000")
    run = terminal.start("run", spec)
    terminal.wait_for_log("t", 1, "epoch=1")
    for arguments in (["resume", "t"], ["run", spec]):
        text = terminal.hpt(*arguments, code=1)
        assert f"is being tuned by process {run.pid}" in text
        assert "or stop it with 'hpt stop t'" in text
    terminal.hpt("stop", "t")
    assert run.wait(60) == 1
    assert terminal.json("show", "t")["tuning_job_status"] == "Stopped"


def test_a_tuner_whose_lock_is_removed_stays_the_only_one(terminal: Terminal) -> None:
    run = terminal.start("run", terminal.write_spec(options="--epochs 1000"))
    terminal.wait_for_log("t", 2, "epoch=1")
    lock = terminal.directory / ".hpt/t/lock"
    lock.unlink()
    assert f"is being tuned by process {run.pid}" in terminal.hpt("resume", "t", code=1)
    wait_until(lambda: str(run.pid) in lock.read_text(), "a new lock")
    terminal.hpt("stop", "t")
    assert run.wait(60) == 1
    assert terminal.json("show", "t")["tuning_job_status"] == "Stopped"


def test_a_tuner_that_another_has_followed_leaves_the_jobs_to_it(terminal: Terminal) -> None:
    spec = terminal.write_spec(options="--seconds 1", max_jobs=2)
    first = terminal.start("run", spec, "--plain")
    terminal.wait_for_log("t", 2, "epoch=1")
    path = terminal.directory / ".hpt/t/journal.sqlite"
    journal = sqlite3.connect(path, timeout=0, isolation_level=None)

    def suspend_elsewhere() -> bool:
        """As on another machine: nothing is known of the first tuner but that it is silent."""
        first.send_signal(signal.SIGSTOP)
        try:
            journal.execute(
                "UPDATE event SET body = json_set(body, '$.host', 'x') WHERE type = 'TunerStarted'"
            )
        except sqlite3.OperationalError:  # it was about to write
            first.send_signal(signal.SIGCONT)
            return False
        return True

    wait_until(suspend_elsewhere, "a moment at which the tuner does not write")
    (terminal.directory / ".hpt/t/lock").unlink()
    second = terminal.start("resume", "t", "--plain")
    started = "SELECT count(*) FROM event WHERE type = 'TunerStarted'"
    journal.execute("PRAGMA busy_timeout = 5000")
    wait_until(lambda: journal.execute(started).fetchone() == (2,), "a second tuner")
    journal.close()
    first.send_signal(signal.SIGCONT)
    _, err = first.communicate(timeout=60)
    assert first.returncode == 1
    assert f"another tuner (process {second.pid} on " in err
    assert "error[journal-taken]" in err
    assert "may continue without a tuner" not in err
    assert second.wait(60) == 0
    rows = check_complete(terminal, "t", jobs=2, epochs=4)
    assert {row["attempts"] for row in rows} == {1}, "the first has signalled what was not its own"


def test_stop_ends_for_good_and_keeps_last_values(terminal: Terminal) -> None:
    run = terminal.start("run", terminal.write_spec(options="--epochs 1000"))
    terminal.wait_for_log("t", 2, "epoch=2")
    terminal.hpt("stop", "t")
    assert run.wait(60) == 1
    rows = terminal.json("jobs", "t")
    assert {row["stop_reason"] for row in rows} == {"StoppedByUser"}
    assert all(row["final_objective_value"] is not None for row in rows)
    assert terminal.find_processes() == []


def test_stop_after_kill_9_ends_what_lived_on(terminal: Terminal) -> None:
    run = terminal.start("run", terminal.write_spec(options="--epochs 1000"))
    terminal.wait_for_log("t", 2, "epoch=1")
    run.kill()
    run.wait()
    assert len(terminal.find_processes()) > 0
    assert "no tuner is running" in terminal.hpt("show", "t")
    terminal.hpt("stop", "t")
    assert terminal.find_processes() == []
    assert terminal.json("show", "t")["tuning_job_status"] == "Stopped"


def test_one_training_job_can_be_stopped(terminal: Terminal) -> None:
    spec = terminal.write_spec(options="--epochs 1000", max_jobs=2)
    run = terminal.start("run", spec)
    terminal.wait_for_log("t", 2, "epoch=1")
    terminal.hpt("stop", "t", "2")
    statuses = [row["training_job_status"] for row in terminal.json("jobs", "t")]
    assert statuses == ["InProgress", "Stopped"]
    terminal.hpt("stop", "t", "t-0001")
    assert run.wait(60) == 0


def test_children_of_every_kind_are_gone_after_a_stop(terminal: Terminal) -> None:
    spec = terminal.write_spec(
        options="--mode children --epochs 1000", max_parallel_jobs=1, stop_grace_seconds=0.5
    )
    run = terminal.start("run", spec)
    log = terminal.log("t", 1)
    wait_until(lambda: log.exists() and log.read_text().count("child up") == 4, "children")
    run.send_signal(signal.SIGINT)
    run.wait(60)
    assert terminal.find_processes() == []
    notes = terminal.json("jobs", "t")[0]["notes"]
    assert len(notes) == 2
    assert all("outlived the job and was killed: " in note for note in notes)


def test_a_program_that_ignores_sigterm_is_killed_after_its_grace(terminal: Terminal) -> None:
    spec = terminal.write_spec(
        options="--mode deaf --epochs 1000",
        max_job_runtime_seconds=1,
        stop_grace_seconds=0.5,
        max_jobs=1,
    )
    terminal.hpt("run", spec)
    (row,) = terminal.json("jobs", "t")
    assert (row["training_job_status"], row["stop_reason"]) == ("Stopped", "MaxRuntimeExceeded")
    assert "not now" in terminal.log("t", 1).read_text()


def test_a_program_that_prints_no_metric(terminal: Terminal) -> None:
    text = terminal.hpt("run", terminal.write_spec(options="--mode silent", max_jobs=1), code=1)
    (row,) = terminal.json("jobs", "t")
    assert (row["training_job_status"], row["objective_status"]) == ("Completed", "Failed")
    assert "it reported no value of loss" in text
    assert "epoch 1 training Loss 0.5" in text


def test_five_failures_end_the_tuning_job_and_show_why(terminal: Terminal) -> None:
    spec = terminal.write_spec(options="--mode fail", max_jobs=20, max_parallel_jobs=1)
    text = terminal.hpt("run", spec, code=1)
    assert "exit code 3" in text
    assert "CUDA out of memory" in text
    shown = terminal.json("show", "t")
    assert shown["tuning_job_status"] == "Failed"
    assert shown["training_job_status_counters"]["failed"] == 5


def test_single_failures_do_not_end_it(terminal: Terminal) -> None:
    code = "import os, sys; print('loss=1'); sys.exit(os.environ['HPT_TRAINING_JOB'] == 't-0002')"
    spec = terminal.write_spec(command=[sys.executable, "-c", code])
    terminal.hpt("run", spec)
    counts = terminal.json("show", "t")["training_job_status_counters"]
    assert (counts["completed"], counts["failed"]) == (3, 1)


def test_max_runtime_ends_the_tuning_job(terminal: Terminal) -> None:
    spec = terminal.write_spec(options="--epochs 1000", max_runtime_seconds=8, max_jobs=50)
    assert "max_runtime_seconds (8) reached" in terminal.hpt("run", spec)
    rows = terminal.json("jobs", "t")
    assert {row["stop_reason"] for row in rows} == {"TuningJobFinished"}
    assert TRAIN.exists()
