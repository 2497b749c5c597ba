"""Plots as pictures, with matplotlib: the one module that knows it."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from hpt_cli.errors import HptError
from hpt_cli.reports.curves import Chart, Kind, Trace
from hpt_cli.wording import format_number, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DOTS_PER_INCH = 150
MARGIN = 0.04
GAP = (math.nan, math.nan)
FORMATS = ("png", "svg", "pdf")


def draw_picture(charts: Sequence[Chart], form: str) -> bytes:
    """A picture of charts, one below the other, as the bytes of a file of this format.

    Raises:
        HptError: matplotlib is not installed.
    """
    figure = _make_figure(len(charts))
    for axes, chart in zip(figure.subplots(len(charts), squeeze=False)[:, 0], charts, strict=True):
        _draw_chart(axes, chart)
    file = io.BytesIO()
    figure.savefig(file, format=form, dpi=DOTS_PER_INCH)
    return file.getvalue()


def _make_figure(rows: int) -> Figure:
    """A figure that belongs to no window: nothing asks for a display."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise HptError.of(
            "matplotlib-missing",
            "pictures need matplotlib, which is not installed",
            "python -m pip install 'hpt-cli[plot]'",
        ) from None
    return Figure(figsize=(9, 5 * rows), layout="constrained")


def _draw_chart(axes: Any, chart: Chart) -> None:
    x, y = chart.axes
    for kind, traces in groupby(chart.traces, lambda each: each.kind):
        _draw_traces(axes, chart, kind, list(traces))
    axes.set_title(plain(chart.summary.name), loc="left")
    axes.set_xlabel(x.label)
    axes.set_ylabel(plain(y.label))
    axes.set_xscale("log" if x.log else "linear")
    axes.set_yscale("log" if y.log else "linear")
    _limit(axes, y.low, y.high, log=y.log)
    axes.grid(alpha=0.25)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, reverse=True)


def _draw_traces(axes: Any, chart: Chart, kind: Kind, traces: Sequence[Trace]) -> None:
    """The curves of jobs that look the same, as one line with gaps: a thousand take seconds."""
    is_best = kind.status == "best"
    points = [point for each in traces for point in (*each.curve, GAP)]
    axes.plot(
        *zip(*points, strict=True),
        color=kind.colour,
        linewidth=2.4 if is_best else min(1.2, 0.3 + 60 / len(traces)),
        alpha=1.0 if is_best or chart.named else 0.6,
        linestyle="--" if kind.status == "Stopped" else "-",
        label=_label(chart, kind.status, traces),
    )
    ends = [each.curve[-1] for each in traces]
    axes.plot(
        *zip(*ends, strict=True),
        linestyle="none",
        marker="*" if is_best else "x" if kind.status == "Stopped" else "o",
        markersize=9 if is_best else 4,
        color=kind.colour,
    )


def _label(chart: Chart, status: str, traces: Sequence[Trace]) -> str:
    if chart.named:
        return f"job {traces[0].row.number}, {traces[0].row.status}"
    if status == "best":
        return f"best: job {traces[0].row.number}, {format_number(traces[0].curve[-1][1])}"
    return f"{len(traces)} {status}"


def _limit(axes: Any, low: float, high: float, *, log: bool) -> None:
    if low >= high:
        return
    if log:
        ratio = (high / low) ** MARGIN
        axes.set_ylim(low / ratio, high * ratio)
    else:
        margin = MARGIN * (high - low)
        axes.set_ylim(low - margin, high + margin)
