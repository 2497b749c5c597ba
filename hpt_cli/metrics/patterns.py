"""Regexes as people write them for metrics: `{num}`, `{ratio}` and `{step}`, and what they capture.

A comma in a number is a guess (`1,234` is a thousand, or one and a bit, or two numbers), so only
`{num,}` and `{step,}` take it, between thousands.

Python's `re` is the engine: it knows what people paste (lookarounds, backreferences), and whoever
searches bounds its time. `literal` is what makes it fast: text that every match holds, and that is
looked for first, in whole blocks.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import Any

NUMBER = r"[-+]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?|(?i:nan|inf(?:inity)?))"
"""What `{num}` in a regex stands for: a sign, digits, an exponent; NaN and infinity too."""

GROUPED = r"[-+]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d*)?(?![\d,])"
"""A number with commas between thousands, as Python's `{:,}` prints it."""

RATIO = rf"{NUMBER}\s*/\s*{NUMBER}"
"""What `{ratio}` stands for: `9902/10000`, read as their quotient."""

STEP_GROUP = "step"
VALUE_GROUP = "value"

STEP = rf"(?P<{STEP_GROUP}>\d+(?:\.\d+)?)"
"""What `{step}` stands for: a number without a sign, captured as the step."""

_GROUPED_STEP = rf"(?P<{STEP_GROUP}>[1-9]\d{{0,2}}(?:,\d{{3}})+(?![\d,])|\d+(?:\.\d+)?)"
_PLACEHOLDERS = {
    "{step}": STEP,
    "{step,}": _GROUPED_STEP,
    "{num}": NUMBER,
    "{num,}": f"(?:{GROUPED}|{NUMBER})",
    "{ratio}": RATIO,
}
_VALUE = re.compile(r"\{(?:num,?|ratio)\}")
_WHOLE_GROUPED = re.compile(GROUPED)

CLOUDWATCH_TAB = "#011"
"""How CloudWatch writes a tab, and so SageMaker's own regexes; in a log it is one or the other."""

_TAB = rf"(?:\t|{CLOUDWATCH_TAB})"

_parser: Any = import_module("re._parser")
"""The parser of `re` itself; without type stubs."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled regex, and what its groups mean."""

    regex: re.Pattern[str]
    value: int
    """The group that captures the value; 0 where there is none."""
    literal: str
    """What every match holds; empty if there is no such text."""
    ignore_case: bool = False
    """Whether the literal, in lower case, stands for itself in any case."""
    groups_thousands: bool = False
    """Whether commas may stand between thousands: `{num,}`, `{step,}`."""

    @property
    def has_step(self) -> bool:
        """Whether a match tells its step."""
        return STEP_GROUP in self.regex.groupindex

    def parse(self, text: str | None) -> float | None:
        """The number that a group captured; None if it is none."""
        if self.groups_thousands and text and _WHOLE_GROUPED.fullmatch(text):
            text = text.replace(",", "")
        return parse_number(text or "")


def expand(regex: str) -> str:
    """A regex with its placeholders filled in.

    Without a group, a single `{num}` or `{ratio}` is what is captured.
    """
    regex = regex.replace(CLOUDWATCH_TAB, _TAB)
    for step in ("{step}", "{step,}"):
        regex = regex.replace(step, _PLACEHOLDERS[step])
    if len(_VALUE.findall(regex)) == 1 and not _has_value_group(regex):
        regex = _VALUE.sub(r"(\g<0>)", regex)
    return _VALUE.sub(lambda match: _PLACEHOLDERS[match.group()], regex)


def _has_value_group(regex: str) -> bool:
    try:
        return bool(_list_value_groups(compile_alone(regex)))
    except ValueError:
        return True


def compile_alone(regex: str) -> re.Pattern[str]:
    """Compile a regex without placeholders; what Python may mean by it one day is left unsaid.

    Raises:
        ValueError: it does not compile.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        try:
            return re.compile(regex)
        except (re.error, RecursionError, OverflowError) as error:
            raise ValueError(f"the regex does not compile: {error}") from None


@lru_cache(maxsize=512)
def compile_regex(regex: str) -> Pattern:
    """Compile a metric's regex, with its placeholders.

    Raises:
        ValueError: it does not compile, or does not say which part of a match is the value.
    """
    compiled = compile_alone(expand(regex))
    groups = _list_value_groups(compiled)
    if not groups:
        raise ValueError("the regex has no group (...) that captures the value")
    if len(groups) > 1:
        raise ValueError(
            f"the regex has {len(groups)} groups that could be the value; one may capture: name it"
            f" (?P<{VALUE_GROUP}>...), or make the others (?:...)"
        )
    if compiled.match("") is not None:
        raise ValueError("the regex can match nothing at all, so it would match everywhere")
    return make_pattern(compiled, groups[0], groups_thousands=_groups_thousands(regex))


@lru_cache(maxsize=512)
def compile_step_regex(regex: str) -> Pattern:
    """Compile the regex of lines that tell the step of what follows.

    Raises:
        ValueError: it does not compile, or does not say which part of a match is the step.
    """
    compiled = compile_alone(expand(regex))
    if STEP_GROUP not in compiled.groupindex:
        raise ValueError("the regex for the step has no {step}, nor a group (?P<step>...)")
    return make_pattern(compiled, groups_thousands=_groups_thousands(regex))


def _groups_thousands(regex: str) -> bool:
    return "{num,}" in regex or "{step,}" in regex


def make_pattern(
    compiled: re.Pattern[str], value: int = 0, *, groups_thousands: bool = False
) -> Pattern:
    """A compiled regex with what is needed to look for it fast."""
    literal = find_literal(compiled)
    ignore_case = bool(compiled.flags & re.IGNORECASE) and literal.isascii()
    if compiled.flags & re.IGNORECASE:
        literal = literal.lower() if ignore_case else ""
    return Pattern(compiled, value, literal, ignore_case, groups_thousands)


def _list_value_groups(pattern: re.Pattern[str]) -> list[int]:
    named = pattern.groupindex.get(VALUE_GROUP)
    if named is not None:
        return [named]
    step = pattern.groupindex.get(STEP_GROUP)
    return [group for group in range(1, pattern.groups + 1) if group != step]


def parse_number(text: str) -> float | None:
    """The number that a group captured, or the quotient of two; None if it is neither."""
    if "_" in text:  # float() would take 1_000 for a number
        return None
    try:
        return float(text)
    except ValueError:
        pass
    dividend, _, divisor = text.partition("/")
    try:
        return float(dividend) / float(divisor)
    except (ValueError, ZeroDivisionError):
        return None


# -- what a regex is made of -----------------------------------------------------------------------


def find_literal(pattern: re.Pattern[str]) -> str:
    """The longest text that every match of a pattern is sure to hold; it may be empty.

    In any case, where the pattern as a whole ignores it.
    """
    runs = "".join(_walk(_parse(pattern))).split("\0")
    return max(runs, key=len, default="")


def _parse(pattern: re.Pattern[str]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return _parser.parse(pattern.pattern, pattern.flags)


def _walk(parsed: Any) -> Iterator[str]:
    """The characters that a match has in a row; a NUL wherever anything else may be between."""
    for operator, argument in parsed:
        name = str(operator)
        if name == "LITERAL" and not _is_odd(argument):
            yield chr(argument)
        elif name == "AT":
            continue
        elif name == "SUBPATTERN" and not argument[1] & re.IGNORECASE:
            yield from _walk(argument[3])
        elif name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT") and argument[0] > 0:
            yield "\0"
            yield from _walk(argument[2])
            yield "\0"
        else:
            yield "\0"


def _is_odd(code: int) -> bool:
    """Whether a character of a line is not sure to stand in the log as it is."""
    return code == 0 or code == 0xFFFD or 0xD800 <= code <= 0xDFFF


def can_capture_nothing(pattern: Pattern) -> bool:
    """Whether the value's group can match an empty text, like `(.*?)`."""
    widths = [
        argument[3].getwidth()[0]
        for name, argument in _walk_all(_parse(pattern.regex))
        if name == "SUBPATTERN" and argument[0] == pattern.value
    ]
    return bool(widths) and widths[0] == 0


def can_explode(pattern: Pattern) -> bool:
    """Whether a repetition without end is repeated without end, like `(a+)+`.

    Only then can the time that a search takes double with every character of a line.
    """
    return any(
        any(inner in _REPEATS and _is_endless(within) for inner, within in _walk_all(argument[2]))
        for name, argument in _walk_all(_parse(pattern.regex))
        if name in _REPEATS and _is_endless(argument)
    )


_REPEATS = ("MAX_REPEAT", "MIN_REPEAT")


def _is_endless(argument: Any) -> bool:
    return bool(argument[1] == _parser.MAXREPEAT)


def _walk_all(parsed: Any) -> Iterator[tuple[str, Any]]:
    """Every part of a parsed regex, however deep."""
    for operator, argument in parsed:
        yield str(operator), argument
        waiting = [argument]
        while waiting:
            part = waiting.pop()
            if isinstance(part, _parser.SubPattern):
                yield from _walk_all(part)
            elif isinstance(part, (tuple, list)):
                waiting += part
