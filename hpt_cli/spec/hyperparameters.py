"""Hyperparameters: names and values of one training job, and how the values are written.

A value is compared and searched as the number that it is, and passed on as the text that stands in
the spec: 007, 1e3, 2.50. JSON holds only the number, so a recorded spec has the texts beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any, TypeAlias

from hpt_cli.formatting import Written, write_as

Value: TypeAlias = float | int | str
Hyperparameters: TypeAlias = dict[str, Value]

TEXTS = "value_texts"
"""The field of a spec with the texts of values that Python writes in another way, by name."""
MAX_DIGITS = 300
"""Longer whole numbers are read as floats."""
_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")


def name_variable(name: str) -> str:
    """Return the environment variable of a hyperparameter, as at SageMaker: `SM_HP_LR`."""
    return f"SM_HP_{re.sub(r'[^A-Z0-9_]', '_', name.upper())}"


def format_value(value: Value) -> str:
    """Return a hyperparameter's value as a training program reads it."""
    return str(value)


def read_value(text: str) -> Value:
    """Return text as the number that it is, or as it is.

    A number remembers how it is written, unless Python writes it so too.
    """
    value: int | float
    if _INTEGER.fullmatch(text) and len(text) <= MAX_DIGITS:
        value = int(text)
    elif _FLOAT.fullmatch(text):
        value = float(text)
    else:
        return text
    return value if str(value) == text else write_as(value, text)


def keep_texts(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a spec, right or wrong, with their texts, and the values written so."""
    if not isinstance(recorded := fields.get(TEXTS, {}), dict):
        return dict(fields)
    ranges, static = (
        _mapping(fields.get(field)) for field in ("hyperparameter_ranges", "static_hyperparameters")
    )
    listed = ((name, _list(_mapping(each).get("values"))) for name, each in ranges.items())
    categories = {name: values for name, values in listed if values}
    points = map(_mapping, _list(fields.get("initial_hyperparameters")))
    texts = recorded | _collect_texts(
        ((name, value) for name, values in categories.items() for value in values),
        static.items(),
        (
            (name, value)
            for point in points
            for name, value in point.items()
            if value not in categories.get(name, ())
        ),
    )
    kept = {**fields, TEXTS: texts}
    if static:
        kept["static_hyperparameters"] = {
            name: _write(value, {}, texts.get(name)) for name, value in static.items()
        }
    if categories:
        kept["hyperparameter_ranges"] = ranges | {
            name: {**ranges[name], "values": [_write(each, {}, texts.get(name)) for each in values]}
            for name, values in categories.items()
        }
    return kept


def _collect_texts(*given: Iterable[tuple[str, Any]]) -> dict[str, list[str]]:
    """Return the texts of numbers that Python writes in another way, by name."""
    texts: dict[str, list[str]] = {}
    for name, value in chain(*given):
        if isinstance(value, Written) and value.text != repr(value):
            texts.setdefault(name, []).append(value.text)
    return texts


def write_values(values: Mapping[str, Value], spec: Mapping[str, Any]) -> Hyperparameters:
    """Return hyperparameters of a training job, each as it is written in the spec.

    Args:
        values: as a strategy or a journal has them.
        spec: its fields. A tuning job that began before texts were recorded goes on without.
    """
    if TEXTS not in spec:
        return dict(values)
    ranges, texts = spec["hyperparameter_ranges"], spec[TEXTS]
    return {
        name: _write(value, ranges.get(name, {}), texts.get(name)) for name, value in values.items()
    }


def _write(value: Any, each: Mapping[str, Any], texts: Any) -> Any:
    """Return a number of a range, or a static one, as it is written; anything else as it is."""
    if not _is_number(value):
        return value
    equal = [listed for listed in _list(each.get("values")) if listed == value]
    meant = max(equal, key=lambda listed: _is_same(listed, value), default=value)
    for text in map(str, _list(texts)):
        if _is_same(read_value(text), meant):
            return write_as(value, text)
    if each.get("type") == "Continuous":
        if each.get("step") is None:
            return +value  # as Python writes it, whatever a parent's text is
        if all(map(_is_whole, (value, each["step"], each.get("min_value")))):
            return write_as(value, str(int(value)))
    return write_as(value, repr(meant))


def _is_number(value: Any) -> bool:
    # For Python, True is an int.
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_same(one: Any, other: Any) -> bool:
    """Return whether numbers are equal and of the same kind: some programs tell 1 from 1.0."""
    return bool(one == other) and isinstance(one, float) == isinstance(other, float)


def _is_whole(value: Any) -> bool:
    return _is_number(value) and value == value // 1


def _mapping(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []
