"""The parts of a spec that are mappings of fields, and which fields these have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from hpt_cli.spec import model, parts, ranges
from hpt_cli.spec.config_files import ConfigFile
from hpt_cli.spec.cross_field.conflict import Location, mapping
from hpt_cli.stop_rules import AUTO, STOP_RULES, list_parameters

RANGES: dict[str, type[BaseModel]] = {
    "Continuous": ranges.ContinuousRange,
    "Integer": ranges.IntegerRange,
    "Categorical": ranges.CategoricalRange,
}
PARTS: dict[str, type[BaseModel]] = {
    "config_files": ConfigFile,
    "metric_definitions": parts.MetricDefinition,
    "early_stopping": parts.EarlyStopping,
    "pausing": parts.Pausing,
    "repeats": parts.Repeats,
    "warm_start": parts.WarmStart,
    "success": parts.Success,
    "retry": parts.Retry,
    "log_rules": parts.LogRule,
    "notify": parts.Notify,
    "slurm": parts.Slurm,
    "resources": parts.Resources,
    "objective_value": parts.MeanOfLast,
    "confirms": parts.Confirms,
}
"""The fields that hold a part, or a list of them."""
NAMED = ("hyperparameter_ranges", "static_hyperparameters", "environment")
"""The fields that hold a mapping of names, which the user chooses."""


def list_fields(location: Location, values: Mapping[str, Any]) -> list[str]:
    """Return the fields that may stand in the mapping at a location; none where any name may."""
    part = find_part(location, values)
    known = part.model_fields.items() if part else ()
    fields = [each.alias or name for name, each in known]
    if part is parts.EarlyStopping:
        rule = mapping(values, "early_stopping").get("rule", AUTO)
        fields += list_parameters(rule) if rule in STOP_RULES else ()
    return fields


def find_part(location: Location, values: Mapping[str, Any]) -> type[BaseModel] | None:
    """Return the model of the mapping at a location; None where its keys are the user's names."""
    if not location:
        return model.TuningSpec
    if location[0] != "hyperparameter_ranges":
        return PARTS.get(str(location[0]))
    each = mapping(values, "hyperparameter_ranges").get(str(location[1])) if location[1:] else None
    return RANGES.get(str(each.get("type"))) if isinstance(each, Mapping) else None


def list_paths(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield the fields of a spec, each followed by those of its parts, as paths with dots."""
    for field in model.TuningSpec.model_fields:
        yield field
        value = values.get(field)
        if field in NAMED:
            for name in mapping(values, field):
                yield f"{field}.{name}"
                yield from (f"{field}.{name}.{each}" for each in list_fields((field, name), values))
        elif isinstance(value, list | tuple):
            for place, item in enumerate(value):
                key = item.get("name", place) if isinstance(item, Mapping) else place
                yield from (f"{field}.{key}.{each}" for each in list_fields((field,), values))
        else:
            yield from (f"{field}.{each}" for each in list_fields((field,), values))


def leave_out_empty(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a spec without those that say null, where they may be left out."""
    return {
        field: _leave_out(value, (field,), values)
        for field, value in _keep_said(values, model.TuningSpec).items()
    }


def _leave_out(value: Any, location: Location, values: Mapping[str, Any]) -> Any:
    """Return the value of a field, its parts without fields that say null."""
    if isinstance(value, list):
        return [_leave_out(each, location, values) for each in value]
    if not isinstance(value, Mapping):
        return value
    if location == ("hyperparameter_ranges",):
        return {name: _leave_out(each, (*location, name), values) for name, each in value.items()}
    part = find_part(location, values)
    return value if part is None else _keep_said(value, part)


def _keep_said(fields: Mapping[str, Any], part: type[BaseModel]) -> dict[str, Any]:
    known = {each.alias or name: each for name, each in part.model_fields.items()}
    others_may_be_left_out = part.model_config.get("extra") == "allow"

    def may_be_left_out(name: str) -> bool:
        return not known[name].is_required() if name in known else others_may_be_left_out

    return {
        name: value
        for name, value in fields.items()
        if value is not None or not may_be_left_out(name)
    }
