"""The tables of SageMaker's SDK: a row for each training job, or for each observation.

The columns are those of `HyperparameterTuningJobAnalytics.dataframe()` in its order: the tuned
hyperparameters, then those of the training job. Columns that only hpt has come last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hpt_cli.exports import Results
from hpt_cli.spec.names import add_prefix
from hpt_cli.tuning.summary import Row


@dataclass(frozen=True)
class Table:
    """Named columns, and rows with a value or None for each."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


JOB_COLUMNS: dict[str, Callable[[Row], Any]] = {
    "TrainingJobName": lambda row: row.name,
    "TrainingJobStatus": lambda row: row.status,
    "FinalObjectiveValue": lambda row: row.final,
    "TrainingStartTime": lambda row: _to_moment(row.started_at),
    "TrainingEndTime": lambda row: _to_moment(row.ended_at),
    "TrainingElapsedTimeSeconds": lambda row: round(row.elapsed, 3) if row.ended_at else None,
    "BestObjectiveValue": lambda row: row.best,
    "ObjectiveStatus": lambda row: row.objective_status,
    "Epochs": lambda row: row.epochs,
    "StopReason": lambda row: row.stop_reason,
    "FailureReason": lambda row: row.failure_reason,
}


def tabulate_jobs(results: Results) -> Table:
    """Return a row for each training job.

    A hyperparameter with the name of another column gets the prefix `hyperparameter.`.
    """
    rows = results.summary.rows
    names = list(results.state.spec["hyperparameter_ranges"])
    headings = list(names)
    for place, name in enumerate(names):
        if name in JOB_COLUMNS:
            headings[place] = add_prefix(name, "hyperparameter.", {*headings, *JOB_COLUMNS})
    return Table(
        columns=(*headings, *JOB_COLUMNS),
        rows=tuple(
            (
                *(row.hyperparameters.get(name) for name in names),
                *(value(row) for value in JOB_COLUMNS.values()),
            )
            for row in rows
        ),
    )


def tabulate_observations(results: Results) -> Table:
    """Return a row for each observation, with the columns of `TrainingJobAnalytics` and two more.

    `timestamp` is in seconds from the start of the training job, as there; only those at work.
    """
    return Table(
        columns=("TrainingJobName", "timestamp", "metric_name", "step", "value"),
        rows=tuple(_list_observations(results)),
    )


def _list_observations(results: Results) -> Iterable[tuple[Any, ...]]:
    for row in results.summary.rows:
        job = results.state.jobs[row.number]
        for metric in results.list_metrics(row):
            for step, value, at in results.list_curve(row, metric):
                yield row.name, round(job.count_seconds(at), 3), metric, step, value


def _to_moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(round(seconds, 3), UTC)
