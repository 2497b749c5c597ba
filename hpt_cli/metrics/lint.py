"""Warnings about metric definitions: what they read wrong in a log without any error.

Numbers that are cut short, two metrics in one, steps that go back: all of this gives a curve, and
nothing else would show that it is wrong.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from typing import Any

from hpt_cli.errors import Problem
from hpt_cli.formatting import count
from hpt_cli.metrics.detection.pair_regex import reads_folds
from hpt_cli.metrics.extractors import compile_definition, iterate_matches
from hpt_cli.metrics.lines import split_lines
from hpt_cli.metrics.patterns import CLOUDWATCH_TAB, GROUPED, NUMBER, Found, Pattern, parse_number
from hpt_cli.metrics.scan import KEPT, LineMatch, ScanResult, scan_log

MAX_LINE_LENGTH = 1000
"""Longer lines are not searched again, or only at their beginning."""

SILENT = ("number-cut", "step-twice", "step-back", "units-several")
"""The warnings of a wrong curve that nothing else shows."""

UNREAD = ("after-none",)
"""The warnings of a definition that finds nothing; those not named here are told elsewhere."""

BEGINNING_BYTES = 1 << 18
"""The beginning of a log that is read to warn of definitions."""

MAX_VALUES_PER_STEP = 4
"""More values for one step are progress within an epoch, and the last one is meant."""
COARSE_DIGITS = 3
PROBES = ("-9.1e-04", "1.5e+10")
"""Numbers that a regex for digits and points misreads."""

_NUMBER = re.compile(NUMBER)
_UNIT = re.compile(r" ?(?:[mun\u00b5]?s|secs?|mins?|hrs?|hours?|h|[kKMGT]?i?[bB]|%)(?![\w/])")
_WHOLE = re.compile(r"[-+]?\d+")
_COMMAS = re.compile(r"(?:,\d+)+(?:\.\d+)?")
_NAME_TAIL = re.compile(r"[\w.@/-]*$")


def scan_and_lint(
    blocks: Iterable[bytes],
    definitions: Sequence[Mapping[str, Any]],
    lines: Sequence[str],
    kept: int = KEPT,
) -> tuple[ScanResult, ...]:
    """Return what each definition finds in a log, with warnings about it.

    Args:
        blocks, definitions, kept: as for `scan_log`.
        lines: the first lines of the log, which are searched for near misses.
    """
    results = scan_log(blocks, definitions, kept)
    return tuple(replace(each, warnings=tuple(lint(each, lines))) for each in results)


def lint_definitions(
    definitions: Sequence[Mapping[str, Any]], log: bytes, *, only_silent: bool = False
) -> Iterator[Problem]:
    """Yield warnings about the values that definitions find, each with its metric's name.

    Args:
        definitions: those that read a file, not the output, are left out.
        log: the output, of which the first BEGINNING_BYTES are read.
        only_silent: only what makes a curve wrong and shows nowhere else.
    """
    if len(log) > BEGINNING_BYTES:
        log = log[: log.rfind(b"\n", 0, BEGINNING_BYTES) + 1]
    definitions = [each for each in definitions if not each.get("file")]
    for result in scan_and_lint([log], definitions, split_lines(log)):
        for warning in result.warnings:
            told = result.count or warning.slug in UNREAD
            if told and (not only_silent or warning.slug in SILENT):
                yield replace(warning, message=f"{result.name}: {warning.message}")


def lint(result: ScanResult, lines: Sequence[str]) -> Iterator[Problem]:
    """Yield warnings about what one definition found in a log that begins with `lines`."""
    yield from _lint_regex(result)
    if result.is_given_up:
        message = "searching took too long, so the rest of the log was not searched"
        yield Problem("regex-given-up", message)
    if result.cut_lines:
        message = f"{count(result.cut_lines, 'line')} too long: only the beginning is searched"
        yield Problem("line-long", message)
    searches = (
        _lint_case(result, lines),
        () if result.matches else lint_after(result.definition, lines),
        _lint_matches(result, lines),
        _lint_commas(result, lines),
        _lint_numbers(result),
        _lint_units(result),
    )
    for warnings in searches:
        with suppress(TimeoutError):  # the regex is slow; that is reported already
            yield from warnings
    if result.has_steps:
        yield from _lint_steps(result)
    yield from _lint_values(result)


def _lint_regex(result: ScanResult) -> Iterator[Problem]:
    """Yield warnings about the regex itself, if the definition has its own."""
    source, pattern = result.definition.get("regex"), result.pattern
    if pattern is None or not source:
        return
    if CLOUDWATCH_TAB in source:
        message = f"'{CLOUDWATCH_TAB}' is how CloudWatch writes a tab, and is read as a tab"
        yield Problem("regex-tab", message)
    if pattern.can_capture_nothing:
        message = "the group can match the empty string, as (.*?) does"
        yield Problem("regex-empty", message, "write ({num})")
    if pattern.can_explode:
        yield Problem(
            "regex-slow",
            "a repetition inside a repetition can take forever on a long line",
            "lines that take too long are skipped, and after several the metric is given up",
        )


def ignore_case(fields: Mapping[str, Any], lines: Sequence[str]) -> Mapping[str, Any] | None:
    """Return a definition with a regex to which the case of letters is the same, if that matches.

    Raises:
        TimeoutError: the regex is slow.
    """
    if not fields.get("regex"):
        return None
    wider = {**fields, "regex": f"(?i){fields['regex']}"}
    return wider if _finds_something(wider, lines) else None


def _finds_something(fields: Mapping[str, Any], lines: Sequence[str]) -> bool:
    """Return whether a definition matches in the lines of a log."""
    found = iterate_matches(compile_definition(fields), [line[:MAX_LINE_LENGTH] for line in lines])
    return next(found, None) is not None


def _lint_case(result: ScanResult, lines: Sequence[str]) -> Iterator[Problem]:
    """Yield that only the case of letters keeps a regex from matching."""
    wider = None if result.matches else ignore_case(result.definition, lines)
    if wider is not None:
        message = "the regex would match if upper and lower case were the same to it"
        yield Problem("regex-case", message, f"write regex: '{wider['regex']}'")


def lint_after(fields: Mapping[str, Any], lines: Sequence[str]) -> Iterator[Problem]:
    """Yield that only its `after` keeps a definition from matching.

    Raises:
        TimeoutError: the regex is slow.
    """
    after = fields.get("after")
    if not after or _finds_something(fields, lines):
        return
    if _finds_something({**fields, "after": None}, lines):
        message = f"no line before its matches is one that after: '{after}' fits"
        yield Problem("after-none", message)


def _lint_matches(result: ScanResult, lines: Sequence[str]) -> Iterator[Problem]:
    """Yield that matches are not numbers, or belong to several metrics."""
    if result.pattern is None:
        return
    matches = result.matches
    if not matches:
        for number, match in _search_lines(result.pattern, lines):
            captured = match[result.pattern.value] or ""
            if parse_number(captured) is None:
                message = f"line {number} matches, but '{captured}' is not a number"
                yield Problem("value-none", message, "write ({num}) for the number")
                return
    names = sorted({_find_name(match) for match in matches})
    if len(names) > 1:
        message = f"the regex finds several metrics: {', '.join(names[:5])}"
        hint = r"begin the regex with (?<![\w./-]), or with the text before the name"
        yield Problem("metrics-several", message, hint)
    elif len(matches) > len({(match.number, match.text) for match in matches}):
        yield Problem("values-several", "a line has several values, and each one counts")


def _search_lines(pattern: Pattern, lines: Sequence[str]) -> Iterator[tuple[int, Found]]:
    """Yield the first match in each line that has one, with the line's number from 1."""
    for number, line in enumerate(lines, 1):
        text = line[:MAX_LINE_LENGTH]
        match = pattern.search(text) if pattern.literal in text else None
        if match is not None:
            yield number, match


def _find_name(match: LineMatch) -> str:
    """Return what the log calls the metric: the word in which a match begins."""
    start = match.span[0]
    matched = re.match(r"[A-Za-z_][\w.@/-]*", match.text[start : match.value_span[0]])
    before = _NAME_TAIL.search(match.text[:start])
    return before.group() + matched.group() if before and matched else ""


def _lint_commas(result: ScanResult, lines: Sequence[str]) -> Iterator[Problem]:
    """Yield that numbers continue after a comma where they were cut."""
    cuts = list(_find_comma_cuts(result, lines))
    if not cuts:
        return
    first = cuts[0][0]
    shown = " and ".join(
        f"{whole} is read as {read}" for line, read, whole in cuts if line == first
    )
    hint = "a comma is never a decimal point to hpt: print 0.91, not 0,91"
    if all(re.fullmatch(GROUPED, whole) for _, _, whole in cuts):
        hint = "write ({num}), which accepts commas between thousands"
    yield Problem("number-cut", f"line {first}: {shown}", hint)


def _find_comma_cuts(result: ScanResult, lines: Sequence[str]) -> Iterator[tuple[int, str, str]]:
    """Yield the numbers that were read up to a comma: (line, what was read, the whole number)."""
    if (pattern := result.pattern) is not None:
        for each in result.matches:
            if len(each.text) <= MAX_LINE_LENGTH:
                match = pattern.match(each.text, each.span[0])
                for group in (pattern.step, pattern.value):
                    yield from _check_comma(pattern, each.number, match, group)
    if (step := result.extractor.step) is not None:
        for number, match in _search_lines(step, lines):
            yield from _check_comma(step, number, match, step.step)


def _check_comma(
    pattern: Pattern, number: int, match: Found | None, group: int
) -> Iterator[tuple[int, str, str]]:
    if match is None or not group or match[group] is None:
        return
    text, (begin, end) = match.string, match.span(group)
    rest = _COMMAS.match(text, end)
    if rest is None or not _WHOLE.fullmatch(text, begin, end):
        return
    groups = rest.group()[1:].partition(".")[0].split(",")
    is_list = len(groups) > 1 and any(len(each) != 3 for each in groups)
    other = f"{text[:end]};{text[end + 1 :]}"  # a regex that asks for the comma no longer matches
    if not is_list and pattern.match(other, match.start()):
        yield number, text[begin:end], text[begin : rest.end()]


def _lint_numbers(result: ScanResult) -> Iterator[Problem]:
    """Yield that numbers are cut short, would be cut in another form, or have too few digits."""
    matches = result.matches
    cut = next((match for match in matches if _read_whole(match) != _read(match)), None)
    if cut is not None:
        message = f"line {cut.number}: {_read_whole(cut)} is read as {_read(cut)}"
        yield Problem("number-cut", message, "write ({num}), which accepts signs and exponents")
    elif matches and result.pattern is not None:
        yield from _probe(result.pattern, matches[0])
    texts = [_read(match).lstrip("+-0.").partition("e")[0] for match in matches]
    digits = max((sum(map(str.isdigit, text)) for text in texts), default=0)
    values = {match.value for match in matches}
    if len(matches) > 4 and digits <= COARSE_DIGITS and len(values) < len(matches):
        message = f"printed with only {digits} digits, so different values look the same"
        yield Problem("number-coarse", message, "print more digits, or log to a file: see 'file'")


def _lint_units(result: ScanResult) -> Iterator[Problem]:
    """Yield that values are followed by different units, which are no part of them."""
    units: dict[str, str] = {}
    for match in result.matches:
        unit = _UNIT.match(match.text, match.value_span[1])
        if unit is not None:
            units.setdefault(unit.group().strip(), _read(match) + unit.group())
    if len(units) > 1:
        shown = " and ".join(list(units.values())[:2])
        message = f"the unit changes, and is no part of the value: {shown}"
        yield Problem("units-several", message, "print the metric in one unit")


def _read(match: LineMatch) -> str:
    return match.text[slice(*match.value_span)]


def _read_whole(match: LineMatch) -> str:
    """Return the number that stands where a value was read, with its sign and exponent."""
    start, end = match.value_span
    if re.fullmatch(r"(?:^|.*[^\w.)\]])[-+]", match.text[:start], re.DOTALL):
        start -= 1
    whole = _NUMBER.match(match.text, start)
    return whole.group() if whole and whole.end() > end else match.text[start:end]


def _probe(pattern: Pattern, match: LineMatch) -> Iterator[Problem]:
    """Yield that numbers of another form would be misread in the place of a value."""
    start, end = match.value_span
    if "/" in match.text[start:end] or len(match.text) > MAX_LINE_LENGTH:
        return
    for probe in PROBES:
        text = match.text[:start] + probe + match.text[end:]
        found = {each[pattern.value] for each in pattern.finditer(text)}
        if probe not in found:
            seen = next((each for each in found if each and each in probe), None)
            how = f"would be read as {seen}" if seen else "would not be found"
            hint = "write ({num}), which accepts any number"
            yield Problem("number-form", f"a value of {probe} {how}", hint)
            return


def _lint_steps(result: ScanResult) -> Iterator[Problem]:
    """Yield that steps go back, or come with several values."""
    steps = pairwise(step for step, _ in result.points)
    back = next(((before, after) for before, after in steps if after < before), None)
    if back is not None:
        message = f"the step goes back from {back[0]:g} to {back[1]:g}"
        hint = "a repeated step replaces the earlier value; of folds, use the fold as the step"
        yield Problem("step-back", message, hint)
        return
    values: dict[float, list[float]] = {}
    for step, value in result.points:
        values.setdefault(step, []).append(value)
    step, several = next(
        ((step, each) for step, each in values.items() if len(set(each)) > 1), (0.0, [])
    )
    if max(map(len, values.values()), default=0) > MAX_VALUES_PER_STEP:
        return
    # Presets are known to be right; of a fold, the last value is meant.
    if several and not (result.definition.get("preset") or reads_folds(result.definition)):
        shown = " and ".join(f"{value:g}" for value in dict.fromkeys(several[:1] + several[-1:]))
        message = f"{len(several)} values for one step: the last counts (step {step:g}: {shown})"
        hint = "make the regex match only the lines that are meant, as in 'valid: .*?acc ({num})'"
        yield Problem("step-twice", message, hint)


def _lint_values(result: ScanResult) -> Iterator[Problem]:
    """Yield that values are not finite, all the same, or only one."""
    values = [value for _, value in result.points]
    odd = sum(not math.isfinite(value) for value in values)
    if odd:
        yield Problem("value-odd", f"{odd} of {count(len(values), 'value')} are nan or infinite")
    elif len(values) > 2 and len(set(values)) == 1:
        yield Problem("value-same", f"all values are {values[0]:g}")
    if len(values) == 1 and result.matches:
        yield Problem("value-single", "only one value: early stopping has no curve to judge")
