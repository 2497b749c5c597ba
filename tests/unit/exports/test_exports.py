"""Exports without extras: the tables of SageMaker's SDK. With extras: tests/extras."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hpt_cli import errors
from hpt_cli.errors import HptError
from hpt_cli.exports import Results, import_extra, mlflow
from hpt_cli.exports.files import FORMATS
from hpt_cli.exports.tables import Table, tabulate_jobs, tabulate_observations
from hpt_cli.tuning import events as ev
from hpt_cli.tuning.summary import summarize
from tests import builders as b
from tests.pages import make_results

ANALYTICS = [
    "TrainingJobName",
    "TrainingJobStatus",
    "FinalObjectiveValue",
    "TrainingStartTime",
    "TrainingEndTime",
    "TrainingElapsedTimeSeconds",
]
"""The columns of `HyperparameterTuningJobAnalytics.dataframe()`, after the hyperparameters."""


def read_csv(table: Table) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(FORMATS["csv"](table).decode())))


@pytest.fixture
def results() -> Results:
    return make_results()


def test_columns_are_those_of_sagemaker_in_its_order(results: Results) -> None:
    table = tabulate_jobs(results)
    assert list(table.columns[:3]) == ["rate", "layers", "kind"]
    assert list(table.columns[3:9]) == ANALYTICS


def test_a_training_job_has_a_row_in_csv_and_in_json(results: Results) -> None:
    table = tabulate_jobs(results)
    row = read_csv(table)[0]
    assert row["TrainingJobName"] == "story-0001"
    assert row["TrainingJobStatus"] == "Completed"
    assert row["FinalObjectiveValue"] == "0.6"
    assert row["TrainingStartTime"] == "1970-01-01T00:00:00.000+00:00"
    assert row["TrainingElapsedTimeSeconds"] == "8.0"
    rows = json.loads(FORMATS["json"](table))
    assert rows[0]["FinalObjectiveValue"] == 0.6
    assert rows[4]["FinalObjectiveValue"] is None
    assert rows[4]["FailureReason"] == "exit code 1"


def test_observations_have_a_row_each_with_seconds_since_the_start(results: Results) -> None:
    rows = read_csv(tabulate_observations(results))
    first = [row for row in rows if row["TrainingJobName"] == "story-0001"]
    assert [(row["step"], row["value"]) for row in first] == [
        ("1.0", "1.6"),
        ("2.0", "1.1"),
        ("3.0", "0.8"),
        ("4.0", "0.6"),
    ]
    assert [row["timestamp"] for row in first] == ["2.0", "4.0", "6.0", "8.0"]
    assert {row["metric_name"] for row in rows} == {"loss"}


def test_seconds_since_the_start_are_those_at_work() -> None:
    attempts = [
        *[*b.launched(1, at=10), b.observed(1, 3.0, at=12)],
        ev.JobSuspended(at=90, number=1, attempt=1, since=12, until=90),
        b.observed(1, 2.0, at=91, first=2),
        ev.JobLost(at=500, number=1, attempt=1, why="gone", ended_at=93),
        *[*b.launched(1, at=500, attempt=2), b.observed(1, 1.0, at=504, first=3, attempt=2)],
    ]
    state = b.fold_all(*b.created(b.make_spec()), *b.suggested(1), *attempts)
    moments = {(1, "loss", 1.0): 12.0, (1, "loss", 2.0): 91.0, (1, "loss", 3.0): 504.0}
    results = Results(summarize(state, 510, at_work=True), state, moments)
    rows = read_csv(tabulate_observations(results))
    assert [row["timestamp"] for row in rows] == ["2.0", "3.0", "9.0"]


def test_a_hyperparameter_that_is_called_like_a_column_does_not_hide_it() -> None:
    ranges = {"Epochs": {"type": "Integer", "min_value": 1, "max_value": 9}}
    table = tabulate_jobs(make_results(hyperparameter_ranges=ranges))
    assert table.columns[0] == "hyperparameter.Epochs"
    assert len(set(table.columns)) == len(table.columns)


def test_json_has_null_for_what_is_not_finite() -> None:
    document = FORMATS["json"](Table(("value",), ((math.nan,), (math.inf,))))
    assert json.loads(document) == [{"value": None}, {"value": None}]


def test_text_in_csv_is_no_formula_and_controls_no_terminal() -> None:
    values = [
        "=1+1",
        "+key",
        "-cmd",
        "@x",
        "\t=1",
        "\r=1",
        "x\x1b[2J",
        "a\nb",
        "-0.5",
        "-inf",
        -1.5,
    ]
    table = Table(("=name", "+1"), tuple((value, -1) for value in values))
    rows = list(csv.reader(io.StringIO(FORMATS["csv"](table).decode())))
    assert rows[0] == ["'=name", "+1"]
    assert [cell for cell, _ in rows[1:]] == [
        *("'=1+1", "'+key", "'-cmd", "'@x", "�=1", "�=1", "x�[2J", "a\nb", "-0.5", "-inf", "-1.5")
    ]
    assert {number for _, number in rows[1:]} == {"-1"}


def test_json_escapes_what_would_control_a_terminal_and_is_otherwise_exact() -> None:
    data = FORMATS["json"](Table(("value",), (("=1\x1b[2J\x9b\u202e",),)))
    assert not {"\x1b", "\x9b", "\u202e"} & {*data.decode()}
    assert json.loads(data) == [{"value": "=1\x1b[2J\x9b\u202e"}]


def test_an_extra_is_installed_from_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errors, "PROJECT", tmp_path)
    assert "'.[plot]', in a clone" in errors.suggest_extra("plot")
    (tmp_path / "pyproject.toml").touch()
    assert errors.suggest_extra("plot") == f"python -m pip install -e '{tmp_path}[plot]'"


def test_what_is_not_installed_says_how_to_install_it() -> None:
    with pytest.raises(HptError) as caught:
        import_extra("hpt_has_no_such_package", "parquet")
    (problem,) = caught.value.problems
    assert problem.slug == "extra-missing"
    assert problem.hint == errors.suggest_extra("parquet")


def test_columns_of_any_hyperparameters_differ() -> None:
    names = ("Epochs", "hyperparameter.Epochs", "StopReason")
    ranges = {name: {"type": "Integer", "min_value": 1, "max_value": 9} for name in names}
    table = tabulate_jobs(make_results(hyperparameter_ranges=ranges))
    assert table.columns[:3] == (
        *("hyperparameter.hyperparameter.Epochs", "hyperparameter.Epochs"),
        "hyperparameter.StopReason",
    )
    assert len({*table.columns}) == len(table.columns)


class RefusingStore:
    """A client of MLflow whose store refuses one kind of call."""

    def __init__(self, refused: str) -> None:
        self.calls: list[str] = []
        self._refused = refused

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def answer(*_: object, **__: object) -> Any:
            self.calls.append(name)
            if name == self._refused:
                raise OSError("refused: layers[0]")
            info = SimpleNamespace(run_id="r", experiment_id="e")
            return {"search_runs": EmptyPage()}.get(name, SimpleNamespace(info=info, **vars(info)))

        return answer


class EmptyPage(list[Any]):
    token = None


@pytest.mark.parametrize("refused", ["log_batch", "set_terminated"])
def test_a_run_that_is_refused_is_not_left_behind(
    monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    store = RefusingStore(refused)
    fake = SimpleNamespace(
        MlflowClient=lambda **_: store,
        exceptions=SimpleNamespace(MlflowException=RuntimeError),
        entities=SimpleNamespace(
            **dict.fromkeys(("Param", "Metric", "RunTag"), lambda *values: values)
        ),
    )
    monkeypatch.setattr(mlflow, "DEFAULTS", {})
    monkeypatch.setattr(mlflow, "import_extra", lambda *_: fake)
    with pytest.raises(HptError, match=r"refused: layers\[0\]") as failure:
        mlflow.export_runs(make_results(), "sqlite:///x")
    assert store.calls[-2:] == [refused, "delete_run"]
    assert "the same command adds the others" in failure.value.problems[0].hint


@pytest.mark.parametrize("complaint", ["", "no such server: http://me:hunter2@host"])
def test_a_server_that_fails_is_named_without_its_password(
    monkeypatch: pytest.MonkeyPatch, complaint: str
) -> None:
    def refuse(**_: object) -> None:
        raise OSError(complaint)

    fake = SimpleNamespace(
        MlflowClient=refuse, exceptions=SimpleNamespace(MlflowException=RuntimeError)
    )
    monkeypatch.setattr(mlflow, "DEFAULTS", {})
    monkeypatch.setattr(mlflow, "import_extra", lambda *_: fake)
    with pytest.raises(HptError, match=r"//\.\.\.@host") as failure:
        mlflow.export_runs(make_results(), "http://me:hunter2@host")
    assert "hunter2" not in str(failure.value)
