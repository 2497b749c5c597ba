"""From a spec to a CreateHyperParameterTuningJob request."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hpt_cli.metrics.extractors import to_regex
from hpt_cli.metrics.patterns import STEP_GROUP, expand
from hpt_cli.sagemaker.names import CHANNEL, CONFIG, CONFIG_PATHS, FILL_IN, NAME, PROGRAM
from hpt_cli.spec.command_template import find_placeholders, split_command
from hpt_cli.spec.hyperparameters import Value, format_value
from hpt_cli.spec.model import TuningSpec
from hpt_cli.spec.parts import MAX_REGEX_LENGTH
from hpt_cli.spec.ranges import CategoricalRange, ParameterRange

FILL_IN_ROLE = f"arn:aws:iam::000000000000:role/{FILL_IN}"
FILL_IN_PLACE = f"s3://{FILL_IN}"
"""Placeholders have the form that the API demands of a role and of a place in S3."""
MAX_VALUES = 30
MAX_WHOLE = 1e15
"""Whole bounds up to here are written without a point."""
MIN_RUNTIME = 120


@dataclass(frozen=True)
class Exported:
    """A request, and notes on what must be filled in and what it cannot express."""

    request: dict[str, Any]
    notes: tuple[str, ...]


def export_request(spec: TuningSpec) -> Exported:
    """Return the CreateHyperParameterTuningJob request for a spec.

    What only the cloud needs (role, image, instances, output) is marked FILL-IN. Notes list these
    marks, and what SageMaker cannot do of the spec.
    """
    static, command_notes = _make_static(spec)
    request: dict[str, Any] = {
        NAME: spec.name,
        CONFIG: _make_config(spec),
        "TrainingJobDefinition": {
            "StaticHyperParameters": static,
            "AlgorithmSpecification": {
                "TrainingImage": FILL_IN,
                "TrainingInputMode": "File",
                "MetricDefinitions": [
                    {"Name": each.name, "Regex": write_regex(regex)}
                    for each in spec.metric_definitions
                    if (regex := to_regex(each.model_dump())) is not None
                ],
            },
            "RoleArn": FILL_IN_ROLE,
            "OutputDataConfig": {"S3OutputPath": FILL_IN_PLACE},
            "ResourceConfig": {"InstanceType": FILL_IN, "InstanceCount": 1, "VolumeSizeInGB": 30},
            "StoppingCondition": {
                "MaxRuntimeInSeconds": _whole(spec.max_job_runtime_seconds or 86400)
            },
        },
    }
    definition = request["TrainingJobDefinition"]
    channels = sorted(key for key in spec.environment if re.match(rf"{CHANNEL}\w", key))
    if channels:
        definition["InputDataConfig"] = [_make_channel(key) for key in channels]
    environment = {k: v for k, v in spec.environment.items() if k not in channels}
    if environment:
        definition["Environment"] = environment
    if spec.warm_start:
        request["WarmStartConfig"] = {
            "ParentHyperParameterTuningJobs": [
                {NAME: each.name.rstrip("/").rpartition("/")[2]}
                for each in spec.warm_start.list_parents()
            ],
            "WarmStartType": spec.warm_start.type,
        }
    return Exported(request, (*_list_blanks(request), *command_notes, *_list_unsupported(spec)))


def write_regex(regex: str) -> str:
    """Return a regex for SageMaker: the value is its first group, and no group is a step."""
    return expand(regex).replace(f"(?P<{STEP_GROUP}>", "(?:")


def _make_config(spec: TuningSpec) -> dict[str, Any]:
    values = {field: getattr(spec, field) for field in CONFIG_PATHS}
    values["max_jobs"] = spec.max_jobs if spec.strategy == "Grid" else spec.job_limit
    values["max_parallel_jobs"] = spec.count_slots(None)
    if spec.max_runtime_seconds is not None:
        values["max_runtime_seconds"] = max(MIN_RUNTIME, _whole(spec.max_runtime_seconds))
    values["complete_on_convergence"] = "Enabled" if spec.complete_on_convergence else None
    if spec.strategy != "Hyperband" or spec.max_resource is None:
        values["min_resource"] = values["max_resource"] = None
    config: dict[str, Any] = {"ParameterRanges": _make_ranges(spec.hyperparameter_ranges)}
    for field, path in CONFIG_PATHS.items():
        if values[field] is not None:
            *parents, name = path.split(".")
            place = config
            for parent in parents:
                place = place.setdefault(parent, {})
            place[name] = values[field]
    return config


def _make_ranges(ranges: Mapping[str, ParameterRange]) -> dict[str, Any]:
    made: dict[str, list[dict[str, Any]]] = {}
    for name, each in ranges.items():
        values = _list_values(each)
        if values is not None:
            listed = {"Name": name, "Values": values}
            made.setdefault("CategoricalParameterRanges", []).append(listed)
            continue
        assert not isinstance(each, CategoricalRange)
        bounds = {
            "Name": name,
            "MinValue": _write_bound(each.min_value),
            "MaxValue": _write_bound(each.max_value),
            "ScalingType": each.scaling_type,
        }
        made.setdefault(f"{each.type}ParameterRanges", []).append(bounds)
    return made


def _write_bound(value: float) -> str:
    is_whole = abs(value) < MAX_WHOLE and value == int(value)
    return str(int(value)) if is_whole else format_value(value)


def _list_values(each: ParameterRange) -> list[str] | None:
    """Return the values of a range that SageMaker accepts only as a list; None for other ranges."""
    values: Sequence[Value] | None = None
    if isinstance(each, CategoricalRange):
        values = each.values
    elif each.grid_points is not None:
        values = each.grid
    elif each.step not in (None, 1) and each.size is not None and each.size <= MAX_VALUES:
        values = [each.nth_value(place) for place in range(each.size)]
    return None if values is None else [format_value(value) for value in values]


def _make_static(spec: TuningSpec) -> tuple[dict[str, str], list[str]]:
    """Return static hyperparameters, with the script's name, and notes on the command."""
    static = {name: format_value(value) for name, value in spec.static_hyperparameters.items()}
    words = [word for word in split_command(spec.command) if not find_placeholders(word)]
    scripts = [word for word in words if word.endswith((".py", ".sh"))]
    if not scripts:
        return static, ["the command is not in the request: the image must run it"]
    static[PROGRAM] = scripts[0]
    note = f"{PROGRAM} is {scripts[0]}; sagemaker_submit_directory must give its location in S3"
    return static, [note, "SageMaker passes each hyperparameter as --name value"]


def _make_channel(variable: str) -> dict[str, Any]:
    """Return the channel that a variable with its directory is named after."""
    source = {"S3DataType": "S3Prefix", "S3Uri": FILL_IN_PLACE}
    name = variable.removeprefix(CHANNEL).lower()
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}}


def _list_blanks(request: Any, path: str = "") -> Iterator[str]:
    if isinstance(request, str) and FILL_IN in request:
        yield f"fill in {path}"
    pairs = enumerate(request) if isinstance(request, list) else ()
    for key, each in request.items() if isinstance(request, Mapping) else pairs:
        yield from _list_blanks(each, f"{path}.{key}" if path else str(key))


def _list_unsupported(spec: TuningSpec) -> Iterator[str]:
    """Yield what SageMaker cannot do of a spec."""
    for file in spec.config_files:
        yield f"config_files: {file.template} is not filled in; SageMaker only passes options"
    for name, each in spec.hyperparameter_ranges.items():
        if isinstance(each, CategoricalRange) and len(each.values) > MAX_VALUES:
            yield f"{name}: SageMaker takes at most {MAX_VALUES} values, not {len(each.values)}"
        if each.when:
            yield f"{name}: SageMaker has no conditions (when); it is always tuned"
        if each.prior:
            yield f"{name}: SageMaker has no prior"
        listed = len(_list_values(each) or ())
        if listed > MAX_VALUES:
            yield f"{name}: SageMaker accepts {MAX_VALUES} values of a range, and it has {listed}"
        if not isinstance(each, CategoricalRange) and each.step not in (None, 1):
            values = _list_values(each)
            yield f"{name}: " + (
                "a step became a list of values" if values else "SageMaker has no step"
            )
    if spec.early_stopping is not None:
        yield f"early_stopping: SageMaker has one rule of its own, not '{spec.early_stopping.rule}'"
    if spec.initial_hyperparameters:
        yield "initial_hyperparameters: SageMaker accepts no points to try first"
    if spec.on_completion is not None:
        yield "on_completion: SageMaker decides that itself"
    for metric in spec.metric_definitions:
        regex = to_regex(metric.model_dump())
        if regex is None:
            yield f"{metric.name}: SageMaker finds metrics only by regexes in the output"
        elif len(write_regex(regex)) > MAX_REGEX_LENGTH:
            yield f"{metric.name}: without {{num}}, the regex is longer than {MAX_REGEX_LENGTH}"


def _whole(seconds: float) -> int:
    return max(1, round(seconds))
