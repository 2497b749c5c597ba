"""Names in the API of SageMaker."""

from __future__ import annotations

CONFIG = "HyperParameterTuningJobConfig"
NAME = "HyperParameterTuningJobName"
PROGRAM = "sagemaker_program"
"""The static hyperparameter with the name of the script, in script mode."""
FILL_IN = "FILL-IN"
"""Stands where a value must be filled in."""
CHANNEL = "SM_CHANNEL_"
"""The prefix of the variable with the directory of a channel."""

_HYPERBAND = "StrategyConfig.HyperbandStrategyConfig"
_LIMITS = "ResourceLimits"
_CRITERIA = "TuningJobCompletionCriteria"
CONFIG_PATHS = {
    "objective_metric_name": "HyperParameterTuningJobObjective.MetricName",
    "objective_type": "HyperParameterTuningJobObjective.Type",
    "strategy": "Strategy",
    "random_seed": "RandomSeed",
    "min_resource": f"{_HYPERBAND}.MinResource",
    "max_resource": f"{_HYPERBAND}.MaxResource",
    "max_jobs": f"{_LIMITS}.MaxNumberOfTrainingJobs",
    "max_parallel_jobs": f"{_LIMITS}.MaxParallelTrainingJobs",
    "max_runtime_seconds": f"{_LIMITS}.MaxRuntimeInSeconds",
    "target_objective_metric_value": f"{_CRITERIA}.TargetObjectiveMetricValue",
    "max_jobs_not_improving": (
        f"{_CRITERIA}.BestObjectiveNotImproving.MaxNumberOfTrainingJobsNotImproving"
    ),
    "complete_on_convergence": f"{_CRITERIA}.ConvergenceDetected.CompleteOnConvergence",
    "early_stopping_type": "TrainingJobEarlyStoppingType",
}
"""Where the value of a spec's field stands in the tuning job's configuration."""
