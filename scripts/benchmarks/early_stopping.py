"""What each stop rule saves and what it loses, on recorded curves: a block for each kind of table.

    python scripts/benchmarks/early_stopping.py --jobs 20 --parallel 2 --seeds 100
    python scripts/benchmarks/early_stopping.py --jobs 100 --parallel 4 --seeds 30
    python scripts/benchmarks/early_stopping.py --strategy Bayesian --seeds 30
    python scripts/benchmarks/early_stopping.py --budget --seeds 100    # saved epochs buy more jobs
    python scripts/benchmarks/early_stopping.py --rule auto --rule auto:risk=0.2 --rule median
    python scripts/benchmarks/early_stopping.py --rule auto --choosing  # while a setting is chosen
    python scripts/benchmarks/early_stopping.py --rule auto --pausing signal    # or signal:8
    python scripts/benchmarks/early_stopping.py --budget --rule auto --pausing signal
    python scripts/benchmarks/early_stopping.py --short    # every rule once, on one table of a kind

Every tuning job is a replay, as `hpt replay --table` does it, and its figures mean the same; for a
built-in rule they are the same. The other rules are the peers' own code, where it is installed
(docs/early-stopping.md says how): Optuna's pruners with their defaults, each on a study in memory,
and Syne Tune's schedulers, told every epoch. A peer that is not installed is left out, and named.
The oracle stops after one epoch whatever will not beat the best final loss so far.

With --budget: the regret, |best of the table - found| / |best - median|, after the epochs that Off
needs for the given jobs. What was found is the best last value of a job that ended or was cut off.

Figures are means over the seeds, and ± is the standard error of that mean. A kind of table, and
all tables together, have the means of their tables; the seeds are the sample, the tables are given.
`worst` is the table of the kind on which the best job was kept least often. `said 1-2%` is how
often jobs beat the best after all, of the judgements that gave them a chance of 1 to 2 %.

With --pausing, training jobs are paused for likelier ones as well. `more` and `kept more` are what
is saved and how often the best job is kept beyond the same rule without pausing, on the same seeds.
With `checkpoint` each job takes an epoch's time to start up, also when it goes on, and `time` is
the training time saved.

What is chosen by these figures is chosen with --choosing: other seeds than those reported.
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
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from itertools import repeat
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from means import describe_mean, describe_ratio, group_by_kind, standard_error
from numpy.typing import NDArray
from table_files import add_table_options, read_tables, remember

from hpt_cli.analysis.curve_tables import Table, make_chooser, make_spec
from hpt_cli.analysis.replay import Chooser, RecordedJob, Replay, choose_in_order, measure, replay
from hpt_cli.cli.commands.replay import read_rules
from hpt_cli.formatting import count
from hpt_cli.spec.objective import Objective
from hpt_cli.spec.parts import Pausing
from hpt_cli.stop_rules import STOP_RULES, LossCurve, StopRule, Verdict, auto, load_stop_rule
from hpt_cli.stop_rules.signals import Signals
from hpt_cli.tuning.jobs.training_job import Attempt
from hpt_cli.tuning.state import TuningState

Finals: TypeAlias = Mapping[int, float]
"""The loss with which each training job ends if it is not stopped, by its number."""
RuleMaker: TypeAlias = Callable[[Table, Finals], StopRule | None]
"""Makes the rule of one replay: the peers' rules keep what they were told."""


LEFT_OUT = Path(__file__).parent / "auto_left_out.json"
"""The weights of auto that were fitted without a kind of table, by kind (fit_auto_rule.py)."""


# Rules that are not built in


@dataclass(frozen=True)
class Oracle(StopRule):
    """Stops whatever will not beat the best final loss so far."""

    finals: Finals

    def judge(self, live: LossCurve, others: Sequence[LossCurve]) -> Verdict:
        """Judge by how the job would end."""
        completed = [each.losses[-1] for each in others if each.status == "Completed"]
        return Verdict(bool(completed) and self.finals[live.number] >= min(completed))


@dataclass(frozen=True)
class LeftOut(StopRule):
    """auto with other weights, in this process alone: those fitted without a kind of table."""

    rule: StopRule
    weights: Signals
    bias: float

    @classmethod
    def of(cls, table: Table) -> LeftOut:
        """Return the rule for a table: its kind was left out."""
        fitted = json.loads(LEFT_OUT.read_text()).get(table.name.partition("-")[0])
        if fitted is None:
            sys.exit(f"error: {LEFT_OUT} has no weights without tables like {table.name}")
        return cls(load_stop_rule("auto"), Signals(**fitted["weights"]), fitted["bias"])

    def judge(self, live: LossCurve, others: Sequence[LossCurve]) -> Verdict:
        """Judge with the weights."""
        with self._installed():
            return self.rule.judge(live, others)

    def calibrate(self, completed: Sequence[LossCurve], *, chosen: bool = False) -> StopRule:
        """Calibrate with the weights."""
        with self._installed():
            return replace(self, rule=self.rule.calibrate(completed, chosen=chosen))

    @contextmanager
    def _installed(self) -> Iterator[None]:
        usual = auto.WEIGHTS, auto.BIAS
        auto.WEIGHTS, auto.BIAS = self.weights, self.bias
        try:
            yield
        finally:
            auto.WEIGHTS, auto.BIAS = usual


@dataclass(frozen=True)
class Budget(StopRule):
    """A rule as it is, until so many epochs have been spent by all jobs; then none goes on."""

    rule: StopRule
    epochs: int

    def calibrate(self, completed: Sequence[LossCurve], *, chosen: bool = False) -> StopRule:
        """Calibrate the rule."""
        return replace(self, rule=self.rule.calibrate(completed, chosen=chosen))

    def judge(self, live: LossCurve, others: Sequence[LossCurve]) -> Verdict:
        """Return the rule's verdict, or the end."""
        if sum(len(each.losses) for each in (live, *others)) >= self.epochs:
            return Verdict(stop=True)
        return self.rule.judge(live, others)


def make_left_out(table: Table, finals: Finals) -> StopRule:  # noqa: ARG001
    """Return auto with the weights fitted without tables of this kind."""
    return LeftOut.of(table)


def make_oracle(table: Table, finals: Finals) -> StopRule:  # noqa: ARG001
    """Return the oracle of a replay."""
    return Oracle(finals)


@dataclass
class OptunaPruner(StopRule):
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
        """Return the trial of a job, told its whole curve; trials are made in order of number."""
        while curve.number > len(self.trials):
            self.trials[len(self.trials) + 1] = self.study.ask()
        trial = self.trials[curve.number]
        known = len(self.study.get_trials(deepcopy=False)[curve.number - 1].intermediate_values)
        for epoch in range(known, len(curve.losses)):
            trial.report(curve.losses[epoch], epoch + 1)
        return trial


def make_optuna_median(table: Table, finals: Finals) -> StopRule:  # noqa: ARG001
    """Return MedianPruner()."""
    import optuna

    return OptunaPruner(optuna.create_study(pruner=optuna.pruners.MedianPruner()))


def make_optuna_hyperband(table: Table, finals: Finals) -> StopRule:  # noqa: ARG001
    """Return HyperbandPruner(max_resource=epochs): told how long a job is, unlike by default."""
    import optuna

    pruner = optuna.pruners.HyperbandPruner(max_resource=len(table.jobs[0].curve))
    return OptunaPruner(optuna.create_study(study_name="bench", pruner=pruner))


@dataclass
class SyneTuneScheduler(StopRule):
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
        """Let the job go on."""
        return "CONTINUE"


def make_syne_tune_median(table: Table, finals: Finals) -> StopRule:  # noqa: ARG001
    """Return MedianStoppingRule with its defaults."""
    from syne_tune.optimizer.schedulers.median_stopping_rule import MedianStoppingRule

    return SyneTuneScheduler(
        MedianStoppingRule(Continue(), time_attr="epoch", metric="loss", random_seed=0)
    )


def make_syne_tune_asha(table: Table, finals: Finals) -> StopRule:  # noqa: ARG001
    """Return AsynchronousSuccessiveHalving with its defaults."""
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
    "auto_left_out": ("hpt_cli", make_left_out),
    "oracle": ("hpt_cli", make_oracle),
    "optuna_median": ("optuna", make_optuna_median),
    "optuna_hyperband": ("optuna", make_optuna_hyperband),
    "syne_tune_median": ("syne_tune", make_syne_tune_median),
    "syne_tune_asha": ("syne_tune", make_syne_tune_asha),
}
"""Rules that are not built in: the package that each needs, and its maker."""


def find_maker(text: str) -> RuleMaker:
    """Return the maker of a rule that is named on the command line."""
    if text == "off":
        return lambda _, __: None
    if text in PEERS:
        return PEERS[text][1]
    rule = read_rules([text])[text]
    return lambda _, __: rule


def list_rules() -> list[str]:
    """Return the names of all rules that can run here; name those that cannot on stderr."""
    missing = {name for name, (needs, _) in PEERS.items() if not importlib.util.find_spec(needs)}
    if missing:
        print(f"left out, as not installed: {', '.join(sorted(missing))}", file=sys.stderr)
    return [*STOP_RULES, *(name for name in PEERS if name not in missing)]


# What they do


@dataclass(frozen=True)
class Row:
    """What a rule does on a table, or in the mean of several: each figure for every seed."""

    rule: str
    table: str
    figures: dict[str, NDArray[np.float64]]

    def to_json(self) -> dict[str, Any]:
        """Return the means, and their standard errors."""
        means = {name: float(values.mean()) for name, values in self.figures.items()}
        errors = {name: standard_error(values) for name, values in self.figures.items()}
        return {"rule": self.rule, "table": self.table, **means, "standard_errors": errors}

    def describe(self) -> str:
        """Return the figures that are shown."""
        shown = [
            f"{word} {describe_mean(self.figures[name])}"
            for name, word in SHOWN.items()
            if name in self.figures
        ]
        if self.figures.get("said", np.zeros(1)).any():
            shown.append(f"said 1-2% {describe_ratio(self.figures['beat'], self.figures['said'])}")
        return "  ".join(shown)


SHOWN = {
    "epochs_saved": "saved",
    "more_epochs_saved": "more",
    "time": "time",
    "kept_best": "kept",
    "more_kept_best": "kept more",
    "loss": "loss",
    "jobs_started": "jobs",
    "regret": "regret",
}
"""The figures that are shown, and their names there."""
SAID = (0.01, 0.02)
"""The stated chances whose truth is measured."""


def average_rows(rows: Sequence[Row], name: str) -> Row:
    """Return a rule's means over tables, seed by seed."""
    return Row(
        rows[0].rule,
        name,
        {each: np.mean([row.figures[each] for row in rows], axis=0) for each in rows[0].figures},
    )


def gather(rule: str, table: str, figures: Sequence[dict[str, float]]) -> Row:
    """Return the row of a table from the figures of every seed."""
    return Row(
        rule, table, {name: np.array([each[name] for each in figures]) for name in figures[0]}
    )


@dataclass
class Witness(StopRule):
    """A rule as it is, and a count of what came of jobs to which it gave a chance of 1 to 2 %."""

    rule: StopRule
    finals: Finals
    said: int = 0
    beat: int = 0

    def calibrate(self, completed: Sequence[LossCurve], *, chosen: bool = False) -> StopRule:
        """Calibrate the rule."""
        self.calibrated = self.rule.calibrate(completed, chosen=chosen)
        return self

    def judge(self, live: LossCurve, others: Sequence[LossCurve]) -> Verdict:
        """Return the rule's verdict."""
        verdict = self.calibrated.judge(live, others)
        low, high = SAID
        evidence: Mapping[str, Any] = verdict.evidence
        if low <= evidence.get("probability", math.nan) < high:
            self.said += 1
            self.beat += self.finals[live.number] < evidence["held_against"]
        return verdict


def measure_savings(table: Table, text: str, options: argparse.Namespace) -> Row:
    """Return what a rule saves and loses on a table."""
    make = find_maker(text)
    spec = make_spec(table, options.strategy, options.jobs, options.parallel)
    if options.pausing is not None and options.pausing.method == "checkpoint":
        table = replace(table, jobs=tuple(map(add_start_up, table.jobs)))
    figures = []

    def run_once(seed: int, pausing: Pausing | None) -> dict[str, float]:
        changes = {"random_seed": seed, "pausing": pausing}
        seeded, finals = spec.model_copy(update=changes), dict[int, float]()
        chooser = remember(make_chooser(table, seeded), table.objective, finals)
        rule = make(table, finals)
        witness = Witness(rule, finals) if rule else None
        run = replay(seeded, chooser, witness)
        off = replay(spec, choose_in_order(run.jobs), None)
        counts = {"said": witness.said, "beat": witness.beat} if witness else {}
        return asdict(measure(off, run, table.final_losses)) | counts

    for seed in list_seeds(options):
        row = run_once(seed, options.pausing)
        if options.pausing is not None:
            plain = run_once(seed, None)
            row["time"] = row["training_time_saved"]
            row |= {
                f"more_{name}": row[name] - plain[name] for name in ("epochs_saved", "kept_best")
            }
        figures.append(row)
    return gather(text, table.name, figures)


def add_start_up(job: RecordedJob) -> RecordedJob:
    """Return a job that takes an epoch's time to start up before its first epoch."""
    epoch = job.seconds / len(job.curve)
    return replace(job, seconds=job.seconds + epoch, seconds_per_epoch=epoch)


def list_seeds(options: argparse.Namespace) -> range:
    """Return the seeds: to choose by, others than those that are reported."""
    first = FIRST_CHOOSING_SEED if options.choosing else 0
    return range(first, first + options.seeds)


FIRST_CHOOSING_SEED = 100_000


def measure_regret(table: Table, text: str, options: argparse.Namespace) -> Row:
    """Return what a rule finds on a table with the epochs of `options.jobs` whole jobs."""
    make, epochs = find_maker(text), options.jobs * len(table.jobs[0].curve)
    spec = make_spec(table, options.strategy, len(table.jobs), options.parallel)
    figures = []
    for seed in list_seeds(options):
        changes = {"random_seed": seed, "pausing": options.pausing}
        seeded, finals = spec.model_copy(update=changes), dict[int, float]()
        chooser = remember(make_chooser(table, seeded), table.objective, finals)
        rule = make(table, finals)
        run = replay(seeded, within(chooser, epochs), Budget(rule, epochs) if rule else None)
        last = cut_off(run, table.objective, epochs)
        regret = find_regret(table, min(last.values()))
        figures.append({"jobs_started": float(len(last)), "regret": regret})
    return gather(text, table.name, figures)


def within(choose: Chooser, epochs: int) -> Chooser:
    """Return a chooser that starts no more jobs when so many epochs have been spent."""

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
    """Return the last losses, by number, at the moment when so many epochs have been spent."""
    moments = []
    for recorded, job in zip(run.jobs, run.state.jobs.values(), strict=False):
        assert job.attempt is not None
        pace = recorded.seconds / len(recorded.curve)
        for epoch, (_, value) in enumerate(job.curve(objective.metric), 1):
            ends = find_moment(job.attempt, pace * epoch)
            moments.append((ends, job.number, objective.loss(value)))
    moments.sort()
    return {number: loss for _, number, loss in moments[:epochs]}


def find_moment(attempt: Attempt, seconds: float) -> float:
    """Return when an attempt had been at work for so long."""
    moment = attempt.started_at + seconds
    for since, until in attempt.suspended:
        moment += until - since if since < moment else 0.0
    return moment


def find_regret(table: Table, found: float) -> float:
    """Return what is missing to the best of a table, as a share of |best - median|."""
    worst = max(filter(math.isfinite, table.final_losses))
    best = min(table.final_losses)
    return (min(found, worst) - best) / (statistics.median(table.final_losses) - best)


# The report

KIND_NAMES = {
    "mlp": "own network",
    "taskset": "TaskSet",
    "lcbench": "LCBench",
    "ap": "AlgoPerf",
    "rl": "reinforcement learning",
}


def list_blocks(tables: Sequence[Table]) -> dict[str, list[int]]:
    """Return the places in `tables` of each kind, and of all, by name."""
    kinds = group_by_kind([table.name for table in tables])
    named = {KIND_NAMES.get(kind, kind): places for kind, places in kinds.items()}
    return named | ({"all": list(range(len(tables)))} if len(named) > 1 else {})


def describe_block(name: str, rows_by_rule: Sequence[Sequence[Row]]) -> str:
    """Return a kind of table: a line for each rule, with its worst table.

    Args:
        rows_by_rule: for each rule, its rows of the tables of this kind.
    """
    lines = [f"\n{name}, {count(len(rows_by_rule[0]), 'table')}"]
    for rows in rows_by_rule:
        line = f"  {rows[0].rule:20} {average_rows(rows, name).describe()}"
        if len(rows) > 1 and "kept_best" in rows[0].figures:
            worst = min(rows, key=lambda row: float(row.figures["kept_best"].mean()))
            line += f"  worst {worst.table} {describe_mean(worst.figures['kept_best'])}"
        lines.append(line)
    return "\n".join(lines)


def parse_options(words: Sequence[str]) -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add_table_options(parser)
    parser.add_argument("--rule", action="append", metavar="NAME[:PARAMETER=VALUE,...]")
    parser.add_argument("--jobs", type=int, default=20)
    parser.add_argument("--parallel", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument(
        "--pausing", type=read_pausing, metavar="METHOD[:N]", help="signal or checkpoint, N at most"
    )
    parser.add_argument("--choosing", action="store_true", help="seeds that are not reported")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--strategy", choices=["Random", "Bayesian"], default="Random")
    parser.add_argument("--budget", action="store_true", help="regret after equal epochs")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--short", action="store_true", help="two seeds, one table of each kind")
    options = parser.parse_args(words)
    if options.budget and options.pausing is not None and options.pausing.method != "signal":
        parser.error("a budget goes with --pausing signal, by which a job has one attempt")
    return options


def read_pausing(text: str) -> Pausing:
    """Return how training jobs are paused: `signal`, or `signal:8` for at most 8 at a time."""
    method, _, most = text.partition(":")
    return Pausing.model_validate({"method": method, "max_paused": most or None})


def main(words: Sequence[str]) -> None:
    """Measure every rule on every table."""
    silence_peers()
    options = parse_options(words)
    tables = read_tables(options, searchable=options.strategy != "Random")
    if options.short:
        options.seeds = 2
        kinds = group_by_kind([table.name for table in tables]).values()
        tables = [tables[places[0]] for places in kinds]
    rules = options.rule or [*list_rules(), *(["off"] if options.budget else [])]
    rows = list(measure_all(tables, rules, options))
    blocks = {
        name: [[by_table[place] for place in places] for by_table in rows]
        for name, places in list_blocks(tables).items()
    }
    if options.json:
        means = [average_rows(each, name) for name, by_rule in blocks.items() for each in by_rule]
        everything = [*(row for by_table in rows for row in by_table), *means]
        json.dump([row.to_json() for row in everything], sys.stdout, indent=1)
    else:
        for name, by_rule in blocks.items():
            print(describe_block(name, by_rule))


def measure_all(
    tables: Sequence[Table], rules: Sequence[str], options: argparse.Namespace
) -> Iterator[list[Row]]:
    """Yield the rows of each rule, one for every table; say on stderr which is done."""
    one = measure_regret if options.budget else measure_savings
    with ProcessPoolExecutor(options.processes, initializer=silence_peers) as pool:
        for rule in rules:
            yield list(pool.map(one, tables, repeat(rule), repeat(options)))
            print(f"measured {rule}", file=sys.stderr)


def silence_peers() -> None:
    """Hide the peers' messages of each job they stop, and of what is experimental in them."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)


if __name__ == "__main__":
    main(sys.argv[1:])
