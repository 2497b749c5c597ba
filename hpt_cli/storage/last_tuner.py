"""Whether the tuner that the journal names last is still at work, whatever became of its lock."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from typing import Any

from hpt_cli.errors import HptError
from hpt_cli.executors.launcher import identify
from hpt_cli.executors.whereabouts import has_open
from hpt_cli.files import open_regular
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.storage.journal import open_journal

BEAT_PATIENCE_SECONDS = 4.0
"""How long a file that is touched every second is watched until it counts as left."""
LOOK_SECONDS = 0.1


def find_last_tuner(jobdir: JobDir) -> dict[str, Any] | None:
    """Return the last tuner (`pid`, `host`) if it is alive; None otherwise.

    It takes some seconds where its heartbeat has to be listened to: it was on another machine.
    """
    if not jobdir.journal.is_file():
        return None
    try:
        with open_journal(jobdir.journal) as journal:
            tuner = journal.find_tuner()
    except HptError:
        return None  # who wants to tune will hear of it
    if tuner is None or not jobdir.heartbeat.is_file():
        return None
    is_here = tuner.host == socket.gethostname()
    if is_here and (tuner.pid == os.getpid() or not has_process(tuner.pid)):
        return None
    is_alive = has_open(tuner.pid, jobdir.path, jobdir.journal) if is_here else None
    if is_alive is None:
        is_alive = is_beating(jobdir.heartbeat)
    return {"pid": tuner.pid, "host": tuner.host} if is_alive else None


def has_process(pid: object) -> bool:
    """Return whether a process of this machine has a number, and is no zombie."""
    if not isinstance(pid, int) or pid <= 0:
        return False
    if os.path.exists("/proc/self/stat"):
        return bool(identify(pid))
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def is_beating(path: Path) -> bool:
    """Return whether a file is touched while one looks: at once when it is, else after a while.

    The clocks of two machines may differ, so its time says nothing; that it changes does.
    """
    before, deadline = _read_beat(path), time.monotonic() + BEAT_PATIENCE_SECONDS
    while before is not None and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
        if _read_beat(path) != before:
            return True
    return False


def _read_beat(path: Path) -> int | None:
    try:
        # Opened, as NFS asks its server again only then.
        with open_regular(path) as file:
            return os.fstat(file.fileno()).st_mtime_ns
    except OSError:
        return None
