"""Compare optimizers by what they find per training job, and time a suggestion of ours.

    python scripts/benchmarks/optimizer.py --jobs 40 --parallel 4 --seeds 20
    python scripts/benchmarks/optimizer.py --table my.jsonl.gz --only Bayesian --json
    python scripts/benchmarks/optimizer.py --cost

Problems are recorded tables, in which the nearest recorded configuration answers, and synthetic
functions with mixed types. Regret is |best - found| / |best - median|, with the median over the
table, or over 1,024 Sobol points of a function. Peers that are not installed are left out.
"""

from __future__ import annotations

import argparse
import gzip
import heapq
import json
import logging
import math
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from pydantic import TypeAdapter
from rich.console import Console
from rich.table import Table

from hpt_cli.spec.hyperparameters import Hyperparameters
from hpt_cli.spec.ranges import CategoricalRange, IntegerRange, ParameterRange
from hpt_cli.strategies import SuggestRequest, Trial, load_strategy
from hpt_cli.strategies.space import Space

MARKS = (10, 20, 40)
"""After how many jobs regret is told."""
CURVES = Path(__file__).resolve().parents[2] / "shared" / "curves"
Ranges = dict[str, ParameterRange]


# Problems


@dataclass(frozen=True)
class Problem:
    """Something to minimise: `answer` gives a loss (inf: diverged) and the seconds of a job."""

    name: str
    ranges: Ranges
    answer: Callable[[Hyperparameters], tuple[float, float]]
    best: float
    median: float
    worst: float

    def regret(self, found: float) -> float:
        """What is missing, as a share of the way from the median to the best."""
        return abs(self.best - min(found, self.worst)) / abs(self.best - self.median)


def read_table(path: Path) -> Problem:
    """A recorded table (curves/README.md) as a problem."""
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
        header, *rows = [json.loads(line) for line in lines]
    ranges = TypeAdapter(Ranges).validate_python(header["hyperparameter_ranges"])
    sign = -1.0 if header["objective_type"] == "Maximize" else 1.0
    finals = [row["curve"][-1] if row["curve"] else None for row in rows]
    losses = np.array([np.inf if x is None or not math.isfinite(x) else sign * x for x in finals])
    worst = float(losses[np.isfinite(losses)].max())
    seconds = np.array([row.get("seconds") or 1.0 for row in rows])
    places = place(ranges, [row["hyperparameters"] for row in rows])

    def answer(hyperparameters: Hyperparameters) -> tuple[float, float]:
        gaps = places - place(ranges, [hyperparameters])
        nearest = int(np.argmin(np.einsum("ij,ij->i", gaps, gaps)))
        return float(losses[nearest]), float(seconds[nearest])

    median = float(np.median(losses.clip(max=worst)))
    return Problem(header["table"], ranges, answer, float(losses.min()), median, worst)


def place(ranges: Ranges, rows: list[Hyperparameters]) -> np.ndarray:
    """Rows as points, (n, columns), in which two different categories are 1 apart."""
    columns = []
    for name, each in ranges.items():
        values = [row[name] for row in rows]
        if isinstance(each, CategoricalRange):
            same = [[value == one for one in each.values] for value in values]
            columns.append(np.array(same, dtype=float) / math.sqrt(2))
        else:
            columns.append(np.array([[each.to_unit(value)] for value in values]))
    return np.hstack(columns)


def _continuous(low: float, high: float, scaling: str = "Linear") -> dict[str, Any]:
    return {"type": "Continuous", "min_value": low, "max_value": high, "scaling_type": scaling}


def _integer(low: int, high: int) -> dict[str, Any]:
    return {"type": "Integer", "min_value": low, "max_value": high, "scaling_type": "Linear"}


def _categorical(*values: str) -> dict[str, Any]:
    return {"type": "Categorical", "values": values}


def branin(h: Mapping[str, Any]) -> float:
    """Branin with a category that shifts it; minimum 0 (shift "none", x = pi, y = 2.275)."""
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
    """Hartmann in 6 dimensions; minimum 0."""
    x = np.array([h[f"x{i}"] for i in range(6)])
    bumps = np.exp(-(HARTMANN_A * (x - HARTMANN_P) ** 2).sum(axis=1))
    return float(3.32237 - np.array([1.0, 1.2, 3.0, 3.2]) @ bumps)


def ackley(h: Mapping[str, Any]) -> float:
    """Ackley over 3 reals, 2 integers and a category; minimum 0, away from the centre."""
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
    """A make-believe training: a valley in learning rate and batch size that moves with the
    optimizer, a cliff above the highest stable rate, a weak regulariser; minimum 0."""
    rate, size = math.log10(h["rate"]), math.log2(h["size"])
    ideal = {"sgd": -1.0, "adam": -2.7, "rmsprop": -3.0}[h["optimizer"]] + 0.15 * (size - 5)
    if rate > ideal + 1.2:
        return math.inf
    penalty = {"sgd": 0.1, "adam": 0.0, "rmsprop": 0.05}[h["optimizer"]]
    bend = 0.5 * (rate - ideal) ** 2 + 0.05 * (h["layers"] - 3) ** 2
    rest = 0.02 * abs(math.log10(h["decay"]) + 4) + 0.01 * abs(size - 5)
    return float(penalty + bend + rest)


FUNCTIONS: dict[str, tuple[Callable[[Mapping[str, Any]], float], dict[str, dict[str, Any]]]] = {
    "branin-mixed": (
        branin,
        {
            "x": _continuous(-5, 10),
            "y": _continuous(0, 15),
            "shift": _categorical("high", "none", "low", "mid"),
        },
    ),
    "hartmann6": (hartmann, {f"x{i}": _continuous(0, 1) for i in range(6)}),
    "ackley-mixed": (
        ackley,
        {
            **{f"x{i}": _continuous(-3, 3) for i in range(3)},
            "n0": _integer(0, 20),
            "n1": _integer(0, 60),
            "kind": _categorical("a", "b", "c", "d", "e"),
        },
    ),
    "training-mixed": (
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
    """A synthetic problem; its jobs take as long as each other."""
    function, raw = FUNCTIONS[name]
    ranges = TypeAdapter(Ranges).validate_python(raw)
    space = Space(ranges)
    sample = np.array([function(space.decode(point)) for point in space.draw(0, 0, 1024)])
    worst = float(sample[np.isfinite(sample)].max())
    median = float(np.median(sample.clip(max=worst)))
    return Problem(name, ranges, lambda h: (function(h), 1.0), 0.0, median, worst)


# Optimizers


class Optimizer(Protocol):
    """What is compared: told of every job's end, asked for the next job."""

    def ask(self, number: int) -> Hyperparameters: ...

    def tell(self, number: int, loss: float) -> None: ...


class Ours:
    """One of hpt's strategies, which sees a diverged job as one whose objective is infinite."""

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


class Peer:
    """Base of the peers: they move in ranges of their own, and never see an infinity."""

    def __init__(self, problem: Problem, seed: int, jobs: int, parallel: int) -> None:
        self.problem, self.seed, self.jobs, self.parallel = problem, seed, jobs, parallel
        self.pending: dict[int, Any] = {}

    def finite(self, loss: float) -> float:
        return min(loss, self.problem.worst)

    def value(self, name: str, raw: Any) -> Any:
        """A peer's raw value as a hyperparameter: reals are searched on the unit interval."""
        each = self.problem.ranges[name]
        if isinstance(each, CategoricalRange):
            return each.values[int(raw)]
        return int(raw) if isinstance(each, IntegerRange) else each.from_unit(float(raw))


class Skopt(Peer):
    """`skopt.Optimizer` as it comes, its points in flight answered for by the constant liar."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        import skopt

        self.space = [self._dimension(each) for each in self.problem.ranges.values()]
        self.make = lambda: skopt.Optimizer(
            self.space, random_state=self.seed, n_initial_points=min(10, self.jobs // 2)
        )
        self.optimizer = self.make()
        self.known: list[float] = []

    @staticmethod
    def _dimension(each: ParameterRange) -> Any:
        from skopt.space import Categorical, Integer, Real

        if isinstance(each, CategoricalRange):
            return Categorical(list(range(len(each.values))))
        if isinstance(each, IntegerRange):
            prior = "log-uniform" if each.scaling == "Logarithmic" else "uniform"
            return Integer(each.min_value, each.max_value, prior=prior)
        return Real(0.0, 1.0)

    def ask(self, number: int) -> Hyperparameters:
        optimizer = self.optimizer
        if self.pending:
            optimizer = self.optimizer.copy(random_state=self.seed + number)
            lie = min(self.known, default=0.0)
            optimizer.tell(list(self.pending.values()), [lie] * len(self.pending))
        self.pending[number] = point = optimizer.ask()
        names = self.problem.ranges
        return {name: self.value(name, raw) for name, raw in zip(names, point, strict=True)}

    def tell(self, number: int, loss: float) -> None:
        self.known.append(self.finite(loss))
        self.optimizer.tell(self.pending.pop(number), self.known[-1])


class Optuna(Peer):
    """Optuna with one of its samplers."""

    def __init__(self, sampler: Callable[[int], Any], *args: Any) -> None:
        super().__init__(*args)
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.study = optuna.create_study(sampler=sampler(self.seed))

    def ask(self, number: int) -> Hyperparameters:
        self.pending[number] = trial = self.study.ask()
        return {
            name: self.value(name, self._raw(trial, name, each))
            for name, each in self.problem.ranges.items()
        }

    @staticmethod
    def _raw(trial: Any, name: str, each: ParameterRange) -> Any:
        if isinstance(each, CategoricalRange):
            return trial.suggest_categorical(name, list(range(len(each.values))))
        if isinstance(each, IntegerRange):
            log = each.scaling == "Logarithmic"
            return trial.suggest_int(name, each.min_value, each.max_value, log=log)
        return trial.suggest_float(name, 0.0, 1.0)

    def tell(self, number: int, loss: float) -> None:
        self.study.tell(self.pending.pop(number), self.finite(loss))


def _never_called(config: Any, seed: int = 0) -> float:
    raise NotImplementedError(f"jobs are asked for and told: {config}, {seed}")


class Smac(Peer):
    """SMAC3's facade for hyperparameters: random forest, log EI."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        import tempfile

        from ConfigSpace import ConfigurationSpace
        from smac import HyperparameterOptimizationFacade, Scenario

        space = ConfigurationSpace(seed=self.seed)
        space.add([self._dimension(name, each) for name, each in self.problem.ranges.items()])
        self.folder = tempfile.TemporaryDirectory()
        scenario = Scenario(
            space,
            deterministic=True,
            n_trials=self.jobs,
            seed=self.seed,
            output_directory=Path(self.folder.name),
        )
        self.facade = HyperparameterOptimizationFacade(
            scenario, _never_called, overwrite=True, logging_level=logging.ERROR
        )

    @staticmethod
    def _dimension(name: str, each: ParameterRange) -> Any:
        from ConfigSpace import CategoricalHyperparameter as Category
        from ConfigSpace import UniformFloatHyperparameter as Real
        from ConfigSpace import UniformIntegerHyperparameter as Integer

        if isinstance(each, CategoricalRange):
            return Category(name, list(range(len(each.values))))
        if isinstance(each, IntegerRange):
            log = each.scaling == "Logarithmic"
            return Integer(name, each.min_value, each.max_value, log=log)
        return Real(name, 0.0, 1.0)

    def ask(self, number: int) -> Hyperparameters:
        self.pending[number] = info = self.facade.ask()
        return {name: self.value(name, info.config[name]) for name in self.problem.ranges}

    def tell(self, number: int, loss: float) -> None:
        from smac.runhistory import TrialValue

        self.facade.tell(self.pending.pop(number), TrialValue(cost=self.finite(loss)))


def _tpe(seed: int) -> Any:
    from optuna.samplers import TPESampler

    return TPESampler(seed=seed)


def _tpe_multivariate(seed: int) -> Any:
    from optuna.samplers import TPESampler

    return TPESampler(seed=seed, multivariate=True, constant_liar=True)


def _gp(seed: int) -> Any:
    import torch
    from optuna.samplers import GPSampler

    torch.set_num_threads(1)
    return GPSampler(seed=seed)


Factory = Callable[[Problem, int, int, int], Optimizer]
OPTIMIZERS: dict[str, Factory] = {
    "Bayesian": partial(Ours, "Bayesian"),
    "Random": partial(Ours, "Random"),
    "skopt": Skopt,
    "optuna-tpe": partial(Optuna, _tpe),
    "optuna-tpe-multivariate": partial(Optuna, _tpe_multivariate),
    "optuna-gp": partial(Optuna, _gp),
    "smac": Smac,
}


# The comparison


def simulate(
    problem: Problem, make: Factory, jobs: int, parallel: int, seed: int
) -> tuple[list[float], float]:
    """One search with `parallel` jobs in flight: losses as jobs end, seconds per suggestion.

    Jobs take their recorded time, with a jitter of 5 % by the seed.
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


def compare(
    problem: Problem, name: str, jobs: int, parallel: int, seeds: int
) -> tuple[dict[str, Any], dict[int, list[float]]]:
    """One row of the result, and the regrets of every seed behind it by number of jobs."""
    regrets: dict[int, list[float]] = {mark: [] for mark in MARKS if mark <= jobs}
    seconds = []
    for seed in range(seeds):
        losses, thinking = simulate(problem, OPTIMIZERS[name], jobs, parallel, seed)
        seconds.append(thinking)
        for mark, values in regrets.items():
            values.append(problem.regret(min(losses[:mark])))
    row = {
        "table": problem.name,
        "optimizer": name,
        "parallel": parallel,
        "seeds": seeds,
        "regret": {str(mark): float(np.mean(values)) for mark, values in regrets.items()},
        "seconds_per_suggestion": float(np.mean(seconds)),
    }
    return row, regrets


def interval(values: np.ndarray) -> str:
    """Mean and half the width of its 95 % confidence interval."""
    half = 1.96 * values.std(ddof=1) / math.sqrt(len(values)) if len(values) > 1 else 0.0
    return f"{values.mean():.4f} ±{half:.4f}"


def show_comparison(console: Console, results: list[tuple[dict[str, Any], Any]]) -> None:
    """A table with a line per problem and optimizer, and each optimizer's mean over problems."""
    marks = [mark for mark in MARKS if results and mark in results[0][1]]
    table = Table("problem", "optimizer", *[f"regret after {mark}" for mark in marks], "s/job")
    pooled: dict[str, list[Any]] = {}
    for row, regrets in results:
        cells = [interval(np.array(regrets[mark])) for mark in marks]
        seconds = row["seconds_per_suggestion"]
        table.add_row(row["table"], row["optimizer"], *cells, f"{seconds:.3f}")
        pooled.setdefault(row["optimizer"], []).append((regrets, seconds))
    table.add_section()
    for name, entries in pooled.items():
        # Seeds are averaged over problems first: problems are given, seeds are the sample.
        means = [np.mean([regrets[mark] for regrets, _ in entries], axis=0) for mark in marks]
        seconds = float(np.mean([each for _, each in entries]))
        table.add_row("mean of all", name, *map(interval, means), f"{seconds:.3f}")
    console.print(table)


def measure_cost(pending: int, repeats: int = 3) -> Iterator[tuple[int, int, float]]:
    """Seconds of one Bayesian suggestion in 6 dimensions: (observations, pending, seconds)."""
    problem = make_function("hartmann6")
    strategy, space = load_strategy("Bayesian"), Space(problem.ranges)
    for count in (50, 200, 500, 1000, 5000):
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


def show_cost(console: Console, as_json: bool) -> None:
    """Print what a suggestion costs, with nothing and with 64 jobs pending."""
    load_strategy("Bayesian")
    rows = [*measure_cost(0), *measure_cost(64)]
    if as_json:
        keys = ("observations", "pending", "seconds")
        print(json.dumps([dict(zip(keys, row, strict=True)) for row in rows], indent=1))
        return
    table = Table("observations", "pending", "seconds per suggestion", title="6 dimensions")
    for count, pending, seconds in rows:
        table.add_row(str(count), str(pending), f"{seconds:.3f}")
    console.print(table)


def is_available(name: str) -> bool:
    """Whether an optimizer can be made here; says so if not."""
    try:
        OPTIMIZERS[name](make_function("branin-mixed"), 0, 10, 1)
    except ImportError as missing:
        print(f"{name} is left out: {missing}", file=sys.stderr)
        return False
    return True


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    add = parser.add_argument
    add("--table", action="append", type=Path, metavar="FILE", help="replaces the default problems")
    add("--tables", type=Path, default=Path(os.environ.get("HPT_CURVES", CURVES)), metavar="DIR")
    add("--jobs", type=int, default=40)
    add("--parallel", type=int, default=1)
    add("--seeds", type=int, default=20)
    add("--only", action="append", choices=list(OPTIMIZERS), help="repeatable")
    add("--json", action="store_true")
    add("--cost", action="store_true", help="time a suggestion instead")
    return parser.parse_args(arguments)


def main() -> None:
    """Run what the command line asks for."""
    options = parse()
    warnings.simplefilter("ignore")
    console = Console()
    if options.cost:
        show_cost(console, options.json)
        return
    problems = [read_table(path) for path in options.table or options.tables.glob("*.jsonl.gz")]
    if not options.table:
        problems += [make_function(name) for name in FUNCTIONS]
    names = [name for name in options.only or OPTIMIZERS if is_available(name)]
    results = []
    for problem in sorted(problems, key=lambda each: each.name):
        for name in names:
            print(f"{problem.name}: {name}", file=sys.stderr)
            results.append(compare(problem, name, options.jobs, options.parallel, options.seeds))
    if options.json:
        print(json.dumps([row for row, _ in results], indent=1))
    else:
        show_comparison(console, results)


if __name__ == "__main__":
    main()
