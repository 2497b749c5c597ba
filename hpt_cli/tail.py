"""Follows the log of one attempt as it grows."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Mapping
from pathlib import Path

from hpt_cli.core.log_rules import LogMatch, LogWatch
from hpt_cli.core.metrics import MetricReader, Observation, clean, split_lines
from hpt_cli.core.patterns import Pattern

CHUNK_BYTES = 1 << 20
TAIL_BYTES = 1 << 16
TAIL_LINES = 20


class LogTail:
    """The unread part of an attempt's log.

    It begins at the beginning, also when a resumed tuner takes an attempt over: that counts the
    steps right, and observations that are known already are told by their offsets.
    """

    def __init__(
        self, path: Path, patterns: Mapping[str, Pattern], watch: LogWatch | None = None
    ) -> None:
        self._path = path
        self._reader = MetricReader(patterns)
        self._watch = watch or LogWatch(())
        self._matches: list[LogMatch] = []
        self._offset = 0
        self._rest = b""

    @property
    def size(self) -> int:
        """How many bytes have been read."""
        return self._offset

    def take_matches(self) -> list[LogMatch]:
        """What the log rules found since the last time."""
        matches, self._matches = self._matches, []
        return matches

    def read(self, *, final: bool = False) -> tuple[Observation, ...]:
        """The observations that are new in the log.

        With `final` the attempt is over, and a last line without an ending counts too.
        """
        found: list[Observation] = []
        while chunk := self._read_chunk():
            found += self._take(chunk, final=False)
        if final and self._rest:
            found += self._take(b"", final=True)
        return tuple(found)

    def _take(self, chunk: bytes, *, final: bool) -> tuple[Observation, ...]:
        begin = self._offset - len(self._rest)
        data = self._rest + chunk
        lines, end = split_lines(data, begin, final=final)
        self._offset += len(chunk)
        self._rest = data[end - begin :]
        self._matches += self._watch.read(lines)
        return self._reader.read(lines)

    def _read_chunk(self) -> bytes:
        try:
            descriptor = os.open(self._path, os.O_RDONLY)
        except FileNotFoundError:
            return b""
        try:
            return os.pread(descriptor, CHUNK_BYTES, self._offset)
        finally:
            os.close(descriptor)


def read_tail(path: Path, limit: int = TAIL_LINES) -> tuple[str, ...]:
    """The last lines of a log, as a person would see them."""
    try:
        with open(path, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            start = max(0, size - TAIL_BYTES)
            file.seek(start)
            data = file.read()
    except FileNotFoundError:
        return ()
    lines, _ = split_lines(data, start, final=True)
    texts = deque((line.text for line in lines), maxlen=limit)
    return tuple(texts)


def read_lines(path: Path, limit: int = 2000) -> list[str]:
    """The last `limit` lines of a log."""
    try:
        data = path.read_bytes()[-64 * TAIL_BYTES :]
    except FileNotFoundError:
        return []
    return [clean(raw) for raw in data.replace(b"\r", b"\n").split(b"\n") if raw][-limit:]
