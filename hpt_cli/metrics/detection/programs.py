"""Finds the metrics of programs that have a preset."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from hpt_cli.metrics.detection.metric import Fields
from hpt_cli.metrics.extractors import compile_definition, iterate_matches
from hpt_cli.metrics.patterns import compile_line_regex
from hpt_cli.metrics.presets import PRESETS, Preset


def find_presets(lines: Sequence[str]) -> Iterator[Fields]:
    """Yield definitions by preset; of two presets for the same lines, the one that finds more."""
    read = {name: find_preset_lines(preset, lines) for name, preset in PRESETS.items()}
    taken: set[int] = set()
    for name in sorted(read, key=lambda each: -sum(map(len, read[each].values()))):
        fresh = {metric: numbers for metric, numbers in read[name].items() if numbers - taken}
        for metric, numbers in fresh.items():
            taken |= numbers
            yield {"name": metric, "preset": name}


def find_preset_lines(preset: Preset, lines: Sequence[str]) -> dict[str, set[int]]:
    """Return the metrics of a preset in a log, each with the indices of its lines."""
    found: dict[str, set[int]] = {}
    if preset.names is not None:
        line, name = re.compile(preset.names.line), re.compile(preset.names.name)
        literal = compile_line_regex(preset.names.line).literal
        for number, text in enumerate(lines):
            if text and literal in text and line.search(text):
                for match in name.finditer(text):
                    found.setdefault(match.group(1), set()).add(number)
        if not preset.regex:
            return found
    for metric, regex in preset.metrics.items():
        extractor = compile_definition({"name": metric, "regex": regex})
        numbers = {number for number, _ in iterate_matches(extractor, lines)}
        if numbers:
            found[metric] = numbers
    return found
