"""Metric definitions for what another program names, found in an output of the training program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hpt_cli.metrics.detection.metric import DetectedMetric
from hpt_cli.metrics.detection.vocabulary import find_data_set, split_words
from hpt_cli.sagemaker import Imported
from hpt_cli.sagemaker.names import FILL_IN

_SAME = {"acc": "accuracy", "err": "error", "avg": "average"}
MAX_NAMED = 5


def complete_metrics(
    imported: Imported, detected: Sequence[DetectedMetric], log: str, unnamed: str = ""
) -> Imported:
    """Return the fields of a spec with the guessed definitions that a log has.

    Args:
        imported: the fields, and which metrics are guesses.
        detected: the metrics in the log, the likeliest objective first.
        log: its name.
        unnamed: the metric that has no name in the file: it becomes the likeliest.
    """
    is_asked = "objective_type" not in dict(imported.fill_in)
    wanted = imported.fields.get("objective_type") if is_asked else None
    likely = [each for each in detected if wanted in (None, each.objective_type)]
    for name in imported.guessed:
        found = next(iter(likely), None) if name == unnamed else find_metric(name, detected)
        if found is None:
            names = ", ".join(each.name for each in detected[:MAX_NAMED]) or "nothing like a metric"
            words = f"{log} has no {name}: it has {names}; see hpt metrics {log}"
            imported = replace(imported, fill_in=(*imported.fill_in, ("metric_definitions", words)))
        else:
            imported = _put(imported, name, found, log, is_named=name != unnamed)
    return replace(imported, guessed=())


def find_metric(name: str, detected: Sequence[DetectedMetric]) -> DetectedMetric | None:
    """Return the metric of a log that has this name, whatever way its words are written."""
    same = [each for each in detected if each.name == name]
    alike = [each for each in detected if _split(each.name) == _split(name)]
    return next(iter([*same, *alike]), None)


def _split(name: str) -> frozenset[str]:
    return frozenset(find_data_set(word) or _SAME.get(word, word) for word in split_words(name))


def _put(
    imported: Imported, name: str, found: DetectedMetric, log: str, *, is_named: bool
) -> Imported:
    """Return the fields with the definition of a metric that was found for a guessed one."""
    fields: dict[str, Any] = dict(imported.fields)
    is_free = "preset" not in found.definition and is_named
    own = name if is_free else found.name
    definition = {**found.definition, "name": own}
    fields["metric_definitions"] = [
        definition if each["name"] == name else each for each in fields["metric_definitions"]
    ]
    fill_in = list(imported.fill_in)
    if fields.get("objective_metric_name") == name:
        fields["objective_metric_name"] = own
        if found.objective_value != "last":
            fields["objective_value"] = found.objective_value
        if not is_named:
            fields["objective_type"] = found.objective_type
            words = f"{own} is the likeliest objective in {log}; see hpt metrics {log}"
            fill_in = [each for each in fill_in if each[0] != "objective_metric_name"]
            fill_in = [each for each in fill_in if each[0] != "objective_type"]
            fill_in.append(("objective_metric_name", words))
    return replace(imported, fields=fields, fill_in=tuple(fill_in))


def mark_guesses(imported: Imported, file: str) -> Imported:
    """Return the fields with a mark for each metric whose definition is a guess."""
    marks = tuple(
        (
            "metric_definitions",
            f"this regex of {name} is a guess, as the file does not say how the program prints it;"
            f" hpt import {file} --log LOG finds it in an output of the program",
        )
        for name in imported.guessed
    )
    return replace(imported, fill_in=(*imported.fill_in, *marks))


def mark_blanks(imported: Imported) -> Imported:
    """Return the fields with a mark for each value that the file does not say."""
    marks = tuple(
        (field, words) for field, each in imported.fields.items() for words in _list_blanks(each)
    )
    return replace(imported, fill_in=(*imported.fill_in, *marks))


def _list_blanks(value: Any, path: str = "") -> list[str]:
    if isinstance(value, str) and FILL_IN in value:
        source = value.partition(FILL_IN)[2].strip()
        what = f"{path}: " if path else ""
        return [what + (f"{source} is no literal in the file" if source else "the file has none")]
    if isinstance(value, dict):
        return [
            words
            for key, each in value.items()
            for words in _list_blanks(each, f"{path}.{key}" if path else str(key))
        ]
    if isinstance(value, (list, tuple)):
        return [words for each in value for words in _list_blanks(each, path)]
    return []
