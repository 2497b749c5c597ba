"""Parts of specs that all importers make."""

from __future__ import annotations

import re
from typing import Any

from hpt_cli.sagemaker.import_request import guess_regex
from hpt_cli.spec.hyperparameters import Value

SIGNIFICANT = 6
"""Significant digits of bounds that are computed."""


def make_name(text: str) -> str:
    """Return a text as the name of a tuning job."""
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-")[:32].strip("-") or "imported"


def make_value(value: Any) -> Value:
    """Return a value as the other program passes it on, booleans and lists as Python prints."""
    if isinstance(value, (str, int, float)) and not isinstance(value, bool):
        return value
    return str(value)


def guess_metric(name: str) -> dict[str, str]:
    """Return a definition of a metric of which only the name is known."""
    return {"name": name, "regex": guess_regex(name)}


def make_numbers(
    low: float, high: float, scaling: str, step: float | None = None
) -> dict[str, Any]:
    """Return an Integer range where bounds and step are whole, else a Continuous one."""
    is_whole = all(isinstance(each, int) for each in (low, high, step) if each is not None)
    made: dict[str, Any] = {"type": "Integer" if is_whole else "Continuous"}
    made |= {"min_value": low, "max_value": high}
    if scaling != "Auto":
        made["scaling_type"] = scaling
    if step is not None and not (is_whole and step == 1):
        made["step"] = step
    return made


def shorten(value: float) -> float:
    """Return a computed bound with few digits."""
    return float(f"{value:.{SIGNIFICANT}g}")


def list_categories(values: list[Any]) -> dict[str, Any]:
    """Return a Categorical range."""
    return {"type": "Categorical", "values": [make_value(each) for each in values]}
