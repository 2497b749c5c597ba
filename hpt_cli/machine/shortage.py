"""What this machine may be short of for a while: tried again, as it says nothing about a job."""

from __future__ import annotations

import errno

from hpt_cli.errors import NO_DESCRIPTORS, TransientError

SHORTAGES = {
    *(*NO_DESCRIPTORS, errno.EAGAIN),
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE),
}
"""Errors for want of descriptors, memory, processes, room, or a disk that answers."""
NO_THREAD = "can't start new thread"
FIRST_PAUSE_SECONDS = 1.0
MAX_PAUSE_SECONDS = 30.0
"""Longest time before what was not possible is tried again."""


def is_shortage(error: BaseException) -> bool:
    """Return whether an error says that something is missing now, and may be there later."""
    if isinstance(error, OSError):
        return error.errno in SHORTAGES
    if isinstance(error, RuntimeError):
        return NO_THREAD in str(error)
    return isinstance(error, (MemoryError, TransientError))


def describe_shortage(error: BaseException) -> str:
    """Return what is missing, and the way out, in words."""
    if isinstance(error, RuntimeError) or getattr(error, "errno", 0) == errno.EAGAIN:
        return (
            f"no more processes or threads can be started ({error}): raise their limit"
            " (ulimit -u; in a container, its pids limit), or end others"
        )
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror)
    return str(error) or "there is no memory left"
