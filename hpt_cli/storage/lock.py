"""The lock that says who tunes a tuning job.

It is flock(2) on a file that names its holder, and goes with the process. But some file systems
have no such locks, or none that other machines see, and people remove "stale" locks while a tuner
is at work. So the holder looks once a second whether the file is still its own, and makes it anew
if it is gone; where there are no locks, what the file says of its holder decides; and the journal
says who tuned last (last_tuner.py), and refuses who is late (journal.py).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hpt_cli.errors import HptError
from hpt_cli.executors.launcher import identify
from hpt_cli.files import open_regular
from hpt_cli.storage.home import name_command
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.storage.last_tuner import find_last_tuner, has_process, is_beating
from hpt_cli.storage.ownership import check_owner

NAME = "lock"
NO_LOCKS = (
    "this file system has no locks (flock), so hpt goes by what its files say: do not tune one"
    " tuning job there on two machines at once"
)
NO_LOCK = (errno.ENOENT, errno.EISDIR, errno.ELOOP, errno.ENOTDIR)
"""Errors of opening a lock that mean that nobody holds it."""
LOCK_PATIENCE_SECONDS = 1.0
"""How long a tuner waits for the lock: a reader that looks at it holds it for a moment."""
LOOK_SECONDS = 1.0
"""Time between two looks of the holder at its lock."""
SETTLE_SECONDS = 0.3
"""How long a lock must keep its holder's name where the file system has no locks."""
EXIT_SECONDS = 2.0


@contextmanager
def hold_lock(jobdir: JobDir) -> Iterator[str]:
    """Hold the lock of a tuning job while the block runs: be its only tuner.

    Yields:
        What the user should know of it; empty where locks work.

    Raises:
        HptError: somebody else is, or the directory is another user's.
        OSError: the lock cannot be written.
    """
    check_owner(jobdir.path)
    with _Lock(jobdir.path) as lock:
        deadline = time.monotonic() + LOCK_PATIENCE_SECONDS
        while not lock.take():
            if time.monotonic() > deadline:
                raise _locked_error(jobdir, find_lock_holder(jobdir))
            time.sleep(0.05)
        # Whoever removed its lock, or cannot see that there is one, has not stopped it.
        if tuner := find_last_tuner(jobdir):
            raise _locked_error(jobdir, tuner)
        lock.keep()
        yield "" if lock.is_real else f"{jobdir.path}: {NO_LOCKS}"


def _locked_error(jobdir: JobDir, holder: dict[str, Any] | None) -> HptError:
    holder = holder or {}
    who = f"process {holder.get('pid', '?')} on {holder.get('host', '?')}"
    return HptError.of(
        "locked",
        f"{jobdir.name} is being tuned by {who}",
        f"watch it with '{name_command('watch', jobdir)}', or stop it with"
        f" '{name_command('stop', jobdir)}'",
    )


def find_lock_holder(jobdir: JobDir) -> dict[str, Any] | None:
    """Return who tunes a job now (`pid`, `host`, as far as known); None if nobody does."""
    path = jobdir.path / NAME
    try:
        with open_regular(path) as file:
            # Shared, so that two who look at the same time do not take each other for a tuner.
            is_free = _try_lock(file.fileno(), fcntl.LOCK_SH)
            holder = None if is_free else _parse(file.read())
    except FileNotFoundError:
        return find_last_tuner(jobdir)
    except OSError as error:
        # A lock that cannot be read may well be held.
        return None if error.errno in NO_LOCK else {}
    if is_free is None and not (holder and _is_alive(path, holder)):
        return None
    return holder


def has_tuner(jobdir: JobDir) -> bool:
    """Return whether a tuner is at work; it writes everything before it releases the lock."""
    return find_lock_holder(jobdir) is not None


class _Lock:
    """The lock file of a directory, by the directory itself: it may be moved, or replaced."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / NAME
        self._directory = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._descriptor: int | None = None
        self.is_real = True
        """Whether it is a lock for the file system too."""
        self._is_over = threading.Event()
        self._changing = threading.Lock()
        self._text = json.dumps(
            {
                "pid": os.getpid(),
                "host": socket.gethostname(),
                "identity": identify(os.getpid()),
            }
        ).encode()

    def __enter__(self) -> _Lock:
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        # A disk that does not answer may hold up the thread for ever.
        if not self._changing.acquire(timeout=EXIT_SECONDS):
            return
        if self._descriptor is not None:
            # Nobody has to find out whether the process that it names is still there.
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
        os.close(self._directory)

    def take(self) -> bool:
        """Take the lock if it is free; return whether that was so.

        Raises:
            OSError: the file cannot be written.
        """
        descriptor: int | None = self._open()
        assert descriptor is not None
        try:
            is_free = _try_lock(descriptor, fcntl.LOCK_EX)
            # A lock on a file that has been removed would keep nobody out.
            if is_free is False or not self._is_current(descriptor):
                return False
            if is_free is None and not self._is_left(descriptor):
                return False
            self._write(descriptor)
            if is_free is None:
                # Of several that came at once, the one that wrote last has it.
                time.sleep(SETTLE_SECONDS)
                if os.pread(descriptor, len(self._text) + 1, 0) != self._text:
                    return False
            self.is_real = is_free is not None
            descriptor, self._descriptor = self._descriptor, descriptor
            return True
        finally:
            if descriptor is not None:
                os.close(descriptor)

    def keep(self) -> None:
        """From now on look again and again whether the lock is still there."""
        # Where no thread can be had, it goes without.
        with contextlib.suppress(RuntimeError):
            threading.Thread(target=self._keep, name="lock", daemon=True).start()

    def _keep(self) -> None:
        while not self._is_over.wait(LOOK_SECONDS):
            with self._changing, contextlib.suppress(OSError):
                if self._is_over.is_set() or self._descriptor is None:
                    return
                if self._is_current(self._descriptor):
                    # Other machines see by its time that the holder is alive.
                    os.utime(self._descriptor)
                else:
                    self.take()

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_NONBLOCK
        return os.open(NAME, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=self._directory)

    def _is_current(self, descriptor: int) -> bool:
        """Return whether a descriptor is of the file that has the lock's name."""
        try:
            there = os.stat(NAME, dir_fd=self._directory, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return os.path.samestat(there, os.fstat(descriptor))

    def _is_left(self, descriptor: int) -> bool:
        """Return whether no living process is named by a lock of a file system without locks."""
        holder = _parse(os.pread(descriptor, 1 << 16, 0))
        return not holder or not _is_alive(self._path, holder)

    def _write(self, descriptor: int) -> None:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, self._text, 0)


def _parse(text: bytes) -> dict[str, Any]:
    try:
        holder = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return holder if isinstance(holder, dict) else {}


def _is_alive(path: Path, holder: dict[str, Any]) -> bool:
    """Return whether the process that a lock names is alive, here or on another machine."""
    if holder.get("host") != socket.gethostname():
        return is_beating(path)
    return has_process(holder.get("pid")) and holder.get("identity") == identify(holder["pid"])


def _try_lock(descriptor: int, kind: int) -> bool | None:
    """Lock a file; return whether it was free, None on a file system without such locks."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True
