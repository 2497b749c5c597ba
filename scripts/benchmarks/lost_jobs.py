"""Measure what training jobs that fail at random cost a Bayesian search, one job at a time.

    python scripts/benchmarks/lost_jobs.py --seeds 8
    python scripts/benchmarks/lost_jobs.py --half choose --seeds 8 --share .4
    python scripts/benchmarks/lost_jobs.py --short    # a function, eight results, one seed

Compared is the regret on functions (optimizer.py says what regret is) after as many jobs that gave
a result, where a share of all jobs fails and where none does, by the same seeds.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import product

import numpy as np
from functions import FUNCTIONS, make_function
from means import describe_mean, describe_ratio
from optimizer import Strategy, measure_best
from output import make_console
from problems import Answer
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from hpt_cli.strategies.space import Floats


def search(name: str, share: float, results: int, seed: int) -> float:
    """Return the regret on a function after so many results, where a share of all jobs fails."""
    problem = make_function(name, failures=share)
    optimizer, run = Strategy("Bayesian", problem, seed, results, 1), problem.start(seed)
    ended: list[Answer] = []
    with threadpool_limits(1):
        while sum(each.loss is not None for each in ended) < results:
            number = len(ended) + 1
            ended.append(run(optimizer.ask(number)))
            optimizer.tell(number, ended[-1].loss)
    return problem.compute_regret(measure_best(problem, ended), problem.best)


def list_functions(half: str) -> list[str]:
    """Return the functions, of one half of the problems or of both, of which no job fails."""
    halves = ("choose", "report") if half == "both" else (half,)
    return [
        name
        for name, (its_half, _, trouble, _) in FUNCTIONS.items()
        if its_half in halves and not trouble.failures and "memory" not in name
    ]


def show(console: Console, names: Sequence[str], regrets: Floats) -> None:
    """Print a line for each function and one for their mean; `regrets` is (functions, 2, seeds)."""
    table = Table("function", "regret, none failed", "regret, some failed", "ratio")
    for name, (without, some) in [
        *zip(names, regrets, strict=True),
        ("mean", regrets.mean(axis=0)),
    ]:
        ratio = describe_ratio(some, without)
        table.add_row(name, describe_mean(without), describe_mean(some), ratio)
    console.print(table)


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--results", type=int, default=40, help="jobs that gave a result")
    add("--share", type=float, default=0.2, help="of jobs that fail")
    add("--seeds", type=int, default=8)
    add("--half", choices=("choose", "report", "both"), default="report", help="of the functions")
    add("--workers", type=int, default=os.cpu_count(), help="searches side by side")
    add("--json", action="store_true")
    add("--short", action="store_true", help="a function, eight results, one seed")
    options = parser.parse_args()
    names = list_functions(options.half)
    if options.short:
        names, options.seeds, options.results = names[:1], 1, 8
    runs = [*product(names, (0.0, options.share), [options.results], range(options.seeds))]
    with ProcessPoolExecutor(options.workers) as pool:
        found = [*pool.map(search, *zip(*runs, strict=True))]
    regrets = np.array(found).reshape(len(names), 2, options.seeds)
    if options.json:
        rows = zip(names, regrets.tolist(), strict=True)
        print(json.dumps([{"function": each, "regrets": row} for each, row in rows], indent=1))
    else:
        show(make_console(), names, regrets)


if __name__ == "__main__":
    main()
