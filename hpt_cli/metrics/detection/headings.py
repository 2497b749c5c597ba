"""Headings that name a data set: `Results on the validation set`, and below it `RMSE: 0.31`."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from hpt_cli.metrics.detection.pair_regex import STEP, escape
from hpt_cli.metrics.detection.templates import TOKEN
from hpt_cli.metrics.detection.vocabulary import DataSet, find_data_set, names_data_set

MAX_WORDS = 12
"""Longer lines are no headings."""
MAX_LINES_BELOW = 40
"""So many lines belong to a heading, unless another step or another heading comes first."""
MIN_SHARE = 0.8
"""The part of the headings of one kind below which a metric has one value."""
_ENDS = frozenset({"done", "end", "ended", "complete", "completed", "finished"})
"""What stands in a line that closes a part: `Evaluation complete`."""
_ACTIVITIES = frozenset({"eval", "evaluate", "evaluating", "evaluation", "validating", "testing"})
"""What is done with the data set that another word names: `Evaluating on test set`."""
_MARKS = ".,:;()[]<>*=-#\u2026"
_STAMP = re.compile(r"\d+[:/-]\d[\d:.,/T-]{3,}")
"""A date or a time."""
_COUNT = re.compile(r"^\s*[\[(#]*\d+(?:/\d+)?[\])/:.]+\s")
"""The number of an epoch before a heading: `[3/9] Validation`."""
_PIECES = re.compile(r" - |[|\]\t]| {2,}")
"""What parts a message from what a logger prints before it."""
_NUMBER = re.compile(r"\d+(?:[.:,/-]\d+)*")


class Heading(NamedTuple):
    """A line that names the data set of the results below it."""

    data_set: DataSet
    word: str
    """The name of the data set."""
    regex: str
    """For all headings that differ in their numbers only."""


class Headings:
    """The headings in the lines of a log."""

    def __init__(self, lines: Sequence[str]) -> None:
        read = {number: _read_heading(text) for number, text in enumerate(lines)}
        self._lines = lines
        self._headings = {number: each for number, each in read.items() if each}
        self.data_sets = self._list_data_sets()
        """For each line the data set that a heading above it names; "" without one."""

    def _list_data_sets(self) -> list[DataSet]:
        found: list[DataSet] = []
        data_set: DataSet = ""
        left, step = 0, ""
        for number, text in enumerate(self._lines):
            told = STEP.search(text)
            if number in self._headings:
                data_set, left, step = self._headings[number].data_set, MAX_LINES_BELOW, ""
            elif told and step and told.group() != step:
                left = 0
            elif told:
                step = told.group()
            found.append(data_set if left > 0 else "")
            left -= 1
        return found

    def divide(self, numbers: Sequence[int]) -> list[tuple[Heading, list[int]]]:
        """Return the kinds of headings that have one value below each, with the lines of these.

        An activity alone, such as `Evaluation`, is told apart from the training only.

        Args:
            numbers: the indices of the lines with values of one name, in order.
        """
        places = [*self._headings, len(self._lines)]
        below: dict[Heading, list[Sequence[int]]] = {}
        for start, end in pairwise(places):
            own = numbers[bisect_right(numbers, start) : bisect_left(numbers, end)]
            below.setdefault(self._headings[start], []).append(own)
        found = []
        for heading, parts in below.items():
            taken = [own[0] for own in parts if own]
            if len(taken) < max(2, MIN_SHARE * len(parts)) or len(taken) == len(numbers):
                continue
            # More values of the same form are those of batches, and the first one says little.
            forms = Counter(self._form(number) for own in parts for number in own)
            if forms[self._form(taken[-1])] <= len(parts):
                found.append((heading, taken))
        several = len({heading.data_set for heading, _ in found}) > 1
        return [each for each in found if several or each[0].word.lower() not in _ACTIVITIES]

    def _form(self, number: int) -> str:
        return _NUMBER.sub("", self._lines[number])


def _read_heading(text: str) -> Heading | None:
    """Return the heading that a line is: it has no number but its step."""
    words = [word.strip(_MARKS) for word in re.split(r"[\s:]+", text, maxsplit=MAX_WORDS)]
    told = [word for word in words if names_data_set(word)]
    told = [word for word in told if word.lower() not in _ACTIVITIES] or told
    named = {find_data_set(word) for word in told}
    if len(words) > MAX_WORDS or len(named) != 1 or not _ENDS.isdisjoint(map(str.lower, words)):
        return None
    plain = _COUNT.sub("", _STAMP.sub("", STEP.sub("", text)))
    if TOKEN.search(plain) and not plain.rstrip().endswith(":"):
        return None
    return Heading(named.pop(), told[-1], _describe(text, told[-1]))


def _describe(text: str, word: str) -> str:
    """Return the regex for headings with other numbers, without what a logger prints before it."""
    at = text.rfind(word)
    start = max((sign.end() for sign in _PIECES.finditer(text, 0, at)), default=0)
    message = text[start:].strip()
    edge = r"\b" if message[:1].isalnum() else ""
    beginning = edge if text[:start].strip() else r"^\s*"
    return beginning + r"\S+".join(map(escape, _NUMBER.split(message))) + r"\s*$"
