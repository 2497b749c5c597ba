"""Tuning jobs side by side: the reports of the post that announced early stopping.

Status counts, total training time and tuning time, the best hyperparameters, the top training jobs
and the stopped ones; the first tuning job is what the others are measured against. And the best so
far over time, of all of them on one plot.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from hpt_cli.formatting import NOTHING, count, format_column, format_seconds, format_setting, plain
from hpt_cli.reports.jobs import counters_to_json, find_style, make_column
from hpt_cli.reports.render.columns import default_columns
from hpt_cli.reports.render.plot import COLOURS, Axis, Line, Plot, find_axis
from hpt_cli.reports.render.table import KEPT, Column, FirstThatFits, Grid
from hpt_cli.spec.hyperparameters import Value
from hpt_cli.tuning.summary import JOB_STATUSES, Row, Summary, estimate_saved_seconds, trace_best

if TYPE_CHECKING:
    from hpt_cli.reports.json_types import ComparedTuningJob

TOP = 5
MAX_STOPPED = 10
REASON_WIDTH = 30
MAX_LISTED = 4
"""Of more tuning jobs than this, training jobs are not listed."""
CLIPPED = 0.05
MARKS = "●▲■◆▼★◉◈"


def render(summaries: Sequence[Summary]) -> RenderableType:
    """The figures, what the best jobs differ in, the plot, and then the jobs of each."""
    parts: list[RenderableType] = [_render_figures(summaries)]
    if len(summaries) > 1:
        parts += _render_differences(summaries)
    parts += _render_plot(summaries)
    if len(summaries) <= MAX_LISTED:
        for summary in summaries:
            parts += _render_rows(
                f"top {TOP} training jobs of {summary.name}",
                summary,
                top_rows(summary),
                reasons=False,
            )
        for summary in summaries:
            parts += _render_stopped(summary)
    return Group(*parts)


@dataclass(frozen=True)
class _Figure:
    """One figure of all tuning jobs, in words; the higher its rank the sooner it is left out."""

    heading: str
    cells: list[str]
    rank: int = 0


def _list_figures(summaries: Sequence[Summary]) -> list[_Figure]:
    first = summaries[0]
    less = f"  less than {first.name}"
    training = [each.total_training_time for each in summaries]
    tuning = [each.tuning_time for each in summaries]
    best = [each.best.final if each.best else None for each in summaries]
    is_same = all(each.objective == first.objective for each in summaries)
    metric = plain(first.objective.metric) if is_same else "value"
    telling = [each for each in best if each is not None][:2]
    figures = [
        _Figure("status", [each.status for each in summaries], 1),
        _Figure("training jobs", [str(len(each.rows)) for each in summaries], 7),
        *(
            _Figure(status, [str(each.job_counts[key]) for each in summaries], 8)
            for status, key in JOB_STATUSES.items()
            if any(each.job_counts[key] for each in summaries)
        ),
        _Figure("total training time", list(map(format_seconds, training)), 4),
        _Figure(less, [_format_saved(training[0], each) for each in training], 5),
        _Figure("  early stopping saved", list(map(_format_estimate, summaries)), 6),
        _Figure("tuning time", list(map(format_seconds, tuning)), 2),
        _Figure(less, [_format_saved(tuning[0], each) for each in tuning], 3),
        _Figure("best training job", [_name_best(each) for each in summaries], 9),
        _Figure(f"best {metric}", format_column(best, telling)),
    ]
    metrics = [plain(each.objective.metric) for each in summaries]
    if len(summaries) == 1:
        figures = [each for each in figures if each.heading != less]
    return figures if is_same else [*figures, _Figure("objective", metrics, 1)]


def _name_best(summary: Summary) -> str:
    return summary.best.name if summary.best else NOTHING


def _render_figures(summaries: Sequence[Summary]) -> FirstThatFits:
    return _arrange(_list_figures(summaries), [each.name for each in summaries])


def _arrange(figures: Sequence[_Figure], names: Sequence[str]) -> FirstThatFits:
    """A column for each tuning job; where they are too many, a row."""
    beside = [Column("", [each.heading for each in figures])]
    beside += [
        Column(name, [each.cells[place] for each in figures], right=True)
        for place, name in enumerate(names)
    ]
    below = [Column("", names)]
    below += [
        Column(each.heading.strip(), each.cells, right=True, rank=each.rank) for each in figures
    ]
    return FirstThatFits([Grid(beside, [""] * len(figures)), Grid(below, [""] * len(names))])


def _saved(base: float, value: float) -> float | None:
    return (base - value) / base if base > 0 else None


def _format_saved(base: float, value: float) -> str:
    saved = _saved(base, value)
    if saved is None or base == value:
        return NOTHING
    return f"{100 * saved:.0f} %" if value < 2 * base else f"{value / base:.3g} times"


def _format_estimate(summary: Summary) -> str:
    saved = estimate_saved_seconds(summary.rows)
    return NOTHING if saved is None else f"~{format_seconds(saved)}"


def _render_differences(summaries: Sequence[Summary]) -> list[RenderableType]:
    """The hyperparameters in which the best training jobs differ, and the others."""
    best = [each.best.hyperparameters if each.best else {} for each in summaries]
    names = list(dict.fromkeys(name for each in best for name in each))
    same = [name for name in names if len({each.get(name) for each in best}) == 1]
    differing = [name for name in names if name not in same]
    parts: list[RenderableType] = [Text("\nthe best training jobs differ in", style="bold")]
    if differing:
        figures = [
            _Figure(plain(name), [_format(each.get(name)) for each in best], rank)
            for rank, name in enumerate(differing, 1)
        ]
        parts.append(_arrange(figures, [each.name for each in summaries]))
    else:
        parts.append(Text("nothing"))
    if same:
        settings = "  ".join(f"{plain(name)}={_format(best[0].get(name))}" for name in same)
        parts.append(Text(f"and not in {settings}", style="dim"))
    return parts


def _format(value: Value | None) -> str:
    return NOTHING if value is None else format_setting(value)


def _render_plot(summaries: Sequence[Summary]) -> list[RenderableType]:
    plot = make_plot(summaries)
    if not plot.lines:
        return []
    legend = Text()
    for line in plot.lines:
        legend.append(f"{'   ' if legend else ''}{line.mark} {line.label}", line.style)
    others = [each.name for each in summaries if each.objective != summaries[0].objective]
    if others:
        legend.append(f"   of another objective: {', '.join(others)}", "dim")
    return [Text(), plot, legend]


def make_plot(summaries: Sequence[Summary]) -> Plot:
    """The best so far over tuning time, a line for each that has the first one's objective."""
    objective = summaries[0].objective
    traces = [
        (place, each.name, points)
        for place, each in enumerate(summaries)
        if each.objective == objective and (points := trace_best(each))
    ]
    unit, length = _choose_unit(max((points[-1][0] for _, _, points in traces), default=0.0))
    lines = [
        Line(
            points=[(at / length, value) for at, value in points],
            style=COLOURS[place % len(COLOURS)][0],
            mark=MARKS[place % len(MARKS)],
            colour=COLOURS[place % len(COLOURS)][1],
            label=name,
        )
        for place, name, points in traces
    ]
    values = [value for line in lines for _, value in line.points]
    ends = [line.points[-1][1] for line in lines]
    longest = max((line.points[-1][0] for line in lines), default=1.0)
    return Plot(
        lines=lines,
        x=Axis(f"tuning time, {unit}", 0.0, longest),
        y=find_axis(f"best {objective.metric} so far", values, whole=ends, clip=CLIPPED),
        title=", ".join(line.label for line in lines),
    )


def _choose_unit(longest: float) -> tuple[str, float]:
    """A unit of time that is good for so many seconds, and its length."""
    units = (("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0))
    return next((unit for unit in units if longest >= 2 * unit[1]), ("seconds", 1.0))


def top_rows(summary: Summary) -> list[Row]:
    """The five best training jobs by final objective."""
    objective = summary.objective
    able = [(objective.loss(row.final), row) for row in summary.rows if row.final is not None]
    return [row for _, row in sorted(able, key=lambda pair: (pair[0], pair[1].number))[:TOP]]


def _list_stopped(summary: Summary) -> list[Row]:
    return [row for row in summary.rows if row.status == "Stopped"]


def _render_stopped(summary: Summary) -> list[RenderableType]:
    """The stopped jobs: why, before anything else."""
    stopped = _list_stopped(summary)
    heading = f"{count(len(stopped), 'stopped training job')} of {summary.name}"
    parts = _render_rows(heading, summary, stopped[:MAX_STOPPED], reasons=True)
    if len(stopped) > MAX_STOPPED:
        words = f"… and {len(stopped) - MAX_STOPPED} more: hpt jobs {summary.name} --status Stopped"
        parts.append(Text(words, style="dim"))
    return parts


def _render_rows(
    heading: str, summary: Summary, rows: Sequence[Row], *, reasons: bool
) -> list[RenderableType]:
    parts: list[RenderableType] = [Text(f"\n{heading}", style="bold")]
    if rows:
        best = summary.best.number if summary.best else None
        columns = [
            replace(each, rank=KEPT, shrinks_to=REASON_WIDTH) if each.name == "reason" else each
            for each in default_columns(summary)
            if each.name != ("status" if reasons else "reason")
        ]
        shown = [make_column(each, rows) for each in columns]
        parts.append(Grid(shown, [find_style(row, best) for row in rows]))
    return parts


def to_json(summaries: Sequence[Summary]) -> list[ComparedTuningJob]:
    """The figures of each tuning job, with what it saved against the first, as fractions."""
    first = summaries[0]
    return [
        {
            "tuning_job_name": each.name,
            "tuning_job_status": each.status,
            "objective_metric_name": each.objective.metric,
            "training_jobs": len(each.rows),
            "training_job_status_counters": counters_to_json(each),
            "total_training_time_seconds": round(each.total_training_time, 3),
            "training_time_saved": _saved(first.total_training_time, each.total_training_time),
            "tuning_time_seconds": round(each.tuning_time, 3),
            "tuning_time_saved": _saved(first.tuning_time, each.tuning_time),
            "seconds_saved_by_early_stopping": estimate_saved_seconds(each.rows),
            "best_objective_value": each.best.final if each.best else None,
            "best_training_job": each.best.name if each.best else None,
            "best_hyperparameters": each.best.hyperparameters if each.best else None,
            "best_so_far": trace_best(each),
            "top_training_jobs": [row.name for row in top_rows(each)],
            "stopped_training_jobs": [row.name for row in _list_stopped(each)],
        }
        for each in summaries
    ]
