"""A metric that a definition finds in a log, and the log in which definitions are tried."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from hpt_cli.metrics.detection.headings import Headings
from hpt_cli.metrics.detection.pair_regex import STEP, reads_folds, to_name
from hpt_cli.metrics.detection.templates import TOKEN
from hpt_cli.metrics.detection.turns import find_turns
from hpt_cli.metrics.detection.vocabulary import (
    DataSet,
    Direction,
    find_data_set,
    guess_direction,
    is_quality,
    split_words,
)
from hpt_cli.metrics.extractors import Match, compile_definition, iterate_matches, list_steps
from hpt_cli.metrics.presets import PRESETS

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
    data_set: DataSet = ""
    """That its name says, or else a heading above all its lines; empty if neither does."""
    is_best: bool = False
    """Whether it is the best value so far, as its line says before it."""
    is_cut: bool = False
    """Whether its numbers continue after a comma, where they are cut."""
    has_steps: bool = False
    """Whether its lines, or lines before them, say the step."""

    @property
    def name(self) -> str:
        """The metric's name."""
        return self.definition["name"]

    @property
    def program(self) -> str:
        """The program that a preset is for; "" without one."""
        preset = self.definition.get("preset")
        return PRESETS[preset].program if preset else ""

    @property
    def objective_value(self) -> Literal["last", "mean"]:
        """What should count of its values: of the folds of a cross-validation, their mean."""
        return "mean" if len(self.curve) > 1 and reads_folds(self.definition) else "last"

    def rename(self, taken: Mapping[str, object]) -> DetectedMetric:
        """Return it with a name that no other has yet."""
        number = next(n for n in range(2, len(taken) + 3) if f"{self.name}_{n}" not in taken)
        return replace(self, definition={**self.definition, "name": f"{self.name}_{number}"})


def _find_longest_run(curve: Iterable[tuple[float, float]]) -> list[float]:
    """Return the values of the longest part of a curve within which no step falls."""
    runs: list[list[float]] = [[]]
    latest = -math.inf
    for step, value in curve:
        if step < latest:
            runs.append([])
        runs[-1].append(value)
        latest = step
    return max(runs, key=len)


class SearchedLog:
    """The lines of a log in which definitions are tried."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = list(lines)
        self.unexplained = list(lines)
        """Those of which nothing is known yet; the others are blank, so that numbers hold."""
        self._headings = Headings(self.lines)
        self._steps: dict[str, list[float | None]] = {}

    def find(self, definition: Fields) -> list[tuple[int, Match]]:
        """Return what a definition finds, each with the index of its line."""
        extractor = compile_definition(definition)
        steps = None
        if extractor.step is not None:
            source = extractor.step.source
            if source not in self._steps:
                self._steps[source] = list_steps(extractor.step, self.lines)
            steps = self._steps[source]
        return list(iterate_matches(extractor, self.lines, steps))

    def divide(
        self, definition: Fields, found: Sequence[tuple[int, Match]]
    ) -> Iterator[tuple[Fields, Sequence[tuple[int, Match]]]]:
        """Yield definitions that part what one has found, with what each finds; and of the rest.

        Where several things have results of one name, what says of which they are stands before
        them in the line, or in a heading above: `Validation:`, and below it `loss: 0.3`.
        """
        name, left = definition["name"], {number for number, _ in found}
        if "column" not in definition and is_quality(name) and not find_data_set(name):
            for word, after, taken in self._find_parts(definition, found):
                part = {**definition, "name": to_name(f"{word} {name}"), "after": after}
                if "preset" in definition:
                    part["metric"] = name
                matches = self.find(part)
                if [number for number, _ in matches] == taken:
                    left -= set(taken)
                    yield part, matches
        if left:
            yield definition, found

    def _find_parts(
        self, definition: Fields, found: Sequence[tuple[int, Match]]
    ) -> Iterator[tuple[str, str, list[int]]]:
        """Yield the things with results of one name: a word, a regex before them, and the lines."""
        numbers = list(dict.fromkeys(number for number, _ in found))
        below = self._headings.divide(numbers)
        for heading, taken in below:
            yield heading.word, heading.regex, taken
        # The keys of a JSON document have no order.
        ends = [None if "json" in definition else match.value_span[0] for _, match in found]
        befores = [self.lines[number][:end] for (number, _), end in zip(found, ends, strict=True)]
        turns = find_turns(befores) if not below else []
        for word in dict.fromkeys(turns):
            taken = [number for (number, _), each in zip(found, turns, strict=True) if each == word]
            yield word, rf"\b{re.escape(word)}\b", taken

    def describe(self, definition: Fields, found: Sequence[tuple[int, Match]]) -> DetectedMetric:
        """Return a definition with what it has found."""
        curve = tuple(
            (count if match.step is None else match.step, match.value)
            for count, (_, match) in enumerate(found, 1)
        )
        return DetectedMetric(
            definition,
            guess_direction(definition["name"], _find_longest_run(curve)),
            curve,
            example=self.lines[found[-1][0]],
            data_set=find_data_set(definition["name"])
            or ("" if "column" in definition else self._find_heading_set(found)),
            is_best=self._is_best(*found[-1]) or "best" in split_words(definition["name"]),
            is_cut="regex" in definition and any(self._is_cut(*each) for each in found),
            has_steps=any(match.step is not None for _, match in found),
        )

    def _find_heading_set(self, found: Sequence[tuple[int, Match]]) -> DataSet:
        """Return the data set that the headings above all these lines name."""
        named = {self._headings.data_sets[number] for number, _ in found}
        return named.pop() if len(named) == 1 else ""

    def explain(self, numbers: Iterable[int]) -> None:
        """Hide lines from what is tried after what has explained them."""
        for number in numbers:
            self.unexplained[number] = ""

    def hide_documents(self, found: Sequence[tuple[int, Match]]) -> None:
        """Hide JSON documents in lines; the text around them is tried further."""
        for number, match in found:
            start, end = match.span
            text = self.unexplained[number]
            self.unexplained[number] = text[:start] + " " * (end - start) + text[end:]

    def _is_best(self, number: int, match: Match) -> bool:
        """Return whether `best` stands before a value, and no other value in between."""
        before = STEP.sub("", self.lines[number][: match.value_span[0]])
        return re.search(r"(?i)\bbest\b", TOKEN.split(before)[-1]) is not None

    def _is_cut(self, number: int, match: Match) -> bool:
        rest = self.lines[number][match.value_span[1] :]
        return match.value.is_integer() and re.match(r",\d", rest) is not None
