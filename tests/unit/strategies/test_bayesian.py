"""What is special about the Bayesian strategy: scores, the surrogate, and where it looks."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import check_grad
from scipy.stats import norm

from hpt_cli.spec.hyperparameters import Hyperparameters
from hpt_cli.spec.ranges import CategoricalRange, ContinuousRange, IntegerRange, ParameterRange
from hpt_cli.strategies import SuggestRequest, Trial
from hpt_cli.strategies.bayesian import Knowledge, choose_way, count_initial_jobs, suggest
from hpt_cli.strategies.gaussian_process import (
    MAX_MODEL,
    PENDING_DISTANCE,
    Evidence,
    FailureModel,
    Posterior,
    encode_one_hot,
    fit,
    is_near_pending,
    log_improvement,
    perturb,
    select_results,
    subsample,
)
from hpt_cli.strategies.space import Space
from hpt_cli.strategies.targets import estimate_losses, score_losses

RANGES: dict[str, ParameterRange] = {
    "rate": ContinuousRange(type="Continuous", min_value=1e-4, max_value=1.0),
    "layers": IntegerRange(type="Integer", min_value=1, max_value=6),
    "optimizer": CategoricalRange(type="Categorical", values=("sgd", "adam", "nag")),
}
RATE_WITH_PRIOR = ContinuousRange(type="Continuous", min_value=1e-4, max_value=1.0, prior=(0.1,))
EXTRA = ContinuousRange(type="Continuous", min_value=0.0, max_value=1.0)


def loss_of(h: Hyperparameters) -> float:
    """A bowl with its bottom, 0, at rate 0.01, 4 layers, adam."""
    bowl = (math.log10(float(h["rate"])) + 2) ** 2 + 0.1 * (float(h["layers"]) - 4) ** 2
    return bowl + 0.5 * (h["optimizer"] != "adam")


def draw_trials(count: int) -> list[Trial]:
    space = Space(RANGES)
    hyperparameters = [space.decode(point) for point in space.draw(7, 1, count)]
    return [
        Trial(number, each, "Completed", loss_of(each))
        for number, each in enumerate(hyperparameters, start=1)
    ]


def ask(trials: list[Trial], seed: int = 0) -> SuggestRequest:
    return SuggestRequest(RANGES, seed, len(trials) + 1, 30, 1, tuple(trials))


def collect(trials: list[Trial], running: list[Trial] | None = None) -> Evidence:
    space = Space(RANGES)
    return select_results(space, trials, estimate_losses(trials), running or [])


def extend(trials: list[Trial], jobs: int) -> list[Trial]:
    trials = [*trials]
    while len(trials) < jobs:
        answer = suggest(ask(trials))
        assert answer is not None
        trials.append(Trial(len(trials) + 1, answer, "Completed", loss_of(answer)))
    return trials


# Losses and scores


@pytest.mark.parametrize("huge", [1e17, math.inf])
def test_one_huge_loss_does_not_squeeze_the_others(huge: float) -> None:
    tame = score_losses(np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]))
    scores = score_losses(np.array([0.1, 0.2, 0.3, 0.4, 0.5, huge]))
    assert scores[4] - scores[0] > 0.6 * (tame[4] - tame[0])


def test_what_two_hyperparameters_add_stays_a_sum() -> None:
    costs = np.array([0.0, 0.2, 0.3, 0.4])
    scores = score_losses(np.add.outer(costs, costs).ravel()).reshape(4, 4)
    mixed = scores[1:, 1:] - scores[1:, :1] - scores[:1, 1:] + scores[0, 0]
    assert mixed == pytest.approx(np.zeros((3, 3)), abs=1e-9)


def test_where_most_jobs_are_as_good_as_the_best_the_others_count() -> None:
    scores = score_losses(np.array([0.5, 0.5, 0.5, 0.6, 0.9]))
    assert scores[4] - scores[0] == pytest.approx(4 * (scores[3] - scores[0]))


def test_the_distance_to_the_best_still_counts() -> None:
    near = score_losses(np.array([0.49, 0.5, 0.6, 0.7, 0.8, 0.9]))
    far = score_losses(np.array([0.01, 0.5, 0.6, 0.7, 0.8, 0.9]))
    assert far[1] - far[0] > 2 * (near[1] - near[0])


@pytest.mark.parametrize(
    "losses",
    [
        [1.0, 1.0, 1.0],
        [math.inf, math.inf],
        [1.0, math.inf, math.inf, math.inf],
        [0.0, 1.0],
        [-1e149, 0.0, 1e149],
    ],
)
def test_scores_are_finite_and_keep_the_order(losses: list[float]) -> None:
    scores = score_losses(np.array(losses))
    assert np.all(np.isfinite(scores))
    assert np.all(np.diff(scores) >= 0)
    assert scores.mean() == pytest.approx(0)


def test_a_stopped_job_gets_the_final_loss_of_its_rank() -> None:
    curves = {1: (4.0, 3.0, 2.0), 2: (6.0, 5.0, 4.0), 3: (8.0, 7.0, 6.0)}
    trials = [
        Trial(number, {}, "Completed", curve[-1], tuple(enumerate(curve)))
        for number, curve in curves.items()
    ]
    stopped = Trial(4, {}, "Stopped", 6.0, ((0, 7.0), (1, 6.0)))
    assert estimate_losses([*trials, stopped])[-1] == pytest.approx(5.0)


def test_a_stopped_job_keeps_its_last_loss_where_nothing_completed() -> None:
    stopped = Trial(1, {}, "Stopped", 6.0, ((1, 6.0),))
    assert estimate_losses([stopped]) == [6.0]


def test_failed_and_diverged_jobs_are_the_worst() -> None:
    trials = [
        Trial(1, {}, "Failed", 0.1),
        Trial(2, {}, "Completed", None),
        Trial(3, {}, "Completed", math.inf),
        Trial(4, {}, "Completed", 1e200),
    ]
    assert np.all(np.isinf(estimate_losses(trials)))


# The surrogate


def test_the_gradient_of_the_posterior_is_right() -> None:
    posterior = Posterior(collect(draw_trials(12)))
    theta = posterior.centre + 0.3
    minus = posterior.negative_log_density
    error = check_grad(lambda t: minus(t)[0], lambda t: minus(t)[1], theta)
    assert error < 1e-4
    assert posterior.log_density(theta) == pytest.approx(-minus(theta)[0])


def test_sampled_kernels_are_likely_ones() -> None:
    posterior = Posterior(collect(draw_trials(12)))
    mode = posterior.find_mode()
    thetas = [*posterior.sample(np.random.default_rng(0), mode, 20)]
    assert len({tuple(theta) for theta in thetas}) > 10
    assert all(posterior.log_density(mode) - posterior.log_density(theta) < 20 for theta in thetas)


def test_the_surrogate_predicts_what_scikit_optimize_predicts() -> None:
    evidence = collect(draw_trials(15))
    surrogate, _ = fit(evidence, Posterior(evidence).find_mode())
    points = encode_one_hot(Space(RANGES), Space(RANGES).draw(3, 0, 8))
    mean, deviation = surrogate.predict(points)
    slow_mean, slow_deviation = super(type(surrogate), surrogate).predict(points, return_std=True)
    noise = surrogate.kernel_.k2.noise_level
    assert mean == pytest.approx(slow_mean)
    assert np.sqrt(deviation**2 + noise) == pytest.approx(slow_deviation, rel=1e-3)


def test_a_pending_job_lowers_the_deviation_around_it_and_moves_no_mean() -> None:
    trials = draw_trials(14)
    done, flying = collect(trials[:10]), collect(trials[:10], trials[10:])
    theta = Posterior(done).find_mode()
    before, after = fit(done, theta)[0], fit(flying, theta)[0]
    assert after.predict(flying.pending)[1].max() < before.predict(flying.pending)[1].min()
    assert after.predict(flying.pending)[0] == pytest.approx(
        before.predict(flying.pending)[0], abs=0.02
    )


def test_any_two_categories_are_one_apart() -> None:
    space = Space(RANGES)
    points = encode_one_hot(space, np.array([[0.5, 0.5, place] for place in (1 / 6, 0.5, 5 / 6)]))
    gaps = np.linalg.norm(points[:, None] - points[None], axis=2)
    assert gaps == pytest.approx(1 - np.eye(3))


def test_the_surrogate_learns_from_a_bounded_number_of_trials() -> None:
    assert len(collect(draw_trials(MAX_MODEL + 50)).scores) == MAX_MODEL
    assert list(subsample(np.arange(9), 4)) == [0, 1, 2, 8]


# Where it looks


def test_log_improvement_is_the_logarithm_of_expected_improvement() -> None:
    mean, deviation = np.array([-1.0, 0.0, 2.0]), np.array([0.5, 1.0, 0.7])
    z = (0.1 - mean) / deviation
    expected = deviation * (norm.pdf(z) + z * norm.cdf(z))
    assert log_improvement(mean, deviation, 0.1) == pytest.approx(np.log(expected))
    far = log_improvement(np.array([50.0, 100.0]), np.ones(2), 0.0)
    assert np.all(np.isfinite(far))
    assert far[0] > far[1]
    certain = log_improvement(np.array([-2.0]), np.array([0.01]), 0.0)
    assert certain == pytest.approx(np.log(2))


def test_perturbed_points_stay_in_the_cube() -> None:
    places = np.array([[0.0, 1.0, 0.5], [0.5, 0.5, 0.5]])
    points = perturb(Space(RANGES), np.random.default_rng(0), places, 0.3, 500)
    assert points.shape == (500, 3)
    assert points.min() >= 0
    assert points.max() <= 1


def test_any_other_category_is_as_near() -> None:
    places = Space(RANGES).encode([{"rate": 0.01, "layers": 3, "optimizer": "sgd"}])
    space = Space(RANGES)
    points = perturb(space, np.random.default_rng(0), places, 0.02, 2000)
    chosen = [space.decode(point)["optimizer"] for point in points]
    others = chosen.count("adam"), chosen.count("nag")
    assert 100 < min(others) <= max(others) < 200


# Failures


def fail(trials: list[Trial], which: Callable[[Trial], bool]) -> list[Trial]:
    return [replace(each, status="Failed", loss=None) if which(each) else each for each in trials]


def succeed(trials: list[Trial], *hyperparameters: Hyperparameters) -> list[float]:
    """The probability that jobs with these hyperparameters succeed."""
    space = Space(RANGES)
    points = encode_one_hot(space, space.encode(hyperparameters))
    return np.exp(FailureModel(space, trials).log_success(points)).tolist()


def test_a_region_in_which_jobs_fail_stands_out() -> None:
    trials = fail(draw_trials(24), lambda each: float(each.hyperparameters["rate"]) > 0.05)
    low, high = succeed(
        trials,
        {"rate": 0.001, "layers": 3, "optimizer": "adam"},
        {"rate": 0.6, "layers": 3, "optimizer": "adam"},
    )
    assert low > 0.85
    assert high < 0.15


def test_failures_at_random_are_held_against_no_place() -> None:
    luck = np.random.default_rng(3).random(31) < 0.2
    trials = fail(draw_trials(30), lambda each: bool(luck[each.number]))
    failed = [each.hyperparameters for each in trials if each.status == "Failed"]
    assert len(failed) >= 5
    assert min(succeed(trials, *failed)) > 0.5


def test_the_model_of_failures_counts_as_far_as_it_predicts_each_from_the_others() -> None:
    trials, space = draw_trials(30), Space(RANGES)
    region = fail(trials, lambda each: float(each.hyperparameters["rate"]) > 0.05)
    assert FailureModel(space, region).skill > 0.6
    rng = np.random.default_rng(0)
    chance = [fail(trials, lambda _: bool(rng.random() < 0.2)) for _ in range(4)]
    assert np.mean([FailureModel(space, each).skill for each in chance]) < 0.3


def test_without_failures_nothing_is_held_against_a_place() -> None:
    assert succeed(draw_trials(6), draw_trials(1)[0].hyperparameters) == [1.0]


def test_the_opening_leaves_a_region_in_which_jobs_fail() -> None:
    def is_large(hyperparameters: Hyperparameters) -> bool:
        return float(hyperparameters["rate"]) > 0.01

    trials: list[Trial] = []
    while len(trials) < 24:
        request = replace(ask(trials), max_jobs=1000)
        request = replace(request, ranges=RANGES | {f"x{n}": EXTRA for n in range(12)})
        answer = suggest(request)
        assert answer is not None
        failed = is_large(answer)
        trials.append(
            Trial(len(trials) + 1, answer, *(("Failed", None) if failed else ("Completed", 1.0)))
        )
    failures = [each.status == "Failed" for each in trials]
    assert sum(failures[:4]) >= 1
    assert sum(failures[12:]) < sum(failures[:12])


def test_the_opening_is_bounded_by_the_budget() -> None:
    request = ask([])
    assert count_initial_jobs(request) == len(RANGES) + 2
    assert count_initial_jobs(SuggestRequest(RANGES, 0, 1, 6, 1, ())) == 3
    has_prior = replace(request, ranges=RANGES | {"rate": RATE_WITH_PRIOR})
    assert count_initial_jobs(has_prior) == 2 * len(RANGES) + 1


def test_jobs_that_failed_do_not_count_for_the_opening() -> None:
    known = draw_trials(len(RANGES) + 2)
    failed = [replace(each, status="Failed", loss=None) for each in known[:2]]
    ways = [
        choose_way(ask(trials), Knowledge.of(ask(trials)))
        for trials in (known, [*failed, *known[2:]])
    ]
    assert ways == ["model", "opening"]


def test_it_finds_the_bottom_of_a_bowl() -> None:
    assert min(loss_of(trial.hyperparameters) for trial in extend([], 25)) < 0.02


def test_failures_in_one_corner_keep_it_away_from_there() -> None:
    trials = [
        Trial(t.number, t.hyperparameters, "Failed", None)
        if t.hyperparameters["optimizer"] == "nag"
        else t
        for t in draw_trials(15)
    ]
    new = extend(trials, 21)[15:]
    assert sum(trial.hyperparameters["optimizer"] == "nag" for trial in new) <= 2


def test_no_job_is_placed_right_beside_a_pending_one() -> None:
    ranges: dict[str, ParameterRange] = {
        "x": ContinuousRange(type="Continuous", min_value=0.0, max_value=1.0)
    }
    known = [Trial(n, {"x": n / 8}, "Completed", (n / 8 - 0.3) ** 2) for n in range(9)]
    request = SuggestRequest(ranges, 0, 10, 18, 2, tuple(known))
    best = suggest(request)
    assert best is not None
    waiting = Trial(10, best, "Running", None)
    beside = suggest(replace(request, number=11, trials=(*known, waiting)))
    assert beside is not None
    assert abs(float(beside["x"]) - float(best["x"])) >= PENDING_DISTANCE
    evidence = select_results(
        Space(ranges), known, np.array([each.loss for each in known]), [waiting]
    )
    place = Space(ranges).encode([best])
    near = np.vstack([place, place + PENDING_DISTANCE / 2, place + 2 * PENDING_DISTANCE])
    assert is_near_pending(near, evidence).tolist() == [True, True, False]
    assert not is_near_pending(
        near, select_results(Space(ranges), known, evidence.scores, [])
    ).any()
