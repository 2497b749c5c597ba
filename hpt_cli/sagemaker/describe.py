"""The results of a tuning job in the form of SageMaker's answers."""

from __future__ import annotations

from typing import Any

from hpt_cli.sagemaker.export_request import export_request
from hpt_cli.spec.hyperparameters import format_value
from hpt_cli.spec.model import TuningSpec
from hpt_cli.tuning.summary import Row, Summary


def describe_tuning_job(spec: TuningSpec, summary: Summary) -> dict[str, Any]:
    """Return the answer of DescribeHyperParameterTuningJob, with the training jobs.

    These stand in `TrainingJobSummaries`, as ListTrainingJobsForHyperParameterTuningJob lists them.
    Times are in seconds since the epoch, as in the JSON of the AWS CLI.
    """
    jobs = summary.job_counts
    return {
        **export_request(spec).request,
        "HyperParameterTuningJobStatus": summary.status,
        "CreationTime": summary.created_at,
        "TrainingJobStatusCounters": {
            "Completed": jobs["completed"],
            "InProgress": jobs["in_progress"],
            "RetryableError": 0,
            "NonRetryableError": jobs["failed"],
            "Stopped": jobs["stopped"],
        },
        "ObjectiveStatusCounters": {
            status.capitalize(): number for status, number in summary.objective_counts.items()
        },
        **({"BestTrainingJob": _describe_job(spec, summary.best)} if summary.best else {}),
        "ConsumedResources": {"RuntimeInSeconds": round(summary.tuning_time)},
        "TrainingJobSummaries": [_describe_job(spec, row) for row in summary.rows],
    }


def _describe_job(spec: TuningSpec, row: Row) -> dict[str, Any]:
    tuned = {name: format_value(value) for name, value in row.hyperparameters.items()}
    described: dict[str, Any] = {
        "TrainingJobName": row.name,
        "TuningJobName": spec.name,
        "CreationTime": row.started_at,
        "TrainingStartTime": row.started_at,
        "TrainingEndTime": row.ended_at,
        "TrainingJobStatus": row.status,
        "TunedHyperParameters": tuned,
        "FailureReason": row.failure_reason,
        "ObjectiveStatus": row.objective_status,
    }
    if row.final is not None:
        described["FinalHyperParameterTuningJobObjectiveMetric"] = {
            "Type": spec.objective_type,
            "MetricName": spec.objective_metric_name,
            "Value": row.final,
        }
    return {key: value for key, value in described.items() if value is not None}
