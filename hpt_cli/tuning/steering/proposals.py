"""Points that users give a tuning job to try: checked, queued, and tried before its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from hpt_cli.errors import did_you_mean
from hpt_cli.formatting import format_number, format_setting
from hpt_cli.spec.cross_field.conflict import Conflict, ConflictError
from hpt_cli.spec.cross_field.search import describe_contradictions, is_of_kind, suggest_value
from hpt_cli.spec.hyperparameters import Hyperparameters
from hpt_cli.spec.model import TuningSpec
from hpt_cli.spec.names import job_name
from hpt_cli.spec.points import complete_point, narrow_deciders, select_active
from hpt_cli.spec.ranges import CategoricalRange, ParameterRange
from hpt_cli.spec.repeats import drop_seed
from hpt_cli.strategies import SuggestRequest, load_strategy
from hpt_cli.tuning.commands import Plan
from hpt_cli.tuning.events import Event, PointProposed, SpecChanged
from hpt_cli.tuning.evidence import fit_point
from hpt_cli.tuning.state import TuningState
from hpt_cli.tuning.summary import final_objective


def read_point(
    spec: TuningSpec, state: TuningState, given: Mapping[str, Any], *, anyway: bool
) -> Hyperparameters:
    """Return the point that a user gives, some of its values or all; a category as it is listed.

    Args:
        spec: what is asked for.
        state: what has been tried.
        given: values by name.
        anyway: it may also lie outside the ranges, change what is static, or have been tried.

    Raises:
        ConflictError: it cannot be tried: with each reason at a name.
    """
    ranges = spec.hyperparameter_ranges
    point = {name: _find_listed(ranges.get(name), value) for name, value in given.items()}
    conflicts = [*_find_conflicts(spec, point, anyway=anyway)]
    if not conflicts:
        conflicts += (
            Conflict((name,), "point-contradiction", message)
            for name, message in describe_contradictions(ranges, point)
        )
    if not conflicts and not anyway:
        conflicts += _find_tried(spec, state, point)
        if broken := spec.rules.describe_broken(point):
            hint = "with --anyway it is tried"
            conflicts.append(Conflict((next(iter(point)),), "point-constraint", broken, hint))
    if conflicts:
        raise ConflictError(conflicts)
    return point


def _find_listed(each: ParameterRange | None, value: Any) -> Any:
    """Return the category that is written like a value: 1 may be meant as the text."""
    if not isinstance(each, CategoricalRange) or value in each.values:
        return value
    return next((listed for listed in each.values if str(listed) == str(value)), value)


def _find_conflicts(
    spec: TuningSpec, point: Mapping[str, Any], *, anyway: bool
) -> Iterator[Conflict]:
    ranges, static = spec.hyperparameter_ranges, spec.static_hyperparameters
    for name, value in point.items():
        each = ranges.get(name)
        if each is None and name not in static:
            message = f"there is no hyperparameter '{name}'"
            hint = did_you_mean(name, ranges) or f"there are: {', '.join(ranges)}"
            yield Conflict((name,), "point-unknown", message, hint, at_key=True)
        elif not isinstance(value, int | float | str):
            yield Conflict((name,), "point-value", f"'{name}' must have one value")
        elif each is None and not anyway:
            message = f"'{name}' is not tuned: it is {static[name]} for every training job"
            hint = f"with --anyway it has this value for once, and {_LEFT_OUT}"
            yield Conflict((name,), "point-static", message, hint)
        elif each is not None and not each.contains(value):
            hint = suggest_value(each, value)
            if not is_of_kind(each, value):
                message = f"{value!r} cannot be a value of '{name}'"
                yield Conflict((name,), "point-value", message, hint)
            elif not anyway:
                message = f"{format_setting(value)} is outside the range of '{name}'"
                hint = hint if hint.endswith("?") else f"{hint};"
                hint += f" with --anyway it is tried, and {_LEFT_OUT}"
                yield Conflict((name,), "point-outside", message, hint)


_LEFT_OUT = "left out of what the strategy learns from"


def _find_tried(spec: TuningSpec, state: TuningState, point: Hyperparameters) -> Iterator[Conflict]:
    """Yield that a whole point has been tried, or will be."""
    ranges = spec.hyperparameter_ranges
    if not is_whole(spec, point):
        return  # it becomes one that has not
    whole = select_active(ranges, point)
    where = (next(iter(point)),)
    for job in state.jobs.values():
        if job.hyperparameters and fit_point(spec, job.hyperparameters) == whole:
            final = final_objective(job, spec.objective)
            value = (
                f": {spec.objective.metric} = {format_number(final)}" if final is not None else ""
            )
            name = job_name(spec.name, job.number)
            message = f"{name}, which is {job.status}, has these hyperparameters{value}"
            yield Conflict(where, "point-tried", message, "with --anyway they are tried again")
            return
    waiting = state.proposals[(state.next_proposal or len(state.proposals) + 1) - 1 :]
    if any(each.point == point for each in waiting):
        message = "this point is waiting to be tried already"
        yield Conflict(where, "point-tried", message, "with --anyway it is tried twice")


def is_whole(spec: TuningSpec, point: Hyperparameters) -> bool:
    """Return whether a point in the ranges leaves nothing for the strategy to choose."""
    searched = drop_seed(point, spec.seed_name)
    return complete_point(spec.searched_ranges, searched).keys() <= point.keys()


def propose(
    spec: TuningSpec, state: TuningState, points: list[Hyperparameters], source: str, at: float
) -> list[Event]:
    """Return the events that queue points; max_jobs grows where there is no room for them."""
    waiting = 0
    if state.next_proposal is not None:
        waiting = len(state.proposals) - state.next_proposal + 1
    needed = len(state.jobs) + waiting + len(points)
    if spec.max_jobs is None and spec.strategy == "Grid":
        needed = spec.job_limit + len(points)  # besides the grid
    changes = {"max_jobs": needed} if needed > spec.job_limit else {}
    return [
        *([SpecChanged(at=at, changes=changes)] if changes else []),
        *(PointProposed(at=at, point=point, source=source) for point in points),
    ]


def plan_next(spec: TuningSpec, state: TuningState) -> Plan | None:
    """Return the plan of one more job, for a proposal first; None where nothing is left to try."""
    proposal = state.next_proposal
    if len(state.jobs) >= spec.job_limit or (state.exhausted and proposal is None):
        return None
    return Plan(len(state.jobs) + 1, proposal)


def complete_proposal(
    spec: TuningSpec, request: SuggestRequest, point: Hyperparameters
) -> Hyperparameters:
    """Return the hyperparameters of a job that tries a point: the strategy chooses the rest.

    Values outside the ranges are put in place of what it would have chosen, so it does not see
    them. Where it finds no untried point, the rest is in the middle.
    """
    ranges = request.ranges
    tuned = {name: value for name, value in point.items() if name in ranges}
    others = {name: value for name, value in point.items() if name not in ranges}
    inside = {name: value for name, value in tuned.items() if ranges[name].contains(value)}
    chosen = None
    if not is_whole(spec, tuned):
        needed = {*inside, *narrow_deciders(ranges, inside)}
        middle = complete_point(ranges, inside)
        fixed = {name: value for name, value in middle.items() if name in needed}
        chosen = load_strategy(spec.strategy).suggest(replace(request, fixed=fixed))
    return select_active(ranges, (chosen or complete_point(ranges, inside)) | tuned) | others
