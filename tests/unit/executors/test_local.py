"""Training jobs as processes of this machine, where the tuner lacks what it needs to look."""

from __future__ import annotations

import errno
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from hpt_cli.errors import HptError
from hpt_cli.executors import Exited, LaunchRequest, Running, launcher, local
from hpt_cli.executors.local import LocalExecutor
from hpt_cli.executors.processes import find_processes

SPARE = 40
"""File descriptors that a launcher and its command need and the tuner has all in use."""


@contextmanager
def no_descriptors() -> Iterator[None]:
    """Leave this process no file descriptor, and its children some."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with ExitStack() as stack:
        while (last := os.open(os.devnull, os.O_RDONLY)) < SPARE:
            stack.callback(os.close, last)
        os.close(last)
        resource.setrlimit(resource.RLIMIT_NOFILE, (last, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def launch_request(tmp_path: Path) -> LaunchRequest:
    directory = tmp_path / "a1"
    return LaunchRequest(
        argv=[sys.executable, "-I", "-S", "-c", "import time; time.sleep(1.5)"],
        environment={**os.environ, "HPT_ATTEMPT_DIR": str(directory)},
        working_directory=tmp_path,
        directory=directory,
    )


def test_what_cannot_be_looked_at_is_not_taken_for_dead(launch_request: LaunchRequest) -> None:
    executor = LocalExecutor()
    handle = executor.launch(launch_request)
    with no_descriptors():
        with pytest.raises(OSError, match="Too many open files"):
            executor.poll([handle])
        with pytest.raises(OSError, match="Too many open files"):
            executor.find(launch_request.directory)
        with pytest.raises(OSError, match="Too many open files"):
            executor.sweep(handle, 0.0)
    assert executor.poll([handle]) == [Running()]
    executor.stop(handle, force=True)


def test_an_attempt_that_is_stopped_can_be_ended(launch_request: LaunchRequest) -> None:
    executor = LocalExecutor()
    argv = ["/bin/sh", "-c", "echo begun; exec sleep 60"]
    handle = executor.launch(replace(launch_request, argv=argv))
    log = launch_request.directory / launcher.LOG
    wait_until(lambda: log.exists() and "begun" in log.read_text())
    os.killpg(handle["pid"], signal.SIGSTOP)
    wait_until(lambda: executor.poll([handle]) == [Running(is_suspended=True)])
    executor.stop(handle, force=False)
    wait_until(lambda: isinstance(executor.poll([handle])[0], Exited))
    (outcome,) = executor.poll([handle])
    assert isinstance(outcome, Exited)
    assert outcome.exit_code == -signal.SIGTERM


def wait_until(is_done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20.0
    while not is_done():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_launch_that_cannot_be_seen_is_not_made_twice(launch_request: LaunchRequest) -> None:
    executor = LocalExecutor()
    with no_descriptors(), pytest.raises(OSError, match="Too many open files"):
        executor.launch(launch_request)
    handle = executor.find(launch_request.directory)
    assert handle is not None
    assert executor.poll([handle]) == [Running()]
    deadline = time.monotonic() + 20.0
    while not isinstance(outcome := executor.poll([handle])[0], Exited):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert outcome.exit_code == 0


@pytest.mark.parametrize(("status", "said"), [(256, launcher.NO_ROOM), (0, b"")])
def test_a_command_that_failed_on_a_full_disk_is_said_to_have_had_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, said: bytes
) -> None:
    refusals = [OSError(errno.ENOSPC, "no room"), OSError(errno.EDQUOT, "no room"), None]

    def write_whole(path: str, text: str) -> None:
        if refusal := refusals.pop(0):
            raise refusal
        Path(path).write_text(text)

    monkeypatch.setattr(launcher, "write_whole", write_whole)
    monkeypatch.setattr("time.sleep", lambda _: None)
    log = os.open(tmp_path / "output.log", os.O_WRONLY | os.O_CREAT)
    launcher.record_exit(str(tmp_path), log, status)
    os.close(log)
    assert (tmp_path / "output.log").read_bytes() == said
    assert (tmp_path / "exit").read_text().split()[0] == str(status >> 8)


STRAY = """
import os, time
if os.fork() == 0:
    os.setsid()
print("begun", flush=True)
time.sleep(60)
"""


def test_a_stop_does_not_wait_for_a_look_at_all_processes(
    launch_request: LaunchRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Groups are asked at once; one look finds what is outside, for all stopped by then."""
    executor, may_look, looks = LocalExecutor(), threading.Event(), list[int]()

    def look(
        *args: Any, parents: Mapping[int, Path], sessions: Mapping[int, Path]
    ) -> dict[psutil.Process, Path]:
        looks.append(len(parents) + len(sessions))
        assert may_look.wait(20.0)
        return find_processes(*args, parents=parents, sessions=sessions)

    handles = []
    for number in range(3):
        directory = launch_request.directory.with_name(f"a{number}")
        argv, environment = [*launch_request.argv[:-1], STRAY], {**launch_request.environment}
        environment["HPT_ATTEMPT_DIR"] = str(directory)
        handles.append(
            executor.launch(
                replace(launch_request, argv=argv, environment=environment, directory=directory)
            )
        )
        log = directory / launcher.LOG
        wait_until(lambda log=log: log.exists() and log.read_text().count("begun") == 2)  # type: ignore[misc]
    monkeypatch.setattr(local, "find_processes", look)
    executor.stop(handles[0], force=False)
    wait_until(lambda: looks == [1])
    executor.stop(handles[1], force=False)
    executor.stop(handles[2], force=False)
    wait_until(lambda: all(isinstance(each, Exited) for each in executor.poll(handles)))
    assert looks == [1]
    may_look.set()
    wait_until(lambda: looks == [1, 2])
    monkeypatch.undo()
    wait_until(lambda: not any(map(executor.list_leftovers, handles)))


def test_without_a_thread_a_stop_looks_itself(
    launch_request: LaunchRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(target: Callable[[], None], name: str) -> threading.Thread:
        raise HptError.of("threads", name)

    monkeypatch.setattr(local, "start_thread", refuse)
    executor = LocalExecutor()
    handle = executor.launch(replace(launch_request, argv=[*launch_request.argv[:-1], STRAY]))
    log = launch_request.directory / launcher.LOG
    wait_until(lambda: log.exists() and log.read_text().count("begun") == 2)
    executor.stop(handle, force=False)
    wait_until(lambda: isinstance(executor.poll([handle])[0], Exited))
    wait_until(lambda: executor.list_leftovers(handle) == [])


CHAIN = """
import os, time
if os.fork() == 0:
    os.setsid()
    for descriptor in range(3):
        os.close(descriptor)
    until = time.time() + 60
    while time.time() < until:
        time.sleep(0.01)
        if os.fork():
            os._exit(0)
"""


def test_what_always_starts_another_is_caught(launch_request: LaunchRequest) -> None:
    executor = LocalExecutor()
    command = [sys.executable, "-I", "-S", "-c", CHAIN]
    handle = executor.launch(replace(launch_request, argv=command, environment={}))
    deadline = time.monotonic() + 20.0
    while not isinstance(outcome := executor.poll([handle])[0], Exited):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert outcome.has_left
    assert executor.sweep(handle, 0.0).ended
    while executor.poll([handle])[0].has_left:  # type: ignore[union-attr]
        assert time.monotonic() < deadline, "the launcher stays: it has seen another"
        time.sleep(0.02)
