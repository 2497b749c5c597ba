"""Bytes of a log -> observations.

Each block is scanned once for each definition, for the literal text that its matches hold; only the
lines with that text are decoded and searched. Every match is one observation. Its step comes from
the line, or else from an earlier line; otherwise matches are counted from 1.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from hpt_cli.metrics.curve import LARGEST, Observation
from hpt_cli.metrics.extractors import (
    ColumnForm,
    Extractor,
    Form,
    JsonForm,
    LineState,
    Match,
    Opening,
    RegexForm,
    find_step,
)
from hpt_cli.metrics.lines import DocumentJoiner, LineCutter, Segment, clean_lines, decode
from hpt_cli.metrics.log_rules import LogMatch, Rule
from hpt_cli.metrics.patterns import TRIES, Pattern

MAX_STEP = 1e15
"""Larger steps are counted instead: as floats, neighbours would be equal."""
MAX_SLOW_LINES = 3
"""A definition is given up after so many lines that took too long to search."""


# Compared by identity: a rule that has matched is removed, and not one that equals it.
@dataclass(slots=True, eq=False)
class _Search:
    """Something that lines are searched for: a metric, what it comes after, the step of some
    metrics, or a log rule.
    """

    names: tuple[str, ...]
    """The metrics that it is for, or the rule's pattern."""
    target: Form | Pattern | Opening | Rule
    states: tuple[LineState, ...] = ()
    is_after: bool = False
    """Whether only the first value after each opening counts."""
    count: int = 0
    """The number of values found, and of those that an earlier attempt had."""
    literal: bytes = field(init=False)
    beginnings: tuple[bytes, ...] = ()
    ignore_case: bool = False

    def __post_init__(self) -> None:
        target = self.target
        searched = target.pattern if isinstance(target, (RegexForm, Opening, Rule)) else target
        self.literal = searched.literal.encode()
        if isinstance(searched, Pattern):
            self.ignore_case = searched.ignore_case
            self.beginnings = tuple(each.encode() for each in searched.beginnings)

    def list_starts(self, data: bytes) -> list[int]:
        """Return where the lines begin that may have a match."""
        if isinstance(self.target, ColumnForm):
            return self._list_rows(data, self.target)
        # Beyond ASCII, letters of other lengths can be the same in another case.
        if not self.literal or (self.ignore_case and not data.isascii()):
            return _list_lines(data, 0)
        starts = _list_lines_with(data.lower() if self.ignore_case else data, self.literal)
        if self.beginnings:
            return [start for start in starts if data.startswith(self.beginnings, start)]
        return starts

    def _list_rows(self, data: bytes, form: ColumnForm) -> list[int]:
        """Return where every line from the first header on begins."""
        # A header before this block stays in force until another one comes.
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
    """Finds the observations in one log, fed in blocks of any size."""

    def __init__(
        self,
        extractors: Sequence[Extractor],
        rules: Sequence[Rule] = (),
        offset: int = 0,
        slow_lines: Counter[str] | None = None,
        counted_before: Mapping[str, int] | None = None,
    ) -> None:
        """Start at the beginning of a log.

        Args:
            offset: the offset of the first byte that is fed.
            counted_before: by metric, the step after which counted steps go on.
            slow_lines: counts the lines that took too long for each metric, in all logs that share
                it.
        """
        self._cutter = LineCutter(offset)
        has_json = any(isinstance(each.form, JsonForm) for each in extractors)
        self._joiner = DocumentJoiner() if has_json else None
        self._extractors = tuple(extractors)
        self._searches = _make_searches(self._extractors)
        for search in self._searches:
            search.count = (counted_before or {}).get(search.names[0], 0)
        self._searches += [_Search((rule.pattern.source,), rule) for rule in rules]
        self._matches: list[LogMatch] = []
        self._slow_lines = Counter[str]() if slow_lines is None else slow_lines
        self.cut_lines = 0
        """The number of lines so long that only their beginning was searched."""

    def feed(self, block: bytes) -> list[Observation]:
        """Return the observations in the lines that this block completes."""
        return [found for found, _, _ in self.match(block)]

    def finish(self) -> list[Observation]:
        """Return the observations in a last line without an ending."""
        return [found for found, _, _ in self.match_rest()]

    def match(self, block: bytes) -> Iterator[tuple[Observation, str, Match]]:
        """Yield what `feed` returns, each with its line as shown and its match there."""
        if self._joiner is not None:
            block = self._joiner.feed(block)
        for segment in self._cutter.feed(block):
            yield from self._search(segment)

    def match_rest(self) -> Iterator[tuple[Observation, str, Match]]:
        """Yield what `finish` returns, each with its line as shown and its match there."""
        rest = self._cutter.feed(self._joiner.finish()) if self._joiner is not None else []
        for segment in (*rest, *self._cutter.finish()):
            yield from self._search(segment)

    def restart(self) -> None:
        """Count steps from 1 again: what is fed next is a new version of the file."""
        rules = [search for search in self._searches if isinstance(search.target, Rule)]
        self._searches = _make_searches(self._extractors) + rules

    def pop_matches(self) -> list[LogMatch]:
        """Return the matches of log rules since the last call."""
        matches, self._matches = self._matches, []
        return matches

    @property
    def given_up(self) -> list[str]:
        """The metrics that are searched for no longer, as that took too long."""
        return [metric for metric, lines in self._slow_lines.items() if lines >= MAX_SLOW_LINES]

    def _search(self, segment: Segment) -> Iterator[tuple[Observation, str, Match]]:
        self.cut_lines += segment.is_cut
        untold: list[tuple[_Search, str]] = []
        for offset, text, search in self._list_candidates(segment):
            if isinstance(search.target, Pattern):
                untold.append((search, text))
                continue
            self._tell_steps(untold)
            for match in self._search_line(search, text):
                if segment.is_cut and match.span[1] == len(text):
                    continue  # the number may go on behind the cut
                search.count += 1
                step = match.step
                if step is None or not _is_step(step):
                    step = float(search.count)
                where = offset + match.span[0]
                yield Observation(search.names[0], where, step, _bound(match.value)), text, match
        self._tell_steps(untold)

    def _tell_steps(self, lines: list[tuple[_Search, str]]) -> None:
        """Tell metrics the latest step in lines that may hold it; the lines are used up."""
        told: set[_Search] = set()
        while lines:
            search, text = lines.pop()
            if search not in told and self._search_line(search, text):
                told.add(search)

    def _search_line(self, search: _Search, text: str) -> Sequence[Match]:
        """Return the values or the step in a line, or nothing if searching it takes too long."""
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
            step = find_step(target, text)
            if step is None:
                return ()
            for state in search.states:
                state.last_step = step
            whole = (0, len(text))
            return (Match(step, step, whole, whole),)
        if isinstance(target, Opening):
            search.states[0].is_open |= target.pattern.search(text) is not None
            return ()
        if isinstance(target, Rule):
            match = target.match(text)
            if match is not None and search in self._searches:
                self._searches.remove(search)  # a rule matches once in a log
                self._matches.append(match)
            return ()
        found = target.find(text, search.states[0])
        return search.states[0].take_first(found) if search.is_after else found

    def _list_candidates(self, segment: Segment) -> Iterator[tuple[int, str, _Search]]:
        """Yield the lines that may have a match, in order: offset, text, and the search."""
        shown = clean_lines(segment.data)
        searches = tuple(self._searches)  # rules that match are removed meanwhile
        # By line, and in a line by number of the search: those for steps and openings come first,
        # so that they apply to the values beside them.
        candidates = sorted(
            (start, number)
            for number, search in enumerate(searches)
            for start in search.list_starts(shown)
        )
        if not candidates:
            return
        line_map = _LineMap(shown, segment.data)
        latest, offset, text = -1, 0, ""
        for start, number in candidates:
            if start != latest:
                text, offset = decode(_take_line(shown, start)), line_map.find(start)
                latest = start
            yield segment.offset + offset, text, searches[number]


class _LineMap:
    """Maps the beginnings of lines, as shown, to their offsets in the segment."""

    def __init__(self, shown: bytes, raw: bytes) -> None:
        self._shown = shown
        self._starts: list[int] | None = None
        # Where there is nothing to clean, the very same bytes come back, and offsets are the same.
        if shown is not raw:
            self._starts = list(accumulate((len(line) + 1 for line in raw.split(b"\n")), initial=0))
        self._line = self._at = 0

    def find(self, start: int) -> int:
        """Return the offset of a line; calls must be in the order of the lines."""
        if self._starts is None:
            return start
        self._line += self._shown.count(b"\n", self._at, start)
        self._at = start
        return self._starts[self._line]


def _make_searches(extractors: Sequence[Extractor]) -> list[_Search]:
    """Return a search for each metric, and before them those for steps and openings."""
    states = [(extractor, LineState()) for extractor in extractors]
    steps = {each.step.source: each.step for each in extractors if each.step is not None}
    searches = []
    for source, pattern in steps.items():
        own = [(each, state) for each, state in states if each.step and each.step.source == source]
        metrics = tuple(each.metric for each, _ in own)
        searches.append(_Search(metrics, pattern, tuple(state for _, state in own)))
    for each, state in states:
        if each.after is not None:
            searches.append(_Search((each.metric,), Opening(each.after), (state,)))
    return searches + [
        _Search((each.metric,), each.form, (state,), each.after is not None)
        for each, state in states
    ]


def _is_step(number: float) -> bool:
    return number == 0 or 1 / MAX_STEP <= abs(number) <= MAX_STEP


def _bound(value: float) -> float:
    return math.copysign(math.inf, value) if abs(value) > LARGEST else value
