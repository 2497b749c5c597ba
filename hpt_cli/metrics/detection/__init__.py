"""Detects the metrics in a log: definitions that find values in it, the likeliest objective first.

Tried in this order: presets, JSON lines, tables with a header, and names beside numbers. What finds
a setting, a counter or a number that nobody knows is no metric: then nothing is proposed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from hpt_cli.metrics.detection.json_paths import find_dumps, find_json
from hpt_cli.metrics.detection.metric import DetectedMetric, Fields, SearchedLog
from hpt_cli.metrics.detection.pairs import find_pairs
from hpt_cli.metrics.detection.programs import find_preset_lines, find_presets
from hpt_cli.metrics.detection.ranking import rank_metrics
from hpt_cli.metrics.detection.settings import find_settings
from hpt_cli.metrics.detection.tables import find_tables
from hpt_cli.metrics.lines import join_documents
from hpt_cli.metrics.presets import PRESETS

MAX_LINES = 20_000
MAX_LINE_LENGTH = 10_000
MAX_CHARACTERS = 1 << 21
"""The part of a log that is searched for metrics."""

_DETECTORS = (find_presets, find_json, find_tables, find_pairs)


def detect_metrics(lines: Sequence[str]) -> tuple[DetectedMetric, ...]:
    """Return the metrics in a log, the likeliest objective first.

    Args:
        lines: as a terminal would show them; see MAX_LINES and MAX_CHARACTERS.
    """
    log = SearchedLog(_cut(join_documents(lines)))
    log.explain([*find_settings(log.lines), *find_dumps(log.lines)])
    detected: dict[str, DetectedMetric] = {}
    for detect in _DETECTORS:
        for definition in detect(log.unexplained):
            found = log.find(definition)
            if not found:
                continue
            metric = log.describe(definition, found)
            # Of two kinds that find the same name, the one tried first is more specific.
            known = detected.get(metric.name)
            if known is None:
                detected[metric.name] = metric
            elif detect is find_pairs and not known.program:
                renamed = metric.rename(detected)
                detected[renamed.name] = renamed
            if "json" in definition:
                log.hide_documents(found)
            elif detect is not find_pairs:
                log.explain(number for number, _ in found)
    return rank_metrics(detected.values())


def share_searched(lines: Sequence[str]) -> float:
    """Return which part of the lines is searched for metrics."""
    return len(_cut(lines)) / len(lines) if lines else 1.0


def list_metrics(preset: str, lines: Sequence[str]) -> list[str]:
    """Return the metrics of a preset that these lines have."""
    return list(find_preset_lines(PRESETS[preset], _cut(lines)))


def _cut(lines: Sequence[str]) -> list[str]:
    """Return the first half of what may be searched, and as much of the middle and of the end."""
    size = sum(min(len(line), MAX_LINE_LENGTH) for line in lines)
    room = min(MAX_LINES, int(len(lines) * MAX_CHARACTERS / size) if size else 0)
    if len(lines) > room:
        quarter = room // 4
        middle = (len(lines) - quarter) // 2
        parts = lines[: 2 * quarter], lines[middle : middle + quarter], lines[-quarter:]
        lines = [line for part in parts for line in part] if quarter else lines[:room]
    return [line[:MAX_LINE_LENGTH] for line in lines]


def write_definition(definition: Fields) -> str:
    """Return a definition as a line of YAML, ready to paste."""
    quoted = (f"{key}: '{text.replace(chr(39), chr(39) * 2)}'" for key, text in definition.items())
    return "{" + ", ".join(quoted) + "}"


LEAST_ABBREVIATION = 3
"""The letters of the shortest beginning of a word that stands for it."""


def nearest_lines(lines: list[str], metric: str, limit: int = 5) -> list[str]:
    """Return the lines that most likely hold a metric: they share words, and have numbers.

    A word may be abbreviated: `val_acc` shares both of its words with `validation:accuracy`.
    """
    words = {word for word in _split_words(metric) if len(word) > 1}

    def likeness(text: str) -> int:
        lowered, has_number = text.lower(), re.search(r"\d", text) is not None
        short = tuple({each for each in _split_words(text) if len(each) >= LEAST_ABBREVIATION})
        shared = sum(word in lowered or any(map(word.startswith, short)) for word in words)
        return 2 * shared + has_number

    ranked = sorted(enumerate(lines), key=lambda item: (-likeness(item[1]), -item[0]))
    # At least one word in common: a number alone stands in most lines.
    best = [item for item in ranked if likeness(item[1]) >= 2][:limit]
    return [text for _, text in sorted(best)]


def _split_words(text: str) -> list[str]:
    """Return the words of a text, in lower case."""
    return re.split(r"[\W_]+", text.lower())
