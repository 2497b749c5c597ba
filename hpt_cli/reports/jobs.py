"""The results table: a row for every training job, with the best one marked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from hpt_cli.core.summary import Row, Summary
from hpt_cli.wording import format_number, format_seconds, format_setting, format_time, plain

FORMS = (("full", False), ("full", True), ("short", False), ("short", True), ("none", True))
"""Reasons in full, in short or not at all; and whether columns are narrow. The first that fits."""

UNBOUNDED = 10_000

STYLES = {"Completed": "", "Stopped": "dim", "Failed": "red", "Stopping": "yellow"}


def render(summaries: Sequence[Summary]) -> RenderableType:
    """One table for each tuning job."""
    return Group(*(_Fitting(each) for each in summaries))


@dataclass(frozen=True)
class _Fitting:
    """The results table in the fullest form that fits the terminal."""

    summary: Summary

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        unbounded = options.update(max_width=UNBOUNDED)
        for reasons, narrow in FORMS:
            table = _render_table(self.summary, reasons, narrow=narrow)
            if Measurement.get(console, unbounded, table).maximum <= options.max_width:
                break
        yield table


def _render_table(summary: Summary, reasons: str, *, narrow: bool) -> Table:
    names = list(dict.fromkeys(name for row in summary.rows for name in row.hyperparameters))
    gap = 1 if narrow else 2
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, gap, 0, 0))
    for name in ("job", *names, summary.objective.metric, "epochs", "time"):
        heading = _break(plain(name)) if narrow else plain(name)
        table.add_column(heading, justify="right", no_wrap=not narrow)
    table.add_column("status", no_wrap=True)
    if reasons != "none":
        table.add_column("reason", no_wrap=True)
    best = summary.best.number if summary.best else None
    for row in summary.rows:
        is_best = row.number == best
        cells = [
            f"{row.number}{' ★' if is_best else '  '}",
            *(format_setting(row.hyperparameters.get(name, "")) for name in names),
            format_number(row.final if row.final is not None else _latest(row)),
            str(row.epochs),
            format_seconds(row.elapsed),
            describe_status(row),
        ]
        if reasons != "none":
            cells.append(describe_reason(row) if reasons == "full" else row.stop_reason or "")
        style = "bold green" if is_best else STYLES.get(row.status, "cyan")
        table.add_row(*(Text(cell, no_wrap=True) for cell in cells), style=style)
    return table


def _break(name: str) -> str:
    """A name in lines, broken after `_` and `:`."""
    return re.sub(r"([_:])(?=.)", r"\1\n", name)


def _latest(row: Row) -> float | None:
    return row.curve[-1][1] if row.curve and row.status in ("InProgress", "Stopping") else None


def describe_status(row: Row) -> str:
    """The status, and for a job in progress how far it is."""
    return f"InProgress ({row.phase})" if row.status == "InProgress" else row.status


def describe_reason(row: Row) -> str:
    """Why a job is Stopped or Failed, in a few words."""
    reason = row.stop_reason or row.failure_reason or ""
    return plain(f"{reason}: {row.explanation}" if row.stop_reason and row.explanation else reason)


def to_json(summaries: Sequence[Summary]) -> Any:
    """The rows of the contract, of all tuning jobs in order."""
    return [row_to_json(row) for summary in summaries for row in summary.rows]


def row_to_json(row: Row) -> dict[str, Any]:
    """One training job in the contract's words."""
    return {
        "training_job_name": row.name,
        "training_job_number": row.number,
        "training_job_status": row.status,
        "stop_reason": row.stop_reason,
        "stop_explanation": row.explanation or None,
        "objective_status": row.objective_status,
        "final_objective_value": row.final,
        "best_objective_value": row.best,
        "epochs": row.epochs,
        "training_start_time": format_time(row.started_at),
        "training_end_time": format_time(row.ended_at),
        "training_elapsed_time_seconds": round(row.elapsed, 3),
        "attempts": row.attempts,
        "failure_reason": row.failure_reason,
        "notes": list(row.notes),
        "hyperparameters": row.hyperparameters,
    }
