"""Regexes of metric definitions, with the placeholders `{num}`, `{ratio}` and `{step}`.

A comma is read between thousands (`1,234`), and never as a decimal point.

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
PLAIN_NUMBER = rf"[-+]?(?:{_DIGITS}(?:[eE][-+]?\d+)?|(?i:nan|inf(?:inity)?))"
"""A number with sign and exponent, NaN or infinity; `0x10` is none."""

GROUPED = r"[-+]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d*)?(?![\d,])"
"""A number with commas between thousands, as Python's `{:,}` prints it."""

_FRACTION = r"(?:\.\d*)?"
_WHOLE = (
    r"\d+(?:\.\d*"  # first, as most numbers go on so
    rf"|(?::[0-5]\d){{1,2}}(?![\d:]){_FRACTION}"  # 0:12:31
    rf"|(?<!\d{{4}})(?<!\b0)(?:,\d{{3}})+(?![\d,]){_FRACTION}"  # 1,234
    rf"|(?:_\d{{3}})+(?![\d_]){_FRACTION})?"
)
NUMBER = (
    rf"[-+\u2212]?(?:(?!0[xX][\da-fA-F])(?:{_WHOLE}|\.\d+)"
    r"(?:[eE][-+]?\d+|[dD][-+]\d+|[kKMGBT](?![\w/]))?|(?i:nan|inf(?:inity)?))"
)
"""The regex for `{num}`: a number in whatever form programs print it, as a whole.

With sign and exponent, NaN, infinity; commas or underscores between thousands; hours, minutes and
seconds; Fortran's `1.5D-03`; a suffix for thousands, millions ..., as in `3.4k`. A unit behind it
(`12.3ms`) is no part of it.
"""

RATIO = rf"{PLAIN_NUMBER}\s*/\s*{PLAIN_NUMBER}"
"""The regex for `{ratio}`, such as `9902/10000`; its value is the quotient."""

STEP_GROUP = "step"
VALUE_GROUP = "value"

_PLAIN_STEP = rf"(?P<{STEP_GROUP}>\d+(?:\.\d+)?)"
STEP = rf"(?P<{STEP_GROUP}>\d+(?:\.\d+|(?<!\d{{4}})(?<!\b0)(?:,\d{{3}})+(?![\d,]))?)"
"""The regex for `{step}`: a number without a sign, captured as the step."""

_PLACEHOLDERS = {
    "{step}": STEP,
    "{step,}": STEP,
    "{num}": NUMBER,
    "{num,}": f"(?:{GROUPED}|{NUMBER})",
    "{ratio}": RATIO,
}
_PLAIN_PLACEHOLDERS = {
    **_PLACEHOLDERS,
    "{step}": _PLAIN_STEP,
    "{num}": PLAIN_NUMBER,
    "{num,}": f"(?:{GROUPED}|{PLAIN_NUMBER})",
}
"""What they stood for in tuning jobs of before, which keep it."""
_VALUE = re.compile(r"\{(?:num,?|ratio)\}")
_WHOLE_GROUPED = re.compile(GROUPED)
_SUFFIXES = {"k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "B": 1e9, "T": 1e12}
_MINUS = "\u2212"

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
    beginnings: tuple[str, ...]
    """Of the lines with a match; empty where they are not known."""
    ignore_case: bool
    """Whether the literal, in lower case, stands for itself in any case."""
    groups_thousands: bool
    """Whether the regex has `{num,}` or `{step,}`."""
    can_explode: bool
    """Whether the time of a search may double with every character of a line, like `(a+)+`."""
    can_capture_nothing: bool
    """Whether the value's group can match an empty text, like `(.*?)`."""
    is_plain: bool = False
    """Whether numbers are read as they were before other forms than digits were."""

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
        if not text:
            return None
        if not self.is_plain:
            return parse_number(text)
        if self.groups_thousands and _WHOLE_GROUPED.fullmatch(text):
            text = text.replace(",", "")
        return parse_plain_number(text)


def expand(regex: str, *, is_plain: bool = False) -> str:
    """Return a regex with its placeholders filled in.

    In a regex without a group, a single `{num}` or `{ratio}` is captured.
    """
    placeholders = _PLAIN_PLACEHOLDERS if is_plain else _PLACEHOLDERS
    regex = regex.replace(CLOUDWATCH_TAB, _TAB)
    for step in ("{step}", "{step,}"):
        regex = regex.replace(step, placeholders[step])
    if len(_VALUE.findall(regex)) == 1 and not _has_value_group(regex):
        regex = _VALUE.sub(r"(\g<0>)", regex)
    return _VALUE.sub(lambda match: placeholders[match.group()], regex)


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
def compile_regex(regex: str, *, is_plain: bool = False) -> Pattern:
    """Compile a metric's regex, with its placeholders.

    Args:
        is_plain: whether numbers are read as in tuning jobs of before.

    Raises:
        ValueError: it does not compile, or does not say which part of a match is the value.
    """
    checked = _check(expand(regex, is_plain=is_plain))
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
    return _compile(
        checked, groups[0], groups_thousands=_groups_thousands(regex), is_plain=is_plain
    )


@lru_cache(maxsize=512)
def compile_step_regex(regex: str, *, is_plain: bool = False) -> Pattern:
    """Compile the regex of lines that tell the step of what follows.

    Raises:
        ValueError: it does not compile, or does not say which part of a match is the step.
    """
    checked = _check(expand(regex, is_plain=is_plain))
    if STEP_GROUP not in checked.groupindex:
        raise ValueError("the regex for the step has neither {step} nor a group (?P<step>...)")
    return _compile(checked, groups_thousands=_groups_thousands(regex), is_plain=is_plain)


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
    checked: re.Pattern[str],
    value: int = 0,
    *,
    groups_thousands: bool = False,
    is_plain: bool = False,
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
        beginnings=structure.beginnings,
        ignore_case=ignore_case,
        groups_thousands=groups_thousands,
        can_explode=structure.can_explode,
        can_capture_nothing=value in structure.empty_groups,
        is_plain=is_plain,
    )


def _list_value_groups(pattern: re.Pattern[str]) -> list[int]:
    named = pattern.groupindex.get(VALUE_GROUP)
    if named is not None:
        return [named]
    step = pattern.groupindex.get(STEP_GROUP)
    return [group for group in range(1, pattern.groups + 1) if group != step]


_WRITTEN = re.compile(NUMBER)
_WITH_UNIT = re.compile(rf"({NUMBER})\s?(?:%|[^\W\d_]{{1,5}}(?:/[^\W\d_]{{1,5}})?)")
_WRAPPED = re.compile(rf"[A-Za-z_][\w.]*\(({NUMBER})(?:,[^()]*)?\)")
"""A number as Python's libraries print it: `np.float64(0.3)`, `tensor(0.3, device='cuda:0')`."""
_DECIMAL_COMMA = re.compile(r"[-+\u2212]?\d*,\d+(?:[eE][-+]?\d+)?")


def parse_number(text: str) -> float | None:
    """Return the number, or the quotient of two, that a text holds; None if it holds neither."""
    try:
        return float(text)
    except ValueError:
        pass
    text = text.strip()
    if _WRITTEN.fullmatch(text):
        return _parse_written(text)
    dividend, _, divisor = text.partition("/")
    try:
        return float(dividend) / float(divisor)
    except (ValueError, ZeroDivisionError):
        return None


def _parse_written(text: str) -> float:
    """Return a number in any form that NUMBER matches."""
    text = text.replace(_MINUS, "-")
    if ":" in text:
        sign = -1.0 if text.startswith("-") else 1.0
        seconds = 0.0
        for part in text.lstrip("+-").split(":"):
            seconds = 60 * seconds + float(part)
        return sign * seconds
    factor = _SUFFIXES.get(text[-1], 1.0)
    digits = text[:-1] if factor != 1.0 else text
    return float(digits.replace(",", "").lower().replace("d", "e")) * factor


def parse_cell(text: str, *, has_decimal_commas: bool = False) -> float | None:
    """Return the number in a cell of a table, or in a text of JSON; None if it holds none.

    A unit, a percent sign and the name of a type around it are dropped.

    Args:
        has_decimal_commas: whether `0,91` may stand for 0.91.
    """
    if has_decimal_commas and _DECIMAL_COMMA.fullmatch(text):
        return parse_number(text.replace(",", "."))
    value = parse_number(text)
    if value is not None:
        return value
    dressed = _WITH_UNIT.fullmatch(text) or _WRAPPED.fullmatch(text)
    return parse_number(dressed[1]) if dressed else None


def parse_plain_number(text: str) -> float | None:
    """Return what `parse_number` returns, of digits alone: as in tuning jobs of before."""
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
