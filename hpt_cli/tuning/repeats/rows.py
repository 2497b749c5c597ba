"""Configurations of the rows of a summary."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hpt_cli.spec.objective import Objective
from hpt_cli.strategies import Trial, find_trial_status
from hpt_cli.tuning.repeats.configurations import (
    Configuration,
    find_best_configuration,
    list_configurations,
)

if TYPE_CHECKING:
    from hpt_cli.tuning.summary import Row


def group_rows(rows: Iterable[Row], objective: Objective, seed: str | None) -> list[Configuration]:
    """Return the configurations that training jobs are of, which differ in a seed alone."""
    trials = (
        Trial(
            number=row.number,
            hyperparameters=row.hyperparameters,
            status=find_trial_status(row.phase),
            loss=None if row.final is None else objective.loss(row.final),
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


def select_rows(
    rows: tuple[Row, ...],
    configurations: Sequence[Configuration],
    repeats: Mapping[str, Any] | None,
) -> tuple[Row, ...]:
    """Return the rows of which one is the best: with repeats, of the best configuration."""
    if repeats is None:
        return rows
    best = find_best_configuration(configurations)
    return tuple(row for row in rows if best is not None and row.configuration == best.number)
