"""Compare hpt with the optimizers of CARP-S on its black-box tasks that need no data: BBOB, Pymoo.

    python scripts/benchmarks/public_arena.py --seeds 5
    python scripts/benchmarks/public_arena.py --task bbob_2_ --only hpt --only optuna/SO_TPE --json

CARP-S (Benjamins et al. 2025, arXiv 2506.06143; `pip install carps ioh`) has the tasks, their
budgets of 77 to 247 jobs, the loop and the other optimizers: `--only` takes the names of its
configurations (`optuna/SO_TPE`, `smac20/blackbox`, `Ax/config` ...), which need their own packages.
Regret is (found - minimum) / (median - minimum), the median being that of configurations drawn at
random; it is shown after 20 and 40 jobs and at the end.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from means import describe_mean, standard_error
from output import make_console
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from carps_adapter import Run

OPTIMIZERS = ("hpt", "randomsearch/config")
SHORT = "himmelblau"
"""A quick task."""
LEAST = 1e-9
"""What a smaller regret counts as in geometric means."""


def rank(runs: Mapping[str, Sequence[Run]]) -> dict[str, list[float]]:
    """Return each optimizer's rank at the end by seed; those that tie share theirs."""
    ends = np.array([[each.regrets["end"] for each in row] for row in runs.values()])
    better, level = (ends[:, None] > ends).sum(axis=1), (ends[:, None] == ends).sum(axis=1)
    return dict(zip(runs, (better + (level + 1) / 2).tolist(), strict=True))


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", action="append", help="hpt, or one of CARP-S's (repeatable)")
    parser.add_argument("--task", action="append", help="tasks whose names contain this")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--short", action="store_true", help="a task, one seed")
    options = parser.parse_args()
    try:
        import carps_adapter
    except ImportError as missing:
        print(f"nothing is run: {missing}; pip install carps ioh", file=sys.stderr)
        sys.exit(0 if options.short else 1)
    wanted = [SHORT] if options.short else options.task or [""]
    tasks = [each for each in carps_adapter.list_tasks() if any(part in each for part in wanted)]
    seeds = range(1, 2 if options.short else options.seeds + 1)
    rows: list[dict[str, Any]] = []
    for task in tasks or sys.exit("error: no task is left"):
        runs: dict[str, list[Run]] = {}
        for name in options.only or OPTIMIZERS:
            try:
                runs[name] = [carps_adapter.run_quietly(task, name, seed) for seed in seeds]
            except carps_adapter.MISSING as missing:
                print(f"{name} is left out: {missing}", file=sys.stderr)
        ranks = rank(runs)
        rows += [make_row(task, name, each, ranks[name]) for name, each in runs.items()]
        print(f"{task} is done", file=sys.stderr)
    if options.json:
        print(json.dumps(rows, indent=1))
    else:
        show(make_console(), rows)


def make_row(task: str, optimizer: str, runs: Sequence[Run], ranks: Sequence[float]) -> Any:
    """Return the results of an optimizer on a task."""
    regrets = {mark: np.array([each.regrets[mark] for each in runs]) for mark in runs[0].regrets}
    return {
        "task": task.partition("=")[2],
        "optimizer": optimizer,
        "seeds": len(runs),
        "regret": {mark: float(each.mean()) for mark, each in regrets.items()},
        "standard_errors": {mark: standard_error(each) for mark, each in regrets.items()},
        "rank": float(np.mean(ranks)),
        "seconds_per_suggestion": float(np.mean([each.seconds for each in runs])),
    }


def show(console: Console, rows: Sequence[Any]) -> None:
    """Print a line for each task and optimizer, and the means over tasks."""
    marks = [*rows[0]["regret"]]
    table = Table("task", "optimizer", *(f"regret, {mark}" for mark in marks), "rank", "s/job")
    for row in rows:
        errors = row["standard_errors"]
        cells = [
            f"{row['regret'][mark]:.3f}" + (f" ± {errors[mark]:.3f}" if errors[mark] else "")
            for mark in marks
        ]
        seconds = f"{row['seconds_per_suggestion']:.3f}"
        table.add_row(row["task"], row["optimizer"], *cells, f"{row['rank']:.2f}", seconds)
    table.add_section()
    for name in dict.fromkeys(row["optimizer"] for row in rows):
        of_name = [row for row in rows if row["optimizer"] == name]
        # Of logarithms, as regrets at the end differ by powers of ten from task to task.
        logs = {
            mark: np.log([max(LEAST, row["regret"][mark]) for row in of_name]) for mark in marks
        }
        cells = [f"{math.exp(each.mean()):.2g}" for each in logs.values()]
        mean_rank = describe_mean(np.array([row["rank"] for row in of_name]))
        table.add_row(f"geometric mean of {len(of_name)}", name, *cells, mean_rank, "")
    console.print(table)


if __name__ == "__main__":
    main()
