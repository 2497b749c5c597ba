"""A table of text that fits its terminal: headings break, columns shrink, others are left out.

Rich's own tables measure every cell several times; a thousand rows take them seconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.segment import Segment
from rich.style import Style
from rich.text import Text

GAP = 2
UNBOUNDED = 1_000_000
KEPT = 0
"""The rank of a column that is never left out."""


@dataclass(frozen=True)
class Column:
    """One column: its heading, and a cell for each row.

    `rank`: those of the highest rank are left out first. `shrinks_to`: the width down to which its
    cells may be cut.
    """

    heading: str
    cells: Sequence[str]
    right: bool = False
    rank: int = KEPT
    shrinks_to: int | None = None

    @property
    def lines(self) -> list[str]:
        """The heading's lines."""
        return self.heading.split("\n")

    @property
    def width(self) -> int:
        """What the heading and the widest cell take."""
        return max(map(cell_len, (*self.lines, *self.cells)))

    @property
    def least_width(self) -> int:
        """What it takes when it has shrunk."""
        return self.width if self.shrinks_to is None else min(self.width, self.shrinks_to)


@dataclass(frozen=True)
class Grid:
    """Columns side by side, with a style for each row.

    `wide`: as wide as it is. `hint`: how to see what is left out.
    """

    columns: Sequence[Column]
    styles: Sequence[str]
    wide: bool = False
    hint: str = ""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        columns, left_out = fit(self.columns, UNBOUNDED if self.wide else options.max_width)
        widths = _find_widths(columns, options.max_width, wide=self.wide)
        cells = [_pad_cells(*each) for each in zip(columns, widths, strict=True)]
        for line in _list_heading_lines(columns, widths):
            yield Segment(line, Style(bold=True))
            yield Segment.line()
        styles = {name: console.get_style(name) for name in {*self.styles}}
        for style, row in zip(self.styles, zip(*cells, strict=True), strict=True):
            yield Segment((" " * GAP).join(row).rstrip(), styles[style])
            yield Segment.line()
        if left_out:
            names = ", ".join(column.heading.strip() for column in left_out)
            yield Text(f"not shown: {names}{self.hint and f'; {self.hint}'}", style="dim")

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(1, options.max_width)


@dataclass(frozen=True)
class FirstThatFits:
    """Several arrangements of the same, of which the first that fits is shown, else the last."""

    grids: Sequence[Grid]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        fitting = (
            grid for grid in self.grids if _find_least_width(grid.columns) <= options.max_width
        )
        yield next(fitting, self.grids[-1])


def fit(columns: Sequence[Column], width: int) -> tuple[list[Column], list[Column]]:
    """The columns that fit a width, and those that are left out for it."""
    if _find_least_width(columns) <= width:
        return list(columns), []
    kept, left_out = list(columns), []
    narrow = {id(column): replace(column, heading=_break(column)) for column in columns}
    while _find_least_width([narrow[id(column)] for column in kept]) > width:
        last = max(kept, key=lambda column: column.rank)
        if last.rank == KEPT:
            break
        kept.remove(last)
        left_out.append(last)
    return [narrow[id(column)] for column in kept], left_out


def _find_least_width(columns: Sequence[Column]) -> int:
    return sum(column.least_width for column in columns) + GAP * (len(columns) - 1)


def _break(column: Column) -> str:
    """A heading in lines no wider than its cells or its longest part: `mini_`, `batch_`, `size`."""
    parts = re.split(r"(?<=[_:/ -])(?=.)", column.heading)
    width = max(map(cell_len, (*parts, *column.cells)))
    lines = [""]
    for part in parts:
        if cell_len(lines[-1] + part) <= width:
            lines[-1] += part
        else:
            lines.append(part)
    return "\n".join(line.rstrip() for line in lines)


def _find_widths(columns: Sequence[Column], width: int, *, wide: bool) -> list[int]:
    """Each column's width: those that shrink share what the others leave, the first first."""
    spare = UNBOUNDED if wide else max(0, width - _find_least_width(columns))
    widths = []
    for column in columns:
        more = min(spare, column.width - column.least_width)
        spare -= more
        widths.append(column.least_width + more)
    return widths


def _pad_cells(column: Column, width: int) -> list[str]:
    return [_pad(cell, width, right=column.right) for cell in column.cells]


def _pad(text: str, width: int, *, right: bool) -> str:
    length = cell_len(text)
    if length > width:
        return f"{set_cell_size(text, width - 1)}…"
    space = " " * (width - length)
    return space + text if right else text + space


def _list_heading_lines(columns: Sequence[Column], widths: Sequence[int]) -> Iterator[str]:
    """The headings, standing on the rows below them."""
    height = max(len(column.lines) for column in columns)
    stacked = [[""] * (height - len(column.lines)) + column.lines for column in columns]
    for index in range(height):
        cells = (
            _pad(lines[index], width, right=column.right)
            for lines, column, width in zip(stacked, columns, widths, strict=True)
        )
        yield (" " * GAP).join(cells).rstrip()
