"""What every stop rule promises, whatever it goes by."""

from __future__ import annotations

import dataclasses
import json
import math
import random
import time
from collections.abc import Sequence

import pytest

from hpt_cli.stop_rules import AUTO, GRACE, STOP_RULES, LossCurve, list_parameters, load_stop_rule

ALONE = {"patience", "threshold"}
"""The rules that look at the live job only."""

every_rule = pytest.mark.parametrize("name", sorted(STOP_RULES))


def make_curve(number: int, losses: Sequence[float], status: str = "Completed") -> LossCurve:
    steps = tuple(float(step) for step in range(1, len(losses) + 1))
    return LossCurve(number, status, steps, tuple(losses))  # type: ignore[arg-type]


def draw_curves(seed: int, jobs: int = 12, epochs: int = 10) -> list[LossCurve]:
    """Curves that fall towards different ends; some stopped, one that diverges at its end."""
    rng = random.Random(seed)
    curves = []
    for number in range(1, jobs + 1):
        end, rate, long = rng.random(), rng.uniform(0.1, 1), number % 4 == 0
        losses = [end + math.exp(-rate * epoch) for epoch in range(epochs // 2 if long else epochs)]
        curves.append(make_curve(number, losses, "Stopped" if long else "Completed"))
    bad = [*curves[0].losses[:-1], math.inf]
    return [*curves, make_curve(jobs + 1, bad)]


LIVES = [
    make_curve(99, losses, "Running")
    for losses in (
        [1.0],
        [math.inf],
        [1.0, math.inf],
        [5.0, 5.0, 5.0, 5.0],
        [2.0, 1.5, 1.2, 1.0, 0.9],
        [0.0, -1.0, -2.0],
        [0.5] * 40,
        [1e300, 1e17, -1e17],
        [1e-310, 5e-324, 0.0, -5e-324],
        [math.inf, -math.inf, 1.0],
    )
]


@every_rule
def test_it_answers_whatever_it_is_shown_and_twice_the_same(name: str) -> None:
    rule = load_stop_rule(name)
    tiny = [make_curve(number, [number * 5e-324] * 9) for number in range(1, 9)]
    bad = [make_curve(1, [math.inf] * 9)] * 3
    for others in ([], draw_curves(1, jobs=2), draw_curves(2), bad, tiny):
        for live in LIVES:
            verdict = rule.judge(live, others)
            assert verdict == load_stop_rule(name).judge(live, others)
            assert verdict.evidence["step"] == live.steps[-1]
            assert verdict.reason
            assert len(verdict.reason) < 70
            json.dumps(dict(verdict.evidence))


@every_rule
def test_the_order_of_the_other_jobs_does_not_matter(name: str) -> None:
    rule, others = load_stop_rule(name), draw_curves(3)
    shuffled = random.Random(0).sample(others, len(others))
    for live in LIVES:
        assert rule.judge(live, others) == rule.judge(live, shuffled)


@pytest.mark.parametrize("name", sorted(set(STOP_RULES) - ALONE))
def test_it_stops_nothing_without_other_jobs(name: str) -> None:
    for live in LIVES:
        assert not load_stop_rule(name).judge(live, []).stop


@pytest.mark.parametrize("name", sorted(set(STOP_RULES) - ALONE))
def test_the_best_job_at_every_epoch_goes_on(name: str) -> None:
    others = draw_curves(4)
    for epochs in range(1, 11):
        live = make_curve(99, [-1.0 - epoch for epoch in range(epochs)], "Running")
        assert not load_stop_rule(name).judge(live, others).stop


@every_rule
def test_what_diverged_is_stopped_after_a_grace(name: str) -> None:
    rule = load_stop_rule(name)
    assert rule.judge(make_curve(9, [1.0] + [math.inf] * GRACE, "Running"), []).stop
    once = rule.judge(make_curve(9, [1.0, math.inf, 0.9], "Running"), [])
    assert not once.stop


@every_rule
def test_adding_a_constant_or_a_factor_changes_no_verdict(name: str) -> None:
    rule, others = load_stop_rule(name), draw_curves(5)
    for live in LIVES[:6]:
        verdict = rule.judge(live, others).stop
        for move in (lambda loss: 8 * loss, lambda loss: loss - 2.0):
            moved = [
                dataclasses.replace(each, losses=tuple(move(loss) for loss in each.losses))
                for each in [live, *others]
            ]
            assert rule.judge(moved[0], moved[1:]).stop == verdict


@every_rule
def test_its_parameters_have_defaults_of_their_type_and_are_checked(name: str) -> None:
    defaults = list_parameters(name)
    assert load_stop_rule(name, **defaults) == load_stop_rule(name)
    with pytest.raises(TypeError):
        load_stop_rule(name, no_such_parameter=1)
    with pytest.raises(ValueError, match="min_epochs must be at least"):
        load_stop_rule(name, min_epochs=0)


@every_rule
def test_a_decision_is_fast(name: str) -> None:
    others = draw_curves(6, jobs=100, epochs=100)
    live = make_curve(999, [3.0 - epoch / 100 for epoch in range(50)], "Running")
    rule = load_stop_rule(name)
    fastest = math.inf
    for _ in range(5):
        begin = time.perf_counter()
        rule.judge(live, others)
        fastest = min(fastest, time.perf_counter() - begin)
    assert fastest < 0.1  # 20 ms on an idle machine; benchmarks measure, tests only catch a blunder


def test_auto_is_a_rule() -> None:
    assert AUTO in STOP_RULES


def test_there_is_no_other_rule() -> None:
    with pytest.raises(KeyError):
        load_stop_rule("no_such_rule")


@every_rule
def test_calibrated_it_answers_too_and_in_whatever_order_jobs_ended(name: str) -> None:
    completed = [each for each in draw_curves(1) if each.status == "Completed"]
    tiny = [make_curve(number, [number * 5e-324] * 9) for number in range(20, 24)]
    shuffled = random.Random(2).sample([*completed, *tiny], len(completed) + len(tiny))
    rule = load_stop_rule(name)
    for live in LIVES:
        verdict = rule.calibrate([*completed, *tiny]).judge(live, completed)
        assert verdict == rule.calibrate(shuffled).judge(live, completed)
        assert json.dumps(dict(verdict.evidence))
    assert rule.calibrate([]).judge(LIVES[3], completed) == rule.judge(LIVES[3], completed)
