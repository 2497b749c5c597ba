"""Reads parts of a training job's log: its end, its beginning, or all of it in blocks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hpt_cli.errors import NO_DESCRIPTORS
from hpt_cli.files import open_regular
from hpt_cli.metrics.lines import split_lines

READ_BYTES = 1 << 20
TAIL_BYTES = 1 << 16
TAIL_LINES = 20
HOLE = bytes(4096)
"""A block of a hole: earlier versions of hpt gave up the middle of long logs."""


def read_part(log: Path, offset: int, size: int) -> bytes:
    """Return some bytes of a log.

    Raises:
        OSError: it cannot be read.
    """
    with open_regular(log) as file:
        file.seek(offset)
        return file.read(size)


def read_blocks(log: Path, offset: int = 0) -> Iterator[tuple[int, bytes]]:
    """Yield a log from an offset on, in blocks without holes, each with the offset behind it.

    Raises:
        OSError: it cannot be read.
    """
    with open_regular(log) as file:
        file.seek(offset)
        while block := file.read(READ_BYTES):
            offset += len(block)
            yield offset, block.replace(HOLE, b"")


def read_tail(log: Path, limit: int = TAIL_LINES) -> tuple[str, ...]:
    """Return the last lines of a log, as a terminal would show them."""
    return tuple(split_lines(_read_end(log, TAIL_BYTES))[-limit:])


def read_lines(log: Path, limit: int = 2000, until: int | None = None) -> list[str]:
    """Return the last `limit` lines of a log, or of its first `until` bytes, from 4 MiB."""
    return split_lines(_read_end(log, 64 * TAIL_BYTES, until))[-limit:]


def _read_end(log: Path, size: int, until: int | None = None) -> bytes:
    try:
        until = log.stat().st_size if until is None else until
        start = max(0, until - size)
        end = read_part(log, start, until - start)
    except OSError as error:
        if error.errno in NO_DESCRIPTORS:
            raise
        return b""
    return end.rpartition(HOLE)[2]
