"""One tuning job at a glance: its status, the best training job, and what went wrong."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from hpt_cli.formatting import count, format_hyperparameters, format_number, format_seconds, plain
from hpt_cli.reports.jobs import counters_to_json, row_to_json
from hpt_cli.tuning.jobs.training_job import RUNNING
from hpt_cli.tuning.repeats.confirmation import Confirmation, confirm
from hpt_cli.tuning.repeats.rows import find_mean
from hpt_cli.tuning.summary import (
    Row,
    Summary,
    describe_more,
    describe_warning,
    estimate_saved_seconds,
)

if TYPE_CHECKING:
    from hpt_cli.reports import json_types as json_types
    from hpt_cli.reports.json_types import InheritedBest, TuningJob

MAX_FAILURES = 3
LEAST_IDLE_SECONDS = 1.0
FAILED = ("Failed", "its last lines:", "it printed nothing")
WITHOUT_OBJECTIVE = (
    "no objective",
    "the lines that come nearest:",
    "none of its lines comes close to a value",
)
"""What is wrong with a job, the words before its lines, and those where it has none."""
_NUMBER = re.compile(r"\d[\d.]*(e[-+]?\d+)?", re.IGNORECASE)


def render(summaries: Sequence[Summary]) -> RenderableType:
    """Return a block for each tuning job."""
    return Group(*(_render_block(each) for each in summaries))


def _render_block(summary: Summary) -> RenderableType:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for heading, text in _lines(summary):
        table.add_row(heading, Text(text))
    return Group(table, *_render_trouble(summary))


def render_failure(summary: Summary) -> RenderableType:
    """Return why a tuning job failed, and nothing else."""
    words = plain(f"{summary.name} is {summary.status}: {summary.reason}")
    return Group(Text(words), *_render_trouble(summary))


def _render_trouble(summary: Summary) -> list[RenderableType]:
    """Return what went wrong: warnings, and training jobs that failed."""
    return [*_render_warnings(summary), *_render_failures(summary)]


def _lines(summary: Summary) -> list[tuple[str, str]]:
    status = summary.status + (f": {summary.reason}" if summary.reason else "")
    if summary.has_more:
        status += f"; {describe_more(summary.name)}"
    lines = [
        ("tuning job", summary.name),
        ("status", plain(status)),
        *([("launching", plain(f"paused: {summary.pause}"))] if summary.pause else []),
        ("jobs", str(summary.progress)),
    ]
    using = [row for row in summary.rows if row.phase in RUNNING and row.share and row.share.gpus]
    if using:
        words = (f"{row.share.gpu_names}: job {row.number}" for row in using if row.share)
        lines.append(("GPUs", plain("; ".join(words))))
    if summary.outside:
        outside = count(summary.outside, "job")
        lines.append(("", f"{outside} outside the search space: not learned from"))
    if summary.best is not None:
        settings = format_hyperparameters(summary.best.hyperparameters)
        lines += [("best", summary.best_result), ("", settings)]
    if (confirmation := confirm(summary)) is not None:
        heading = f"confirms {confirmation.search}"
        lines += zip((heading, ""), confirmation.describe(), strict=False)
    if summary.overall_best is not None:
        overall = summary.overall_best
        value = format_number(overall["final_objective_value"], 6)
        lines.append(("overall best", plain(f"{value} by {overall['training_job_name']}")))
    for parent in summary.parents:
        outside = f", {parent.left_out} outside the ranges" if parent.left_out else ""
        lines.append(
            ("warm start", plain(f"{parent.name}: {count(parent.used, 'job')} used{outside}"))
        )
    lines += [
        ("training time", format_seconds(summary.total_training_time) + _describe_saved(summary)),
        ("tuning time", format_seconds(summary.tuning_time) + _describe_idle(summary)),
    ]
    return lines


def _describe_idle(summary: Summary) -> str:
    if summary.idle_seconds < LEAST_IDLE_SECONDS:
        return ""
    return f", without {format_seconds(summary.idle_seconds)} in which no tuner was at work"


def _describe_saved(summary: Summary) -> str:
    saved = estimate_saved_seconds(summary.rows)
    return "" if saved is None else f"; early stopping saved about {format_seconds(saved)}"


def _render_warnings(summary: Summary) -> list[RenderableType]:
    blocks: list[RenderableType] = []
    for warning in summary.warnings:
        first, *rest = describe_warning(warning)
        blocks += [Text(), Text(first, style="yellow"), *(Text(line) for line in rest)]
    return blocks


def _render_failures(summary: Summary) -> list[RenderableType]:
    failed = [row for row in summary.rows if row.failure_reason]
    shown = {_blank_numbers(warning.lines) for warning in summary.warnings}
    blocks: list[RenderableType] = []
    for row in failed[:MAX_FAILURES]:
        blocks += [Text(), *_render_job(row, is_shown=_blank_numbers(row.tail) in shown)]
        shown.add(_blank_numbers(row.tail))
    if len(failed) > MAX_FAILURES:
        more = count(len(failed) - MAX_FAILURES, "more job")
        # A job may come to its end without a value that counts: then it is not Failed itself.
        are_failed = all(row.status == "Failed" for row in failed)
        option = "--status Failed" if are_failed else "--where 'objective_status == Failed'"
        command = Text(f"  hpt jobs {summary.name} {option}", no_wrap=True, overflow="ignore")
        blocks += [Text(f"\n… and {more} with problems:"), command]
    return blocks


def _blank_numbers(lines: Iterable[str]) -> tuple[str, ...]:
    """Return lines without their numbers: those of jobs that failed alike are then equal."""
    return tuple(_NUMBER.sub("0", line) for line in lines)


def _render_job(row: Row, *, is_shown: bool) -> list[RenderableType]:
    """Return what is wrong with a job, and its lines unless the same are shown already."""
    what, intro, nothing = FAILED if row.status == "Failed" else WITHOUT_OBJECTIVE
    if not row.tail:
        lines = [nothing]
    elif is_shown:
        lines = ["its lines are the same as those above"]
    else:
        lines = [intro]
    heading = Text(plain(f"{row.name} {what}: {row.failure_reason}"), style="red")
    quoted = () if is_shown else row.tail
    return [heading, *(Text(f"  {line}", style="dim") for line in lines), _quote(quoted)]


def _quote(lines: Sequence[str]) -> Table:
    """Return lines of a log behind a bar; what is too long goes on below."""
    table = Table.grid()
    table.add_column(style="dim", no_wrap=True)
    table.add_column(style="dim", overflow="fold")
    for line in lines:
        table.add_row("  │ ", Text(plain(line)))
    return table


def to_json(summaries: Sequence[Summary]) -> TuningJob:
    """Return the document of the one tuning job."""
    (summary,) = summaries
    return {
        "tuning_job_name": summary.name,
        "tuning_job_status": summary.status,
        "objective_metric_name": summary.objective.metric,
        "objective_type": summary.objective.type,
        "max_jobs": summary.max_jobs,
        "training_job_status_counters": counters_to_json(summary),
        "objective_status_counters": {
            "succeeded": summary.objective_counts["succeeded"],
            "pending": summary.objective_counts["pending"],
            "failed": summary.objective_counts["failed"],
        },
        "best_training_job": row_to_json(summary.best) if summary.best else None,
        "best_configuration": _configuration_to_json(summary),
        "overall_best_training_job": _overall_to_json(summary.overall_best),
        "training_jobs_outside": summary.outside,
        "warm_start_parents": [
            {"name": each.name, "jobs_used": each.used, "jobs_left_out": each.left_out}
            for each in summary.parents
        ],
        "confirmation": _confirmation_to_json(confirm(summary)),
        "total_training_time_seconds": round(summary.total_training_time, 3),
        "seconds_saved_by_early_stopping": estimate_saved_seconds(summary.rows),
        "tuning_time_seconds": round(summary.tuning_time, 3),
        "completion_reason": summary.reason or None,
        "has_more_to_do": summary.has_more,
        "warnings": [
            {
                "slug": each.slug,
                "message": each.message,
                "hint": each.hint,
                "lines": each.lines,
                "metric_definitions": each.definitions,
            }
            for each in summary.warnings
        ],
    }


def _configuration_to_json(summary: Summary) -> json_types.BestConfiguration | None:
    best = summary.best_configuration
    if best is None:
        return None
    return {
        "configuration": best.number,
        "training_jobs": len(best.losses),
        "mean_objective_value": find_mean(best, summary.objective),
        "standard_error": best.standard_error,
    }


def _confirmation_to_json(found: Confirmation | None) -> json_types.Confirmation | None:
    if found is None:
        return None
    return {
        "tuning_job_name": found.search,
        "training_job_number": found.best.job,
        "is_default": found.best.is_default,
        "probability_best": found.probability,
        "better_than": [
            {
                "training_job_number": each.job,
                "is_default": each.is_default,
                "probability": probability,
            }
            for each, probability in found.leads
        ],
        "seeds_differ": found.has_noise,
    }


def _overall_to_json(best: Mapping[str, Any] | None) -> InheritedBest | None:
    if best is None:
        return None
    return {
        "training_job_name": best["training_job_name"],
        "final_objective_value": best["final_objective_value"],
        "hyperparameters": best["hyperparameters"],
    }
