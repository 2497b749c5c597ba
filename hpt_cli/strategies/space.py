"""The search space as the unit cube: a point has one coordinate for each range.

A discrete range divides its axis into cells; a snapped point lies in the centre of its cell, so
that points with the same hyperparameters are the same point.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, product
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hpt_cli.spec.constraints import Constraints
from hpt_cli.spec.hyperparameters import Hyperparameters
from hpt_cli.spec.points import count_points, select_active
from hpt_cli.spec.ranges import CategoricalRange, ParameterRange

Floats: TypeAlias = NDArray[np.float64]

MAX_CELLS = 4096
"""An integer range with more values than this is treated as continuous."""
MIDDLE = 0.5
"""The coordinate of a hyperparameter that is not active."""
NO_VALUE = "no value"
MAX_DRAWS = 256
"""How many points of a continuous space are drawn in search of an untried one."""
MAX_CONSTRAINED_DRAWS = 1 << 14
"""The same where constraints may leave little of it: half a second's worth."""
CONSTRAINED_SPARE = 16
"""Where there are constraints, so many times as many points are drawn to choose one of."""


@dataclass(frozen=True)
class Cells:
    """The cells of a discrete range: the `edges` between them, (k - 1,), and `centres`, (k,)."""

    edges: Floats
    centres: Floats


def _cut(each: ParameterRange) -> Cells | None:
    """Return the cells of a range; None if it is continuous."""
    if each.size is None or each.size > MAX_CELLS:
        return None
    if isinstance(each, CategoricalRange):
        count = len(each.values)
        return Cells(np.arange(1, count) / count, (np.arange(count) + 0.5) / count)
    values = [float(each.nth_value(place)) for place in range(each.size)]
    # Halfway between two values, and not between their places: from_unit rounds values.
    edges = [each.to_unit((low + high) / 2) for low, high in pairwise(values)]
    return Cells(np.array(edges), np.array([each.to_unit(value) for value in values]))


def reflect(coordinates: Floats) -> Floats:
    """Return coordinates, each at most 1 beyond the unit interval, reflected into it."""
    beyond = np.abs(coordinates)
    return np.where(beyond > 1, 2 - beyond, beyond)


class Space:
    """The search space of one tuning job, and which of its points were tried.

    What is `fixed` has these values in every point that is made.
    """

    def __init__(
        self,
        ranges: Mapping[str, ParameterRange],
        tried: Iterable[Hyperparameters] = (),
        fixed: Hyperparameters | None = None,
        constraints: Constraints | None = None,
    ) -> None:
        """`constraints`: what the points that are made must meet."""
        self.ranges = ranges
        self.constraints = constraints or Constraints()
        self.fixed = fixed or {}
        self.conditional = any(each.when for each in ranges.values())
        self.cells = [_cut(each) for each in ranges.values()]
        self.size = count_points(ranges)
        self._given = list(tried)

    @cached_property
    def tried(self) -> set[tuple[object, ...]]:
        """The distinct points that were tried."""
        return {self._key(each) for each in self._given if self.contains(each)}

    def _key(self, hyperparameters: Hyperparameters) -> tuple[object, ...]:
        return tuple(hyperparameters.get(name) for name in self.ranges)

    def contains(self, hyperparameters: Hyperparameters) -> bool:
        """Return whether hyperparameters lie in the ranges: of all active ones and no other."""
        if not hyperparameters.keys() <= self.ranges.keys():
            return False
        inside = all(self.ranges[name].contains(value) for name, value in hyperparameters.items())
        return inside and hyperparameters.keys() == self._list_active(hyperparameters)

    def _list_active(self, hyperparameters: Hyperparameters) -> set[str]:
        """Return the ranges that are active with these values of the ranges that decide."""
        if not self.conditional:
            return set(self.ranges)
        missing = self.ranges.keys() - hyperparameters.keys()
        return set(select_active(self.ranges, hyperparameters | dict.fromkeys(missing, NO_VALUE)))

    def encode(self, hyperparameters: Iterable[Hyperparameters]) -> Floats:
        """Return the points, (n, d), of n hyperparameters; inactive ones are in the middle."""
        rows = [
            [
                each.to_unit(one[name]) if name in one else MIDDLE
                for name, each in self.ranges.items()
            ]
            for one in hyperparameters
        ]
        # Without any rows, np.array would make a single dimension.
        return np.array(rows, dtype=float).reshape(len(rows), len(self.ranges))

    def decode(self, point: Floats) -> Hyperparameters:
        """Return the hyperparameters of one point, (d,)."""
        values = {
            name: each.from_unit(float(unit))
            for unit, (name, each) in zip(point, self.ranges.items(), strict=True)
        }
        values |= self.fixed
        return select_active(self.ranges, values) if self.conditional else values

    def snap(self, points: Floats) -> Floats:
        """Return points, (n, d), moved to the centres of their cells."""
        snapped = points.clip(0.0, 1.0)
        for column, cells in enumerate(self.cells):
            if cells is not None:
                places = np.searchsorted(cells.edges, snapped[:, column], side="right")
                snapped[:, column] = cells.centres[places]
        for column, (name, each) in enumerate(self.ranges.items()):
            if name in self.fixed:
                snapped[:, column] = each.to_unit(self.fixed[name])
        snapped[~self.find_active(snapped)] = MIDDLE
        return snapped

    def find_active(self, points: Floats) -> np.ndarray:
        """Return whether each coordinate of points, (n, d), counts for its point, (n, d)."""
        names = list(self.ranges)
        active = np.ones(points.shape, dtype=bool)
        # A chain of conditions is as long as there are columns, at the most.
        for _ in range(sum(bool(each.when) for each in self.ranges.values())):
            for column, each in enumerate(self.ranges.values()):
                for name, values in each.when.items():
                    decider, other = self.ranges[name], names.index(name)
                    units = [decider.to_unit(value) for value in values]
                    holds = np.isclose(points[:, other, None], units).any(axis=1)
                    active[:, column] &= holds & active[:, other]
        return active

    def is_new(self, hyperparameters: Hyperparameters) -> bool:
        """Return whether no earlier trial had these hyperparameters."""
        if self.size is None:  # a list does: few points of a continuous space are asked for
            return hyperparameters not in self._given
        return self._key(hyperparameters) not in self.tried

    def may_try(self, hyperparameters: Hyperparameters) -> bool:
        """Return whether a point meets the constraints, and is new."""
        return self.is_new(hyperparameters) and not self.constraints.find_broken(hyperparameters)

    def select_allowed(self, points: Floats) -> Floats:
        """Return those of points, (n, d), that meet the constraints."""
        if not self.constraints:
            return points
        broken = (self.constraints.find_broken(self.decode(point)) for point in points)
        return points[[each is None for each in broken]]

    @property
    def exhausted(self) -> bool:
        """Whether every point was tried."""
        return self.size is not None and len(self.tried) >= self.size

    def draw(self, seed: int, start: int, count: int = 1) -> Floats:
        """Return points `start` to `start + count` of the scrambled Sobol sequence, (count, d).

        With `start` 0, `count` must be a power of 2. Scrambling: Owen 1998, as scipy does it.
        """
        from scipy.stats import qmc  # it takes half a second to import, and Random does not need it

        sequence = qmc.Sobol(len(self.ranges), scramble=True, seed=np.random.default_rng(seed))
        if start:
            sequence.fast_forward(start)
        return np.asarray(sequence.random(count))

    def first_new(self, points: Iterable[Floats]) -> Hyperparameters | None:
        """Return the first untried one of these points, or else any other untried one.

        None where there is none that meets the constraints, as far as many points can show.
        """
        candidates = (self.decode(point) for point in points)
        found = next((each for each in candidates if self.may_try(each)), None)
        if found is not None or self.exhausted:
            return found
        return next((each for each in self._others() if self.may_try(each)), None)

    def _others(self) -> Iterator[Hyperparameters]:
        """Yield distinct points in a fixed order, enough to find a new one if there is one."""
        if self.size is None or (self.constraints and self.size > MAX_CONSTRAINED_DRAWS):
            draws = MAX_CONSTRAINED_DRAWS if self.constraints else MAX_DRAWS
            yield from (self.decode(point) for point in self.draw(0, 0, draws))
            return
        sizes = [each.size or 1 for each in self.ranges.values()]
        for places in product(*map(range, sizes)):
            point = {
                name: each.nth_value(place)
                for place, (name, each) in zip(places, self.ranges.items(), strict=True)
            }
            yield select_active(self.ranges, point | self.fixed)
