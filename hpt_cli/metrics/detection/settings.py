"""Finds the settings that a program prints before it begins: its arguments, its configuration."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

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
    rf"""(?<![\w.])["']?{_KEY}["']?\s?[=:]\s?(?P<value>'[^']*'|"[^"]*"|\[[^\]]*\]|[^\s,;(){{}}]+)"""
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
    block: list[tuple[int, str, str]] = []
    for number, text in enumerate([*lines, "(the end)"]):
        pair = _LINE.fullmatch(text.strip(_EDGES)) if len(text) < MAX_LENGTH else None
        if pair is not None and not _has_several(text, pair["value"]):
            block.append((number, pair["key"], pair["value"]))
        elif number == len(lines) or not _HEADING.fullmatch(text):
            yield from _list_block(block)
            block = []
        if _is_listing(text):
            yield number


def _has_several(text: str, value: str) -> bool:
    """Return whether a line has more than one setting, or is the row of a table."""
    return len(_ITEM.findall(text)) > 1 or _NEXT_CELL.search(value) is not None


def _list_block(block: Sequence[tuple[int, str, str]]) -> Iterator[int]:
    """Yield the lines of a block that are settings, if enough of its lines are."""
    keys, texts = _count([(key, value) for _, key, value in block])
    if keys >= MINSETTINGS and texts >= MIN_TEXTS:
        yield from (number for number, key, _ in block if not _is_result(key))


def _is_listing(text: str) -> bool:
    """Return whether a line lists settings, as `Namespace(lr=0.1, ...)`."""
    if text.count("=") + text.count(":") < MIN_WORDS or _VALUED.match(text):
        return False
    items = [(match["key"], match["value"]) for match in _ITEM.finditer(text)]
    if any(_is_result(key) and _is_fraction(value) for key, value in items):
        return False
    keys, texts = _count(items)
    return len(items) >= MIN_WORDS and keys >= MINSETTINGS and texts >= MIN_TEXTS


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


def _is_result(key: str) -> bool:
    """Return whether a name among settings is of a result all the same, as `test_acc`."""
    words = split_words(key)
    is_setting = not SETTINGS.isdisjoint(words)
    return bool(find_data_set(key)) and is_quality(words[-1]) and not is_setting
