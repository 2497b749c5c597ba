"""Importance: on functions of which it is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter

from hpt_cli.analysis.importance import Importance, Influence, Interval, measure_importance
from hpt_cli.spec.ranges import ParameterRange
from hpt_cli.strategies import Trial
from hpt_cli.strategies.space import Space

UNIT = {"type": "Continuous", "min_value": 0, "max_value": 1}
RATE = UNIT | {"min_value": 1e-4, "max_value": 1, "scaling_type": "Logarithmic"}
OPTIMIZERS = {"type": "Categorical", "values": ["sgd", "adam", "nag"]}


def parse(ranges: dict[str, Any]) -> Mapping[str, ParameterRange]:
    return TypeAdapter(dict[str, ParameterRange]).validate_python(ranges)


def try_points(
    ranges: Mapping[str, ParameterRange], loss: Callable[..., float], count: int
) -> list[Trial]:
    space = Space(ranges)
    points = [space.decode(place) for place in space.snap(space.draw(1, 0, count))]
    return [
        Trial(number, point, "Completed", loss(**point), ((1.0, loss(**point)),))
        for number, point in enumerate(points, start=1)
    ]


def measure(ranges: dict[str, Any], loss: Callable[..., float], count: int = 32) -> Importance:
    parsed = parse(ranges)
    importance = measure_importance(parsed, try_points(parsed, loss, count))
    assert importance is not None
    return importance


def by_name(importance: Importance) -> dict[str, Influence]:
    return {each.name: each for each in importance.influences}


def test_shares_are_those_of_an_additive_function() -> None:
    importance = measure({"a": UNIT, "b": UNIT, "c": UNIT}, lambda a, b, c: 3 * a + 1 * b)
    # Of 3a + b, a has 9 / 10 of the variance.
    assert [each.name for each in importance.influences] == ["a", "b", "c"]
    found = by_name(importance)
    assert found["a"].alone.value == pytest.approx(0.9, abs=0.06)
    assert found["b"].total.value == pytest.approx(0.1, abs=0.06)
    assert found["c"].total.value < 0.03
    assert importance.fit > 0.95


def test_interplay_counts_in_total_and_not_alone() -> None:
    found = by_name(measure({"a": UNIT, "b": UNIT}, lambda a, b: (a - 0.5) * (b - 0.5), 64))
    for each in found.values():
        assert each.total.value > 0.8
        assert each.alone.value < 0.2


def test_the_interval_holds_the_value_and_narrows_with_more_results() -> None:
    def width(count: int) -> float:
        influence = by_name(measure({"a": UNIT, "b": UNIT}, lambda a, b: a * a + b / 2, count))["a"]
        assert 0 <= influence.total.low <= influence.total.value <= influence.total.high <= 1
        return influence.total.high - influence.total.low

    assert width(64) < width(8)


def test_good_values_are_where_the_loss_is_low_on_the_scale_of_the_range() -> None:
    def loss(rate: float, optimizer: str) -> float:
        return abs(np.log10(rate) + 2) + (optimizer == "sgd")

    importance = by_name(measure({"rate": RATE, "optimizer": OPTIMIZERS}, loss, 64))
    region = importance["rate"].region
    assert isinstance(region, Interval)
    assert 1e-3 < region.low < 1e-2 < region.high < 1e-1
    choices = importance["optimizer"].region
    assert isinstance(choices, tuple)
    assert choices[-1].value == "sgd"


def test_good_values_hold_that_of_the_best_job() -> None:
    parsed = parse({"rate": RATE})
    trials = try_points(parsed, lambda rate: abs(np.log10(rate) + 2), 32)
    lucky = Trial(33, {"rate": 0.9}, "Completed", -1.0, ((1.0, -1.0),))
    importance = measure_importance(parsed, [*trials, lucky])
    assert importance is not None
    region = importance.influences[0].region
    assert isinstance(region, Interval)
    assert region.low < 1e-2
    assert region.high == 0.9
    assert 0.25 < region.covers <= 1


def test_what_counts_only_sometimes_matters_only_there() -> None:
    ranges = {"optimizer": OPTIMIZERS, "momentum": UNIT | {"when": {"optimizer": "nag"}}}

    def loss(optimizer: str, momentum: float = 0.0) -> float:
        return {"sgd": 1.0, "adam": 0.0, "nag": 2.0}[optimizer] + 0.5 * momentum

    found = by_name(measure(ranges, loss, 64))
    assert 0 < found["momentum"].total.value < 0.2 < found["optimizer"].total.value
    assert found["momentum"].region is None  # the best tenth is adam's


def test_stopped_jobs_count_as_what_they_would_have_come_to_and_failed_ones_do_not() -> None:
    ranges = parse({"a": UNIT, "b": UNIT})
    trials = []
    for trial in try_points(ranges, lambda a, b: a, 32):
        final = trial.loss or 0.0
        curve = tuple((float(step), final + 5 / step) for step in (1, 2, 3, 4))
        stopped = trial.number % 2 == 0
        seen = curve[:2] if stopped else curve
        status = "Stopped" if stopped else "Completed"
        trials.append(Trial(trial.number, trial.hyperparameters, status, seen[-1][1], seen))
    failed = [Trial(99, {"a": 0.5, "b": 0.5}, "Failed", None)]
    importance = measure_importance(ranges, trials + failed)
    assert importance is not None
    assert (importance.results, importance.stopped, importance.left_out) == (32, 16, 1)
    assert by_name(importance)["a"].total.value > 0.8  # their last values alone say little


def test_too_few_results_or_all_alike_give_none() -> None:
    ranges = parse({"a": UNIT})
    assert measure_importance(ranges, try_points(ranges, lambda a: a, 4)) is None
    assert measure_importance(ranges, try_points(ranges, lambda a: 1.0, 32)) is None


def test_diverged_jobs_do_not_decide_everything() -> None:
    def loss(a: float, b: float) -> float:
        return float("inf") if a > 0.9 else a + b

    assert by_name(measure({"a": UNIT, "b": UNIT}, loss, 64))["b"].total.value > 0.2


def test_the_same_results_give_the_same_answer() -> None:
    assert measure({"a": UNIT}, lambda a: a) == measure({"a": UNIT}, lambda a: a)
