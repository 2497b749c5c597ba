"""Finds the settings that a program prints before it begins: its arguments, its configuration."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from hpt_cli.metrics.detection.vocabulary import (
    SETTINGS,
    find_data_set,
    is_quality,
    split_words,
)
from hpt_cli.metrics.patterns import parse_number

MINSETTINGS = 3
"""Fewer names of settings do not make a listing of them."""
MIN_TEXTS = 2
"""Results are numbers; among settings there are names and paths too, and as many as these."""
MAX_LENGTH = 200
"""Longer lines are not one setting."""
MIN_WORDS = 5
"""The names in one line that are a listing; a line of a log may say the learning rate and so on."""

_KEY = r"(?P<key>[A-Za-z_][\w.\-/]*(?: [A-Za-z_]\w*){0,2})"
_LINE = re.compile(
    r"(?:.{0,60}?\b(?:DEBUG|INFO)\b\W*)?(?:\[?\d[\d:\-.,/ T]{7,}\]?\W*)?(?:\w+:[\w.]*:?\s+)?"
    rf"""["']?-{{0,2}}{_KEY}["']?\s*(?:[:=|│\t]|=>|\s{{2,}})\s*(?P<value>\S.*)"""
)
"""A line that is one setting, perhaps behind what loggers print before a message."""
_EDGES = " \t|*-+>│{}([,])"
"""What may stand at both ends of such a line."""
_ITEM = re.compile(
    rf"""(?<![\w.])(?:"(?P<quoted>[^"]+)"|'?{_KEY}'?)\s?[=:]\s?"""
    r"""(?P<value>'[^']*'|"[^"]*"|\[[^\]]*\]|[^\s,;(){}]+)"""
)
"""A setting within a line."""
_NEXT_CELL = re.compile(r"[\t|│]|\s{2,}")
"""What separates a value from the next cell of a table."""
_HEADING = re.compile(r"[\W_]*(?:[\w ./-]{1,40}:?)?[\W_]*")
"""A line between settings: blank, a rule, or the name of a group of them."""
_VALUED = re.compile(r"[^({]*?[A-Za-z]\s*[:=]\s*[-+]?\d*\.\d")
"""A name with a number, before any bracket: what a line says before it lists settings."""


def find_settings(lines: Sequence[str]) -> Iterator[int]:
    """Yield the indices of the lines that list settings."""
    blocks, listings = _find_blocks(lines), _find_listings(lines)
    shown = [(key, value) for block in blocks for _, key, value in block]
    shown += [item for items in listings.values() for item in items]
    reported = _find_reported(shown)
    for block in blocks:
        yield from (number for number, key, _ in block if key not in reported)
    for number, items in listings.items():
        if not any(key in reported for key, _ in items):
            yield number


def _find_blocks(lines: Sequence[str]) -> list[list[tuple[int, str, str]]]:
    """Return the blocks of settings with a line for each: its index, its name and its value."""
    blocks: list[list[tuple[int, str, str]]] = [[]]
    for number, text in enumerate(lines):
        pair = _LINE.fullmatch(text.strip(_EDGES)) if len(text) < MAX_LENGTH else None
        if pair is not None and not _has_several(text, pair["value"]):
            blocks[-1].append((number, pair["key"], pair["value"]))
        elif not _HEADING.fullmatch(text):
            blocks.append([])
    return [each for each in blocks if _are_settings([(key, value) for _, key, value in each])]


def _find_listings(lines: Sequence[str]) -> dict[int, list[tuple[str, str]]]:
    """Return the lines that list settings, as `Namespace(lr=0.1, ...)`, and what is in them."""
    found = {}
    for number, text in enumerate(lines):
        if text.count("=") + text.count(":") < MIN_WORDS or _VALUED.match(text):
            continue
        items = [
            (match["quoted"] or match["key"], match["value"]) for match in _ITEM.finditer(text)
        ]
        if len(items) >= MIN_WORDS and _are_settings(items):
            found[number] = items
    return found


def _are_settings(items: Sequence[tuple[str, str]]) -> bool:
    keys, texts = _count(items)
    return keys >= MINSETTINGS and texts >= MIN_TEXTS


def _find_reported(items: Iterable[tuple[str, str]]) -> set[str]:
    """Return the names among settings that are of results all the same.

    Those name a data set, as `test_acc`, or come again with another value.
    """
    values: dict[str, set[str]] = {}
    for key, value in items:
        words = split_words(key)
        if is_quality(key) and SETTINGS.isdisjoint(words) and _is_fraction(value):
            values.setdefault(key, set()).add(value)
    return {
        key
        for key, seen in values.items()
        if len(seen) > 1 or (find_data_set(key) and is_quality(split_words(key)[-1]))
    }


def _has_several(text: str, value: str) -> bool:
    """Return whether a line has more than one setting, or is the row of a table."""
    return len(_ITEM.findall(text)) > 1 or _NEXT_CELL.search(value) is not None


def _count(items: Sequence[tuple[str, str]]) -> tuple[int, int]:
    """Return how many names are those of settings, and how many values are texts."""
    keys = {key for key, _ in items if not SETTINGS.isdisjoint(split_words(key))}
    texts = {key for key, value in items if _is_text(value)}
    return len(keys), len(texts)


def _is_text(value: str) -> bool:
    return parse_number(value.strip("\"'[](),")) is None and re.search(r"\d\s*%?$", value) is None


def _is_fraction(value: str) -> bool:
    number = parse_number(value)
    return number is not None and not number.is_integer()
