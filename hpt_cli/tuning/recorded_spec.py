"""What a journal says was asked for, as far as it is read without loading it as a TuningSpec.

Loading takes longer than a short report. The rest of a recorded spec is checked when it is loaded.
"""

from __future__ import annotations

from typing import Annotated, Any, TypedDict

from hpt_cli.spec.hyperparameters import Value
from hpt_cli.spec.names import find_name_fault
from hpt_cli.tuning.typed_json import make_reader


def _check_name(name: str) -> str:
    if fault := find_name_fault(name):
        raise ValueError(fault)
    return name


class _Definition(TypedDict):
    name: str


class _EarlyStopping(TypedDict, total=False):
    rule: str | None


class _WarmStart(TypedDict):
    type: str


class _Optional(TypedDict, total=False):
    description: str | None
    executor: str
    max_jobs: int | None
    stop_grace_seconds: float
    early_stopping_type: str
    early_stopping: _EarlyStopping | None
    warm_start: _WarmStart | None


class _RecordedSpec(_Optional):
    name: Annotated[str, _check_name]
    command: str | tuple[str, ...]
    shell: bool
    hyperparameter_ranges: dict[str, dict[str, Any]]
    static_hyperparameters: dict[str, Value | bool]
    metric_definitions: tuple[_Definition, ...]
    objective_metric_name: str
    objective_type: str


class _BestJob(TypedDict):
    training_job_name: str
    final_objective_value: float
    hyperparameters: dict[str, Value | bool]


check_spec = make_reader(_RecordedSpec)
"""Returns a recorded spec as it is; raises TypeError or ValueError if hpt has not recorded it."""
check_best = make_reader(_BestJob)
"""Returns a parent's best training job as it is, as a warm start records it; raises the same."""
