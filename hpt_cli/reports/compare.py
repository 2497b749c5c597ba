"""Tuning jobs side by side: the four reports of the post that announced early stopping.

Status counts, total training time and tuning time, the top five training jobs, and the list of
stopped ones; the first tuning job is what the others are measured against.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from hpt_cli.core.summary import Row, Summary
from hpt_cli.reports.columns import describe_reason
from hpt_cli.wording import format_hyperparameters, format_number, format_seconds, plain

TOP = 5


def render(summaries: Sequence[Summary]) -> RenderableType:
    """The comparison, then each job's top five and its stopped jobs."""
    parts: list[RenderableType] = [_render_comparison(summaries)]
    for summary in summaries:
        heading = f"\nTop {TOP} training jobs of {summary.name}"
        parts += [Text(heading, style="bold"), _render_rows(top_rows(summary), with_reason=False)]
    for summary in summaries:
        stopped = _stopped(summary)
        parts.append(
            Text(f"\n{len(stopped)} stopped training jobs of {summary.name}", style="bold")
        )
        if stopped:
            parts.append(_render_rows(stopped, with_reason=True))
    return Group(*parts)


def _render_comparison(summaries: Sequence[Summary]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 3, 0, 0))
    table.add_column("", style="bold")
    for summary in summaries:
        table.add_column(summary.name, justify="right")
    first = summaries[0]
    figures: list[tuple[str, Callable[[Summary], str]]] = [
        ("status", lambda each: each.status),
        ("training jobs", lambda each: str(len(each.rows))),
        ("Completed", lambda each: str(each.job_counts["completed"])),
        ("Stopped", lambda each: str(each.job_counts["stopped"])),
        ("Failed", lambda each: str(each.job_counts["failed"])),
        ("InProgress", lambda each: str(each.job_counts["in_progress"])),
        ("total training time", lambda each: format_seconds(each.total_training_time)),
        (
            "  saved",
            lambda each: _format_saved(first.total_training_time, each.total_training_time),
        ),
        ("tuning time", lambda each: format_seconds(each.tuning_time)),
        ("  saved", lambda each: _format_saved(first.tuning_time, each.tuning_time)),
        (
            f"best {plain(first.objective.metric)}",
            lambda each: format_number(each.best.final if each.best else None, 5),
        ),
        ("best training job", lambda each: each.best.name if each.best else "–"),
    ]
    for heading, figure in figures:
        table.add_row(heading, *(Text(figure(each)) for each in summaries))
    return table


def _saved(base: float, value: float) -> float | None:
    return (base - value) / base if base > 0 else None


def _format_saved(base: float, value: float) -> str:
    saved = _saved(base, value)
    return "–" if saved is None or base == value else f"{100 * saved:.0f} %"


def top_rows(summary: Summary) -> list[Row]:
    """The five best training jobs by final objective."""
    objective = summary.objective
    able = [(objective.loss(row.final), row) for row in summary.rows if row.final is not None]
    return [row for _, row in sorted(able, key=lambda pair: (pair[0], pair[1].number))[:TOP]]


def _stopped(summary: Summary) -> list[Row]:
    return [row for row in summary.rows if row.status == "Stopped"]


def _render_rows(rows: Sequence[Row], *, with_reason: bool) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 2))
    for row in rows:
        cells = [
            row.name,
            format_number(row.final),
            f"{row.epochs} epochs",
            format_seconds(row.elapsed),
            describe_reason(row) if with_reason else row.status,
            format_hyperparameters(row.hyperparameters),
        ]
        table.add_row(*map(Text, cells), style="dim" if with_reason else "")
    return table


def to_json(summaries: Sequence[Summary]) -> Any:
    """The figures of each tuning job, with what it saved against the first, as fractions."""
    first = summaries[0]
    return [
        {
            "tuning_job_name": each.name,
            "tuning_job_status": each.status,
            "training_jobs": len(each.rows),
            "training_job_status_counters": dict(each.job_counts),
            "total_training_time_seconds": round(each.total_training_time, 3),
            "training_time_saved": _saved(first.total_training_time, each.total_training_time),
            "tuning_time_seconds": round(each.tuning_time, 3),
            "tuning_time_saved": _saved(first.tuning_time, each.tuning_time),
            "best_objective_value": each.best.final if each.best else None,
            "best_training_job": each.best.name if each.best else None,
            "top_training_jobs": [row.name for row in top_rows(each)],
            "stopped_training_jobs": [row.name for row in _stopped(each)],
        }
        for each in summaries
    ]
