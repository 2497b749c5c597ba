"""Opening files safely where others may have put something else in their place.

Reading a pipe or a device may never end, and a symbolic link may lead anywhere. So only regular
files are read, and nothing is written through a link.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from io import BufferedReader
from pathlib import Path

NO_FILE = (errno.ELOOP, errno.ENXIO, errno.ENODEV)
"""Errors of a link that leads to itself, a socket, or a device without a driver."""


def find_state_directory() -> Path:
    """Return where hpt keeps what all tuning jobs of the user share; it need not exist.

    Raises:
        RuntimeError: the user has no home directory.
    """
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state, "hpt")


def open_regular(path: Path) -> BufferedReader:
    """Return a regular file opened for reading; a pipe, device or directory counts as missing.

    Raises:
        FileNotFoundError: there is no regular file.
        OSError: it cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in NO_FILE:
            raise _not_regular(path) from error
        raise
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return open(descriptor, "rb")
    os.close(descriptor)
    raise _not_regular(path)


def _not_regular(path: Path) -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, "not a regular file", str(path))


def read_regular(path: Path) -> str:
    """Return the text of a small file.

    Raises:
        OSError: as `open_regular`.
        ValueError: it is not UTF-8.
    """
    with open_regular(path) as file:
        return file.read().decode()


def move_over(source: Path, target: Path) -> None:
    """Put a file in the place of another, which a reader finds whole: the old one, or the new one.

    On a file system that cannot rename it is copied; there a reader may find an empty file.

    Raises:
        OSError: it cannot be written.
    """
    try:
        os.replace(source, target)
    except OSError:
        shutil.copyfile(source, target)
        source.unlink()


def open_private(path: str, flags: int) -> int:
    """Return a descriptor for `open(opener=...)`: new files are private, links are not followed."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
