"""Numbers, times, sizes and hyperparameters as text, the same everywhere."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias, TypeVar

Value: TypeAlias = float | int | str

Item = TypeVar("Item")

BARS = "▁▂▃▄▅▆▇█"
NOTHING = "–"
DIGITS = 4
LEAST_DIGITS = 3
"""Significant digits that every number in a column has at least."""
MAX_DIGITS = 7
WHOLE = 1e16
"""Numbers below it are written without an exponent if they are whole: floats tell them apart."""
SPREAD = 1000
"""Largest ratio in a column that is written with the same decimals; beyond it, with digits."""

_CONTROL = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Characters that control a terminal, change its writing direction, or are surrogates."""

_FORMULA = ("=", "+", "-", "@", "\n", "＝", "＋", "－", "＠")
"""How plain text begins that a spreadsheet takes for a formula."""

_LOGIN = re.compile(r"//[^/@\s]+@")
"""The user and password in a URL."""


class Written:
    """A number that prints as it was written, `007` or `1e3`; in all else, JSON too, a number."""

    text: str

    def __str__(self) -> str:
        return self.text


class _WrittenInteger(Written, int):
    pass


class _WrittenFloat(Written, float):
    pass


def write_as(value: float, text: str) -> float:
    """Return the same number, written as this text."""
    made = _WrittenInteger(value) if isinstance(value, int) else _WrittenFloat(value)
    made.text = text
    return made


def format_number(value: float | None, digits: int = DIGITS) -> str:
    """Return a number with `digits` significant digits; whole ones as they are."""
    if value is None:
        return NOTHING
    if math.isfinite(value) and value == int(value) and abs(value) < WHOLE:
        return str(int(value))
    return f"{value:.{digits}g}"


def format_tick(value: float) -> str:
    """Return a number beside an axis: in few characters, whatever its size."""
    return f"{value:.6g}"


def format_exact(value: Value | None) -> str:
    """Return a number with every digit that it has, a whole one without exponent; text as it is."""
    if isinstance(value, float) and not isinstance(value, Written) and value.is_integer():
        return f"{value:.0f}" if abs(value) < WHOLE else repr(value)
    return NOTHING if value is None else plain(str(value))


def format_column(values: Sequence[Value | None], distinct: Sequence[float] = ()) -> list[str]:
    """Return the cells of a column: numbers of similar size with the same decimals, lined up.

    `distinct`: values that must have three digits, and must not look equal unless they are.
    """
    numbers = [abs(each) for each in values if isinstance(each, (int, float)) and each]
    sizes = [each for each in numbers if math.isfinite(each)]
    decimals = _compute_decimals(sizes, distinct)
    digits = _add_digits("g", DIGITS, distinct)

    def write(value: Value | None) -> str:
        if isinstance(value, (str, Written)):
            return plain(str(value))
        if decimals is None or value is None or not math.isfinite(value):
            return format_number(value, digits)
        return f"{value:.{decimals}f}"

    return [write(value) for value in values]


def _compute_decimals(sizes: Sequence[float], distinct: Sequence[float]) -> int | None:
    """Return the decimals for all numbers; None where they differ too much in size."""
    if not sizes or max(sizes) >= SPREAD * min(sizes):
        return None
    size, least_size = (math.floor(math.log10(each)) for each in (max(sizes), min(sizes)))
    if size >= MAX_DIGITS or least_size < -DIGITS:
        return None
    most = max(0, DIGITS - 1 - size, LEAST_DIGITS - 1 - least_size)
    needed = (n for n in range(most) if all(round(x, n) == round(x, most) for x in sizes))
    decimals = next(needed, most)
    values = [abs(x) for x in distinct if x and math.isfinite(x)]
    if decimals == most and values:
        least = math.floor(math.log10(min(values)))
        decimals = min(MAX_DIGITS, max(decimals, LEAST_DIGITS - 1 - least))
    return _add_digits("f", decimals, distinct)


def _add_digits(form: str, digits: int, distinct: Sequence[float]) -> int:
    """Return `digits`, or as many more as make the values look different."""
    more = range(digits, max(digits, MAX_DIGITS))
    return next((n for n in more if len({f"{x:.{n}{form}}" for x in distinct}) > 1), digits)


def format_seconds(seconds: float | None) -> str:
    """Return a duration: `0.4 s`, `12 s`, `3 min 05 s`, `2 h 48 min`, `3 d 4 h`."""
    if seconds is None:
        return NOTHING
    if round(seconds, 1) < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def format_clock(seconds: float) -> str:
    """Return a duration in about five characters: `4.2 s`, `12 s`, `3:05`, `2h48`, `3d04`."""
    if seconds < 60:
        return format_seconds(seconds)
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d}"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}"
    return f"{whole // 86400}d{whole % 86400 // 3600:02d}"


def format_age(seconds: float) -> str:
    """Return roughly how long ago something was: `just now`, `5 min`, `3 h`, `12 d`."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return "just now"


def format_bytes(size: float) -> str:
    """Return a size on disk: `512 B`, `3.4 MB`, `1.2 GB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if size >= 10 or unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def format_time(seconds: float | None) -> str | None:
    """Return a time (seconds since the epoch) in ISO 8601, UTC."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def format_hyperparameters(hyperparameters: Mapping[str, Value]) -> str:
    """Return `name=value` for each; numbers of a continuum are cut to four digits."""
    settings = ((plain(name), format_setting(value)) for name, value in hyperparameters.items())
    return " ".join(f"{name}={value}" for name, value in settings)


def format_setting(value: Value) -> str:
    """Return one hyperparameter's value, short."""
    return plain(str(value)) if isinstance(value, (str, Written)) else format_number(value)


def draw_sparkline(
    values: Sequence[float], width: int, scale: tuple[float, float] | None = None
) -> str:
    """Return a curve as a line of bars, scaled from low to high; values not finite are crosses."""
    values = thin(values, width)
    finite = [value for value in values if math.isfinite(value)]
    low, high = scale or (min(finite, default=0.0), max(finite, default=0.0))
    top = len(BARS) - 1

    def draw(value: float) -> str:
        if not math.isfinite(value):
            return "×"
        share = (value - low) / (high - low) if high > low else 0.0
        return BARS[round(top * min(1.0, max(0.0, share)))]

    return "".join(map(draw, values))


def thin(items: Sequence[Item], count: int) -> Sequence[Item]:
    """Return at most `count` items, 2 or more: evenly spread, the first and the last among them."""
    if len(items) <= count:
        return items
    return [items[round(place * (len(items) - 1) / (count - 1))] for place in range(count)]


def plain(text: str) -> str:
    """Return the text without control characters, safe for a terminal."""
    return _CONTROL.sub("�", text)


def hide_passwords(text: str) -> str:
    """Return the text with user and password removed from URLs."""
    return _LOGIN.sub("//...@", text)


def plain_lines(text: str) -> str:
    """Return text of several lines without other control characters."""
    return "\n".join(map(plain, text.split("\n")))


def disarm_formula(text: str) -> str:
    """Return the text of a CSV cell so that no spreadsheet takes it for a formula.

    As OWASP advises, an apostrophe comes before what a formula begins with; numbers stay numbers.
    """
    return f"'{text}" if text.startswith(_FORMULA) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def write_json(document: Any) -> str:
    """Return a JSON document with control characters escaped."""
    text = json.dumps(to_json_value(document), indent=2, ensure_ascii=False)
    return _CONTROL.sub(lambda found: _escape(found[0]), text)


def _escape(character: str) -> str:
    return character if character == "\n" else f"\\u{ord(character):04x}"


def to_json_value(value: Any) -> Any:
    """Return the value in JSON's types; numbers that are not finite become null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: to_json_value(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json_value(each) for each in value]
    return value


def describe_exit(exit_code: int) -> str:
    """Return an exit code in words; negative codes are signals."""
    if exit_code >= 0:
        return f"exit code {exit_code}"
    names = {2: "SIGINT", 6: "SIGABRT", 9: "SIGKILL", 11: "SIGSEGV", 15: "SIGTERM", 1: "SIGHUP"}
    return f"killed by {names.get(-exit_code, f'signal {-exit_code}')}"


def count(number: int, thing: str) -> str:
    """Return a count with its noun: `1 job`, `2 jobs`."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
