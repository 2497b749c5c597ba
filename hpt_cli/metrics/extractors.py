"""The forms of a metric definition, and how each finds its values in a line.

A form is frozen and the same for every log; what has to be remembered from line to line of one log
is in a Memory. Positions count characters of the line as a person would see it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

from hpt_cli.metrics.patterns import Pattern, compile_regex, compile_step_regex, parse_number
from hpt_cli.metrics.presets import PRESETS


class Match(NamedTuple):
    """A value in a line; `step` is None where the line does not tell it."""

    value: float
    step: float | None
    span: tuple[int, int]
    """Where the match is."""
    value_span: tuple[int, int]
    """Where the value is in it, or what holds it."""


@dataclass(slots=True)
class LineState:
    """What one definition remembers of one log."""

    last_step: float | None = None
    """The step that the latest line with one told."""
    header: Header | None = None
    """The latest header of a table."""


@dataclass(frozen=True, slots=True)
class RegexForm:
    """Every match of a regex is a value."""

    pattern: Pattern
    literal: str

    def find(self, text: str, state: LineState) -> list[Match]:
        """The values in a line."""
        pattern = self.pattern
        found = []
        for match in pattern.finditer(text):
            value = pattern.parse(match[pattern.value])
            if value is not None:
                step = pattern.parse(match[pattern.step]) if pattern.step else None
                step = state.last_step if step is None else step
                found.append(Match(value, step, match.span(), match.span(pattern.value)))
        return found


@dataclass(frozen=True, slots=True)
class JsonForm:
    """A key of JSON lines, also behind other text: `metrics.val.loss` goes down, and into lists."""

    path: str
    step_path: str
    literal: str

    def find(self, text: str, state: LineState) -> list[Match]:  # noqa: ARG002
        """The value in a line, if it holds an object with the key."""
        parsed = parse_json_line(text)
        if parsed is None:
            return []
        document, span = parsed
        value = _to_number(look_up(document, self.path))
        if value is None:
            return []
        step = _to_number(look_up(document, self.step_path)) if self.step_path else None
        return [Match(value, step, span, span)]

    def find_value(self, text: str, finding: Match) -> tuple[int, int]:
        """Where in the object the value most likely stands: it is slow, and for people only."""
        key = re.escape(json.dumps(self.path.rpartition(".")[2]))
        match = re.compile(rf'{key}\s*:\s*("[^"]*"|[^\s,\]}}]+)').search(text, *finding.span)
        return match.span(1) if match else finding.span


_DECODER = json.JSONDecoder()


@lru_cache(maxsize=1)
def parse_json_line(text: str) -> tuple[dict[str, Any], tuple[int, int]] | None:
    """The JSON object in a line, and where it stands; text before and after it is allowed.

    The latest is kept, as several metrics of one line are looked for in turn.
    """
    start = text.find("{")
    if start < 0:
        return None
    try:
        document, end = _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        return None
    return (document, (start, end)) if isinstance(document, dict) else None


def look_up(document: Any, path: str) -> Any:
    """What a path of keys leads to; None if it leads nowhere. A key may hold dots itself."""
    if isinstance(document, Mapping) and path in document:
        return document[path]
    for cut in (match.start() for match in re.finditer(r"\.", path)):
        key, rest = path[:cut], path[cut + 1 :]
        if isinstance(document, Mapping) and key in document:
            found = look_up(document[key], rest)
        elif isinstance(document, list) and key.isascii() and key.isdigit():
            found = look_up(document[int(key)], rest) if int(key) < len(document) else None
        else:
            continue
        if found is not None:
            return found
    if isinstance(document, list) and path.isascii() and path.isdigit():
        return document[int(path)] if int(path) < len(document) else None
    return None


def _to_number(value: Any) -> float | None:
    """A JSON value as a number; text that is one counts."""
    if isinstance(value, str):
        return parse_number(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            return None
    return None


@dataclass(frozen=True, slots=True)
class Header:
    """Where the columns of a table are."""

    delimiter: str
    width: int
    value: int
    step: int | None


@dataclass(frozen=True, slots=True)
class ColumnForm:
    """A column of a table with a header: CSV, or aligned with blanks, tabs or bars."""

    column: str
    step_column: str
    literal: str

    def find(self, text: str, state: LineState) -> list[Match]:
        """The value in a row; a header is remembered for the rows after it."""
        if self.column in text:
            header = self.read_header(text)
            if header is not None:
                state.header = header
                return []
        header = state.header
        if header is None:
            return []
        cells = split_cells(text, header.delimiter)
        if len(cells) != header.width:
            return []
        cell, span = cells[header.value]
        value = parse_number(cell)
        if value is None:
            return []
        step = parse_number(cells[header.step][0]) if header.step is not None else None
        return [Match(value, step, (0, len(text)), span)]

    def read_header(self, text: str) -> Header | None:
        """Where the columns are, if this line is a header with the one looked for."""
        delimiter = find_delimiter(text)
        names = [cell for cell, _ in split_cells(text, delimiter)]
        if self.column not in names:
            return None
        step = names.index(self.step_column) if self.step_column in names else None
        return Header(delimiter, len(names), names.index(self.column), step)


def find_delimiter(header: str) -> str:
    """What separates the cells of a table with this header; a blank stands for a run of them."""
    return next((each for each in (",", "\t", ";", "│", "┃", "|") if each in header.strip()), " ")


def split_cells(text: str, delimiter: str) -> list[tuple[str, tuple[int, int]]]:
    """The cells of a row, without blanks and quotes around them, and where they stand.

    Bars at the beginning and the end of a row are its border. Quoted cells hold no delimiters.
    """
    if delimiter == " ":
        return [(match.group(), match.span()) for match in re.finditer(r"\S+", text)]
    if delimiter in "│┃":
        text, delimiter = text.replace("┃", "│"), "│"
    cells = []
    start = 0
    for raw in text.split(delimiter):
        cell = raw.strip()
        begin = start + raw.find(cell)
        cells.append((cell.strip("\"'"), (begin, begin + len(cell))))
        start += len(raw) + 1
    if delimiter in "│|":
        cells = cells[1:] if cells and not cells[0][0] else cells
        cells = cells[:-1] if cells and not cells[-1][0] else cells
    return cells


Form: TypeAlias = RegexForm | JsonForm | ColumnForm
"""How a definition finds its metric. A line without `literal` holds nothing, but for a table: there
a line with it may be the header, and any line after that a row."""


class Extractor(NamedTuple):
    """A compiled metric definition."""

    metric: str
    form: Form
    step: Pattern | None = None
    """What lines look like that tell the step of the lines after them."""
    file: str = ""
    """The file in the job's directory that it is read from; else from what the command prints."""


FORMS = ("regex", "json", "column", "preset")
"""The fields of a definition that say how to find the metric; it has exactly one."""


def compile_definition(fields: Mapping[str, Any]) -> Extractor:
    """A metric definition, ready to find its metric.

    Args:
        fields: as in a spec: `name`, one of FORMS, and where they apply `metric`, `step`, `file`.

    Raises:
        ValueError: what it says is no regex.
        KeyError: it names a preset, or a metric of one, that there is not.
    """
    name, step = fields["name"], fields.get("step") or ""
    file = fields.get("file") or ""
    if fields.get("json"):
        return Extractor(name, JsonForm(fields["json"], step, _quote(fields["json"])), file=file)
    if fields.get("column"):
        return Extractor(name, _make_column(fields["column"], step), file=file)
    regex = fields.get("regex") or ""
    if fields.get("preset"):
        preset = PRESETS[fields["preset"]]
        metric, step = fields.get("metric") or name, step or preset.step
        if preset.column:
            return Extractor(name, _make_column(metric, step), file=file)
        regex = preset.fill(metric)
    pattern = compile_regex(regex)
    steps = compile_step_regex(step) if step else None
    return Extractor(name, RegexForm(pattern, pattern.literal), steps, file)


def to_regex(fields: Mapping[str, Any]) -> str | None:
    """The regex that a definition amounts to; None where none would do."""
    if fields.get("file") or fields.get("column"):
        return None
    if fields.get("json"):
        key = re.escape(fields["json"].rpartition(".")[2])
        return f'"{key}": ?"?({{num}})'
    if fields.get("preset"):
        preset = PRESETS[fields["preset"]]
        return None if preset.column else preset.fill(fields.get("metric") or fields["name"])
    return fields.get("regex")


def _make_column(column: str, step: str) -> ColumnForm:
    return ColumnForm(column, step, column)


def _quote(path: str) -> str:
    """A key as it stands in JSON text; empty where it may stand in more than one way."""
    key = path.rpartition(".")[2]
    is_plain = key.isascii() and key.isprintable() and not set(key) & set('"\\/<>&')
    return f'"{key}"' if is_plain and not key.isdigit() else ""


def iterate_findings(extractor: Extractor, lines: list[str]) -> Iterator[tuple[int, Match]]:
    """What a definition finds in the lines of a log: (number of the line from 0, finding)."""
    state = LineState()
    for number, text in enumerate(lines):
        if extractor.step is not None:
            state.last_step = tell_step(extractor.step, text, state.last_step)
        for finding in extractor.form.find(text, state):
            yield number, finding


def tell_step(pattern: Pattern, text: str, before: float | None) -> float | None:
    """The step that a line tells, or else the one that was known before it."""
    match = pattern.search(text)
    step = pattern.parse(match[pattern.step]) if match else None
    return before if step is None else step
