"""Which configuration is the best by the runs that there are."""

from __future__ import annotations

import random
from collections.abc import Sequence

from hpt_cli.strategies import Trial
from hpt_cli.tuning.repeats.configurations import (
    Configuration,
    find_best_configuration,
    list_configurations,
)


def make_configurations(losses: Sequence[Sequence[float]]) -> list[Configuration]:
    runs = [(x, loss) for x, of_one in enumerate(losses) for loss in of_one]
    trials = [
        Trial(number, {"x": x, "seed": number}, "Completed", loss)
        for number, (x, loss) in enumerate(runs, 1)
    ]
    return list_configurations(trials, "seed")


def find_best(*losses: Sequence[float]) -> int | None:
    best = find_best_configuration(make_configurations(losses))
    return best and best.number


def test_a_configuration_that_the_budget_left_with_fewer_runs_may_be_the_best() -> None:
    assert find_best([0.1], [0.12], [0.5, 0.52]) == 1


def test_one_lucky_run_is_not_better_than_many_that_are_nearly_as_good() -> None:
    assert find_best([0.10], [0.12, 0.10, 0.11], [0.2, 0.11, 0.14], [0.15, 0.1]) == 2


def test_without_noise_or_without_repeats_the_best_mean_is_the_best() -> None:
    assert find_best([0.2], [0.1], [0.3]) == 2
    assert find_best([0.2, 0.2], [0.1], [0.3]) == 2
    assert find_best([0.2, 0.2]) == 1
    assert find_best([float("nan")], []) is None


def test_the_one_that_is_chosen_is_truly_better_than_the_one_with_the_best_mean() -> None:
    rng = random.Random(1)
    true_chosen, true_first = 0.0, 0.0
    for _ in range(400):
        means = [rng.gauss(0, 1) for _ in range(6)]
        losses = [[rng.gauss(mean, 2) for _ in range(rng.choice((1, 5)))] for mean in means]
        configurations = make_configurations(losses)
        chosen = find_best_configuration(configurations)
        first = min(configurations, key=lambda each: each.mean or 0.0)
        assert chosen is not None
        true_chosen += means[chosen.number - 1]
        true_first += means[first.number - 1]
    assert true_chosen < true_first - 0.05 * 400
