"""Tuning jobs that Python source creates at SageMaker, as requests."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from hpt_cli.importers.parts import make_name
from hpt_cli.importers.python_source import Call, Unknown
from hpt_cli.sagemaker.names import CONFIG, FILL_IN, NAME, PROGRAM

CREATE = "create_hyper_parameter_tuning_job"
TUNER = "HyperparameterTuner"
_RANGES = {
    "ContinuousParameter": "ContinuousParameterRanges",
    "IntegerParameter": "IntegerParameterRanges",
    "CategoricalParameter": "CategoricalParameterRanges",
}
_TUNER_ARGUMENTS = (
    *("estimator", "objective_metric_name", "hyperparameter_ranges", "metric_definitions"),
    *("strategy", "objective_type", "max_jobs", "max_parallel_jobs", "max_runtime_in_seconds"),
)
_WARM_STARTS = ("IdenticalDataAndAlgorithm", "TransferLearning")


def find_requests(calls: Iterable[Call]) -> list[dict[str, Any]]:
    """Return the request of each tuning job that is created; what is no literal is FILL-IN."""
    requests = []
    for call in calls:
        if call.name == CREATE and CONFIG in call.keywords:
            requests.append(_write(dict(call.keywords)))
        elif call.name == TUNER and (call.arguments or call.keywords):
            requests.append(_write(_convert_tuner(call)))
        elif call.function.endswith(f"{TUNER}.create"):
            requests.append(_write(_convert_tuners(call)))
    return requests


def _write(value: Any) -> Any:
    """Return values without None, and what is not known as FILL-IN with its source."""
    if isinstance(value, Mapping):
        return {str(k): _write(each) for k, each in value.items() if each is not None}
    if isinstance(value, (list, tuple)):
        return [_write(each) for each in value]
    if isinstance(value, (Unknown, Call)):
        return f"{FILL_IN} {value}"
    return value


def _convert_tuner(call: Call) -> dict[str, Any]:
    given = {name: call.get(name, place) for place, name in enumerate(_TUNER_ARGUMENTS)} | {
        **call.keywords
    }
    estimator = given.get("estimator") or given.get("model_trainer")
    fit = _find_method(call, "fit") or _find_method(call, "tune")
    inputs = fit.get("inputs", 0) if fit else None
    ranges = given["hyperparameter_ranges"]
    config = _convert_config(given)
    config["HyperParameterTuningJobObjective"] = {
        "MetricName": given["objective_metric_name"],
        "Type": given["objective_type"] or "Maximize",
    }
    config["ParameterRanges"] = _convert_ranges(ranges)
    definition = _convert_estimator(estimator, given["metric_definitions"], ranges, inputs)
    return {
        NAME: _make_name(given.get("base_tuning_job_name"), fit),
        CONFIG: config,
        "TrainingJobDefinition": definition,
        "WarmStartConfig": _convert_warm_start(given.get("warm_start_config")),
    }


def _convert_tuners(call: Call) -> dict[str, Any]:
    """Return the request of `HyperparameterTuner.create`, with several definitions."""

    def pick(argument: str, place: int | None, name: str) -> Any:
        values = call.get(argument, place) or {}
        return values.get(name) if isinstance(values, Mapping) else values

    estimators = call.get("estimator_dict", 0) or {}
    fit = _find_method(call, "fit")
    inputs = fit.get("inputs", 0) if fit else None
    definitions = []
    for name, estimator in (estimators if isinstance(estimators, Mapping) else {}).items():
        ranges = pick("hyperparameter_ranges_dict", 2, name)
        channels = inputs.get(name) if isinstance(inputs, Mapping) else inputs
        definitions.append(
            {
                "DefinitionName": name,
                "TuningObjective": {
                    "MetricName": pick("objective_metric_name_dict", 1, name),
                    "Type": call.get("objective_type", default="Maximize"),
                },
                "HyperParameterRanges": _convert_ranges(ranges),
                **_convert_estimator(
                    estimator, pick("metric_definitions_dict", 3, name), ranges, channels
                ),
            }
        )
    return {
        NAME: _make_name(call.get("base_tuning_job_name"), fit),
        CONFIG: _convert_config(call.keywords),
        "TrainingJobDefinitions": definitions,
        "WarmStartConfig": _convert_warm_start(call.get("warm_start_config")),
    }


def _convert_config(given: Mapping[str, Any]) -> dict[str, Any]:
    criteria, strategy = given.get("completion_criteria_config"), given.get("strategy_config")
    hyperband = _get(strategy, "hyperband_strategy_config")
    converges = _get(criteria, "complete_on_convergence")
    return {
        "Strategy": given.get("strategy") or "Bayesian",
        "ResourceLimits": {
            "MaxNumberOfTrainingJobs": given.get("max_jobs") or 1,
            "MaxParallelTrainingJobs": given.get("max_parallel_jobs") or 1,
            "MaxRuntimeInSeconds": given.get("max_runtime_in_seconds"),
        },
        "TrainingJobEarlyStoppingType": given.get("early_stopping_type") or "Off",
        "RandomSeed": given.get("random_seed"),
        "StrategyConfig": {
            "HyperbandStrategyConfig": {
                "MinResource": _get(hyperband, "min_resource"),
                "MaxResource": _get(hyperband, "max_resource"),
            }
        },
        "TuningJobCompletionCriteria": {
            "TargetObjectiveMetricValue": _get(criteria, "target_objective_metric_value"),
            "BestObjectiveNotImproving": {
                "MaxNumberOfTrainingJobsNotImproving": _get(
                    criteria, "max_number_of_training_jobs_not_improving"
                )
            },
            "ConvergenceDetected": {
                "CompleteOnConvergence": "Enabled" if converges is True else None
            },
        },
    }


def _convert_ranges(ranges: Any) -> dict[str, Any]:
    made: dict[str, list[dict[str, Any]]] = {}
    if not isinstance(ranges, Mapping):
        return {"AutoParameters": [{"Name": ranges, "ValueHint": ranges}]}
    for name, each in ranges.items():
        kind = _RANGES.get(each.name) if isinstance(each, Call) else None
        if kind == "CategoricalParameterRanges":
            values = each.get("values", 0)
            listed = list(map(_write_text, values)) if isinstance(values, list) else values
            made.setdefault(kind, []).append({"Name": name, "Values": listed})
        elif kind is not None:
            bounds = {
                "Name": name,
                "MinValue": each.get("min_value", 0),
                "MaxValue": each.get("max_value", 1),
                "ScalingType": each.get("scaling_type", 2, "Auto"),
            }
            made.setdefault(kind, []).append(bounds)
        else:
            made.setdefault("AutoParameters", []).append({"Name": name, "ValueHint": each})
    return made


def _convert_estimator(estimator: Any, metrics: Any, ranges: Any, inputs: Any) -> dict[str, Any]:
    code = _get(estimator, "source_code")
    static = _merge_hyperparameters(estimator)
    tuned = ranges if isinstance(ranges, Mapping) else {}
    command = _get(code, "command")
    directory = _get(estimator, "source_dir") or _get(code, "source_dir")
    script = _get(estimator, "entry_point") or _get(code, "entry_script")
    if isinstance(script, str) and isinstance(directory, str) and "://" not in directory:
        script = f"{directory.strip('/')}/{script}".removeprefix("./")
    kept = {name: _write_text(each) for name, each in static.items() if name not in tuned}
    if script is not None:
        kept[PROGRAM] = script
    image = _get(estimator, "image_uri") or _get(estimator, "image_name")
    image = image or _get(estimator, "training_image")
    stopping = _get(_get(estimator, "stopping_condition"), "max_runtime_in_seconds")
    longest = _get(estimator, "max_run") or _get(estimator, "train_max_run") or stopping
    metrics = metrics or _get(estimator, "metric_definitions")
    return {
        "StaticHyperParameters": kept,
        "AlgorithmSpecification": {
            "TrainingImage": image if isinstance(image, str) else f"the image of {estimator}",
            "MetricDefinitions": metrics if isinstance(metrics, list) else None,
            "ContainerEntrypoint": shlex.split(command) if isinstance(command, str) else None,
        },
        "InputDataConfig": _convert_inputs(inputs),
        "StoppingCondition": {"MaxRuntimeInSeconds": longest},
        "Environment": _get(estimator, "environment"),
    }


def _merge_hyperparameters(estimator: Any) -> dict[str, Any]:
    given = _get(estimator, "hyperparameters")
    merged = dict(given) if isinstance(given, Mapping) else {}
    for method in estimator.methods if isinstance(estimator, Call) else ():
        if method.name == "set_hyperparameters":
            merged |= method.keywords
    return merged


def _convert_inputs(inputs: Any) -> list[dict[str, Any]] | None:
    if inputs is None:
        return None
    channels = inputs if isinstance(inputs, Mapping) else {"training": inputs}
    made = []
    for name, each in channels.items():
        uri = each.get("s3_data", 0) if isinstance(each, Call) else each
        place = uri if isinstance(uri, str) else f"what {uri} stands for"
        made.append({"ChannelName": name, "DataSource": {"S3DataSource": {"S3Uri": place}}})
    return made


def _convert_warm_start(config: Any) -> dict[str, Any] | None:
    if not isinstance(config, Call):
        return None
    kind = config.get("warm_start_type", 0)
    words = str(kind).rpartition(".")[2].replace("_", "").lower()
    kind = next((each for each in _WARM_STARTS if each.lower() == words), kind)
    parents = config.get("parents", 1)
    listed = parents if isinstance(parents, list) else [parents]
    return {"WarmStartType": kind, "ParentHyperParameterTuningJobs": [{NAME: p} for p in listed]}


def _find_method(call: Call, name: str) -> Call | None:
    return next((each for each in call.methods if each.name == name), None)


def _get(value: Any, keyword: str) -> Any:
    return value.get(keyword) if isinstance(value, Call) else None


def _write_text(value: Any) -> Any:
    """Return a hyperparameter as script mode passes it on; text keeps what it looks like."""
    if isinstance(value, list) and all(isinstance(each, (str, int, float)) for each in value):
        return str(value)
    return str(value) if isinstance(value, (str, int, float)) else value


def _make_name(base: Any, fit: Call | None) -> str:
    given = (fit.get("job_name") if fit else None) or base
    return make_name(given) if isinstance(given, str) else "imported"


def find_sweeps(calls: Iterable[Call]) -> list[Any]:
    """Return the configuration of each W&B sweep that is created."""
    sweeps = [call for call in calls if call.function in ("wandb.sweep", "sweep")]
    return [_write(call.get("sweep", 0)) for call in sweeps]
