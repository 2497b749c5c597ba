"""Lines of a log by template: lines that differ in their numbers only have one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from hpt_cli.metrics.detection.pair_regex import escape
from hpt_cli.metrics.patterns import NUMBER, parse_number

_UNITS = r"dB|mm|cm|m|px|deg"
_DECIMAL = "(?:" + "|".join(rf"(?<=\.\d{{{n}}})" for n in range(2, 9)) + ")"
"""Behind the digits after a decimal point."""
TOKEN = re.compile(
    rf"(?<![\w.@/+-]){NUMBER}(?P<ratio> ?/ ?\d+\b)?"
    rf"(?:(?=(?:{_UNITS})\b)|(?![\w:]|\.\d)|{_DECIMAL}(?=[A-Za-z_][\w@]+ ?[:=]|: ))"
)
"""A number that is no part of a word, a time, a date or a version; a unit may follow it, a colon
and a blank, or the next name."""
_VARYING = re.compile(
    r"[\u2580-\u259f]+|[=#>.-]{3,}|\d+(?:[:.,/-]\d+)+|\d[\d.]*(?=s/it|it/s)|\?(?=it/s)"
)
"""What differs between lines of one template besides numbers: bars, times, dates, speeds."""
FEW_LINES = 3
"""Fewer lines than these do not show which number counts."""
END_LINES = 20
"""Of the lines of one template, these many of the first and of the last are looked at."""


class Templates:
    """The numbers of all lines, by template.

    A number that is the same in all lines of its template may belong to a name, as in
    `mean 100 episode reward`; one that grows from line to line may be the step.
    """

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines
        self._rows: dict[str, list[tuple[str, ...]]] = {}
        self._numbers: dict[str, list[int]] = {}
        self._constants: dict[str, frozenset[int]] = {}
        for number, text in enumerate(lines):
            template, tokens = _split_numbers(text)
            if tokens:
                self._rows.setdefault(template, []).append(tokens)
                self._numbers.setdefault(template, []).append(number)

    def list_examples(self) -> Iterator[tuple[str, str]]:
        """Yield the first and the last lines of each template, each with its template, in order."""
        examples = {
            number: template
            for template, numbers in self._numbers.items()
            for number in (*numbers[:END_LINES], *numbers[-END_LINES:])
        }
        for number in sorted(examples):
            yield self._lines[number], examples[number]

    def count(self, template: str) -> int:
        """Return the number of lines of a template."""
        return len(self._rows[template])

    def list_constants(self, template: str) -> frozenset[int]:
        """Return which numbers of a template are the same in all its lines, by their place.

        In a template of one line, whole numbers that words follow may be.
        """
        known = self._constants.get(template)
        if known is None:
            rows = self._rows[template]
            places = range(len(rows[0]))
            known = frozenset(place for place in places if len({row[place] for row in rows}) == 1)
            self._constants[template] = known
        return known

    def find_counter(self, template: str) -> str:
        """Return a regex for the number that grows from line to line of a template; or ""."""
        rows = self._rows[template]
        if len(rows) < FEW_LINES:
            return ""
        text = self._lines[self._numbers[template][-1]]
        for place, token in enumerate(TOKEN.finditer(text)):
            values = [row[place] for row in rows]
            if not is_counter([parse_number(each) for each in values]):
                continue
            before = re.search(r"(?:^\s*|[^\s\d]{1,12}\s*)$", text[: token.start()])
            after = re.match(r"\s?[^\s\w.]|$", text[token.end() :])
            if before is None or after is None:
                return ""
            head = before.group()
            start = r"^\s*" if not head.strip() else escape(head.strip())
            guard = r"(?<!\w)" if head[:1].isalnum() else ""
            blanks = r"\s*" if head.strip() and head[-1:].isspace() else ""
            return f"{guard}{start}{blanks}{{step}}{escape(after.group())}"
        return ""


def _split_numbers(text: str) -> tuple[str, tuple[str, ...]]:
    """Return a line without its numbers and what varies else, single blanks; and the numbers."""
    between, numbers, end = [], [], 0
    for match in TOKEN.finditer(text):
        between.append(text[end : match.start()])
        numbers.append(match.group())
        end = match.end()
    between.append(text[end:])
    return " ".join(_VARYING.sub(" ", "\0".join(between)).split()), tuple(numbers)


def is_counter(values: Sequence[float | None]) -> bool:
    """Return whether these are whole numbers that never fall, and grow in equal steps mostly."""
    numbers = [value for value in values if value is not None and value.is_integer()]
    if len(numbers) < len(values) or len(numbers) < FEW_LINES:
        return False
    gaps = [after - before for before, after in pairwise(numbers)]
    grown = [gap for gap in gaps if gap]
    if not grown or min(gaps) < 0:
        return False
    return 2 * sum(gap == grown[0] for gap in grown) >= len(grown)
