"""Changes of the search space of a tuning job that has begun: which are possible, what follows.

What a job ran with stays known (`fold`): jobs that lie outside are kept, and left out of what the
strategy learns from (`evidence.fit_point`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from hpt_cli.errors import did_you_mean
from hpt_cli.formatting import count
from hpt_cli.spec.cross_field.conflict import Conflict
from hpt_cli.spec.cross_field.search import describe_contradictions, is_of_kind, suggest_value
from hpt_cli.spec.fields.overrides import Override
from hpt_cli.spec.hyperparameters import Hyperparameters
from hpt_cli.spec.model import TuningSpec
from hpt_cli.spec.points import list_grid
from hpt_cli.tuning.evidence import fit_point
from hpt_cli.tuning.state import TuningState

RANGES, STATIC = "hyperparameter_ranges", "static_hyperparameters"
SPACE = (RANGES, STATIC, "command")
"""The fields that say what is searched, and how it is passed on."""


def changes_space(fields: Iterable[str]) -> bool:
    """Return whether one of these fields says what is searched."""
    return not set(SPACE).isdisjoint(fields)


def move_fixed(
    fields: Mapping[str, Any], overrides: Iterable[Override]
) -> tuple[dict[str, Any], list[Override]]:
    """Return the fields of a spec, and what sets some, so that no name is both tuned and static.

    A range that gets a single value becomes static, and a static one that gets a range is tuned.
    Points to try first are left out: they have been tried, or `list_untried` has them.
    """
    ranges, static = dict(fields[RANGES]), dict(fields[STATIC])
    moved = list[Override]()
    for each in overrides:
        field, _, name = each.field.partition(".")
        if field == RANGES and name in ranges and not isinstance(each.value, Mapping):
            del ranges[name]
            if each.value is not None:
                moved.append(replace(each, field=f"{STATIC}.{name}"))
            continue
        if field == STATIC:
            ranges.pop(name, None)
        elif field == RANGES:
            static.pop(name, None)
        moved.append(each)
    return {**fields, RANGES: ranges, STATIC: static, "initial_hyperparameters": ()}, moved


def find_conflicts(
    state: TuningState, before: TuningSpec, assume: Mapping[str, Any], after: TuningSpec
) -> Iterator[Conflict]:
    """Yield why the search space cannot change so.

    Args:
        state: what is known.
        before: the spec that it has.
        assume: what earlier jobs ran with of what is new; None where that is not known.
        after: the spec that it would have.
    """
    ranges, static = after.hyperparameter_ranges, after.static_hyperparameters
    known = [job.hyperparameters for job in state.jobs.values() if job.hyperparameters is not None]
    tuned = {*before.hyperparameter_ranges, *(name for each in known for name in each)}
    new = [
        name for name in ranges if name not in tuned and name not in before.static_hyperparameters
    ]
    for name in new:
        if known and name not in assume:
            message = f"'{name}' is new: {count(len(known), 'training job')} ran without it"
            hint = f"--assume {name}=VALUE says with which value; with --assume {name}=null they"
            hint += " are left out of what the strategy learns from"
            yield Conflict((RANGES, name), "range-new", message, hint)
    for name in before.hyperparameter_ranges:
        if name not in ranges and name not in static:
            message = f"'{name}' would have no value any more"
            hint = f"fix it at one: --set {STATIC}.{name}=VALUE"
            yield Conflict((RANGES,), "range-removed", message, hint)
    for name in {**before.static_hyperparameters, **static}:
        values = before.static_hyperparameters.get(name), static.get(name)
        if name not in tuned and name not in ranges and values[0] != values[1]:
            message = f"'{STATIC}.{name}' cannot change after a tuning job has begun"
            hint = "results before and after would not be comparable, as it was never tuned"
            yield Conflict((STATIC, name), "field-fixed", message, hint)
    if after.command != before.command and not _changes_names(before, after):
        message = "the command can change only together with the names of hyperparameters"
        yield Conflict(("command",), "field-fixed", message)
    yield from _find_assumed(after, new, assume)


def _changes_names(before: TuningSpec, after: TuningSpec) -> bool:
    return before.hyperparameter_ranges.keys() != after.hyperparameter_ranges.keys()


def _find_assumed(
    after: TuningSpec, new: Collection[str], assume: Mapping[str, Any]
) -> Iterator[Conflict]:
    for name, value in assume.items():
        if name not in new:
            message = f"--assume {name}: it is not a hyperparameter that is new"
            yield Conflict((), "assume-unknown", message, did_you_mean(name, new))
        elif value is not None and not is_of_kind(after.hyperparameter_ranges[name], value):
            message = f"--assume {name}: {value!r} cannot be a value of it"
            hint = suggest_value(after.hyperparameter_ranges[name], value)
            yield Conflict((), "assume-value", message, hint)


def list_untried(
    state: TuningState, before: TuningSpec, after: TuningSpec
) -> list[Hyperparameters]:
    """Return the points to try first that have not been, as far as they lie in the new ranges."""
    own = [job for job in state.jobs.values() if job.hyperparameters and job.proposal is None]
    ranges = after.hyperparameter_ranges
    return [
        point
        for point in before.initial_hyperparameters[len(own) :]
        if all(name in ranges and ranges[name].contains(value) for name, value in point.items())
        and not any(describe_contradictions(ranges, point))
    ]


def limit_grid(state: TuningState, after: TuningSpec) -> dict[str, int]:
    """Return the max_jobs with which all of a new grid is tried, besides what was tried before;
    nothing where no grid is searched, or the spec limits it."""
    if after.strategy != "Grid" or after.max_jobs is not None:
        return {}
    known = [job.hyperparameters for job in state.jobs.values() if job.hyperparameters is not None]
    tried = [fit_point(after, each) for each in known]
    found = {frozenset(each.items()) for each in tried if each is not None}
    left = sum(
        frozenset(each.items()) not in found for each in list_grid(after.hyperparameter_ranges)
    )
    return {"max_jobs": len(known) + left}
