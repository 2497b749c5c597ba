"""What every strategy keeps to, whatever it thinks."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hpt_cli.spec.constraints import parse_constraints
from hpt_cli.spec.hyperparameters import Hyperparameters
from hpt_cli.spec.ranges import CategoricalRange, ContinuousRange, IntegerRange, ParameterRange
from hpt_cli.strategies import STRATEGIES, Strategy, SuggestRequest, Trial, load_strategy

MIXED: dict[str, ParameterRange] = {
    "rate": ContinuousRange(type="Continuous", min_value=1e-5, max_value=1.0, grid_points=4),
    "beta": ContinuousRange(
        type="Continuous",
        min_value=0.0,
        max_value=0.9999,
        scaling_type="ReverseLogarithmic",
        grid_points=3,
    ),
    "units": IntegerRange(type="Integer", min_value=8, max_value=1024),
    "layers": IntegerRange(type="Integer", min_value=1, max_value=4),
    "optimizer": CategoricalRange(type="Categorical", values=("sgd", "adam", 3, 0.5)),
    "fixed": IntegerRange(type="Integer", min_value=7, max_value=7),
    "same": ContinuousRange(type="Continuous", min_value=0.3, max_value=0.3),
}
CATEGORIES: dict[str, ParameterRange] = {
    "a": CategoricalRange(type="Categorical", values=("p", "q", "r", "s")),
    "b": CategoricalRange(type="Categorical", values=(1, 2, 3, 4, 5)),
}


@pytest.fixture(params=sorted(STRATEGIES), name="strategy")
def _strategy(request: pytest.FixtureRequest) -> Strategy:
    return load_strategy(request.param)


def ask(ranges: dict[str, ParameterRange], trials: list[Trial], **changes: Any) -> SuggestRequest:
    request = SuggestRequest(ranges, 1, len(trials) + 1, 100, 1, tuple(trials))
    return replace(request, **changes)


def loss_of(hyperparameters: Hyperparameters) -> float:
    """A loss for any hyperparameters: a bowl over the numbers, a step for each text."""
    return sum(
        float(len(value)) if isinstance(value, str) else math.log(abs(value) + 0.01) ** 2
        for value in hyperparameters.values()
    )


def search(strategy: Strategy, ranges: dict[str, ParameterRange], jobs: int) -> list[Trial]:
    """A sequential search in which every fifth job fails."""
    trials: list[Trial] = []
    while len(trials) < jobs:
        answer = strategy.suggest(ask(ranges, trials))
        if answer is None:
            break
        failed = len(trials) % 5 == 4
        status, loss = ("Failed", None) if failed else ("Completed", loss_of(answer))
        trials.append(Trial(len(trials) + 1, answer, status, loss))
    return trials


def keys(trials: list[Trial]) -> list[str]:
    return [json.dumps(trial.hyperparameters, sort_keys=True) for trial in trials]


def test_values_are_plain_lie_in_range_and_never_repeat(strategy: Strategy) -> None:
    trials = search(strategy, MIXED, 25)
    for trial in trials:
        assert list(trial.hyperparameters) == list(MIXED)
        for name, each in MIXED.items():
            value = trial.hyperparameters[name]
            assert type(value) in (int, float, str)
            assert each.contains(value)
    assert len(set(keys(trials))) == 25


def test_the_same_question_has_the_same_answer(strategy: Strategy) -> None:
    trials = search(strategy, MIXED, 20)
    again = load_strategy_anew(strategy).suggest(ask(MIXED, trials))
    assert strategy.suggest(ask(MIXED, trials)) == again


def load_strategy_anew(strategy: Strategy) -> Strategy:
    """The module run once more, so that nothing it remembered helps it."""
    import importlib.util

    spec = strategy.__spec__  # type: ignore[attr-defined]
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module  # type: ignore[return-value]


@pytest.mark.parametrize("name", sorted({*STRATEGIES} - {"Grid"}))
def test_another_seed_searches_elsewhere(name: str) -> None:
    strategy = load_strategy(name)
    assert strategy.suggest(ask(MIXED, [], seed=1)) != strategy.suggest(ask(MIXED, [], seed=2))


def test_a_finite_space_is_used_up_exactly(strategy: Strategy) -> None:
    trials = search(strategy, CATEGORIES, 100)
    assert len(trials) == len(set(keys(trials))) == 20


def test_a_space_of_one_point_is_used_up_after_one_job(strategy: Strategy) -> None:
    ranges = {name: MIXED[name] for name in ("fixed", "same")}
    assert [trial.hyperparameters for trial in search(strategy, ranges, 5)] == [
        {"fixed": 7, "same": 0.3}
    ]


def test_a_large_finite_space_is_used_up_to_its_last_point(strategy: Strategy) -> None:
    ranges: dict[str, ParameterRange] = {
        "n": IntegerRange(type="Integer", min_value=1, max_value=600, scaling_type="Logarithmic")
    }
    trials = [Trial(n, {"n": n}, "Completed", float(n)) for n in range(1, 601) if n != 523]
    assert strategy.suggest(ask(ranges, trials, number=600)) == {"n": 523}
    trials.append(Trial(523, {"n": 523}, "Running", None))
    assert strategy.suggest(ask(ranges, trials, number=601)) is None


def test_jobs_in_flight_are_not_tried_twice(strategy: Strategy) -> None:
    trials = search(strategy, CATEGORIES, 8)
    while len(trials) < 20:
        answer = strategy.suggest(ask(CATEGORIES, trials, max_parallel_jobs=12))
        assert answer is not None
        trials.append(Trial(len(trials) + 1, answer, "Running", None))
    assert len(set(keys(trials))) == 20
    assert strategy.suggest(ask(CATEGORIES, trials)) is None


@cache
def random_trials() -> list[Trial]:
    return search(load_strategy("Random"), MIXED, 30)


LOSSES = st.one_of(
    *(st.none(), st.just(math.inf), st.just(0.0), st.just(5e-324)),
    st.floats(-1e300, 1e300, allow_nan=False),
)
TINY = st.sampled_from([0.0, 5e-324, -5e-324, 1e-310, 1e-160])
STATUSES = st.sampled_from(["Running", "Completed", "Stopped", "Failed"])
CURVES = st.lists(st.one_of(st.just(math.inf), st.floats(-1e18, 1e18, allow_nan=False)), max_size=4)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    outcomes=st.one_of(
        st.lists(st.tuples(STATUSES, losses, CURVES), min_size=12, max_size=16)
        for losses in (LOSSES, TINY)
    )
)
def test_any_outcomes_can_be_lived_with(
    strategy: Strategy, outcomes: list[tuple[Any, float | None, list[float]]]
) -> None:
    trials = [
        replace(point, status=status, loss=loss, curve=tuple(enumerate(curve)))
        for point, (status, loss, curve) in zip(random_trials(), outcomes, strict=False)
    ]
    answer = strategy.suggest(ask(MIXED, trials))
    assert answer is not None
    assert all(each.contains(answer[name]) for name, each in MIXED.items())
    assert answer not in [trial.hyperparameters for trial in trials]


def test_a_search_whose_jobs_all_fail_goes_on(strategy: Strategy) -> None:
    trials = [replace(trial, status="Failed", loss=None) for trial in random_trials()]
    assert strategy.suggest(ask(MIXED, trials)) is not None


def test_trials_outside_the_ranges_are_left_aside(strategy: Strategy) -> None:
    trials = [Trial(n, {"a": "p", "b": 10 + n}, "Completed", 1.0 * n) for n in range(40)]
    answer = strategy.suggest(ask(CATEGORIES, trials))
    assert answer is not None
    assert CATEGORIES["b"].contains(answer["b"])


CONDITIONAL: dict[str, ParameterRange] = {
    "optimizer": CategoricalRange(type="Categorical", values=("sgd", "adam")),
    "momentum": ContinuousRange(
        type="Continuous", min_value=0, max_value=1, step=0.25, when={"optimizer": ("sgd",)}
    ),
    "schedule": CategoricalRange(
        type="Categorical", values=("none", "cosine"), when={"optimizer": ("adam",)}
    ),
    "cycles": IntegerRange(
        type="Integer", min_value=2, max_value=8, step=3, when={"schedule": ("cosine",)}
    ),
}


def test_conditional_ranges_are_there_only_where_they_count(strategy: Strategy) -> None:
    trials = search(strategy, CONDITIONAL, 100)
    found = {frozenset(trial.hyperparameters.items()) for trial in trials}
    sgd = [{"optimizer": "sgd", "momentum": m} for m in (0.0, 0.25, 0.5, 0.75, 1.0)]
    cosine = [{"optimizer": "adam", "schedule": "cosine", "cycles": n} for n in (2, 5, 8)]
    expected = [*sgd, *cosine, {"optimizer": "adam", "schedule": "none"}]
    assert found == {frozenset(each.items()) for each in expected}
    assert len(trials) == len(expected)


def test_what_is_fixed_is_in_every_point_and_the_rest_is_new(strategy: Strategy) -> None:
    fixed: Hyperparameters = {"layers": 2, "optimizer": "adam"}
    trials: list[Trial] = []
    for number in range(1, 13):
        point = strategy.suggest(ask(MIXED, trials, fixed=fixed))
        assert point is not None
        assert point.keys() == MIXED.keys()
        assert point.items() >= fixed.items()
        assert point not in [trial.hyperparameters for trial in trials]
        trials.append(Trial(number, point, "Completed", loss_of(point)))


@pytest.mark.parametrize("text", ["units * layers <= 64", "rate < beta / 100 and layers < 3"])
def test_what_breaks_a_constraint_is_never_tried(strategy: Strategy, text: str) -> None:
    constraints = parse_constraints([text], MIXED, {})
    trials: list[Trial] = []
    for number in range(1, 25):
        point = strategy.suggest(ask(MIXED, trials, constraints=constraints))
        assert point is not None or strategy is load_strategy("Grid")
        if point is None:
            break
        assert constraints.find_broken(point) is None
        assert point not in [trial.hyperparameters for trial in trials]
        trials.append(Trial(number, point, "Completed", loss_of(point)))
    assert trials


def test_what_meets_the_constraints_is_used_up_exactly(strategy: Strategy) -> None:
    constraints = parse_constraints(["b < 3 or a == s"], CATEGORIES, {})
    trials: list[Trial] = []
    while point := strategy.suggest(ask(CATEGORIES, trials, constraints=constraints)):
        trials.append(Trial(len(trials) + 1, point, "Completed", loss_of(point)))
    assert len(set(keys(trials))) == len(trials) == 2 * 4 + 3


def test_where_nothing_meets_the_constraints_nothing_is_tried(strategy: Strategy) -> None:
    constraints = parse_constraints(["units < layers"], MIXED, {})
    assert strategy.suggest(ask(MIXED, [], constraints=constraints)) is None


def test_bayesian_learns_where_constraints_on_outcomes_are_broken() -> None:
    """The best losses are where they are broken: below 0.5."""
    ranges: dict[str, ParameterRange] = {
        "x": ContinuousRange(type="Continuous", min_value=0, max_value=1),
        "y": ContinuousRange(type="Continuous", min_value=0, max_value=1),
    }
    trials: list[Trial] = []
    for number in range(1, 31):
        point = load_strategy("Bayesian").suggest(ask(ranges, trials, max_jobs=30))
        assert point is not None
        x, y = float(point["x"]), float(point["y"])
        loss = x + (y - 0.5) ** 2
        trials.append(Trial(number, point, "Completed", loss, ((1, loss),), is_broken=x < 0.5))
    late = trials[12:]
    assert sum(trial.is_broken for trial in late) <= len(late) / 2
    assert min(trial.loss or 0 for trial in late if not trial.is_broken) < 0.55
