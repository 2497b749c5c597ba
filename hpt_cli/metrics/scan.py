"""Every match of metric definitions in a log, with its line."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hpt_cli.errors import Problem
from hpt_cli.metrics.extractors import Extractor, JsonForm, Match, compile_definition
from hpt_cli.metrics.reader import MetricReader

KEPT = 500
"""So many hits at the beginning, and at the end, are kept with their lines."""


@dataclass(frozen=True, slots=True)
class LineMatch:
    """A value, and the line it stands in."""

    number: int
    """Of the line, from 1."""
    text: str
    span: tuple[int, int]
    """The match in the text."""
    value_span: tuple[int, int]
    step: float
    value: float


@dataclass(frozen=True, slots=True)
class Reading:
    """What one definition finds in a log."""

    definition: Mapping[str, Any]
    hits: tuple[LineMatch, ...]
    """The first and the last ones."""
    count: int
    """How many there are in all."""
    curve: tuple[tuple[float, float], ...]
    """(step, value) in order of step, each step once, as a training job would have it."""
    points: tuple[tuple[float, float], ...]
    """(step, value) in the order of the log."""
    extractor: Extractor
    has_steps: bool
    """Whether a line says the step of its value."""
    is_given_up: bool
    """Whether searching took too long, so that the rest was not searched."""
    cut_lines: int
    """How many lines are so long that only their beginning was searched."""
    warnings: tuple[Problem, ...] = ()
    """What lint says of it."""

    @property
    def name(self) -> str:
        """The metric's name."""
        return str(self.definition["name"])


def scan_log(
    blocks: Iterable[bytes],
    definitions: Sequence[Mapping[str, Any]],
    kept: int = KEPT,
) -> tuple[Reading, ...]:
    """What each definition finds.

    Args:
        blocks: the log, in blocks of any size.
        kept: how many hits to keep at either end; 0 keeps all.
    """
    extractors = [compile_definition(fields) for fields in definitions]
    collected = {extractor.metric: _Collected(extractor, kept) for extractor in extractors}
    reader, numbers = MetricReader(extractors), _LineNumbers()
    for block in blocks:
        numbers.feed(block)
        _collect(reader.match(block), collected, numbers)
    _collect(reader.match_rest(), collected, numbers)
    return tuple(collected[fields["name"]].conclude(fields, reader) for fields in definitions)


class _LineNumbers:
    """Where the lines of a log begin."""

    def __init__(self) -> None:
        self._endings = array("q")
        self._size = 0

    def feed(self, block: bytes) -> None:
        self._endings.extend(self._size + match.start() for match in re.finditer(b"\n", block))
        self._size += len(block)

    def find(self, offset: int) -> int:
        return bisect_left(self._endings, offset) + 1


class _Collected:
    """The hits of one definition, as they come."""

    def __init__(self, extractor: Extractor, kept: int) -> None:
        self.extractor = extractor
        self._kept = kept
        self._first: list[LineMatch] = []
        self._last: deque[LineMatch] = deque(maxlen=kept or None)
        self._steps: list[tuple[float, float]] = []
        self._tells_step = False

    def add(self, hit: LineMatch, *, tells_step: bool) -> None:
        self._steps.append((hit.step, hit.value))
        self._tells_step = self._tells_step or tells_step
        (self._first if len(self._first) < self._kept else self._last).append(hit)

    def conclude(self, fields: Mapping[str, Any], reader: MetricReader) -> Reading:
        return Reading(
            definition=fields,
            hits=(*self._first, *self._last),
            count=len(self._steps),
            curve=tuple(sorted(dict(self._steps).items())),
            points=tuple(self._steps),
            extractor=self.extractor,
            has_steps=self._tells_step,
            is_given_up=self.extractor.metric in reader.given_up,
            cut_lines=reader.cut_lines,
        )


def _collect(
    matches: Iterator[tuple[Any, str, Match]],
    collected: Mapping[str, _Collected],
    numbers: _LineNumbers,
) -> None:
    for observation, text, finding in matches:
        into = collected[observation.metric]
        form, value_span = into.extractor.form, finding.value_span
        if isinstance(form, JsonForm):
            value_span = form.find_value(text, finding)
        number = numbers.find(observation.offset - finding.span[0])
        hit = LineMatch(number, text, finding.span, value_span, observation.step, observation.value)
        into.add(hit, tells_step=finding.step is not None)
