"""The lock that says who tunes a tuning job."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hpt_cli.errors import HptError
from hpt_cli.files import open_private, open_regular
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.storage.ownership import check_owner

NO_LOCK = (errno.ENOENT, errno.EISDIR, errno.ELOOP, errno.ENOTDIR)
"""Errors of opening a lock that mean that nobody holds it."""
LOCK_PATIENCE_SECONDS = 1.0
"""How long a tuner waits for the lock: a reader that looks at it holds it for a moment."""


@contextmanager
def hold_lock(jobdir: JobDir) -> Iterator[None]:
    """Hold the lock of a tuning job while the block runs: be its only tuner.

    Raises:
        HptError: somebody else is, or the directory is another user's.
    """
    check_owner(jobdir.path)
    # Not "w", which would erase the holder's entry before the lock is ours.
    with open(jobdir.path / "lock", "a+", opener=open_private) as file:
        deadline = time.monotonic() + LOCK_PATIENCE_SECONDS
        while not _try_lock(file.fileno(), fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                raise _locked_error(jobdir)
            time.sleep(0.05)
        file.truncate(0)
        json.dump({"pid": os.getpid(), "host": socket.gethostname()}, file)
        file.flush()
        yield


def _locked_error(jobdir: JobDir) -> HptError:
    holder = find_lock_holder(jobdir) or {}
    who = f"process {holder.get('pid', '?')} on {holder.get('host', '?')}"
    return HptError.of(
        "locked",
        f"{jobdir.name} is being tuned by {who}",
        f"watch it with 'hpt watch {jobdir.name}', or stop it with 'hpt stop {jobdir.name}'",
    )


def find_lock_holder(jobdir: JobDir) -> dict[str, Any] | None:
    """Return who tunes a job now (`pid`, `host`, as far as known); None if nobody does."""
    try:
        with open_regular(jobdir.path / "lock") as file:
            # Shared, so that two who look at the same time do not take each other for a tuner.
            if _try_lock(file.fileno(), fcntl.LOCK_SH):
                return None
            holder = json.loads(file.read() or "{}")
    except OSError as error:
        # A lock that cannot be read may well be held.
        return None if error.errno in NO_LOCK else {}
    except (ValueError, RecursionError):
        return {}
    return holder if isinstance(holder, dict) else {}


def has_tuner(jobdir: JobDir) -> bool:
    """Return whether a tuner is at work; it writes everything before it releases the lock."""
    return find_lock_holder(jobdir) is not None


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
