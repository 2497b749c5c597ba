"""Hyperparameters: names and values of one training job."""

from __future__ import annotations

import re
from typing import TypeAlias

Value: TypeAlias = float | int | str
Hyperparameters: TypeAlias = dict[str, Value]


def name_variable(name: str) -> str:
    """Return the environment variable of a hyperparameter, as at SageMaker: `SM_HP_LR`."""
    return f"SM_HP_{re.sub(r'[^A-Z0-9_]', '_', name.upper())}"


def format_value(value: Value) -> str:
    """Return a hyperparameter's value as a training program reads it."""
    return repr(value) if isinstance(value, float) else str(value)
