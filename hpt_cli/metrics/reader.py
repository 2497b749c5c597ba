"""From the bytes of a log to observations.

One pass over each block, however many metrics: the text that a definition's matches are sure to
hold is looked for in the whole block, and only the lines that have it are decoded and searched.
Every match is one observation; its step is what the line tells, or an earlier one told, else a
count that starts at 1.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from hpt_cli.metrics.curve import LARGEST, Observation
from hpt_cli.metrics.extractors import (
    ColumnForm,
    Finder,
    Finding,
    Form,
    Header,
    Memory,
    RegexForm,
    tell_step,
)
from hpt_cli.metrics.lines import LineCutter, Segment, clean_lines, decode
from hpt_cli.metrics.log_rules import LogMatch, Rule
from hpt_cli.metrics.patterns import Pattern

MAX_STEP = 1e15
"""Beyond this, steps that differ by one are no longer different numbers: they are counted."""
MAX_SLOW_LINES = 3
"""After so many lines that took too long to search, a definition is given up."""


class SearchTooLongError(Exception):
    """Raised from outside into a search that takes too long (see MetricReader.searching)."""


@dataclass(slots=True, eq=False)
class _Watch:
    """What is looked for in lines: a metric, the step that some metrics have, or a log rule."""

    names: tuple[str, ...]
    """The metrics, or the rule's pattern."""
    seeks: Form | Pattern | Rule
    memories: tuple[Memory, ...]
    literal: bytes
    folds: bool = False
    count: int = 0

    def list_starts(self, data: bytes) -> list[int]:
        """Where lines begin that may hold it."""
        if isinstance(self.seeks, ColumnForm):
            return self._list_rows(data, self.seeks)
        if self.folds and not data.isascii():  # other letters may be the same in another case
            return _list_lines(data, 0)
        if not self.literal:
            return _list_lines(data, 0)
        return _list_lines_with(data.lower() if self.folds else data, self.literal)

    def _list_rows(self, data: bytes, form: ColumnForm) -> list[int]:
        """Every line from the first header on."""
        if self.memories[0].header is not None:
            return _list_lines(data, 0)
        for start in _list_lines_with(data, self.literal):
            if form.read_header(decode(_take_line(data, start))):
                return _list_lines(data, start)
        return []


_LINE = re.compile(rb"[^\n]+")


def _list_lines(data: bytes, start: int) -> list[int]:
    return [match.start() for match in _LINE.finditer(data, start)]


def _list_lines_with(data: bytes, literal: bytes) -> list[int]:
    starts = []
    at = data.find(literal)
    while at >= 0:
        starts.append(data.rfind(b"\n", 0, at) + 1)
        end = data.find(b"\n", at)
        at = data.find(literal, end) if end >= 0 else -1
    return starts


def _take_line(data: bytes, start: int) -> bytes:
    end = data.find(b"\n", start)
    return data[start:end] if end >= 0 else data[start:]


@dataclass(frozen=True, slots=True)
class Bookmark:
    """How far a reader has come, and what it needs to go on from there; JSON-able."""

    offset: int
    """Where it goes on: at the beginning of a line, or (`skips`) within one that is too long."""
    skips: bool
    counts: tuple[int, ...]
    """Of each finder: how many values it has found."""
    told_steps: tuple[float | None, ...]
    headers: tuple[Header | None, ...]
    rules: tuple[str, ...]
    """The patterns of the rules that have not answered."""

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Bookmark:
        """The inverse of `dataclasses.asdict`, after JSON.

        Raises:
            KeyError, TypeError, ValueError: it is no bookmark.
        """
        return cls(
            offset=int(fields["offset"]),
            skips=bool(fields["skips"]),
            counts=tuple(map(int, fields["counts"])),
            told_steps=tuple(
                None if each is None else float(each) for each in fields["told_steps"]
            ),
            headers=tuple(each and Header(**each) for each in fields["headers"]),
            rules=tuple(map(str, fields["rules"])),
        )


class MetricReader:
    """Finds the observations in one log, in blocks of any size."""

    def __init__(
        self,
        finders: Sequence[Finder],
        rules: Sequence[Rule] = (),
        offset: int = 0,
        slow_lines: Counter[str] | None = None,
    ) -> None:
        """What to look for.

        Args:
            offset: what the first byte that is fed counts as.
            slow_lines: counts, for all the logs that share it, lines that took too long.
        """
        self._cutter = LineCutter(offset)
        self._finders = tuple(finders)
        self._watches = _make_watches(self._finders)
        self._watches += [_watch_for(rule) for rule in rules]
        self._matches: list[LogMatch] = []
        self._slow_lines = Counter[str]() if slow_lines is None else slow_lines
        self._searches = 0
        self.searching = 0
        """The number of the search under way, 0 between searches. Whoever finds the same number for
        too long may raise SearchTooLongError into it, by a signal: `re` looks for those."""
        self.cut_lines = 0
        """How many lines were too long to be searched to their end."""

    def feed(self, block: bytes) -> list[Observation]:
        """The observations in the lines that are complete with this block."""
        return [found for found, _, _ in self.match(block)]

    def finish(self) -> list[Observation]:
        """Those in the last line, if it has no ending."""
        return [found for found, _, _ in self.match_rest()]

    def match(self, block: bytes) -> Iterator[tuple[Observation, str, Finding]]:
        """As `feed`, with the line of each as a person would see it, and what was found there."""
        for segment in self._cutter.feed(block):
            yield from self._search(segment)

    def match_rest(self) -> Iterator[tuple[Observation, str, Finding]]:
        """As `finish`, with the line and what was found there."""
        for segment in self._cutter.finish():
            yield from self._search(segment)

    @property
    def offset(self) -> int:
        """What the next byte that is fed counts as."""
        return self._cutter.offset

    def mark(self) -> Bookmark:
        """Where it is; a line that has no ending yet is yet to be read."""
        watches = self._list_metric_watches()
        memories = [watch.memories[0] for watch in watches]
        return Bookmark(
            offset=self._cutter.line_offset,
            skips=self._cutter.skips,
            counts=tuple(watch.count for watch in watches),
            told_steps=tuple(memory.told_step for memory in memories),
            headers=tuple(memory.header for memory in memories),
            rules=tuple(watch.names[0] for watch in self._watches if isinstance(watch.seeks, Rule)),
        )

    def go_to(self, bookmark: Bookmark) -> None:
        """Go on, without having read what comes before, as the reader that made the bookmark."""
        self._cutter = LineCutter(bookmark.offset)
        self._cutter.skips = bookmark.skips
        self._watches = [
            watch
            for watch in self._watches
            if not isinstance(watch.seeks, Rule) or watch.names[0] in bookmark.rules
        ]
        known = zip(bookmark.counts, bookmark.told_steps, bookmark.headers, strict=True)
        for watch, (count, told_step, header) in zip(
            self._list_metric_watches(), known, strict=True
        ):
            watch.count = count
            watch.memories[0].told_step, watch.memories[0].header = told_step, header

    def _list_metric_watches(self) -> list[_Watch]:
        """One for each finder, in their order."""
        return [each for each in self._watches if not isinstance(each.seeks, (Pattern, Rule))]

    def restart(self) -> None:
        """Count anew: what comes next is a new version of the same."""
        rules = [watch for watch in self._watches if isinstance(watch.seeks, Rule)]
        self._watches = _make_watches(self._finders) + rules

    def take_matches(self) -> list[LogMatch]:
        """What the log rules found since the last time."""
        matches, self._matches = self._matches, []
        return matches

    @property
    def given_up(self) -> list[str]:
        """The metrics that are looked for no longer, as that takes too long."""
        return [metric for metric, lines in self._slow_lines.items() if lines >= MAX_SLOW_LINES]

    def _search(self, segment: Segment) -> Iterator[tuple[Observation, str, Finding]]:
        self.cut_lines += segment.is_cut
        for offset, text, watch in self._list_candidates(segment):
            for finding in self._look(watch, text):
                if segment.is_cut and finding.span[1] == len(text):
                    continue  # the cut may have gone through it
                watch.count += 1
                step = finding.step
                if step is None or not _is_step(step):
                    step = float(watch.count)
                where = offset + finding.span[0]
                value = _bound(finding.value)
                yield Observation(watch.names[0], where, step, value), text, finding

    def _look(self, watch: _Watch, text: str) -> Sequence[Finding]:
        """Do what a watch is for in a line, unless that takes too long."""
        if self._slow_lines and self._slow_lines[watch.names[0]] >= MAX_SLOW_LINES:
            return ()
        self._searches += 1
        try:
            self.searching = self._searches
            found = self._seek(watch, text)
            self.searching = 0
        except SearchTooLongError:
            self.searching = 0
            self._slow_lines.update(watch.names)
            return ()
        return found

    def _seek(self, watch: _Watch, text: str) -> Sequence[Finding]:
        seeks = watch.seeks
        if isinstance(seeks, Pattern):
            for memory in watch.memories:
                memory.told_step = tell_step(seeks, text, memory.told_step)
            return ()
        if isinstance(seeks, Rule):
            match = seeks.match(text)
            if match is not None and watch in self._watches:
                self._watches.remove(watch)
                self._matches.append(match)
            return ()
        return seeks.find(text, watch.memories[0])

    def _list_candidates(self, segment: Segment) -> Iterator[tuple[int, str, _Watch]]:
        """The lines to search for each watch, in the order of the log, and where they begin."""
        shown = clean_lines(segment.data)
        hits = [
            (start, number)
            for number, watch in enumerate(self._watches)
            for start in watch.list_starts(shown)
        ]
        if not hits:
            return
        hits.sort()
        watches = list(self._watches)  # a rule that has answered leaves
        line_map = _LineMap(shown, segment.data)
        latest, offset, text = -1, 0, ""
        for start, number in hits:
            if start != latest:
                text, offset = decode(_take_line(shown, start)), line_map.find(start)
                latest = start
            yield segment.offset + offset, text, watches[number]


class _LineMap:
    """From where a line begins in what is shown to where it begins in the log."""

    def __init__(self, shown: bytes, raw: bytes) -> None:
        self._shown = shown
        self._starts: list[int] | None = None
        if shown is not raw:
            self._starts = list(accumulate((len(line) + 1 for line in raw.split(b"\n")), initial=0))
        self._line = self._at = 0

    def find(self, start: int) -> int:
        """The place in the log; lines are asked for in their order."""
        if self._starts is None:
            return start
        self._line += self._shown.count(b"\n", self._at, start)
        self._at = start
        return self._starts[self._line]


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
        literal = pattern.literal.encode()
        watches.append(_Watch(metrics, pattern, told, literal, pattern.folds))
    for finder, memory in zip(finders, memories, strict=True):
        form = finder.form
        folds = isinstance(form, RegexForm) and form.pattern.folds
        literal = form.literal.encode()
        watches.append(_Watch((finder.metric,), form, (memory,), literal, folds))
    return watches


def _watch_for(rule: Rule) -> _Watch:
    pattern = rule.pattern
    return _Watch((pattern.regex.pattern,), rule, (), pattern.literal.encode(), pattern.folds)


def _is_step(number: float) -> bool:
    return number == 0 or 1 / MAX_STEP <= abs(number) <= MAX_STEP


def _bound(value: float) -> float:
    if abs(value) > LARGEST:
        return math.copysign(math.inf, value)
    return 0.0 if abs(value) < 1 / LARGEST else value
