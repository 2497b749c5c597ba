"""Very many values: which are kept, and what is known of all."""

from __future__ import annotations

import itertools
import math
import random
from fractions import Fraction
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpt_cli.metrics.curve import Observation
from hpt_cli.metrics.thinning import ALL_KEPT, Thinner, Totals, is_kept


def observe(values: list[float], steps: list[float] | None = None) -> list[Observation]:
    steps = [float(i) for i in range(1, len(values) + 1)] if steps is None else steps
    return [
        Observation("loss", 10 * place, step, value)
        for place, (step, value) in enumerate(zip(steps, values, strict=True))
    ]


def thin(
    found: list[Observation], cuts: list[int] | None = None
) -> tuple[list[Observation], dict[str, Totals]]:
    """Return what is kept in the end, and the totals, of values that are read in pieces."""
    thinner, kept = Thinner(), []
    ends = [0, *sorted(cuts or []), len(found)]
    for start, end in itertools.pairwise(ends):
        kept += thinner.add(found[start:end])
    return kept + thinner.finish(), thinner.pop_totals(final=True)


def test_the_first_are_all_kept_and_then_ever_fewer() -> None:
    def count(places: range) -> int:
        return sum(map(is_kept, places))

    assert count(range(ALL_KEPT)) == ALL_KEPT
    for size in (ALL_KEPT, 2 * ALL_KEPT, 4 * ALL_KEPT):
        assert count(range(size, 2 * size)) == ALL_KEPT // 8
    # The latest value that is kept is a recent one.
    assert any(map(is_kept, range(10**9, 10**9 + 10**6)))


def test_few_values_are_left_as_they_are() -> None:
    found = observe([float(i) for i in range(ALL_KEPT)])
    assert thin(found) == (found, {})


@settings(max_examples=20, deadline=None)
@given(
    cuts=st.lists(st.integers(0, 22_000), max_size=30),
    seed=st.integers(0, 1),
    step_range=st.sampled_from([1, 7, 100, 50_000]),
)
def test_the_same_output_gives_the_same_curve_in_any_pieces(
    cuts: list[int], seed: int, step_range: int
) -> None:
    found = make_many(seed, step_range)
    assert thin(found, cuts) == thin_whole(seed, step_range)


@cache
def thin_whole(seed: int, step_range: int) -> tuple[list[Observation], dict[str, Totals]]:
    return thin(make_many(seed, step_range))


@cache
def make_many(seed: int, step_range: int) -> list[Observation]:
    rng = random.Random(seed)
    values = [rng.gauss(0, 10 ** rng.randint(-9, 9)) for _ in range(22_000)]
    values[100], values[20_001], values[-2] = math.nan, math.inf, math.nan
    return observe(values, [float(place % step_range) for place in range(22_000)])


@pytest.mark.parametrize("step_range", [1, 7, 100, 50_000])
def test_totals_are_of_all_values_and_the_last_is_the_curve_s_last(step_range: int) -> None:
    found = make_many(3, step_range)
    kept, totals = thin(found)
    known = totals["loss"]
    finite = [each.value for each in found if math.isfinite(each.value)]
    assert known.count == 22_000
    assert known.finite == len(finite) == 21_997
    assert (known.least, known.greatest) == (min(finite), max(finite))
    exact = float(sum(map(Fraction, finite)))
    assert known.sum == pytest.approx(exact, rel=1e-15)
    whole = {each.step: each.value for each in found}
    curve = {each.step: each.value for each in kept}
    assert known.steps == len(whole)
    assert max(curve) == max(whole)
    assert curve[max(curve)] == whole[max(whole)]
    offsets = [each.offset for each in kept]
    assert offsets == sorted(set(offsets))


def test_a_sum_keeps_what_plain_addition_loses() -> None:
    found = observe([1e16, *[1.0] * 20_000, -1e16])
    assert thin(found)[1]["loss"].sum == 20_000.0


def test_without_a_finite_value_there_is_no_least() -> None:
    totals = thin(observe([math.nan] * 10_001))[1]["loss"]
    assert (totals.count, totals.finite, totals.sum) == (10_001, 0, 0.0)
    assert (totals.least, totals.greatest) == (None, None)


def test_totals_are_told_again_when_there_is_much_more() -> None:
    thinner, told = Thinner(), 0
    found = observe([1.0] * 200_000)
    for start in range(0, len(found), 100):
        thinner.add(found[start : start + 100])
        told += bool(thinner.pop_totals(final=False))
    assert 50 < told < 200
    thinner.add(found[:1])
    assert thinner.pop_totals(final=False) == {}
    assert thinner.pop_totals(final=True)["loss"].count == 200_001
    assert thinner.pop_totals(final=True) == {}


def test_a_metric_that_begins_anew_is_counted_anew() -> None:
    thinner = Thinner()
    thinner.add(observe([1.0] * 20_000))
    assert len(thinner.notes) == 1
    assert "'loss'" in thinner.notes[0]
    thinner.restart(["loss", "acc"])
    found = observe([1.0] * 5_000)
    assert thinner.add(found) == found
    assert thinner.notes == []


@given(st.lists(st.integers(0, ALL_KEPT + 50), max_size=4))
@settings(max_examples=10, deadline=None)
def test_very_many_values_of_one_step_cost_no_other_step(cuts: list[int]) -> None:
    many = ALL_KEPT + 50
    steps = [1.0] * many + [2.0, 3.0, 3.0, 4.0]
    found = observe([float(i) for i in range(many + 4)], steps)
    kept, _ = thin(found, cuts)
    assert {each.step: each.value for each in kept} == {
        1: many - 1,
        2: many,
        3: many + 2,
        4: many + 3,
    }
    assert [each.offset for each in kept] == sorted(each.offset for each in kept)
