"""Blocks of a log -> lines as a terminal would show them.

Lines end at LF, CR or CRLF, so each state of a progress bar is a line. The lines do not depend on
how the log is cut into blocks. Only the first MAX_LINE_BYTES of a line are kept, which bounds time
and memory for a line that never ends.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

MAX_LINE_BYTES = 1 << 16

_ESCAPE = re.compile(
    rb"\x1b(?:"
    rb"\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor movements
    rb"|[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\|(?=\n)|\Z)"  # OSC and other strings: titles, links
    rb"|[ -/]*[0-~])"  # two characters, and character sets
)


def to_utf8(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the blocks of a log in UTF-8, if it is in UTF-16, as PowerShell writes it."""
    decoder: codecs.IncrementalDecoder | None = None
    for number, block in enumerate(blocks):
        if number == 0 and block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            decoder = codecs.getincrementaldecoder("utf-16")("replace")
        yield decoder.decode(block).encode("utf-8", "replace") if decoder else block


class Segment(NamedTuple):
    """Consecutive lines, each ended by LF; the last may lack it."""

    offset: int
    """Where the segment begins in the log, in bytes."""
    data: bytes
    is_cut: bool = False
    """Whether it is the beginning of one line that is too long."""


class LineCutter:
    """Cuts blocks of a log into segments of whole lines; keeps the last line until it has ended."""

    def __init__(self, offset: int = 0) -> None:
        self.offset = offset
        """Where the next block begins in the log, in bytes."""
        self._rest = bytearray()
        self._skips = False
        """Whether the next block begins within a long line, whose rest is skipped."""

    def feed(self, block: bytes) -> list[Segment]:
        """Return the lines that this block completes."""
        begin = self.offset
        self.offset += len(block)
        if b"\r" in block:
            # Byte for byte, so that offsets hold. CRLF leaves an empty line, in which nothing is
            # found.
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
            # It is not waited for any longer; what still comes of this line is skipped.
            at = self.offset - len(self._rest)
            segments.append(Segment(at, bytes(self._rest[:MAX_LINE_BYTES]), is_cut=True))
            self._rest.clear()
            self._skips = True
        return segments

    def finish(self) -> list[Segment]:
        """Return the last line if it has no ending; the next block begins a new line."""
        self._skips = False
        if not self._rest:
            return []
        segment = Segment(self.offset - len(self._rest), bytes(self._rest))
        self._rest.clear()
        return [segment]


def _cut_long_lines(offset: int, whole: bytes) -> Iterator[Segment]:
    """Yield segments of whole lines; a line that is too long is a segment of its own, cut."""
    start = position = 0
    while len(whole) - position > MAX_LINE_BYTES:
        # An LF within reach ends lines that are short enough; without one, the next line is too
        # long.
        end = whole.rfind(b"\n", position, position + MAX_LINE_BYTES + 1)
        if end >= 0:
            position = end + 1
            continue
        if position > start:
            yield Segment(offset + start, whole[start:position])
        cut = whole[position : position + MAX_LINE_BYTES]
        yield Segment(offset + position, cut, is_cut=True)
        # There is an LF, as `whole` ends with one.
        start = position = whole.find(b"\n", position + MAX_LINE_BYTES) + 1
    if start < len(whole):
        yield Segment(offset + start, whole[start:])


_STRING_OR_BRACE = re.compile(rb'"(?:[^"\\\n]|\\.)*"|[{}]')
_UNFINISHED = re.compile(rb"\n(?<=[{\[, \t\r]\n)")
"""The end of a line after which more must follow; or blanks, before which that may stand."""


class DocumentJoiner:
    """Joins the lines of JSON documents that are written over several, as with an indent.

    A line that begins with a brace, and ends where more must follow, begins one. Every byte stays
    where it is, but for line ends within a document, which become blanks.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._depth = 0

    def feed(self, block: bytes) -> bytes:
        """Return the lines that this block completes; the rest of it is kept."""
        data = self._rest + block
        end = data.rfind(b"\n") + 1
        self._rest = data[end:]
        whole = data[:end]
        begins = whole.startswith(b"{") or b"\n{" in whole
        if not self._depth and not (begins and _UNFINISHED.search(whole)):
            return whole
        return b"".join(map(self._join, whole.splitlines(keepends=True)))

    def finish(self) -> bytes:
        """Return a last line without an ending."""
        rest, self._rest, self._depth = self._rest, b"", 0
        return rest

    def _join(self, line: bytes) -> bytes:
        if line.startswith(b"{"):
            self._depth = 0  # what was open before was no document
            if not line.rstrip().endswith((b"{", b"[", b",")):
                return line
        elif not self._depth:
            return line
        if line.count(b"{") != line.count(b"}"):
            found = (match.group() for match in _STRING_OR_BRACE.finditer(line))
            self._depth += sum({b"{": 1, b"}": -1}.get(each, 0) for each in found)
        return line[:-1] + b" " if self._depth > 0 and line.endswith(b"\n") else line


def join_documents(lines: Sequence[str]) -> Sequence[str]:
    """Return lines with each JSON document that is written over several on one of them."""
    if not any(line.startswith("{") for line in lines):
        return lines
    joiner = DocumentJoiner()
    joined = joiner.feed(("\n".join(lines) + "\n").encode(errors="replace"))
    return decode(joined + joiner.finish()).removesuffix("\n").split("\n")


def clean_lines(data: bytes) -> bytes:
    """Return lines without ANSI escape sequences and with backspaces carried out.

    The number of lines stays the same, and no line has more characters than before.
    """
    if b"\x1b" in data:
        data = _ESCAPE.sub(b"", data)
    if b"\b" in data:
        lines = (_overwrite(raw) if b"\b" in raw else raw for raw in data.split(b"\n"))
        data = b"\n".join(lines)
    return data


def decode(raw: bytes) -> str:
    """Return bytes of a log as text; what is not UTF-8 becomes U+FFFD."""
    return raw.decode("utf-8", errors="replace")


def clean(raw: bytes) -> str:
    """Return one line as a terminal would show it."""
    return decode(clean_lines(raw))


def _overwrite(raw: bytes) -> bytes:
    """Return a line with backspaces carried out: they move back, and what follows overwrites."""
    first, *pieces = decode(raw).split("\b")
    shown, cursor = list(first), len(first)
    for piece in pieces:
        cursor = max(0, cursor - 1)
        shown[cursor : cursor + len(piece)] = piece
        cursor += len(piece)
    return "".join(shown).encode()


def split_lines(data: bytes) -> list[str]:
    """Return the lines of a whole log as a terminal would show them, without empty ones."""
    cutter = LineCutter()
    segments = [*cutter.feed(data), *cutter.finish()]
    shown = (line for each in segments for line in clean_lines(each.data).split(b"\n"))
    return [decode(raw) for raw in shown if raw]
