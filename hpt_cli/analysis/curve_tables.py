"""Curve tables: recorded learning curves of many configurations, to try stop rules on.

A table is JSON lines, gzipped or not. The first is the header: `table`, `objective_type`,
`objective_metric_name`, and `hyperparameter_ranges` as in a spec. Every other line is one training
job: `hyperparameters`, `curve` (the objective after each epoch; null is NaN), and if known the
`seconds` that the whole job took; without them an epoch counts as a second.
"""

from __future__ import annotations

import gzip
import json
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from hpt_cli.analysis import replay as replays
from hpt_cli.analysis.replay import Chooser, Figures, RecordedJob, choose_in_order, measure, replay
from hpt_cli.errors import UsageError
from hpt_cli.spec.hyperparameters import Hyperparameters
from hpt_cli.spec.model import StrategyName, TuningSpec
from hpt_cli.spec.objective import Objective
from hpt_cli.spec.ranges import CategoricalRange, ParameterRange
from hpt_cli.stop_rules import StopRule
from hpt_cli.strategies import load_strategy
from hpt_cli.tuning.events import MAX_SECONDS
from hpt_cli.tuning.evidence import suggest_request
from hpt_cli.tuning.state import TuningState

CORRUPT_DATA_ERRORS = (
    *(ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError),
    ValidationError,
)
"""Raised by reading a file that is not a curve table."""
_RANGES: TypeAdapter[dict[str, ParameterRange]] = TypeAdapter(dict[str, ParameterRange])


@dataclass(frozen=True)
class Table:
    """A curve table."""

    name: str
    objective: Objective
    ranges: Mapping[str, ParameterRange]
    jobs: tuple[RecordedJob, ...]

    @cached_property
    def final_losses(self) -> list[float]:
        """The final loss of every configuration."""
        return [self.objective.loss(job.curve[-1][1]) for job in self.jobs]

    @cached_property
    def points(self) -> NDArray[np.float64]:
        """The configurations as points of `encode`, (jobs, columns)."""
        return np.array([self.encode(job.hyperparameters) for job in self.jobs])

    def encode(self, hyperparameters: Hyperparameters) -> list[float]:
        """Return hyperparameters as a point; two categories that differ are 1 apart."""
        point: list[float] = []
        for name, each in self.ranges.items():
            value = hyperparameters[name]
            if isinstance(each, CategoricalRange):
                point += [math.sqrt(0.5) * (value == other) for other in each.values]
            else:
                point.append(each.to_unit(value))
        return point


def read_table(path: Path) -> Table:
    """Read a curve table.

    Raises:
        UsageError: the file cannot be read, or is not a curve table.
    """
    try:
        with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
            header, *rows = [json.loads(line) for line in lines if line.strip()]
        return Table(
            name=str(header.get("table", path.name)),
            objective=_read_objective(header),
            ranges=_RANGES.validate_python(header.get("hyperparameter_ranges", {})),
            jobs=tuple(_read_job(row) for row in rows),
        )
    except OSError as error:
        raise UsageError.of("table-unreadable", f"{path}: {error.strerror or error}") from error
    except (EOFError, zlib.error) as error:
        raise UsageError.of("table-unreadable", f"{path}: {error}") from error
    except CORRUPT_DATA_ERRORS as error:
        raise UsageError.of(
            "table-invalid",
            f"{path} is not a curve table: {type(error).__name__}: {error}",
            "JSON lines: a header with objective_metric_name and objective_type, then a line with"
            " hyperparameters and curve for each training job",
        ) from error


def _read_objective(header: Mapping[str, Any]) -> Objective:
    if header["objective_type"] not in ("Maximize", "Minimize"):
        raise ValueError("objective_type is neither Maximize nor Minimize")
    return Objective.of(header)


def _read_job(row: Mapping[str, Any]) -> RecordedJob:
    values = [math.nan if value is None else float(value) for value in row["curve"]]
    if not values:
        raise ValueError("a curve is empty")
    seconds = float(row.get("seconds") or len(values))
    if not 0 <= seconds <= MAX_SECONDS:
        raise ValueError(f"seconds is {seconds!r}")
    return RecordedJob(
        hyperparameters=row["hyperparameters"],
        curve=tuple((float(epoch), value) for epoch, value in enumerate(values, 1)),
        seconds=seconds,
    )


def make_spec(table: Table, strategy: StrategyName, jobs: int, parallel: int) -> TuningSpec:
    """Return the spec of the tuning job that is replayed on a table.

    Raises:
        UsageError: the table has too few jobs, or no ranges for a strategy to search.
    """
    if jobs > len(table.jobs):
        raise UsageError.of("table-size", f"--jobs {jobs}: {table.name} only has {len(table.jobs)}")
    if strategy != "Random" and not table.ranges:
        raise UsageError.of(
            "table-ranges",
            f"{table.name} has no hyperparameter_ranges to search",
            "replay it with --strategy Random",
        )
    return replays.make_spec(
        table.objective, jobs, parallel, strategy=strategy, hyperparameter_ranges=dict(table.ranges)
    )


def replay_table(
    table: Table, spec: TuningSpec, rules: Sequence[StopRule], seed: int
) -> list[Figures]:
    """Return the effect of each rule on the tuning job of one seed, pausing as the spec says."""
    spec = spec.model_copy(update={"random_seed": seed})
    plain = spec.model_copy(update={"pausing": None})
    off = None
    figures = []
    for rule in rules:
        run = replay(spec, make_chooser(table, spec), rule)
        # A strategy chooses by the results, which the rule changes: the same jobs are compared.
        if off is None or off.jobs != run.jobs:
            off = replay(plain, choose_in_order(run.jobs), None)
        figures.append(measure(off, run, table.final_losses))
    return figures


def make_chooser(table: Table, spec: TuningSpec) -> Chooser:
    """Return a chooser of random jobs, or of the strategy's; no row of the table comes twice."""
    if spec.strategy == "Random":
        rng = np.random.default_rng(spec.random_seed)
        rows = rng.choice(len(table.jobs), size=spec.max_jobs, replace=False)
        return choose_in_order([table.jobs[row] for row in rows])
    return _choose_nearest(table, spec)


def _choose_nearest(table: Table, spec: TuningSpec) -> Chooser:
    """Return a chooser of the unused recorded job nearest to what the strategy suggests."""
    strategy = load_strategy(spec.strategy)
    used: list[int] = []

    def choose(state: TuningState, number: int) -> RecordedJob | None:
        suggested = strategy.suggest(suggest_request(spec, state, number))
        if suggested is None:
            return None
        distances = ((table.points - np.array(table.encode(suggested))) ** 2).sum(axis=1)
        # No row comes twice.
        distances[used] = np.inf
        used.append(int(distances.argmin()))
        return table.jobs[used[-1]]

    return choose
