"""Hyperparameters: names and values of one training job."""

from __future__ import annotations

from typing import TypeAlias

Value: TypeAlias = float | int | str
Hyperparameters: TypeAlias = dict[str, Value]


def format_value(value: Value) -> str:
    """A hyperparameter's value as a training program reads it."""
    return repr(value) if isinstance(value, float) else str(value)
