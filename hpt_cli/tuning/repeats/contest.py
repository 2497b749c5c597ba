"""The best of a search run again with other seeds: the spec of the tuning job that does it.

It is a tuning job with repeats, whose only points are given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count, islice
from typing import Any

from hpt_cli.spec.command_template import ALL, find_placeholders
from hpt_cli.spec.hyperparameters import Hyperparameters, Value
from hpt_cli.spec.model import TuningSpec
from hpt_cli.spec.points import complete_point
from hpt_cli.spec.ranges import ParameterRange
from hpt_cli.spec.repeats import drop_seed
from hpt_cli.tuning.repeats.configurations import Configuration, rank_configurations
from hpt_cli.tuning.repeats.rows import group_rows
from hpt_cli.tuning.summary import Summary

OF_THE_SEARCH = (
    *(
        "description",
        "warm_start",
        "constraints",
        "max_runtime_seconds",
        "target_objective_metric_value",
    ),
    *("max_jobs_not_improving", "complete_on_convergence", "on_completion", "fail_fast"),
    *("early_stopping_type", "early_stopping", "pausing"),
    "confirms",
)
"""Fields that a search has for itself: what is confirmed goes on to its end, and nothing is new."""


@dataclass(frozen=True)
class Chosen:
    """What is run again: points, and the number in the search of each, as `Confirms` has it."""

    points: tuple[Hyperparameters, ...]
    jobs: tuple[int | None, ...]
    default: int | None
    has_best_only: bool


def choose_points(
    spec: TuningSpec, first: TuningSpec, summary: Summary, top: int, seed: str | None
) -> Chosen:
    """Return the best `top` configurations of a search, and the default after them.

    Args:
        first: the spec that it began with, whose first point is the default.
        seed: the hyperparameter that is the seed; training jobs that differ in it alone are of one
            configuration.
    """
    known = group_rows(summary.rows, summary.objective, seed)
    best = rank_configurations(known)[:top]
    points = [each.hyperparameters for each in best]
    jobs: list[int | None] = [_find_best_run(each) for each in best]
    if not first.initial_hyperparameters:
        return Chosen(tuple(points), tuple(jobs), None, has_best_only=True)
    given = drop_seed(first.initial_hyperparameters[0], seed)
    default = complete_point(_drop_seed_range(first, seed), given)
    # It may have been completed since, by what earlier jobs are assumed to have run with.
    tried = next((each for each in known if default.items() <= each.hyperparameters.items()), None)
    if tried is None:
        default = complete_point(_drop_seed_range(spec, seed), default)
        return Chosen((*points, default), (*jobs, None), len(points), has_best_only=False)
    if tried in best:
        return Chosen(tuple(points), tuple(jobs), best.index(tried), has_best_only=True)
    points.append(tried.hyperparameters)
    jobs.append(tried.runs[0].number)
    return Chosen(tuple(points), tuple(jobs), len(best), has_best_only=False)


def _drop_seed_range(spec: TuningSpec, seed: str | None) -> dict[str, ParameterRange]:
    return {name: each for name, each in spec.hyperparameter_ranges.items() if name != seed}


def _find_best_run(configuration: Configuration) -> int:
    able = [run for run in configuration.runs if run.loss is not None]
    return min(able, key=lambda run: (run.loss, run.number)).number


def write_fields(
    spec: TuningSpec, summary: Summary, chosen: Chosen, name: str, seeds: int, seed: str | None
) -> dict[str, Any]:
    """Return the fields of the spec that confirms a search.

    Args:
        chosen: what is run again.
        name: of the new tuning job.
        seeds: how often each is run, at most.
        seed: the hyperparameter that is the seed; the command gets it as an option if it has none.
    """
    old, static = spec.model_dump(mode="json"), spec.static_hyperparameters
    varied = {name for point in chosen.points for name in point}
    was_tuned = {name: value for name, value in static.items() if name in varied}
    points = [point | (was_tuned | point) for point in chosen.points]
    kept = {field: value for field, value in old.items() if field not in OF_THE_SEARCH}
    return kept | {
        "name": name,
        "description": f"confirms the best of {spec.name} with other seeds",
        "command": spec.command if seed in (None, *spec.names) else _add_option(spec, seed),
        "hyperparameter_ranges": {
            **_cover(old["hyperparameter_ranges"], _drop_seed_range(spec, seed), points),
            **({} if seed is None else {seed: _make_range(spec, summary, seed, seeds)}),
        },
        "static_hyperparameters": {
            name: value for name, value in static.items() if name not in (seed, *was_tuned)
        },
        "initial_hyperparameters": points,
        "repeats": {"count": seeds, "seed": seed},
        "confirms": {
            "tuning_job": spec.name,
            "jobs": list(chosen.jobs),
            "default": chosen.default,
            "has_best_only": chosen.has_best_only,
        },
        "strategy": "Random",
        "max_jobs": seeds * (len(chosen.points) - (not chosen.has_best_only)),
    }


def _cover(
    written: Mapping[str, Any],
    ranges: Mapping[str, ParameterRange],
    points: Sequence[Hyperparameters],
) -> dict[str, Any]:
    """Return ranges that contain points, of which some may lie outside those that are searched: of
    such a hyperparameter, the values that they have.

    Args:
        written: the ranges as fields of a spec.
        ranges: the same, but for the seed.
        points: of these hyperparameters, and of such as are searched no more.
    """
    covered = {}
    for name in dict.fromkeys([*ranges, *(name for point in points for name in point)]):
        values = [point[name] for point in points if name in point]
        if name in ranges and all(map(ranges[name].contains, values)):
            covered[name] = written[name]
        else:
            values = list(dict.fromkeys(values))
            when = written[name]["when"] if name in ranges else {}
            covered[name] = {"type": "Categorical", "values": values, "when": when}
    return covered


def _make_range(spec: TuningSpec, summary: Summary, seed: str, number: int) -> dict[str, Any]:
    """Return the range of the first seeds, from 1, that the search has not used."""
    used: set[Value] = {row.hyperparameters.get(seed, 0) for row in summary.rows}
    used.add(spec.static_hyperparameters.get(seed, 0))
    others = (each for each in count(1) if each not in used)
    return {"type": "Categorical", "values": list(islice(others, number))}


def _add_option(spec: TuningSpec, seed: str | None) -> str | tuple[str, ...]:
    """Return the command with an option for the seed, unless it gets all hyperparameters so."""
    command = spec.command
    placeholders = find_placeholders(command, spec.names)
    if not placeholders or ALL in placeholders:
        return command
    option, place = f"--{seed}", f"{{{seed}}}"
    return f"{command} {option} {place}" if isinstance(command, str) else (*command, option, place)
