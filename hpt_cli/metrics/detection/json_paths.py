"""Finds the numbers in JSON lines, and in printed Python dicts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hpt_cli.metrics.detection.metric import Fields
from hpt_cli.metrics.detection.pair_regex import to_name
from hpt_cli.metrics.detection.vocabulary import STEP_WORDS, is_quality
from hpt_cli.metrics.extractors import is_history, parse_json_line
from hpt_cli.metrics.patterns import parse_number

MAX_LIST = 12
"""Longer lists in JSON are not results."""
MAX_PATHS = 60
"""More different paths than these may be of single things, such as words, and no metrics."""
MIN_SHARE = 0.1
"""Where there are so many, the share of the documents that have the path of a metric."""


def find_json(lines: Sequence[str]) -> Iterator[Fields]:
    """Yield definitions of the paths of numbers in JSON lines, and in printed Python dicts."""
    paths: dict[str, str] = {}
    documents, labels = [], set()
    for text in lines:
        if (parsed := parse_json_line(text)) is not None:
            documents.append(parsed[0])
            labels.add(_find_label(text[: parsed[1][0]]))
    for document in documents:
        # The one document of a log has histories; in one of many, a list is of several results.
        leaves = [path for path, _ in _iterate_leaves(document, "", len(documents) == 1)]
        step = next((each for each in STEP_WORDS if each in leaves), "")
        paths.update({path: step for path in leaves if path not in STEP_WORDS})
    for path, step in paths.items():
        # One of several numbers behind a word is a part, and not what the word says.
        is_only = len(paths) == 1 and len(labels) == 1 and not is_quality(path)
        name = f"{min(labels)} {path}" if is_only else path
        yield {"name": to_name(name), "json": path} | ({"step": step} if step else {})


def _find_label(before: str) -> str:
    """Return the word before a document that says what it has: `Losses {...}`."""
    words: list[str] = re.findall(r"[^\W\d_]+", before)
    return words[-1] if words and is_quality(words[-1]) else ""


def find_dumps(lines: Sequence[str]) -> Iterator[int]:
    """Yield the indices of the lines with a document of single things, as of a probability a word.

    Of hundreds of paths in such documents, each is in few of them only.
    """
    leaves = {
        number: [path for path, _ in _iterate_leaves(parsed[0], "", has_histories=False)]
        for number, parsed in enumerate(map(parse_json_line, lines))
        if parsed is not None
    }
    counts = Counter(path for paths in leaves.values() for path in paths)
    if len(counts) <= MAX_PATHS:
        return
    for number, paths in leaves.items():
        rare = sum(counts[path] < MIN_SHARE * len(leaves) for path in paths)
        if 2 * rare > len(paths):
            yield number


def _iterate_leaves(document: Any, above: str, has_histories: bool) -> Iterator[tuple[str, float]]:
    items = document.items() if isinstance(document, Mapping) else enumerate(document)
    for key, value in items:
        if has_histories and is_history(value):
            yield f"{above}{key}", value[-1]
            continue
        if isinstance(value, Mapping) or (isinstance(value, list) and len(value) <= MAX_LIST):
            if above.count(".") < 5:
                yield from _iterate_leaves(value, f"{above}{key}.", has_histories)
        elif isinstance(value, (int, float, str)) and not isinstance(value, bool):
            number = parse_number(value) if isinstance(value, str) else value
            if number is not None:
                yield f"{above}{key}", number
