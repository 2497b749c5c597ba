"""Detects the metrics in a log: definitions that find values in it, the likeliest objective first.

Tried in this order: presets, JSON lines, tables with a header, and names beside numbers. What finds
a setting, a counter or a number that nobody knows is no metric: then nothing is proposed.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from hpt_cli.metrics.detection.pair_regex import reads_folds, to_name
from hpt_cli.metrics.detection.pairs import find_pairs, is_batch_line, is_counter, is_training_line
from hpt_cli.metrics.detection.tables import find_columns, find_rows
from hpt_cli.metrics.detection.vocabulary import (
    STEP_WORDS,
    Direction,
    find_data_set,
    find_kind,
    guess_direction,
    is_quality,
    split_words,
)
from hpt_cli.metrics.extractors import (
    compile_definition,
    is_history,
    iterate_matches,
    parse_json_line,
)
from hpt_cli.metrics.lines import join_documents
from hpt_cli.metrics.patterns import parse_number
from hpt_cli.metrics.presets import PRESETS, Preset

MAX_LINES = 20_000
MAX_LINE_LENGTH = 10_000
MAX_CHARACTERS = 1 << 21
"""The part of a log that is searched for metrics."""
MAX_LIST = 12
"""Longer lists in JSON are not results."""

Fields: TypeAlias = Mapping[str, str]


@dataclass(frozen=True)
class DetectedMetric:
    """A metric definition that finds values in a log."""

    definition: Fields
    """As in a spec: `name`, one of `regex`, `json`, `column`, `preset`, and their options."""
    objective_type: Direction
    curve: tuple[tuple[float, float], ...]
    """(step, value) in order of the lines; values without a step are counted."""
    example: str
    """The latest line with a value."""
    program: str = ""
    """The program that a preset is for."""
    is_cut: bool = False
    """Whether its numbers continue after a comma, where they are cut."""
    has_steps: bool = False
    """Whether its lines, or lines before them, say the step."""

    @property
    def name(self) -> str:
        """The metric's name."""
        return self.definition["name"]

    @property
    def objective_value(self) -> Literal["last", "mean"]:
        """What should count of its values: of the folds of a cross-validation, their mean."""
        return "mean" if len(self.curve) > 1 and reads_folds(self.definition) else "last"


def detect_metrics(lines: Sequence[str]) -> tuple[DetectedMetric, ...]:
    """Return the metrics in a log, the likeliest objective first.

    Args:
        lines: as a terminal would show them; see MAX_LINES and MAX_CHARACTERS.
    """
    lines = _cut(join_documents(lines))
    detected: dict[str, DetectedMetric] = {}
    # Lines are blanked in it and not removed, so that their numbers stay the same.
    unexplained = list(lines)
    for detect in _DETECTORS:
        for definition, program in detect(unexplained):
            metric = _evaluate(definition, lines, program)
            if metric is None:
                continue
            if detect is not _detect_pairs:
                _blank_explained(definition, unexplained)
            # Of two kinds that find the same name, the one tried first is more specific.
            known = detected.get(metric.name)
            if known is None:
                detected[metric.name] = metric
            elif detect is _detect_pairs and "preset" not in known.definition:
                metric = _rename(metric, detected)
                detected[metric.name] = metric
    found = [each for each in detected.values() if _may_be_metric(each)]
    if not any(find_kind(each.name) != "beside" for each in found):
        return ()
    ranks = _Ranks(found)
    return tuple(sorted(found, key=ranks.rank))


def _rename(metric: DetectedMetric, taken: Mapping[str, object]) -> DetectedMetric:
    """Return a metric with a name that no other has yet."""
    number = next(n for n in range(2, len(taken) + 3) if f"{metric.name}_{n}" not in taken)
    definition = {**metric.definition, "name": f"{metric.name}_{number}"}
    return replace(metric, definition=definition)


def write_definition(definition: Fields) -> str:
    """Return a definition as a line of YAML, ready to paste."""
    quoted = (f"{key}: '{text.replace(chr(39), chr(39) * 2)}'" for key, text in definition.items())
    return "{" + ", ".join(quoted) + "}"


def _evaluate(definition: Fields, lines: list[str], program: str) -> DetectedMetric | None:
    """Return a definition with what it finds; None if it finds nothing."""
    found = list(iterate_matches(compile_definition(definition), lines))
    if not found:
        return None
    curve = tuple(
        (count if match.step is None else match.step, match.value)
        for count, (_, match) in enumerate(found, 1)
    )
    direction = guess_direction(definition["name"], [value for _, value in curve])
    is_cut = "regex" in definition and any(
        re.match(r",\d", lines[number][match.value_span[1] :]) and match.value.is_integer()
        for number, match in found
    )
    has_steps = any(match.step is not None for _, match in found)
    example = lines[found[-1][0]]
    return DetectedMetric(definition, direction, curve, example, program, is_cut, has_steps)


def _blank_explained(definition: Fields, lines: list[str]) -> None:
    """Blank the lines that a preset, JSON or a table explains, to hide them from what follows."""
    for number, _ in iterate_matches(compile_definition(definition), list(lines)):
        lines[number] = ""


# -- the likeliest objective -----------------------------------------------------------------------

_DATA_SET_COSTS = {"validation": 0.0, "test": 1.0, "": 2.0, "training": 5.0}
_TRAINING_LINE_COST = 3.5
"""Of a metric that names no data set, on lines of training steps."""
_KIND_COSTS = {"score": 0.0, "loss": 1.2, "detail": 2.5, "unknown": 4.0, "beside": 9.0}
_PRESET_BONUS = 1.5
"""For what is known of a program, against guesses on its other lines."""
_SINGLE_COST = 0.5
_WITHIN_STEP_COST = 0.6
"""Of values that come several times in a step: a value of each epoch says more."""
_BATCH_COST = 3.0
"""Of the values of batches, where the same metric is printed without them too."""
_BEST_COST = 1.5
"""Of the best so far: where there is one, what it is the best of is printed too."""
_MANY_PER_STEP = 1.5
_IMPROVED_COST = 0.7
"""Of what is printed where a model is saved, which is only where it has improved."""
_IMPROVED = re.compile(r"(?i)\bsav(?:e|ed|ing)\b|\bnew best\b|保存")
_HEADLINES = (
    *(
        "map50-95",
        "50-95",
        "0.50:0.95",
        "0.5:0.95",
        "map",
        "miou",
        "accuracy",
        "acc",
        "auc",
        "bleu",
    ),
    *("reward", "return", "fid", "wer"),
)
"""Scores that stand before others of the same evaluation."""


def _may_be_metric(metric: DetectedMetric) -> bool:
    """Return whether a definition finds more than a setting, a counter or an unknown number."""
    kind, values = find_kind(metric.name), [value for _, value in metric.curve]
    if not any(map(math.isfinite, values)):
        return False
    if kind in ("score", "loss", "detail"):
        # A data set alone is a name only of what looks like a score.
        is_named = is_quality(metric.name) or "preset" in metric.definition
        return is_named or any(not value.is_integer() for value in values)
    is_constant = len(set(values)) == 1
    if len(values) < 2 or (is_constant and len(values) > 2):
        return False
    if kind == "beside" and "preset" not in metric.definition:
        return "regex" not in metric.definition or len(values) > 1
    if is_counter(values) or is_constant:
        return False
    if "regex" not in metric.definition:
        return True
    fractions = sum(not value.is_integer() for value in values)
    return len(values) > 2 and 2 * fractions > len(values)


class _Ranks:
    """The order of the metrics of one log."""

    def __init__(self, metrics: Sequence[DetectedMetric]) -> None:
        self._places = {each.name: place for place, each in enumerate(metrics)}
        self._summaries = {each.name.lower() for each in metrics if not is_batch_line(each.example)}

    def rank(self, metric: DetectedMetric) -> tuple[float, ...]:
        """Return a sort key: the lowest is the likeliest objective."""
        values = [value for _, value in metric.curve]
        return (
            metric.is_cut,
            find_kind(metric.name) == "beside",
            # What never changes is a setting rather than a metric; a result may be printed twice.
            len(values) > 2 and len(set(values)) == 1,
            round(self._estimate_cost(metric), 3),
            self._place_headline(metric.name),
            len(metric.curve) if len(metric.curve) > 1 else 1e9,
            self._places[metric.name],
        )

    def _estimate_cost(self, metric: DetectedMetric) -> float:
        data_set = find_data_set(metric.name)
        cost = _DATA_SET_COSTS[data_set]
        is_preset = "preset" in metric.definition
        if not data_set and is_training_line(metric.example):
            cost = _TRAINING_LINE_COST
        if is_preset and metric.name == PRESETS[metric.definition["preset"]].objective:
            cost = 0.0
        cost += _KIND_COSTS[find_kind(metric.name)]
        cost -= _PRESET_BONUS * is_preset
        cost += _SINGLE_COST * (len(metric.curve) < 2)
        if "best" in split_words(metric.name):
            cost += _BEST_COST
        elif _IMPROVED.search(metric.example):
            cost += _IMPROVED_COST
        steps = Counter(step for step, _ in metric.curve)
        if metric.has_steps and len(metric.curve) > _MANY_PER_STEP * len(steps):
            cost += _WITHIN_STEP_COST
        name = metric.name.lower()
        if is_batch_line(metric.example) and any(
            name != each and name.endswith(each) for each in self._summaries
        ):
            cost += _BATCH_COST
        return cost

    @staticmethod
    def _place_headline(name: str) -> int:
        words, lowered = set(split_words(name)), name.lower()
        words |= {"map"} if {"average", "precision"} <= words else set()
        for place, headline in enumerate(_HEADLINES):
            if headline in words or (not headline.isalpha() and headline in lowered):
                return place
        return len(_HEADLINES)


# -- metrics of each kind --------------------------------------------------------------------------


def _detect_presets(lines: list[str]) -> Iterator[tuple[Fields, str]]:
    """Yield the metrics of presets; of two presets for the same lines, the one that finds more."""
    read = {name: _find_preset_lines(preset, lines) for name, preset in PRESETS.items()}
    taken: set[int] = set()
    for name in sorted(read, key=lambda each: -sum(map(len, read[each].values()))):
        fresh = {metric: numbers for metric, numbers in read[name].items() if numbers - taken}
        for metric, numbers in fresh.items():
            taken |= numbers
            yield {"name": metric, "preset": name}, PRESETS[name].program


def list_metrics(preset: str, lines: Sequence[str]) -> list[str]:
    """Return the metrics of a preset that these lines have."""
    return list(_find_preset_lines(PRESETS[preset], _cut(lines)))


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


def _find_preset_lines(preset: Preset, lines: list[str]) -> dict[str, set[int]]:
    """Return the metrics of a preset in a log, each with the indices of its lines."""
    found: dict[str, set[int]] = {}
    if preset.names is not None:
        line, name = re.compile(preset.names.line), re.compile(preset.names.name)
        for number, text in enumerate(lines):
            if text and line.search(text):
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


def _detect_json(lines: list[str]) -> Iterator[tuple[Fields, str]]:
    """Yield the paths of numbers in JSON lines, and in printed Python dicts."""
    paths: dict[str, str] = {}
    documents = [parsed[0] for parsed in map(parse_json_line, lines) if parsed is not None]
    for document in documents:
        # The one document of a log has histories; in one of many, a list is of several results.
        leaves = [path for path, _ in _iterate_leaves(document, "", len(documents) == 1)]
        step = next((each for each in STEP_WORDS if each in leaves), "")
        paths.update({path: step for path in leaves if path not in STEP_WORDS})
    for path, step in paths.items():
        yield {"name": to_name(path), "json": path} | ({"step": step} if step else {}), ""


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


def _detect_tables(lines: list[str]) -> Iterator[tuple[Fields, str]]:
    """Yield the columns of tables, and the rows of those that stand on their side."""
    for definition in (*find_columns(lines), *find_rows(lines)):
        yield definition, ""


def _detect_pairs(lines: list[str]) -> Iterator[tuple[Fields, str]]:
    """Yield what stands beside a name."""
    for definition in find_pairs(lines):
        yield definition, ""


_DETECTORS: tuple[Callable[[list[str]], Iterator[tuple[Fields, str]]], ...] = (
    _detect_presets,
    _detect_json,
    _detect_tables,
    _detect_pairs,
)


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
