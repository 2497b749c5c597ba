"""The list of tuning jobs: a line each, with status, best value and size on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType
from rich.text import Text

from hpt_cli.formatting import format_age, format_bytes, format_number, format_time, plain
from hpt_cli.reports.jobs import counters_to_json, find_status_style
from hpt_cli.reports.render.table import Column, Grid
from hpt_cli.tuning.progress import compare_kinds
from hpt_cli.tuning.repeats.rows import find_mean
from hpt_cli.tuning.summary import Summary

if TYPE_CHECKING:
    from hpt_cli.reports.json_types import ListedTuningJob


COUNTED = ("stopped early", "stopped", "failed", "running")
"""The kinds of training jobs that are listed; the others are few, and `hpt show` has them."""


@dataclass(frozen=True)
class Entry:
    """One tuning job of a list; whether a tuner holds it, and stands still. `size` is in bytes."""

    summary: Summary
    at_work: bool
    is_suspended: bool
    size: int
    home: str


def render_list(
    entries: Sequence[Entry], now: float, *, with_homes: bool, wide: bool
) -> RenderableType:
    """Return the table of tuning jobs."""
    if not entries:
        return Text("no tuning job yet; start one with 'hpt run SPEC'")

    def column(heading: str, describe: Callable[[Entry], str], **options: Any) -> Column:
        return Column(heading, [describe(each) for each in entries], **options)

    columns = [
        column("name", lambda each: each.summary.name),
        column("status", _describe_status),
        column("done", _describe_progress, right=True),
        *(
            Column(kind, list(map(str, counts)), right=True, rank=1)
            for kind, counts in compare_kinds([each.summary.progress for each in entries])
            if kind in COUNTED
        ),
        column("best", _describe_best, right=True),
        column("objective", _describe_objective, rank=4, shrinks_to=12),
        column("size", lambda each: format_bytes(each.size), right=True, rank=3),
        column("age", lambda each: format_age(now - each.summary.created_at), right=True, rank=2),
    ]
    if with_homes:
        columns.append(column("home", lambda each: plain(each.home)))
    styles = [find_status_style(each.summary.status) for each in entries]
    return Grid(columns, styles, wide, "--wide shows all")


def _describe_status(entry: Entry) -> str:
    status = entry.summary.status
    if status not in ("InProgress", "Stopping"):
        return f"{status}, more to do" if entry.summary.has_more else status
    if not entry.at_work:
        return f"{status}, no tuner"
    if entry.is_suspended:
        return f"{status}, suspended"
    return f"{status}, paused" if entry.summary.pause else status


def _describe_progress(entry: Entry) -> str:
    progress = entry.summary.progress
    return str(progress.done) if progress.limit is None else f"{progress.done}/{progress.limit}"


def _describe_best(entry: Entry) -> str:
    summary = entry.summary
    mean = find_mean(summary.best_configuration, summary.objective)
    return format_number(summary.best_value if mean is None else mean)


def _describe_objective(entry: Entry) -> str:
    arrow = "↑" if entry.summary.objective.maximize else "↓"
    return f"{arrow} {plain(entry.summary.objective.metric)}"


def list_to_json(entries: Sequence[Entry]) -> list[ListedTuningJob]:
    """Return the list of tuning jobs."""
    return [
        {
            "tuning_job_name": each.summary.name,
            "tuning_job_status": each.summary.status,
            "tuner_at_work": each.at_work,
            "creation_time": format_time(each.summary.created_at),
            "objective_metric_name": each.summary.objective.metric,
            "best_objective_value": each.summary.best_value,
            "best_training_job": each.summary.best_name,
            "best_mean_objective_value": find_mean(
                each.summary.best_configuration, each.summary.objective
            ),
            "training_job_status_counters": counters_to_json(each.summary),
            "max_jobs": each.summary.max_jobs,
            "completion_reason": each.summary.reason or None,
            "has_more_to_do": each.summary.has_more,
            "size_bytes": each.size,
            "home": each.home,
        }
        for each in entries
    ]
