"""Finds tables whose bars part groups of columns: `epoch | loss acc | loss acc | time`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain

from hpt_cli.metrics.detection.metric import Fields
from hpt_cli.metrics.detection.pair_regex import to_name
from hpt_cli.metrics.detection.vocabulary import STEP_WORDS
from hpt_cli.metrics.patterns import parse_cell

ROWS_AHEAD = 3
"""A rule or a blank line may stand between the header and the first row."""
_NAME = re.compile(r"[^\W\d][^\s|=:]*")
_CELL = r"\S+\s+"
_GROUP = r"[^|]*\|"
_RULE = re.compile(r"[-=*+\s]+")

Groups = Sequence[Sequence[str]]


def find_grids(lines: Sequence[str]) -> Iterator[Fields]:
    """Yield definitions of the columns in groups that several cells of a row belong to.

    A line above the header may have titles of the groups, such as the names of data sets.
    """
    split = [_split_line(text) for text in lines]
    for number, header in enumerate(split):
        if max(map(len, header)) < 2 or not all(map(_NAME.fullmatch, chain(*header))):
            continue
        below = split[number + 1 : number + 1 + ROWS_AHEAD]
        row = next((row for row in below if _is_row(header, row)), None)
        if row is None:
            continue
        above = lines[number - 1].split("|") if number else []
        titles = [_RULE.sub(" ", title).strip() for title in above]
        for group, names in enumerate(header[: len(row)]):
            told = titles[group] if len(titles) >= len(header) else ""
            if len(names) == len(row[group]):
                for place, name in enumerate(names):
                    regex = _describe(header, group, place)
                    if name.lower() not in STEP_WORDS:
                        yield {"name": to_name(f"{told} {name}".strip()), "regex": regex}


def _split_line(text: str) -> list[list[str]]:
    return [cell.split() for cell in text.strip().strip("|").split("|")] if "|" in text else [[]]


def _is_row(header: Groups, row: Groups) -> bool:
    """Return whether a row has a number for each name in a group of several."""
    if not 2 <= len(row) <= len(header):
        return False
    fitting = [cells for names, cells in zip(header, row, strict=False) if len(names) == len(cells)]
    return any(
        len(cells) > 1 and all(parse_cell(cell) is not None for cell in cells) for cells in fitting
    )


def _describe(header: Groups, group: int, place: int) -> str:
    """Return the regex for a column, with the step if a group before has it."""
    value = rf"\s*{_repeat(_CELL, place)}({{num}})"
    steps = [
        (at, names.index(name))
        for at, names in enumerate(header[:group])
        for name in names
        if name.lower() in STEP_WORDS
    ]
    if not steps:
        return rf"^{_repeat(_GROUP, group)}{value}"
    at, column = steps[-1]
    step = rf"^{_repeat(_GROUP, at)}\s*{_repeat(_CELL, column)}{{step}}"
    return rf"{step}{_repeat(_GROUP, group - at)}{value}"


def _repeat(regex: str, count: int) -> str:
    return regex if count == 1 else rf"(?:{regex}){{{count}}}" if count else ""
