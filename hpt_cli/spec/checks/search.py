"""Cross-field checks of ranges, the strategy and early stopping."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from hpt_cli import stop_rules
from hpt_cli.errors import did_you_mean
from hpt_cli.spec.checks.conflict import Conflict, is_number, mapping
from hpt_cli.spec.ranges import MAX_GRID, ParameterRange, bound_grid

MAX_RANGES = 30
RULE = "early_stopping: {rule: median}, and beside it the rule's parameters"
EPOCH_NAMES = ("epochs", "numepochs", "n-epochs", "n_epochs", "num_epochs")
"""Static hyperparameters that tell Hyperband's max_resource, as at SageMaker."""


def find_epochs(hyperparameters: Mapping[str, Any]) -> int | None:
    """Return the number of epochs that static hyperparameters tell; None if none does."""
    found = (hyperparameters[name] for name in EPOCH_NAMES if name in hyperparameters)
    return next((int(each) for each in found if isinstance(each, int) and each >= 1), None)


def find_range_conflicts(raw: Mapping[str, Any]) -> Iterator[Conflict]:
    ranges = mapping(raw, "hyperparameter_ranges")
    if isinstance(raw.get("hyperparameter_ranges"), Mapping) and not ranges:
        yield Conflict(
            ("hyperparameter_ranges",),
            "range-none",
            "there are no ranges to search: give at least one",
        )
    if len(ranges) > MAX_RANGES:
        yield Conflict(
            ("hyperparameter_ranges",),
            "range-count",
            f"{len(ranges)} ranges; at most {MAX_RANGES} are allowed",
        )
    for name in ranges:
        if name in mapping(raw, "static_hyperparameters"):
            yield Conflict(
                ("static_hyperparameters", name),
                "hyperparameter-duplicate",
                f"'{name}' is both a range and a static hyperparameter: give only one",
            )


def find_stop_rule_conflicts(raw: Mapping[str, Any]) -> Iterator[Conflict]:
    asked = mapping(raw, "early_stopping")
    if not asked:
        return
    if raw.get("early_stopping_type", "Off") == "Off":
        yield Conflict(
            ("early_stopping",),
            "stop-rule-off",
            "early_stopping names a rule, but early_stopping_type is Off",
            "write early_stopping_type: Auto",
        )
    rule = asked.get("rule")
    if "rule" not in asked:
        yield from _find_no_rule(asked)
        return
    if not isinstance(rule, str):
        where = ("early_stopping", "rule")
        yield Conflict(where, "stop-rule-unknown", "rule must be the name of one stop rule", RULE)
        return
    if rule not in stop_rules.STOP_RULES:
        yield Conflict(
            ("early_stopping", "rule"),
            "stop-rule-unknown",
            f"there is no stop rule '{rule}'; there are: {', '.join(stop_rules.STOP_RULES)}",
            did_you_mean(rule, stop_rules.STOP_RULES),
        )
        return
    yield from _find_parameter_conflicts(rule, {k: v for k, v in asked.items() if k != "rule"})


def _find_no_rule(asked: Mapping[str, Any]) -> Iterator[Conflict]:
    """Yield parameters that belong to no rule, where no rule is named."""
    names = [name for rule in stop_rules.STOP_RULES for name in stop_rules.list_parameters(rule)]
    for name in asked:
        if name in names:
            continue  # that the rule is missing is told
        message = f"there is no parameter '{name}': early_stopping names one rule, not a list"
        yield Conflict(("early_stopping", name), "stop-rule-parameter", message, RULE)


def _find_parameter_conflicts(rule: str, given: Mapping[str, Any]) -> Iterator[Conflict]:
    known = stop_rules.list_parameters(rule)
    for name in given:
        if name not in known:
            yield Conflict(
                ("early_stopping", name),
                "stop-rule-parameter",
                f"'{rule}' has no parameter '{name}'; it has: {', '.join(known) or 'none'}",
                did_you_mean(name, known),
            )
    if all(name in known and is_number(value) for name, value in given.items()):
        try:
            stop_rules.load_stop_rule(rule, **given)
        except (TypeError, ValueError) as error:
            yield Conflict(("early_stopping",), "stop-rule-parameter", f"{rule}: {error}")


def find_condition_conflicts(raw: Mapping[str, Any]) -> Iterator[Conflict]:
    """Yield mistakes in `when`, which must name values of a Categorical range."""
    ranges = mapping(raw, "hyperparameter_ranges")
    for name, each in ranges.items():
        conditions = each.get("when") if isinstance(each, Mapping) else None
        for decider, values in (conditions if isinstance(conditions, Mapping) else {}).items():
            where = ("hyperparameter_ranges", name, "when", decider)
            other = ranges.get(decider)
            if not isinstance(other, Mapping) or other.get("type") != "Categorical":
                known = [
                    key
                    for key, value in ranges.items()
                    if isinstance(value, Mapping) and value.get("type") == "Categorical"
                ]
                message = f"'{decider}' is not a Categorical range, which 'when' needs"
                yield Conflict(where, "when-unknown", message, did_you_mean(decider, known))
                continue
            allowed = other.get("values")
            if not isinstance(allowed, (list, tuple)):
                continue  # reported where it is wrong
            wanted = (
                values if isinstance(values, Sequence) and not isinstance(values, str) else [values]
            )
            for value in wanted:
                if value not in allowed:
                    message = f"'{value}' is not one of the values of '{decider}'"
                    hint = did_you_mean(str(value), map(str, allowed))
                    yield Conflict(where, "when-value", message, hint)
    yield from _find_circles(ranges)


def _find_circles(ranges: Mapping[str, Any]) -> Iterator[Conflict]:
    deciders = {
        name: list(each["when"])
        for name, each in ranges.items()
        if isinstance(each, Mapping) and isinstance(each.get("when"), Mapping)
    }
    for name in deciders:
        seen: set[str] = set()
        waiting = list(deciders[name])
        while waiting:
            other = waiting.pop()
            if other not in seen:
                seen.add(other)
                waiting += deciders.get(other, [])
        if name in seen:
            where = ("hyperparameter_ranges", name, "when")
            yield Conflict(where, "when-circle", f"'{name}' depends on itself")


def _parse_ranges(raw: Mapping[str, Any]) -> dict[str, ParameterRange]:
    """Return the ranges that are valid; the others are reported elsewhere."""
    adapter: TypeAdapter[ParameterRange] = TypeAdapter(ParameterRange)
    parsed: dict[str, ParameterRange] = {}
    for name, each in mapping(raw, "hyperparameter_ranges").items():
        with contextlib.suppress(ValidationError):
            parsed[name] = adapter.validate_python(each)
    return parsed


def find_strategy_conflicts(raw: Mapping[str, Any]) -> Iterator[Conflict]:
    strategy = raw.get("strategy")
    if strategy == "Grid":
        yield from _find_grid_conflicts(_parse_ranges(raw))
    if strategy != "Hyperband":
        for field in ("min_resource", "max_resource"):
            if raw.get(field) is not None and (field, raw[field]) != ("min_resource", 1):
                yield Conflict((field,), "resource", f"{field} only applies to strategy: Hyperband")
        return
    if raw.get("early_stopping_type", "Off") != "Off":
        yield Conflict(
            ("early_stopping_type",),
            "hyperband-early-stopping",
            "Hyperband stops training jobs by itself: early_stopping_type must be Off",
        )
    limit = raw.get("max_resource") or find_epochs(mapping(raw, "static_hyperparameters"))
    if limit is None:
        yield Conflict(
            ("strategy",),
            "hyperband-resource",
            "Hyperband needs max_resource, the epochs of a whole training job",
            f"or a static hyperparameter that gives it: {', '.join(EPOCH_NAMES)}",
        )
        return
    least = raw.get("min_resource")
    if isinstance(limit, int) and isinstance(least, int) and least > limit:
        message = f"min_resource {least} is more than max_resource {limit}"
        yield Conflict(("min_resource",), "resource-order", message)


def _find_grid_conflicts(ranges: Mapping[str, ParameterRange]) -> Iterator[Conflict]:
    for name, each in ranges.items():
        if bound_grid({name: each}) is None:
            yield Conflict(
                ("hyperparameter_ranges", name),
                "grid-points",
                f"a grid needs to know which values of '{name}' to try",
                "give it grid_points: N, or a step",
            )
    points = bound_grid(ranges)
    if points is not None and points > MAX_GRID:
        message = f"the grid has {points:.4g} points; at most {MAX_GRID} can be tried"
        yield Conflict(("hyperparameter_ranges",), "grid-size", message, "grid_points: N")


def find_initial_conflicts(raw: Mapping[str, Any]) -> Iterator[Conflict]:
    points = raw.get("initial_hyperparameters")
    ranges = _parse_ranges(raw)
    for index, point in enumerate(points if isinstance(points, Sequence) else []):
        for name, value in point.items() if isinstance(point, Mapping) else ():
            where = ("initial_hyperparameters", index, name)
            if name not in mapping(raw, "hyperparameter_ranges"):
                message = f"there is no range '{name}'"
                yield Conflict(where, "initial-unknown", message, did_you_mean(name, ranges))
            elif name in ranges and not _contains(ranges[name], value):
                yield Conflict(
                    where, "initial-outside", f"{value!r} is outside the range of '{name}'"
                )


def _contains(each: ParameterRange, value: Any) -> bool:
    return isinstance(value, (int, float, str)) and each.contains(value)
