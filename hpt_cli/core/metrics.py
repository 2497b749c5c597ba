"""From the bytes of a log to observations.

One pass over each block, however many metrics: the text that a definition's matches are sure to hold
is looked for in the whole block, and only the lines that have it are decoded, cleaned and searched.
Every match is one observation; its step is what the line tells, or an earlier one told, else a count
that starts at 1.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from hpt_cli.core.finders import ColumnForm, Finder, Finding, Form, Memory, tell_step
from hpt_cli.core.lines import LineCutter, Segment, clean, needs_cleaning
from hpt_cli.core.patterns import Pattern

MAX_SLOW_LINES = 3
"""After so many lines that took too long to search, a definition is given up."""


class Observation(NamedTuple):
    """One value of one metric of one training job.

    `offset` is where in the log, in bytes, the match was found: with the job, the attempt and the
    metric it names the observation, so that reading a log twice records nothing twice.
    """

    metric: str
    offset: int
    step: float
    value: float


class Match(NamedTuple):
    """An observation, and how it came about."""

    observation: Observation
    text: str
    """The line, as a person would see it."""
    finding: Finding


class SearchTooLongError(Exception):
    """Raised from outside into a search that takes too long (see MetricReader.searching)."""


@dataclass(slots=True)
class _Watch:
    """What is looked for in lines: a metric, or the step that some metrics have."""

    literal: bytes
    metrics: tuple[str, ...]
    seeks: Form | Pattern
    memories: tuple[Memory, ...]
    count: int = 0

    def list_starts(self, data: bytes) -> list[int]:
        """Where lines begin that may hold it."""
        if not self.literal:
            return _list_lines(data, 0)
        if not isinstance(self.seeks, ColumnForm):
            return _list_lines_with(data, self.literal)
        if self.memories[0].header is not None:
            return _list_lines(data, 0)
        at = data.find(self.literal)
        return [] if at < 0 else _list_lines(data, data.rfind(b"\n", 0, at) + 1)


def _list_lines(data: bytes, start: int) -> list[int]:
    return [match.start() for match in _LINE.finditer(data, start)]


_LINE = re.compile(rb"[^\n]+")


def _list_lines_with(data: bytes, literal: bytes) -> list[int]:
    starts = []
    at = data.find(literal)
    while at >= 0:
        starts.append(data.rfind(b"\n", 0, at) + 1)
        end = data.find(b"\n", at)
        at = data.find(literal, end) if end >= 0 else -1
    return starts


class MetricReader:
    """Finds the observations in one log, in blocks of any size."""

    def __init__(
        self, finders: Sequence[Finder], offset: int = 0, slow_lines: Counter[str] | None = None
    ) -> None:
        """`slow_lines` counts, for all the logs that share it, lines that took too long."""
        self._cutter = LineCutter(offset)
        self._finders = tuple(finders)
        self._watches = _make_watches(self._finders)
        self._slow_lines = Counter[str]() if slow_lines is None else slow_lines
        self._searches = 0
        self.searching = 0
        """The number of the search under way, 0 between searches. Whoever finds the same number for
        too long may raise SearchTooLongError into it, by a signal: `re` looks for those."""
        self.cut_lines = 0
        """How many lines were too long to be searched to their end."""

    def feed(self, block: bytes) -> list[Observation]:
        """The observations in the lines that are complete with this block."""
        return [match.observation for match in self.match(block)]

    def finish(self) -> list[Observation]:
        """Those in the last line, if it has no ending."""
        return [match.observation for match in self.match_rest()]

    def match(self, block: bytes) -> list[Match]:
        """As `feed`, with where each observation was found."""
        return [each for segment in self._cutter.feed(block) for each in self._search(segment)]

    def match_rest(self) -> list[Match]:
        """As `finish`, with where each observation was found."""
        return [each for segment in self._cutter.finish() for each in self._search(segment)]

    def restart(self) -> None:
        """Count anew: what comes next is a new version of the same."""
        self._watches = _make_watches(self._finders)

    @property
    def given_up(self) -> list[str]:
        """The metrics that are looked for no longer, as that takes too long."""
        return [metric for metric, lines in self._slow_lines.items() if lines >= MAX_SLOW_LINES]

    def _search(self, segment: Segment) -> Iterator[Match]:
        self.cut_lines += segment.is_cut
        find = self._list_cleaned if needs_cleaning(segment.data) else self._list_candidates
        for start, text, watch in find(segment.data):
            if isinstance(watch.seeks, Pattern):
                self._tell_step(watch, text)
                continue
            for finding in self._find(watch, text):
                if segment.is_cut and finding.span[1] == len(text):
                    continue  # the cut may have gone through it
                watch.count += 1
                step = float(watch.count) if finding.step is None else finding.step
                offset = segment.offset + start + finding.span[0]
                found = Observation(watch.metrics[0], offset, step, finding.value)
                yield Match(found, text, finding)

    def _list_candidates(self, data: bytes) -> Iterator[tuple[int, str, _Watch]]:
        """The lines to search for each watch: where they begin, in the order of the log."""
        hits = [
            (start, number)
            for number, watch in enumerate(self._watches)
            for start in watch.list_starts(data)
        ]
        hits.sort()
        latest, text = -1, ""
        for start, number in hits:
            if start != latest:
                end = data.find(b"\n", start)
                raw = data[start:end] if end >= 0 else data[start:]
                latest, text = start, raw.decode("utf-8", errors="replace")
            yield start, text, self._watches[number]

    def _list_cleaned(self, data: bytes) -> Iterator[tuple[int, str, _Watch]]:
        """The same where escapes may stand in the middle of what is looked for."""
        start = 0
        for raw in data.split(b"\n"):
            if raw:
                text = clean(raw)
                for watch in self._watches:
                    is_table = isinstance(watch.seeks, ColumnForm)
                    if is_table or watch.literal.decode() in text:
                        yield start, text, watch
            start += len(raw) + 1

    def _find(self, watch: _Watch, text: str) -> list[Finding]:
        assert not isinstance(watch.seeks, Pattern)
        if self._slow_lines[watch.metrics[0]] >= MAX_SLOW_LINES:
            return []
        self._searches += 1
        try:
            self.searching = self._searches
            found = watch.seeks.find(text, watch.memories[0])
            self.searching = 0
        except SearchTooLongError:
            self.searching = 0
            self._slow_lines[watch.metrics[0]] += 1
            return []
        return found

    def _tell_step(self, watch: _Watch, text: str) -> None:
        assert isinstance(watch.seeks, Pattern)
        if self._slow_lines[watch.metrics[0]] >= MAX_SLOW_LINES:
            return
        self._searches += 1
        try:
            self.searching = self._searches
            step = tell_step(watch.seeks, text, None)
            self.searching = 0
        except SearchTooLongError:
            self.searching = 0
            self._slow_lines.update(watch.metrics)
            return
        if step is not None:
            for memory in watch.memories:
                memory.told_step = step


def _make_watches(finders: Sequence[Finder]) -> list[_Watch]:
    """One for every metric; before them one for each regex that tells steps."""
    memories = [Memory() for _ in finders]
    steps: dict[str, list[int]] = {}
    for number, finder in enumerate(finders):
        if finder.step is not None:
            steps.setdefault(finder.step.regex.pattern, []).append(number)
    watches = []
    for numbers in steps.values():
        pattern = finders[numbers[0]].step
        assert pattern is not None
        metrics = tuple(finders[number].metric for number in numbers)
        told = tuple(memories[number] for number in numbers)
        watches.append(_Watch(pattern.literal.encode(), metrics, pattern, told))
    for finder, memory in zip(finders, memories, strict=True):
        literal = finder.form.literal.encode()
        watches.append(_Watch(literal, (finder.metric,), finder.form, (memory,)))
    return watches


def nearest_lines(lines: list[str], metric: str, limit: int = 5) -> list[str]:
    """The lines most likely to hold a metric that was not found: they share words and numbers."""
    words = {word for word in re.split(r"[\W_]+", metric.lower()) if len(word) > 1}

    def likeness(text: str) -> int:
        lowered = text.lower()
        has_number = re.search(r"\d", text) is not None
        return 2 * sum(word in lowered for word in words) + has_number

    ranked = sorted(enumerate(lines), key=lambda item: (-likeness(item[1]), -item[0]))
    best = [item for item in ranked if likeness(item[1]) >= 2][:limit]
    return [text for _, text in sorted(best)]
