"""Exports: a tuning job's results for other programs, as files and in trackers.

`tables` makes the tables of SageMaker's SDK and `files` writes them; `mlflow` and `tensorboard`
make one run for each training job. Packages that hpt does not need itself are imported on use.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypeAlias

from hpt_cli.errors import HptError
from hpt_cli.spec.hyperparameters import Hyperparameters
from hpt_cli.tuning.state import TuningState
from hpt_cli.tuning.summary import Row, Summary

Moments: TypeAlias = Mapping[tuple[int, str, float], float]
"""When a training job's metric was seen at a step: by (job, metric, step), in seconds since the
epoch."""


@dataclass(frozen=True)
class Results:
    """One tuning job with all that is exported."""

    summary: Summary
    state: TuningState
    moments: Moments

    def list_curve(self, row: Row, metric: str) -> list[tuple[float, float, float]]:
        """A metric of a training job: (step, value, when it was seen) in order."""
        start = self.find_start(row)
        return [
            (step, value, self.moments.get((row.number, metric, step), start))
            for step, value in self.state.jobs[row.number].curve(metric)
        ]

    def find_start(self, row: Row) -> float:
        """When a training job began; when the tuning job did, for one that has not."""
        return self.summary.created_at if row.started_at is None else row.started_at

    def list_metrics(self, row: Row) -> tuple[str, ...]:
        """The metrics of a training job."""
        return self.state.jobs[row.number].metrics

    def list_hyperparameters(self, row: Row) -> Hyperparameters:
        """The hyperparameters of a training job, with the static ones."""
        return {**self.state.spec["static_hyperparameters"], **row.hyperparameters}


def import_extra(module: str, extra: str) -> Any:
    """A package that comes with an extra of hpt.

    Raises:
        HptError: it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise HptError.of(
            "extra-missing",
            f"{module.partition('.')[0]} is not installed: {error}",
            f"python -m pip install 'hpt-cli[{extra}]'",
        ) from error
