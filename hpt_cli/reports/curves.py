"""Learning curves in one plot; the best job, running, stopped and other ones look different."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from hpt_cli.formatting import format_number, format_setting, plain
from hpt_cli.metrics.curve import Curve
from hpt_cli.reports.jobs import row_to_json
from hpt_cli.reports.render.plot import COLOURS, Axis, Line, Plot, describe_beyond, find_axis
from hpt_cli.tuning.summary import Row, Summary

if TYPE_CHECKING:
    from hpt_cli.reports.json_types import TrainingJobCurve

CLIPPED = 0.02
"""The share of values at either end that may lie outside the plot, as those of a diverged job."""
MAX_NAMED = len(COLOURS)
"""Up to so many jobs have a colour and a line of the legend each."""


@dataclass(frozen=True)
class Kind:
    """Jobs that look the same: their `style` is for a terminal, their `colour` for a picture."""

    status: str
    mark: str
    style: str
    colour: str


KINDS = (
    Kind("Stopped", "×", "yellow", "#d18f00"),
    Kind("Failed", "✗", "red", "#c0392b"),
    Kind("Completed", "●", "blue", "#7a8ca8"),
    Kind("running", "▶", "cyan", "#1f9bcf"),
    Kind("best", "★", "bold green", "#1a9850"),
)
"""From the background to the foreground."""
BY_STATUS = {each.status: each for each in KINDS}


@dataclass(frozen=True)
class Trace:
    """One job's curve, what counts of its values, and how it is drawn."""

    row: Row
    curve: Curve
    value: float | None
    kind: Kind


@dataclass(frozen=True)
class Chart:
    """The curves of one metric; `asked` is whether the training jobs were named by the user."""

    summary: Summary
    metric: str
    curves: Mapping[int, Curve]
    log_x: bool = False
    log_y: bool = False
    asked: bool = False

    @property
    def named(self) -> bool:
        """Whether each job has a colour and a line of the legend of its own."""
        return self.asked and len(self.curves) <= MAX_NAMED

    @property
    def traces(self) -> list[Trace]:
        """The curves in the order in which they are drawn."""
        best = self.summary.best_number
        traces = [
            Trace(row, curve, self._choose_value(row, curve), find_kind(row, best))
            for row in self.summary.rows
            if (curve := self.curves.get(row.number))
        ]
        if not self.named:
            return sorted(traces, key=lambda each: KINDS.index(each.kind))
        return [
            replace(each, kind=replace(each.kind, style=style, colour=colour))
            for each, (style, colour) in zip(traces, COLOURS, strict=False)
        ]

    def _choose_value(self, row: Row, curve: Curve) -> float | None:
        return row.so_far if self.metric == self.summary.objective.metric else curve[-1][1]

    @property
    def axes(self) -> tuple[Axis, Axis]:
        """The axes of epochs and of values; the best job is never cut off."""
        traces = self.traces
        steps = [step for each in traces for step, _ in each.curve]
        values = [value for each in traces for _, value in each.curve]
        never_cut = [each for each in traces if each.kind.status == "best" or self.asked]
        whole = [value for each in never_cut for _, value in each.curve]
        return (
            find_axis("epoch", steps, log=self.log_x, counts=True),
            find_axis(self.metric, values, log=self.log_y, whole=whole, clip=CLIPPED),
        )


def find_kind(row: Row, best: int | None) -> Kind:
    """Return how a job is drawn."""
    status = "best" if row.number == best else row.status
    return BY_STATUS.get(status, BY_STATUS["running"])


def render(summaries: Sequence[Summary]) -> RenderableType:
    """Return the curves of the objective of each tuning job."""
    return Group(*(render_chart(make_chart(each)) for each in summaries))


def make_chart(summary: Summary) -> Chart:
    """Return the chart of a tuning job's objective."""
    curves = {row.number: row.curve for row in summary.rows}
    return Chart(summary, summary.objective.metric, curves)


def render_chart(chart: Chart) -> RenderableType:
    """Return the plot and its legend."""
    if not chart.traces:
        return Text(f"no value of {plain(chart.metric)} yet")
    plot = make_plot(chart)
    beyond = [Text(words, style="dim")] if (words := describe_beyond(plot)) else []
    return Group(plot, *list_legend(chart), *beyond)


def make_plot(chart: Chart) -> Plot:
    """Return the plot of a chart, for a terminal or a picture."""
    x, y = chart.axes
    traces = chart.traces
    return Plot([_make_line(each, chart) for each in traces], x, y, chart.summary.name)


def _make_line(trace: Trace, chart: Chart) -> Line:
    kind, row = trace.kind, trace.row
    named = f"job {row.number}, {row.status}"
    return Line(
        points=trace.curve,
        style=kind.style,
        mark=kind.mark,
        colour=kind.colour,
        label=named if chart.named else _describe_kind(kind, chart.traces),
        is_bold=kind.status == "best",
        is_dashed=kind.status == "Stopped",
    )


def _describe_kind(kind: Kind, traces: Sequence[Trace]) -> str:
    """Return how many jobs are of a kind; of the best one, its number and its value."""
    of_kind = [each for each in traces if each.kind == kind]
    if kind.status != "best":
        return f"{len(of_kind)} {kind.status}"
    (best,) = of_kind
    return f"best: job {best.row.number}, {format_number(best.value)}"


def list_legend(chart: Chart) -> list[Text]:
    """Return a line for each job if each has its own colour, else one line for all."""
    traces = chart.traces
    if chart.named:
        return [_describe_trace(each) for each in traces]
    shown = {each.kind for each in traces}
    return [
        Text("   ").join(
            Text(f"{kind.mark} {_describe_kind(kind, traces)}", kind.style)
            for kind in reversed(KINDS)
            if kind in shown
        )
    ]


def _describe_trace(trace: Trace) -> Text:
    row = trace.row
    settings = "  ".join(
        f"{plain(name)}={format_setting(value)}" for name, value in row.hyperparameters.items()
    )
    words = f"{trace.kind.mark} job {row.number}  {format_number(trace.value)}  {row.status}"
    text = Text(words, style=trace.kind.style, no_wrap=True, overflow="ellipsis")
    return text.append(f"  {settings}", style="dim")


def to_json(summaries: Sequence[Summary]) -> list[TrainingJobCurve]:
    """Return the rows of training jobs with `curve`: [[step, value], ...]."""
    return [row for summary in summaries for row in chart_to_json(make_chart(summary))]


def chart_to_json(chart: Chart) -> list[TrainingJobCurve]:
    """Return the rows of the jobs of a chart, with their curves of its metric."""
    return [
        {
            **row_to_json(row),
            "metric": chart.metric,
            "curve": [list(point) for point in chart.curves.get(row.number, ())],
        }
        for row in chart.summary.rows
    ]
