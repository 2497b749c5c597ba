"""Metric definitions, compiled: each form (regex, json, column) finds its values in a line.

A form is immutable and serves all logs; the state of one log is in a LineState. Positions count
characters of the line as a terminal would show it.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

from hpt_cli.metrics.patterns import (
    NUMBER,
    Pattern,
    compile_line_regex,
    compile_regex,
    compile_step_regex,
    parse_cell,
    parse_plain_number,
)
from hpt_cli.metrics.presets import PRESETS


class Match(NamedTuple):
    """A value in a line."""

    value: float
    step: float | None
    """None where the line does not hold it."""
    span: tuple[int, int]
    """Where the match stands in the line."""
    value_span: tuple[int, int]
    """Where the value stands, or the JSON object that holds it."""


@dataclass(slots=True)
class LineState:
    """The state of one definition from line to line of one log."""

    last_step: float | None = None
    """From the latest line that matched the definition's `step`."""
    header: Header | None = None
    """Of the latest table."""
    is_open: bool = False
    """Whether a line that matched the definition's `after` came after its latest value."""

    def take_first(self, found: Sequence[Match]) -> Sequence[Match]:
        """Return the first of the values in a line if a value is awaited, and await no more."""
        taken = found[:1] if self.is_open else ()
        self.is_open = self.is_open and not found
        return taken


@dataclass(frozen=True, slots=True)
class RegexForm:
    """A regex; each match is a value."""

    pattern: Pattern

    def find(self, text: str, state: LineState) -> list[Match]:
        """Return the values in a line."""
        pattern, value_group, step_group = self.pattern, self.pattern.value, self.pattern.step
        parse = pattern.parse
        found = []
        for match in pattern.finditer(text):
            value = parse(match[value_group])
            if value is not None:
                step = parse(match[step_group]) if step_group else None
                step = state.last_step if step is None else step
                found.append(Match(value, step, match.span(), match.span(value_group)))
        return found


@dataclass(frozen=True, slots=True)
class JsonForm:
    """A path of keys in JSON lines, such as `metrics.val.loss`; text around objects is ignored."""

    path: str
    step_path: str

    @property
    def literal(self) -> str:
        """The last key as JSON text; "" where JSON has several ways to write it."""
        key = self.path.rpartition(".")[2]
        # Programs differ in which of these they escape, as in `\/` or `\u003c`. A number may be the
        # index of a list, which stands nowhere in the text.
        is_plain = key.isascii() and key.isprintable() and not set(key) & set("\"'\\/<>&")
        return key if is_plain and not key.isdigit() else ""

    def find(self, text: str, state: LineState) -> list[Match]:  # noqa: ARG002
        """Return the value in a line, if the line holds an object with the path."""
        parsed = parse_json_line(text)
        if parsed is None:
            return []
        document, span = parsed
        found = look_up(document, self.path)
        if is_history(found):
            values = enumerate(map(_to_number, found), 1)
            return [
                Match(each, float(step), span, span) for step, each in values if each is not None
            ]
        value = _to_number(found)
        if value is None:
            return []
        step = _to_number(look_up(document, self.step_path)) if self.step_path else None
        return [Match(value, step, span, span)]

    def find_value_span(self, text: str, match: Match) -> tuple[int, int]:
        """Return where the value most likely stands in the object; slow, for display only."""
        key = re.escape(json.dumps(self.path.rpartition(".")[2])[1:-1])
        pattern = rf"""["']{key}["']\s*:\s*("[^"]*"|'[^']*'|[^\s,\]}}]+)"""
        found = re.compile(pattern).search(text, *match.span)
        return found.span(1) if found else match.span


_DECODER = json.JSONDecoder()


@lru_cache(maxsize=1)
def parse_json_line(text: str) -> tuple[dict[str, Any], tuple[int, int]] | None:
    """Return the first JSON object in a line and its span; None without one.

    The latest result is cached, as the metrics of one line are looked for one after the other.
    """
    start = text.find("{")
    if start < 0:
        return None
    try:
        document, end = _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        return _parse_python_dict(text, start)
    return (document, (start, end)) if isinstance(document, dict) else None


_STRING = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
_BRACES = re.compile(rf"{_STRING}|[{{}}]")
_PYTHON_VALUE = re.compile(
    rf"(?P<string>{_STRING})"
    # np.float64(0.3), tensor(0.3, device='cuda:0'), array(0.3)
    rf"|[A-Za-z_][\w.]*\((?P<number>{NUMBER})(?:,[^()]*)?\)"
    r"|(?P<odd>[-+]?\b(?:nan|inf)\b)"
)


def _parse_python_dict(text: str, start: int) -> tuple[dict[str, Any], tuple[int, int]] | None:
    """Return the Python dict that a program has printed at a place in a line, and its span."""
    end = _find_brace(text, start)
    if end is None or "'" not in text[start:end]:
        return None
    plain = _PYTHON_VALUE.sub(_write_plainly, text[start:end])
    try:
        document = ast.literal_eval(plain)
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        return None
    is_read = isinstance(document, dict) and all(isinstance(key, str) for key in document)
    return (document, (start, end)) if is_read else None


def _find_brace(text: str, start: int) -> int | None:
    """Return where the dict ends that begins at a place; None if it does not end."""
    depth = 0
    for match in _BRACES.finditer(text, start):
        depth += {"{": 1, "}": -1}.get(match.group(), 0)
        if depth == 0:
            return match.end()
    return None


def _write_plainly(value: re.Match[str]) -> str:
    """Return a value of a Python dict as a literal."""
    if value["string"] is not None:
        return value.group()
    return repr(value["number"] or value["odd"])


def look_up(document: Any, path: str) -> Any:
    """Return the value at a path of keys and list indices; None without one. Keys may have dots."""
    found = _get(document, path)
    place = path.find(".") if found is None else -1
    while found is None and place >= 0:
        found = look_up(_get(document, path[:place]), path[place + 1 :])
        place = path.find(".", place + 1)
    return found


def _get(document: Any, key: str) -> Any:
    if isinstance(document, Mapping):
        return document.get(key)
    # isdigit alone also holds for digits that int() refuses, such as a superscript 2.
    if isinstance(document, list) and key.isascii() and key.isdigit():
        return document[int(key)] if int(key) < len(document) else None
    return None


def is_history(value: Any) -> bool:
    """Return whether a value of JSON is a list of numbers: those of a metric, one an epoch."""
    return isinstance(value, list) and len(value) > 1 and all(map(_is_number, value))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _to_number(value: Any) -> float | None:
    """Return a JSON number, or a string that holds one, as a float; None for any other value."""
    if isinstance(value, str):
        return parse_cell(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            return None
    return None


@dataclass(frozen=True, slots=True)
class Header:
    """The places of a table's columns."""

    delimiter: str
    names: Sequence[str]
    value: int
    step: int | None


_NO_COMMAS = (";", "\t")
"""The separators of tables whose numbers may have decimal commas."""


@dataclass(frozen=True, slots=True)
class ColumnForm:
    """A column of a table with a header: CSV, or separated by blanks, tabs or bars."""

    column: str
    step_column: str
    is_plain: bool = False
    """Whether cells are read as in tuning jobs of before."""

    @property
    def literal(self) -> str:
        """The column's name, which every header holds."""
        return self.column

    def find(self, text: str, state: LineState) -> list[Match]:
        """Return the value in a row; keep a header for the rows after it."""
        if self.column in text:
            header = self.read_header(text)
            if header is not None:
                state.header = header
                return []
        header = state.header
        if header is None:
            return []
        cells = split_row(text, header.delimiter, header.names)
        if cells is None:
            return []
        cell, span = cells[header.value]
        value = self._parse(cell, header)
        if value is None or (header.delimiter == " " and not self.is_plain and _is_text(cells)):
            return []
        step = self._parse(cells[header.step][0], header) if header.step is not None else None
        return [Match(value, step, (0, len(text)), span)]

    def _parse(self, cell: str, header: Header) -> float | None:
        if self.is_plain:
            return parse_plain_number(cell)
        return parse_cell(cell, has_decimal_commas=header.delimiter in _NO_COMMAS)

    def read_header(self, text: str) -> Header | None:
        """Return the header that a line is; None unless it has the column."""
        delimiter = find_delimiter(text)
        if delimiter == " " and " " in self.column:
            delimiter = SEVERAL_BLANKS
        names = [cell for cell, _ in split_cells(text, delimiter)]
        if self.column not in names:
            return None
        step = names.index(self.step_column) if self.step_column in names else None
        return Header(delimiter, names, names.index(self.column), step)


SEVERAL_BLANKS = "  "
"""What separates the cells of a table whose names have single blanks in them."""


def find_delimiter(header: str) -> str:
    """Return what separates the cells of a table; a blank stands for any number of blanks."""
    return next((each for each in (",", "\t", ";", "│", "┃", "|") if each in header.strip()), " ")


def split_cells(text: str, delimiter: str) -> list[tuple[str, tuple[int, int]]]:
    """Return the cells of a row, without the blanks and quotes around them, and their spans.

    Bars at both ends of a row are its border. A delimiter inside double quotes is text.
    """
    if not delimiter.strip(" "):
        cell = r"\S+(?: \S+)*" if delimiter == SEVERAL_BLANKS else r"\S+"
        return [(match.group(), match.span()) for match in re.finditer(cell, text)]
    if delimiter in "│┃":
        # rich draws heavy bars in the header of a table, and light ones in its rows.
        text, delimiter = text.replace("┃", "│"), "│"
    cells = []
    start = 0
    for raw in _split_quoted(text, delimiter) if '"' in text else text.split(delimiter):
        cell = raw.strip()
        begin = start + raw.find(cell)
        cells.append((cell.strip("\"'"), (begin, begin + len(cell))))
        start += len(raw) + 1
    if delimiter in "│|":
        cells = cells[1:] if cells and not cells[0][0] else cells
        cells = cells[:-1] if cells and not cells[-1][0] else cells
    return cells


def _split_quoted(text: str, delimiter: str) -> list[str]:
    """Return the parts of a row between delimiters outside double quotes."""
    mark = re.escape(delimiter)
    cell = rf'\s*"(?:[^"]|"")*"\s*(?={mark}|$)|[^{mark}]*'
    return [match[1] for match in re.finditer(rf"(?:^|{mark})({cell})", text)]


def split_row(
    text: str, delimiter: str, names: Sequence[str]
) -> list[tuple[str, tuple[int, int]]] | None:
    """Return the cells of a row below the names of its columns; None if a line is no such row.

    Nothing stands below the mark of a comment that begins the header: `#  step  rmse`. Rows that
    are numbered have no name above their numbers, as pandas and R print them.
    """
    cells = split_cells(text, delimiter)
    if len(cells) == len(names):
        return cells
    if names[0] == "#" and len(cells) == len(names) - 1:
        return [("", (0, 0)), *cells]
    is_numbered = delimiter == " " and len(cells) == len(names) + 1 and cells[0][0].isdigit()
    return cells[1:] if is_numbered else None


def _is_text(cells: Sequence[tuple[str, tuple[int, int]]]) -> bool:
    """Return whether most cells of a row are words, as in `After 8 steps the fit converged`."""
    return 2 * sum(cell.isalpha() for cell, _ in cells) > len(cells)


Form: TypeAlias = RegexForm | JsonForm | ColumnForm
"""A way to find values. Only lines with its literal text can have one, except in a table, where
such a line may be the header and every line after it a row."""


class Extractor(NamedTuple):
    """A compiled metric definition."""

    metric: str
    form: Form
    step: Pattern | None = None
    """Matches lines that hold the step of the lines after them."""
    file: str = ""
    """The file in the job's directory that is read instead of the command's output."""
    after: Pattern | None = None
    """Matches lines after each of which the first value counts, and no other value does."""

    @property
    def counts_steps(self) -> bool:
        """Whether nothing tells the steps of the values, so that they are counted."""
        form = self.form
        if isinstance(form, RegexForm):
            return not form.pattern.step and self.step is None
        return not (form.step_path if isinstance(form, JsonForm) else form.step_column)


class Opening(NamedTuple):
    """Lines after each of which the first value of a metric counts."""

    pattern: Pattern


FORMS = ("regex", "json", "column", "preset")
"""The fields of a definition that say how to find the metric; each definition has exactly one."""


def compile_definition(fields: Mapping[str, Any], *, is_plain: bool = False) -> Extractor:
    """Compile a metric definition.

    Args:
        fields: as in a spec: `name`, one of FORMS, and where they apply `metric`, `step`, `file`.
        is_plain: whether numbers are read as in tuning jobs of before.

    Raises:
        ValueError: a regex is not valid.
        KeyError: there is no such preset, or the preset has no such metric.
    """
    name, step = fields["name"], fields.get("step") or ""
    file = fields.get("file") or ""
    after = compile_line_regex(fields["after"]) if fields.get("after") else None
    if fields.get("json"):
        return Extractor(name, JsonForm(fields["json"], step), file=file, after=after)
    if fields.get("column"):
        return Extractor(name, ColumnForm(fields["column"], step, is_plain), file=file, after=after)
    regex = fields.get("regex") or ""
    if fields.get("preset"):
        preset = PRESETS[fields["preset"]]
        metric, step = fields.get("metric") or name, step or preset.step
        if preset.column:
            return Extractor(name, ColumnForm(metric, step, is_plain), file=file, after=after)
        regex = preset.fill(metric)
    steps = compile_step_regex(step, is_plain=is_plain) if step else None
    return Extractor(name, RegexForm(compile_regex(regex, is_plain=is_plain)), steps, file, after)


def to_regex(fields: Mapping[str, Any]) -> str | None:
    """Return a regex that finds the same values; None where there is none."""
    if fields.get("file") or fields.get("column") or fields.get("after"):
        return None
    if fields.get("json"):
        key = re.escape(fields["json"].rpartition(".")[2])
        return f'"{key}": ?"?({{num}})'
    if fields.get("preset"):
        preset = PRESETS[fields["preset"]]
        return None if preset.column else preset.fill(fields.get("metric") or fields["name"])
    return fields.get("regex")


def iterate_matches(
    extractor: Extractor, lines: Sequence[str], steps: Sequence[float | None] | None = None
) -> Iterator[tuple[int, Match]]:
    """Yield the matches in the lines of a log, each with the index of its line.

    Args:
        steps: what `list_steps` returns for the extractor's `step`, where that is known.
    """
    state = LineState()
    form = extractor.form
    literal = _find_literal(form.pattern) if isinstance(form, RegexForm) else ""
    after = extractor.after
    opening = _find_literal(after) if after is not None else ""
    if steps is None and extractor.step is not None:
        steps = list_steps(extractor.step, lines)
    for number, text in enumerate(lines):
        if after is not None and opening in text and after.search(text) is not None:
            state.is_open = True
        if literal in text:
            state.last_step = steps[number] if steps is not None else None
            found: Sequence[Match] = form.find(text, state)
            for match in found if after is None else state.take_first(found):
                yield number, match


def list_steps(pattern: Pattern, lines: Sequence[str]) -> list[float | None]:
    """Return the step of each line: that of the latest line which a definition's `step` matches."""
    literal = _find_literal(pattern)
    steps: list[float | None] = []
    latest = None
    for text in lines:
        if literal in text:
            step = find_step(pattern, text)
            latest = latest if step is None else step
        steps.append(latest)
    return steps


def _find_literal(pattern: Pattern) -> str:
    """Return text that every line with a match holds."""
    return "" if pattern.ignore_case else pattern.literal


def find_step(pattern: Pattern, text: str) -> float | None:
    """Return the step in a line that a definition's `step` matches; None without one."""
    match = pattern.search(text)
    return pattern.parse(match[pattern.step]) if match else None
