"""What a tuning job that runs the best of a search again has shown: which of them is really better.

The probabilities are those of `strategies/true_means.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hpt_cli.tuning.repeats.configurations import (
    Configuration,
    find_best_configuration,
    rank_configurations,
)
from hpt_cli.tuning.repeats.race import draw_means
from hpt_cli.tuning.summary import Summary

NEARLY_CERTAIN = 0.995


@dataclass(frozen=True)
class Contestant:
    """What is run again: a training job of the search, or the default, or both."""

    job: int | None
    is_default: bool

    def __str__(self) -> str:
        if self.job is None or self.is_default:
            return "the default"
        return f"job {self.job}"


@dataclass(frozen=True)
class Confirmation:
    """The best contestant so far, and the probability that its true mean is better than others'."""

    search: str
    best: Contestant
    probability: float
    """That it is the best of all."""
    leads: tuple[tuple[Contestant, float], ...]
    """The others with results, and the probability that it is better: the default comes first."""
    has_noise: bool
    """Whether seeds make a difference."""

    def describe(self) -> Iterator[str]:
        """Yield lines: `job 18 is really better than the default: 97 %; than job 5: 61 %`."""
        if not self.has_noise:
            yield "other seeds change nothing: does the command take the seed?"
        elif self.leads:
            (first, chance), *others = self.leads
            line = f"{self.best} is really better than {first}: {format_chance(chance)}"
            more = (f"than {each}: {format_chance(lead)}" for each, lead in others)
            yield "; ".join([line, *more])
            if others:
                words = f"it is the best of these {1 + len(self.leads)}"
                yield f"{words}: {format_chance(self.probability)}"


def format_chance(chance: float) -> str:
    """Return a probability as people read it: never that something is certain."""
    if chance >= NEARLY_CERTAIN:
        return "> 99 %"
    return "< 1 %" if chance < 1 - NEARLY_CERTAIN else f"{100 * chance:.0f} %"


def confirm(summary: Summary) -> Confirmation | None:
    """Return what has been shown so far; None of another tuning job, or where no configuration has
    two results."""
    confirms, repeats = summary.confirms, summary.repeats
    if confirms is None or repeats is None:
        return None
    known = rank_configurations(summary.configurations)
    best = find_best_configuration(known)
    if best is None or all(len(each.losses) < 2 for each in known):
        return None
    apart = None if confirms["has_best_only"] else len(confirms["jobs"])
    draws = draw_means(known, repeats.get("seed"), apart)
    first = draws[:, known.index(best)]
    leads = [
        (_find_contestant(confirms, each), float((first < draws[:, place]).mean()))
        for place, each in enumerate(known)
        if each is not best
    ]
    return Confirmation(
        search=confirms["tuning_job"],
        best=_find_contestant(confirms, best),
        probability=float((first <= draws.min(axis=1)).mean()),
        leads=tuple(sorted(leads, key=lambda each: not each[0].is_default)),
        has_noise=any(each.standard_error for each in known),
    )


def _find_contestant(confirms: Mapping[str, Any], configuration: Configuration) -> Contestant:
    place = configuration.number - 1
    return Contestant(confirms["jobs"][place], place == confirms.get("default"))
