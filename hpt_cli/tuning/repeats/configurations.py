"""Configurations of a tuning job with repeats: training jobs that differ in their seed alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, pvariance, stdev

from hpt_cli.spec.hyperparameters import Hyperparameters, Value
from hpt_cli.spec.repeats import drop_seed
from hpt_cli.strategies import Trial

STATUSES = ("Completed", "Running", "Stopped", "Failed")
"""Those of training jobs: a configuration has the first that one of its own has."""
FIELD = 10
"""Of so many configurations with the best means one is taken to be the best."""
LEAST_SPREAD = 0.01
"""The least variance between configurations, in that of the noise."""


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

    @property
    def is_broken(self) -> bool:
        """Whether one of its training jobs breaks a metric constraint: however good, it is no
        result."""
        return any(run.is_broken for run in self.runs)

    def may_run_again(self, count: int) -> bool:
        """Return whether it was run fewer than `count` times, and none was stopped, as hopeless or
        for its time."""
        return len(self.runs) < count and all(run.status != "Stopped" for run in self.runs)

    def list_seeds(self, seed: str | None) -> list[Value]:
        """Return the seed of each loss; without seeds, what no other training job has."""
        done = (run for run in self.runs if run.loss is not None)
        return [run.hyperparameters.get(seed or "", f"job {run.number}") for run in done]


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


def find_best_configuration(configurations: Sequence[Configuration]) -> Configuration | None:
    """Return the configuration whose true mean is likely to be the best.

    One good run is luck. So the means of the best few are drawn towards their common mean, by the
    share of the differences that is noise: the best linear unbiased predictors of a random-effects
    model (Henderson 1975, "Best linear unbiased estimation and prediction under a selection
    model").
    """
    field = rank_configurations(configurations)[:FIELD]
    counts = [len(each.losses) for each in field]
    repeated = sum(counts) - len(field)
    if not repeated:
        return field[0] if field else None
    means = [fmean(each.losses) for each in field]
    within = (
        sum(
            (loss - mean) ** 2
            for each, mean in zip(field, means, strict=True)
            for loss in each.losses
        )
        / repeated
    )
    noises = [within / count for count in counts]
    spread = max(pvariance(means) - fmean(noises), LEAST_SPREAD * within)
    shares = [spread / (spread + noise) if noise else 1.0 for noise in noises]
    common = sum(share * mean for share, mean in zip(shares, means, strict=True)) / sum(shares)
    drawn = [common + share * (mean - common) for share, mean in zip(shares, means, strict=True)]
    return field[drawn.index(min(drawn))]


def rank_configurations(configurations: Iterable[Configuration]) -> list[Configuration]:
    """Return those that can be the best, the best mean first: those with a finite one."""
    able = [
        each
        for each in configurations
        if each.mean is not None and math.isfinite(each.mean) and not each.is_broken
    ]
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
        is_broken=configuration.is_broken,
    )
