"""Where the user believes the optimum to be."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from hpt_cli.spec.hyperparameters import Hyperparameters
from hpt_cli.spec.ranges import CategoricalRange, ContinuousRange, IntegerRange, ParameterRange
from hpt_cli.strategies import SuggestRequest, Trial, bayesian, load_strategy
from hpt_cli.strategies.space import Space
from hpt_cli.strategies.user_prior import UserPrior

RATE = ContinuousRange(type="Continuous", min_value=1e-4, max_value=1.0, prior=(1e-3,))
LAYERS = IntegerRange(type="Integer", min_value=1, max_value=40)
OPTIMIZER = CategoricalRange(
    type="Categorical", values=("sgd", "adam", "nag", "lion"), prior=("nag", "lion")
)
RANGES: dict[str, ParameterRange] = {"rate": RATE, "layers": LAYERS, "optimizer": OPTIMIZER}


def run(
    strategy: str,
    measure: Callable[[Hyperparameters], float],
    jobs: int,
    ranges: dict[str, ParameterRange] | None = None,
) -> list[Trial]:
    trials: list[Trial] = []
    for number in range(1, jobs + 1):
        request = SuggestRequest(ranges or RANGES, 0, number, 30, 1, tuple(trials))
        answer = load_strategy(strategy).suggest(request)
        assert answer is not None
        trials.append(Trial(number, answer, "Completed", measure(answer)))
    return trials


def count_believed(trials: list[Trial]) -> int:
    """Trials within a factor of four of the rate, with one of the optimizers."""
    return sum(
        abs(math.log(float(each.hyperparameters["rate"]) / 1e-3)) < math.log(4)
        and each.hyperparameters["optimizer"] in ("nag", "lion")
        for each in trials
    )


def test_the_density_is_one_on_average() -> None:
    space = Space(RANGES)
    densities = np.exp(UserPrior(space).log_density(space.snap(space.draw(0, 0, 2**14))))
    assert densities.mean() == pytest.approx(1, abs=0.03)
    assert densities.max() > 5
    assert densities.min() > 0


def test_moved_points_are_where_the_density_is() -> None:
    space = Space(RANGES)
    prior, points = UserPrior(space), space.draw(0, 0, 512)
    moved = prior.move(points)
    assert moved.min() >= 0
    assert moved.max() <= 1
    assert moved[:, 1].tolist() == points[:, 1].tolist(), "layers have no prior"
    assert prior.log_density(moved).mean() > 1 > 0 > prior.log_density(points).mean()
    chosen = Counter(space.decode(point)["optimizer"] for point in moved)
    assert chosen == {"nag": 256, "lion": 256}


def test_two_values_are_two_places() -> None:
    rate = RATE.model_copy(update={"prior": (1e-3, 1e-1)})
    moved = UserPrior(Space({"rate": rate})).move(Space({"rate": rate}).draw(0, 0, 512))
    low = np.abs(moved - rate.to_unit(1e-3)) < 0.12
    high = np.abs(moved - rate.to_unit(1e-1)) < 0.12
    assert min(low.mean(), high.mean()) > 0.3


def test_a_hyperparameter_that_does_not_exist_has_no_say() -> None:
    momentum = ContinuousRange(
        type="Continuous", min_value=0, max_value=1, when={"optimizer": ("sgd",)}, prior=(0.9,)
    )
    optimizer = OPTIMIZER.model_copy(update={"prior": ()})
    space = Space({"optimizer": optimizer, "momentum": momentum})
    points = space.encode(
        [{"optimizer": "adam"}, {"optimizer": "sgd", "momentum": 0.9}, {"optimizer": "sgd"}]
    )
    without, with_it, elsewhere = UserPrior(space).log_density(points)
    assert without == 0
    assert with_it > 1
    assert elsewhere < -1


@pytest.mark.parametrize("strategy", ["Bayesian", "Random", "Hyperband"])
def test_first_jobs_look_where_the_optimum_is_believed_to_be(strategy: str) -> None:
    def measure(each: Hyperparameters) -> float:
        return abs(math.log(float(each["rate"]) / 1e-3)) + (each["optimizer"] != "nag")

    plain = {name: each.model_copy(update={"prior": ()}) for name, each in RANGES.items()}
    assert count_believed(run(strategy, measure, 8)) >= 3
    assert count_believed(run(strategy, measure, 8, plain)) <= 2


def test_the_model_prefers_it_and_forgets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is suggested lies where the prior is dense, more so the more the prior counts."""

    def measure(each: Hyperparameters) -> float:
        return 0.1 * float(each["layers"]) / 40 + 0.1 * (each["optimizer"] in ("sgd", "adam"))

    space = Space(RANGES)
    prior, trials = UserPrior(space), run("Random", measure, 16)

    def believe(strength: float) -> float:
        monkeypatch.setattr("hpt_cli.strategies.gaussian_process.STRENGTH", strength)
        answers = [
            bayesian.suggest(SuggestRequest(RANGES, seed, 17, 30, 1, tuple(trials)))
            for seed in range(4)
        ]
        return float(prior.log_density(space.encode(each for each in answers if each)).mean())

    assert believe(160) > believe(10) > believe(0.01)


def agree(each: Hyperparameters) -> float:
    return abs(math.log(float(each["rate"]) / 1e-3))


def contradict(each: Hyperparameters) -> float:
    return -agree(each)


def test_it_is_trusted_as_far_as_results_agree() -> None:
    prior = UserPrior(Space(RANGES))
    for_it, against = prior.measure_trust(run("Random", agree, 12)), 0.2
    assert prior.measure_trust([]) == 1
    assert for_it > 0.5 > against > prior.measure_trust(run("Random", contradict, 12))


def test_jobs_that_fail_where_the_prior_is_dense_speak_against_it() -> None:
    trials = run("Random", lambda _: 1.0, 12)
    prior = UserPrior(Space(RANGES))
    failed = [
        replace(each, status="Failed", loss=None) if count_believed([each]) else each
        for each in trials
    ]
    assert any(each.status == "Failed" for each in failed)
    assert prior.measure_trust(failed) == 0 < prior.measure_trust(trials)


def test_without_a_prior_nothing_is_trusted() -> None:
    plain = {name: each.model_copy(update={"prior": ()}) for name, each in RANGES.items()}
    prior = UserPrior(Space(plain))
    assert prior.measure_trust(run("Random", agree, 4, plain)) == 0


def test_the_first_job_tries_the_named_values() -> None:
    first, *_ = run("Bayesian", agree, 1)
    assert float(first.hyperparameters["rate"]) == pytest.approx(1e-3)
    assert first.hyperparameters["optimizer"] == "nag"


def test_a_prior_that_results_contradict_is_dropped() -> None:
    assert count_believed(run("Bayesian", contradict, 10)) <= 2
    assert count_believed(run("Bayesian", agree, 10)) >= 5
