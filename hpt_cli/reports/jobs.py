"""The results table: a row for each training job, with the best one marked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from hpt_cli.formatting import count, format_time, plain
from hpt_cli.reports.render.columns import OWN, ResultColumn, default_columns
from hpt_cli.reports.render.table import Column, Grid
from hpt_cli.tuning.summary import Row, Summary

if TYPE_CHECKING:
    from hpt_cli.reports.json_types import Counters, TrainingJob

STYLES = {"Completed": "", "Stopped": "dim", "Failed": "red", "Stopping": "yellow"}
RUNNING = "cyan"
BEST = "bold green"


def render(summaries: Sequence[Summary]) -> RenderableType:
    """Return a table for each tuning job."""
    return Group(*(render_table(each, default_columns(each)) for each in summaries))


def render_table(
    summary: Summary, columns: Sequence[ResultColumn], *, wide: bool = False
) -> RenderableType:
    """Return the rows of a summary in these columns; with `wide`, not cut to the terminal."""
    total = sum(summary.job_counts.values())
    if not total:
        return Text("no training job yet")
    styles = [find_style(row, summary.best_number) for row in summary.rows]
    table = Grid(
        [make_column(each, summary.rows, exact=wide) for each in columns],
        styles,
        wide,
        "--wide shows all",
    )
    notes = list(_explain_names(columns))
    if len(summary.rows) != total:
        notes.append(f"{len(summary.rows)} of {count(total, 'training job')}")
    return Group(table, *(Text(note, style="dim") for note in notes))


def _explain_names(columns: Sequence[ResultColumn]) -> Iterator[str]:
    """Yield which names of columns are those of hyperparameters and metrics here, if any are."""
    renamed = [each for each in columns if each.kind == OWN and each.name != each.role]
    if renamed:
        names = ", ".join(each.role for each in renamed)
        own = ", ".join(each.heading or each.name for each in renamed)
        yield f"hyperparameters or metrics are named {names} here; what hpt knows of jobs: {own}"


def make_column(column: ResultColumn, rows: Sequence[Row], *, exact: bool = False) -> Column:
    """Return a column with the texts of these rows; with `exact`, numbers have every digit."""
    return Column(
        heading=column.heading or plain(column.name),
        cells=column.texts(rows, exact=exact),
        right=column.right,
        rank=column.rank,
        shrinks_to=column.shrinks_to,
    )


def find_style(row: Row, best: int | None) -> str:
    """Return how a row is shown: the best one marked, the others by their status."""
    return BEST if row.number == best else find_status_style(row.status)


def find_status_style(status: str) -> str:
    """Return how a job of this status is shown: stopped ones muted, those that run in colour."""
    return STYLES.get(status, RUNNING)


def to_json(summaries: Sequence[Summary]) -> list[TrainingJob]:
    """Return the rows of all tuning jobs in order."""
    return [row_to_json(row) for summary in summaries for row in summary.rows]


def row_to_json(row: Row) -> TrainingJob:
    """Return one training job with the names of docs/json.md."""
    return {
        "training_job_name": row.name,
        "training_job_number": row.number,
        "training_job_status": row.status,
        "secondary_status": row.phase,
        "queue_reason": row.queue_reason,
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
        "cores": list(row.share.cores) if row.share else None,
        "gpus": None if row.share is None or row.share.gpus is None else list(row.share.gpus),
        "source": row.source,
        "hyperparameters": row.hyperparameters,
        "configuration": row.configuration,
    }


def counters_to_json(summary: Summary) -> Counters:
    """Return how many training jobs have each status."""
    counts = summary.job_counts
    return {
        "completed": counts["completed"],
        "in_progress": counts["in_progress"],
        "stopped": counts["stopped"],
        "failed": counts["failed"],
    }
