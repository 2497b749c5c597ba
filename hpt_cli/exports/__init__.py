"""Exports of a tuning job's results: files and experiment trackers.

`tables` makes the tables of SageMaker's SDK and `files` writes them; `mlflow` and `tensorboard`
make a run for each training job. Packages that only exports need are imported on use.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypeAlias

from hpt_cli.errors import HptError, suggest_extra
from hpt_cli.spec.hyperparameters import Hyperparameters, write_values
from hpt_cli.tuning.state import TuningState
from hpt_cli.tuning.summary import Row, Summary

Moments: TypeAlias = Mapping[tuple[int, str, float], float]
"""When a value was seen, in seconds since the epoch, by (job number, metric, step)."""


@dataclass(frozen=True)
class Results:
    """The results of one tuning job."""

    summary: Summary
    state: TuningState
    moments: Moments

    def list_curve(self, row: Row, metric: str) -> list[tuple[float, float, float]]:
        """Return a metric of a training job: (step, value, when it was seen) in order."""
        start = self.find_start(row)
        return [
            (step, value, self.moments.get((row.number, metric, step), start))
            for step, value in self.state.jobs[row.number].curve(metric)
        ]

    def find_start(self, row: Row) -> float:
        """Return when a training job began, or if it has not, when the tuning job did."""
        return self.summary.created_at if row.started_at is None else row.started_at

    def list_metrics(self, row: Row) -> tuple[str, ...]:
        """Return the metrics of a training job."""
        return self.state.jobs[row.number].metrics

    def name_metrics(self) -> tuple[str, ...]:
        """Return the metrics that a training job may have."""
        defined = [each["name"] for each in self.state.spec["metric_definitions"]]
        seen = [name for row in self.summary.rows for name in self.list_metrics(row)]
        return tuple(dict.fromkeys(defined + seen))

    def name_hyperparameters(self) -> tuple[str, ...]:
        """Return the hyperparameters that a training job may have, the static ones first."""
        spec = self.state.spec
        defined = [*spec["static_hyperparameters"], *spec["hyperparameter_ranges"]]
        used = [name for row in self.summary.rows for name in row.hyperparameters]
        return tuple(dict.fromkeys(defined + used))

    def list_hyperparameters(self, row: Row) -> Hyperparameters:
        """Return the hyperparameters of a training job, with the static ones."""
        spec = self.state.spec
        return {**write_values(spec["static_hyperparameters"], spec), **row.hyperparameters}


def import_extra(module: str, extra: str) -> Any:
    """Return a module of a package that an extra of hpt installs.

    Raises:
        HptError: it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise HptError.of(
            "extra-missing",
            f"{module.partition('.')[0]} is not installed: {error}",
            suggest_extra(extra),
        ) from error
