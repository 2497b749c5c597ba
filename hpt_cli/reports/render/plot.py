"""Line plots in a terminal: braille characters of two by four dots, with axes.

Why not plotext: its interface is not stable (`plot`, `plotsize` and `build` of version 5 are gone
in 6), and it has neither bands nor rich renderables.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from hpt_cli.formatting import count, format_tick, plain

COLOURS = (
    ("cyan", "#1f9bcf"),
    ("magenta", "#b04fbf"),
    ("yellow", "#d18f00"),
    ("blue", "#3b6fb6"),
    ("red", "#c0392b"),
    ("white", "#555555"),
    ("bright_magenta", "#e377c2"),
    ("bright_blue", "#17becf"),
)
"""The colour of each line in a terminal, and in a picture."""

DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
"""The bit of each dot in a braille character, by column and by row from the top."""
BLANK = 0x2800
SHADE = "░"
MIN_HEIGHT, MAX_HEIGHT = 8, 30
MIN_WIDTH = 16
AROUND = 8
"""How many lines of the terminal a plot leaves free for what is around it."""
ROWS_PER_TICK = 3
COLUMNS_PER_TICK = 14
GAP = 2
"""Columns between two words below an axis, at least."""

MARGIN = 0.04
FAR = 100
"""Values so many times as far from the median as half of them are lie far off: they diverged."""

Point = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """Points joined by lines, with a mark at the last one; later lines cover earlier ones.

    `style` is for a terminal, `colour` for a picture. Successive lines with the same label are one
    entry of a picture's legend. `gap` marks values that cannot be shown, as NaN, at the bottom.
    """

    points: Sequence[Point]
    style: str = ""
    mark: str = ""
    gap: str = ""
    colour: str = "black"
    label: str = ""
    is_bold: bool = False
    is_dashed: bool = False


@dataclass(frozen=True)
class Axis:
    """The label and the range of an axis; `log` is whether it is logarithmic.

    `counts` is whether its numbers count something, as epochs: its ticks are then whole.
    """

    label: str
    low: float
    high: float
    log: bool = False
    counts: bool = False

    def place(self, value: float) -> float:
        """Return where a value lies between low, 0, and high, 1; NaN if it is not on the scale."""
        low, high, at = (self._scale(each) for each in (self.low, self.high, value))
        # In the middle where there is but one value; `0 * at` keeps a NaN.
        return (at - low) / (high - low) if high > low else 0.5 + 0 * at

    def _scale(self, value: float) -> float:
        if not math.isfinite(value):
            return math.nan
        if not self.log:
            return value
        return math.log10(value) if value > 0 else math.nan

    def list_ticks(self, most: int) -> list[float]:
        """Return round numbers along the axis, about `most` of them at most."""
        if self.low >= self.high:
            return [self.low]
        ticks = self._list_log_ticks(most) if self.log else []
        if len(ticks) <= 1:
            ticks = _list_round_numbers(self.low, self.high, most)
        whole = [tick for tick in ticks if tick.is_integer()]
        return whole if self.counts and whole else ticks

    def _list_log_ticks(self, most: int) -> list[float]:
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        # Powers of ten alone where 1, 2 and 5 times them are too many.
        for factors in ((1, 2, 5), (1,)):
            ticks = [factor * 10.0**power for power in range(first, last + 1) for factor in factors]
            inside = [tick for tick in ticks if self.low <= tick <= self.high]
            if len(inside) <= most:
                return inside
        return inside[:: math.ceil(len(inside) / most)]


def _list_round_numbers(low: float, high: float, most: int) -> list[float]:
    """Return the multiples of 1, 2 or 5 times a power of ten in a range, at most about `most`."""
    power = math.floor(math.log10((high - low) / max(2, most))) - 1
    for step in (factor * 10.0 ** (power + more) for more in range(4) for factor in (1, 2, 5)):
        # An end of the axis that is a multiple but for rounding gets a tick, too.
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first < max(2, most):
            break
    # Rounded, so that 3 * 0.1 is 0.3.
    return [float(f"{step * number:.12g}") for number in range(first, last + 1)]


@dataclass
class _Canvas:
    """A grid of characters made of dots, each in the style of what was last drawn there."""

    width: int
    height: int
    dots: dict[tuple[int, int], int] = field(default_factory=dict)
    styles: dict[tuple[int, int], str] = field(default_factory=dict)
    marks: dict[tuple[int, int], str] = field(default_factory=dict)
    shades: set[tuple[int, int]] = field(default_factory=set)

    def draw(self, line: Line, x: Axis, y: Axis) -> None:
        places = [(x.place(step), y.place(value)) for step, value in line.points]
        pixels = [
            (across * (2 * self.width - 1), (1 - up) * (4 * self.height - 1))
            for across, up in places
        ]
        # A single point is joined with itself, and so becomes a dot.
        for start, end in zip(pixels, pixels[1:] or pixels, strict=False):
            # A line may leave the canvas by far: the number of its dots is bounded.
            for pixel in _join(start, end, longest=4 * (2 * self.width + 4 * self.height)):
                self._dot(*pixel, line.style)
        if line.gap:
            self._mark_gaps(pixels, line)
        last = next((pixel for pixel in reversed(pixels) if _is_finite(pixel)), None)
        if last and line.mark:
            cell = self._find_cell(*map(round, last))
            self.marks[cell], self.styles[cell] = line.mark, line.style

    def _mark_gaps(self, pixels: Sequence[Point], line: Line) -> None:
        for across, down in pixels:
            if math.isfinite(across) and not math.isfinite(down):
                cell = self._find_cell(round(across), 4 * self.height - 1)
                self.marks[cell], self.styles[cell] = line.gap, line.style

    def fill(self, band: Sequence[tuple[float, float, float]], x: Axis, y: Axis) -> None:
        """Shade the area between the two values of each step, up to the next step."""
        for (step, low, high), (after, *_) in zip(band, [*band[1:], band[-1]], strict=True):
            left, right = (self._find_column(x.place(each)) for each in (step, after))
            top, bottom = (self.find_row(y.place(each)) for each in (high, low))
            self.shades |= {
                (column, row)
                for column in range(left, max(right, left + 1))
                for row in range(top, bottom + 1)
            }

    def _find_column(self, place: float) -> int:
        return self._find_cell(round(place * (2 * self.width - 1)), 0)[0]

    def find_row(self, place: float) -> int:
        """Return the row of a place between the bottom, 0, and the top, 1."""
        return self._find_cell(0, round((1 - place) * (4 * self.height - 1)))[1]

    def _find_cell(self, across: int, down: int) -> tuple[int, int]:
        column, row = across // 2, down // 4
        return min(max(column, 0), self.width - 1), min(max(row, 0), self.height - 1)

    def _dot(self, across: int, down: int, style: str) -> None:
        if not (0 <= across < 2 * self.width and 0 <= down < 4 * self.height):
            return
        cell = across // 2, down // 4
        # A character has one style, so a line of another one takes over the whole character.
        covers = self.styles.get(cell, style) == style
        self.dots[cell] = (self.dots.get(cell, 0) if covers else 0) | DOTS[across % 2][down % 4]
        self.styles[cell] = style
        self.marks.pop(cell, None)

    def rows(self) -> Iterator[Text]:
        for row in range(self.height):
            text = Text(no_wrap=True)
            for column in range(self.width):
                cell = column, row
                blank = SHADE if cell in self.shades else " "
                dots = chr(BLANK + self.dots[cell]) if cell in self.dots else blank
                style = self.styles.get(cell, "dim" if cell in self.shades else "")
                text.append(self.marks.get(cell, dots), style)
            text.rstrip()
            yield text


def _is_finite(pixel: Point) -> bool:
    return math.isfinite(pixel[0]) and math.isfinite(pixel[1])


def _join(start: Point, end: Point, longest: int) -> Iterator[tuple[int, int]]:
    """Yield the dots from one point to another; none if one of them is not finite."""
    if not (_is_finite(start) and _is_finite(end)):
        return
    length = max(abs(end[0] - start[0]), abs(end[1] - start[1]))
    steps = max(1, min(longest, math.ceil(length)))
    for index in range(steps + 1):
        share = index / steps
        yield (
            round(start[0] + share * (end[0] - start[0])),
            round(start[1] + share * (end[1] - start[1])),
        )


@dataclass(frozen=True)
class Plot:
    """Lines within two axes, as large as the terminal allows."""

    lines: Sequence[Line]
    x: Axis
    y: Axis
    title: str = ""
    band: Sequence[tuple[float, float, float]] = ()
    """(step, low, high) of the area that is shaded behind the lines."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        height = min(MAX_HEIGHT, max(MIN_HEIGHT, console.size.height - AROUND))
        ticks = self.y.list_ticks(height // ROWS_PER_TICK)
        canvas = _Canvas(options.max_width, height)
        labels = {canvas.find_row(self.y.place(tick)): format_tick(tick) for tick in ticks}
        margin = max(map(len, labels.values()), default=0)
        # Only now known: the labels, whose rows the canvas finds, take up the margin.
        canvas.width = width = max(MIN_WIDTH, options.max_width - margin - 3)
        if self.band:
            canvas.fill(self.band, self.x, self.y)
        for line in self.lines:
            canvas.draw(line, self.x, self.y)
        yield Text(plain(self.y.label), style="bold", no_wrap=True, overflow="ellipsis")
        for row, cells in enumerate(canvas.rows()):
            label = labels.get(row, "")
            edge = Text(f"{label:>{margin}} {'┤' if label else '│'}", style="dim", no_wrap=True)
            yield edge.append_text(cells)
        yield from self._draw_x_axis(margin, width)

    def _draw_x_axis(self, margin: int, width: int) -> Iterator[Text]:
        edge, words = ["─"] * width, [" "] * (width + margin + 2)
        free = 0
        for tick in self.x.list_ticks(max(2, width // COLUMNS_PER_TICK)):
            column = round(self.x.place(tick) * (width - 1))
            label = format_tick(tick)
            start = min(margin + 2 + column - len(label) // 2, len(words) - len(label))
            # Its label would run into the one before.
            if start < free:
                continue
            edge[column] = "┬"
            words[start : start + len(label)] = label
            free = start + len(label) + 2
        yield Text(f"{' ' * margin} └{''.join(edge)}", style="dim", no_wrap=True)
        for line in _add_name("".join(words), plain(self.x.label)):
            yield Text(line, style="dim", no_wrap=True, overflow="ellipsis")


def _add_name(labels: str, name: str) -> Iterator[str]:
    """Yield the labels of an axis with its name beyond or between them, or else below them."""
    space = " " * (cell_len(name) + 2 * GAP)
    before, gap, after = f"{labels}{' ' * GAP}".rpartition(space)
    if gap and before.strip():
        yield f"{before}{' ' * GAP}{name}{' ' * GAP}{after}".rstrip()
    else:
        yield labels.rstrip()
        yield name.rjust(len(labels))


def find_axis(
    label: str,
    values: Iterable[float],
    *,
    log: bool = False,
    counts: bool = False,
    whole: Iterable[float] = (),
    clip: float = 0.0,
) -> Axis:
    """Return an axis that fits the values, without a share of `clip` at either end, and `whole`.

    With `clip`, it does not fit those that are far off all others either, as of a diverged job.
    It goes from 0 to 1 if there is no value that it can show.
    """
    usable, kept = (
        sorted(each for each in group if math.isfinite(each) and (each > 0 or not log))
        for group in (values, whole)
    )
    if usable:
        usable = _drop_far(usable, log=log) if clip else usable
        last = len(usable) - 1
        kept += [usable[math.ceil(clip * last)], usable[math.floor((1 - clip) * last)]]
    if not kept:
        return Axis(label, 0.0, 1.0)
    return Axis(label, min(kept), max(kept), log, counts)


def _drop_far(values: Sequence[float], *, log: bool) -> list[float]:
    """Return the values without those that are far from their median."""
    places = [math.log10(value) if log else value for value in values]
    middle = statistics.median_low(places)
    distances = [abs(place - middle) for place in places]
    far = FAR * statistics.median_low(distances) or math.inf
    return [value for value, away in zip(values, distances, strict=True) if away <= far]


def find_limits(axis: Axis) -> tuple[float, float]:
    """Return the lowest and the highest value that are shown: a little more than the axis spans."""
    if axis.low >= axis.high:
        return -math.inf, math.inf
    if axis.log:
        ratio = (axis.high / axis.low) ** MARGIN
        return axis.low / ratio, axis.high * ratio
    margin = MARGIN * (axis.high - axis.low)
    return axis.low - margin, axis.high + margin


def describe_beyond(plot: Plot) -> str:
    """Return how many values lie outside the limits; empty if none does."""
    beyond = count_beyond(plot)
    return f"{count(beyond, 'value')} outside the axis" if beyond else ""


def count_beyond(plot: Plot) -> int:
    """Return how many values lie outside the limits."""
    low, high = find_limits(plot.y)
    values = (value for line in plot.lines for _, value in line.points)
    return sum(math.isfinite(value) and not low <= value <= high for value in values)
