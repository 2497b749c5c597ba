"""The beginning, some of the middle and the end of a log, for what need not see all of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from hpt_cli.metrics.lines import split_lines, to_utf8

PART_BYTES = 1 << 20
"""The size of a part of the middle; the beginning and the end have END_PARTS of them."""
END_PARTS = 2
MIDDLE_PARTS = 4


@dataclass(frozen=True)
class Sample:
    """Lines of a log."""

    lines: tuple[str, ...]
    """As a terminal would show them."""
    beginning: bytes
    size: int
    """Of the whole log, in bytes."""
    left_out: int
    """The number of bytes that are not among them."""

    @property
    def share(self) -> float:
        """Which part of the log they are."""
        return 1 - self.left_out / self.size if self.size else 1.0


def take_sample(blocks: Iterable[bytes]) -> Sample:
    """Return the beginning, parts of the middle in equal distances, and the end of a log."""
    first: list[bytes] = []
    last: deque[bytes] = deque(maxlen=END_PARTS)
    middle: list[tuple[int, bytes]] = []
    stride, place, size = 1, 0, 0
    for part in _cut_parts(to_utf8(blocks)):
        size += len(part)
        if len(first) < END_PARTS:
            first.append(part)
            continue
        if len(last) == END_PARTS:
            if place % stride == 0:
                middle.append((place, last[0]))
            place += 1
            if len(middle) > MIDDLE_PARTS:
                stride *= 2
                middle = [each for each in middle if each[0] % stride == 0]
        last.append(part)
    parts = [*first, *(part for _, part in middle), *last]
    left_out = size - sum(map(len, parts))
    lines = _join_lines(first, middle, last) if left_out else split_lines(b"".join(parts))
    return Sample(tuple(lines), b"".join(first), size, left_out)


def _cut_parts(blocks: Iterable[bytes]) -> Iterable[bytes]:
    rest = b""
    for block in blocks:
        rest += block
        while len(rest) >= PART_BYTES:
            yield rest[:PART_BYTES]
            rest = rest[PART_BYTES:]
    if rest:
        yield rest


def _join_lines(
    first: Iterable[bytes], middle: Iterable[tuple[int, bytes]], last: Iterable[bytes]
) -> list[str]:
    """Return the whole lines of parts that do not follow on each other."""
    beginning, end = b"".join(first), b"".join(last)
    pieces = [beginning[: beginning.rfind(b"\n") + 1]]
    pieces += [part[part.find(b"\n") + 1 : part.rfind(b"\n") + 1] for _, part in middle]
    pieces.append(end[end.find(b"\n") + 1 :])
    return [line for piece in pieces for line in split_lines(piece)]
