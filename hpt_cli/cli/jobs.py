"""hpt jobs NAME: the results table."""

from __future__ import annotations

import csv as csv_format
import math
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any

import typer

from hpt_cli.cli.options import Home, Json, Name
from hpt_cli.cli.reading import open_summary, print_report
from hpt_cli.core.summary import Row, Summary
from hpt_cli.errors import UsageError, did_you_mean

STATUSES = ("InProgress", "Stopping", "Completed", "Failed", "Stopped")
COLUMNS: dict[str, Callable[[Row], Any]] = {
    "number": lambda row: row.number,
    "objective": lambda row: row.final,
    "status": lambda row: row.status,
    "epochs": lambda row: row.epochs,
    "time": lambda row: row.elapsed,
    "start": lambda row: row.started_at,
    "end": lambda row: row.ended_at,
}


def jobs(
    name: Name,
    sort: Annotated[
        str | None,
        typer.Option(
            "--sort",
            metavar="COLUMN",
            help=f"{', '.join(COLUMNS)}, or a hyperparameter; objective puts the best first.",
        ),
    ] = None,
    top: Annotated[
        int | None, typer.Option("--top", min=1, help="Only the first N; the best N unless sorted.")
    ] = None,
    status: Annotated[
        list[str] | None, typer.Option("--status", help="Only jobs of this status (repeatable).")
    ] = None,
    curves: Annotated[bool, typer.Option("--curves", help="With each job's curve.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Comma-separated values.")] = False,
    json: Json = False,
    home: Home = None,
) -> None:
    """List the training jobs of a tuning job, the best one marked."""
    summary = open_summary(home, name)
    rows = [row for row in summary.rows if not status or row.status in _check_statuses(status)]
    if top is not None and sort is None:
        sort = "objective"
    if sort is not None:
        rows = _sort(rows, sort, summary)
    summary = replace(summary, rows=tuple(rows[:top]))
    if csv:
        _print_csv(summary)
    else:
        print_report("curves" if curves else "jobs", [summary], as_json=json)


def _check_statuses(statuses: list[str]) -> list[str]:
    for status in statuses:
        if status not in STATUSES:
            hint = did_you_mean(status, STATUSES) or f"one of {', '.join(STATUSES)}"
            raise UsageError.of(
                "status-unknown", f"--status {status}: there is no such status", hint
            )
    return statuses


def _sort(rows: list[Row], column: str, summary: Summary) -> list[Row]:
    names = list(dict.fromkeys(name for row in summary.rows for name in row.hyperparameters))
    if column not in COLUMNS and column not in names:
        known = [*COLUMNS, *names]
        hint = did_you_mean(column, known) or f"one of {', '.join(known)}"
        raise UsageError.of("column-unknown", f"--sort {column}: there is no such column", hint)

    def key(row: Row) -> tuple[bool, float, str]:
        if column == "objective":
            loss = math.inf if row.final is None else summary.objective.loss(row.final)
            return row.final is None, loss, ""
        value = COLUMNS[column](row) if column in COLUMNS else row.hyperparameters.get(column)
        number = value if isinstance(value, (int, float)) else 0.0
        return value is None, number, value if isinstance(value, str) else ""

    return sorted(rows, key=key)


def _print_csv(summary: Summary) -> None:
    from hpt_cli.reports.jobs import row_to_json

    rows = [row_to_json(row) for row in summary.rows]
    names = list(dict.fromkeys(name for row in rows for name in row["hyperparameters"]))
    fields = [
        field for field in (rows[0] if rows else {}) if field not in ("hyperparameters", "notes")
    ]
    writer = csv_format.writer(sys.stdout, lineterminator="\n")
    writer.writerow([*names, *fields])
    for row in rows:
        settings = [row["hyperparameters"].get(name) for name in names]
        writer.writerow([*settings, *(row[field] for field in fields)])
