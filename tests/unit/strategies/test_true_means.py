"""What a few runs of each configuration tell about the true means."""

from __future__ import annotations

import numpy as np

from hpt_cli.strategies.true_means import draw_true_means

SEEDS = [1, 2, 3, 4]


def find_chance(draws: np.ndarray, first: int, second: int) -> float:
    return float((draws[:, first] < draws[:, second]).mean())


def test_the_same_losses_give_the_same_draws() -> None:
    losses = [[0.1, 0.2], [0.3, 0.25]]
    first, again = (draw_true_means(losses, [[1, 2], [1, 2]]) for _ in range(2))
    assert np.array_equal(first, again)


def test_what_a_seed_does_to_all_configurations_is_no_noise() -> None:
    effects, each = np.array([0.0, 3.0, -2.0, 5.0]), np.array([0.01, -0.01, 0.0, 0.02])
    better, worse = (effects + each).tolist(), (effects + np.add(each, 0.2)).tolist()
    paired = draw_true_means([better, worse], [SEEDS, SEEDS])
    alone = draw_true_means([better, worse], [SEEDS, [5, 6, 7, 8]])
    assert find_chance(paired, 0, 1) > 0.97
    assert 0.4 < find_chance(alone, 0, 1) < 0.7


def test_a_default_with_much_more_noise_does_not_hide_the_differences_of_the_best() -> None:
    best, second, default = [0.10, 0.11, 0.09, 0.10], [0.15, 0.16, 0.14, 0.15], [40.0, 90.0]
    draws = draw_true_means([best, second, default], [SEEDS, SEEDS, [1, 2]], apart=2)
    assert find_chance(draws, 0, 1) > 0.95
    assert find_chance(draws, 0, 2) > 0.95


def test_a_difference_within_the_noise_is_believed_in_part() -> None:
    draws = draw_true_means([[0.0, 1.0, 0.4], [0.5, 1.1, 0.1]], [[1, 2, 3], [4, 5, 6]])
    assert 0.45 < find_chance(draws, 0, 1) < 0.75


def test_equal_losses_tell_nothing() -> None:
    draws = draw_true_means([[0.5, 0.5], [0.5, 0.5]], [[1, 2], [1, 2]])
    assert 0.45 < find_chance(draws, 0, 1) < 0.55
