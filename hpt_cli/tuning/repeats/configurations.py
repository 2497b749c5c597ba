"""Configurations of a tuning job with repeats: training jobs that differ in their seed alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from hpt_cli.spec.hyperparameters import Hyperparameters, Value
from hpt_cli.spec.repeats import drop_seed
from hpt_cli.strategies import Trial

STATUSES = ("Completed", "Running", "Stopped", "Failed")
"""Those of training jobs: a configuration has the first that one of its own has."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """The training jobs of one configuration, numbered from 1 in the order of their first ones."""

    number: int
    hyperparameters: Hyperparameters
    """Those of its training jobs but for the seed."""
    runs: tuple[Trial, ...]

    @property
    def losses(self) -> list[float]:
        """The losses of the training jobs that have a result."""
        return [run.loss for run in self.runs if run.loss is not None]

    @property
    def mean(self) -> float | None:
        """The mean of its losses; None without any."""
        return fmean(self.losses) if self.losses else None

    @property
    def standard_error(self) -> float | None:
        """That of the mean; None where fewer than two losses tell it."""
        losses = self.losses
        is_known = len(losses) > 1 and all(map(math.isfinite, losses))
        return stdev(losses) / math.sqrt(len(losses)) if is_known else None

    @property
    def is_pending(self) -> bool:
        """Whether one of its training jobs has not ended."""
        return any(run.status == "Running" for run in self.runs)

    def list_seeds(self, seed: str | None) -> list[Value]:
        """Return the seed of each loss; without seeds, what no other training job has."""
        done = (run for run in self.runs if run.loss is not None)
        return [run.hyperparameters.get(seed or "", -run.number) for run in done]


def list_configurations(trials: Iterable[Trial], seed: str | None) -> list[Configuration]:
    """Return the configurations that training jobs are of.

    Args:
        trials: the training jobs, in order of number.
        seed: the hyperparameter in which those of one configuration differ, if any.
    """
    grouped: dict[frozenset[tuple[str, Value]], list[Trial]] = {}
    for trial in trials:
        key = frozenset(drop_seed(trial.hyperparameters, seed).items())
        grouped.setdefault(key, []).append(trial)
    return [
        Configuration(number, drop_seed(runs[0].hyperparameters, seed), tuple(runs))
        for number, runs in enumerate(grouped.values(), 1)
    ]


def find_best_configuration(
    configurations: Sequence[Configuration], count: int
) -> Configuration | None:
    """Return the configuration with the best mean, of those that have run `count` times if any has.

    One good run is luck: what may be the best is run that often.
    """
    able = rank_configurations(configurations)
    full = (each for each in able if len(each.runs) >= count and not each.is_pending)
    return next(full, able[0] if able else None)


def rank_configurations(configurations: Iterable[Configuration]) -> list[Configuration]:
    """Return those that can be the best, the best mean first: those with a finite one."""
    able = [each for each in configurations if each.mean is not None and math.isfinite(each.mean)]
    return sorted(able, key=lambda each: (each.mean, each.number))


def merge_runs(configuration: Configuration) -> Trial:
    """Return a configuration as the one trial that a strategy sees: its loss is the mean."""
    runs = configuration.runs
    told = next((run for status in STATUSES for run in runs if run.status == status), runs[0])
    return Trial(
        number=runs[0].number,
        hyperparameters=configuration.hyperparameters,
        status=told.status,
        loss=configuration.mean,
        curve=told.curve,
    )
