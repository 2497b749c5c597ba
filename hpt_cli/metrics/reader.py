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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from hpt_cli.metrics.curve import LARGEST, Observation
from hpt_cli.metrics.extractors import (
    ColumnForm,
    Extractor,
    Form,
    LineState,
    Match,
    RegexForm,
    tell_step,
)
from hpt_cli.metrics.lines import LineCutter, Segment, clean_lines, decode
from hpt_cli.metrics.log_rules import LogMatch, Rule
from hpt_cli.metrics.patterns import TRIES, Pattern

MAX_STEP = 1e15
"""Beyond this, steps that differ by one are no longer different numbers: they are counted."""
MAX_SLOW_LINES = 3
"""After so many lines that took too long to search, a definition is given up."""


@dataclass(slots=True, eq=False)
class _Search:
    """What is looked for in lines: a metric, the step that some metrics have, or a log rule."""

    names: tuple[str, ...]
    """The metrics, or the rule's pattern."""
    target: Form | Pattern | Rule
    states: tuple[LineState, ...]
    literal: bytes
    ignore_case: bool = False
    count: int = 0

    def list_starts(self, data: bytes) -> list[int]:
        """Where lines begin that may hold it."""
        if isinstance(self.target, ColumnForm):
            return self._list_rows(data, self.target)
        if self.ignore_case and not data.isascii():  # other letters may be the same in another case
            return _list_lines(data, 0)
        if not self.literal:
            return _list_lines(data, 0)
        return _list_lines_with(data.lower() if self.ignore_case else data, self.literal)

    def _list_rows(self, data: bytes, form: ColumnForm) -> list[int]:
        """Every line from the first header on."""
        if self.states[0].header is not None:
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


class MetricReader:
    """Finds the observations in one log, in blocks of any size."""

    def __init__(
        self,
        extractors: Sequence[Extractor],
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
        self._finders = tuple(extractors)
        self._searches = _make_searches(self._finders)
        self._searches += [_search_for(rule) for rule in rules]
        self._matches: list[LogMatch] = []
        self._slow_lines = Counter[str]() if slow_lines is None else slow_lines
        self.cut_lines = 0
        """How many lines were too long to be searched to their end."""

    def feed(self, block: bytes) -> list[Observation]:
        """The observations in the lines that are complete with this block."""
        return [found for found, _, _ in self.match(block)]

    def finish(self) -> list[Observation]:
        """Those in the last line, if it has no ending."""
        return [found for found, _, _ in self.match_rest()]

    def match(self, block: bytes) -> Iterator[tuple[Observation, str, Match]]:
        """As `feed`, with the line of each as a person would see it, and what was found there."""
        for segment in self._cutter.feed(block):
            yield from self._search(segment)

    def match_rest(self) -> Iterator[tuple[Observation, str, Match]]:
        """As `finish`, with the line and what was found there."""
        for segment in self._cutter.finish():
            yield from self._search(segment)

    def restart(self) -> None:
        """Count anew: what comes next is a new version of the same."""
        rules = [search for search in self._searches if isinstance(search.target, Rule)]
        self._searches = _make_searches(self._finders) + rules

    def pop_matches(self) -> list[LogMatch]:
        """What the log rules found since the last time."""
        matches, self._matches = self._matches, []
        return matches

    @property
    def given_up(self) -> list[str]:
        """The metrics that are looked for no longer, as that takes too long."""
        return [metric for metric, lines in self._slow_lines.items() if lines >= MAX_SLOW_LINES]

    def _search(self, segment: Segment) -> Iterator[tuple[Observation, str, Match]]:
        self.cut_lines += segment.is_cut
        for offset, text, search in self._list_candidates(segment):
            for finding in self._look(search, text):
                if segment.is_cut and finding.span[1] == len(text):
                    continue  # the cut may have gone through it
                search.count += 1
                step = finding.step
                if step is None or not _is_step(step):
                    step = float(search.count)
                where = offset + finding.span[0]
                value = _bound(finding.value)
                yield Observation(search.names[0], where, step, value), text, finding

    def _look(self, search: _Search, text: str) -> Sequence[Match]:
        """Do what a search is for in a line, unless that takes too long."""
        if self._slow_lines and self._slow_lines[search.names[0]] >= MAX_SLOW_LINES:
            return ()
        for _ in range(TRIES):
            try:
                return self._extract(search, text)
            except TimeoutError:
                continue
        self._slow_lines.update(search.names)
        return ()

    def _extract(self, search: _Search, text: str) -> Sequence[Match]:
        target = search.target
        if isinstance(target, Pattern):
            for state in search.states:
                state.last_step = tell_step(target, text, state.last_step)
            return ()
        if isinstance(target, Rule):
            match = target.match(text)
            if match is not None and search in self._searches:
                self._searches.remove(search)
                self._matches.append(match)
            return ()
        return target.find(text, search.states[0])

    def _list_candidates(self, segment: Segment) -> Iterator[tuple[int, str, _Search]]:
        """The lines to search for each watch, in the order of the log, and where they begin."""
        shown = clean_lines(segment.data)
        hits = [
            (start, number)
            for number, search in enumerate(self._searches)
            for start in search.list_starts(shown)
        ]
        if not hits:
            return
        hits.sort()
        searches = list(self._searches)  # a rule that has answered leaves
        line_map = _LineMap(shown, segment.data)
        latest, offset, text = -1, 0, ""
        for start, number in hits:
            if start != latest:
                text, offset = decode(_take_line(shown, start)), line_map.find(start)
                latest = start
            yield segment.offset + offset, text, searches[number]


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


def _make_searches(extractors: Sequence[Extractor]) -> list[_Search]:
    """One for every metric; before them one for each regex that tells steps."""
    states = [LineState() for _ in extractors]
    steps: dict[str, list[int]] = {}
    for number, extractor in enumerate(extractors):
        if extractor.step is not None:
            steps.setdefault(extractor.step.source, []).append(number)
    searches = []
    for numbers in steps.values():
        pattern = extractors[numbers[0]].step
        assert pattern is not None
        metrics = tuple(extractors[number].metric for number in numbers)
        told = tuple(states[number] for number in numbers)
        literal = pattern.literal.encode()
        searches.append(_Search(metrics, pattern, told, literal, pattern.ignore_case))
    for extractor, state in zip(extractors, states, strict=True):
        form = extractor.form
        ignore_case = isinstance(form, RegexForm) and form.pattern.ignore_case
        literal = form.literal.encode()
        searches.append(_Search((extractor.metric,), form, (state,), literal, ignore_case))
    return searches


def _search_for(rule: Rule) -> _Search:
    pattern = rule.pattern
    return _Search((pattern.source,), rule, (), pattern.literal.encode(), pattern.ignore_case)


def _is_step(number: float) -> bool:
    return number == 0 or 1 / MAX_STEP <= abs(number) <= MAX_STEP


def _bound(value: float) -> float:
    if abs(value) > LARGEST:
        return math.copysign(math.inf, value)
    return 0.0 if abs(value) < 1 / LARGEST else value
