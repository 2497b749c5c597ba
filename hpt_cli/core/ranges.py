"""The three parameter ranges, and the map between a value and the unit interval.

Strategies see only unit coordinates; training jobs see only values. A scaling type bends the map
between the two (SageMaker Developer Guide, "Hyperparameter scaling").
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from hpt_cli.core.hyperparameters import Value

ScalingType = Literal["Auto", "Linear", "Logarithmic", "ReverseLogarithmic"]

MAX_CATEGORIES = 30
AUTO_RATIO = 100.0
"""`Auto` picks a logarithmic scale once the bounds are this many times apart."""
SIGNIFICANT_DIGITS = 6
"""Continuous values are rounded to this, so that they can be read, pasted and typed again."""


def _refuse_bool(raw: Any) -> Any:
    if isinstance(raw, bool):
        raise PydanticCustomError("number", "a number is needed here")
    return raw


Number = Annotated[float, BeforeValidator(_refuse_bool), Field(allow_inf_nan=False)]
Whole = Annotated[int, BeforeValidator(_refuse_bool)]


class _Range(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _wrong(field: str, slug: str, message: str) -> PydanticCustomError:
    """A mistake in one field that only shows beside another."""
    return PydanticCustomError("cross_field", "{message}", _ctx(field, slug, message))


def _ctx(field: str, slug: str, message: str) -> dict[str, Any]:
    return {"field": field, "slug": slug, "message": message}


def _check_bounds(low: float, high: float, scaling: ScalingType) -> None:
    if low > high:
        raise _wrong(
            "min_value", "range-order", f"min_value {low:g} is larger than max_value {high:g}"
        )
    if scaling == "Logarithmic" and low <= 0:
        raise _wrong(
            "min_value",
            "range-scaling",
            f"a Logarithmic range must lie above 0, and min_value is {low:g}",
        )
    if scaling == "ReverseLogarithmic" and not (low >= 0 and high < 1):
        raise _wrong(
            "min_value" if low < 0 else "max_value",
            "range-scaling",
            "a ReverseLogarithmic range must lie in 0 ≤ x < 1",
        )


def _resolve(scaling: ScalingType, low: float, high: float) -> ScalingType:
    """What `Auto` means for these bounds: logarithmic where they span two orders of magnitude."""
    if scaling != "Auto":
        return scaling
    if low > 0 and high / low >= AUTO_RATIO:
        return "Logarithmic"
    if low >= 0 and high < 1 and (1 - low) / (1 - high) >= AUTO_RATIO:
        return "ReverseLogarithmic"
    return "Linear"


def _bend(x: float, scaling: ScalingType) -> float:
    if scaling == "Logarithmic":
        return math.log(x)
    if scaling == "ReverseLogarithmic":
        return -math.log1p(-x)
    return x


def _unbend(y: float, scaling: ScalingType) -> float:
    if scaling == "Logarithmic":
        return math.exp(y)
    if scaling == "ReverseLogarithmic":
        return -math.expm1(-y)
    return y


def _to_unit(value: float, low: float, high: float, scaling: ScalingType) -> float:
    bottom, top = _bend(low, scaling), _bend(high, scaling)
    if top == bottom:
        return 0.5
    return min(1.0, max(0.0, (_bend(value, scaling) - bottom) / (top - bottom)))


def _from_unit(unit: float, low: float, high: float, scaling: ScalingType) -> float:
    bottom, top = _bend(low, scaling), _bend(high, scaling)
    return min(high, max(low, _unbend(bottom + unit * (top - bottom), scaling)))


def _round(value: float, scaling: ScalingType) -> float:
    """Keep six significant digits, counted from 1 downwards on a reverse logarithmic scale."""
    if scaling == "ReverseLogarithmic" and value > 0.5:
        return round(1 - float(f"{1 - value:.{SIGNIFICANT_DIGITS}g}"), 15)
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}")


class ContinuousRange(_Range):
    """Real numbers from min_value to max_value, both included."""

    type: Literal["Continuous"]
    min_value: Number
    max_value: Number
    scaling_type: ScalingType = "Auto"

    @model_validator(mode="after")
    def _check(self) -> ContinuousRange:
        _check_bounds(self.min_value, self.max_value, self.scaling_type)
        return self

    @property
    def scaling(self) -> ScalingType:
        """The scaling in force, with `Auto` decided."""
        return _resolve(self.scaling_type, self.min_value, self.max_value)

    @property
    def size(self) -> int | None:
        """How many values there are; None for a continuum."""
        return 1 if self.min_value == self.max_value else None

    def to_unit(self, value: Value) -> float:
        """The place of a value in [0, 1]."""
        return _to_unit(float(value), self.min_value, self.max_value, self.scaling)

    def from_unit(self, unit: float) -> float:
        """The value at a place in [0, 1], rounded to six significant digits."""
        exact = _from_unit(unit, self.min_value, self.max_value, self.scaling)
        return min(self.max_value, max(self.min_value, _round(exact, self.scaling)))

    def contains(self, value: Value) -> bool:
        """Whether the value lies in the range."""
        return not isinstance(value, str) and self.min_value <= value <= self.max_value


class IntegerRange(_Range):
    """Whole numbers from min_value to max_value, both included."""

    type: Literal["Integer"]
    min_value: Whole
    max_value: Whole
    scaling_type: Literal["Auto", "Linear", "Logarithmic"] = "Auto"

    @model_validator(mode="after")
    def _check(self) -> IntegerRange:
        _check_bounds(self.min_value, self.max_value, self.scaling_type)
        return self

    @property
    def scaling(self) -> ScalingType:
        """The scaling in force, with `Auto` decided."""
        scaling = _resolve(self.scaling_type, self.min_value, self.max_value)
        return "Linear" if scaling == "ReverseLogarithmic" else scaling

    @property
    def size(self) -> int | None:
        """How many values there are."""
        return self.max_value - self.min_value + 1

    @property
    def _edges(self) -> tuple[float, float]:
        """Half a step beyond both bounds, so that every integer owns a cell of the interval."""
        return self.min_value - 0.5, self.max_value + 0.5

    def to_unit(self, value: Value) -> float:
        """The centre of the value's cell in [0, 1]."""
        return _to_unit(float(value), *self._edges, self.scaling)

    def from_unit(self, unit: float) -> int:
        """The integer whose cell holds a place in [0, 1]."""
        nearest = math.floor(_from_unit(unit, *self._edges, self.scaling) + 0.5)
        return min(self.max_value, max(self.min_value, nearest))

    def contains(self, value: Value) -> bool:
        """Whether the value lies in the range."""
        return (
            not isinstance(value, str)
            and value == int(value)
            and self.min_value <= value <= self.max_value
        )


def _plain(raw: Any) -> Any:
    if isinstance(raw, (bool, dict, list)) or raw is None:
        raise PydanticCustomError(
            "category", "a category is text or a number; put quotes around it to make it text"
        )
    return raw


Category = Annotated[
    Annotated[int, Field(strict=True)]
    | Annotated[float, Field(strict=True, allow_inf_nan=False)]
    | Annotated[str, Field(strict=True)],
    BeforeValidator(_plain),
]


class CategoricalRange(_Range):
    """One of a list of values, in no order."""

    type: Literal["Categorical"]
    values: Annotated[tuple[Category, ...], Field(min_length=1, max_length=MAX_CATEGORIES)]

    @model_validator(mode="after")
    def _check(self) -> CategoricalRange:
        texts = [str(value) for value in self.values]
        twice = sorted({text for text in texts if texts.count(text) > 1})
        if twice:
            raise _wrong("values", "range-duplicate", f"listed twice: {', '.join(twice)}")
        return self

    @property
    def size(self) -> int | None:
        """How many values there are."""
        return len(self.values)

    def to_unit(self, value: Value) -> float:
        """The centre of the category's cell in [0, 1]."""
        return (self.values.index(value) + 0.5) / len(self.values)

    def from_unit(self, unit: float) -> Value:
        """The category whose cell holds a place in [0, 1]."""
        return self.values[min(len(self.values) - 1, int(unit * len(self.values)))]

    def contains(self, value: Value) -> bool:
        """Whether the value is one of the categories."""
        return value in self.values


ParameterRange: TypeAlias = Annotated[
    ContinuousRange | IntegerRange | CategoricalRange, Field(discriminator="type")
]


def count_points(ranges: dict[str, ParameterRange]) -> int | None:
    """How many different configurations the ranges allow; None when there is no end to them."""
    total = 1
    for each in ranges.values():
        if each.size is None:
            return None
        total *= each.size
    return total
