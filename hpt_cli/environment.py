"""What a training job finds in its environment."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from hpt_cli.core.command import render_argv
from hpt_cli.core.hyperparameters import Hyperparameters, format_value
from hpt_cli.core.names import job_name
from hpt_cli.core.spec import TuningSpec
from hpt_cli.executors import Order
from hpt_cli.jobdir import JobDir


def make_order(
    spec: TuningSpec,
    jobdir: JobDir,
    base: Mapping[str, str],
    directory: str,
    number: int,
    attempt: int,
    tuned: Hyperparameters,
) -> Order:
    """What to launch for one attempt of a training job.

    Args:
        base: the tuner's own environment, which the job inherits.
        directory: where the tuning job was started; relative paths in the spec begin there.
    """
    hyperparameters = {**tuned, **spec.static_hyperparameters}
    job_dir = jobdir.training_job(number).resolve()
    attempt_dir = jobdir.attempt(number, attempt).path.resolve()
    environment = {
        **base,
        "PYTHONUNBUFFERED": "1",
        **_sagemaker_variables(hyperparameters),
        **spec.environment,
        "HPT_TUNING_JOB": spec.name,
        "HPT_TRAINING_JOB": job_name(spec.name, number),
        "HPT_JOB_DIR": str(job_dir),
        "HPT_ATTEMPT_DIR": str(attempt_dir),
        "HPT_CHECKPOINT_DIR": str(jobdir.checkpoints(number).resolve()),
        "HPT_ATTEMPT": str(attempt),
        "HPT_HYPERPARAMETERS": json.dumps(hyperparameters),
    }
    return Order(
        argv=render_argv(spec.command, hyperparameters, shell=spec.shell),
        environment=environment,
        working_directory=Path(directory, spec.working_directory),
        directory=attempt_dir,
    )


def _sagemaker_variables(hyperparameters: Hyperparameters) -> dict[str, str]:
    """What scripts written for SageMaker read: SM_HPS, and SM_HP_<NAME> for each."""
    named = {
        f"SM_HP_{re.sub(r'[^A-Z0-9_]', '_', name.upper())}": format_value(value)
        for name, value in hyperparameters.items()
    }
    return {"SM_HPS": json.dumps(hyperparameters), **named}
