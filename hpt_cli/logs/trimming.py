"""The middle of a log, given up for room on the disk: a gap between its head and its tail.

The log keeps its length, so offsets mean what they did; where the gap is, the file has a hole. What
was there had been read, and what it told is in the journal. Beside the log stands where its gap is,
and how to go on reading without what was there.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from hpt_cli.files import open_private, open_regular, read_regular
from hpt_cli.metrics.reader import Bookmark

BLOCK_BYTES = 4096
"""Holes begin and end at a multiple of this; file systems keep blocks, not bytes."""
READ_BYTES = 1 << 20
UNSUPPORTED = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EPERM, errno.ENODEV)
"""What a file system says that makes no holes."""

_KEEP_SIZE, _PUNCH_HOLE = 1, 2  # <linux/falloc.h>


@dataclass(frozen=True, slots=True)
class Gap:
    """What was given up of a log: bytes from `begin` up to `end`.

    A reader goes on at `position`, which is behind the gap, with its bookmark; `anchor` is what
    stands before that, in hexadecimal.
    """

    begin: int
    end: int
    position: int
    anchor: str
    bookmark: Bookmark


def find_gap(log: Path) -> Gap | None:
    """The gap of a log; None where there is none.

    Raises:
        OSError: nobody can tell.
    """
    try:
        fields = json.loads(read_regular(_path(log)))
        return Gap(
            begin=int(fields["begin"]),
            end=int(fields["end"]),
            position=int(fields["position"]),
            anchor=bytes.fromhex(fields["anchor"]).hex(),
            bookmark=Bookmark.of(fields["bookmark"]),
        )
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError, RecursionError):
        # Not written by hpt.
        return None


def make_gap(log: Path, gap: Gap) -> None:
    """Write down where a log's gap is, and give up what is there.

    In this order, each on disk before the next: a hole that nothing tells of would be read as text.

    Raises:
        OSError: the file system makes no holes (see UNSUPPORTED), or the disk is full.
    """
    before = find_gap(log)
    # A log that is a link by now leads to a file that is not ours to make holes in.
    descriptor = os.open(log, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        _write(log, gap)
        _punch_hole(descriptor, gap.begin, gap.end)
    except OSError:
        forget_gap(log)
        if before is not None:
            _write(log, before)
        raise
    finally:
        os.close(descriptor)


def forget_gap(log: Path) -> None:
    """The log was begun anew."""
    _path(log).unlink(missing_ok=True)


def read_kept(log: Path, offset: int = 0) -> Iterator[tuple[int, bytes]]:
    """What there is of a log from an offset on, in blocks, with the offset behind each; one line
    stands for the gap.

    Raises:
        OSError: it cannot be read.
    """
    with open_regular(log) as file:
        gap = find_gap(log)
        if gap is not None and offset < gap.end:
            file.seek(offset)
            head = file.read(max(0, gap.begin - offset))
            head = head[: head.rfind(b"\n") + 1]
            line = f"[... {gap.end - gap.begin:,} bytes left out, by max_log_bytes ...]\n"
            file.seek(gap.end)
            rest = file.readline(READ_BYTES)  # the end of a line that began in the gap
            offset = gap.end + len(rest)
            yield offset, head + line.encode()
        file.seek(offset)
        while block := file.read(READ_BYTES):
            offset += len(block)
            yield offset, block


def read_part(path: Path, offset: int, size: int) -> bytes:
    """Some bytes of a file.

    Raises:
        OSError: it cannot be read.
    """
    with open_regular(path) as file:
        file.seek(offset)
        return file.read(size)


def _path(log: Path) -> Path:
    return log.with_suffix(".gap")


def _write(log: Path, gap: Gap) -> None:
    path = _path(log)
    temporary = path.with_suffix(".gap.new")
    try:
        with open(temporary, "w", opener=open_private) as file:
            json.dump(asdict(gap), file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def _punch_hole(descriptor: int, begin: int, end: int) -> None:
    """Give the blocks of a part of a file back to the file system; the file keeps its length."""
    import ctypes

    if sys.platform != "linux":
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
    libc = ctypes.CDLL(None, use_errno=True)
    fallocate = getattr(libc, "fallocate64", None) or libc.fallocate
    bounds = ctypes.c_int64(begin), ctypes.c_int64(end - begin)
    if fallocate(descriptor, _KEEP_SIZE | _PUNCH_HOLE, *bounds):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
