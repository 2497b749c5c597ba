"""Regexes of metric definitions, with the placeholders `{num}`, `{ratio}` and `{step}`.

A comma in a number is ambiguous (`1,234` is a thousand, one and a bit, or two numbers), so only
`{num,}` and `{step,}` accept it, between thousands.

The language is that of Python's `re`, which also says what is wrong with a regex. The engine is the
module `regex`, whose searches take a time limit in any thread: a regex that backtracks must not
stop the tuner. `literal` is what makes it fast: text that every match holds, and that is looked for
first, in whole blocks.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import regex as engine

from hpt_cli.metrics.regex_syntax import analyze, translate

_DIGITS = r"(?!0[xX][\da-fA-F])(?:\d+(?:\.\d*)?|\.\d+)"
NUMBER = rf"[-+]?(?:{_DIGITS}(?:[eE][-+]?\d+)?|(?i:nan|inf(?:inity)?))"
"""The regex for `{num}`: a number with sign and exponent, NaN or infinity; `0x10` is none."""

GROUPED = r"[-+]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d*)?(?![\d,])"
"""The regex for a number with commas between thousands, as Python's `{:,}` prints it."""

RATIO = rf"{NUMBER}\s*/\s*{NUMBER}"
"""The regex for `{ratio}`, such as `9902/10000`; its value is the quotient."""

STEP_GROUP = "step"
VALUE_GROUP = "value"

STEP = rf"(?P<{STEP_GROUP}>\d+(?:\.\d+)?)"
"""The regex for `{step}`: a number without a sign, captured as the step."""

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
"""A tab as CloudWatch, and with it SageMaker's own regexes, writes it."""

_TAB = rf"(?:\t|{CLOUDWATCH_TAB})"

SEARCH_SECONDS = 0.25
"""Longest processor time to search one line for one definition; usual are some microseconds."""
TRIES = 2
"""Tries within that time: the clock counts the processor time of other threads too."""
TRY_SECONDS = SEARCH_SECONDS / TRIES

MAX_SIZE = 100_000
"""Compiling takes seconds beyond this: the engine writes out what is repeated a fixed number of
times."""


Found: TypeAlias = engine.Match[str]
"""A match in a text."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled regex, and what its groups mean.

    A search raises TimeoutError when it takes more than TRY_SECONDS of processor time. It keeps the
    GIL (`concurrent=False`): that is faster, and no other thread computes on its time.
    """

    source: str
    """The regex as `re` reads it, placeholders filled in."""
    compiled: engine.Pattern[str]
    value: int
    """The group that captures the value; 0 where there is none."""
    step: int
    """The group that captures the step; 0 where there is none."""
    literal: str
    """Text that every match holds; empty where none is known."""
    ignore_case: bool
    """Whether the literal, in lower case, stands for itself in any case."""
    groups_thousands: bool
    """Whether commas may stand between thousands: `{num,}`, `{step,}`."""
    can_explode: bool
    """Whether the time of a search may double with every character of a line, like `(a+)+`."""
    can_capture_nothing: bool
    """Whether the value's group can match an empty text, like `(.*?)`."""

    def search(self, text: str) -> Found | None:
        """Return the first match in a text."""
        return self.compiled.search(text, concurrent=False, timeout=TRY_SECONDS)

    def match(self, text: str, start: int) -> Found | None:
        """Return the match that begins at a place in a text."""
        return self.compiled.match(text, start, concurrent=False, timeout=TRY_SECONDS)

    def finditer(self, text: str) -> Iterator[Found]:
        """Yield all matches in a text."""
        return self.compiled.finditer(text, concurrent=False, timeout=TRY_SECONDS)

    def parse(self, text: str | None) -> float | None:
        """Return the number that a group captured; None if it is none."""
        if self.groups_thousands and text and _WHOLE_GROUPED.fullmatch(text):
            text = text.replace(",", "")
        return parse_number(text or "")


def expand(regex: str) -> str:
    """Return a regex with its placeholders filled in.

    In a regex without a group, a single `{num}` or `{ratio}` is captured.
    """
    regex = regex.replace(CLOUDWATCH_TAB, _TAB)
    for step in ("{step}", "{step,}"):
        regex = regex.replace(step, _PLACEHOLDERS[step])
    if len(_VALUE.findall(regex)) == 1 and not _has_value_group(regex):
        regex = _VALUE.sub(r"(\g<0>)", regex)
    return _VALUE.sub(lambda match: _PLACEHOLDERS[match.group()], regex)


def _has_value_group(regex: str) -> bool:
    try:
        return bool(_list_value_groups(_check(regex)))
    except ValueError:
        # The regex stays as it is, so that compiling it says what is wrong with what was written.
        return True


def _check(source: str) -> re.Pattern[str]:
    """Return a regex without placeholders, compiled by `re`, whose language it is written in.

    Raises:
        ValueError: it does not compile.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of what sets may mean one day
        try:
            return re.compile(source)
        except (re.error, RecursionError, OverflowError) as error:
            raise ValueError(f"the regex does not compile: {error}") from None


@lru_cache(maxsize=512)
def compile_regex(regex: str) -> Pattern:
    """Compile a metric's regex, with its placeholders.

    Raises:
        ValueError: it does not compile, or does not say which part of a match is the value.
    """
    checked = _check(expand(regex))
    groups = _list_value_groups(checked)
    if not groups:
        raise ValueError("the regex has no group (...) that captures the value")
    if len(groups) > 1:
        raise ValueError(
            f"the regex has {len(groups)} groups that could be the value; only one may: name it"
            f" (?P<{VALUE_GROUP}>...), or make the others (?:...)"
        )
    if checked.match("") is not None:
        raise ValueError("the regex can match the empty string, so it would match everywhere")
    return _compile(checked, groups[0], groups_thousands=_groups_thousands(regex))


@lru_cache(maxsize=512)
def compile_step_regex(regex: str) -> Pattern:
    """Compile the regex of lines that tell the step of what follows.

    Raises:
        ValueError: it does not compile, or does not say which part of a match is the step.
    """
    checked = _check(expand(regex))
    if STEP_GROUP not in checked.groupindex:
        raise ValueError("the regex for the step has neither {step} nor a group (?P<step>...)")
    return _compile(checked, groups_thousands=_groups_thousands(regex))


@lru_cache(maxsize=512)
def compile_line_regex(regex: str) -> Pattern:
    """Compile the regex of lines that are looked for as a whole.

    Raises:
        ValueError: it does not compile, or would be found in every line.
    """
    checked = _check(regex)
    if checked.search("") is not None:
        raise ValueError("the regex can match the empty string, so it would match every line")
    return _compile(checked)


def _groups_thousands(regex: str) -> bool:
    return "{num,}" in regex or "{step,}" in regex


def _compile(
    checked: re.Pattern[str], value: int = 0, *, groups_thousands: bool = False
) -> Pattern:
    structure = analyze(checked)
    if structure.size > MAX_SIZE:
        raise ValueError(f"the regex repeats something more than {MAX_SIZE:,} times")
    ignore_case = bool(checked.flags & re.IGNORECASE)
    literal = structure.literal
    if ignore_case:
        # Beyond ASCII, the same letters in another case can have another length.
        literal = literal.lower() if literal.isascii() else ""
    return Pattern(
        source=checked.pattern,
        # VERSION0 behaves as `re` does, also where VERSION1 is meant to be better.
        compiled=engine.compile(translate(checked), engine.VERSION0),
        value=value,
        step=checked.groupindex.get(STEP_GROUP, 0),
        literal=literal,
        ignore_case=ignore_case,
        groups_thousands=groups_thousands,
        can_explode=structure.can_explode,
        can_capture_nothing=value in structure.empty_groups,
    )


def _list_value_groups(pattern: re.Pattern[str]) -> list[int]:
    named = pattern.groupindex.get(VALUE_GROUP)
    if named is not None:
        return [named]
    step = pattern.groupindex.get(STEP_GROUP)
    return [group for group in range(1, pattern.groups + 1) if group != step]


def parse_number(text: str) -> float | None:
    """Return the number, or the quotient of two, that a text holds; None if it holds neither."""
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
