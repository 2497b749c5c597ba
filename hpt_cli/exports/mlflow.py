"""MLflow: an experiment for a tuning job, with a run for each training job.

A run has its training job's name in the tag `hpt.training_job`. Exporting again adds new training
jobs, and replaces the runs of those that had not ended.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from itertools import islice
from typing import Any

from hpt_cli import __version__
from hpt_cli.errors import HptError
from hpt_cli.exports import Results, import_extra
from hpt_cli.formatting import hide_passwords
from hpt_cli.spec.hyperparameters import format_value
from hpt_cli.tuning.summary import Row

JOB_TAG = "hpt.training_job"
ENDED = {"Completed": "FINISHED", "Stopped": "KILLED", "Failed": "FAILED"}
RUNNING = "RUNNING"
MAX_BATCH = 1000
"""How many metrics MLflow accepts at once."""
MAX_PARAM_LENGTH = 500
DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ALLOW_FILE_STORE": "true",
}
"""No telemetry, a quick error if the server does not answer, and directories as stores."""


def export_runs(results: Results, uri: str) -> int:
    """Write a run for each training job to a tracking server or store; return how many.

    Raises:
        HptError: MLflow is not installed, or cannot write to it.
    """
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    mlflow = import_extra("mlflow", "mlflow")
    try:
        return _export(mlflow, results, uri)
    except (mlflow.exceptions.MlflowException, OSError, ImportError) as error:
        why = next(iter(str(error).splitlines()), type(error).__name__)[:300]
        raise HptError.of(
            "mlflow-write",
            f"MLflow cannot write to {hide_passwords(uri)}: {hide_passwords(why)}",
            "a server: http://host:5000; a file: sqlite:///mlflow.db (needs the whole mlflow"
            " package)",
        ) from error


def _export(mlflow: Any, results: Results, uri: str) -> int:
    client = mlflow.MlflowClient(tracking_uri=uri)
    name = results.summary.name
    found = client.get_experiment_by_name(name)
    experiment = found.experiment_id if found else client.create_experiment(name)
    known = {run.data.tags.get(JOB_TAG): run for run in _list_runs(client, experiment)}
    written = 0
    for row in results.summary.rows:
        run = known.get(row.name)
        if run is not None and run.info.status != RUNNING:
            continue
        if run is not None:
            client.delete_run(run.info.run_id)
        _write_run(mlflow, client, experiment, results, row)
        written += 1
    return written


def _list_runs(client: Any, experiment: str) -> Iterator[Any]:
    token = None
    while True:
        page = client.search_runs([experiment], max_results=1000, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _write_run(mlflow: Any, client: Any, experiment: str, results: Results, row: Row) -> None:
    entities = mlflow.entities
    started = _to_milliseconds(results.find_start(row))
    run = client.create_run(experiment, start_time=started, tags=_make_tags(row), run_name=row.name)
    run_id = run.info.run_id
    params = [
        entities.Param(name, format_value(value)[:MAX_PARAM_LENGTH])
        for name, value in results.list_hyperparameters(row).items()
    ]
    client.log_batch(run_id, params=params)
    metrics = iter(
        [
            entities.Metric(_clean(metric), value, _to_milliseconds(at), int(step))
            for metric in results.list_metrics(row)
            for step, value, at in results.list_curve(row, metric)
            if not math.isinf(value)
        ]
    )
    while batch := list(islice(metrics, MAX_BATCH)):
        client.log_batch(run_id, metrics=batch)
    if row.status in ENDED:
        ended = None if row.ended_at is None else _to_milliseconds(row.ended_at)
        client.set_terminated(run_id, status=ENDED[row.status], end_time=ended)


def _make_tags(row: Row) -> dict[str, str]:
    tags = {
        JOB_TAG: row.name,
        "hpt.status": row.status,
        "hpt.stop_reason": row.stop_reason,
        "hpt.failure_reason": row.failure_reason,
        "hpt.version": __version__,
    }
    return {name: value for name, value in tags.items() if value}


def _clean(metric: str) -> str:
    """Return a metric's name as MLflow accepts it."""
    return "".join(each if each.isalnum() or each in "_-. :/" else "_" for each in metric)


def _to_milliseconds(seconds: float) -> int:
    return round(1000 * seconds)
