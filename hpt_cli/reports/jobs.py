"""The results table: a row for every training job, with the best one marked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from hpt_cli.core.summary import Row, Summary
from hpt_cli.wording import format_number, format_seconds, format_setting, format_time, plain

STYLES = {"Completed": "", "Stopped": "dim", "Failed": "red", "Stopping": "yellow"}


def render(summaries: Sequence[Summary]) -> RenderableType:
    """One table for each tuning job."""
    return Group(*(_render_table(each) for each in summaries))


def _render_table(summary: Summary) -> Table:
    names = list(dict.fromkeys(name for row in summary.rows for name in row.hyperparameters))
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("job", justify="right", no_wrap=True)
    for name in names:
        table.add_column(plain(name), justify="right", no_wrap=True)
    table.add_column(plain(summary.objective.metric), justify="right", no_wrap=True)
    for heading in ("epochs", "time"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("status", no_wrap=True)
    table.add_column("reason", no_wrap=True, overflow="ellipsis")
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
            describe_reason(row),
        ]
        style = "bold green" if is_best else STYLES.get(row.status, "cyan")
        table.add_row(*(Text(cell) for cell in cells), style=style)
    return table


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
