"""What each stop rule saves and what it loses, on recorded curves.

    python scripts/benchmarks/early_stopping.py --jobs 20 --parallel 2 --seeds 100
    python scripts/benchmarks/early_stopping.py --jobs 100 --parallel 4 --seeds 30
    python scripts/benchmarks/early_stopping.py --strategy Bayesian --seeds 30
    python scripts/benchmarks/early_stopping.py --budget --seeds 100    # saved epochs buy more jobs
    python scripts/benchmarks/early_stopping.py --rule auto --rule auto:risk=0.2 --rule median

Every tuning job is a replay, as `hpt replay --table` does it, and its figures mean the same; for a
built-in rule they are the same. The other rules are the peers' own code, where it is installed
(`pip install 'hpt[bench]'`): Optuna's pruners with their defaults, each on a study in memory, and
Syne Tune's schedulers, told every epoch. A peer that is not installed is left out. The oracle stops
after one epoch whatever will not beat the best final loss so far.

With --budget: the regret, |best of the table - found| / |best - median|, after the epochs that Off
needs for the given jobs. What was found is the best last value of a job that ended or was cut off.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import logging
import math
import statistics
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from hpt_cli.analysis.curve_tables import Table, make_chooser, make_spec, read_table
from hpt_cli.analysis.replay import (
    Chooser,
    RecordedJob,
    Replay,
    average,
    choose_in_order,
    measure,
    replay,
)
from hpt_cli.cli.commands.replay import read_rules
from hpt_cli.spec.objective import Objective
from hpt_cli.stop_rules import STOP_RULES, LossCurve, StopRule, Verdict
from hpt_cli.tuning.state import TuningState

TABLES = Path(__file__).resolve().parents[2] / "shared" / "curves"
Row: TypeAlias = dict[str, Any]
RuleMaker: TypeAlias = Callable[[Table], StopRule | None]
"""A rule for one replay: the peers' remember what they were told."""


# Rules that are not built in


@dataclass(frozen=True)
class Oracle:
    """Stops whatever will not beat the best final loss so far."""

    finals: Mapping[tuple[Any, ...], float]

    def judge(self, live: LossCurve, others: Sequence[LossCurve]) -> Verdict:
        """Judge by how the job would end."""
        completed = [each.losses[-1] for each in others if each.status == "Completed"]
        final = self.finals[tuple(live.hyperparameters.values())]
        return Verdict(bool(completed) and final >= min(completed))


def make_oracle(table: Table) -> StopRule:
    """The oracle of a table."""
    return Oracle(
        {
            tuple(job.hyperparameters.values()): loss
            for job, loss in zip(table.jobs, table.final_losses, strict=True)
        }
    )


@dataclass
class OptunaPruner:
    """A pruner of Optuna on a study of its own."""

    study: Any
    trials: dict[int, Any] = field(default_factory=dict)
    ended: set[int] = field(default_factory=set)

    def judge(self, live: LossCurve, others: Sequence[LossCurve]) -> Verdict:
        """Report what is new, and ask the pruner."""
        from optuna.trial import TrialState

        for each in others:
            if each.status != "Running" and each.losses and each.number not in self.ended:
                self.ended.add(each.number)
                trial = self._report(each)
                completed = each.status == "Completed" and not math.isnan(each.losses[-1])
                state = TrialState.COMPLETE if completed else TrialState.PRUNED
                self.study.tell(trial, each.losses[-1] if completed else None, state=state)
        return Verdict(bool(self._report(live).should_prune()))

    def _report(self, curve: LossCurve) -> Any:
        """The trial of a job, in order of number, which knows its whole curve."""
        while curve.number > len(self.trials):
            self.trials[len(self.trials) + 1] = self.study.ask()
        trial = self.trials[curve.number]
        known = len(self.study.get_trials(deepcopy=False)[curve.number - 1].intermediate_values)
        for epoch in range(known, len(curve.losses)):
            trial.report(curve.losses[epoch], epoch + 1)
        return trial


def make_optuna_median(table: Table) -> StopRule:  # noqa: ARG001
    """MedianPruner()."""
    import optuna

    return OptunaPruner(optuna.create_study(pruner=optuna.pruners.MedianPruner()))


def make_optuna_hyperband(table: Table) -> StopRule:
    """HyperbandPruner(max_resource=epochs): told how long a job is, unlike by default."""
    import optuna

    pruner = optuna.pruners.HyperbandPruner(max_resource=len(table.jobs[0].curve))
    return OptunaPruner(optuna.create_study(study_name="bench", pruner=pruner))


@dataclass
class SyneTuneScheduler:
    """A scheduler of Syne Tune, asked only whether a job goes on."""

    scheduler: Any
    known: set[int] = field(default_factory=set)

    def judge(self, live: LossCurve, others: Sequence[LossCurve]) -> Verdict:  # noqa: ARG002
        """Report the last epoch: those before were reported when they were judged."""
        from datetime import datetime

        from syne_tune.backend.trial_status import Trial

        trial = Trial(live.number, {"x": 0.5}, datetime.min)
        if live.number not in self.known:
            self.known.add(live.number)
            self.scheduler.on_trial_add(trial)
        # Syne Tune sorts NaN nowhere: what diverged is the worst there is.
        loss = min(live.losses[-1], sys.float_info.max)
        decision = self.scheduler.on_trial_result(trial, {"loss": loss, "epoch": len(live.losses)})
        return Verdict(bool(decision == "STOP"))


class Continue:
    """A scheduler for Syne Tune's median rule to wrap, which never stops anything."""

    def on_trial_result(self, trial: Any, result: Any) -> str:  # noqa: ARG002
        """Whether a job goes on."""
        return "CONTINUE"


def make_syne_tune_median(table: Table) -> StopRule:  # noqa: ARG001
    """MedianStoppingRule with its defaults."""
    from syne_tune.optimizer.schedulers.median_stopping_rule import MedianStoppingRule

    return SyneTuneScheduler(
        MedianStoppingRule(Continue(), time_attr="epoch", metric="loss", random_seed=0)
    )


def make_syne_tune_asha(table: Table) -> StopRule:
    """AsynchronousSuccessiveHalving with its defaults."""
    from syne_tune.config_space import uniform
    from syne_tune.optimizer.schedulers.asha import AsynchronousSuccessiveHalving

    return SyneTuneScheduler(
        AsynchronousSuccessiveHalving(
            {"x": uniform(0, 1)},
            metric="loss",
            time_attr="epoch",
            max_t=len(table.jobs[0].curve),
            random_seed=0,
        )
    )


PEERS: Mapping[str, tuple[str, RuleMaker]] = {
    "oracle": ("hpt_cli", make_oracle),
    "optuna_median": ("optuna", make_optuna_median),
    "optuna_hyperband": ("optuna", make_optuna_hyperband),
    "syne_tune_median": ("syne_tune", make_syne_tune_median),
    "syne_tune_asha": ("syne_tune", make_syne_tune_asha),
}
"""Rules that are not built in: the package they need, and how they are made."""


def find_maker(text: str) -> RuleMaker:
    """How a rule is made that is named on the command line."""
    if text == "off":
        return lambda _: None
    if text in PEERS:
        return PEERS[text][1]
    rule = read_rules([text])[text]
    return lambda _: rule


def list_rules() -> list[str]:
    """Every rule there is here."""
    installed = [name for name, (needs, _) in PEERS.items() if importlib.util.find_spec(needs)]
    return [*STOP_RULES, *installed]


# What they do


def measure_savings(table: Table, text: str, options: argparse.Namespace) -> Row:
    """What a rule saves and loses on a table: means over the seeds."""
    make, spec = (
        find_maker(text),
        make_spec(table, options.strategy, options.jobs, options.parallel),
    )
    figures = []
    for seed in range(options.seeds):
        seeded = spec.model_copy(update={"random_seed": seed})
        run = replay(seeded, make_chooser(table, seeded), make(table))
        off = replay(seeded, choose_in_order(run.jobs), None)
        figures.append(measure(off, run, table.objective, table.final_losses))
    return {"rule": text, "table": table.name, **asdict(average(figures))}


def measure_regret(table: Table, text: str, options: argparse.Namespace) -> Row:
    """What a rule finds with the epochs of `options.jobs` whole jobs: means over the seeds."""
    make, epochs = find_maker(text), options.jobs * len(table.jobs[0].curve)
    spec = make_spec(table, options.strategy, len(table.jobs), options.parallel)
    regrets, started = [], []
    for seed in range(options.seeds):
        seeded = spec.model_copy(update={"random_seed": seed})
        chooser = within(make_chooser(table, seeded), epochs)
        last = cut_off(replay(seeded, chooser, make(table)), table.objective, epochs)
        started.append(len(last))
        regrets.append(find_regret(table, min(last.values())))
    means = {"jobs_started": statistics.fmean(started), "regret": statistics.fmean(regrets)}
    return {"rule": text, "table": table.name, **means}


def within(choose: Chooser, epochs: int) -> Chooser:
    """Jobs until so many epochs have been spent."""

    def choose_within(state: TuningState, number: int) -> RecordedJob | None:
        curves = (
            curve
            for job in state.jobs.values()
            for each in job.attempts
            for curve in each.curves.values()
        )
        return choose(state, number) if sum(map(len, curves)) < epochs else None

    return choose_within


def cut_off(run: Replay, objective: Objective, epochs: int) -> dict[int, float]:
    """The last losses, by number, at the moment when so many epochs have been spent."""
    moments = []
    for recorded, job in zip(run.jobs, run.state.jobs.values(), strict=False):
        assert job.attempt is not None
        pace = recorded.seconds / len(recorded.curve)
        for epoch, (_, value) in enumerate(job.curve(objective.metric), 1):
            ends = job.attempt.started_at + pace * epoch
            moments.append((ends, job.number, objective.loss(value)))
    moments.sort()
    return {number: loss for _, number, loss in moments[:epochs]}


def find_regret(table: Table, found: float) -> float:
    """What is missing to the best of a table, as a share of |best - median|."""
    worst = max(filter(math.isfinite, table.final_losses))
    best = min(table.final_losses)
    return (min(found, worst) - best) / (statistics.median(table.final_losses) - best)


# The report


def average_rows(rows: Sequence[Row]) -> Row:
    """A rule's means over the tables."""
    numbers = [key for key in rows[0] if key not in ("rule", "table")]
    means = {key: statistics.fmean(row[key] for row in rows) for key in numbers}
    return {"rule": rows[0]["rule"], "table": "mean", **means}


def print_rows(rows: Iterable[Row]) -> None:
    """A table for people."""
    for row in rows:
        numbers = (f"{key} {row[key]:8.4f}" for key in row if key not in ("rule", "table"))
        print(f"{row['rule']:20} {row['table']:38} {'  '.join(numbers)}", flush=True)


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
    silence_peers()
    options = parse_options(words)
    tables = [read_table(path) for path in options.table or sorted(options.tables.glob("*.gz"))]
    one = measure_regret if options.budget else measure_savings
    rows: list[Row] = []
    for rule in options.rule or [*list_rules(), *(["off"] if options.budget else [])]:
        measured = [one(table, rule, options) for table in tables]
        rows += measured
        if not options.json:
            print_rows([*measured, average_rows(measured)] if len(tables) > 1 else measured)
    if options.json:
        json.dump(rows, sys.stdout, indent=1)


def silence_peers() -> None:
    """The peers tell of every job they stop, and warn of what is still experimental in them."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)


if __name__ == "__main__":
    main(sys.argv[1:])
