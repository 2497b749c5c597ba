"""Finds tables in a log: a line of names, soon followed by rows of as many numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from hpt_cli.metrics.detection.grids import find_grids
from hpt_cli.metrics.detection.metric import Fields
from hpt_cli.metrics.detection.vocabulary import STEP_WORDS, is_quality, names_data_set
from hpt_cli.metrics.extractors import SEVERAL_BLANKS, find_delimiter, split_cells, split_row
from hpt_cli.metrics.patterns import parse_cell

ROWS_AHEAD = 3
"""A rule or a blank line may stand between the header and the first row."""
ROWS_FAR_AHEAD = 20
"""Where the header names metrics, what a program says of itself may stand there too."""
_WORD = re.compile(r"[^\W\d]")
_NAME = re.compile(r"(?:\d+[^\W\d]_)?[^\W\d](?:[^=:]|:(?! *\d)){0,60}|[%#][ \w]{1,40}|#")
_PHRASES = re.compile(r"(?=.*\S \S)\s*[^\W\d][^\d\s]*(?: \S+)*(?: {2,}[^\d\s]\S*(?: \S+)*){2,}\s*")
"""Names with single blanks in them, and several blanks between them: a header, and no row."""
_TIME = re.compile(
    r"\d+:\d\d(?::\d\d)?|[\d.]+ ?(?:s|ms|m|min|h|%|[KMG]i?B?|it/s)|-+|n/?a|none", re.I
)
_SUMMARY = re.compile(
    r"(?i)all|overall|mean|average|avg|total|(?:macro|micro|weighted|m)[-_. ]?(?:avg|average)"
)
_BARS = "│┃|"
SEPARATORS = (",", "\t", ";")
"""What separates the cells in a file of values."""
MAX_LABEL_WORDS = 3
"""Words of the longest label of a row, where blanks separate the cells."""


def find_tables(lines: Sequence[str]) -> Iterator[Fields]:
    """Yield definitions of the columns of tables, and of the rows of those on their side."""
    split = [_split_line(text) for text in lines]
    # Both at once: the lines that a column explains may be those of a table on its side.
    yield from (*_find_columns(lines, split), *_find_rows(split), *find_grids(lines))


class _Line(NamedTuple):
    """A line as one of a table."""

    delimiter: str
    cells: list[str]
    is_header: bool


def _split_line(text: str) -> _Line:
    delimiter = find_delimiter(text)
    if delimiter == " " and _PHRASES.fullmatch(text):
        delimiter = SEVERAL_BLANKS
    cells = [cell for cell, _ in split_cells(text, delimiter)] if text else []
    return _Line(delimiter, cells, _is_header(cells))


def _find_columns(lines: Sequence[str], split: Sequence[_Line]) -> Iterator[Fields]:
    """Yield definitions of the columns of tables."""
    first = next((number for number, text in enumerate(lines) if text.strip()), 0)
    for number, (delimiter, names, is_header) in enumerate(split):
        if not is_header:
            continue
        far = 2 * sum(map(is_quality, names)) >= len(names)
        below = lines[number + 1 : number + 1 + (ROWS_FAR_AHEAD if far else ROWS_AHEAD)]
        rows = (split_row(text, delimiter, names) for text in below)
        is_file = number == first and delimiter in SEPARATORS
        row = next((row for row in rows if row and _is_row(row, delimiter, is_file)), None)
        if row is None:
            continue
        step = next((name for name in names if name.lower().lstrip("# ") in STEP_WORDS), "")
        for name, (cell, _) in zip(names, row, strict=True):
            # A cell that is empty in the first row may have values later, as where the validation
            # loss is not measured at every epoch.
            if name and name != step and (not cell or parse_cell(cell) is not None):
                yield {"name": name, "column": name} | ({"step": step} if step else {})


def _is_header(names: Sequence[str]) -> bool:
    """Return whether cells are the names of columns: all of them words, and none of them twice."""
    told = [name for name in names if name]
    return len(told) >= 2 and len(set(told)) == len(told) and all(map(_NAME.fullmatch, told))


def _is_row(row: Sequence[tuple[str, Any]], delimiter: str, is_file: bool) -> bool:
    """Return whether cells are numbers, and not a name with numbers.

    Args:
        is_file: whether the log is nothing but the table, such as one of experiments.
    """
    told = [cell for cell, _ in row if cell]
    numbers = sum(parse_cell(cell) is not None for cell in told)
    if is_file:
        return numbers >= 1
    # What begins with a word is the row of something, as in a table of classes.
    if delimiter.strip(" ") and row[0][0] and _WORD.match(row[0][0]):
        return False
    if not delimiter.strip(" "):
        # Any line of text has cells then.
        return numbers >= 1 and all(
            parse_cell(cell) is not None or _TIME.fullmatch(cell) for cell in told
        )
    return numbers >= 1 and 2 * numbers >= len(told)


def _find_rows(split: Sequence[_Line]) -> Iterator[Fields]:
    """Yield definitions of the rows of tables whose first column has the names.

    Such as Lightning's `Validate metric | DataLoader 0 | DataLoader 1`; of a table with a row for
    each class, those that say something of all of them.
    """
    header: list[str] = []
    bar = ""
    told: set[str] = set()
    for delimiter, cells, is_header in split:
        if is_header:
            header, bar = cells, delimiter
            continue
        row = _split_row(header, cells) if (bar in _BARS) == (delimiter in _BARS) else None
        if row is None:
            continue
        label, columns = row
        if len(header) > 2 and columns == header[1:] and is_quality(label):
            names = [label, *(f"{label}/{each}" for each in columns[1:])]
        elif _SUMMARY.fullmatch(label) or names_data_set(label):
            names = [f"{each} {label}" for each in columns]
        else:
            continue
        between = r"\s*[│┃|]\s*" if delimiter in _BARS else rf"\s*{re.escape(delimiter)}\s*"
        between = r"\s+" if delimiter == " " else between
        for place, name in enumerate(names):
            if name not in told:
                told.add(name)
                skipped = rf"(?:\S+{between}){{{place}}}" if place else ""
                label_text = re.sub(" +", r"\\s+", label).replace(".", r"\.")
                yield {
                    "name": name,
                    "regex": rf"(?<![\w./-]){label_text}{between}{skipped}({{num}})",
                }


def _split_row(header: Sequence[str], cells: Sequence[str]) -> tuple[str, Sequence[str]] | None:
    """Return the label of a row and the names of its columns; None if the cells are no row.

    The header may have no name for the labels, and labels blanks: `macro avg`.
    """
    more = len(cells) - len(header)
    if len(header) < 2 or not 0 <= more <= MAX_LABEL_WORDS:
        return None
    words = max(more, 1)
    label, values = " ".join(cells[:words]), cells[words:]
    is_row = all(parse_cell(each) is not None or each in ("-", "--") for each in values)
    is_told = any(parse_cell(each) is not None for each in values)
    if not is_row or not is_told or not _NAME.fullmatch(label):
        return None
    return label, header if more else header[1:]
