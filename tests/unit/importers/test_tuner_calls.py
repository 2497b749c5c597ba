"""Tuning jobs that Python source creates at SageMaker."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hpt_cli.errors import UsageError
from hpt_cli.importers import import_text
from hpt_cli.spec.model import TuningSpec

SCRIPT = """
from sagemaker.tuner import HyperparameterTuner
role = sagemaker.get_execution_role()
metric = "validation:accuracy"
estimator = PyTorch(
    entry_point="train.py", source_dir="src", role=role, max_run=2 * 3600,
    hyperparameters={"epochs": 30, "amp": True, "lr": 0.1}, environment={"A": "b"},
)
estimator.set_hyperparameters(backend="gloo")
ranges = {
    "lr": ContinuousParameter(1e-4, 1e-1, scaling_type="Logarithmic"),
    "layers": sagemaker.parameter.IntegerParameter(min_value=1, max_value=8),
}
ranges["opt"] = CategoricalParameter(["adam", "sgd"])
tuner = sagemaker.tuner.HyperparameterTuner(
    estimator, metric, ranges, [{"Name": metric, "Regex": "val_acc=([0-9\\\\.]+)"}],
    max_jobs=20, max_parallel_jobs=4, early_stopping_type="Auto", random_seed=3,
    base_tuning_job_name="my tuning_job",
    warm_start_config=WarmStartConfig(WarmStartTypes.TRANSFER_LEARNING, parents={"a"}),
    completion_criteria_config=TuningJobCompletionCriteriaConfig(
        target_objective_metric_value=0.9, complete_on_convergence=True),
    strategy_config=StrategyConfig(HyperbandStrategyConfig(1, 3)),
)
tuner.fit({"train": train, "test": TrainingInput("s3://b/test")})
"""


def notebook(*cells: str) -> str:
    made = [{"cell_type": "code", "source": each.splitlines(keepends=True)} for each in cells]
    return json.dumps({"nbformat": 4, "cells": [{"cell_type": "markdown", "source": "x"}, *made]})


ESTIMATOR, _, TUNER = SCRIPT.partition("tuner = ")
CELLS = ("!pip install sagemaker", ESTIMATOR, f"tuner = {TUNER}", "x = (")


@pytest.mark.parametrize(("text", "file"), [(SCRIPT, "t.py"), (notebook(*CELLS), "t.ipynb")])
def test_a_tuner_is_a_spec(text: str, file: str) -> None:
    imported = import_text(text, file)
    fields = imported.fields
    assert fields["name"] == "my-tuning-job"
    channels = {"SM_CHANNEL_TRAIN": "data/train", "SM_CHANNEL_TEST": "data/test"}
    assert fields["environment"] == {**channels, "A": "b"}
    spec = TuningSpec.model_validate(fields)
    assert spec.command == "python src/train.py"
    assert [*spec.hyperparameter_ranges] == ["lr", "layers", "opt"]
    assert spec.hyperparameter_ranges["lr"].scaling == "Logarithmic"  # type: ignore[union-attr]
    assert spec.static_hyperparameters == {"epochs": 30, "amp": "True", "backend": "gloo"}
    assert (spec.max_jobs, spec.max_parallel_jobs, spec.random_seed) == (20, 4, 3)
    assert (spec.objective_metric_name, spec.objective_type) == ("validation:accuracy", "Maximize")
    assert spec.metric_definitions[0].regex == r"val_acc=([0-9\.]+)"
    assert (spec.target_objective_metric_value, spec.complete_on_convergence) == (0.9, True)
    assert (spec.early_stopping_type, spec.max_job_runtime_seconds) == ("Auto", 7200)
    assert spec.warm_start is not None
    assert (spec.warm_start.type, spec.warm_start.parents) == ("TransferLearning", ("a",))
    assert imported.fill_in == ()


def change(old: str, new: str) -> Any:
    assert old in SCRIPT
    return import_text(SCRIPT.replace(old, new), "t.py")


def test_what_is_no_literal_is_to_be_filled_in() -> None:
    imported = change("max_value=8", "max_value=most")
    assert imported.fields["hyperparameter_ranges"]["layers"]["max_value"] == "FILL-IN most"
    assert imported.fill_in == (
        ("hyperparameter_ranges", "layers.max_value: most is no literal in the file"),
    )
    assert change("estimator, metric, ranges", "estimator, metric, make()").fill_in
    assert (
        change("estimator, metric, ranges", "estimator, name, ranges").fields[
            "objective_metric_name"
        ]
        == "FILL-IN name"
    )
    assert change("max_jobs=20", "max_jobs=n").fields["max_jobs"] == "FILL-IN n"


def test_a_request_in_source_is_a_request() -> None:
    request = json.loads((Path(__file__).parents[2] / "data" / "request.json").read_text())
    config, definition = request["HyperParameterTuningJobConfig"], request["TrainingJobDefinition"]
    definition["RoleArn"] = "?"
    text = (
        f"config = {config!r}\ndefinition = {definition!r}\ndefinition['RoleArn'] = role\n"
        "boto3.client('sagemaker').create_hyper_parameter_tuning_job(\n"
        f"    HyperParameterTuningJobName='{request['HyperParameterTuningJobName']}',\n"
        "    HyperParameterTuningJobConfig=config, TrainingJobDefinition=definition)\n"
    )
    assert import_text(text, "t.py").fields == import_text(json.dumps(request), "r.json").fields


def test_several_tuning_jobs_are_chosen_from() -> None:
    several = SCRIPT + SCRIPT.replace("my tuning_job", "other")
    with pytest.raises(UsageError, match="my-tuning-job, other"):
        import_text(several, "t.py")
    assert import_text(several, "t.py", "other").fields["name"] == "other"


def test_several_estimators_are_definitions() -> None:
    text = """
tuner = HyperparameterTuner.create(
    estimator_dict={"xgb": XGBoost(entry_point="x.py"), "nn": PyTorch(entry_point="n.py")},
    objective_metric_name_dict={"xgb": "auc", "nn": "acc"},
    hyperparameter_ranges_dict={
        "xgb": {"eta": ContinuousParameter(0.1, 0.5)}, "nn": {"lr": ContinuousParameter(0, 1)}},
    metric_definitions_dict={"nn": [{"Name": "acc", "Regex": "acc=(.*)"}]},
    strategy="Random", max_jobs=9)
"""
    with pytest.raises(UsageError, match="xgb, nn"):
        import_text(text, "t.py")
    fields = import_text(text, "t.py", "nn").fields
    assert (fields["command"], fields["objective_metric_name"]) == ("python n.py", "acc")
    assert (fields["strategy"], fields["max_jobs"]) == ("Random", 9)
