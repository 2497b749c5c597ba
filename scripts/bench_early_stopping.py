"""What each stop rule saves and what it loses, on recorded curves (issue 4).

Training jobs are simulated: an epoch of a recorded job costs its recorded seconds (or 1), slots run
at once, every epoch is judged. Random configurations are drawn from the table; with the Bayesian
strategy its suggestions are answered by the nearest recorded configuration.

    python scripts/bench_early_stopping.py --jobs 20 --parallel 2 --seeds 100
    python scripts/bench_early_stopping.py --rule auto --rule auto:risk=0.1 --rule median
    python scripts/bench_early_stopping.py --budget --jobs 20      # saved epochs buy more jobs

Columns: epochs and tuning (wall) time saved against the same jobs run to their end; jobs stopped;
how often the job with the best final objective was kept; and the loss, |best with Off - best with
the rule| / |best - median configuration of the table|, where the best with the rule is the best
final objective of a completed job, or the last one of a stopped job if that is better. With
`--budget`: the regret, |best of the table - found| / |best - median|, after the epochs that Off
needs for the given jobs.
"""

from __future__ import annotations

import argparse
import gzip
import heapq
import json
import math
import random
import statistics
import sys
import zlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from pydantic import TypeAdapter

from hpt_cli.core.hyperparameters import Hyperparameters
from hpt_cli.core.ranges import CategoricalRange, ParameterRange
from hpt_cli.core.stop_rules import STOP_RULES, LossCurve, StopRule, Verdict, load_stop_rule
from hpt_cli.core.stop_rules.curves import has_reached, losses_until, running_averages
from hpt_cli.core.strategies import Question, Trial, load_strategy

TABLES = Path(__file__).resolve().parents[2] / "shared" / "curves"


@dataclass(frozen=True)
class Table:
    """A recorded table: `losses` is jobs x epochs, lower is better; `seconds` per whole job."""

    name: str
    losses: list[tuple[float, ...]]
    seconds: list[float]
    hyperparameters: list[Hyperparameters]
    ranges: Mapping[str, ParameterRange]

    @property
    def finals(self) -> list[float]:
        """The final loss of every configuration; the worst finite one for what diverged."""
        finals = [losses[-1] for losses in self.losses]
        worst = max(filter(math.isfinite, finals))
        return [min(each, worst) for each in finals]

    def normalise(self, gap: float) -> float:
        """A difference of losses as a share of |best - median configuration|."""
        finals = self.finals
        return gap / (statistics.median(finals) - min(finals))


def read_table(path: Path) -> Table:
    """Read a table in the format of shared/curves/README.md."""
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
        header, *rows = [json.loads(line) for line in lines]
    sign = -1.0 if header["objective_type"] == "Maximize" else 1.0
    ranges = TypeAdapter(dict[str, ParameterRange]).validate_python(
        header.get("hyperparameter_ranges", {})
    )
    losses = [
        tuple(math.inf if value is None else sign * value for value in row["curve"]) for row in rows
    ]
    return Table(
        name=header["table"],
        losses=losses,
        seconds=[row.get("seconds") or len(row["curve"]) for row in rows],
        hyperparameters=[row["hyperparameters"] for row in rows],
        ranges=ranges,
    )


# -- rules that are not built in ---------------------------------------------------------------


class Off:
    """Never stops."""

    def judge(self, live: LossCurve, others: Sequence[LossCurve]) -> Verdict:  # noqa: ARG002
        return Verdict(False)


@dataclass(frozen=True)
class SyneTuneMedian:
    """Syne Tune's MedianStoppingRule, re-implemented: rank of the running mean among all."""

    grace_time: int = 1
    grace_population: int = 5
    rank_cutoff: float = 0.5

    def judge(self, live: LossCurve, others: Sequence[LossCurve]) -> Verdict:
        mean = statistics.fmean(live.losses)
        means = sorted([*running_averages(others, live.steps[-1]), mean])
        if len(live.losses) <= self.grace_time or len(means) < self.grace_population:
            return Verdict(False)
        return Verdict((bisect_left(means, mean) + 1) / len(means) > self.rank_cutoff)


@dataclass(frozen=True)
class OptunaHyperband:
    """Optuna's HyperbandPruner, re-implemented: successive halving in brackets of jobs."""

    epochs: int
    min_resource: int = 1
    reduction_factor: int = 3

    def judge(self, live: LossCurve, others: Sequence[LossCurve]) -> Verdict:
        bracket = self._bracket(live.number)
        rung = bracket
        while self.min_resource * self.reduction_factor**rung < len(live.losses):
            rung += 1
        if self.min_resource * self.reduction_factor**rung != len(live.losses):
            return Verdict(False)
        step = live.steps[-1]
        competing = [
            losses_until(each, step)[-1]
            for each in others
            if has_reached(each, step) and self._bracket(each.number) == bracket
        ]
        ranked = sorted([*competing, live.losses[-1]])
        place = max(0, len(ranked) // self.reduction_factor - 1)
        return Verdict(live.losses[-1] > ranked[place])

    def _bracket(self, number: int) -> int:
        count = int(math.log(self.epochs / self.min_resource, self.reduction_factor)) + 1
        budgets = [
            math.ceil(count * self.reduction_factor**s / (s + 1)) for s in reversed(range(count))
        ]
        place = zlib.crc32(f"study_{number}".encode()) % sum(budgets)
        for bracket, budget in enumerate(budgets):
            place -= budget
            if place < 0:
                return bracket
        raise AssertionError


@dataclass(frozen=True)
class Oracle:
    """Stops after one epoch whatever will not beat the best final loss so far."""

    finals: dict[int, float] = field(default_factory=dict)

    def judge(self, live: LossCurve, others: Sequence[LossCurve]) -> Verdict:
        completed = [each.losses[-1] for each in others if each.status == "Completed"]
        return Verdict(bool(completed) and self.finals[live.number] >= min(completed))


REIMPLEMENTED = ["optuna_median", "optuna_hyperband", "syne_tune_median", "syne_tune_asha"]


def make_rule(text: str, table: Table, finals: dict[int, float]) -> StopRule:
    """A rule from `name` or `name:parameter=value,...`."""
    name, _, rest = text.partition(":")
    parameters = dict(pair.split("=") for pair in rest.split(",") if pair)
    numbers = {key: float(value) for key, value in parameters.items()}
    if name in STOP_RULES:
        return load_stop_rule(name, **numbers)
    others: dict[str, StopRule] = {
        "off": Off(),
        "oracle": Oracle(finals),
        "optuna_median": load_stop_rule("percentile"),
        "optuna_hyperband": OptunaHyperband(len(table.losses[0])),
        "syne_tune_median": SyneTuneMedian(),
        "syne_tune_asha": load_stop_rule("asha"),
    }
    return others[name]


# -- the simulation ----------------------------------------------------------------------------


@dataclass
class Job:
    """A simulated training job: a row of the table, and how far it got."""

    number: int
    row: int
    epochs: int = 0
    status: Literal["Running", "Completed", "Stopped", "Failed"] = "Running"


@dataclass
class Run:
    """One simulated tuning job."""

    table: Table
    jobs: list[Job]
    wall_time: float

    def losses(self, job: Job) -> tuple[float, ...]:
        return self.table.losses[job.row]

    @property
    def epochs(self) -> int:
        return sum(job.epochs for job in self.jobs)

    @property
    def found(self) -> float:
        """The lowest loss that a job ended with."""
        return min(self.losses(job)[job.epochs - 1] for job in self.jobs if job.epochs)

    @property
    def best(self) -> float:
        """The lowest final loss that a job had, or would have had."""
        return min(self.losses(job)[-1] for job in self.jobs)

    @property
    def kept_best(self) -> bool:
        return any(
            job.status == "Completed" and self.losses(job)[-1] <= self.best for job in self.jobs
        )


def draw_rows(table: Table, seed: int) -> Iterator[int]:
    """All rows of a table in random order, again and again."""
    rng = random.Random(seed)
    while True:
        yield from rng.sample(range(len(table.losses)), len(table.losses))


def curve_of(table: Table, job: Job) -> LossCurve:
    losses = table.losses[job.row][: job.epochs]
    steps = tuple(float(epoch) for epoch in range(1, job.epochs + 1))
    return LossCurve(job.number, job.status, table.hyperparameters[job.row], steps, losses)


class Suggester:
    """The Bayesian strategy over a table: the row nearest to what it suggests."""

    def __init__(self, table: Table, seed: int, max_jobs: int, parallel: int) -> None:
        self.table, self.seed, self.max_jobs, self.parallel = table, seed, max_jobs, parallel
        self.strategy = load_strategy("Bayesian")
        self.units = np.array([self._place(each) for each in table.hyperparameters])

    def _place(self, hyperparameters: Hyperparameters) -> list[float]:
        place: list[float] = []
        for name, each in self.table.ranges.items():
            value = hyperparameters[name]
            if isinstance(each, CategoricalRange):
                # Halved squares add up to 1 for two categories that differ.
                place += [math.sqrt(0.5) * (value == other) for other in each.values]
            else:
                place.append(each.to_unit(value))
        return place

    def next_row(self, jobs: Sequence[Job]) -> int:
        trials = tuple(self._trial(job) for job in jobs)
        question = Question(
            self.table.ranges, self.seed, len(jobs) + 1, self.max_jobs, self.parallel, trials
        )
        suggested = self.strategy.suggest(question)
        assert suggested is not None
        gaps = ((self.units - np.array(self._place(suggested))) ** 2).sum(axis=1)
        return int(gaps.argmin())

    def _trial(self, job: Job) -> Trial:
        curve = curve_of(self.table, job)
        loss = None if job.status == "Running" else curve.losses[-1]
        points = tuple(zip(curve.steps, curve.losses, strict=True))
        return Trial(job.number, curve.hyperparameters, job.status, loss, points)


def simulate(
    table: Table,
    rule: str,
    seed: int,
    max_jobs: int,
    parallel: int,
    strategy: str = "Random",
    budget: float = math.inf,
) -> Run:
    """Run one tuning job; with a budget of epochs, as many jobs as it lasts for."""
    finals: dict[int, float] = {}
    judge = make_rule(rule, table, finals)
    rows = draw_rows(table, seed)
    suggester = Suggester(table, seed, max_jobs, parallel) if strategy == "Bayesian" else None
    jobs: list[Job] = []
    curves: dict[int, LossCurve] = {}
    due: list[tuple[float, int]] = []
    now, spent = 0.0, 0

    def start() -> None:
        row = suggester.next_row(jobs) if suggester else next(rows)
        job = Job(len(jobs) + 1, row)
        jobs.append(job)
        finals[job.number] = table.losses[row][-1]
        heapq.heappush(due, (now + seconds_per_epoch(table, row), job.number))

    while due or len(jobs) < max_jobs:
        while len(due) < parallel and len(jobs) < max_jobs:
            start()
        now, number = heapq.heappop(due)
        job = jobs[number - 1]
        job.epochs += 1
        spent += 1
        live = curve_of(table, job)
        others = [curve for other, curve in curves.items() if other != number]
        if job.epochs == len(table.losses[job.row]):
            job.status = "Completed"
        elif judge.judge(live, others).stop:
            job.status = "Stopped"
        else:
            heapq.heappush(due, (now + seconds_per_epoch(table, job.row), number))
        curves[number] = curve_of(table, job)
        if spent >= budget:
            break
    return Run(table, jobs, now)


def seconds_per_epoch(table: Table, row: int) -> float:
    return table.seconds[row] / len(table.losses[row])


def let_run(run: Run, parallel: int) -> float:
    """The wall time that the jobs of a run take without a stop rule, in their order."""
    slots = [0.0] * parallel
    for job in run.jobs:
        heapq.heapreplace(slots, slots[0] + run.table.seconds[job.row])
    return max(slots)


# -- the report --------------------------------------------------------------------------------


def measure(table: Table, rule: str, options: argparse.Namespace) -> dict[str, Any]:
    """One row: a rule on a table, means over the seeds."""
    measured = [_measure_once(table, rule, seed, options) for seed in range(options.seeds)]
    means = {key: statistics.fmean(each[key] for each in measured) for key in measured[0]}
    return {"rule": rule, "table": table.name, **means}


def _measure_once(
    table: Table, rule: str, seed: int, options: argparse.Namespace
) -> dict[str, float]:
    jobs, parallel = options.jobs, options.parallel
    if options.budget:
        budget = jobs * len(table.losses[0])
        # More jobs than any rule can start: everything is stopped after one epoch.
        run = simulate(table, rule, seed, budget, parallel, options.strategy, budget)
        regret = table.normalise(run.found - min(table.finals))
        return {"jobs_started": len(run.jobs), "regret": regret}
    run = simulate(table, rule, seed, jobs, parallel, options.strategy)
    whole = sum(len(run.losses(job)) for job in run.jobs)
    return {
        "epochs_saved": 1 - run.epochs / whole,
        "tuning_time_saved": 1 - run.wall_time / let_run(run, parallel),
        "jobs_stopped": sum(job.status == "Stopped" for job in run.jobs),
        "kept_best": float(run.kept_best),
        "loss": min(1.0, table.normalise(max(0.0, run.found - run.best))),
    }


def average(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A rule's mean over the tables."""
    numbers = [key for key in rows[0] if key not in ("rule", "table")]
    means = {key: statistics.fmean(row[key] for row in rows) for key in numbers}
    return {"rule": rows[0]["rule"], "table": "mean", **means}


def print_rows(rows: Iterable[dict[str, Any]]) -> None:
    """A table for people."""
    for row in rows:
        numbers = "  ".join(
            f"{key} {value:8.4f}" for key, value in row.items() if key not in _WORDS
        )
        print(f"{row['rule']:20} {row['table']:38} {numbers}", flush=True)


_WORDS = ("rule", "table")


def parse_options(words: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--table", type=Path, action="append", metavar="FILE")
    parser.add_argument("--tables", type=Path, default=TABLES, metavar="DIR")
    parser.add_argument("--rule", action="append", metavar="NAME[:PARAMETER=VALUE,...]")
    parser.add_argument("--jobs", type=int, default=20)
    parser.add_argument("--parallel", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--strategy", choices=["Random", "Bayesian"], default="Random")
    parser.add_argument("--budget", action="store_true", help="regret after equal epochs")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(words)


def main(words: Sequence[str]) -> None:
    """Measure every rule on every table."""
    options = parse_options(words)
    tables = [read_table(path) for path in options.table or sorted(options.tables.glob("*.gz"))]
    everything = [*STOP_RULES, *REIMPLEMENTED, "off" if options.budget else "oracle"]
    rows: list[dict[str, Any]] = []
    for rule in options.rule or everything:
        measured = [measure(table, rule, options) for table in tables]
        rows += measured
        if not options.json:
            print_rows([*measured, average(measured)] if len(tables) > 1 else measured)
    if options.json:
        json.dump(cast(Any, rows), sys.stdout, indent=1)


if __name__ == "__main__":
    main(sys.argv[1:])
