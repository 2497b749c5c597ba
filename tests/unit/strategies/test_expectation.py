from __future__ import annotations

import numpy as np
import pytest

from hpt_cli.spec.hyperparameters import Hyperparameters
from hpt_cli.spec.ranges import ContinuousRange, ParameterRange
from hpt_cli.strategies import SuggestRequest, Trial
from hpt_cli.strategies.expectation import expect

RANGES: dict[str, ParameterRange] = {
    name: ContinuousRange(type="Continuous", min_value=0, max_value=1) for name in "xy"
}


def bowl(point: Hyperparameters, noise: float = 0.0) -> float:
    return (float(point["x"]) - 0.3) ** 2 + 0.2 * float(point["y"]) + noise


def ask(count: int, noise: float = 0.0) -> SuggestRequest:
    rng = np.random.default_rng(count)
    points: list[Hyperparameters] = [
        dict(zip("xy", rng.random(2), strict=True)) for _ in range(count)
    ]
    trials = [
        Trial(number, each, "Completed", bowl(each, noise * rng.normal()))
        for number, each in enumerate(points, 1)
    ]
    return SuggestRequest(RANGES, 0, count + 1, 100, 1, tuple(trials))


def test_results_lie_where_they_are_likely() -> None:
    request, rng, hits = ask(30, noise=0.05), np.random.default_rng(1), 0
    for _ in range(40):
        point: Hyperparameters = dict(zip("xy", rng.random(2), strict=True))
        expected = expect(request, point)
        assert expected is not None
        assert expected.low <= expected.loss <= expected.high
        hits += expected.low <= bowl(point, 0.05 * rng.normal()) <= expected.high
    assert hits / 40 >= 0.6


def test_the_most_alike_are_the_nearest_and_little_is_known_far_away() -> None:
    request = ask(30)
    trial = request.trials[11]
    beside = expect(request, {name: float(each) for name, each in trial.hyperparameters.items()})
    assert beside is not None
    assert beside.nearest[0] == (12, pytest.approx(1.0))
    assert beside.loss == pytest.approx(trial.loss, abs=0.05)
    assert not beside.explores
    corner = [Trial(n, {"x": n / 90, "y": n / 90}, "Completed", n / 10) for n in range(1, 10)]
    far = expect(SuggestRequest(RANGES, 0, 10, 100, 1, tuple(corner)), {"x": 1.0, "y": 0.9})
    assert far is not None
    assert far.best == 0.1


@pytest.mark.parametrize("losses", [[], [1.0], [1.0, 1.0, 1.0], [np.inf, np.inf]])
def test_nothing_is_expected_where_nothing_is_told(losses: list[float]) -> None:
    trials = tuple(
        Trial(n, {"x": n / 10, "y": 0.5}, "Completed", loss) for n, loss in enumerate(losses, 1)
    )
    request = SuggestRequest(RANGES, 0, 9, 100, 1, trials)
    assert expect(request, {"x": 0.5, "y": 0.5}) is None
    assert expect(ask(9), {"x": 7.0, "y": 0.5}) is None
