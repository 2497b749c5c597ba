"""Points of a search space: which hyperparameters exist together, how many points there are, and
those of a grid."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping

from hpt_cli.spec.hyperparameters import Hyperparameters, Value
from hpt_cli.spec.ranges import CategoricalRange, ContinuousRange, ParameterRange

MAX_GRID = 100_000
"""The largest grid search: more points have no end in practice."""
MAX_CHOICES = 100_000
"""At most so many combinations are counted of hyperparameters that others depend on."""


def select_active(
    ranges: Mapping[str, ParameterRange], hyperparameters: Mapping[str, Value]
) -> Hyperparameters:
    """Return the active hyperparameters: without those whose `when` does not hold.

    One that depends on a hyperparameter which does not count itself does not count either.
    """
    active = dict(hyperparameters)
    inactive = [name for name in active if not _holds(ranges[name], active)]
    while inactive:
        for name in inactive:
            del active[name]
        inactive = [name for name in active if not _holds(ranges[name], active)]
    return active


def _holds(each: ParameterRange, hyperparameters: Mapping[str, Value]) -> bool:
    return all(hyperparameters.get(name) in values for name, values in each.when.items())


def complete_point(ranges: Mapping[str, ParameterRange], point: Hyperparameters) -> Hyperparameters:
    """Return a point with what it leaves out: in the middle, but so that what it names exists."""
    middle = {name: each.from_unit(0.5) for name, each in ranges.items()}
    implied = {
        name: middle[name] if middle[name] in values else values[0]
        for name, (values, _) in narrow_deciders(ranges, point).items()
        if values
    }
    return select_active(ranges, middle | implied | point)


def narrow_deciders(
    ranges: Mapping[str, ParameterRange], point: Hyperparameters
) -> dict[str, tuple[tuple[Value, ...], list[str]]]:
    """Return the values of other hyperparameters with which all exist that a point names.

    Beside them stand the names that need this. Without a value, the point contradicts itself.
    """
    narrowed: dict[str, tuple[tuple[Value, ...], list[str]]] = {}
    waiting = [(name, name) for name in point]
    seen = set(waiting)
    while waiting:
        name, needed = waiting.pop(0)
        for decider, wanted in ranges[name].when.items() if name in ranges else ():
            each = ranges.get(decider)
            if not isinstance(each, CategoricalRange):
                continue  # reported itself
            given = (point[decider],) if decider in point else each.values
            values, names = narrowed.get(decider, (given, []))
            left = tuple(value for value in values if value in wanted)
            narrowed[decider] = left, [*names, needed]
            if (decider, needed) not in seen:
                seen.add((decider, needed))
                waiting.append((decider, needed))
    return narrowed


def count_points(ranges: Mapping[str, ParameterRange]) -> int | None:
    """Return how many different configurations the ranges allow; None when there is no end to
    them, or too many to count."""
    deciding = {name for each in ranges.values() for name in each.when}
    deciders = {name: ranges[name] for name in deciding}
    choices = [
        [(name, each.nth_value(place)) for place in range(each.size or 0)]
        for name, each in deciders.items()
    ]
    if math.prod(map(len, choices)) > MAX_CHOICES:
        return None
    total = 0
    seen = set()
    for choice in itertools.product(*choices):
        decided = select_active(deciders, dict(choice))
        if (key := tuple(sorted(decided.items()))) in seen:
            continue
        seen.add(key)
        others = (each for name, each in ranges.items() if name not in deciding)
        sizes = [each.size for each in others if _holds(each, decided)]
        if None in sizes:
            return None
        total += math.prod(size or 0 for size in sizes)
    return total


def list_grid(ranges: Mapping[str, ParameterRange]) -> Iterator[Hyperparameters]:
    """Yield the points of a grid search, the last range moving fastest, each once.

    Every range needs a grid: a step, `grid_points`, or a finite number of values.
    """
    seen = set()
    for values in itertools.product(*(each.grid or () for each in ranges.values())):
        point = select_active(ranges, dict(zip(ranges, values, strict=True)))
        if (key := tuple(point.items())) not in seen:
            seen.add(key)
            yield point


def bound_grid(ranges: Mapping[str, ParameterRange]) -> int | None:
    """Return an upper bound of a grid search's points, without listing them; None where nothing
    says which values to try."""
    sizes = [_bound_grid(each) for each in ranges.values()]
    return None if None in sizes else math.prod(size or 0 for size in sizes)


def _bound_grid(each: ParameterRange) -> int | None:
    points = None if isinstance(each, CategoricalRange) else each.grid_points
    if isinstance(each, ContinuousRange) and points is not None:
        return points
    return each.size if points is None or each.size is None else min(points, each.size)


def count_grid(ranges: Mapping[str, ParameterRange]) -> int:
    """Return how many points a grid search has."""
    if not any(each.when for each in ranges.values()):
        return math.prod(len(each.grid or ()) for each in ranges.values())
    return sum(1 for _ in list_grid(ranges))
