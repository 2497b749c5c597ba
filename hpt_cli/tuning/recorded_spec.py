"""What a journal says that was asked for, as far as it is read without being validated.

Loading a whole spec takes longer than a short report. So what reports take out of a recorded one is
checked for its type when it is read, and the rest when somebody loads it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hpt_cli.spec.names import find_name_fault

_NEEDED: dict[str, tuple[type, ...]] = {
    "name": (str,),
    "command": (str, list),
    "shell": (bool,),
    "hyperparameter_ranges": (dict,),
    "static_hyperparameters": (dict,),
    "metric_definitions": (list,),
    "objective_metric_name": (str,),
    "objective_type": (str,),
}
_OPTIONAL: dict[str, tuple[type, ...]] = {
    "description": (str, type(None)),
    "executor": (str,),
    "max_jobs": (int, type(None)),
    "stop_grace_seconds": (float, int),
    "early_stopping_type": (str,),
    "early_stopping": (dict, type(None)),
    "warm_start": (dict, type(None)),
}
_VALUES = (float, int, str, bool)


def check_spec(spec: Mapping[str, Any]) -> None:
    """Raise KeyError, TypeError or ValueError if it is none that hpt has recorded."""
    for field, types in _NEEDED.items():
        _check(field, [spec[field]], types)
    for field, types in _OPTIONAL.items():
        if field in spec:
            _check(field, [spec[field]], types)
    fault = find_name_fault(spec["name"])
    if fault:
        raise ValueError(fault)
    command = spec["command"]
    _check("command", command if isinstance(command, list) else (), (str,))
    _check("hyperparameter_ranges", spec["hyperparameter_ranges"].values(), (dict,))
    _check("static_hyperparameters", spec["static_hyperparameters"].values(), _VALUES)
    _check("metric_definitions", spec["metric_definitions"], (dict,))
    _check("metric_definitions", [each["name"] for each in spec["metric_definitions"]], (str,))
    if spec.get("warm_start") is not None:
        _check("warm_start", [spec["warm_start"]["type"]], (str,))
    if spec.get("early_stopping") is not None:
        _check("early_stopping", [spec["early_stopping"].get("rule", "")], (str, type(None)))


def check_best(best: Mapping[str, Any] | None) -> None:
    """Raise KeyError or TypeError if it is no best training job, as a warm start records it."""
    if best is not None:
        _check("best", [best["training_job_name"]], (str,))
        _check("best", [best["final_objective_value"]], (float, int))
        _check("best", [best["hyperparameters"]], (dict,))
        _check("best", best["hyperparameters"].values(), _VALUES)


def _check(what: str, values: Iterable[Any], types: tuple[type, ...]) -> None:
    for each in values:
        if type(each) not in types:
            raise TypeError(f"{what} is {each!r}")
