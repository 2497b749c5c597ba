"""Which processes are suspended."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from hpt_cli.executors.suspension import is_family_suspended, is_suspended


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def test_a_process_is_suspended_from_sigstop_to_sigcont(process: subprocess.Popen[bytes]) -> None:
    assert not is_suspended(process.pid)
    process.send_signal(signal.SIGSTOP)
    os.waitpid(process.pid, os.WUNTRACED)
    assert is_suspended(process.pid)
    process.send_signal(signal.SIGCONT)
    os.waitpid(process.pid, os.WCONTINUED)
    assert not is_suspended(process.pid)


def test_one_that_waits_for_a_suspended_process_is_suspended_too() -> None:
    with subprocess.Popen(["sh", "-c", "sleep 60; true"]) as shell:
        (sleep,) = wait_for_children(shell.pid)
        os.kill(sleep, signal.SIGSTOP)
        deadline = time.monotonic() + 20
        while not is_family_suspended(shell.pid):
            assert time.monotonic() < deadline
        assert not is_suspended(shell.pid)
        os.kill(sleep, signal.SIGKILL)
        shell.kill()


def test_one_with_a_suspended_process_among_others_goes_on() -> None:
    with subprocess.Popen(["sh", "-c", "sleep 60 & sleep 60; true"]) as shell:
        processes = wait_for_children(shell.pid, 2)
        os.kill(processes[0], signal.SIGSTOP)
        deadline = time.monotonic() + 20
        while not is_suspended(processes[0]):
            assert time.monotonic() < deadline
        assert not is_family_suspended(shell.pid)
        for each in (*processes, shell.pid):
            os.kill(each, signal.SIGKILL)


def test_one_that_waits_for_several_that_are_all_suspended_is_suspended_too() -> None:
    with subprocess.Popen(["sh", "-c", "sleep 60 & sleep 60 & wait; true"]) as shell:
        processes = wait_for_children(shell.pid, 2)
        for each in processes:
            os.kill(each, signal.SIGSTOP)
        deadline = time.monotonic() + 20
        while not is_family_suspended(shell.pid):
            assert time.monotonic() < deadline
        for each in (*processes, shell.pid):
            os.kill(each, signal.SIGKILL)


def wait_for_children(pid: int, count: int = 1) -> list[int]:
    deadline = time.monotonic() + 20
    while len(found := psutil.Process(pid).children()) < count:
        assert time.monotonic() < deadline
    return [each.pid for each in found]


def test_one_that_is_gone_is_not_suspended(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    assert not is_suspended(process.pid)


@pytest.mark.parametrize(
    ("groups", "file", "text", "frozen"),
    [
        ("0::/a/b", "a/b/cgroup.events", "populated 1\nfrozen 1\n", True),
        ("0::/a/b", "a/b/cgroup.events", "populated 1\nfrozen 0\n", False),
        ("0::/", "cgroup.events", "populated 1\nfrozen 1\n", True),
        ("1:cpu:/x\n0::/a", "unified/a/cgroup.events", "frozen 1\n", True),
        ("4:cpu,freezer:/x\n0::/a", "freezer/x/freezer.state", "FROZEN\n", True),
        ("4:freezer:/x\n0::/a", "freezer/x/freezer.state", "THAWED\n", False),
        ("4:freezer:/x", "freezer/elsewhere/freezer.state", "FROZEN\n", False),
        ("what is this", "cgroup.events", "frozen 1\n", False),
    ],
)
def test_a_process_is_suspended_while_its_control_group_is_frozen(
    tmp_path: Path, groups: str, file: str, text: str, frozen: bool
) -> None:
    for path, content in ((f"proc/{os.getpid()}/cgroup", groups), (f"sys/fs/cgroup/{file}", text)):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content)
    assert is_suspended(os.getpid(), str(tmp_path)) is frozen
