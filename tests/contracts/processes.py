"""Processes of attempts, and waiting for what they do."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import psutil

from hpt_cli.executors import Executor, Exited, Handle, LaunchRequest, Lost, Outcome

PATIENCE = 20.0


def find_marked(directory: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("HPT_ATTEMPT_DIR") == str(directory):
                found.append(process)
        except psutil.Error:
            continue
    return found


def wait_until(is_done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_done():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def wait_for_end(executor: Executor, handle: Handle) -> Outcome:
    wait_until(lambda: isinstance(executor.poll([handle])[0], (Exited, Lost)))
    return executor.poll([handle])[0]


def wait_for_output(launch_request: LaunchRequest, text: str) -> None:
    log = launch_request.directory / "output.log"
    wait_until(lambda: log.exists() and text in log.read_text())
