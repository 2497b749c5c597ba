"""What the optimizers are compared on: recorded tables, and functions with mixed types."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from hpt_cli.analysis.curve_tables import Table
from hpt_cli.spec.hyperparameters import Hyperparameters
from hpt_cli.spec.ranges import ParameterRange
from hpt_cli.strategies.space import Space

Ranges = dict[str, ParameterRange]


@dataclass(frozen=True)
class Problem:
    """Something to minimise.

    `answer` returns the loss of a job, inf where it diverged, and its seconds.
    """

    name: str
    ranges: Ranges
    answer: Callable[[Hyperparameters], tuple[float, float]]
    best: float
    median: float
    worst: float

    def regret(self, found: float) -> float:
        """Return what is missing, as a share of the way from the median to the best."""
        return abs(self.best - min(found, self.worst)) / abs(self.best - self.median)


def make_lookup(table: Table) -> Problem:
    """Return a recorded table as a problem, in which the nearest configuration answers."""
    losses = np.array(table.final_losses)
    worst = float(losses[np.isfinite(losses)].max())

    def answer(hyperparameters: Hyperparameters) -> tuple[float, float]:
        offsets = table.points - np.array(table.encode(hyperparameters))
        nearest = int(np.argmin(np.einsum("ij,ij->i", offsets, offsets)))
        return float(losses[nearest]), table.jobs[nearest].seconds

    median = float(np.median(losses.clip(max=worst)))
    return Problem(table.name, dict(table.ranges), answer, float(losses.min()), median, worst)


def _continuous(low: float, high: float, scaling: str = "Linear") -> dict[str, Any]:
    return {"type": "Continuous", "min_value": low, "max_value": high, "scaling_type": scaling}


def _integer(low: int, high: int) -> dict[str, Any]:
    return {"type": "Integer", "min_value": low, "max_value": high, "scaling_type": "Linear"}


def _categorical(*values: str) -> dict[str, Any]:
    return {"type": "Categorical", "values": values}


def branin(h: Mapping[str, Any]) -> float:
    """Return Branin with a category that shifts it; minimum 0 (shift "none", x = pi, y = 2.275)."""
    x, y = h["x"], h["y"]
    shift = {"none": 0.0, "low": 8.0, "mid": 20.0, "high": 40.0}[h["shift"]]
    bowl = (y - 5.1 / (4 * math.pi**2) * x * x + 5 / math.pi * x - 6) ** 2
    return float(bowl + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10 + shift - 0.397887)


HARTMANN_A = np.array(
    [
        [10, 3, 17, 3.5, 1.7, 8],
        [0.05, 10, 17, 0.1, 8, 14],
        [3, 3.5, 1.7, 10, 17, 8],
        [17, 8, 0.05, 10, 0.1, 14],
    ]
)
HARTMANN_P = 1e-4 * np.array(
    [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
)


def hartmann(h: Mapping[str, Any]) -> float:
    """Return Hartmann in 6 dimensions; minimum 0."""
    x = np.array([h[f"x{i}"] for i in range(6)])
    bumps = np.exp(-(HARTMANN_A * (x - HARTMANN_P) ** 2).sum(axis=1))
    return float(3.32237 - np.array([1.0, 1.2, 3.0, 3.2]) @ bumps)


def ackley(h: Mapping[str, Any]) -> float:
    """Return Ackley over 3 reals, 2 integers and a category; minimum 0, away from the centre."""
    offset = {"a": 0.0, "b": 0.7, "c": 1.5, "d": 2.5, "e": 4.0}[h["kind"]]
    x = np.array(
        [h["x0"] - 0.6, h["x1"] + 0.9, h["x2"] - 1.2, (h["n0"] - 5) / 5, (h["n1"] - 20) / 10]
    )
    return float(
        -20 * np.exp(-0.2 * np.sqrt(np.mean(x * x)))
        - np.exp(np.mean(np.cos(2 * np.pi * x) * 0.5))
        + 20
        + math.exp(0.5)
        + offset
    )


def training(h: Mapping[str, Any]) -> float:
    """Return the loss of an imitated training; minimum 0.

    A valley in learning rate and batch size that moves with the optimizer, a cliff above the
    highest stable rate, a weak regularizer.
    """
    rate, size = math.log10(h["rate"]), math.log2(h["size"])
    ideal = {"sgd": -1.0, "adam": -2.7, "rmsprop": -3.0}[h["optimizer"]] + 0.15 * (size - 5)
    if rate > ideal + 1.2:
        return math.inf
    penalty = {"sgd": 0.1, "adam": 0.0, "rmsprop": 0.05}[h["optimizer"]]
    bend = 0.5 * (rate - ideal) ** 2 + 0.05 * (h["layers"] - 3) ** 2
    rest = 0.02 * abs(math.log10(h["decay"]) + 4) + 0.01 * abs(size - 5)
    return float(penalty + bend + rest)


FUNCTIONS: dict[str, tuple[Callable[[Mapping[str, Any]], float], dict[str, dict[str, Any]]]] = {
    "function-branin": (
        branin,
        {
            "x": _continuous(-5, 10),
            "y": _continuous(0, 15),
            "shift": _categorical("high", "none", "low", "mid"),
        },
    ),
    "function-hartmann6": (hartmann, {f"x{i}": _continuous(0, 1) for i in range(6)}),
    "function-ackley": (
        ackley,
        {
            **{f"x{i}": _continuous(-3, 3) for i in range(3)},
            "n0": _integer(0, 20),
            "n1": _integer(0, 60),
            "kind": _categorical("a", "b", "c", "d", "e"),
        },
    ),
    "function-training": (
        training,
        {
            "rate": _continuous(1e-5, 1.0, "Logarithmic"),
            "size": _integer(8, 256),
            "layers": _integer(1, 8),
            "optimizer": _categorical("sgd", "adam", "rmsprop"),
            "decay": _continuous(1e-6, 1e-1, "Logarithmic"),
        },
    ),
}


def make_function(name: str) -> Problem:
    """Return a function as a problem; all its jobs take a second."""
    function, raw = FUNCTIONS[name]
    ranges = TypeAdapter(Ranges).validate_python(raw)
    space = Space(ranges)
    sample = np.array([function(space.decode(point)) for point in space.draw(0, 0, 1024)])
    worst = float(sample[np.isfinite(sample)].max())
    median = float(np.median(sample.clip(max=worst)))
    return Problem(name, ranges, lambda h: (function(h), 1.0), 0.0, median, worst)
