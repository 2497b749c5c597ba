"""What every executor must do that can pause an attempt, against real processes."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import pytest

from hpt_cli.executors import Executor, Exited, Handle, LaunchRequest, Running
from tests.contracts.processes import find_marked, wait_for_end, wait_for_output, wait_until

COUNTS = """
import subprocess, sys, time
show = "print('.', end='', flush=True)"
count = f"import time; [({show}, time.sleep(0.01)) for _ in range(6000)]"
children = [subprocess.Popen([sys.executable, "-c", count], start_new_session=each)
            for each in (False, True)]
children[0].wait()
"""
"""Prints for a minute: by a child, and by one in a session of its own."""
FORKS = """
import os, time
until = time.time() + 60
if os.fork():
    time.sleep(60)
while time.time() < until:
    if os.fork():
        time.sleep(0.005)
        os._exit(0)
    os.setsid()
    print(".", end="", flush=True)
"""
"""Prints for a minute by always another process, whose parent has gone."""


def is_growing(request: LaunchRequest, seconds: float = 0.1) -> bool:
    log = request.directory / "output.log"
    size = log.stat().st_size
    time.sleep(seconds)
    return log.stat().st_size > size


def is_paused(executor: Executor, handle: Handle) -> bool:
    outcome = executor.poll([handle])[0]
    return isinstance(outcome, Running) and outcome.is_suspended


@pytest.mark.parametrize("code", [COUNTS, FORKS])
def test_a_paused_attempt_stands_still_until_it_is_thawed(
    executor: Executor, launch_request: Callable[..., LaunchRequest], code: str
) -> None:
    asked = launch_request(code)
    handle = executor.launch(asked)
    wait_for_output(asked, "....")
    for _ in range(2):  # twice is as once
        executor.pause(handle)
    wait_until(lambda: not is_growing(asked))
    wait_until(lambda: is_paused(executor, handle))
    assert not is_growing(asked, 0.2)
    executor.thaw(handle)
    executor.thaw(handle)
    wait_until(lambda: is_growing(asked))
    wait_until(lambda: not is_paused(executor, handle))
    executor.stop(handle, force=True)
    wait_for_end(executor, handle)
    executor.sweep(handle, 0)
    wait_until(lambda: find_marked(asked.directory) == [])


def test_it_shows_soon_that_an_attempt_is_paused(
    executor: Executor, launch_request: Callable[..., LaunchRequest]
) -> None:
    asked = launch_request(COUNTS)
    handle = executor.launch(asked)
    wait_for_output(asked, "....")
    waited = []
    for _ in range(3):
        executor.poll([handle])
        executor.pause(handle)
        paused_at = time.monotonic()
        wait_until(lambda: is_paused(executor, handle))
        waited.append(time.monotonic() - paused_at)
        executor.thaw(handle)
        wait_until(lambda: not is_paused(executor, handle))
    assert min(waited) < 0.3, "so that it is noticed when somebody continues it"
    executor.stop(handle, force=True)
    wait_for_end(executor, handle)


@pytest.mark.parametrize("force", [False, True])
def test_a_paused_attempt_is_stopped_as_any_other(
    executor: Executor, launch_request: Callable[..., LaunchRequest], force: bool
) -> None:
    asked = launch_request(
        "import signal, time; signal.signal(signal.SIGTERM, lambda *_: exit(5));"
        "print('ready', flush=True); time.sleep(60)"
    )
    handle = executor.launch(asked)
    wait_for_output(asked, "ready")
    executor.pause(handle)
    executor.stop(handle, force=force)
    outcome = wait_for_end(executor, handle)
    assert isinstance(outcome, Exited)
    assert outcome.exit_code == (-signal.SIGKILL if force else 5)


def test_another_executor_thaws_what_one_has_paused(
    executor: Executor, launch_request: Callable[..., LaunchRequest]
) -> None:
    asked = launch_request(COUNTS + "sys.exit(3)")
    handle = executor.launch(asked)
    wait_for_output(asked, "....")
    executor.pause(handle)
    wait_until(lambda: not is_growing(asked))
    later = type(executor)()
    found = later.find(asked.directory)
    assert found is not None
    wait_until(lambda: is_paused(later, found))
    later.thaw(found)
    wait_until(lambda: is_growing(asked))
    later.stop(found, force=True)
    wait_for_end(later, found)
    later.sweep(found, 0)
