"""Cross-field checks of constraints between hyperparameters."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from typing import Any

from hpt_cli.filter.constraint import Constraint, ConstraintError, Domain, parse_constraint
from hpt_cli.spec.constraints import Constraints, count_allowed, map_domains
from hpt_cli.spec.cross_field.conflict import Conflict, items, mapping
from hpt_cli.spec.cross_field.search import parse_ranges
from hpt_cli.spec.points import MAX_GRID, bound_grid, complete_point
from hpt_cli.spec.ranges import ParameterRange


def find_constraint_conflicts(raw: Mapping[str, Any]) -> Iterator[Conflict]:
    """Yield constraints that cannot be read, and points to try first that break one."""
    if not items(raw, "constraints"):
        return
    ranges, static = parse_ranges(raw), mapping(raw, "static_hyperparameters")
    # A range that is not valid is reported itself: whatever is said of it may be right.
    broken = mapping(raw, "hyperparameter_ranges").keys() - ranges.keys()
    domains = map_domains(ranges, static) | dict.fromkeys(broken, Domain())
    parsed = yield from read_expressions(raw, "constraints", domains)
    constraints = Constraints(tuple(parsed), dict(static))
    yield from _find_forbidden_points(raw, ranges, constraints)
    bound = bound_grid(ranges) if raw.get("strategy") == "Grid" and not broken else None
    if constraints and bound and bound <= MAX_GRID and not count_allowed(ranges, constraints):
        message = "no point of the grid meets the constraints"
        yield Conflict(("constraints",), "constraint-all", message)


def find_metric_constraint_conflicts(raw: Mapping[str, Any]) -> Iterator[Conflict]:
    """Yield constraints between metrics that cannot be read."""
    definitions = items(raw, "metric_definitions")
    names = [each.get("name") for each in definitions if isinstance(each, Mapping)]
    domains = {name: Domain() for name in names if isinstance(name, str)}
    yield from read_expressions(raw, "metric_constraints", domains)


def read_expressions(
    raw: Mapping[str, Any], field: str, domains: Mapping[str, Domain]
) -> Generator[Conflict, None, list[Constraint]]:
    """Yield the constraints of a field that cannot be read; return the others."""
    parsed: list[Constraint] = []
    for index, text in enumerate(items(raw, field)):
        if not isinstance(text, str):
            continue  # reported itself
        try:
            parsed.append(parse_constraint(text, domains))
        except ConstraintError as error:
            message = f"{field}: '{text}', character {error.column + 1}: {error}"
            yield Conflict((field, index), "constraint", message, error.hint)
    return parsed


def _find_forbidden_points(
    raw: Mapping[str, Any], ranges: Mapping[str, ParameterRange], constraints: Constraints
) -> Iterator[Conflict]:
    for index, point in enumerate(items(raw, "initial_hyperparameters")):
        given = point if isinstance(point, Mapping) else {}
        if all(name in ranges for name in given):  # else reported itself
            whole = complete_point(ranges, dict(given))
            if broken := constraints.describe_broken(whole):
                middle = whole.keys() - given.keys()
                hint = "what it leaves out is in the middle of its range" if middle else ""
                where = ("initial_hyperparameters", index)
                yield Conflict(where, "initial-constraint", broken, hint)
