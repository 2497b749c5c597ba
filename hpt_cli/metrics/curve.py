"""The observations of one metric, in order of step: pairs of a step and a value."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

Curve: TypeAlias = Sequence[tuple[float, float]]

LARGEST = 1e150
"""Values beyond this count as infinite, so that squares stay finite."""


class PackedCurve(Curve):
    """An immutable curve that takes a sixth of the memory of a tuple of tuples."""

    __slots__ = ("_steps", "_values")

    def __init__(self, curve: Iterable[tuple[float, float]]) -> None:
        pairs = tuple(curve)
        self._steps = array("d", (step for step, _ in pairs))
        self._values = array("d", (value for _, value in pairs))

    def __len__(self) -> int:
        return len(self._steps)

    def __iter__(self) -> Iterator[tuple[float, float]]:
        return zip(self._steps, self._values, strict=True)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return tuple(zip(self._steps[place], self._values[place], strict=True))
        return self._steps[place], self._values[place]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))


class MappedCurve(Curve):
    """A curve whose values are mapped by a function when they are read."""

    __slots__ = ("_curve", "_function")

    def __init__(self, curve: Curve, function: Callable[[float], float]) -> None:
        self._curve = curve
        self._function = function

    def __len__(self) -> int:
        return len(self._curve)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return MappedCurve(self._curve[place], self._function)
        step, value = self._curve[place]
        return step, self._function(value)


class Observation(NamedTuple):
    """One value of one metric of one training job.

    Job, attempt, metric and offset identify it, so reading a log twice records nothing twice.
    """

    metric: str
    offset: int
    """Where its match begins in the log, in bytes."""
    step: float
    value: float
