"""What other terminals ask of a tuning job that has begun, as events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from hpt_cli.errors import UsageError
from hpt_cli.formatting import count
from hpt_cli.spec.cross_field.conflict import Conflict, ConflictError
from hpt_cli.spec.fields.overrides import Override
from hpt_cli.spec.hyperparameters import TEXTS, Hyperparameters
from hpt_cli.spec.model import TuningSpec, load_spec
from hpt_cli.spec.yaml.reader import override_spec
from hpt_cli.tuning.events import Event, PointProposed, SpecChanged
from hpt_cli.tuning.state import TuningState
from hpt_cli.tuning.steering.proposals import propose, read_point
from hpt_cli.tuning.steering.space_changes import (
    RANGES,
    STATIC,
    changes_space,
    find_conflicts,
    limit_grid,
    list_untried,
    move_fixed,
)

OF_SPEC = "spec"
"""The source of points to try first that were still to be tried when the search space changed."""


def answer_request(
    spec: TuningSpec, state: TuningState, request: Mapping[str, Any], at: float
) -> list[Event]:
    """Return what a request changes: nothing, where hpt itself would not have sent it."""
    try:
        match request:
            case {"changes": dict(changes)}:
                return _change(state, changes, request.get("assume") or {}, at)
            case {"point": dict(given), "source": str(source), "count": int(number)}:
                anyway = request.get("anyway") is True
                point = read_point(spec, state, given, anyway=anyway)
                return propose(spec, state, [point] * number, source, at)
    except (UsageError, ConflictError):
        pass
    return []


def change_spec(
    state: TuningState, overrides: Iterable[Override], assume: Mapping[str, Any]
) -> TuningSpec:
    """Return the spec of a tuning job that has begun, with fields that are set.

    Args:
        state: what is known.
        overrides: what is set.
        assume: what earlier jobs ran with of hyperparameters that are new; None: nobody knows.

    Raises:
        UsageError: they cannot be set so, with every reason.
    """
    fields, overrides = state.spec, list(overrides)
    before = load_spec(fields)
    if changes_space(each.top for each in overrides):
        fields, overrides = move_fixed(fields, overrides)
    is_limit = any(each.top == "max_jobs" for each in overrides)

    def find_more(after: TuningSpec) -> Iterator[Conflict]:
        jobs = len(state.jobs)
        if is_limit and after.job_limit < jobs:
            message = f"max_jobs cannot be {after.job_limit}: there are already "
            message += count(jobs, "training job")
            hint = f"max_jobs={jobs} starts no further ones"
            yield Conflict(("max_jobs",), "max-jobs-passed", message, hint)
        yield from find_conflicts(state, before, assume, after)

    return override_spec(fields, overrides, find_more)


def _change(
    state: TuningState, changes: Mapping[str, Any], assume: Mapping[str, Any], at: float
) -> list[Event]:
    # Whole fields come, with the texts of their values beside them.
    texts = {name: changes[name] for name in changes if name == TEXTS}
    asked = {name: value for name, value in changes.items() if name != TEXTS}
    known = replace(state, spec={**state.spec, **texts})
    overrides = [Override(*each) for each in asked.items()]
    before, after = load_spec(state.spec), change_spec(known, overrides, assume)
    fields = after.model_dump(mode="json")
    # As validation has left them, and not as they were sent.
    changed = {field: fields[field] for field in asked}
    points: list[Hyperparameters] = []
    if changes_space(asked):
        space = (RANGES, STATIC, TEXTS, "initial_hyperparameters")
        changed |= {field: fields[field] for field in space} | limit_grid(state, after)
        points = list_untried(state, before, after)
    return [
        SpecChanged(at=at, changes=changed, assume=dict(assume)),
        *(PointProposed(at=at, point=point, source=OF_SPEC) for point in points),
    ]
