"""What the results of a tuning job say to do next, the most pressing first.

Each advice rests on the results alone. A model of them (`importance`) is only asked which ranges
matter, and whether anything can be learned from them at all.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

from hpt_cli.formatting import count, format_number, format_seconds, format_setting
from hpt_cli.spec.model import TuningSpec
from hpt_cli.spec.ranges import CategoricalRange, ParameterRange
from hpt_cli.strategies import Trial
from hpt_cli.tuning.completion import has_converged, list_losses, measure_noise
from hpt_cli.tuning.evidence import list_trials
from hpt_cli.tuning.repeats.confirmation import confirm
from hpt_cli.tuning.state import TuningState
from hpt_cli.tuning.summary import summarize

if TYPE_CHECKING:  # it imports scikit-optimize
    from hpt_cli.analysis.importance import Importance

FEW_RESULTS = 10
"""With fewer results nothing is advised."""
EDGE = 0.15
"""A coordinate so close to 0 or 1 lies at the edge of its range."""
NEAR_EDGE = 0.3
"""The median of the best results lies as close to it, where that is no accident."""
TOP_SHARE = 0.2
"""The best results: this share of them, at least three."""
IMPORTANT = 0.1
"""A range whose share of the variance is at least this matters."""
UNIMPORTANT = 0.05
"""A range whose share of the variance is below this, with 95 % certainty, does not matter."""
TRUSTED_FIT, POOR_FIT = 0.5, 0.1
"""The fit of a model that can be relied on, and of one that has learned nothing."""
MIN_FAILURES = 3
FAILING, MOST = 0.8, 0.7
"""In a failing region this share of jobs fails, and it has this share of all failures."""
MORE_JOBS = 20
UNLIKELY = 0.1
"""An improvement whose chance is not above this is unlikely."""


@dataclass(frozen=True, slots=True)
class Advice:
    """Something to do next."""

    slug: str
    message: str
    evidence: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the spec to change, by their path with dots."""
    max_jobs: int | None = None
    """The limit to raise, so that more jobs run after the changes."""


def advise(spec: TuningSpec, state: TuningState, importance: Importance | None) -> list[Advice]:
    """Return what to do next; the last one is whether to go on at all.

    Args:
        importance: what a model of the results says; None for too few of them.
    """
    if spec.confirms is not None:
        return [_conclude(spec.confirms.tuning_job, state)]
    trials = [each for each in list_trials(spec, state) if each.number > 0]
    results = [each for each in trials if _has_result(each)]
    found = list(_find_failing(spec, trials))
    if len(results) >= FEW_RESULTS and importance is not None:
        if importance.fit < POOR_FIT:
            found.append(_describe_noise(importance))
        else:
            found += _find_edges(spec, importance, results)
            found += _find_unimportant(spec, importance, results)
    limit = max(spec.job_limit, len(state.jobs)) + MORE_JOBS
    is_narrow = any(each.slug == "edge" for each in found)
    last = _foresee(spec, state, is_narrow=is_narrow)
    return [replace(each, max_jobs=limit) for each in (*found, last)]


def _has_result(trial: Trial) -> bool:
    is_over = trial.status in ("Completed", "Stopped") and not trial.is_broken
    return is_over and trial.loss is not None and math.isfinite(trial.loss)


def _sort(results: Sequence[Trial]) -> list[Trial]:
    return sorted(results, key=lambda each: (each.loss, each.number))


# Failures


class _Split(NamedTuple):
    """A quantity that splits failures from other jobs, and the change that excludes them."""

    what: str
    values: Sequence[float]
    exclude: Callable[[float, bool], dict[str, Any]]
    """Returns the change, by the last good value and whether failures lie above it."""


def _find_failing(spec: TuningSpec, trials: Sequence[Trial]) -> Iterator[Advice]:
    """Yield the region in which jobs fail, or break a metric constraint."""
    ended = [each for each in trials if each.status != "Running"]
    failed = [each.has_failed for each in ended]
    if sum(failed) < MIN_FAILURES:
        return
    found = [
        region
        for split in _list_splits(spec, ended)
        for above in (True, False)
        if (region := _find_region(split, failed, above=above)) is not None
    ]
    if found:
        _, advice = max(found, key=lambda each: each[0])
        yield advice


def _list_splits(spec: TuningSpec, ended: Sequence[Trial]) -> Iterator[_Split]:
    ranges = spec.hyperparameter_ranges
    for name, each in ranges.items():
        if isinstance(each, CategoricalRange):
            yield from _list_categories(name, each, ended)
            continue
        path = f"hyperparameter_ranges.{name}"

        def bound(last: float, above: bool, path: str = path) -> dict[str, Any]:
            return {f"{path}.{'max_value' if above else 'min_value'}": last}

        yield _Split(name, _list_values(ended, name), bound)
    numbers = [name for name, each in ranges.items() if not isinstance(each, CategoricalRange)]
    for one, other in combinations(numbers, 2):
        pairs = zip(_list_values(ended, one), _list_values(ended, other), strict=True)
        products = [first * second for first, second in pairs]

        def constrain(last: float, above: bool, one: str = one, other: str = other) -> Any:
            text = f"{one} * {other} {'<=' if above else '>='} {last:.6g}"
            return {"constraints": [*spec.constraints, text]}

        if all(value > 0 or math.isnan(value) for value in products):
            yield _Split(f"{one} * {other}", products, constrain)


def _list_values(trials: Sequence[Trial], name: str) -> list[float]:
    return [float(each.hyperparameters.get(name, math.nan)) for each in trials]


def _list_categories(name: str, each: CategoricalRange, ended: Sequence[Trial]) -> Iterator[_Split]:
    """Yield each category as a quantity that is 1 where a job has it, and else 0."""
    if len(each.values) < 2:
        return
    for value in each.values:
        others = [other for other in each.values if other != value]
        change = {f"hyperparameter_ranges.{name}.values": others}
        has = [float(trial.hyperparameters.get(name) == value) for trial in ended]
        yield _Split(f"{name} = {format_setting(value)}", has, lambda *_, change=change: change)


def _find_region(
    split: _Split, failed: Sequence[bool], *, above: bool
) -> tuple[tuple[float, ...], Advice] | None:
    """Return the region beyond a value in which nearly all fail, and how well it fits."""
    sign = 1.0 if above else -1.0
    known = [
        (sign * value, has_failed)
        for value, has_failed in zip(split.values, failed, strict=True)
        if not math.isnan(value)
    ]
    best: tuple[float, float] | None = None
    total = sum(failed)
    for start in sorted({value for value, _ in known})[1:]:
        inside = [has_failed for value, has_failed in known if value >= start]
        hits, misses = sum(inside), len(inside) - sum(inside)
        is_region = hits >= max(MIN_FAILURES, MOST * total) and hits >= FAILING * len(inside)
        if is_region and (best is None or hits - misses > best[0]):
            best = hits - misses, start
    if best is None:
        return None
    start = best[1]
    inside = [has_failed for value, has_failed in known if value >= start]
    last = sign * max(value for value, _ in known if value < start)
    outside = total - sum(inside)
    evidence = (
        f"{sum(inside)} of {len(inside)} jobs failed there, and {outside} of"
        f" {len(failed) - len(inside)} elsewhere"
    )
    where = split.what
    if " = " not in where:
        where += f" {'>=' if above else '<='} {format_number(sign * start)}"
    message = f"jobs fail where {where}: exclude that"
    fit = (best[0] - outside, -float(" * " in split.what))
    return fit, Advice("failures", message, evidence, split.exclude(last, above))


# Results


def _describe_noise(importance: Importance) -> Advice:
    return Advice(
        "noise",
        "the results differ by noise more than by hyperparameters: confirm the best before relying"
        " on it",
        f"a model of {count(importance.results, 'result')} predicts"
        f" {max(0.0, importance.fit):.0%} of the variance of unseen ones",
    )


def _find_edges(
    spec: TuningSpec, importance: Importance, results: Sequence[Trial]
) -> Iterator[Advice]:
    """Yield the ranges at whose edge the best results lie, and how far to widen them."""
    ordered = _sort(results)
    top = ordered[: max(3, math.ceil(TOP_SHARE * len(ordered)))]
    # The strongest first.
    for name in (i.name for i in importance.influences if i.total.value >= IMPORTANT):
        each = spec.hyperparameter_ranges[name]
        if isinstance(each, CategoricalRange) or each.min_value == each.max_value:
            continue
        units = [
            each.to_unit(trial.hyperparameters[name])
            for trial in top
            if name in trial.hyperparameters
        ]
        if not units or name not in top[0].hyperparameters:
            continue
        value = top[0].hyperparameters[name]
        for is_high in (True, False):
            from_edge = [1 - unit if is_high else unit for unit in units]
            new = _widen(each, is_high=is_high)
            at_edge = from_edge[0] <= EDGE and statistics.median(from_edge) <= NEAR_EDGE
            if new is not None and at_edge:
                field = "max_value" if is_high else "min_value"
                yield Advice(
                    "edge",
                    f"the best {name} lies at the edge of its range: widen it to {new:.6g}",
                    f"{name} = {format_setting(value)} in the best job, of"
                    f" {each.min_value:g} to {each.max_value:g}, and close to that in"
                    f" {sum(gap <= NEAR_EDGE for gap in from_edge)} of the {len(units)} best",
                    {f"hyperparameter_ranges.{name}.{field}": new},
                )


def _widen(each: ParameterRange, *, is_high: bool) -> float | None:
    """Return a bound that adds half of a range's scale, at most a decade; None where that makes no
    sense."""
    assert not isinstance(each, CategoricalRange)
    low, high = float(each.min_value), float(each.max_value)
    if each.scaling == "ReverseLogarithmic":
        return None
    if each.scaling == "Logarithmic":
        factor = min(10.0, math.sqrt(high / low))
        new = high * factor if is_high else low / factor
    else:
        new = high + (high - low) / 2 if is_high else low - (high - low) / 2
        if low >= 0 >= new:
            new = low / 2  # nothing below 0 may be meant
    if each.type == "Integer":
        new = math.ceil(new) if is_high else math.floor(new)
        if not is_high and new < 1 <= low:
            new = 1
    return None if new in (low, high) else float(f"{new:.3g}")


def _find_unimportant(
    spec: TuningSpec, importance: Importance, results: Sequence[Trial]
) -> Iterator[Advice]:
    """Yield the ranges that do not matter, if the model can be relied on."""
    best = _sort(results)[0].hyperparameters
    if importance.fit < TRUSTED_FIT or len(spec.hyperparameter_ranges) < 2:
        return
    for each in importance.influences:
        if each.total.high < UNIMPORTANT and each.name in best:
            value = best[each.name]
            yield Advice(
                "unimportant",
                f"{each.name} does not matter: fix it, at {format_setting(value)} for example",
                f"it accounts for {each.total.value:.0%} of the variance, at most"
                f" {each.total.high:.0%}",
                {f"static_hyperparameters.{each.name}": value},
            )


# The end


def _conclude(search: str, state: TuningState) -> Advice:
    """Return what a tuning job that confirms another has shown."""
    found = confirm(summarize(state, state.last_event_at, at_work=False))
    evidence = "it has too few results" if found is None else "; ".join(found.describe())
    message = f"it only runs the best of {search} again, for which there is advice"
    return Advice("confirmation", message, evidence)


def _foresee(spec: TuningSpec, state: TuningState, *, is_narrow: bool) -> Advice:
    """Return whether to stop now, or what more jobs may bring and how long they take.

    Args:
        is_narrow: whether wider ranges are advised.
    """
    losses = list_losses(spec, state.jobs.ended)
    takes = _describe_duration(spec, state)
    if not has_converged(losses, measure_noise(spec, state.jobs.ended)):
        return _foresee_gain(spec, losses, takes)
    window = max(FEW_RESULTS, len(losses) // 3)
    evidence = f"the latest {window} results improved the best by next to nothing{takes}"
    # Whatever went before, each of n random results is as likely to be the best.
    chance = MORE_JOBS / (len(losses) + MORE_JOBS) if spec.strategy == "Random" else 0.0
    if chance > UNLIKELY:
        message = f"{MORE_JOBS} more random jobs improve the best with a chance of {chance:.0%}"
        return Advice("more", message, evidence)
    where = " within these ranges" if is_narrow else ""
    message = f"stop now: more jobs{where} are unlikely to improve the best"
    return Advice("stop", message, evidence)


def _foresee_gain(spec: TuningSpec, losses: Sequence[float], takes: str) -> Advice:
    """Return what more jobs may bring to a search that has not converged."""
    half = len(losses) // 2
    if half < FEW_RESULTS // 2:
        evidence = f"there are {count(len(losses), 'result')}, too few to say more{takes}"
        return Advice("more", f"go on: {MORE_JOBS} more jobs", evidence)
    latest, metric = len(losses) - half, spec.objective_metric_name
    gained = min(losses[:half]) - min(losses)
    if gained == 0:
        message = f"{MORE_JOBS} more jobs may improve {metric}, by little"
        return Advice("more", message, f"the latest {latest} results did not improve it{takes}")
    expected = format_number(gained * MORE_JOBS / latest / 2)
    message = f"{MORE_JOBS} more jobs may improve {metric} by about {expected}"
    evidence = (
        f"the latest {latest} results improved it by {format_number(gained)}, and improvements"
        f" become half as large{takes}"
    )
    return Advice("more", message, evidence)


def _describe_duration(spec: TuningSpec, state: TuningState) -> str:
    seconds = [
        job.count_seconds(state.last_event_at)
        for job in state.jobs.ended.values()
        if job.phase in ("Completed", "Stopped")
    ]
    if not seconds:
        return ""
    usual = statistics.median(seconds)
    rounds = math.ceil(MORE_JOBS / spec.count_slots(state.pool))
    return f"; {MORE_JOBS} more jobs take about {format_seconds(rounds * usual)}"
