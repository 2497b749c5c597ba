"""All tuning jobs of a home, a line each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from hpt_cli.core.summary import Summary
from hpt_cli.reports.show import describe_jobs
from hpt_cli.wording import format_number, format_seconds, format_time, plain


def render(summaries: Sequence[Summary]) -> RenderableType:
    """The table of tuning jobs."""
    if not summaries:
        return Text("no tuning job yet; start one with 'hpt run SPEC'")
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading in ("name", "status", "objective", "best", "jobs", "tuning time"):
        table.add_column(heading, justify="right" if heading in ("best", "tuning time") else "left")
    for each in summaries:
        best = format_number(each.best.final if each.best else None)
        cells = [
            each.name,
            each.status,
            plain(each.objective.metric),
            best,
            describe_jobs(each),
            format_seconds(each.tuning_time),
        ]
        table.add_row(*map(Text, cells))
    return table


def to_json(summaries: Sequence[Summary]) -> Any:
    """A list of tuning jobs."""
    return [
        {
            "tuning_job_name": each.name,
            "tuning_job_status": each.status,
            "creation_time": format_time(each.created_at),
            "objective_metric_name": each.objective.metric,
            "best_objective_value": each.best.final if each.best else None,
            "best_training_job": each.best.name if each.best else None,
            "training_job_status_counters": dict(each.job_counts),
            "max_jobs": each.max_jobs,
            "completion_reason": each.reason or None,
        }
        for each in summaries
    ]
