"""Opening files that others may have put there, or put something else in the place of.

A pipe or a device may have no end, or never answer, and a symbolic link may lead anywhere. So only
what is a file is read, and what is written is written where it is meant to be.
"""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path

NO_FILE = (errno.ELOOP, errno.ENXIO, errno.ENODEV)
"""What a link that leads to itself, a socket, or a device without a driver says."""


def open_regular(path: Path) -> BufferedReader:
    """Open a file for reading; a pipe, a device or a directory in its place counts as no file.

    Raises:
        FileNotFoundError: there is none.
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
    return FileNotFoundError(errno.ENOENT, "there is something else than a file", str(path))


def read_regular(path: Path) -> str:
    """The text of a small file. Raises as `open_regular` does, and ValueError for no UTF-8."""
    with open_regular(path) as file:
        return file.read().decode()


def open_private(path: str, flags: int) -> int:
    """For `open(opener=...)`: a new file is its user's alone, and a link is not followed."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
