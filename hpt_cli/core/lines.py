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
    r"\x1b(?:"
    r"\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor movements
    r"|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\|$)"  # OSC and other strings: titles, links
    r"|[ -/]*[0-~])"  # two characters, and character sets
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
            whole = bytes(self._rest) + block[start:end]
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


def needs_cleaning(data: bytes) -> bool:
    """Whether there is anything in it that a terminal would act on."""
    return b"\x1b" in data or b"\b" in data


def clean(raw: bytes) -> str:
    """A line as a person would see it: decoded, without ANSI sequences, and with backspaces done.

    Bytes that are not UTF-8 become replacement characters. It has no more characters than bytes.
    """
    text = raw.decode("utf-8", errors="replace")
    if "\x1b" in text:
        text = _ESCAPE.sub("", text)
    return _overwrite(text) if "\b" in text else text


def _overwrite(text: str) -> str:
    """What is seen when backspaces move the cursor back, and what follows is written over."""
    first, *pieces = text.split("\b")
    shown, cursor = list(first), len(first)
    for piece in pieces:
        cursor = max(0, cursor - 1)
        shown[cursor : cursor + len(piece)] = piece
        cursor += len(piece)
    return "".join(shown)


def split_lines(data: bytes) -> list[str]:
    """All lines of a log that is at hand as a whole, without the empty ones."""
    cutter = LineCutter()
    segments = [*cutter.feed(data), *cutter.finish()]
    return [clean(raw) for each in segments for raw in each.data.split(b"\n") if raw]
