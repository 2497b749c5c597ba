"""Finds every match of metric definitions in a log, with its line."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hpt_cli.errors import Problem
from hpt_cli.metrics.curve import Observation
from hpt_cli.metrics.extractors import Extractor, JsonForm, Match, RegexForm, compile_definition
from hpt_cli.metrics.patterns import Pattern
from hpt_cli.metrics.reader import MetricReader

KEPT = 500
"""The number of first matches, and of last ones, that are kept with their lines."""


@dataclass(frozen=True, slots=True)
class LineMatch:
    """A value and its line."""

    number: int
    """Of the line, from 1."""
    text: str
    span: tuple[int, int]
    """Where the match stands in the line."""
    value_span: tuple[int, int]
    """Where the value stands in the line."""
    step: float
    value: float


@dataclass(frozen=True, slots=True)
class ScanResult:
    """The matches of one definition in a log."""

    definition: Mapping[str, Any]
    matches: tuple[LineMatch, ...]
    """The first and the last ones."""
    count: int
    """The number of all matches."""
    curve: tuple[tuple[float, float], ...]
    """(step, value) in order of step, each step once, as a training job would have it."""
    points: tuple[tuple[float, float], ...]
    """(step, value) in the order of the log."""
    extractor: Extractor
    has_steps: bool
    """Whether lines with values have steps too."""
    is_given_up: bool
    """Whether searching took too long, so that the rest was not searched."""
    cut_lines: int
    """The number of lines so long that only their beginning was searched."""
    warnings: tuple[Problem, ...] = ()

    @property
    def name(self) -> str:
        """The metric's name."""
        return str(self.definition["name"])

    @property
    def pattern(self) -> Pattern | None:
        """The compiled regex of a definition that has one, or whose preset has."""
        form = self.extractor.form
        return form.pattern if isinstance(form, RegexForm) else None


def scan_log(
    blocks: Iterable[bytes], definitions: Sequence[Mapping[str, Any]], kept: int = KEPT
) -> tuple[ScanResult, ...]:
    """Return what each definition finds.

    Args:
        blocks: the log, in blocks of any size.
        definitions: as in a spec.
        kept: how many matches to keep at either end; 0 keeps all.
    """
    extractors = [compile_definition(fields) for fields in definitions]
    collectors = {extractor.metric: _Collector(extractor, kept) for extractor in extractors}
    reader, line_ends = MetricReader(extractors), _LineEnds()
    for block in blocks:
        line_ends.feed(block)
        _collect(reader.match(block), collectors, line_ends)
    _collect(reader.match_rest(), collectors, line_ends)
    return tuple(collectors[fields["name"]].finish(fields, reader) for fields in definitions)


class _LineEnds:
    """The offsets at which the lines of a log end."""

    def __init__(self) -> None:
        self._offsets = array("q")
        self._size = 0

    def feed(self, block: bytes) -> None:
        self._offsets.extend(self._size + match.start() for match in re.finditer(b"\n", block))
        self._size += len(block)

    def find_number(self, offset: int) -> int:
        """Return the number of the line at an offset, from 1."""
        return bisect_left(self._offsets, offset) + 1


class _Collector:
    """Collects the matches of one definition."""

    def __init__(self, extractor: Extractor, kept: int) -> None:
        self.extractor = extractor
        self._kept = kept
        self._first: list[LineMatch] = []
        self._last: deque[LineMatch] = deque(maxlen=kept or None)
        self._points: list[tuple[float, float]] = []
        self._has_steps = False

    def add(self, match: LineMatch, *, has_step: bool) -> None:
        self._points.append((match.step, match.value))
        self._has_steps = self._has_steps or has_step
        (self._first if len(self._first) < self._kept else self._last).append(match)

    def finish(self, fields: Mapping[str, Any], reader: MetricReader) -> ScanResult:
        return ScanResult(
            definition=fields,
            matches=(*self._first, *self._last),
            count=len(self._points),
            curve=tuple(sorted(dict(self._points).items())),
            points=tuple(self._points),
            extractor=self.extractor,
            has_steps=self._has_steps,
            is_given_up=self.extractor.metric in reader.given_up,
            cut_lines=reader.cut_lines,
        )


def _collect(
    found: Iterator[tuple[Observation, str, Match]],
    collectors: Mapping[str, _Collector],
    line_ends: _LineEnds,
) -> None:
    for observation, text, match in found:
        collector = collectors[observation.metric]
        form, value_span = collector.extractor.form, match.value_span
        if isinstance(form, JsonForm):
            value_span = form.find_value_span(text, match)
        number = line_ends.find_number(observation.offset - match.span[0])
        step, value = observation.step, observation.value
        shown = LineMatch(number, text, match.span, value_span, step, value)
        collector.add(shown, has_step=match.step is not None)
