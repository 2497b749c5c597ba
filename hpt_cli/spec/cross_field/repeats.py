"""Cross-field checks of repeats, and of their seed among the hyperparameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hpt_cli.spec.cross_field.conflict import Conflict, mapping
from hpt_cli.spec.cross_field.search import parse_ranges
from hpt_cli.spec.ranges import ParameterRange

SEEDS = "{type: Integer, min_value: 1, max_value: 5}"


def find_repeat_conflicts(raw: Mapping[str, Any]) -> Iterator[Conflict]:
    """Yield what the seed of `repeats` cannot be."""
    asked, ranges = mapping(raw, "repeats"), mapping(raw, "hyperparameter_ranges")
    seed, where = asked.get("seed"), ("repeats", "seed")
    if not isinstance(seed, str):
        return
    if seed in mapping(raw, "static_hyperparameters"):
        message = f"'{seed}' is the seed of repeats, so it is not the same for every training job"
        hint = "leave it out of static_hyperparameters"
        yield Conflict(("static_hyperparameters", seed), "repeats-static", message, hint)
        return
    if list(ranges) == [seed]:
        message = f"'{seed}' is the seed of repeats, and there is no other range to search"
        yield Conflict(where, "repeats-alone", message)
    if mapping(ranges, seed).get("when"):
        message = f"'{seed}' is the seed of repeats: every training job has one, without 'when'"
        yield Conflict(("hyperparameter_ranges", seed, "when"), "repeats-when", message)
    for name, each in ranges.items():
        if seed in mapping(each, "when"):
            message = f"'{name}' cannot depend on '{seed}', the seed of repeats"
            yield Conflict(("hyperparameter_ranges", name, "when"), "repeats-when", message)
    if (seeds := parse_ranges(raw).get(seed)) is not None:
        yield from _find_too_few(seed, seeds, asked.get("count"))


def _find_too_few(seed: str, seeds: ParameterRange, count: Any) -> Iterator[Conflict]:
    where = ("hyperparameter_ranges", seed)
    if seeds.size is None:
        message = f"'{seed}' is the seed of repeats, and its range has no first value"
        yield Conflict(where, "repeats-seeds", message, f"{seed}: {SEEDS}")
    elif isinstance(count, int) and seeds.size < count:
        message = f"'{seed}' has {seeds.size} values, and repeats.count asks for {count} seeds"
        yield Conflict(
            where, "repeats-seeds", message, "leave the range out: the seeds are then 1, 2, 3 ..."
        )
