"""Reaps orphans where this process is the parent of all of them: as process 1 of a container.

A launcher adopts what its command leaves behind; but who kills the launcher, or leaves a process in
a command of `notify`, would fill the container's table of processes with zombies.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

LOOK_SECONDS = 2.0


class OrphanReaper:
    """Reaps zombies that nobody in this process waits for."""

    def __init__(self) -> None:
        self._looked_at = 0.0
        self._zombies: frozenset[int] = frozenset()

    def reap(self) -> None:
        """Reap the children that were zombies at the last look already; one look in two seconds.

        Who waits for a child of its own does so at once.
        """
        now = time.monotonic()
        if now - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at = now
        before, self._zombies = self._zombies, frozenset(_list_zombies())
        for pid in before & self._zombies:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def _list_zombies() -> Iterator[int]:
    """Yield the children that are zombies, without those of this process's session.

    An orphan is of its launcher's session, or has one of its own. Nothing without /proc.
    """
    own = os.getsid(0)
    for path in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):  # the thread has ended
            for pid in map(int, path.read_text().split()):
                if _is_zombie(pid) and os.getsid(pid) != own:
                    yield pid


def _is_zombie(pid: int) -> bool:
    try:
        # The state follows the program's name, which is in parentheses and may hold some.
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] == b"Z"
    except OSError:
        return False
