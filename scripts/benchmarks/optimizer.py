"""Compare optimizers by what they find per training job, and time a suggestion of hpt.

    python scripts/benchmarks/optimizer.py --jobs 40 --parallel 4 --seeds 20
    python scripts/benchmarks/optimizer.py --table my.jsonl.gz --only Bayesian --json
    python scripts/benchmarks/optimizer.py --cost
    python scripts/benchmarks/optimizer.py --short    # two problems, ten jobs, one seed

Problems are recorded tables, in which the nearest recorded configuration answers, and synthetic
functions with mixed types. Tables that serve stop rules only are left out. Regret is
|best - found| / |best - median|, with the median over the table, or over 1,024 Sobol points of a
function. It is shown with the standard error of its mean over the seeds; problems are given, seeds
are the sample. Peers are told no loss that is further above the median than the best is below it,
as some of them standardize losses; those that are not installed (`pip install -e '.[bench]'`) are
left out, and named.
"""

from __future__ import annotations

import argparse
import heapq
import json
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
from means import describe_mean, group_by_kind, list_means, standard_error
from numpy.typing import NDArray
from peers import Optuna, Skopt, Smac, make_gp_sampler, make_tpe
from problems import FUNCTIONS, Problem, make_function, make_lookup
from rich.console import Console
from rich.table import Table
from table_files import add_table_options, read_tables

from hpt_cli.spec.hyperparameters import Hyperparameters
from hpt_cli.strategies import SuggestRequest, Trial, load_strategy
from hpt_cli.strategies.space import Space

MARKS = (10, 20, 40)
"""The numbers of jobs after which regret is told."""
COUNTS = (50, 200, 500, 1000, 5000)
"""The numbers of results at which a suggestion is timed."""


class Optimizer(Protocol):
    """What is compared: told of every job's end, asked for the next job."""

    def ask(self, number: int) -> Hyperparameters: ...

    def tell(self, number: int, loss: float) -> None: ...


class Strategy:
    """One of hpt's strategies; a diverged job is one whose objective is infinite."""

    def __init__(self, name: str, problem: Problem, seed: int, jobs: int, parallel: int) -> None:
        self.strategy, self.problem, self.seed = load_strategy(name), problem, seed
        self.jobs, self.parallel = jobs, parallel
        self.trials: dict[int, Trial] = {}

    def ask(self, number: int) -> Hyperparameters:
        trials = tuple(self.trials.values())
        request = SuggestRequest(
            self.problem.ranges, self.seed, number, self.jobs, self.parallel, trials
        )
        answer = self.strategy.suggest(request)
        if answer is None:
            raise LookupError("the space is used up")
        self.trials[number] = Trial(number, answer, "Running", None)
        return answer

    def tell(self, number: int, loss: float) -> None:
        self.trials[number] = Trial(number, self.trials[number].hyperparameters, "Completed", loss)


Factory = Callable[[Problem, int, int, int], Optimizer]
OPTIMIZERS: dict[str, Factory] = {
    "Bayesian": partial(Strategy, "Bayesian"),
    "Random": partial(Strategy, "Random"),
    "skopt": Skopt,
    "optuna-tpe": partial(Optuna, make_tpe),
    "optuna-gp": partial(Optuna, make_gp_sampler),
    "smac": Smac,
}


@dataclass(frozen=True)
class Result:
    """What an optimizer found on a problem, or in the mean of several: for every seed."""

    problem: str
    optimizer: str
    regrets: dict[int, NDArray[np.float64]]
    """By the number of jobs."""
    seconds: NDArray[np.float64]
    """The mean time of a suggestion."""

    def to_json(self) -> dict[str, Any]:
        """Return the means, and the standard errors of regret."""
        return {
            "table": self.problem,
            "optimizer": self.optimizer,
            "seeds": len(self.seconds),
            "regret": {str(mark): float(each.mean()) for mark, each in self.regrets.items()},
            "standard_errors": {
                str(mark): standard_error(each) for mark, each in self.regrets.items()
            },
            "seconds_per_suggestion": float(self.seconds.mean()),
        }

    def list_cells(self) -> list[str]:
        """Return a row of the table."""
        means = map(describe_mean, self.regrets.values())
        return [self.problem, self.optimizer, *means, f"{self.seconds.mean():.3f}"]


def simulate(
    problem: Problem, make: Factory, jobs: int, parallel: int, seed: int
) -> tuple[list[float], float]:
    """Return the losses of one search in the order in which jobs end, and seconds per suggestion.

    Jobs take their recorded time, with a jitter of 5 % by the seed; `parallel` are in flight.
    """
    optimizer = make(problem, seed, jobs, parallel)
    jitter = np.random.default_rng(seed)
    running: list[tuple[float, int, float]] = []
    losses: list[float] = []
    now = thinking = 0.0
    for number in range(1, jobs + 1):
        if len(running) == parallel:
            now, ended, loss = heapq.heappop(running)
            losses.append(loss)
            before = time.perf_counter()
            optimizer.tell(ended, loss)
            thinking += time.perf_counter() - before
        before = time.perf_counter()
        hyperparameters = optimizer.ask(number)
        thinking += time.perf_counter() - before
        loss, seconds = problem.answer(hyperparameters)
        heapq.heappush(running, (now + seconds * jitter.uniform(0.95, 1.05), number, loss))
    losses += [loss for _, _, loss in sorted(running)]
    return losses, thinking / jobs


def measure(problem: Problem, name: str, jobs: int, parallel: int, seeds: int) -> Result:
    """Return what an optimizer finds on a problem."""
    print(f"{problem.name}: {name}", file=sys.stderr)
    runs = [simulate(problem, OPTIMIZERS[name], jobs, parallel, seed) for seed in range(seeds)]
    regrets = {
        mark: np.array([problem.regret(min(losses[:mark])) for losses, _ in runs])
        for mark in MARKS
        if mark <= jobs
    }
    return Result(problem.name, name, regrets, np.array([seconds for _, seconds in runs]))


def average(results: Sequence[Result], label: str) -> Result:
    """Return an optimizer's means over problems, seed by seed."""
    marks = results[0].regrets
    return Result(
        label,
        results[0].optimizer,
        {mark: np.mean([each.regrets[mark] for each in results], axis=0) for mark in marks},
        np.mean([each.seconds for each in results], axis=0),
    )


def add_means(results: Sequence[Sequence[Result]]) -> Iterator[Result]:
    """Yield the results, (problems, optimizers), and then each optimizer's means."""
    for row in results:
        yield from row
    for label, places in list_means([row[0].problem for row in results]).items():
        for column in range(len(results[0])):
            yield average([results[place][column] for place in places], label)


def show_comparison(console: Console, results: Sequence[Result]) -> None:
    """Print a table with a row for each result."""
    marks = [f"regret after {mark}" for mark in results[0].regrets]
    table = Table("problem", "optimizer", *marks, "s/job")
    for before, result in zip([results[0], *results], results, strict=False):
        if before.problem != result.problem:
            table.add_section()
        table.add_row(*result.list_cells())
    console.print(table)


def measure_cost(
    pending: int, counts: Sequence[int], repeats: int = 3
) -> Iterator[tuple[int, int, float]]:
    """Yield (results, pending jobs, seconds) of one Bayesian suggestion in 6 dimensions."""
    problem = make_function("function-hartmann6")
    strategy, space = load_strategy("Bayesian"), Space(problem.ranges)
    for count in counts:
        trials = []
        for number, point in enumerate(space.draw(1, 0, 8192)[: count + pending], start=1):
            hyperparameters = space.decode(point)
            loss = problem.answer(hyperparameters)[0] if number <= count else None
            trials.append(
                Trial(number, hyperparameters, "Running" if loss is None else "Completed", loss)
            )
        request = SuggestRequest(
            problem.ranges, 0, len(trials) + 1, 10_000, pending + 1, tuple(trials)
        )
        seconds = []
        for _ in range(repeats):
            before = time.perf_counter()
            strategy.suggest(request)
            seconds.append(time.perf_counter() - before)
        yield count, pending, min(seconds)


def show_cost(console: Console, counts: Sequence[int], *, as_json: bool) -> None:
    """Print what a suggestion costs, with nothing and with 64 jobs pending."""
    rows = [*measure_cost(0, counts), *measure_cost(64, counts)]
    if as_json:
        keys = ("observations", "pending", "seconds")
        print(json.dumps([dict(zip(keys, row, strict=True)) for row in rows], indent=1))
        return
    table = Table("results", "pending", "seconds per suggestion", title="6 dimensions")
    for count, pending, seconds in rows:
        table.add_row(str(count), str(pending), f"{seconds:.3f}")
    console.print(table)


def is_available(name: str) -> bool:
    """Return whether an optimizer is installed; name it on standard error if not."""
    try:
        OPTIMIZERS[name](make_function("function-branin"), 0, 10, 1)
    except ImportError as missing:
        print(f"{name} is left out: {missing}", file=sys.stderr)
        return False
    return True


def parse_options() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add_table_options(parser)
    add = parser.add_argument
    add("--jobs", type=int, default=40)
    add("--parallel", type=int, default=1)
    add("--seeds", type=int, default=20)
    add("--only", action="append", choices=list(OPTIMIZERS), help="an optimizer (repeatable)")
    add("--json", action="store_true")
    add("--cost", action="store_true", help="time a suggestion instead")
    add("--short", action="store_true", help="two problems, ten jobs, one seed")
    return parser.parse_args()


def main() -> None:
    """Run what the command line asks for."""
    options = parse_options()
    warnings.simplefilter("ignore")
    console = Console()
    if options.cost:
        show_cost(console, COUNTS[:1] if options.short else COUNTS, as_json=options.json)
        return
    problems = [make_lookup(table) for table in read_tables(options, searchable=True)]
    if not options.table:
        problems += [make_function(name) for name in FUNCTIONS]
    if options.short:
        kinds = group_by_kind([problem.name for problem in problems]).values()
        problems = [problems[places[0]] for places in kinds][-2:]
        options.jobs, options.seeds = 10, 1
    names = [name for name in options.only or OPTIMIZERS if is_available(name)]
    if not names:
        sys.exit("error: no optimizer is installed")
    results = [
        [measure(problem, name, options.jobs, options.parallel, options.seeds) for name in names]
        for problem in problems
    ]
    rows = list(add_means(results))
    if options.json:
        print(json.dumps([row.to_json() for row in rows], indent=1))
    else:
        show_comparison(console, rows)


if __name__ == "__main__":
    main()
