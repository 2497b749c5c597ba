"""What optimizers are compared on, and how a recorded table answers them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from pydantic import TypeAdapter

from hpt_cli.analysis.curve_tables import Table
from hpt_cli.spec.hyperparameters import Hyperparameters
from hpt_cli.spec.ranges import ParameterRange

Ranges: TypeAlias = dict[str, ParameterRange]
Half = Literal["choose", "report", "aside"]
"""Settings are chosen on one half of the problems, and figures are reported on the other. What is
aside is in neither: it was made for one question."""
Protocol = Literal["rows", "nearest"]

CHOOSING_TABLES = {
    *("mlp-digits", "lcbench-surrogate-126025"),
    *("taskset-patch128-lstm128-bs64", "taskset-patch32-vrnn64-relu-avg-bs128"),
}


@dataclass(frozen=True)
class Answer:
    """How one job ended: the hyperparameters that it ran with, its loss, None where it failed and
    inf where it diverged, and its seconds."""

    hyperparameters: Hyperparameters
    loss: float | None
    seconds: float = 1.0


Run: TypeAlias = Callable[[Hyperparameters], Answer]


@dataclass(frozen=True)
class Problem:
    """Something to minimise.

    `start` returns what answers the jobs of one search, by its seed. `measure` returns the loss of
    hyperparameters without noise; where it is None, the answer is without. `best`, `median` and
    `worst` are such losses: the lowest that is known, and those of hyperparameters drawn at random.
    """

    name: str
    half: Half
    ranges: Ranges
    start: Callable[[int], Run]
    best: float
    median: float
    worst: float
    measure: Callable[[Hyperparameters], float] | None = None

    @property
    def kind(self) -> str:
        """The first word of the name."""
        return self.name.partition("-")[0]

    def compute_regret(self, found: float, best: float) -> float:
        """Return what is missing from `best`, as a share of the way there from the median."""
        return abs(min(found, self.worst) - best) / abs(self.median - best)


def parse_ranges(raw: dict[str, dict[str, Any]]) -> Ranges:
    """Return ranges from the fields of a spec."""
    return TypeAdapter(Ranges).validate_python(raw)


def summarize(losses: np.ndarray) -> tuple[float, float]:
    """Return the median and the worst of losses, (n,), of which some may be infinite."""
    worst = float(losses[np.isfinite(losses)].max())
    return float(np.median(losses.clip(max=worst))), worst


def make_lookup(table: Table, protocol: Protocol) -> Problem:
    """Return a recorded table as a problem.

    With the protocol "rows" the nearest configuration that this search has not had yet answers, and
    the job has run with that configuration; with "nearest" the nearest answers, as if it had been
    the one that was asked for: then a table cannot reward a model for being precise.
    """
    losses = np.array(table.final_losses)

    def start(_seed: int) -> Run:
        free = np.ones(len(losses), dtype=bool)

        def answer(hyperparameters: Hyperparameters) -> Answer:
            offsets = table.points - np.array(table.encode(hyperparameters))
            gaps = np.einsum("ij,ij->i", offsets, offsets)
            nearest = int(np.argmin(np.where(free, gaps, np.inf)))
            if protocol == "rows":
                free[nearest] = False
                hyperparameters = table.jobs[nearest].hyperparameters
            return Answer(hyperparameters, float(losses[nearest]), table.jobs[nearest].seconds)

        return answer

    half: Half = "choose" if table.name in CHOOSING_TABLES else "report"
    median, worst = summarize(losses)
    ranges = dict(table.ranges)
    return Problem(f"table-{table.name}", half, ranges, start, float(losses.min()), median, worst)
