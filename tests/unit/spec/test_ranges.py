"""Value <-> unit interval."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hpt_cli.spec.ranges import CategoricalRange, ContinuousRange, IntegerRange


def continuous(low: object, high: object, scaling: str = "Auto") -> ContinuousRange:
    return ContinuousRange.model_validate(
        {"type": "Continuous", "min_value": low, "max_value": high, "scaling_type": scaling}
    )


def integer(low: object, high: object, scaling: str = "Auto") -> IntegerRange:
    return IntegerRange.model_validate(
        {"type": "Integer", "min_value": low, "max_value": high, "scaling_type": scaling}
    )


def categorical(*values: object) -> CategoricalRange:
    return CategoricalRange.model_validate({"type": "Categorical", "values": list(values)})


ALL = [
    continuous(-1, 3),
    continuous(1e-8, 10, "Logarithmic"),
    continuous(0, 0.9999999, "ReverseLogarithmic"),
    continuous(2, 2),
    integer(16, 128),
    integer(1, 1000, "Logarithmic"),
    integer(-5, 5),
    integer(7, 7),
    categorical("sgd", "adam", 3, 0.5),
    categorical("only"),
]


@pytest.mark.parametrize("each", ALL, ids=str)
@given(unit=st.floats(0, 1))
def test_values_lie_in_the_range_and_come_back_to_their_place(each: object, unit: float) -> None:
    assert isinstance(each, (ContinuousRange, IntegerRange, CategoricalRange))
    value = each.from_unit(unit)
    assert each.contains(value)
    again = each.from_unit(each.to_unit(value))
    if isinstance(value, float):
        assert again == pytest.approx(value, rel=1e-5, abs=1e-12)
    else:
        assert again == value


@pytest.mark.parametrize("each", ALL, ids=str)
def test_the_ends_of_the_interval_are_the_bounds(each: object) -> None:
    if isinstance(each, CategoricalRange):
        assert (each.from_unit(0), each.from_unit(1)) == (each.values[0], each.values[-1])
    else:
        assert isinstance(each, (ContinuousRange, IntegerRange))
        assert (each.from_unit(0), each.from_unit(1)) == (each.min_value, each.max_value)


def test_scaling_bends_the_middle() -> None:
    assert continuous(1e-4, 1, "Logarithmic").from_unit(0.5) == 0.01
    assert continuous(0, 0.9999, "ReverseLogarithmic").from_unit(0.5) == 0.99
    assert continuous(1e-4, 1, "Linear").from_unit(0.5) == pytest.approx(0.50005)


@pytest.mark.parametrize(
    ("each", "scaling"),
    [
        (continuous(1e-4, 1), "Logarithmic"),
        (continuous(1, 99), "Linear"),
        (continuous(0, 1), "Linear"),
        (continuous(0.5, 0.999), "ReverseLogarithmic"),
        (integer(1, 1000), "Logarithmic"),
        (integer(16, 128), "Linear"),
    ],
    ids=str,
)
def test_auto_scaling_is_decided_from_the_bounds(each: ContinuousRange, scaling: str) -> None:
    assert each.scaling == scaling


def test_every_integer_owns_the_same_share_of_a_linear_range() -> None:
    each = integer(0, 3)
    values = [each.from_unit((i + 0.5) / 400) for i in range(400)]
    assert [values.count(n) for n in range(4)] == [100] * 4


def test_values_are_short_enough_to_type() -> None:
    value = continuous(1e-8, 10, "Logarithmic").from_unit(0.3141592)
    assert len(repr(value)) <= 12


def test_bounds_may_be_text_as_at_sagemaker() -> None:
    assert continuous("1e-4", "1.0").min_value == 1e-4
    assert integer("16", "128").max_value == 128


@pytest.mark.parametrize(
    "make",
    [
        lambda: continuous(2, 1),
        lambda: continuous(0, 1, "Logarithmic"),
        lambda: continuous(0, 1, "ReverseLogarithmic"),
        lambda: continuous(-0.1, 0.5, "ReverseLogarithmic"),
        lambda: continuous(True, 2),
        lambda: continuous(0, "inf"),
        lambda: integer(0.5, 2),
        lambda: integer(1, 4, "ReverseLogarithmic"),
        lambda: categorical(),
        lambda: categorical("a", "a"),
        lambda: categorical(None),
        lambda: categorical(*range(1001)),
    ],
)
def test_wrong_ranges_are_refused(make: object) -> None:
    with pytest.raises(ValidationError):
        make()  # type: ignore[operator]
