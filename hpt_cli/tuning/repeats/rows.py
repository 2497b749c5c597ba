"""Configurations of the rows of a summary."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hpt_cli.formatting import format_number
from hpt_cli.spec.objective import Objective
from hpt_cli.strategies import Trial, find_trial_status
from hpt_cli.tuning.repeats.configurations import Configuration, list_configurations

if TYPE_CHECKING:
    from hpt_cli.tuning.summary import Row

MEAN_DIGITS, ERROR_DIGITS = 6, 2


def group_rows(rows: Iterable[Row], objective: Objective, seed: str | None) -> list[Configuration]:
    """Return the configurations that training jobs are of, which differ in a seed alone."""
    trials = (
        Trial(
            number=row.number,
            hyperparameters=row.hyperparameters,
            status=find_trial_status(row.phase),
            loss=None if row.final is None else objective.loss(row.final),
            # What was stopped early may not have come to the metric that is constrained.
            is_broken=bool(row.breaks) and row.phase != "Stopped",
        )
        for row in rows
    )
    return list_configurations(trials, seed)


def number_rows(
    rows: tuple[Row, ...], objective: Objective, repeats: Mapping[str, Any] | None
) -> tuple[tuple[Row, ...], tuple[Configuration, ...]]:
    """Return rows with the numbers of their configurations, and these: none without repeats."""
    if repeats is None:
        return rows, ()
    configurations = tuple(group_rows(rows, objective, repeats.get("seed")))
    numbers = {run.number: each.number for each in configurations for run in each.runs}
    return tuple(replace(row, configuration=numbers[row.number]) for row in rows), configurations


def find_mean(configuration: Configuration | None, objective: Objective) -> float | None:
    """Return the mean of a configuration, as a value of the objective."""
    mean = None if configuration is None else configuration.mean
    return None if mean is None else objective.from_loss(mean)


def describe_mean(configuration: Configuration | None, objective: Objective) -> str:
    """Return the same in words: `mean of 3: 0.131 ± 0.004`; "" for a single training job."""
    mean = find_mean(configuration, objective)
    if configuration is None or mean is None or len(configuration.losses) < 2:
        return ""
    error = configuration.standard_error
    words = f"mean of {len(configuration.losses)}: {format_number(mean, MEAN_DIGITS)}"
    return words if error is None else f"{words} ± {format_number(error, ERROR_DIGITS)}"


def select_rows(
    rows: tuple[Row, ...], best: Configuration | None, repeats: Mapping[str, Any] | None
) -> tuple[Row, ...]:
    """Return the rows of which one is the best: with repeats, of the best configuration."""
    if repeats is None:
        return rows
    return tuple(row for row in rows if best is not None and row.configuration == best.number)
