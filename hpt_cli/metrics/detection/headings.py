"""Headings that name a data set: `Results on the validation set`, and below it `RMSE: 0.31`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hpt_cli.metrics.detection.pair_regex import STEP
from hpt_cli.metrics.detection.templates import TOKEN
from hpt_cli.metrics.detection.vocabulary import DataSet, find_data_set, names_data_set

MAX_WORDS = 12
"""Longer lines are no headings."""
MAX_LINES_BELOW = 40
"""So many lines belong to a heading, unless another step or another heading comes first."""
_MARKS = ".,:;()[]<>*=-#\u2026"
_STAMP = re.compile(r"\d[\d:.,/T-]{6,}")
"""A date or a time."""


def list_heading_sets(lines: Sequence[str]) -> list[DataSet]:
    """Return for each line the data set that a heading above it names; "" without one."""
    found: list[DataSet] = []
    data_set: DataSet = ""
    left, step = 0, ""
    for text in lines:
        named = _read_heading(text)
        told = STEP.search(text)
        if named:
            data_set, left, step = named, MAX_LINES_BELOW, ""
        elif told and step and told.group() != step:
            left = 0
        elif told:
            step = told.group()
        found.append(data_set if left > 0 else "")
        left -= 1
    return found


def _read_heading(text: str) -> DataSet:
    """Return the data set that a line names, if it is a heading: it has no number but its step."""
    words = [word.strip(_MARKS) for word in text.split(maxsplit=MAX_WORDS)]
    named = {find_data_set(word) for word in words if names_data_set(word)}
    if len(words) > MAX_WORDS or len(named) != 1:
        return ""
    plain = _STAMP.sub("", STEP.sub("", text))
    return "" if TOKEN.search(plain) and not plain.rstrip().endswith(":") else named.pop()
