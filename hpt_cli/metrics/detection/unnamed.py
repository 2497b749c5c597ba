"""Finds the columns of a table without a header: `12 0.173 0.912`, where the first one counts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from hpt_cli.metrics.detection.metric import Fields
from hpt_cli.metrics.patterns import parse_number

MIN_ROWS = 5
MIN_SHARE = 0.8
"""The part of the lines that are rows, and the part of the rows that count on by the same."""
MAX_COLUMNS = 12
DIGITS = 9
"""Of differences between numbers that are the same."""
_SIGN = re.compile(r"\s*[,;]\s*|\s+")
_CELL = r"[^,;\s]+"


def find_unnamed_columns(lines: Sequence[str]) -> Iterator[Fields]:
    """Yield definitions of the columns of a log that is a table without names, the last one first.

    The last of the columns is most often that of what has been held out.
    """
    told = [text.strip() for text in lines if text.strip()]
    cells = [[parse_number(cell) for cell in _SIGN.split(text)] for text in told]
    rows = [[each for each in row if each is not None] for row in cells if None not in row]
    shapes = Counter(map(len, rows))
    width, count = max(shapes.items(), key=lambda item: item[1], default=(0, 0))
    if not 1 < width <= MAX_COLUMNS or count < max(MIN_ROWS, MIN_SHARE * len(told)):
        return
    columns = list(zip(*(row for row in rows if len(row) == width), strict=True))
    if not (_grows_evenly(columns[0]) and all(map(float.is_integer, columns[0]))):
        return
    sign = r"\s*[,;]\s*" if re.search(r"[,;]", told[-1]) else r"\s+"
    for place in range(width - 1, 0, -1):
        if _grows_evenly(columns[place]):
            continue
        name = "value" if width == 2 else f"column_{place + 1}"
        before = rf"(?:{_CELL}{sign}){{{place - 1}}}" if place > 1 else ""
        behind = rf"(?:{sign}{_CELL}){{{width - 1 - place}}}" if place < width - 1 else ""
        yield {"name": name, "regex": rf"^\s*{{step}}{sign}{before}({{num}}){behind}\s*$"}


def _grows_evenly(numbers: Sequence[float]) -> bool:
    """Return whether numbers grow by the same mostly; they may begin again."""
    gaps = Counter(round(after - before, DIGITS) for before, after in pairwise(numbers))
    gap, count = gaps.most_common(1)[0]
    return gap > 0 and count >= MIN_SHARE * (len(numbers) - 1)
