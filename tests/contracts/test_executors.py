"""What every executor must do, against real processes."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from hpt_cli.executors import (
    Executor,
    Exited,
    LaunchRequest,
    Lost,
    Running,
    load_executor,
)
from hpt_cli.executors.attempt_files import read_claim
from tests.contracts.processes import find_marked, wait_for_end, wait_for_output, wait_until


def test_output_and_exit_code_are_kept(
    executor: Executor, launch_request: Callable[..., LaunchRequest]
) -> None:
    asked = launch_request(
        "import sys; print('out', flush=True); print('err', file=sys.stderr);"
        "print(repr(sys.stdin.read())); sys.exit(7)"
    )
    before = time.time()
    outcome = wait_for_end(executor, executor.launch(asked))
    assert isinstance(outcome, Exited)
    assert outcome.exit_code == 7
    assert before <= outcome.ended_at <= time.time()
    assert (asked.directory / "output.log").read_text().splitlines() == ["out", "err", "''"]


def test_a_signal_is_a_negative_exit_code(
    executor: Executor, launch_request: Callable[..., LaunchRequest]
) -> None:
    outcome = wait_for_end(
        executor, executor.launch(launch_request("import os; os.kill(os.getpid(), 11)"))
    )
    assert isinstance(outcome, Exited)
    assert outcome.exit_code == -signal.SIGSEGV


def test_a_command_that_is_not_there_says_so(
    executor: Executor, launch_request: Callable[..., LaunchRequest]
) -> None:
    asked = launch_request("")
    missing = replace(asked, argv=["/no/such/program"])
    outcome = wait_for_end(executor, executor.launch(missing))
    assert isinstance(outcome, Exited)
    assert outcome.exit_code == 127
    assert "cannot run '/no/such/program'" in (asked.directory / "output.log").read_text()


def test_stop_is_gentle_and_force_is_not(
    executor: Executor, launch_request: Callable[..., LaunchRequest]
) -> None:
    asked = launch_request(
        "import signal, time; signal.signal(signal.SIGTERM, lambda *_: print('no', flush=True));"
        "print('ready', flush=True)\nwhile True: time.sleep(0.05)"
    )
    handle = executor.launch(asked)
    wait_for_output(asked, "ready")
    executor.stop(handle, force=False)
    wait_for_output(asked, "no")
    assert isinstance(executor.poll([handle])[0], Running)
    executor.stop(handle, force=True)
    wait_for_end(executor, handle)
    swept = executor.sweep(handle, 0)
    assert not swept.ended
    assert not swept.refused


def test_a_stopped_command_s_exit_code_is_its_own(
    executor: Executor, launch_request: Callable[..., LaunchRequest]
) -> None:
    asked = launch_request("import time; print('ready', flush=True); time.sleep(60)")
    handle = executor.launch(asked)
    wait_for_output(asked, "ready")
    executor.stop(handle, force=False)
    outcome = wait_for_end(executor, handle)
    assert isinstance(outcome, Exited)
    assert outcome.exit_code == -signal.SIGTERM


CHILDREN = """
import os, subprocess, sys, time
child = "import time; print('child', flush=True); time.sleep(60)"
deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + child
subprocess.Popen([sys.executable, "-c", child])
subprocess.Popen([sys.executable, "-c", deaf])
subprocess.Popen([sys.executable, "-c", child], start_new_session=True)
subprocess.Popen([sys.executable, "-c", deaf], start_new_session=True)
time.sleep(60)
"""


def test_no_child_survives_a_stop(
    executor: Executor, launch_request: Callable[..., LaunchRequest]
) -> None:
    asked = launch_request(CHILDREN)
    handle = executor.launch(asked)
    log = asked.directory / "output.log"
    wait_until(lambda: log.exists() and log.read_text().count("child") == 4)
    executor.stop(handle, force=False)
    wait_for_end(executor, handle)
    killed = executor.sweep(handle, 0.2).ended
    assert len(killed) in (0, 2), "the two that ignore SIGTERM had to be killed, by hpt or Slurm"
    wait_until(lambda: find_marked(asked.directory) == [])


HIDDEN = """
import os, signal, sys, time
for environment in ({}, dict(os.environ)):
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        for descriptor in range(3):
            os.close(descriptor)
        os.execve("/bin/sleep", ["sleep", sys.argv[1]], environment)
sys.exit(int(sys.argv[2]))
"""
"""Leaves two daemons: with an empty environment, and with its own; both ignore SIGTERM."""


@pytest.mark.parametrize("code", [0, 1])
def test_what_a_command_leaves_is_ended_whatever_its_environment(
    executor: Executor, launch_request: Callable[..., LaunchRequest], code: int
) -> None:
    seconds = str(random.randrange(10**8, 10**9))
    asked = launch_request(HIDDEN)
    handle = executor.launch(replace(asked, argv=[*asked.argv, seconds, str(code)], grace=0.1))
    outcome = wait_for_end(executor, handle)
    assert isinstance(outcome, Exited)
    assert outcome.exit_code == code
    if outcome.has_left:
        wait_until(lambda: len(executor.list_leftovers(handle)) == 2)
        assert len(executor.sweep(handle, 0.1).ended) == 2
    else:
        executor.sweep(handle, 0.1)
    assert executor.list_leftovers(handle) == []
    wait_until(lambda: not any(seconds in each.info["cmdline"] for each in list_processes()))


def list_processes() -> list[psutil.Process]:
    return [each for each in psutil.process_iter(["cmdline"]) if each.info["cmdline"]]


def test_what_ends_without_a_trace_has_left_nothing(
    executor: Executor, launch_request: Callable[..., LaunchRequest]
) -> None:
    handle = executor.launch(launch_request("print(1)"))
    wait_until(lambda: isinstance(executor.poll([handle])[0], Exited))
    wait_until(lambda: executor.poll([handle])[0].has_left is False)


def test_a_suspended_command_is_woken_to_end(
    executor: Executor, launch_request: Callable[..., LaunchRequest]
) -> None:
    asked = launch_request(
        "import os, signal; print('ready', flush=True);"
        "signal.signal(signal.SIGTERM, lambda *_: exit(5)); os.kill(os.getpid(), signal.SIGSTOP)"
    )
    handle = executor.launch(asked)
    wait_for_output(asked, "ready")
    wait_until(lambda: any(each.status() == "stopped" for each in find_marked(asked.directory)))
    executor.stop(handle, force=False)
    outcome = wait_for_end(executor, handle)
    assert isinstance(outcome, Exited)
    assert outcome.exit_code == 5


def test_an_attempt_is_found_again_by_its_directory(
    executor: Executor, launch_request: Callable[..., LaunchRequest]
) -> None:
    asked = launch_request("import time; print('ready', flush=True); time.sleep(60)")
    assert executor.find(asked.directory) is None
    handle = executor.launch(asked)
    wait_for_output(asked, "ready")
    found = executor.find(asked.directory)
    assert found == handle
    assert isinstance(executor.poll([found])[0], Running)
    executor.stop(found, force=False)
    wait_for_end(executor, handle)
    assert executor.find(asked.directory) == handle


def test_a_second_launch_into_a_directory_starts_nothing(
    executor: Executor, launch_request: Callable[..., LaunchRequest]
) -> None:
    asked = launch_request("import time; print('ready', flush=True); time.sleep(60)")
    handle = executor.launch(asked)
    wait_for_output(asked, "ready")
    second = executor.launch(asked)
    time.sleep(0.5)
    assert (asked.directory / "output.log").read_text() == "ready\n"
    assert executor.find(asked.directory) == handle
    executor.stop(handle, force=True)
    wait_for_end(executor, handle)
    wait_for_end(executor, second)


def test_an_attempt_that_vanished_is_lost(
    executor: Executor, launch_request: Callable[..., LaunchRequest]
) -> None:
    asked = launch_request("import time; print('ready', flush=True); time.sleep(60)")
    handle = executor.launch(asked)
    wait_for_output(asked, "ready")
    claim = read_claim(asked.directory)
    assert claim is not None
    os.kill(claim.pid, signal.SIGKILL)
    assert isinstance(wait_for_end(executor, handle), Lost)


def test_somebody_else_s_process_is_never_signalled(
    executor: Executor, launch_request: Callable[..., LaunchRequest]
) -> None:
    asked = launch_request("import time; print('ready', flush=True); time.sleep(60)")
    handle = executor.launch(asked)
    wait_for_output(asked, "ready")
    stale = {**handle, "identity": "another-boot:1", "directory": str(asked.directory) + "x"}
    executor.stop(stale, force=True)
    assert isinstance(wait_for_end(executor, stale), Lost)
    assert isinstance(executor.poll([handle])[0], Running)
    executor.stop(handle, force=True)
    wait_for_end(executor, handle)


def test_an_attempt_outlives_its_tuner(
    launch_request: Callable[..., LaunchRequest], tmp_path: Path
) -> None:
    asked = launch_request("import time; time.sleep(0.5); print('done')")
    pid = os.fork()
    if pid == 0:
        load_executor("local").launch(asked)
        os._exit(0)
    os.waitpid(pid, 0)
    executor = load_executor("local")
    handle = executor.find(asked.directory)
    assert handle is not None
    outcome = wait_for_end(executor, handle)
    assert isinstance(outcome, Exited)
    assert outcome.exit_code == 0
    # Its launcher lives on for a moment after it has written that down.
    wait_until(lambda: executor.poll([handle])[0].has_left is False)
    assert (asked.directory / "output.log").read_text() == "done\n"


def test_a_working_directory_that_went_away_is_said(
    executor: Executor, launch_request: Callable[..., LaunchRequest]
) -> None:
    asked = launch_request("")
    gone = LaunchRequest(asked.argv, asked.environment, Path("/no/such/place"), asked.directory)
    outcome = wait_for_end(executor, executor.launch(gone))
    assert isinstance(outcome, Exited)
    assert outcome.exit_code == 127
    assert "/no/such/place" in (asked.directory / "output.log").read_text()


@pytest.mark.parametrize("launch_request", ["pty"], indirect=True)
def test_a_command_on_a_terminal_finds_one(
    executor: Executor, launch_request: Callable[..., LaunchRequest]
) -> None:
    code = (
        "import os, sys; print(sys.stdout.isatty(), sys.stderr.isatty(), sys.stdin.isatty(),"
        " *os.get_terminal_size()); print('x' * 300_000 + 'end')"
    )
    asked = launch_request(code)
    wait_for_end(executor, executor.launch(asked))
    assert (asked.directory / "output.log").read_bytes() == (
        b"True True False 200 50\n" + b"x" * 300_000 + b"end\n"
    )


@pytest.mark.parametrize("launch_request", ["pty"], indirect=True)
def test_output_of_what_a_command_on_a_terminal_leaves_behind_is_kept(
    executor: Executor, launch_request: Callable[..., LaunchRequest]
) -> None:
    late = "import time; time.sleep(3); print('late', flush=True)"
    code = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {late!r}]); print(1)"
    asked = launch_request(code)
    outcome = wait_for_end(executor, executor.launch(replace(asked, grace=60)))
    assert isinstance(outcome, Exited)
    log = (asked.directory / "output.log").read_text()
    assert "late" not in log, "the end of the command was not seen"
    wait_for_output(asked, "late")
