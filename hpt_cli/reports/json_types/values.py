"""The types of values in `--json` output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Value = float | int | str
Hyperparameters = Mapping[str, Value]
Point = Sequence[float | None]
"""`[step, value]`; null for NaN and infinity."""
