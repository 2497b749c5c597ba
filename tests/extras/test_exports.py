"""Exports into the real packages: pyarrow, MLflow and TensorBoard. Skipped where they are not."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hpt_cli.errors import HptError
from hpt_cli.exports import Results
from hpt_cli.exports.files import write_parquet
from hpt_cli.exports.tables import Table, tabulate_jobs
from tests.pages import COUNT, HOSTILE, make_results

pytestmark = pytest.mark.filterwarnings("default")  # theirs are not ours


@pytest.fixture
def results() -> Results:
    return make_results()


def test_parquet_keeps_types(results: Results) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(io.BytesIO(write_parquet(tabulate_jobs(results))))
    types = {field.name: str(field.type) for field in table.schema}
    assert types["rate"] == "double"
    assert types["layers"] == "int64"
    assert types["kind"] == "string"
    assert types["TrainingStartTime"] == "timestamp[us, tz=UTC]"
    assert table.column("FinalObjectiveValue").to_pylist()[7] == 0.1
    mixed = write_parquet(Table(("value",), ((1,), ("a",), (None,))))
    assert parquet.read_table(io.BytesIO(mixed)).column("value").to_pylist() == ["1", "a", None]
    for large in [(2**63, 1), (2**60 + 1, 0.5), (2**63, -(2**63), "a")]:
        data = write_parquet(Table(("value",), tuple((value,) for value in large)))
        read = parquet.read_table(io.BytesIO(data)).column("value").to_pylist()
        assert read == [str(value) for value in large]


def test_mlflow_has_a_run_for_each_training_job(results: Results, tmp_path: Path) -> None:
    mlflow = pytest.importorskip("mlflow")
    from hpt_cli.exports.mlflow import export_runs

    uri = f"sqlite:///{tmp_path}/mlflow.db"
    assert export_runs(results, uri) == COUNT
    client = mlflow.MlflowClient(uri)
    experiment = client.get_experiment_by_name("story")
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert len(runs) == COUNT
    best = runs["story-0008"]
    assert best.data.metrics["loss"] == 0.1
    assert best.data.params["layers"] == "9"
    assert best.info.end_time - best.info.start_time == 8000
    curve = client.get_metric_history(best.info.run_id, "loss")
    assert (curve[0].step, curve[0].value) == (1, 1.1)
    statuses = [runs[f"story-{number:04d}"].info.status for number in (1, 5, 6)]
    assert statuses == ["FINISHED", "FAILED", "KILLED"]
    assert export_runs(results, uri) == 0  # all are there, and at their end


ODD = ("layers[0]", "layers(0)", "+key", "../x", "a/b", "a", "#" * 255, "größe")


@pytest.mark.parametrize("store", ["sqlite:///{}/mlflow.db", "file://{}/runs"])
def test_mlflow_takes_any_names(tmp_path: Path, store: str) -> None:
    mlflow = pytest.importorskip("mlflow")
    from hpt_cli.exports.mlflow import export_runs

    spec = {
        "hyperparameter_ranges": {
            name: {"type": "Integer", "min_value": 1, "max_value": 9} for name in ODD
        },
        "static_hyperparameters": {f"@{number}": number for number in range(150)},
    }
    results = make_results(**spec)
    row = results.summary.rows[0]
    row = replace(row, hyperparameters=dict.fromkeys(ODD, 3))
    results = replace(results, summary=replace(results.summary, rows=(row,)))
    uri = store.format(tmp_path)
    assert export_runs(results, uri) == 1
    client = mlflow.MlflowClient(uri)
    (run,) = client.search_runs([client.get_experiment_by_name("story").experiment_id])
    assert len(run.data.params) == len(ODD) + 150
    original = run.data.tags["hpt.param.layers_0_"]
    assert {original, run.data.tags["hpt.param.layers_0__2"]} == {"layers[0]", "layers(0)"}
    assert run.data.tags["hpt.param._0"] == "@0"


def test_mlflow_says_what_is_wrong(results: Results) -> None:
    pytest.importorskip("mlflow")
    from hpt_cli.exports.mlflow import export_runs

    with pytest.raises(HptError, match="MLflow cannot write to http"):
        export_runs(results, "http://127.0.0.1:9")


def load_events(directory: Path) -> Any:
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    found = accumulators.EventAccumulator(str(directory))
    found.Reload()
    return found


def test_tensorboard_has_curves_and_hyperparameters(results: Results, tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    from hpt_cli.exports.tensorboard import export_runs

    assert export_runs(results, tmp_path) == COUNT
    assert export_runs(results, tmp_path) == COUNT
    assert len(list(tmp_path.glob("*/*"))) == COUNT  # written anew, not twice
    events = load_events(tmp_path / "story-0008")
    points = [(each.step, each.value) for each in events.Scalars("loss")]
    assert [step for step, _ in points] == [1, 2, 3, 4]
    assert math.isclose(points[-1][1], 0.1, rel_tol=1e-6)
    assert (
        events.summary_metadata["_hparams_/session_start_info"].plugin_data.plugin_name == "hparams"
    )
    content = events.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    assert b"layers" in content
    assert HOSTILE.encode() in content


def test_tensorboard_keeps_curves_apart_whose_names_it_refuses(
    results: Results, tmp_path: Path
) -> None:
    pytest.importorskip("tensorboardX")
    from hpt_cli.exports.tensorboard import export_runs

    (row, *_) = results.summary.rows
    job = results.state.jobs[row.number]
    curves = {"top@5": ((1.0, 5.0),), "top(5)": ((1.0, 6.0),)}
    job = replace(job, attempts=(replace(job.attempts[-1], curves=curves),))
    state = replace(results.state, jobs=results.state.jobs.put(job))
    summary = replace(results.summary, rows=(row,))
    export_runs(replace(results, state=state, summary=summary), tmp_path)
    events = load_events(tmp_path / row.name)
    assert {events.Scalars(tag)[0].value for tag in ("top_5_", "top_5")} == {5, 6}
