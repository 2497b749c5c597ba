"""Detects the metrics in a log: definitions that find values in it, the likeliest objective first.

Tried in this order: presets, JSON lines, tables with a header, and names beside numbers; then a
table without a header. What finds a setting, a counter or a number that nobody knows is no metric:
then nothing is proposed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from hpt_cli.metrics.detection.json_paths import find_dumps, find_json
from hpt_cli.metrics.detection.metric import DetectedMetric, Fields, SearchedLog
from hpt_cli.metrics.detection.pairs import find_pairs
from hpt_cli.metrics.detection.programs import find_preset_lines, find_presets
from hpt_cli.metrics.detection.ranking import rank_metrics
from hpt_cli.metrics.detection.settings import find_settings
from hpt_cli.metrics.detection.tables import find_tables
from hpt_cli.metrics.detection.unnamed import find_unnamed_columns
from hpt_cli.metrics.lines import join_documents
from hpt_cli.metrics.presets import PRESETS

MAX_LINES = 20_000
MAX_LINE_LENGTH = 10_000
MAX_CHARACTERS = 1 << 21
"""The part of a log that is searched for metrics."""
MAX_KIND = 60
"""By so many of their characters lines are of one kind."""
MAX_SELDOM = 500
"""What comes more often than this in a log is not seldom."""
_VARYING = re.compile(r"[\d\u2580-\u259f#=>.,:/ %-]+")
"""Numbers and bars of progress."""

Detector: TypeAlias = Callable[[Sequence[str]], Iterator[Fields]]
_DETECTORS: tuple[Detector, ...] = (find_presets, find_json, find_tables, find_pairs)


def detect_metrics(lines: Sequence[str]) -> tuple[DetectedMetric, ...]:
    """Return the metrics in a log, the likeliest objective first.

    Args:
        lines: as a terminal would show them; see MAX_LINES and MAX_CHARACTERS.
    """
    log = SearchedLog(_cut(join_documents(lines)))
    log.explain([*find_settings(log.lines), *find_dumps(log.lines)])
    return _detect(log, _DETECTORS) or _detect(log, (find_unnamed_columns,))


def _detect(log: SearchedLog, detectors: Sequence[Detector]) -> tuple[DetectedMetric, ...]:
    """Return what the first detectors find, and the others in lines that those do not explain."""
    detected: dict[str, DetectedMetric] = {}
    for detect in detectors:
        for definition in detect(log.unexplained):
            found = log.find(definition)
            for part, matches in log.divide(definition, found) if found else ():
                metric = log.describe(part, matches)
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
    return min(1.0, _count_searched(lines) / len(lines)) if lines else 1.0


def list_metrics(preset: str, lines: Sequence[str]) -> list[str]:
    """Return the metrics of a preset that these lines have."""
    return list(find_preset_lines(PRESETS[preset], _cut(lines)))


def _cut(lines: Sequence[str]) -> list[str]:
    """Return the part of a log that is searched.

    Of what is too long, the beginning, some of the middle and the end; and lines of the kinds that
    come seldom, as those of an evaluation among thousands of training steps.
    """
    room = _count_searched(lines)
    if len(lines) > room:
        quarter = room // 4
        middle = (len(lines) - quarter) // 2
        chosen = {*range(quarter), *range(middle, middle + quarter), *_find_seldom(lines, quarter)}
        chosen.update(range(len(lines) - (room - len(chosen)), len(lines)))
        lines = [lines[number] for number in sorted(chosen)]
    return [line[:MAX_LINE_LENGTH] for line in lines]


def _count_searched(lines: Sequence[str]) -> int:
    """Return how many of the lines of a log are searched at most."""
    size = sum(min(len(line), MAX_LINE_LENGTH) for line in lines)
    return min(MAX_LINES, int(len(lines) * MAX_CHARACTERS / size) if size else 0)


def _find_seldom(lines: Sequence[str], limit: int) -> list[int]:
    """Return the indices of lines with a number whose kinds come seldom, but more than once."""
    kinds = [_VARYING.sub("", line[:MAX_KIND]) for line in lines]
    counts = Counter(kinds)
    seldom = [
        number
        for number, kind in enumerate(kinds)
        if 1 < counts[kind] <= MAX_SELDOM and len(kind) < len(lines[number][:MAX_KIND])
    ]
    return sorted(seldom, key=lambda number: counts[kinds[number]])[:limit]


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
