"""Means over seeds and over tables, as the benchmarks report them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def standard_error(values: NDArray[np.float64]) -> float | None:
    """Return the standard error of a mean; None for a single value."""
    return float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else None


def describe_mean(values: NDArray[np.float64]) -> str:
    """Return a mean, and its standard error if it has one: `0.1234 ±0.0056`."""
    error = standard_error(values)
    return f"{values.mean():.4f}" + (f" ±{error:.4f}" if error is not None else "")


def describe_ratio(parts: NDArray[np.float64], wholes: NDArray[np.float64]) -> str:
    """Return the ratio of two sums over the same seeds, and its standard error."""
    ratio = parts.sum() / wholes.sum()
    error = math.sqrt(((parts - ratio * wholes) ** 2).sum()) / wholes.sum()
    return f"{ratio:.4f} ±{error:.4f}"


def group_by_kind(names: Sequence[str]) -> dict[str, list[int]]:
    """Return the places in `names` of each kind of table: the first word of a table's name."""
    kinds: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        kinds.setdefault(name.partition("-")[0], []).append(place)
    return kinds


def list_means(names: Sequence[str]) -> dict[str, list[int]]:
    """Return what to average, as places in `names`: kinds with several tables, then all."""
    kinds = group_by_kind(names) | {"all": list(range(len(names)))}
    return {
        f"mean of {kind} ({len(places)})": places
        for kind, places in kinds.items()
        if len(places) > 1 and (kind == "all" or len(places) < len(names))
    }
