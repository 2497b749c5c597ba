"""SageMaker's requests as specs, specs as requests, and what is lost on the way."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from hpt_cli.errors import UsageError
from hpt_cli.metrics.patterns import compile_regex
from hpt_cli.sagemaker import describe_tuning_job, export_request, import_request
from hpt_cli.sagemaker.import_request import decode_value, guess_regex, translate_regex
from hpt_cli.spec.model import TuningSpec
from hpt_cli.tuning.summary import summarize
from tests.builders import created, fold_all, make_spec, run

REQUEST = json.loads((Path(__file__).parents[2] / "data" / "request.json").read_text())


def change(**changes: Any) -> dict[str, Any]:
    config = REQUEST["HyperParameterTuningJobConfig"] | changes
    return REQUEST | {"HyperParameterTuningJobConfig": config}


def test_a_request_is_a_spec() -> None:
    spec = TuningSpec.model_validate(import_request(REQUEST).fields)
    assert spec.command == "python mnist.py"
    assert spec.hyperparameter_ranges["optimizer"].values == ("sgd", "adam")  # type: ignore[union-attr]
    assert spec.hyperparameter_ranges["batch-size"].values == (32, 64, 128)  # type: ignore[union-attr]
    assert spec.hyperparameter_ranges["lr"].scaling == "Logarithmic"  # type: ignore[union-attr]
    assert spec.static_hyperparameters == {"backend": "gloo", "epochs": 6}
    assert spec.environment == {"SM_CHANNEL_TRAINING": "data/training", "NCCL_DEBUG": "INFO"}
    assert (spec.max_jobs, spec.max_parallel_jobs, spec.random_seed) == (9, 3, 7)
    assert (spec.target_objective_metric_value, spec.max_jobs_not_improving) == (0.02, 5)
    assert (spec.early_stopping_type, spec.max_job_runtime_seconds) == ("Auto", 86400)
    assert spec.objective.maximize is False


def test_what_a_spec_does_not_hold_is_listed() -> None:
    left_out = {each.partition(":")[0] for each in import_request(REQUEST).left_out}
    assert {"RoleArn", "TrainingImage", "Tags", "RetryStrategy", "ResourceConfig"} <= left_out
    assert {"InputDataConfig.training", "MaxWaitTimeInSeconds"} <= left_out
    assert "EnableNetworkIsolation" not in left_out  # it was off


def test_the_answer_of_describe_is_a_request_with_results() -> None:
    answer = REQUEST | {"HyperParameterTuningJobStatus": "Completed", "BestTrainingJob": {"a": 1}}
    assert import_request(answer) == import_request(REQUEST)


def test_what_is_no_request_is_refused_with_all_that_is_wrong() -> None:
    with pytest.raises(UsageError, match="no HyperParameterTuningJobConfig"):
        import_request([1])
    broken = change(
        HyperParameterTuningJobObjective={},
        ParameterRanges={"IntegerParameterRanges": [{"Name": "n", "MinValue": "one"}]},
    )
    with pytest.raises(UsageError) as caught:
        import_request(broken)
    said = [each.message for each in caught.value.problems]
    assert len(said) == 3
    assert "n: MinValue 'one' is not a number" in said
    assert "n: MaxValue None is not a number" in said


def test_unknown_fields_inside_known_parts_are_listed() -> None:
    request = change(
        ResourceLimits={"MaxNumberOfTrainingJob": 9, "MaxParallelTrainingJobs": 3},
        StrategyConfig={"HyperbandStrategyConfig": {"MaxResources": 3}},
        TuningJobCompletionCriteria={"Unheard": 1},
    )
    channel = {"ChannelName": "a", "ShuffleConfig": {"Seed": 1}, "CompressionType": "None"}
    definition = REQUEST["TrainingJobDefinition"] | {
        "VpcConfig": {"Subnets": ["s"]},
        "InputDataConfig": [channel, channel],
    }
    lines = import_request(request | {"TrainingJobDefinition": definition}).left_out
    config = "HyperParameterTuningJobConfig"
    assert (
        f"{config}.ResourceLimits.MaxNumberOfTrainingJob: SageMaker has no such field;"
        " did you mean 'MaxNumberOfTrainingJobs'?"
    ) in lines
    assert any("MaxResources" in line and "'MaxResource'" in line for line in lines)
    assert f"{config}.TuningJobCompletionCriteria.Unheard: SageMaker has no such field" in lines
    assert sum(line.startswith("ShuffleConfig: data is read") for line in lines) == 1
    assert any(line.startswith("VpcConfig: ") for line in lines)
    assert not any("CompressionType" in line or "S3Uri" in line for line in lines)


def test_autotune_gets_ranges_around_the_examples_that_it_has() -> None:
    hints = {"learning_rate": "0.1", "batch_size": "64", "schedule": "cosine"}
    ranges = {"AutoParameters": [{"Name": k, "ValueHint": v} for k, v in hints.items()]}
    imported = import_request(change(ParameterRanges=ranges))
    found = TuningSpec.model_validate(imported.fields).hyperparameter_ranges
    assert [*found] == ["learning_rate", "batch_size"]
    assert found["learning_rate"].contains(0.1)
    assert found["batch_size"].type == "Integer"
    assert found["batch_size"].contains(64)
    assert [field for field, _ in imported.fill_in] == ["hyperparameter_ranges"] * 3


def test_a_configuration_alone_is_a_request() -> None:
    config = REQUEST["HyperParameterTuningJobConfig"]
    imported = import_request(config)
    assert imported.fields["max_jobs"] == 9
    assert imported.fields["command"] == "python train.py"
    assert "command" in dict(imported.fill_in)


def test_directories_of_channels_are_where_they_are_here() -> None:
    algorithm = {
        "ContainerEntrypoint": ["python3", "t.py", "--data", "/opt/ml/input/data/train/a"],
        "ContainerArguments": ["--model=/opt/ml/model"],
    }
    definition = REQUEST["TrainingJobDefinition"] | {"AlgorithmSpecification": algorithm}
    imported = import_request(REQUEST | {"TrainingJobDefinition": definition})
    assert imported.fields["command"][2:] == ["--data", "data/train/a", "--model=/opt/ml/model"]
    assert "--model=/opt/ml/model is in SageMaker's container" in dict(imported.fill_in)["command"]


def test_numbers_may_be_text() -> None:
    request = change(
        ResourceLimits={"MaxNumberOfTrainingJobs": "9", "MaxParallelTrainingJobs": "3"}
    )
    assert import_request(request).fields["max_jobs"] == 9
    ranges = {"IntegerParameterRanges": [{"Name": "n", "MinValue": "1.0", "MaxValue": "1e2"}]}
    fields = import_request(change(ParameterRanges=ranges)).fields
    assert fields["hyperparameter_ranges"]["n"]["max_value"] == 100
    ranges = {"IntegerParameterRanges": [{"Name": "n", "MinValue": "1.5", "MaxValue": "9"}]}
    with pytest.raises(UsageError, match=r"1\.5.*is not a whole number"):
        import_request(change(ParameterRanges=ranges))


def test_one_of_several_definitions_is_chosen_by_name() -> None:
    definition = REQUEST["TrainingJobDefinition"]
    several = [definition | {"DefinitionName": name} for name in ("linear", "trees")]
    request = REQUEST | {"TrainingJobDefinition": None, "TrainingJobDefinitions": several}
    with pytest.raises(UsageError, match="linear, trees"):
        import_request(request)
    assert import_request(request, "trees").fields == import_request(REQUEST).fields


def test_a_built_in_algorithm_gets_a_regex_by_the_name_of_its_metric() -> None:
    objective = {"Type": "Minimize", "MetricName": "validation:rmse"}
    imported = import_request(change(HyperParameterTuningJobObjective=objective))
    assert imported.guessed == ("validation:rmse",)
    (regex,) = (
        each["regex"]
        for each in imported.fields["metric_definitions"]
        if each["name"] == "validation:rmse"
    )
    found = compile_regex(regex).search("[3]\ttrain-rmse:0.2\tvalidation-rmse:1e-05")
    assert found is not None
    assert found[1] == "1e-05"
    assert guess_regex("val_loss") == r"\bval[\W_]?loss[\s:=]+({num})"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(('"adam"', "adam"), ("1e-05", 1e-5), ("32", 32), ("[32]", "[32]"), ('"', '"'), ("", "")),
        *(
            ("00123", "00123"),
            ("1e5", 1e5),
            ("1e-4", 1e-4),
            ("0.50", 0.5),
            ("+1", "+1"),
            ("-3", -3),
        ),
    ],
)
def test_values_lose_the_quotes_of_script_mode(text: str, value: Any) -> None:
    assert decode_value(text) == value


@pytest.mark.parametrize(
    ("regex", "line", "value"),
    [
        (r"'eval_loss': ([0-9]+(.|e\-)[0-9]+),?", "'eval_loss': 0.25, 'epoch'", "0.25"),
        (r".*\[[0-9]+\].*#011validation-rmse:(\S+)", "[1]\ta:2\tvalidation-rmse:3", "3"),
        (r"[(](\d+)[)(](x)", "(7)x", "7"),
        (r"\((\d+)\) ((a)|(b))", "(7) b", "7"),
    ],
)
def test_a_regex_keeps_its_first_group(regex: str, line: str, value: str) -> None:
    pattern = compile_regex(translate_regex(regex))
    found = pattern.search(line)
    assert found is not None
    assert found[pattern.value] == value


def test_there_and_back_again() -> None:
    spec = TuningSpec.model_validate(import_request(REQUEST).fields)
    exported = export_request(spec)
    again = TuningSpec.model_validate(import_request(exported.request).fields)
    expanded = {"metric_definitions": again.metric_definitions}  # `#011` became `(?:\t|#011)`
    assert spec.model_copy(update=expanded) == again
    assert "fill in TrainingJobDefinition.RoleArn" in exported.notes
    config = exported.request["HyperParameterTuningJobConfig"]
    assert config["ParameterRanges"] == {
        kind: [
            each | ({"Values": [v.strip('"') for v in each["Values"]]} if "Values" in each else {})
            for each in ranges
        ]
        for kind, ranges in REQUEST["HyperParameterTuningJobConfig"]["ParameterRanges"].items()
    }


def test_what_sagemaker_cannot_do_is_noted() -> None:
    spec = make_spec(
        hyperparameter_ranges={
            "opt": {"type": "Categorical", "values": ["a", "b"]},
            "x": {"type": "Integer", "min_value": 8, "max_value": 32, "step": 8},
            "m": {"type": "Continuous", "min_value": 0, "max_value": 1, "when": {"opt": "a"}},
            "file": {"type": "Categorical", "values": [f"f{number}" for number in range(31)]},
        },
        initial_hyperparameters=[{"x": 8}],
        early_stopping_type="Auto",
        early_stopping={"rule": "median"},
    )
    exported = export_request(spec)
    ranges = exported.request["HyperParameterTuningJobConfig"]["ParameterRanges"]
    assert {"Name": "x", "Values": ["8", "16", "24", "32"]} in ranges["CategoricalParameterRanges"]
    notes = " | ".join(exported.notes)
    for words in ("no conditions", "list of values", "not 'median'", "no points to try first"):
        assert words in notes
    assert "file: SageMaker accepts 30 values of a range, and it has 31" in exported.notes


def test_a_step_is_no_value_there() -> None:
    definition = {"name": "loss", "regex": r"Epoch {step}: ({num})"}
    request = export_request(make_spec(metric_definitions=[definition])).request
    algorithm = request["TrainingJobDefinition"]["AlgorithmSpecification"]
    found = re.search(algorithm["MetricDefinitions"][0]["Regex"], "Epoch 3: 0.25")
    assert found is not None
    assert found[1] == "0.25"


def test_results_are_those_of_describe() -> None:
    spec = make_spec()
    state = fold_all(*created(spec), *run(1, 0.5, 0.25))
    answer = describe_tuning_job(spec, summarize(state, 100.0, at_work=False))
    assert answer["TrainingJobStatusCounters"]["Completed"] == 1
    best = answer["BestTrainingJob"]
    assert best["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] == 0.25
    assert all(isinstance(each, str) for each in best["TunedHyperParameters"].values())
    json.dumps(answer)
