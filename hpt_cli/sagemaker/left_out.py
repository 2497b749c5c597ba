"""What of a request a spec does not hold, with the reasons: nothing is dropped silently."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hpt_cli.errors import did_you_mean
from hpt_cli.sagemaker.names import CONFIG, CONFIG_PATHS, NAME

RESULTS = {
    *("HyperParameterTuningJobArn", "HyperParameterTuningJobStatus", "CreationTime"),
    *("HyperParameterTuningEndTime", "LastModifiedTime", "TrainingJobStatusCounters"),
    *("ObjectiveStatusCounters", "BestTrainingJob", "OverallBestTrainingJob", "FailureReason"),
    *("TuningJobCompletionDetails", "ConsumedResources", "ResponseMetadata"),
    "TrainingJobSummaries",
}
"""What a description has besides the request: results, which a spec does not hold."""
WHY = {
    "Tags": "hpt has no tags",
    "Autotune": "hpt chooses only values: write the fields yourself",
    "RoleArn": "no role is needed here",
    "ResourceConfig": "training jobs run on this machine",
    "HyperParameterTuningResourceConfig": "training jobs run on this machine",
    "OutputDataConfig": "output stays in the job's directory: SM_MODEL_DIR, SM_OUTPUT_DATA_DIR",
    "CheckpointConfig": "checkpoints belong in HPT_CHECKPOINT_DIR, which is kept between attempts",
    "RetryStrategy": "lost training jobs are rerun automatically, up to three attempts",
    "TrainingImage": "no container is used; the command runs as it is",
    "AlgorithmName": "no container is used; the command runs as it is",
    "TrainingInputMode": "data is read from files",
    "EnableManagedSpotTraining": "there are no spot instances here",
    "MaxWaitTimeInSeconds": "there are no spot instances here",
    "MaxPendingTimeInSeconds": "jobs that do not fit wait as long as they must",
    "VpcConfig": "training jobs run in the network of this machine",
    "EnableNetworkIsolation": "training jobs run in the network of this machine",
    "EnableInterContainerTrafficEncryption": "training jobs run on this machine",
    **dict.fromkeys(
        ("ContentType", "CompressionType", "RecordWrapperType", "InputMode", "ShuffleConfig"),
        "data is read from files, as the program reads them",
    ),
    **dict.fromkeys(
        ("AttributeNames", "InstanceGroupNames", "ModelAccessConfig", "HubAccessConfig"),
        "data is read from files, as the program reads them",
    ),
    **dict.fromkeys(
        ("FileSystemId", "FileSystemAccessMode", "FileSystemType", "DatasetSource"),
        "data is read from files, as the program reads them",
    ),
}

_RANGES = (
    *(f"ContinuousParameterRanges.{each}" for each in ("Name", "MinValue", "MaxValue")),
    *(f"IntegerParameterRanges.{each}" for each in ("Name", "MinValue", "MaxValue")),
    *("ContinuousParameterRanges.ScalingType", "IntegerParameterRanges.ScalingType"),
    *("CategoricalParameterRanges.Name", "CategoricalParameterRanges.Values"),
    *("AutoParameters.Name", "AutoParameters.ValueHint"),
)
_SOURCE = "InputDataConfig.DataSource"
_READ = {
    *(NAME, "TrainingJobDefinition", "TrainingJobDefinitions", *RESULTS),
    *(f"{CONFIG}.{path}" for path in CONFIG_PATHS.values()),
    *(f"{CONFIG}.ParameterRanges.{path}" for path in _RANGES),
    "WarmStartConfig.WarmStartType",
    f"WarmStartConfig.ParentHyperParameterTuningJobs.{NAME}",
}
"""Paths in a request that are read; items of a list have the path of the list."""
_READ_OF_DEFINITION = {
    *("DefinitionName", "TuningObjective.MetricName", "TuningObjective.Type"),
    *("StaticHyperParameters", "Environment", "StoppingCondition.MaxRuntimeInSeconds"),
    *(f"HyperParameterRanges.{path}" for path in _RANGES),
    *(f"{_SOURCE}.S3DataSource.{each}" for each in ("S3Uri", "S3DataType")),
    f"{_SOURCE}.S3DataSource.S3DataDistributionType",
    *("InputDataConfig.ChannelName", f"{_SOURCE}.FileSystemDataSource.DirectoryPath"),
    *("AlgorithmSpecification.MetricDefinitions.Name",),
    *("AlgorithmSpecification.MetricDefinitions.Regex",),
    *("AlgorithmSpecification.ContainerEntrypoint", "AlgorithmSpecification.ContainerArguments"),
}


def list_left_out(document: Mapping[str, Any], definition: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each field that a spec does not hold, and for each that nobody knows."""
    for part, read in ((document, _READ), (definition, _READ_OF_DEFINITION)):
        yield from dict.fromkeys(_walk(part, "", read))


def _walk(value: Any, path: str, read: set[str]) -> Iterator[str]:
    if isinstance(value, list):
        for each in value:
            yield from _walk(each, path, read)
    if not isinstance(value, Mapping):
        return
    for key, each in value.items():
        below = f"{path}.{key}" if path else str(key)
        if below in read or each in (None, False, "None", [], {}):
            continue
        if any(known.startswith(f"{below}.") for known in read):
            yield from _walk(each, below, read)
        elif key in WHY:
            yield f"{key}: {WHY[key]}"
        else:
            known = {p.removeprefix(f"{path}.").split(".")[0] for p in read if p.startswith(path)}
            hint = did_you_mean(str(key), [*known, *WHY])
            yield f"{below}: SageMaker has no such field" + (f"; {hint}" if hint else "")
