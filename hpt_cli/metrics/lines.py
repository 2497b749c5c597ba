"""From the bytes of a log, in blocks of any size, to lines as a person would see them.

Lines end at LF, CR or CRLF, so that progress bars count. However the bytes are cut into blocks, the
lines are the same. A line is searched up to MAX_LINE_BYTES, so that neither time nor memory grow
with what has no end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

MAX_LINE_BYTES = 1 << 16

_ESCAPE = re.compile(
    rb"\x1b(?:"
    rb"\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor movements
    rb"|[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\|(?=\n)|\Z)"  # OSC and other strings: titles, links
    rb"|[ -/]*[0-~])"  # two characters, and character sets
)


class Segment(NamedTuple):
    """Whole lines that follow each other, each ended by LF (the last may lack it)."""

    offset: int
    """Where it begins in the log, in bytes."""
    data: bytes
    is_cut: bool = False
    """It is only the beginning of one long line."""


class LineCutter:
    """Cuts blocks of a log into segments of whole lines; holds back what has no ending yet."""

    def __init__(self, offset: int = 0) -> None:
        self.offset = offset
        """Where the next block begins in the log, in bytes."""
        self._rest = bytearray()
        self._skips = False
        """Whether the next block begins in a long line, of which no more is looked at."""

    def feed(self, block: bytes) -> list[Segment]:
        """The lines that are complete with this block."""
        begin = self.offset
        self.offset += len(block)
        if b"\r" in block:
            block = block.replace(b"\r", b"\n")
        start = 0
        if self._skips:
            start = block.find(b"\n") + 1
            if not start:
                return []
            self._skips = False
        end = block.rfind(b"\n") + 1
        segments: list[Segment] = []
        if end > start:
            whole = b"".join((self._rest, memoryview(block)[start:end]))
            segments += _cut_long_lines(begin + start - len(self._rest), whole)
            self._rest.clear()
            start = end
        self._rest += block[start:]
        if len(self._rest) > MAX_LINE_BYTES:
            at = self.offset - len(self._rest)
            segments.append(Segment(at, bytes(self._rest[:MAX_LINE_BYTES]), is_cut=True))
            self._rest.clear()
            self._skips = True
        return segments

    def finish(self) -> list[Segment]:
        """The last line, if it has no ending; what comes after it begins a line."""
        self._skips = False
        if not self._rest:
            return []
        segment = Segment(self.offset - len(self._rest), bytes(self._rest))
        self._rest.clear()
        return [segment]


def _cut_long_lines(offset: int, whole: bytes) -> Iterator[Segment]:
    """Lines, with those that are too long apart and cut. Every line ends with LF."""
    start = position = 0
    while len(whole) - position > MAX_LINE_BYTES:
        end = whole.rfind(b"\n", position, position + MAX_LINE_BYTES + 1)
        if end >= 0:
            position = end + 1
            continue
        if position > start:
            yield Segment(offset + start, whole[start:position])
        cut = whole[position : position + MAX_LINE_BYTES]
        yield Segment(offset + position, cut, is_cut=True)
        start = position = whole.find(b"\n", position + MAX_LINE_BYTES) + 1
    if start < len(whole):
        yield Segment(offset + start, whole[start:])


def clean_lines(data: bytes) -> bytes:
    """Lines as a person would see them: without ANSI sequences, and with backspaces done.

    As many lines as before, of which none has become longer in characters.
    """
    if b"\x1b" in data:
        data = _ESCAPE.sub(b"", data)
    if b"\b" in data:
        lines = (_overwrite(raw) if b"\b" in raw else raw for raw in data.split(b"\n"))
        data = b"\n".join(lines)
    return data


def decode(raw: bytes) -> str:
    """Text of a log; bytes that are not UTF-8 become replacement characters."""
    return raw.decode("utf-8", errors="replace")


def clean(raw: bytes) -> str:
    """One line as a person would see it."""
    return decode(clean_lines(raw))


def _overwrite(raw: bytes) -> bytes:
    """What is seen when backspaces move the cursor back, and what follows is written over."""
    first, *pieces = decode(raw).split("\b")
    shown, cursor = list(first), len(first)
    for piece in pieces:
        cursor = max(0, cursor - 1)
        shown[cursor : cursor + len(piece)] = piece
        cursor += len(piece)
    return "".join(shown).encode()


def split_lines(data: bytes) -> list[str]:
    """All lines of a log that is at hand as a whole, without the empty ones."""
    cutter = LineCutter()
    segments = [*cutter.feed(data), *cutter.finish()]
    shown = (line for each in segments for line in clean_lines(each.data).split(b"\n"))
    return [decode(raw) for raw in shown if raw]
