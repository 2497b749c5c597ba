"""What metric definitions find in a log that is at hand, and what is doubtful about it.

For people who write a definition: each value with its line, the curve they make, and warnings of
what goes wrong silently: numbers cut short, two metrics in one, steps that go backwards.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from hpt_cli.errors import Problem
from hpt_cli.metrics.extractors import Extractor, RegexForm
from hpt_cli.metrics.lines import split_lines
from hpt_cli.metrics.patterns import (
    CLOUDWATCH_TAB,
    GROUPED,
    NUMBER,
    Pattern,
    parse_number,
)
from hpt_cli.metrics.scan import KEPT, LineMatch, Reading, scan_log

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


def read_log(
    blocks: Iterable[bytes],
    definitions: Sequence[Mapping[str, Any]],
    lines: Sequence[str],
    kept: int = KEPT,
) -> tuple[Reading, ...]:
    """What each definition finds in a log (see `scan_log`), and what is doubtful about it.

    `lines` are those of its beginning, to look for what was nearly found.
    """
    readings = scan_log(blocks, definitions, kept)
    return tuple(replace(each, warnings=tuple(lint(each, lines))) for each in readings)


def lint(reading: Reading, lines: Sequence[str]) -> Iterator[Problem]:
    """What is doubtful about what one definition found; `lines` are the beginning of the log."""
    fields, extractor, hits = reading.definition, reading.extractor, reading.hits
    yield from _lint_definition(fields, extractor)
    yield from _lint_reading(reading)
    if _is_quick(extractor):
        yield from _lint_matches(extractor, hits, lines)
        yield from _lint_commas(fields, extractor, hits, lines)
    yield from _lint_numbers(extractor, hits)
    yield from _lint_steps(reading.points if reading.has_steps else (), fields)
    yield from _lint_curve(reading.points, hits)


def lint_definitions(
    definitions: Sequence[Mapping[str, Any]], log: bytes, *, only_silent: bool = False
) -> Iterator[Problem]:
    """Yield what looks wrong with the values that definitions find, with the metric's name.

    Args:
        definitions: those that read a file, not the output, are left out.
        log: the output, of which the first BEGINNING_BYTES are read.
        only_silent: only what makes a curve wrong and shows nowhere else.
    """
    if len(log) > BEGINNING_BYTES:
        log = log[: log.rfind(b"\n", 0, BEGINNING_BYTES) + 1]
    definitions = [each for each in definitions if not each.get("file")]
    for reading in read_log([log], definitions, split_lines(log)):
        for warning in reading.warnings if reading.count else ():
            if only_silent and warning.slug not in SILENT:
                continue
            yield replace(warning, message=f"{reading.name}: {warning.message}")


# -- what is doubtful ------------------------------------------------------------------------------


def _lint_definition(fields: Mapping[str, Any], extractor: Extractor) -> Iterator[Problem]:
    """What shows in the definition itself."""
    if not isinstance(extractor.form, RegexForm) or not fields.get("regex"):
        return
    pattern = extractor.form.pattern
    if CLOUDWATCH_TAB in fields["regex"]:
        yield Problem(
            "regex-tab", f"'{CLOUDWATCH_TAB}' is how CloudWatch writes a tab; it is read as one"
        )
    if pattern.can_capture_nothing:
        yield Problem(
            "regex-empty", "the group can capture nothing, as (.*?) does", "write ({num})"
        )
    if pattern.can_explode:
        yield Problem(
            "regex-slow",
            "what is repeated in a repetition can take forever on a long line",
            "a line that takes too long is skipped, and after some the metric is given up",
        )


def _is_quick(extractor: Extractor) -> bool:
    """Whether a line can be searched once more, without a bound on the time."""
    return not isinstance(extractor.form, RegexForm) or not extractor.form.pattern.can_explode


def _lint_reading(reading: Reading) -> Iterator[Problem]:
    if reading.is_given_up:
        yield Problem("regex-given-up", "searching took too long, so the rest was not searched")
    if reading.cut_lines:
        message = f"{reading.cut_lines} lines are so long that only their beginning is searched"
        yield Problem("line-long", message)


def _lint_matches(
    extractor: Extractor, hits: Sequence[LineMatch], lines: Sequence[str]
) -> Iterator[Problem]:
    """Matches that are no numbers, and metrics that are two."""
    if not isinstance(extractor.form, RegexForm):
        return
    pattern = extractor.form.pattern
    if not hits:
        for number, line in enumerate(lines, 1):
            text = line[:LOOKED_AT]
            match = pattern.search(text) if pattern.literal in text else None
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


def _find_name(hit: LineMatch) -> str:
    """What the log calls the metric: the match up to its value, and the word it begins in."""
    start = hit.span[0]
    matched = re.match(r"[A-Za-z_][\w.@/-]*", hit.text[start : hit.value_span[0]])
    before = _NAME_TAIL.search(hit.text[:start])
    return before.group() + matched.group() if before and matched else ""


def _lint_numbers(extractor: Extractor, hits: Sequence[LineMatch]) -> Iterator[Problem]:
    """Numbers that are cut short, now or when they become small, or are printed too short."""
    cut = next((hit for hit in hits if _read_whole(hit) != _read(hit)), None)
    if cut is not None:
        message = f"line {cut.number}: it reads {_read(cut)} of {_read_whole(cut)}"
        yield Problem("number-cut", message, "write ({num}), which takes signs and exponents")
    elif hits and isinstance(extractor.form, RegexForm) and _is_quick(extractor):
        yield from _probe(extractor.form, hits[0])
    texts = [_read(hit).lstrip("+-0.").partition("e")[0] for hit in hits]
    digits = max((sum(map(str.isdigit, text)) for text in texts), default=0)
    if len(hits) > 4 and digits <= COARSE_DIGITS and len({hit.value for hit in hits}) < len(hits):
        message = f"printed with {digits} digits, so that different values look the same"
        yield Problem("number-coarse", message, "print more digits, or log to a file: see 'file'")


def _lint_commas(
    fields: Mapping[str, Any], extractor: Extractor, hits: Sequence[LineMatch], lines: Sequence[str]
) -> Iterator[Problem]:
    """Values and steps that go on behind a comma."""
    cuts: list[tuple[int, str, str]] = []
    if isinstance(extractor.form, RegexForm):
        for hit in hits:
            spans = _list_spans(extractor.form.pattern, hit)
            cuts += _find_cuts(extractor.form.pattern, hit.number, hit.text, hit.span[0], spans)
    if extractor.step is not None:
        for number, line in enumerate(lines, 1):
            text = line[:LOOKED_AT]
            match = extractor.step.search(text) if extractor.step.literal in text else None
            if match and match[extractor.step.step]:
                spans = [match.span(extractor.step.step)]
                cuts += _find_cuts(extractor.step, number, text, match.start(), spans)
    if not cuts:
        return
    first, hint = cuts[0][0], "a comma is never a decimal point to hpt: print 0.91, not 0,91"
    told = " and ".join(f"{read} of {whole}" for number, read, whole in cuts if number == first)
    if all(re.fullmatch(GROUPED, whole) for _, _, whole in cuts):
        hint = _write_grouped(fields)
    yield Problem("number-cut", f"line {first}: it reads {told}", hint)


def _list_spans(pattern: Pattern, hit: LineMatch) -> list[tuple[int, int]]:
    """Where the step stands in a match, if it tells one, and where the value."""
    match = pattern.match(hit.text, hit.span[0]) if pattern.step else None
    return [*([match.span(pattern.step)] if match else []), hit.value_span]


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
        if not is_list and pattern.match(other, start):
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


def _read(hit: LineMatch) -> str:
    return hit.text[slice(*hit.value_span)]


def _read_whole(hit: LineMatch) -> str:
    """The number that stands where a value was read, sign and exponent included."""
    start, end = hit.value_span
    if re.fullmatch(r"(?:^|.*[^\w.)\]])[-+]", hit.text[:start], re.DOTALL):
        start -= 1
    match = _NUMBER.match(hit.text, start)
    return match.group() if match and match.end() > end else hit.text[start:end]


def _probe(form: RegexForm, hit: LineMatch) -> Iterator[Problem]:
    """Put other numbers in the place of one that was found."""
    start, end = hit.value_span
    if "/" in hit.text[start:end] or len(hit.text) > LOOKED_AT:
        return
    for probe in PROBES:
        text = hit.text[:start] + probe + hit.text[end:]
        found = {match[form.pattern.value] for match in form.pattern.finditer(text)}
        if probe not in found:
            seen = next((each for each in found if each and each in probe), None)
            how = f"would be read as {seen}" if seen else "would not be found"
            message = f"a value of {probe} {how}"
            yield Problem("number-form", message, "write ({num}), which takes any number")
            return


def _lint_steps(
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


def _lint_curve(
    points: Sequence[tuple[float, float]], hits: Sequence[LineMatch]
) -> Iterator[Problem]:
    """What the values make odd."""
    values = [value for _, value in points]
    odd = sum(not math.isfinite(value) for value in values)
    if odd:
        yield Problem("value-odd", f"{odd} of {len(values)} values are nan or infinite")
    elif len(values) > 2 and len(set(values)) == 1:
        yield Problem("value-same", f"all values are {values[0]:g}")
    if len(values) == 1 and hits:
        yield Problem("value-single", "a single value: there is no curve for early stopping")
