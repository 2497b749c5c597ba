"""How SQLite locks a journal on a file system that has no locks (Lustre without `-o flock`, FUSE).

There it makes a directory beside the file, which readers and the writer take turns to hold. A
process that is killed leaves it behind, so one that is too old is removed.
"""

from __future__ import annotations

import contextlib
import fcntl
import time
from pathlib import Path

from hpt_cli.files import open_regular

STALE_SECONDS = 20.0
"""A lock is held for one read or write: one so old was left by a process that was killed."""
LOOK_SECONDS = 0.1
PROBE = "spec.yaml"
"""A file beside the journal to try out a lock: on the journal itself it would end SQLite's own."""


def choose_locks(path: Path) -> str:
    """Return the part of a journal's URI that says how it is locked; empty for the usual way."""
    if _has_locks(path.with_name(PROBE)):
        return ""
    _await_lock(path.with_name(f"{path.name}.lock"))
    return "vfs=unix-dotfile&"


def _has_locks(probe: Path) -> bool:
    try:
        file = open_regular(probe)
    except OSError:
        return True
    with file:
        try:
            fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
    return True


def _await_lock(lock: Path) -> None:
    """Wait until a lock is gone, and remove it if that takes too long."""
    with contextlib.suppress(OSError):
        while time.time() - lock.stat().st_mtime < STALE_SECONDS:
            time.sleep(LOOK_SECONDS)
        lock.rmdir()
