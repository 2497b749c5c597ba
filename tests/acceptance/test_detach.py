"""A tuner in the background: --detach, and what follows and stops it."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess

import psutil
import pytest

from tests.acceptance.conftest import HPT, PATIENCE, Terminal, wait_until


def test_a_detached_tuner_goes_on_alone(terminal: Terminal) -> None:
    spec = terminal.write_spec(options="--epochs 1000")
    text = terminal.hpt("run", spec, "--detach")
    assert "t is being tuned in the background, by process" in text
    for command in ("hpt watch t", "hpt logs t --tuner", "hpt stop t"):
        assert command in text
    terminal.wait_for_log("t", 2, "epoch=1")
    tuner = psutil.Process(int(text.split("by process ")[1].split()[0]))
    assert tuner.terminal() is None
    assert os.getsid(tuner.pid) == tuner.pid
    for process in (tuner, *terminal.find_processes()):
        process.send_signal(signal.SIGHUP)
    log = terminal.log("t", 2)
    size = log.stat().st_size
    wait_until(lambda: log.stat().st_size > size, "what a training job prints after a hang-up")
    assert "InProgress" in terminal.hpt("show", "t")
    terminal.hpt("stop", "t")
    wait_until(lambda: not tuner.is_running(), "the end of the tuner")
    assert "Stopped: stopped by the user" in terminal.hpt("logs", "t", "--tuner")
    assert terminal.find_processes() == []


def test_what_starts_a_detached_tuner_can_go_on(terminal: Terminal) -> None:
    spec = terminal.write_spec(options="--epochs 1000")
    lock = os.open(terminal.directory / "a-lock", os.O_CREAT | os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    done = subprocess.run(
        [HPT, "run", spec, "--detach", "--quiet"],
        cwd=terminal.directory,
        env=terminal.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        pass_fds=[lock],
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stdout) == (0, "t\n")
    os.close(lock)
    lock = os.open(terminal.directory / "a-lock", os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(lock)
    terminal.hpt("stop", "t")


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGHUP])
@pytest.mark.parametrize("moment", ["own session", "journal"])
def test_the_end_of_what_starts_it_does_not_end_a_detached_tuner(
    terminal: Terminal, sent: signal.Signals, moment: str
) -> None:
    """As where a terminal is closed at once: its processes are hung up on, its outputs gone."""
    spec = terminal.write_spec(max_jobs=1)
    reading, writing = os.pipe()
    first = subprocess.Popen(
        [HPT, "run", spec, "--detach"],
        cwd=terminal.directory,
        env=terminal.environment,
        stdout=writing,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    terminal.track(first)
    os.close(writing)
    has_left = {
        "own session": lambda: any(
            os.getsid(each.pid) == each.pid for each in psutil.Process(first.pid).children()
        ),
        "journal": (terminal.directory / ".hpt/t/journal.sqlite").exists,
    }
    wait_until(has_left[moment], f"a tuner with its {moment}")
    os.killpg(first.pid, sent)
    os.close(reading)
    first.wait(PATIENCE)
    wait_until(
        lambda: "Completed: max_jobs (1) reached" in terminal.try_hpt("show", "t").out,
        "the end of the tuning job",
    )


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["run", "none.yaml"], 2, "error[spec-unreadable]: none.yaml: No such file or directory"),
        (["run", "t.yaml"], 2, "error[name-exists]: a tuning job named 't' already exists"),
        (["resume", "t"], 0, "t is Completed: max_jobs (1) reached"),
        (["resume", "u"], 2, "error[name-unknown]: no tuning job is named 'u'"),
    ],
)
def test_what_keeps_it_from_tuning_is_said_where_it_was_started(
    terminal: Terminal, arguments: list[str], code: int, said: str
) -> None:
    terminal.hpt("run", terminal.write_spec(max_jobs=1), "--quiet")
    assert said in terminal.hpt(*arguments, "--detach", code=code)


def test_a_detached_tuner_is_resumed_and_watched(terminal: Terminal) -> None:
    run = terminal.start("run", terminal.write_spec(options="--epochs 20"))
    terminal.wait_for_log("t", 2, "epoch=1")
    run.send_signal(signal.SIGINT)
    assert run.wait(PATIENCE) == 130
    terminal.hpt("resume", "t", "--detach")
    assert terminal.hpt("watch", "t").endswith("t is Completed: max_jobs (4) reached\n")
    terminal.hpt("logs", "t", "--tuner", "--follow")
    assert "resuming t" in terminal.hpt("logs", "t", "--tuner")
    (terminal.directory / ".hpt/t/tuner.log").unlink()
    assert "error[no-log]" in terminal.hpt("logs", "t", "--tuner", code=1)
    assert terminal.try_hpt("logs", "t").code == 2
    assert terminal.try_hpt("logs", "t", "1", "--tuner").code == 2
