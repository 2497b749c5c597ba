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
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from hpt_cli.errors import Problem
from hpt_cli.metrics.extractors import Finder, Finding, JsonForm, RegexForm, compile_definition
from hpt_cli.metrics.lines import split_lines
from hpt_cli.metrics.patterns import (
    CLOUDWATCH_TAB,
    GROUPED,
    NUMBER,
    STEP_GROUP,
    Pattern,
    can_capture_nothing,
    can_explode,
    parse_number,
)
from hpt_cli.metrics.reader import MetricReader

KEPT = 500
"""So many hits at the beginning, and at the end, are kept with their lines."""

LOOKED_AT = 1000
"""So much of a line is searched again for what is doubtful."""

SILENT = ("number-cut", "step-twice")
"""What makes a curve wrong, and shows nowhere else."""

BEGINNING_BYTES = 1 << 18
"""So much of a log shows what is read wrong in it."""

MOST_MIXED = 4
"""With more values for one step, it is progress within an epoch, of which the last is meant."""
COARSE_DIGITS = 3
PROBES = ("-9.1e-04", "1.5e+10")
"""Numbers that a regex which takes only digits and dots misreads."""

_NUMBER = re.compile(NUMBER)
_WHOLE = re.compile(r"[-+]?\d+")
_COMMAS = re.compile(r"(?:,\d+)+(?:\.\d+)?")
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


def find_misreadings(
    definitions: Sequence[Mapping[str, Any]],
    log: bytes,
    limit: Callable[[MetricReader], AbstractContextManager[Any]] = nullcontext,
) -> Iterator[Problem]:
    """What is doubtful about the values that definitions of the output find, each named.

    Args:
        log: the output, of which the first BEGINNING_BYTES are looked at.
        limit: what bounds the time of a search.
    """
    if len(log) > BEGINNING_BYTES:
        log = log[: log.rfind(b"\n", 0, BEGINNING_BYTES) + 1]
    definitions = [each for each in definitions if not each.get("file")]
    for reading in read_log([log], definitions, split_lines(log), KEPT, limit):
        for doubt in reading.doubts if reading.count else ():
            yield replace(doubt, message=f"{reading.name}: {doubt.message}")


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
            doubts += _doubt_commas(fields, self.finder, hits, lines)
        doubts += _doubt_numbers(self.finder, hits)
        doubts += _doubt_steps(self._steps if self._tells_step else (), fields)
        doubts += _doubt_curve(self._steps, hits)
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


def _doubt_commas(
    fields: Mapping[str, Any], finder: Finder, hits: Sequence[Hit], lines: Sequence[str]
) -> Iterator[Problem]:
    """Values and steps that go on behind a comma."""
    cuts: list[tuple[int, str, str]] = []
    if isinstance(finder.form, RegexForm):
        for hit in hits:
            spans = _list_spans(finder.form.pattern, hit)
            cuts += _find_cuts(finder.form.pattern, hit.number, hit.text, hit.span[0], spans)
    if finder.step is not None:
        for number, line in enumerate(lines, 1):
            text = line[:LOOKED_AT]
            match = finder.step.regex.search(text) if finder.step.literal in text else None
            if match and match[STEP_GROUP]:
                spans = [match.span(STEP_GROUP)]
                cuts += _find_cuts(finder.step, number, text, match.start(), spans)
    if not cuts:
        return
    first, hint = cuts[0][0], "a comma is never a decimal point to hpt: print 0.91, not 0,91"
    told = " and ".join(f"{read} of {whole}" for number, read, whole in cuts if number == first)
    if all(re.fullmatch(GROUPED, whole) for _, _, whole in cuts):
        hint = _write_grouped(fields)
    yield Problem("number-cut", f"line {first}: it reads {told}", hint)


def _list_spans(pattern: Pattern, hit: Hit) -> list[tuple[int, int]]:
    """Where the step stands in a match, if it tells one, and where the value."""
    match = pattern.regex.match(hit.text, hit.span[0]) if pattern.has_step else None
    return [*([match.span(STEP_GROUP)] if match else []), hit.value_span]


def _find_cuts(
    pattern: Pattern, number: int, text: str, start: int, spans: Iterable[tuple[int, int]]
) -> Iterator[tuple[int, str, str]]:
    """Numbers that were read up to a comma: (line, what was read, the whole).

    A comma that the regex asks for ends a number, and so do those of a list.
    """
    for begin, end in spans:
        rest = _COMMAS.match(text, end)
        if rest is None or not _WHOLE.fullmatch(text, begin, end) or len(text) > LOOKED_AT:
            continue
        groups = rest.group()[1:].partition(".")[0].split(",")
        is_list = len(groups) > 1 and any(len(group) != 3 for group in groups)
        other = f"{text[:end]};{text[end + 1 :]}"
        if not is_list and pattern.regex.match(other, start):
            yield number, text[begin:end], text[begin : rest.end()]


def _write_grouped(fields: Mapping[str, Any]) -> str:
    """How to write a definition that takes commas between thousands."""
    written = [
        f"{key}: '{new}'"
        for key in ("regex", "step")
        if (old := str(fields.get(key) or ""))
        and (new := old.replace("{num}", "{num,}").replace("{step}", "{step,}")) != old
    ]
    return f"write {', '.join(written) or '{num,}'}, which takes commas between thousands"


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


def _doubt_steps(
    points: Sequence[tuple[float, float]], fields: Mapping[str, Any]
) -> Iterator[Problem]:
    """Steps that make no curve. What a preset reads is known to be right."""
    steps = pairwise(step for step, _ in points)
    back = next(((before, after) for before, after in steps if after < before), None)
    if back is not None:
        message = f"the step goes back from {back[0]:g} to {back[1]:g}"
        yield Problem("step-back", message, "a step that comes again replaces its value")
        return
    values: dict[float, list[float]] = {}
    for step, value in points:
        values.setdefault(step, []).append(value)
    step, same = next(
        ((step, each) for step, each in values.items() if len(set(each)) > 1), (0.0, [])
    )
    if max(map(len, values.values()), default=0) > MOST_MIXED:
        return
    if same and not fields.get("preset"):
        shown = " and ".join(f"{value:g}" for value in dict.fromkeys(same[:1] + same[-1:]))
        message = f"{len(same)} values for one step: the last counts (step {step:g}: {shown})"
        hint = "say in the regex which lines are meant, as in 'valid: .*?acc ({num})'"
        yield Problem("step-twice", message, hint)


def _doubt_curve(points: Sequence[tuple[float, float]], hits: Sequence[Hit]) -> Iterator[Problem]:
    """What the values make odd."""
    values = [value for _, value in points]
    odd = sum(not math.isfinite(value) for value in values)
    if odd:
        yield Problem("value-odd", f"{odd} of {len(values)} values are nan or infinite")
    elif len(values) > 2 and len(set(values)) == 1:
        yield Problem("value-same", f"all values are {values[0]:g}")
    if len(values) == 1 and hits:
        yield Problem("value-single", "a single value: there is no curve for early stopping")
