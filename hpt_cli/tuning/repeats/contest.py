"""The best of a search run again with other seeds: the spec of the tuning job that does it.

It is a tuning job with repeats, whose only points are given.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count, islice
from typing import Any

from hpt_cli.spec.command_template import ALL, find_placeholders
from hpt_cli.spec.hyperparameters import Hyperparameters, Value
from hpt_cli.spec.model import TuningSpec
from hpt_cli.spec.points import complete_point
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


def choose_points(spec: TuningSpec, summary: Summary, top: int, seed: str | None) -> Chosen:
    """Return the best `top` configurations of a search, and the default after them.

    Args:
        seed: the hyperparameter that is the seed; training jobs that differ in it alone are of one
            configuration.
    """
    known = group_rows(summary.rows, summary.objective, seed)
    best = rank_configurations(known)[:top]
    points = [each.hyperparameters for each in best]
    jobs: list[int | None] = [_find_best_run(each) for each in best]
    if not spec.initial_hyperparameters:
        return Chosen(tuple(points), tuple(jobs), None, has_best_only=True)
    ranges = {name: each for name, each in spec.hyperparameter_ranges.items() if name != seed}
    default = complete_point(ranges, drop_seed(spec.initial_hyperparameters[0], seed))
    if default in points:
        return Chosen(tuple(points), tuple(jobs), points.index(default), has_best_only=True)
    tried = next((each.runs[0].number for each in known if each.hyperparameters == default), None)
    return Chosen((*points, default), (*jobs, tried), len(points), has_best_only=False)


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
    old = spec.model_dump(mode="json")
    ranges, static = old["hyperparameter_ranges"], old["static_hyperparameters"]
    kept = {field: value for field, value in old.items() if field not in OF_THE_SEARCH}
    return kept | {
        "name": name,
        "description": f"confirms the best of {spec.name} with other seeds",
        "command": spec.command if seed in (None, *spec.names) else _add_option(spec, seed),
        "hyperparameter_ranges": {
            **{each: ranges[each] for each in ranges if each != seed},
            **({} if seed is None else {seed: _make_range(spec, summary, seed, seeds)}),
        },
        "static_hyperparameters": {each: static[each] for each in static if each != seed},
        "initial_hyperparameters": list(chosen.points),
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
