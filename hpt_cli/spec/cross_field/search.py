"""Cross-field checks of ranges, the strategy and early stopping."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from hpt_cli import stop_rules
from hpt_cli.errors import did_you_mean
from hpt_cli.formatting import format_setting
from hpt_cli.spec.cross_field.conflict import Conflict, Location, is_number, items, mapping
from hpt_cli.spec.points import MAX_GRID, bound_grid, narrow_deciders
from hpt_cli.spec.ranges import CategoricalRange, IntegerRange, ParameterRange

MAX_RANGES = 30
MAX_CATEGORIES = 30
"""Of more than this, a few are shown."""
SHOWN_CATEGORIES = 4
OWN_FIELDS = ("rule", "metric", "metric_type")
"""The fields of early_stopping that are no parameters of a rule."""
RULE = "early_stopping: {rule: median}, and beside it the rule's parameters"
EPOCH_NAMES = ("epochs", "numepochs", "n-epochs", "n_epochs", "num_epochs")
"""Static hyperparameters that stand for Hyperband's max_resource, as at SageMaker."""


def find_epochs(hyperparameters: Mapping[str, Any]) -> int | None:
    """Return the number of epochs that static hyperparameters tell; None if none does."""
    found = (hyperparameters[name] for name in EPOCH_NAMES if name in hyperparameters)
    return next((int(each) for each in found if isinstance(each, int) and each >= 1), None)


def find_range_conflicts(raw: Mapping[str, Any]) -> Iterator[Conflict]:
    ranges, where = mapping(raw, "hyperparameter_ranges"), ("hyperparameter_ranges",)
    if isinstance(raw.get("hyperparameter_ranges"), Mapping) and not ranges:
        yield Conflict(where, "range-none", "there are no ranges to search: give at least one")
    if len(ranges) > MAX_RANGES:
        message = f"{len(ranges)} ranges; at most {MAX_RANGES} are allowed"
        yield Conflict(where, "range-count", message)
    for name in ranges:
        if name in mapping(raw, "static_hyperparameters"):
            message = f"'{name}' is both a range and a static hyperparameter: give only one"
            yield Conflict(("static_hyperparameters", name), "hyperparameter-duplicate", message)


def find_stop_rule_conflicts(raw: Mapping[str, Any]) -> Iterator[Conflict]:
    asked, where = mapping(raw, "early_stopping"), ("early_stopping", "rule")
    if not asked:
        return
    yield from _find_judged_conflicts(raw, asked)
    rule = asked.get("rule", stop_rules.AUTO)
    parameters = {name: value for name, value in asked.items() if name not in OWN_FIELDS}
    if raw.get("strategy") == "Hyperband":
        if parameters or rule != stop_rules.AUTO:
            message = "Hyperband has a rule of its own: early_stopping may only name a metric"
            yield Conflict(("early_stopping",), "stop-rule-off", message)
    elif raw.get("early_stopping_type", "Off") == "Off":
        message = "early_stopping says how to stop, but early_stopping_type is Off"
        hint = "write early_stopping_type: Auto"
        yield Conflict(("early_stopping",), "stop-rule-off", message, hint)
    if not isinstance(rule, str):
        yield Conflict(where, "stop-rule-unknown", "rule must be the name of one stop rule", RULE)
    elif rule not in stop_rules.STOP_RULES:
        message = f"there is no stop rule '{rule}'; there are: {', '.join(stop_rules.STOP_RULES)}"
        hint = did_you_mean(rule, stop_rules.STOP_RULES)
        yield Conflict(where, "stop-rule-unknown", message, hint)
    else:
        yield from _find_parameter_conflicts(rule, parameters)


def _find_judged_conflicts(raw: Mapping[str, Any], asked: Mapping[str, Any]) -> Iterator[Conflict]:
    """Yield mistakes in which metric training jobs are to be judged by, and which way."""
    metric, direction = asked.get("metric"), asked.get("metric_type")
    at_type = ("early_stopping", "metric_type")
    if metric is None and direction is not None:
        message = "metric_type is about the metric to judge by, and none is named"
        yield Conflict(at_type, "stop-metric-type", message, "name it: metric: val_loss")
    if not isinstance(metric, str):
        return
    definitions = items(raw, "metric_definitions")
    names = [str(each.get("name")) for each in definitions if isinstance(each, Mapping)]
    if names and metric not in names:
        message = f"no metric definition is named '{metric}'; defined: {', '.join(names)}"
        hint = did_you_mean(metric, names)
        yield Conflict(("early_stopping", "metric"), "stop-metric-undefined", message, hint)
    tuned = raw.get("objective_type")
    if metric == raw.get("objective_metric_name"):
        if direction not in (None, tuned):
            message = f"'{metric}' is the objective, and its objective_type is {tuned}"
            yield Conflict(at_type, "stop-metric-type", message, "leave metric_type out")
    elif direction is None and (guessed := _guess_direction(metric)) not in (None, tuned):
        message = f"'{metric}' is one to {guessed} by its name, but objective_type is {tuned}"
        hint = f"say which it is, beside metric: metric_type: {guessed}"
        yield Conflict(("early_stopping", "metric"), "stop-metric-type", message, hint)


def _guess_direction(metric: str) -> str | None:
    """Return whether a metric is to be maximized or minimized; None if its name does not tell."""
    # Imported where it is needed, as it takes longer than all else of a spec.
    from hpt_cli.metrics.detection.vocabulary import guess_direction, is_quality

    return guess_direction(metric, ()) if is_quality(metric) else None


def _find_parameter_conflicts(rule: str, given: Mapping[str, Any]) -> Iterator[Conflict]:
    known = stop_rules.list_parameters(rule)
    for name in (name for name in given if name not in known):
        message = f"'{rule}' has no parameter '{name}'; it has: {', '.join(known) or 'none'}"
        owners = [
            each for each in stop_rules.STOP_RULES if name in stop_rules.list_parameters(each)
        ]
        named = f"early_stopping: {{rule: {owners[0]}}} has it" if owners else RULE
        hint = did_you_mean(name, (*known, *OWN_FIELDS)) or named
        yield Conflict(("early_stopping", name), "stop-rule-parameter", message, hint)
    # Unknown names and other types are reported already.
    if all(name in known and is_number(value) for name, value in given.items()):
        try:
            stop_rules.load_stop_rule(rule, **given)
        except (TypeError, ValueError) as error:
            yield Conflict(("early_stopping",), "stop-rule-parameter", f"{rule}: {error}")


def find_pausing_conflicts(raw: Mapping[str, Any]) -> Iterator[Conflict]:
    """Yield what `pausing` does not go together with."""
    asked = raw.get("pausing")
    if not isinstance(asked, Mapping):
        return
    method, where = asked.get("method", "signal"), ("pausing",)
    if raw.get("strategy") == "Hyperband":
        message = "Hyperband itself chooses which training jobs go on: it does not pause them"
        yield Conflict(where, "pausing-hyperband", message, "strategy: Bayesian")
    elif raw.get("early_stopping_type", "Off") == "Off":
        message = "pausing goes by what early stopping expects of a job, which is Off"
        yield Conflict(where, "pausing-off", message, "write early_stopping_type: Auto")
    if method == "signal" and raw.get("executor") == "slurm":
        message = "a job that stands still keeps its place on a cluster, and its time limit runs on"
        yield Conflict(where, "pausing-slurm", message, "pausing: {method: checkpoint}")
    if method == "checkpoint":
        for field in ("max_memory_gb", "share_gpus"):
            if asked.get(field):
                message = f"{field} only applies to method: signal; with checkpoint, a paused job"
                message += " has ended and keeps nothing"
                yield Conflict(("pausing", field), "pausing-checkpoint", message)
    elif asked.get("share_gpus") and not (mapping(raw, "resources").get("gpus") or raw.get("gpus")):
        message = "share_gpus only applies to training jobs that need GPUs"
        yield Conflict(("pausing", "share_gpus"), "gpus-missing", message, "resources: {gpus: 1}")


def find_condition_conflicts(raw: Mapping[str, Any]) -> Iterator[Conflict]:
    """Yield mistakes in `when`, which must name values of a Categorical range."""
    ranges = mapping(raw, "hyperparameter_ranges")
    for name, each in ranges.items():
        for decider, values in mapping(each, "when").items():
            where = ("hyperparameter_ranges", name, "when", decider)
            wanted = values if isinstance(values, (list, tuple)) else [values]
            yield from _find_decider_conflicts(ranges, decider, wanted, where)
    yield from _find_circles(ranges)


def _find_decider_conflicts(
    ranges: Mapping[str, Any], decider: str, wanted: Sequence[Any], where: Location
) -> Iterator[Conflict]:
    kinds = {name: mapping(ranges, name).get("type") for name in ranges}
    categorical = [name for name, kind in kinds.items() if kind == "Categorical"]
    if decider not in categorical:
        message = f"'{decider}' is not a Categorical range, which 'when' needs"
        yield Conflict(where, "when-unknown", message, did_you_mean(decider, categorical))
        return
    allowed = ranges[decider].get("values")
    if not isinstance(allowed, (list, tuple)):
        return  # reported where it is wrong
    for value in (value for value in wanted if value not in allowed):
        message = f"'{value}' is not one of the values of '{decider}'"
        yield Conflict(where, "when-value", message, did_you_mean(str(value), map(str, allowed)))


def _find_circles(ranges: Mapping[str, Any]) -> Iterator[Conflict]:
    deciders = {name: list(mapping(each, "when")) for name, each in ranges.items()}
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


def parse_ranges(raw: Mapping[str, Any]) -> dict[str, ParameterRange]:
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
        yield from _find_grid_conflicts(parse_ranges(raw))
    if strategy != "Hyperband":
        for field in ("min_resource", "max_resource"):
            # 1 is the default, which a spec that was written out in full holds with any strategy.
            if raw.get(field) is not None and (field, raw[field]) != ("min_resource", 1):
                yield Conflict((field,), "resource", f"{field} only applies to strategy: Hyperband")
        return
    if raw.get("early_stopping_type", "Off") != "Off":
        message = "Hyperband stops training jobs by itself: early_stopping_type must be Off"
        yield Conflict(("early_stopping_type",), "hyperband-early-stopping", message)
    limit = raw.get("max_resource") or find_epochs(mapping(raw, "static_hyperparameters"))
    if limit is None:
        message = "Hyperband needs max_resource, the number of epochs of a full training job"
        hint = f"or a static hyperparameter that sets it: {', '.join(EPOCH_NAMES)}"
        yield Conflict(("strategy",), "hyperband-resource", message, hint)
        return
    least = raw.get("min_resource")
    if isinstance(limit, int) and isinstance(least, int) and least > limit:
        message = f"min_resource {least} is more than max_resource {limit}"
        yield Conflict(("min_resource",), "resource-order", message)


def _find_grid_conflicts(ranges: Mapping[str, ParameterRange]) -> Iterator[Conflict]:
    for name, each in ranges.items():
        if bound_grid({name: each}) is None:
            message = f"a grid needs to know which values of '{name}' to try"
            hint = "give it grid_points: N, or a step"
            yield Conflict(("hyperparameter_ranges", name), "grid-points", message, hint)
    points = bound_grid(ranges)
    if points is not None and points > MAX_GRID:
        message = f"the grid has {points:.4g} points; at most {MAX_GRID} can be tried"
        yield Conflict(("hyperparameter_ranges",), "grid-size", message, "grid_points: N")


def find_initial_conflicts(raw: Mapping[str, Any]) -> Iterator[Conflict]:
    ranges = parse_ranges(raw)
    for index, point in enumerate(items(raw, "initial_hyperparameters")):
        for name, value in point.items() if isinstance(point, Mapping) else ():
            where = ("initial_hyperparameters", index, name)
            if name not in mapping(raw, "hyperparameter_ranges"):
                message = f"there is no range '{name}'"
                yield Conflict(where, "initial-unknown", message, did_you_mean(name, ranges))
            # A range that is not valid is not in `ranges`, and is reported itself.
            elif name in ranges and not _contains(ranges[name], value):
                message = f"{value!r} is outside the range of '{name}'"
                yield Conflict(
                    where, "initial-outside", message, suggest_value(ranges[name], value)
                )


def find_prior_conflicts(raw: Mapping[str, Any]) -> Iterator[Conflict]:
    for name, each in mapping(raw, "hyperparameter_ranges").items():
        given = each.get("prior") if isinstance(each, Mapping) else None
        values = given if isinstance(given, (list, tuple)) else [given]
        where = ("hyperparameter_ranges", name, "prior")
        if raw.get("strategy") == "Grid" and given not in (None, [], ()):
            message = f"a grid tries each of its points once: it has no use for a prior of '{name}'"
            yield Conflict(where, "prior-grid", message, "leave it out, or take another strategy")
        # One by one: a value of a wrong type, which is reported itself, would hide the others.
        for place, value in enumerate(values) if given is not None else ():
            alone = parse_ranges({"hyperparameter_ranges": {name: {**each, "prior": value}}})
            parsed = alone.get(name)
            if parsed is not None and not all(map(parsed.contains, parsed.prior)):
                message = f"the prior {value!r} is outside the range of '{name}'"
                listed = parsed.values if isinstance(parsed, CategoricalRange) else ()
                hint = did_you_mean(str(value), map(str, listed))
                yield Conflict((*where, place), "prior-outside", message, hint)


def find_contradictions(raw: Mapping[str, Any]) -> Iterator[Conflict]:
    """Yield points to try first with hyperparameters that cannot exist together."""
    ranges = parse_ranges(raw)
    for index, point in enumerate(items(raw, "initial_hyperparameters")):
        given = dict(point) if isinstance(point, Mapping) else {}
        for name, message in describe_contradictions(ranges, given):
            where = ("initial_hyperparameters", index, name)
            yield Conflict(where, "initial-contradiction", message)


def describe_contradictions(
    ranges: Mapping[str, ParameterRange], point: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    """Yield why hyperparameters of a point cannot exist together, each beside a name in it."""
    for decider, (values, names) in narrow_deciders(ranges, dict(point)).items():
        if not values:
            needs = (f"'{each}' exists only where {_describe_when(ranges[each])}" for each in names)
            message = f"the point contradicts itself: {'; '.join(dict.fromkeys(needs))}"
            message += f"; and '{decider}' is {point[decider]}" if decider in point else ""
            yield names[0], message


def suggest_value(each: ParameterRange, wrong: Any) -> str:
    """Return a hint of what may stand instead of a value that is not in a range."""
    listed = map(str, each.values) if isinstance(each, CategoricalRange) else ()
    return did_you_mean(str(wrong), listed) or f"allowed: {describe_bounds(each)}"


def is_of_kind(each: ParameterRange, value: Any) -> bool:
    """Return whether a range could be wide enough to contain a value."""
    if isinstance(each, CategoricalRange):
        return isinstance(value, (int, float, str))
    return is_number(value) and (not isinstance(each, IntegerRange) or value == value // 1)


def describe_bounds(each: ParameterRange) -> str:
    """Return which values are in a range; of very many categories a few."""
    if isinstance(each, CategoricalRange):
        values = [*map(format_setting, each.values)]
        if len(values) > MAX_CATEGORIES:
            values[SHOWN_CATEGORIES:] = [f"... ({len(values)} values)"]
        return " ".join(values)
    step = f" by {each.step:g}" if each.step not in (None, 1) else ""
    kind = "" if each.type == "Continuous" else "integer "
    return f"{kind}{each.min_value:g} to {each.max_value:g}{step}"


def _describe_when(each: ParameterRange) -> str:
    pairs = ((name, " or ".join(map(str, values))) for name, values in each.when.items())
    return " and ".join(f"{name} is {values}" for name, values in pairs)


def _contains(each: ParameterRange, value: Any) -> bool:
    return isinstance(value, (int, float, str)) and each.contains(value)
