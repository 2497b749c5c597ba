"""Comparison of tuning jobs, as in the blog post that announced early stopping.

Status counts, total training time and tuning time, the best hyperparameters, the top training jobs
and the stopped ones; the first tuning job is the baseline of the others. And the best value so far
over time, of all of them in one plot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from hpt_cli.formatting import NOTHING, count, format_column, format_seconds, format_setting, plain
from hpt_cli.reports.jobs import counters_to_json, find_style, make_column
from hpt_cli.reports.render.columns import default_columns
from hpt_cli.reports.render.plot import COLOURS, Axis, Line, Plot, find_axis
from hpt_cli.reports.render.table import KEPT, Column, FirstThatFits, Grid
from hpt_cli.spec.hyperparameters import Value
from hpt_cli.tuning.progress import compare_kinds
from hpt_cli.tuning.summary import Row, Summary, estimate_saved_seconds, trace_best

if TYPE_CHECKING:
    from hpt_cli.reports.json_types import ComparedTuningJob

TOP = 5
MAX_STOPPED = 10
HEADING_WIDTH, REASON_WIDTH = 16, 20
"""Down to which the names of figures, and reasons, wrap."""
MAX_LISTED = 4
"""With more tuning jobs than this, training jobs are not listed."""
CLIPPED = 0.05
MARKS = "●▲■◆▼★◉◈"
ON_COSTS = "times depend on what else ran on the machine; epochs do not"


def render(summaries: Sequence[Summary]) -> RenderableType:
    """Return the figures, the differences of the best jobs, the plot, and the jobs of each."""
    names = [each.name for each in summaries]
    parts: list[RenderableType] = [_arrange(_list_figures(summaries), names)]
    if len(summaries) > 1:
        parts.append(Text(ON_COSTS, style="dim"))
        parts += _render_differences(summaries)
    parts += _render_plot(summaries)
    if len(summaries) <= MAX_LISTED:
        for summary in summaries:
            heading = f"top {TOP} training jobs of {summary.name}"
            parts += _render_rows(heading, summary, top_rows(summary), reasons=False)
        for summary in summaries:
            parts += _render_stopped(summary)
    return Group(*parts)


@dataclass(frozen=True)
class _Figure:
    """One figure of all tuning jobs, as text; the higher its rank, the sooner it is left out."""

    heading: str
    cells: Sequence[str]
    rank: int = 0


def _list_figures(summaries: Sequence[Summary]) -> list[_Figure]:
    training = [each.total_training_time for each in summaries]
    progress = [each.progress for each in summaries]
    return [
        _Figure("status", [each.status for each in summaries], 1),
        _Figure("training jobs done", [each.of for each in progress], 7),
        *(
            _Figure(f"  {kind}", list(map(str, counts)), 8)
            for kind, counts in compare_kinds(progress)
        ),
        *_list_costs("epochs trained", [each.epochs for each in summaries], str, summaries, 2),
        *_list_costs("total training time", training, format_seconds, summaries, 5),
        _Figure("  early stopping saved", list(map(_format_estimate, summaries)), 7),
        *_list_costs(
            "tuning time", [each.tuning_time for each in summaries], format_seconds, summaries, 3
        ),
        _Figure("best training job", [_name_best(each) for each in summaries], 9),
        *_list_best_values(summaries),
    ]


def _list_costs(
    heading: str,
    costs: Sequence[float],
    write: Callable[[Any], str],
    summaries: Sequence[Summary],
    rank: int,
) -> Iterator[_Figure]:
    """Yield what the tuning jobs took, and how much less that is than what the first one took."""
    yield _Figure(heading, list(map(write, costs)), rank)
    if len(summaries) > 1:
        saved = [_format_saved(costs[0], each) for each in costs]
        yield _Figure(f"  less than {summaries[0].name}", saved, rank + 1)


def _list_best_values(summaries: Sequence[Summary]) -> Iterator[_Figure]:
    """Yield the best values, and the objectives where they are different."""
    values = [each.best_value for each in summaries]
    texts = format_column(values, [each for each in values if each is not None][:2])
    metrics = [plain(each.objective.metric) for each in summaries]
    if len({each.objective for each in summaries}) == 1:
        yield _Figure(f"best {metrics[0]}", texts)
    else:
        yield _Figure("best value", texts)
        yield _Figure("objective", metrics, 1)


def _arrange(figures: Sequence[_Figure], names: Sequence[str]) -> FirstThatFits:
    """Return a table with a column for each tuning job, or a row where columns do not fit."""
    by_name = zip(*(each.cells for each in figures), strict=True)
    beside = [Column(name, cells, right=True) for name, cells in zip(names, by_name, strict=True)]
    below = [Column(each.heading.strip(), each.cells, True, each.rank) for each in figures]
    headings = [each.heading for each in figures]
    return FirstThatFits(
        [
            Grid([Column("", headings, shrinks_to=HEADING_WIDTH), *beside], [""] * len(figures)),
            Grid([Column("", names), *below], [""] * len(names)),
        ]
    )


def _name_best(summary: Summary) -> str:
    return NOTHING if summary.best is None else f"job {summary.best.number}"


def _saved(base: float, value: float) -> float | None:
    return (base - value) / base if base > 0 else None


def _format_saved(base: float, value: float) -> str:
    saved = _saved(base, value)
    if saved is None or base == value:
        return NOTHING
    return f"{saved:.0%}" if value < 2 * base else f"{value / base:.3g} times"


def _format_estimate(summary: Summary) -> str:
    saved = estimate_saved_seconds(summary.rows)
    return NOTHING if saved is None else f"~{format_seconds(saved)}"


def _render_differences(summaries: Sequence[Summary]) -> list[RenderableType]:
    """Return in which hyperparameters the best training jobs differ, and in which they do not."""
    best = [each.best.hyperparameters if each.best else {} for each in summaries]
    names = list(dict.fromkeys(name for each in best for name in each))
    cells = {name: [_format(each.get(name)) for each in best] for name in names}
    differing = [name for name in names if len({each.get(name) for each in best}) > 1]
    parts: list[RenderableType] = [Text("\nthe best training jobs differ in", style="bold")]
    if differing:
        figures = [_Figure(plain(name), cells[name], n) for n, name in enumerate(differing, 1)]
        parts.append(_arrange(figures, [each.name for each in summaries]))
    else:
        parts.append(Text("nothing"))
    same = [f"{plain(name)}={cells[name][0]}" for name in names if name not in differing]
    if same:
        parts.append(Text(f"and agree in {'  '.join(same)}", style="dim"))
    return parts


def _format(value: Value | None) -> str:
    return NOTHING if value is None else format_setting(value)


def _render_plot(summaries: Sequence[Summary]) -> list[RenderableType]:
    plot = make_plot(summaries)
    if not plot.lines:
        return []
    legend = Text("   ").join(Text(f"{line.mark} {line.label}", line.style) for line in plot.lines)
    others = [each.name for each in summaries if each.objective != summaries[0].objective]
    if others:
        legend.append(f"   not shown, with another objective: {', '.join(others)}", "dim")
    return [Text(), plot, legend]


def make_plot(summaries: Sequence[Summary]) -> Plot:
    """Return the best value so far over tuning time of those with the first one's objective."""
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
    """Return a unit of time that suits so many seconds, and its length in seconds."""
    units = (("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0))
    return next((unit for unit in units if longest >= 2 * unit[1]), ("seconds", 1.0))


def top_rows(summary: Summary) -> list[Row]:
    """Return the TOP training jobs by final objective."""
    objective = summary.objective
    able = [(objective.loss(row.final), row) for row in summary.rows if row.final is not None]
    return [row for _, row in sorted(able, key=lambda pair: (pair[0], pair[1].number))[:TOP]]


def _list_stopped(summary: Summary) -> list[Row]:
    return [row for row in summary.rows if row.status == "Stopped"]


def _render_stopped(summary: Summary) -> list[RenderableType]:
    """Return the stopped jobs; their column of reasons is never left out."""
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
        columns = [
            replace(each, rank=KEPT, shrinks_to=REASON_WIDTH) if each.role == "reason" else each
            for each in default_columns(summary)
            if each.role != ("status" if reasons else "reason")
        ]
        shown = [make_column(each, rows) for each in columns]
        parts.append(Grid(shown, [find_style(row, summary.best_number) for row in rows]))
    return parts


def to_json(summaries: Sequence[Summary]) -> list[ComparedTuningJob]:
    """Return the figures of each tuning job; savings are fractions of the first one's times."""
    first = summaries[0]
    return [
        {
            "tuning_job_name": each.name,
            "tuning_job_status": each.status,
            "objective_metric_name": each.objective.metric,
            "training_jobs": len(each.rows),
            "training_job_status_counters": counters_to_json(each),
            "epochs": each.epochs,
            "total_training_time_seconds": round(each.total_training_time, 3),
            "training_time_saved": _saved(first.total_training_time, each.total_training_time),
            "tuning_time_seconds": round(each.tuning_time, 3),
            "tuning_time_saved": _saved(first.tuning_time, each.tuning_time),
            "seconds_saved_by_early_stopping": estimate_saved_seconds(each.rows),
            "best_objective_value": each.best_value,
            "best_training_job": each.best_name,
            "best_hyperparameters": each.best.hyperparameters if each.best else None,
            "best_so_far": trace_best(each),
            "top_training_jobs": [row.name for row in top_rows(each)],
            "stopped_training_jobs": [row.name for row in _list_stopped(each)],
        }
        for each in summaries
    ]
