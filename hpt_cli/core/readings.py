"""What metric definitions find in a log that is at hand, and what is doubtful about it.

For people who write a definition: each value with its line, the curve they make, and warnings of
what goes wrong silently: numbers cut short, two metrics in one, steps that go backwards.
"""

from __future__ import annotations

import math
import re
from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from hpt_cli.core.finders import Finder, Finding, JsonForm, RegexForm, compile_definition
from hpt_cli.core.metrics import MetricReader
from hpt_cli.core.patterns import (
    CLOUDWATCH_TAB,
    NUMBER,
    can_capture_nothing,
    can_explode,
    parse_number,
)
from hpt_cli.errors import Problem

KEPT = 500
"""So many hits at the beginning, and at the end, are kept with their lines."""

LOOKED_AT = 1000
"""So much of a line is searched again for what is doubtful."""

COARSE_DIGITS = 3
PROBES = ("-9.1e-04", "1.5e+10")
"""Numbers that a regex which takes only digits and dots misreads."""

_NUMBER = re.compile(NUMBER)
_NAME_TAIL = re.compile(r"[\w.@/-]*$")


@dataclass(frozen=True, slots=True)
class Hit:
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
    hits: tuple[Hit, ...]
    """The first and the last ones."""
    count: int
    """How many there are in all."""
    curve: tuple[tuple[float, float], ...]
    """(step, value) in order of step, each step once, as a training job would have it."""
    doubts: tuple[Problem, ...]

    @property
    def name(self) -> str:
        """The metric's name."""
        return str(self.definition["name"])


def read_log(
    blocks: Iterable[bytes],
    definitions: Sequence[Mapping[str, Any]],
    lines: Sequence[str],
    kept: int = KEPT,
    limit: Callable[[MetricReader], AbstractContextManager[Any]] = nullcontext,
) -> tuple[Reading, ...]:
    """What each definition finds.

    Args:
        blocks: the log, in blocks of any size.
        lines: of its beginning, to look for what was nearly found.
        kept: how many hits to keep at either end; 0 keeps all.
        limit: what bounds the time of a search, while the log is read.
    """
    finders = [compile_definition(fields) for fields in definitions]
    collected = {finder.metric: _Collected(finder, kept) for finder in finders}
    reader, numbers = MetricReader(finders), _LineNumbers()
    with limit(reader):
        for block in blocks:
            numbers.feed(block)
            _collect(reader.match(block), collected, numbers)
        _collect(reader.match_rest(), collected, numbers)
    return tuple(
        collected[fields["name"]].conclude(fields, reader, lines) for fields in definitions
    )


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

    def __init__(self, finder: Finder, kept: int) -> None:
        self.finder = finder
        self._kept = kept
        self._first: list[Hit] = []
        self._last: deque[Hit] = deque(maxlen=kept or None)
        self._steps: list[tuple[float, float]] = []
        self._tells_step = False

    def add(self, hit: Hit, *, tells_step: bool) -> None:
        self._steps.append((hit.step, hit.value))
        self._tells_step = self._tells_step or tells_step
        (self._first if len(self._first) < self._kept else self._last).append(hit)

    def conclude(
        self, fields: Mapping[str, Any], reader: MetricReader, lines: Sequence[str]
    ) -> Reading:
        hits = (*self._first, *self._last)
        doubts = [*_doubt_definition(fields, self.finder), *_doubt_reader(self.finder, reader)]
        if _is_quick(self.finder):
            doubts += _doubt_matches(self.finder, hits, lines)
        doubts += _doubt_numbers(self.finder, hits)
        doubts += _doubt_curve(self._steps, hits, tells_step=self._tells_step)
        curve = tuple(sorted(dict(self._steps).items()))
        return Reading(fields, hits, len(self._steps), curve, tuple(doubts))


def _collect(
    matches: Iterator[tuple[Any, str, Finding]],
    collected: Mapping[str, _Collected],
    numbers: _LineNumbers,
) -> None:
    for observation, text, finding in matches:
        into = collected[observation.metric]
        form, value_span = into.finder.form, finding.value_span
        if isinstance(form, JsonForm):
            value_span = form.find_value(text, finding)
        number = numbers.find(observation.offset - finding.span[0])
        hit = Hit(number, text, finding.span, value_span, observation.step, observation.value)
        into.add(hit, tells_step=finding.step is not None)


# -- what is doubtful ------------------------------------------------------------------------------


def _doubt_definition(fields: Mapping[str, Any], finder: Finder) -> Iterator[Problem]:
    """What shows in the definition itself."""
    if not isinstance(finder.form, RegexForm) or not fields.get("regex"):
        return
    pattern = finder.form.pattern
    if CLOUDWATCH_TAB in fields["regex"]:
        yield Problem(
            "regex-tab", f"'{CLOUDWATCH_TAB}' is how CloudWatch writes a tab; it is read as one"
        )
    if can_capture_nothing(pattern):
        yield Problem(
            "regex-empty", "the group can capture nothing, as (.*?) does", "write ({num})"
        )
    if can_explode(pattern):
        yield Problem(
            "regex-slow",
            "what is repeated in a repetition can take forever on a long line",
            "a line that takes too long is skipped, and after some the metric is given up",
        )


def _is_quick(finder: Finder) -> bool:
    """Whether a line can be searched once more, without a bound on the time."""
    return not isinstance(finder.form, RegexForm) or not can_explode(finder.form.pattern)


def _doubt_reader(finder: Finder, reader: MetricReader) -> Iterator[Problem]:
    if finder.metric in reader.given_up:
        yield Problem("regex-given-up", "searching took too long, so the rest was not searched")
    if reader.cut_lines:
        message = f"{reader.cut_lines} lines are so long that only their beginning is searched"
        yield Problem("line-long", message)


def _doubt_matches(finder: Finder, hits: Sequence[Hit], lines: Sequence[str]) -> Iterator[Problem]:
    """Matches that are no numbers, and metrics that are two."""
    if not isinstance(finder.form, RegexForm):
        return
    pattern = finder.form.pattern
    if not hits:
        for number, line in enumerate(lines, 1):
            text = line[:LOOKED_AT]
            match = pattern.regex.search(text) if pattern.literal in text else None
            if match and parse_number(match[pattern.value] or "") is None:
                captured = match[pattern.value] or ""
                message = f"line {number} matches, but '{captured}' is no number"
                yield Problem("value-none", message, "write ({num}) for the number")
                return
    names = sorted({_find_name(hit) for hit in hits})
    if len(names) > 1:
        message = f"it finds several metrics: {', '.join(names[:5])}"
        yield Problem("metrics-several", message, r"begin with (?<![\w./-]) or with what is before")
    elif len(hits) > len({(hit.number, hit.text) for hit in hits}):
        yield Problem("values-several", "a line has several values, and each counts")


def _find_name(hit: Hit) -> str:
    """What the log calls the metric: the match up to its value, and the word it begins in."""
    start = hit.span[0]
    matched = re.match(r"[A-Za-z_][\w.@/-]*", hit.text[start : hit.value_span[0]])
    before = _NAME_TAIL.search(hit.text[:start])
    return before.group() + matched.group() if before and matched else ""


def _doubt_numbers(finder: Finder, hits: Sequence[Hit]) -> Iterator[Problem]:
    """Numbers that are cut short, now or when they become small, or are printed too short."""
    cut = next((hit for hit in hits if _read_whole(hit) != _read(hit)), None)
    if cut is not None:
        message = f"line {cut.number}: it reads {_read(cut)} of {_read_whole(cut)}"
        yield Problem("number-cut", message, "write ({num}), which takes signs and exponents")
    elif hits and isinstance(finder.form, RegexForm) and _is_quick(finder):
        yield from _probe(finder.form, hits[0])
    texts = [_read(hit).lstrip("+-0.").partition("e")[0] for hit in hits]
    digits = max((sum(map(str.isdigit, text)) for text in texts), default=0)
    if len(hits) > 4 and digits <= COARSE_DIGITS and len({hit.value for hit in hits}) < len(hits):
        message = f"printed with {digits} digits, so that different values look the same"
        yield Problem("number-coarse", message, "print more digits, or log to a file: see 'file'")


def _read(hit: Hit) -> str:
    return hit.text[slice(*hit.value_span)]


def _read_whole(hit: Hit) -> str:
    """The number that stands where a value was read, sign and exponent included."""
    start, end = hit.value_span
    if re.fullmatch(r"(?:^|.*[^\w.)\]])[-+]", hit.text[:start], re.DOTALL):
        start -= 1
    match = _NUMBER.match(hit.text, start)
    return match.group() if match and match.end() > end else hit.text[start:end]


def _probe(form: RegexForm, hit: Hit) -> Iterator[Problem]:
    """Put other numbers in the place of one that was found."""
    start, end = hit.value_span
    if "/" in hit.text[start:end] or len(hit.text) > LOOKED_AT:
        return
    for probe in PROBES:
        text = hit.text[:start] + probe + hit.text[end:]
        found = {match[form.pattern.value] for match in form.pattern.regex.finditer(text)}
        if probe not in found:
            seen = next((each for each in found if each and each in probe), None)
            how = f"would be read as {seen}" if seen else "would not be found"
            message = f"a value of {probe} {how}"
            yield Problem("number-form", message, "write ({num}), which takes any number")
            return


def _doubt_curve(
    points: Sequence[tuple[float, float]], hits: Sequence[Hit], *, tells_step: bool
) -> Iterator[Problem]:
    """What the values make odd."""
    steps = pairwise(step for step, _ in points)
    back = next(((before, after) for before, after in steps if after < before), None)
    if tells_step and back is not None:
        message = f"the step goes back from {back[0]:g} to {back[1]:g}"
        yield Problem("step-back", message, "a step that comes again replaces its value")
    values = [value for _, value in points]
    odd = sum(not math.isfinite(value) for value in values)
    if odd:
        yield Problem("value-odd", f"{odd} of {len(values)} values are nan or infinite")
    elif len(values) > 2 and len(set(values)) == 1:
        yield Problem("value-same", f"all values are {values[0]:g}")
    if len(values) == 1 and hits:
        yield Problem("value-single", "a single value: there is no curve for early stopping")
