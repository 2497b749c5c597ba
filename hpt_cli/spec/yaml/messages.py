"""pydantic's errors -> problems in plain English."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from hpt_cli.errors import Problem, did_you_mean
from hpt_cli.spec.cross_field.conflict import Location
from hpt_cli.spec.fields.overrides import Sources
from hpt_cli.spec.fields.parts import RANGES, list_fields
from hpt_cli.spec.names import mend_name

MAX_SHOWN = 100
"""How many characters of a wrong value are shown."""

NO_MAPPING = ("dict_type", "model_type", "model_attributes_type")
_MESSAGES = {
    "int_parsing_size": "must be a whole number, but this one has too many digits",
    "int_parsing": "must be a whole number, not {input}",
    "int_type": "must be a whole number, not {input}",
    "int_from_float": "must be a whole number, not {input}",
    "float_parsing": "must be a number, not {input}",
    "float_type": "must be a number, not {input}",
    "finite_number": "must be a finite number, not {input}",
    "bool_parsing": "must be true or false, not {input}",
    "bool_type": "must be true or false, not {input}",
    "string_type": "must be text, not {input}; put quotes around it",
    "dict_type": "must be a mapping (name: value), not {input}",
    "model_type": "must be a mapping (name: value), not {input}",
    "model_attributes_type": "must be a mapping (name: value), not {input}",
    "tuple_type": "must be a list, not {input}",
    "missing": "the field is missing",
    "less_than_equal": "must be at most {le:g}, but is {input}",
    "greater_than_equal": "must be at least {ge:g}, but is {input}",
    "greater_than": "must be more than {gt:g}, but is {input}",
    "too_short": "must have at least {min_length}",
    "too_long": "must have at most {max_length}, but has {actual_length}",
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must not be empty",
}


def explain(error: Mapping[str, Any], values: dict[str, Any], sources: Sources) -> Problem:
    """Return one of pydantic's errors in our words."""
    kind, context = error["type"], error.get("ctx", {})
    location = _strip_tags(error["loc"], values)
    field = str(context.get("field", ""))
    if field:
        location = (*location, field)
    name = str(location[-1]) if location else ""
    is_key = kind in ("extra_forbidden", "missing")
    place = sources.find(location, key=is_key)
    label = ".".join(map(str, location))
    if kind == "extra_forbidden":
        allowed = list_fields(location[:-1], values)
        hint = did_you_mean(name, allowed) or f"allowed: {', '.join(allowed)}"
        return Problem("field-unknown", f"there is no field '{name}' here", hint, place)
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        wrong = context.get("tag")
        said = f"type '{wrong}' is not one of" if wrong else "a range needs a type, one of"
        others = [each for each in values["hyperparameter_ranges"] if each != name]
        hint = did_you_mean(str(wrong), RANGES) if wrong else did_you_mean(name, others)
        place = sources.find((*location, "type"), key=False)
        return Problem("range-type", f"{label}: {said} {', '.join(RANGES)}", hint, place)
    if kind == "literal_error":
        allowed = re.findall(r"'([^']*)'", str(context["expected"]))
        message = f"{label}: {_shorten(error['input'])} is not one of {', '.join(allowed)}"
        return Problem("value-unknown", message, did_you_mean(str(error["input"]), allowed), place)
    slug = str(context.get("slug", kind.replace("_", "-")))
    if kind in NO_MAPPING:
        fields = list_fields(location, values)
        hint = f"with the fields {', '.join(fields)}" if fields else ""
    else:
        hint = _advise(kind, name, error["input"])
    return Problem(slug, f"{label}: {describe_mistake(error)}", hint, place)


def _advise(kind: str, name: str, given: Any) -> str:
    if kind == "name" and (mended := mend_name(str(given))):
        return f"did you mean '{mended}'?"
    if _is_no_number(kind) and "_seconds" in name:
        return "in seconds: 300 for 5 minutes"
    if kind == "tuple_type" and isinstance(given, int | float | str):
        return f"write [{json.dumps(given, ensure_ascii=False)}]"
    if kind == "too_long" and name == "values":
        return "an Integer range has no such limit: let the script look up the value by its number"
    return ""


def describe_mistake(error: Mapping[str, Any]) -> str:
    """Return what one of pydantic's errors says is wrong with a value."""
    template = _MESSAGES.get(error["type"])
    if template is not None and error["input"] is None:
        return "has no value"
    if template is None:
        return str(error["msg"]).removeprefix("Value error, ")
    return template.format(input=_shorten(error["input"]), **error.get("ctx", {}))


def _is_no_number(kind: str) -> bool:
    return kind in ("number", "float_parsing", "float_type")


def _shorten(value: Any) -> str:
    """Return a value as it could be written, or the beginning of it."""
    text = "null" if value is None else repr(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


def _strip_tags(location: Location, values: Any) -> Location:
    """Return a location without the names that pydantic adds for the members of a union."""
    stripped: list[str | int] = []
    for index, part in enumerate(location):
        last = index == len(location) - 1
        if isinstance(values, dict) and (part in values or (last and part not in RANGES)):
            stripped.append(part)
            values = values.get(part)
        elif isinstance(values, list) and isinstance(part, int):
            stripped.append(part)
            values = values[part] if part < len(values) else None
    return tuple(stripped)
