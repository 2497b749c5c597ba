"""MLflow: an experiment for a tuning job, with a run for each training job.

A run has its training job's name in the tag `hpt.training_job`. Exporting again adds new training
jobs, and replaces the runs of those that had not ended. A hyperparameter or metric whose name is
refused gets another one; the tag `hpt.param.<name>` or `hpt.metric.<name>` has the original.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from hpt_cli import __version__
from hpt_cli.errors import HptError
from hpt_cli.exports import Results, import_extra
from hpt_cli.exports.names import MLFLOW_REFUSES, fit_names
from hpt_cli.formatting import hide_passwords
from hpt_cli.spec.hyperparameters import format_value
from hpt_cli.tuning.summary import Row

JOB_TAG = "hpt.training_job"
ENDED = {"Completed": "FINISHED", "Stopped": "KILLED", "Failed": "FAILED"}
RUNNING = "RUNNING"
MAX_BATCH = 1000
"""How many metrics MLflow accepts at once."""
MAX_PARAMS_BATCH = 100
"""How many parameters, or tags, it accepts at once."""
MAX_PARAM_LENGTH = 500
MAX_TAG_LENGTH = 5000
DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ALLOW_FILE_STORE": "true",
}
"""No telemetry, a quick error if the server does not answer, and directories as stores."""


ADDRESSES = (
    "a server: http://host:5000; a file: sqlite:///mlflow.db (needs the whole mlflow package)"
)
REFUSED = (
    "the runs that were written are whole, and the same command adds the others;"
    " 'hpt export NAME -o jobs.parquet' needs no MLflow"
)

Item = TypeVar("Item")


@dataclass(frozen=True)
class _Experiment:
    """Where the runs of a tuning job are written."""

    mlflow: Any
    client: Any
    id: str
    params: Mapping[str, str]
    """The name that MLflow accepts for each hyperparameter."""
    metrics: Mapping[str, str]
    """The same for each metric."""


def export_runs(results: Results, uri: str) -> int:
    """Write a run for each training job to a tracking server or store; return how many.

    Raises:
        HptError: MLflow is not installed, or cannot write to it.
    """
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    mlflow = import_extra("mlflow", "mlflow")
    hint = ADDRESSES
    try:
        experiment = _open_experiment(mlflow, results, uri)
        hint = REFUSED
        return _export(experiment, results)
    except (mlflow.exceptions.MlflowException, OSError, ImportError) as error:
        why = next(iter(str(error).splitlines()), type(error).__name__)[:300]
        raise HptError.of(
            "mlflow-write",
            f"MLflow cannot write to {hide_passwords(uri)}: {hide_passwords(why)}",
            hint,
        ) from error


def _open_experiment(mlflow: Any, results: Results, uri: str) -> _Experiment:
    client = mlflow.MlflowClient(tracking_uri=uri)
    name = results.summary.name
    found = client.get_experiment_by_name(name)
    as_files = "://" not in uri or uri.startswith("file:")
    params, metrics = (
        fit_names(names, MLFLOW_REFUSES, as_files=as_files)
        for names in (results.name_hyperparameters(), results.name_metrics())
    )
    experiment = found.experiment_id if found else client.create_experiment(name)
    return _Experiment(mlflow, client, experiment, params, metrics)


def _export(experiment: _Experiment, results: Results) -> int:
    client = experiment.client
    known = {run.data.tags.get(JOB_TAG): run for run in _list_runs(client, experiment.id)}
    written = 0
    for row in results.summary.rows:
        run = known.get(row.name)
        if run is not None and run.info.status != RUNNING:
            continue
        _write_run(experiment, results, row)
        if run is not None:
            client.delete_run(run.info.run_id)
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


def _write_run(experiment: _Experiment, results: Results, row: Row) -> None:
    """Write the run of a training job, whole or not at all."""
    started = _to_milliseconds(results.find_start(row))
    tags = _make_tags(row)
    client = experiment.client
    run = client.create_run(experiment.id, start_time=started, tags=tags, run_name=row.name)
    try:
        _fill_run(experiment, run.info.run_id, results, row)
    except BaseException:
        with contextlib.suppress(Exception):  # what went wrong first is what is told
            client.delete_run(run.info.run_id)
        raise


def _fill_run(experiment: _Experiment, run_id: str, results: Results, row: Row) -> None:
    client, entities = experiment.client, experiment.mlflow.entities
    hyperparameters = results.list_hyperparameters(row)
    params = [
        entities.Param(experiment.params[name], format_value(value)[:MAX_PARAM_LENGTH])
        for name, value in hyperparameters.items()
    ]
    for params_batch in _split(params, MAX_PARAMS_BATCH):
        client.log_batch(run_id, params=params_batch)
    seen = results.list_metrics(row)
    names = _list_originals("hpt.param", experiment.params, hyperparameters)
    names |= _list_originals("hpt.metric", experiment.metrics, seen)
    for tags in _split(names.items(), MAX_PARAMS_BATCH):
        client.log_batch(run_id, tags=[entities.RunTag(*tag) for tag in tags])
    metrics = (
        entities.Metric(experiment.metrics[metric], value, _to_milliseconds(at), int(step))
        for metric in seen
        for step, value, at in results.list_curve(row, metric)
        if not math.isinf(value)
    )
    for batch in _split(metrics, MAX_BATCH):
        client.log_batch(run_id, metrics=batch)
    if row.status in ENDED:
        ended = None if row.ended_at is None else _to_milliseconds(row.ended_at)
        client.set_terminated(run_id, status=ENDED[row.status], end_time=ended)


def _split(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    waiting = iter(items)
    while batch := list(islice(waiting, size)):
        yield batch


def _list_originals(prefix: str, fitted: Mapping[str, str], used: Iterable[str]) -> dict[str, str]:
    """Return tags with the originals of the names that MLflow refuses."""
    return {f"{prefix}.{fitted[name]}": name for name in used if fitted[name] != name}


def _make_tags(row: Row) -> dict[str, str]:
    tags = {
        JOB_TAG: row.name,
        "hpt.status": row.status,
        "hpt.stop_reason": row.stop_reason,
        "hpt.failure_reason": row.failure_reason,
        "hpt.version": __version__,
    }
    return {name: value[:MAX_TAG_LENGTH] for name, value in tags.items() if value}


def _to_milliseconds(seconds: float) -> int:
    return round(1000 * seconds)
