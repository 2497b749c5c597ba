"""One configuration in several training jobs: the range of their seeds, and which are of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hpt_cli.spec.hyperparameters import Hyperparameters, Value


def add_seed_range(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a spec, right or wrong, with a range for the seed of its `repeats`.

    The seeds are 1 to `count`, unless the spec itself has a hyperparameter of that name.
    """
    asked, ranges = fields.get("repeats"), fields.get("hyperparameter_ranges")
    if not isinstance(asked, Mapping) or not isinstance(ranges, Mapping):
        return dict(fields)
    seed, count = asked.get("seed"), asked.get("count")
    taken = {**ranges, **(fields.get("static_hyperparameters") or {})}
    if not isinstance(seed, str) or not isinstance(count, int) or count < 1 or seed in taken:
        return dict(fields)
    seeds = {"type": "Integer", "min_value": 1, "max_value": count}
    return {**fields, "hyperparameter_ranges": {**ranges, seed: seeds}}


def drop_seed(hyperparameters: Mapping[str, Value], seed: str | None) -> Hyperparameters:
    """Return the configuration of a training job: its hyperparameters but for the seed."""
    return {name: value for name, value in hyperparameters.items() if name != seed}
