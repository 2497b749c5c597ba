"""What is kept of a metric with very many values, and what is known of all of them.

The first ALL_KEPT values are all kept. After them, of the values that follow on each other with one
step only the first and the last count, as a curve has one value for a step; and of these steps, by
their place, the first ALL_KEPT are kept, and of each doubling after that about ALL_KEPT / 8 at
equal distances. So the same output always gives the same curve, however it was grouped into reads,
and also to a tuner that reads it again.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hpt_cli.metrics.curve import Observation

ALL_KEPT = 10_000
"""So many first values of a metric are all kept."""
FIRST_STRIDE = 8
"""One in so many is kept up to twice as many values; one in twice as many up to the next doubling;
and so on."""
NEWS_SHARE = 0.02
"""Totals are told again when there are so many more values, as a share."""


def is_kept(place: int) -> bool:
    """Return whether the step at a place, counted from 0, is kept."""
    if place < ALL_KEPT:
        return True
    doublings = (place // ALL_KEPT).bit_length() - 1
    return place % (FIRST_STRIDE << doublings) == 0


@dataclass(frozen=True, slots=True)
class Totals:
    """What is known of all values of a metric, of which not all are kept."""

    count: int
    steps: int
    """How many values had a higher step than all before: the number of steps, where they grow."""
    finite: int
    """How many were neither NaN nor infinite; those that follow are of these."""
    sum: float
    """Summed in order with compensation (Neumaier): exact but for the last digit."""
    least: float | None
    greatest: float | None
    offset: int
    """Where the latest of all stood."""


def find_fresh_totals(known: Mapping[str, Totals], told: Mapping[str, Totals]) -> dict[str, Totals]:
    """Return the totals by metric that count further than those that are known."""
    return {
        metric: each
        for metric, each in told.items()
        if metric not in known or each.offset > known[metric].offset
    }


class _Series:
    """The values of one metric."""

    def __init__(self) -> None:
        self.count = self.steps = self.finite = self.told = 0
        self._sum = self._rest = 0.0
        self._least, self._greatest = math.inf, -math.inf
        self.last: Observation | None = None
        """The one with the highest step, and of several the latest: a curve ends with it."""
        self.latest: Observation | None = None
        self._runs = 0
        """How often the step changed from one value to the next."""
        self._kept: Observation | None = None

    def add(self, found: Sequence[Observation]) -> list[Observation]:
        """Count values; return those that are kept."""
        total, rest, finite = self._sum, self._rest, self.finite
        least, greatest = self._least, self._greatest
        last, steps = self.last, self.steps
        highest = -math.inf if last is None else last.step
        isfinite = math.isfinite
        for each in found:
            _, _, step, value = each
            if step >= highest:
                if step > highest:
                    steps += 1
                    highest = step
                last = each
            if isfinite(value):
                finite += 1
                larger = total + value
                if abs(total) >= abs(value):
                    rest += (total - larger) + value
                else:
                    rest += (value - larger) + total
                total = larger
                if value < least:
                    least = value
                if value > greatest:
                    greatest = value
        self._sum, self._rest, self.finite = total, rest, finite
        self._least, self._greatest = least, greatest
        kept = self._choose(found)
        self.last, self.steps, self.latest = last, steps, found[-1]
        self.count += len(found)
        return kept

    def _choose(self, found: Sequence[Observation]) -> list[Observation]:
        kept: list[Observation] = []
        room, before, runs, latest_kept = ALL_KEPT - self.count, self.latest, self._runs, self._kept
        for each in found:
            is_new = before is None or each.step != before.step
            if is_new:
                if before is not None and before is not latest_kept and is_kept(runs - 1):
                    kept.append(before)  # the last of its step
                runs += 1
            if room > 0 or (is_new and is_kept(runs - 1)):
                kept.append(each)
                latest_kept = each
            room -= 1
            before = each
        self._runs, self._kept = runs, latest_kept
        return kept

    def finish(self) -> list[Observation]:
        """Return the last value as the last observation, where it is not kept already."""
        last, latest = self.last, self.latest
        if last is None or latest is None:
            return []
        if last is not latest:
            # It came before others that are kept, so that it would be taken for known.
            return [last._replace(offset=latest.offset + 1)]
        return [] if last is self._kept else [last]

    def describe(self) -> Totals:
        """Return what is known of all."""
        assert self.latest is not None
        return Totals(
            count=self.count,
            steps=self.steps,
            finite=self.finite,
            sum=self._sum + self._rest,
            least=self._least if self.finite else None,
            greatest=self._greatest if self.finite else None,
            offset=self.latest.offset,
        )


class Thinner:
    """Chooses which values of one attempt are kept, and counts all."""

    def __init__(self) -> None:
        self._series: dict[str, _Series] = {}

    def add(self, found: Sequence[Observation]) -> list[Observation]:
        """Return the observations that are kept of those that came next."""
        by_metric: dict[str, list[Observation]] = {}
        for each in found:
            by_metric.setdefault(each.metric, []).append(each)
        kept: list[Observation] = []
        for metric, own in by_metric.items():
            if metric not in self._series:
                self._series[metric] = _Series()
            kept += self._series[metric].add(own)
        return kept

    def restart(self, metrics: Iterable[str]) -> None:
        """Forget what some metrics had: what comes next tells it again."""
        for metric in metrics:
            self._series.pop(metric, None)

    def finish(self) -> list[Observation]:
        """Return the last value of each thinned metric, where it was not kept."""
        return [each for series in self._list_thinned().values() for each in series.finish()]

    def pop_totals(self, *, final: bool) -> dict[str, Totals]:
        """Return the totals of thinned metrics that have changed enough to be told again.

        Args:
            final: no more values will come, so any change is enough.
        """
        told = {}
        for metric, series in self._list_thinned().items():
            least = series.told + 1 if final else (1 + NEWS_SHARE) * series.told
            if series.count >= least:
                series.told = series.count
                told[metric] = series.describe()
        return told

    @property
    def notes(self) -> list[str]:
        """A note for the user on each metric that is thinned."""
        return [
            f"it prints more than {ALL_KEPT:,} values of '{metric}': its curve has only some of the"
            " later ones; their number, mean, best and last are those of all"
            for metric in self._list_thinned()
        ]

    def _list_thinned(self) -> dict[str, _Series]:
        return {name: each for name, each in self._series.items() if each.count > ALL_KEPT}
