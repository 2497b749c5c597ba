"""The three parameter ranges, and the map between a value and the unit interval.

Strategies see only unit coordinates; training jobs see only values. A scaling type bends the map
between the two (SageMaker Developer Guide, "Hyperparameter scaling").
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from hpt_cli.formatting import Written
from hpt_cli.spec.hyperparameters import Value

ScalingType = Literal["Auto", "Linear", "Logarithmic", "ReverseLogarithmic"]

MAX_CATEGORIES = 1000
"""With more, what Bayesian computes for one suggestion takes seconds."""
AUTO_RATIO = 100.0
"""`Auto` picks a logarithmic scale once the bounds are this many times apart."""
MAX_GRID_POINTS = 1000
MAX_NUMBER = math.nextafter(math.inf, 0)
MAX_STEPS = 2**53
"""A range with a step has fewer values; else some would be the same floating-point number."""
SIGNIFICANT_DIGITS = 6
"""Continuous values are rounded to this, so that people can read and type them."""


def _refuse_bool(raw: Any) -> Any:
    if isinstance(raw, bool):
        raise PydanticCustomError("number", "must be a number")
    return raw


Number = Annotated[float, BeforeValidator(_refuse_bool), Field(allow_inf_nan=False)]
Whole = Annotated[int, BeforeValidator(_refuse_bool)]
GridPoints = Annotated[Whole, Field(ge=1, le=MAX_GRID_POINTS)]


def _plain(raw: Any) -> Any:
    if isinstance(raw, list):
        why = 'a list is written as text: "64 64" for several arguments, with {name...} in the'
        why += ' command; "[64, 64]" for one, or for a config file'
        raise PydanticCustomError("category", "{why}", {"why": why})
    if isinstance(raw, (bool, dict, list)) or raw is None:
        raise PydanticCustomError(
            "category", "a category is text or a number; put quotes around it to make it text"
        )
    return raw


def _keep_text(raw: Any, check: ValidatorFunctionWrapHandler) -> Any:
    """Return a number as it is written, where that is known; pydantic would make a new one."""
    checked = check(raw)
    return raw if isinstance(raw, Written) else checked


Category = Annotated[
    Annotated[int, Field(strict=True)]
    | Annotated[float, Field(strict=True, allow_inf_nan=False)]
    | Annotated[str, Field(strict=True)],
    WrapValidator(_keep_text),
    BeforeValidator(_plain),
    WithJsonSchema({"type": ["string", "number", "boolean"]}),
]


def _listify(raw: Any) -> Any:
    """Return a list of what may also be written as a single value: `adam` means `[adam]`."""
    return raw if isinstance(raw, list | tuple) else [raw]


def _listify_each(raw: Any) -> Any:
    return {name: _listify(each) for name, each in raw.items()} if isinstance(raw, dict) else raw


_One = BeforeValidator(_listify)
_Few = Field(max_length=MAX_CATEGORIES)


class SpecPart(BaseModel):
    """A part of a spec that has only these fields, and never changes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class _Range(SpecPart):
    when: Annotated[dict[str, tuple[Category, ...]], BeforeValidator(_listify_each)] = {}
    """Only where each of these other hyperparameters has one of these values."""


def _wrong(field: str, slug: str, message: str) -> PydanticCustomError:
    """Return the error of a field that is wrong only beside another."""
    context = {"field": field, "slug": slug, "message": message}
    return PydanticCustomError("cross_field", "{message}", context)


def _check_numbers(low: float, high: float, scaling: ScalingType, step: float | None) -> None:
    if low > high:
        message = f"min_value {low:g} is larger than max_value {high:g}"
        raise _wrong("min_value", "range-order", message)
    if max(high, -low, high - low) > MAX_NUMBER:
        raise _wrong("max_value", "range-width", "the range is too wide to be represented")
    if scaling == "Logarithmic" and low <= 0:
        message = f"a Logarithmic range must lie above 0, but min_value is {low:g}"
        raise _wrong("min_value", "range-scaling", message)
    if scaling == "ReverseLogarithmic" and not (low >= 0 and high < 1):
        field = "min_value" if low < 0 else "max_value"
        raise _wrong(field, "range-scaling", "a ReverseLogarithmic range must lie in 0 ≤ x < 1")
    if step is not None and 0 < high - low < step:
        raise _wrong("step", "range-step", f"step {step:g} is larger than the range")
    if step is not None and high - low > MAX_STEPS * step:
        if step == 1:  # the default of a range of whole numbers, which may stand nowhere
            message = f"max_value {high:,} is more than {MAX_STEPS:,} above min_value {low:,}"
            raise _wrong("max_value", "range-step", message)
        message = f"step {step:g} is too small for the range: more than {MAX_STEPS:,} values"
        raise _wrong("step", "range-step", message)


def _resolve(scaling: ScalingType, low: float, high: float) -> ScalingType:
    """Return the scaling that `Auto` means: logarithmic over two orders of magnitude or more."""
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


def _spread(count: int) -> list[float]:
    """Return places evenly over [0, 1], its ends included; a single one in the middle."""
    return [0.5] if count == 1 else [place / (count - 1) for place in range(count)]


def _round(value: float, scaling: ScalingType) -> float:
    """Round to six significant digits, counted from 1 downwards if ReverseLogarithmic."""
    if scaling == "ReverseLogarithmic" and value > 0.5:
        return round(1 - float(f"{1 - value:.{SIGNIFICANT_DIGITS}g}"), 15)
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}")


class ContinuousRange(_Range):
    """Real numbers from min_value to max_value, both included."""

    type: Literal["Continuous"]
    """Real numbers between two bounds."""
    min_value: Number
    """The smallest value; included."""
    max_value: Number
    """The largest value; included."""
    scaling_type: ScalingType = "Auto"
    """How the range is searched: Auto is Logarithmic where the bounds are 100 times apart."""
    step: Annotated[Number, Field(gt=0)] | None = None
    """Only min_value, min_value + step, ..."""
    grid_points: GridPoints | None = None
    """How many values a Grid tries."""
    prior: Annotated[tuple[Number, ...], _Few, _One] = ()
    """Where the best value is believed to be: one value, or a list. It is tried more often, until
    results say otherwise."""

    @model_validator(mode="after")
    def _check(self) -> ContinuousRange:
        _check_numbers(self.min_value, self.max_value, self.scaling_type, self.step)
        return self

    @property
    def scaling(self) -> ScalingType:
        """The scaling in force, with `Auto` decided."""
        return _resolve(self.scaling_type, self.min_value, self.max_value)

    @property
    def size(self) -> int | None:
        """How many values there are; None for a continuum."""
        if self.min_value == self.max_value:
            return 1
        if self.step is None:
            return None
        return 1 + math.floor((self.max_value - self.min_value) / self.step * (1 + 1e-12))

    def nth_value(self, place: int) -> float:
        """Return the value at an index, from 0, of a range with a step or a single value."""
        value = self.min_value + place * (self.step or 0.0)
        return min(self.max_value, float(f"{value:.12g}"))

    @property
    def grid(self) -> tuple[float, ...] | None:
        """The values that a grid search tries; None where nothing says which."""
        if self.grid_points is not None:
            return tuple(dict.fromkeys(map(self.from_unit, _spread(self.grid_points))))
        return None if self.size is None else tuple(map(self.nth_value, range(self.size)))

    def to_unit(self, value: Value) -> float:
        """Return the place of a value in [0, 1]."""
        return _to_unit(float(value), self.min_value, self.max_value, self.scaling)

    def from_unit(self, unit: float) -> float:
        """Return the value at a place in [0, 1]: on the step, or of six significant digits."""
        exact = _from_unit(unit, self.min_value, self.max_value, self.scaling)
        if self.step is not None and self.size is not None:
            place = round((exact - self.min_value) / self.step)
            return self.nth_value(min(self.size - 1, place))
        return min(self.max_value, max(self.min_value, _round(exact, self.scaling)))

    def contains(self, value: Value) -> bool:
        """Return whether the value lies in the range."""
        return not isinstance(value, str) and self.min_value <= value <= self.max_value


class IntegerRange(_Range):
    """Whole numbers from min_value to max_value, both included."""

    type: Literal["Integer"]
    """Whole numbers between two bounds."""
    min_value: Whole
    """The smallest value; included."""
    max_value: Whole
    """The largest value; included."""
    scaling_type: Literal["Auto", "Linear", "Logarithmic"] = "Auto"
    """How the range is searched: Auto is Logarithmic where the bounds are 100 times apart."""
    step: Annotated[Whole, Field(ge=1)] = 1
    """Only min_value, min_value + step, ..."""
    grid_points: GridPoints | None = None
    """How many values a Grid tries."""
    prior: Annotated[tuple[Whole, ...], _Few, _One] = ()
    """Where the best value is believed to be: one value, or a list. It is tried more often, until
    results say otherwise."""

    @model_validator(mode="after")
    def _check(self) -> IntegerRange:
        _check_numbers(self.min_value, self.max_value, self.scaling_type, self.step)
        return self

    @property
    def scaling(self) -> ScalingType:
        """The scaling in force, with `Auto` decided."""
        scaling = _resolve(self.scaling_type, self.min_value, self.max_value)
        return "Linear" if scaling == "ReverseLogarithmic" else scaling

    @property
    def size(self) -> int:
        """How many values there are."""
        return (self.max_value - self.min_value) // self.step + 1

    def nth_value(self, place: int) -> int:
        """Return the value at an index, from 0."""
        return self.min_value + place * self.step

    @property
    def grid(self) -> tuple[int, ...] | None:
        """The values that a grid search tries: all, or `grid_points` of them."""
        count = self.grid_points
        if count is None or count >= self.size:
            return tuple(map(self.nth_value, range(self.size)))
        return tuple(dict.fromkeys(map(self.from_unit, _spread(count))))

    @property
    def _edges(self) -> tuple[float, float]:
        """Half a cell beyond the outer values, so that every value owns a cell of the interval."""
        half = 0.5 if self.scaling == "Logarithmic" else self.step / 2
        return self.min_value - half, self.nth_value(self.size - 1) + half

    def to_unit(self, value: Value) -> float:
        """Return the centre of the value's cell in [0, 1]."""
        return _to_unit(float(value), *self._edges, self.scaling)

    def from_unit(self, unit: float) -> int:
        """Return the integer whose cell holds a place in [0, 1]."""
        exact = _from_unit(unit, *self._edges, self.scaling)
        place = math.floor((exact - self.min_value) / self.step + 0.5)
        return self.nth_value(min(self.size - 1, max(0, place)))

    def contains(self, value: Value) -> bool:
        """Return whether the value lies in the range."""
        return (
            not isinstance(value, str)
            and value == int(value)
            and self.min_value <= value <= self.max_value
            and (value - self.min_value) % self.step == 0
        )


def _find_twice(texts: Iterable[str]) -> set[str]:
    return {text for text, times in Counter(texts).items() if times > 1}


def _write_plain(value: Value) -> str:
    """Return a value as Python writes it, whatever stands in the spec."""
    return value if isinstance(value, str) else repr(value)


class CategoricalRange(_Range):
    """One of a list of values, in no order."""

    type: Literal["Categorical"]
    """One of a list of values."""
    values: Annotated[tuple[Category, ...], Field(min_length=1, max_length=MAX_CATEGORIES)]
    """1 to 1000 values, text or numbers."""
    prior: Annotated[tuple[Category, ...], _Few, _One] = ()
    """Where the best value is believed to be: one value, or a list. It is tried more often, until
    results say otherwise."""

    @model_validator(mode="after")
    def _check(self) -> CategoricalRange:
        twice = _find_twice(map(str, self.values)) | _find_twice(map(_write_plain, self.values))
        if twice:
            raise _wrong("values", "range-duplicate", f"listed twice: {', '.join(sorted(twice))}")
        return self

    @property
    def size(self) -> int:
        """How many values there are."""
        return len(self.values)

    def nth_value(self, place: int) -> Value:
        """Return the value at an index, from 0."""
        return self.values[place]

    @property
    def grid(self) -> tuple[Value, ...] | None:
        """The values that a grid search tries: all."""
        return self.values

    def to_unit(self, value: Value) -> float:
        """Return the centre of the category's cell in [0, 1]."""
        return (self.values.index(value) + 0.5) / len(self.values)

    def from_unit(self, unit: float) -> Value:
        """Return the category whose cell holds a place in [0, 1]."""
        return self.values[min(len(self.values) - 1, int(unit * len(self.values)))]

    def contains(self, value: Value) -> bool:
        """Return whether the value is one of the categories."""
        return value in self.values


ParameterRange: TypeAlias = Annotated[
    ContinuousRange | IntegerRange | CategoricalRange, Field(discriminator="type")
]
