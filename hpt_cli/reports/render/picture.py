"""Plots as pictures, drawn with matplotlib: the only module that imports it."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from hpt_cli.errors import HptError, suggest_extra
from hpt_cli.formatting import plain
from hpt_cli.reports.render.plot import Line, Plot, describe_beyond, find_limits

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("png", "svg", "pdf")
DOTS_PER_INCH = 150
GAP = (math.nan, math.nan)
MARKS = {"★": "*", "×": "x", "✗": "x", "▶": ">"}


def draw_picture(plots: Sequence[Plot], form: str) -> bytes:
    """Return a picture of plots, one below the other, as the bytes of a file of a format.

    Raises:
        HptError: matplotlib is not installed.
    """
    figure = _make_figure(len(plots))
    for axes, plot in zip(figure.subplots(len(plots), squeeze=False)[:, 0], plots, strict=True):
        _draw_plot(axes, plot)
    file = io.BytesIO()
    figure.savefig(file, format=form, dpi=DOTS_PER_INCH)
    return file.getvalue()


def _plain(text: str) -> str:
    """Return text in which matplotlib sees no formula: it would take one from between dollars."""
    return plain(text).replace("$", r"\$")


def _make_figure(rows: int) -> Figure:
    """Return a figure without a window: it needs no display."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise HptError.of(
            "matplotlib-missing",
            "pictures need matplotlib, which is not installed",
            suggest_extra("plot"),
        ) from None
    return Figure(figsize=(9, 5 * rows), layout="constrained")


def _draw_plot(axes: Any, plot: Plot) -> None:
    for _, lines in groupby(plot.lines, lambda line: line.label):
        _draw_lines(axes, list(lines))
    axes.set_title(_plain(plot.title), loc="left")
    if words := describe_beyond(plot):
        axes.set_title(words, loc="right", fontsize="small", color="gray")
    axes.set_xlabel(_plain(plot.x.label))
    axes.set_ylabel(_plain(plot.y.label))
    axes.set_xscale("log" if plot.x.log else "linear")
    axes.set_yscale("log" if plot.y.log else "linear")
    if plot.x.counts and not plot.x.log:
        axes.xaxis.get_major_locator().set_params(integer=True)
    for axis, set_limits in ((plot.x, axes.set_xlim), (plot.y, axes.set_ylim)):
        low, high = find_limits(axis)
        if low > -math.inf:
            set_limits(low, high)
    axes.grid(alpha=0.25)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, reverse=True)


def _draw_lines(axes: Any, lines: Sequence[Line]) -> None:
    """Draw lines that look the same as one with gaps: a thousand would take half a minute."""
    first = lines[0]
    points = [point for line in lines for point in (*line.points, GAP)]
    axes.plot(
        *zip(*points, strict=True),
        color=first.colour,
        linewidth=2.4 if first.is_bold else min(1.2, 0.3 + 60 / len(lines)),
        alpha=1.0 if len(lines) == 1 else 0.6,
        linestyle="--" if first.is_dashed else "-",
        label=_plain(first.label),
    )
    axes.plot(
        *zip(*(line.points[-1] for line in lines), strict=True),
        linestyle="none",
        marker=MARKS.get(first.mark, "o"),
        markersize=9 if first.is_bold else 4,
        color=first.colour,
    )
