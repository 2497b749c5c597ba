"""Exported requests, held against the service model of botocore: what the API itself demands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import regex
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from hpt_cli.sagemaker import export_request, import_request
from hpt_cli.spec.model import TuningSpec
from tests.builders import make_spec

REQUEST = json.loads((Path(__file__).parents[2] / "data" / "request.json").read_text())


@cache
def load_shape() -> Any:
    service = ServiceModel(Loader().load_service_model("sagemaker", "service-2"))
    return service.operation_model("CreateHyperParameterTuningJob").input_shape


def list_faults(request: dict[str, Any]) -> list[str]:
    """Return what botocore refuses in a request, and what the service would."""
    report = ParamValidator().validate(request, load_shape()).generate_report()
    return [*report.splitlines(), *_walk(request, load_shape(), "request")]


def _walk(value: Any, shape: Any, path: str) -> Iterator[str]:
    """Yield breaches of largest values, patterns and enumerations, which botocore leaves to the
    service."""
    limits = shape.metadata
    size = len(value) if isinstance(value, (str, list, dict)) else value
    if "max" in limits and size > limits["max"]:
        yield f"{path}: more than {limits['max']}"
    if isinstance(value, str):
        if "pattern" in limits and not regex.fullmatch(limits["pattern"], value):
            yield f"{path}: {value} does not match {limits['pattern']}"
        if shape.enum and value not in shape.enum and value != "FILL-IN":
            yield f"{path}: {value} is none of {shape.enum[:5]}"
    if shape.type_name == "structure":
        for key, each in value.items():
            yield from _walk(each, shape.members[key], f"{path}.{key}")
    elif shape.type_name == "list":
        for each in value:
            yield from _walk(each, shape.member, path)
    elif shape.type_name == "map":
        for key, each in value.items():
            yield from _walk(key, shape.key, path)
            yield from _walk(each, shape.value, f"{path}.{key}")


SPECS: dict[str, dict[str, Any]] = {
    "small": {},
    "channels": {"environment": {"SM_CHANNEL_TRAIN": "data", "SM_CHANNEL_": "x", "A": "b"}},
    "hyperband": {"strategy": "Hyperband", "max_resource": 9},
    "warm start": {"warm_start": {"type": "TransferLearning", "parents": ["a", "homes/b"]}},
    "limits": {
        "max_runtime_seconds": 5,
        "max_job_runtime_seconds": 0.2,
        "target_objective_metric_value": 1,
        "max_jobs_not_improving": 3,
        "complete_on_convergence": True,
        "random_seed": 0,
    },
    "grid": {
        "strategy": "Grid",
        "hyperparameter_ranges": {
            "x": {"type": "Integer", "min_value": 1, "max_value": 9, "step": 2},
            "o": {"type": "Categorical", "values": ["a", 1, 0.5]},
        },
    },
    "other forms": {
        "metric_definitions": [{"name": "loss", "json": "loss"}, {"name": "a", "regex": "a {num}"}]
    },
}


@pytest.mark.parametrize("changes", SPECS.values(), ids=SPECS.keys())
def test_every_exported_request_is_accepted(changes: dict[str, Any]) -> None:
    assert list_faults(export_request(make_spec(**changes)).request) == []


def test_what_was_imported_is_accepted_too() -> None:
    assert list_faults(REQUEST) == []
    spec = TuningSpec.model_validate(import_request(REQUEST).fields)
    assert list_faults(export_request(spec).request) == []


def test_the_check_sees_what_is_wrong() -> None:
    request = export_request(make_spec()).request
    request["TrainingJobDefinition"]["RoleArn"] = "FILL-IN"
    request["HyperParameterTuningJobConfig"]["Strategy"] = "Best"
    assert len(list_faults(request)) == 3


def test_placeholders_are_named() -> None:
    notes = export_request(make_spec(environment={"SM_CHANNEL_A": "data"})).notes
    where = "TrainingJobDefinition"
    for path in ("RoleArn", "OutputDataConfig.S3OutputPath", "ResourceConfig.InstanceType"):
        assert f"fill in {where}.{path}" in notes
    assert f"fill in {where}.InputDataConfig.0.DataSource.S3DataSource.S3Uri" in notes


@pytest.mark.parametrize("text", ["00123", "1e5", "0.50", "1E-3", "+1", "adam", "[64, 64]", "true"])
def test_values_come_back_as_they_went_out(text: str) -> None:
    request = json.loads(json.dumps(REQUEST))
    request["TrainingJobDefinition"]["StaticHyperParameters"]["zip"] = text
    ranges = request["HyperParameterTuningJobConfig"]["ParameterRanges"]
    ranges["CategoricalParameterRanges"].append({"Name": "c", "Values": [text, "other"]})
    spec = TuningSpec.model_validate(import_request(request).fields)
    again = export_request(spec).request
    assert again["TrainingJobDefinition"]["StaticHyperParameters"]["zip"] == text
    kept = again["HyperParameterTuningJobConfig"]["ParameterRanges"]["CategoricalParameterRanges"]
    assert {"Name": "c", "Values": [text, "other"]} in kept


def test_bounds_come_back_as_they_went_out() -> None:
    request = json.loads(json.dumps(REQUEST))
    bounds = {"MinValue": "0", "MaxValue": "1", "ScalingType": "Auto"}
    ranges = {"ContinuousParameterRanges": [{"Name": "x", **bounds}]}
    request["HyperParameterTuningJobConfig"]["ParameterRanges"] = ranges
    spec = TuningSpec.model_validate(import_request(request).fields)
    again = export_request(spec).request
    assert again["HyperParameterTuningJobConfig"]["ParameterRanges"] == ranges
