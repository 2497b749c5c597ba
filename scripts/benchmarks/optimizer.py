"""Compare optimizers by what they find per training job, and time a suggestion of hpt.

    python scripts/benchmarks/optimizer.py --jobs 40 --parallel 4 --seeds 10
    python scripts/benchmarks/optimizer.py --kind table --protocol nearest --only Bayesian --json
    python scripts/benchmarks/optimizer.py --table my.jsonl.gz --only Bayesian
    python scripts/benchmarks/optimizer.py --recorded --only Bayesian --only optuna-gp
    python scripts/benchmarks/optimizer.py --prior
    python scripts/benchmarks/optimizer.py --half choose --only Bayesian --set bayesian.INNER=1
    python scripts/benchmarks/optimizer.py --cost
    python scripts/benchmarks/optimizer.py --short    # a problem of each kind, ten jobs, one seed

Problems are of three kinds with equal weight in the mean: small models that are trained for real
(trainings.py), recorded tables (problems.py) and functions with noise, failures and conditions
(functions.py). Half of each kind serves to choose settings by (--half choose); figures are reported
on the other. Tables that serve stop rules only are left out.

Regret is |best - found| / |best - median|, where `found` is the loss, without noise, of the job
whose result was the best so far, and `best` the lowest that is known, or that any optimizer found
in this run. It is shown with the standard error of its mean over the seeds; problems are given,
seeds are the sample. Peers are told no loss that is further above the median than the best is below
it, as some of them standardize losses, and that a job failed where they know failures; those that
are not installed (`pip install -e '.[bench]'`) are left out, and named.

With --keep FILE what searches found is kept, and none that is in FILE is made again: a long
comparison can be interrupted, and run with more seeds or other optimizers later. With --recorded
the same goes for what the peers found when docs/optimizer.md was written: only hpt is run.
"""

from __future__ import annotations

import argparse
import heapq
import json
import math
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from beliefs import Belief, with_priors
from functions import FUNCTIONS, make_function
from means import describe_mean, standard_error
from numpy.typing import NDArray
from output import make_console
from peers import Ax, Hebo, Optuna, Skopt, Smac, make_gp_sampler, make_tpe
from problems import Answer, Problem, make_lookup
from rich.console import Console
from rich.table import Table
from searches import Kept, Search, Setting
from table_files import add_table_options, read_tables
from threadpoolctl import threadpool_limits
from trainings import TRAININGS, make_training, read_records, write_records

from hpt_cli.spec.hyperparameters import Hyperparameters
from hpt_cli.strategies import SuggestRequest, Trial, load_strategy
from hpt_cli.strategies.space import Space

MARKS = (10, 20, 40, 80)
"""The numbers of jobs after which regret is told."""
COUNTS = (50, 200, 500, 1000, 5000)
"""The numbers of results at which a suggestion is timed."""
KINDS = ("training", "table", "function")
SHORT = (
    *("training-kernel-ridge-diabetes", "table-lcbench-surrogate-3945"),
    "function-many-categories",
)
"""A quick problem of each kind."""


class Optimizer(Protocol):
    """What is compared: asked for the next job, told of every job's end.

    `replace` says, before `tell`, that a job runs with other hyperparameters than asked for.
    """

    def ask(self, number: int) -> Hyperparameters: ...

    def replace(self, number: int, hyperparameters: Hyperparameters) -> None: ...

    def tell(self, number: int, loss: float | None) -> None: ...


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

    def replace(self, number: int, hyperparameters: Hyperparameters) -> None:
        self.trials[number] = Trial(number, hyperparameters, "Running", None)

    def tell(self, number: int, loss: float | None) -> None:
        hyperparameters = self.trials[number].hyperparameters
        self.trials[number] = Trial(
            number, hyperparameters, "Failed" if loss is None else "Completed", loss
        )


def believe(belief: Belief, problem: Problem, seed: int, jobs: int, parallel: int) -> Strategy:
    """Return Bayesian with a right or a wrong prior on every range."""
    return Strategy("Bayesian", with_priors(problem, belief, seed), seed, jobs, parallel)


Factory = Callable[[Problem, int, int, int], Optimizer]
OPTIMIZERS: dict[str, Factory] = {
    "Bayesian": partial(Strategy, "Bayesian"),
    "Random": partial(Strategy, "Random"),
    "skopt": Skopt,
    "optuna-tpe": partial(Optuna, make_tpe),
    "optuna-gp": partial(Optuna, make_gp_sampler),
    "smac": Smac,
    "ax": Ax,
    "hebo": Hebo,
}
BELIEVERS: dict[str, Factory] = {
    "Bayesian": OPTIMIZERS["Bayesian"],
    "right prior": partial(believe, "right"),
    "wrong prior": partial(believe, "wrong"),
}
"""What --prior compares."""


def search(problem: Problem, name: str, jobs: int, parallel: int, seed: int) -> Search:
    """Return what an optimizer finds.

    Jobs take their recorded time, with a jitter of 5 % by the seed; `parallel` are in flight.
    """
    optimizer = (OPTIMIZERS | BELIEVERS)[name](problem, seed, jobs, parallel)
    run, jitter = problem.start(seed), np.random.default_rng(seed)
    running: list[tuple[float, int, Answer]] = []
    ended: list[Answer] = []
    now = thinking = 0.0
    for number in range(1, jobs + 1):
        before = time.perf_counter()
        if len(running) == parallel:
            now, which, answer = heapq.heappop(running)
            ended.append(answer)
            optimizer.tell(which, answer.loss)
        asked = optimizer.ask(number)
        thinking += time.perf_counter() - before
        answer = run(asked)
        if answer.hyperparameters != asked:
            optimizer.replace(number, answer.hyperparameters)
        end = now + answer.seconds * jitter.uniform(0.95, 1.05)
        heapq.heappush(running, (end, number, answer))
    ended += [answer for _, _, answer in sorted(running, key=lambda each: each[:2])]
    marks = [mark for mark in MARKS if mark <= jobs]
    found = {mark: measure_best(problem, ended[:mark]) for mark in marks}
    return Search(found, sum(each.loss is None for each in ended), thinking / jobs)


def measure_best(problem: Problem, ended: Sequence[Answer]) -> float:
    """Return the loss, without noise, of the job whose result is the best; inf without any."""
    losses = [math.inf if each.loss is None else each.loss for each in ended]
    best = int(np.argmin(losses))
    if problem.measure is None or not math.isfinite(losses[best]):
        return losses[best]
    return problem.measure(ended[best].hyperparameters)


@dataclass(frozen=True)
class Result:
    """What an optimizer found on a problem, or in the mean of several: for every seed."""

    problem: str
    kind: str
    optimizer: str
    regrets: dict[int, NDArray[np.float64]]
    """By the number of jobs."""
    failed: NDArray[np.float64]
    """The number of jobs that failed."""
    seconds: NDArray[np.float64]
    """The mean time of a suggestion."""
    firsts: dict[int, float] = field(default_factory=dict)
    """The share of the searches in which no other optimizer's regret was lower."""

    def to_json(self, protocol: str) -> dict[str, Any]:
        """Return the means, and the standard errors of regret."""
        return {
            "table": self.problem,
            "kind": self.kind,
            "protocol": protocol,
            "optimizer": self.optimizer,
            "seeds": len(self.seconds),
            "regret": {str(mark): float(each.mean()) for mark, each in self.regrets.items()},
            "standard_errors": {
                str(mark): standard_error(each) for mark, each in self.regrets.items()
            },
            "best_share": {str(mark): share for mark, share in self.firsts.items()},
            "failed_jobs": float(self.failed.mean()),
            "seconds_per_suggestion": float(self.seconds.mean()),
        }

    def list_cells(self, reference: Result) -> list[str]:
        """Return a row of the table; `reference` is the optimizer that it is compared with."""
        cells = [self.problem, self.optimizer]
        for mark, each in self.regrets.items():
            behind = describe_mean(each - reference.regrets[mark]) if self is not reference else ""
            cells += [describe_mean(each), behind, f"{self.firsts[mark]:.0%}"]
        return [*cells, f"{self.failed.mean():.1f}", f"{self.seconds.mean():.3f}"]


def compare(
    problem: Problem, names: Sequence[str], searches: Sequence[Sequence[Search]]
) -> list[Result]:
    """Return the results of optimizers on a problem; `searches` has a row for each, by seed."""
    finds = {
        mark: np.array([[each.found[mark] for each in row] for row in searches])
        for mark in searches[0][0].found
    }
    best = min(problem.best, *(float(each.min()) for each in finds.values()))
    regret = np.vectorize(partial(problem.compute_regret, best=best))
    regrets = {mark: regret(each) for mark, each in finds.items()}
    return [
        Result(
            problem.name,
            problem.kind,
            name,
            {mark: each[place] for mark, each in regrets.items()},
            np.array([float(each.failed) for each in row]),
            np.array([each.seconds for each in row]),
            {mark: share_first(each, place) for mark, each in regrets.items()},
        )
        for place, (name, row) in enumerate(zip(names, searches, strict=True))
    ]


def share_first(regrets: NDArray[np.float64], place: int) -> float:
    """Return the share of searches, (optimizers, seeds), in which one is the best; ties count."""
    return float(np.mean(regrets[place] <= regrets.min(axis=0)))


def average(results: Sequence[Result], label: str, kind: str) -> Result:
    """Return an optimizer's means, seed by seed."""
    marks = list(results[0].regrets)
    return Result(
        label,
        kind,
        results[0].optimizer,
        {mark: np.mean([each.regrets[mark] for each in results], axis=0) for mark in marks},
        np.mean([each.failed for each in results], axis=0),
        np.mean([each.seconds for each in results], axis=0),
        {mark: float(np.mean([each.firsts[mark] for each in results])) for mark in marks},
    )


def add_means(rows: Sequence[Sequence[Result]]) -> list[list[Result]]:
    """Return the rows, one a problem, with those of each kind's mean, and of the mean of kinds."""
    columns = list(zip(*rows, strict=True))
    means = []
    for kind in KINDS:
        of_kind = [[each for each in column if each.kind == kind] for column in columns]
        if of_kind[0]:
            label = f"mean of {len(of_kind[0])} {kind}s"
            means.append([average(each, label, kind) for each in of_kind])
    overall = [average(column, "mean of kinds", "all") for column in zip(*means, strict=True)]
    if len(means) > 1:
        means.append(overall)
    return [*map(list, rows), *means]


def show_comparison(console: Console, rows: Sequence[Sequence[Result]]) -> None:
    """Print a table with a section for each problem."""
    marks = list(rows[0][0].regrets)
    first = rows[0][0].optimizer
    heads = [head for mark in marks for head in (f"regret after {mark}", f"behind {first}", "best")]
    table = Table("problem", "optimizer", *heads, "failed", "s/job")
    for row in rows:
        table.add_section()
        for each in row:
            table.add_row(*each.list_cells(row[0]))
    console.print(table)


def measure_cost(
    name: str, pending: int, counts: Sequence[int], repeats: int = 3
) -> Iterator[tuple[int, int, int, float]]:
    """Yield (dimensions, results, pending jobs, seconds) of a Bayesian suggestion on a function."""
    problem = make_function(name)
    strategy, space, run = load_strategy("Bayesian"), Space(problem.ranges), problem.start(0)
    for count in counts:
        trials = []
        for number, point in enumerate(space.draw(1, 0, 8192)[: count + pending], start=1):
            hyperparameters = space.decode(point)
            loss = run(hyperparameters).loss if number <= count else None
            trials.append(
                Trial(number, hyperparameters, "Running" if loss is None else "Completed", loss)
            )
        request = SuggestRequest(
            problem.ranges, 0, len(trials) + 1, 10_000, pending + 1, tuple(trials)
        )
        seconds = []
        for _ in range(repeats):
            before = time.process_time()
            strategy.suggest(request)
            seconds.append(time.process_time() - before)
        yield len(problem.ranges), count, pending, min(seconds)


def show_cost(console: Console, counts: Sequence[int], *, as_json: bool) -> None:
    """Print what a suggestion costs, with nothing and with 64 jobs pending."""
    rows = [
        row
        for name, pending in product(("hartmann6", "sparse20"), (0, 64))
        for row in measure_cost(name, pending, counts)
    ]
    if as_json:
        keys = ("dimensions", "observations", "pending", "seconds")
        print(json.dumps([dict(zip(keys, row, strict=True)) for row in rows], indent=1))
        return
    table = Table("dimensions", "results", "pending", "CPU seconds per suggestion")
    for *numbers, seconds in rows:
        table.add_row(*map(str, numbers), f"{seconds:.3f}")
    console.print(table)


def is_available(name: str) -> bool:
    """Return whether an optimizer is installed; name it on standard error if not."""
    try:
        (OPTIMIZERS | BELIEVERS)[name](make_function("branin"), 0, 10, 1)
    except ImportError as missing:
        print(f"{name} is left out: {missing}", file=sys.stderr)
        return False
    return True


def make_problems(options: argparse.Namespace) -> list[Problem]:
    """Return the problems that the command line asks for."""
    kinds = ["table"] if options.table else options.kind or KINDS
    problems: list[Problem] = []
    if "training" in kinds:
        problems += map(make_training, TRAININGS)
    if "table" in kinds:
        tables = read_tables(options, searchable=True)
        problems += [make_lookup(table, options.protocol) for table in tables]
    if "function" in kinds:
        problems += map(make_function, FUNCTIONS)
    halves = ["choose", "report"] if options.table or options.half == "both" else [options.half]
    chosen = [each for each in problems if each.half in halves]
    if options.problem:
        chosen = [each for each in chosen if any(part in each.name for part in options.problem)]
    return [each for each in chosen if each.name in SHORT] if options.short else chosen


def make_search(options: argparse.Namespace, setting: Setting) -> Search:
    """Return what a search finds on a problem that is made anew in this process."""
    warnings.simplefilter("ignore")
    set_constants(setting.constants)
    problem = find_problem(options, setting.problem)
    with threadpool_limits(1):  # searches run side by side
        return search(problem, setting.optimizer, setting.jobs, setting.parallel, setting.seed)


def set_constants(constants: str) -> None:
    """Set constants of hpt's strategies: `MODULE.NAME=VALUE`, with blanks between them."""
    for each in constants.split():
        place, _, value = each.partition("=")
        module, _, name = place.partition(".")
        found = import_module(f"hpt_cli.strategies.{module}")
        setattr(found, name, type(getattr(found, name))(float(value)))


PROBLEMS: dict[str, Problem] = {}
"""Those that were made in this process, by their names."""


def find_problem(options: argparse.Namespace, name: str) -> Problem:
    """Return a problem by its name."""
    if not PROBLEMS:
        PROBLEMS.update({each.name: each for each in make_problems(options)})
    return PROBLEMS[name]


def make_setting(options: argparse.Namespace, problem: Problem, name: str, seed: int) -> Setting:
    """Return which search an optimizer makes on a problem."""
    protocol = options.protocol if problem.kind == "table" else ""
    constants = " ".join(sorted(options.set))
    return Setting(problem.name, name, protocol, options.jobs, options.parallel, seed, constants)


def list_settings(
    options: argparse.Namespace, problems: Sequence[Problem], names: Sequence[str]
) -> list[Setting]:
    """Return which searches a comparison needs, seed by seed."""
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    wanted = product(seeds, problems, names)
    return [make_setting(options, problem, name, seed) for seed, problem, name in wanted]


def search_all(
    options: argparse.Namespace, problems: Sequence[Problem], names: Sequence[str], kept: Kept
) -> list[list[Result]]:
    """Return the results on every problem, a row each."""
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    with ProcessPoolExecutor(options.workers) as pool:
        missing = {
            pool.submit(make_search, options, each): each
            for each in list_settings(options, problems, names)
            if each not in kept.searches
        }
        for done, future in enumerate(as_completed(missing), start=1):
            kept.add(missing[future], future.result())
            print(f"\r{done} of {len(missing)} searches", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    rows = []
    for problem in problems:
        searches = [
            [kept.searches[make_setting(options, problem, name, seed)] for seed in seeds]
            for name in names
        ]
        rows.append(compare(problem, names, searches))
        if options.record and problem.kind == "training":
            keep_best(problem, searches)
    return rows


def keep_best(problem: Problem, searches: Sequence[Sequence[Search]]) -> None:
    """Keep the best loss of a training that was ever found."""
    records = read_records()
    found = min(loss for row in searches for each in row for loss in each.found.values())
    record = records[problem.name.partition("-")[2]]
    record["best"] = min(record["best"], found)
    write_records(records)


def parse_options() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add_table_options(parser)
    add = parser.add_argument
    add("--jobs", type=int, default=40)
    add("--parallel", type=int, default=1)
    add("--seeds", type=int, default=10)
    add("--first-seed", type=int, default=0)
    add("--only", action="append", choices=list(OPTIMIZERS), help="an optimizer (repeatable)")
    add("--kind", action="append", choices=KINDS, help="a kind of problem (repeatable)")
    add("--problem", action="append", help="problems whose names contain this (repeatable)")
    halves = ("choose", "report", "both", "aside")
    add("--half", choices=halves, default="report", help="of the problems")
    add("--protocol", choices=("rows", "nearest"), default="rows", help="how tables answer")
    add("--workers", type=int, default=os.cpu_count(), help="searches side by side")
    add("--prior", action="store_true", help="Bayesian with priors right and wrong, on functions")
    add("--keep", type=Path, metavar="FILE", help="keep what searches find, make none twice")
    add("--recorded", action="store_true", help="take what peers found from the recording")
    add(
        "--set",
        action="append",
        default=[],
        metavar="MODULE.NAME=VALUE",
        help="another value of a constant in hpt_cli/strategies (repeatable)",
    )
    add("--record", action="store_true", help="keep the best losses in trainings.json")
    add("--json", action="store_true")
    add("--cost", action="store_true", help="time a suggestion instead")
    add("--short", action="store_true", help="a problem of each kind, ten jobs, one seed")
    return parser.parse_args()


def main() -> None:
    """Run what the command line asks for."""
    options = parse_options()
    console = make_console()
    if options.cost:
        show_cost(console, COUNTS[:1] if options.short else COUNTS, as_json=options.json)
        return
    if options.short:
        options.jobs, options.seeds = 10, 1
    if options.prior:
        options.kind, options.only = ["function"], [*BELIEVERS]
    problems = make_problems(options) or sys.exit("error: no problem is left")
    kept = Kept(options.keep, recorded=options.recorded)
    names = [
        name
        for name in options.only or OPTIMIZERS
        if kept.searches.keys() >= {*list_settings(options, problems, [name])} or is_available(name)
    ]
    if not names:
        sys.exit("error: no optimizer is installed")
    rows = add_means(search_all(options, problems, names, kept))
    if options.json:
        listed = [each.to_json(options.protocol) for row in rows for each in row]
        print(json.dumps(listed, indent=1))
    else:
        show_comparison(console, rows)


if __name__ == "__main__":
    main()
