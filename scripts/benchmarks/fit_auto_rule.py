"""Fit the weights of the stop rule auto, and report how it does on kinds it was not fitted on.

    python scripts/benchmarks/fit_auto_rule.py --no-check      # only the weights: ten minutes
    python scripts/benchmarks/fit_auto_rule.py                 # half an hour more
    python scripts/benchmarks/fit_auto_rule.py --table my.jsonl.gz --table other.jsonl.gz
    python scripts/benchmarks/fit_auto_rule.py --short         # two tables, few tuning jobs

Tuning jobs are replayed on all recorded tables, on gradient boosting trained here, and on families
of synthetic curves; with random configurations and, where a table can be searched, with the
Bayesian strategy, under a lenient and a strict auto. At every judgement the signals are kept, and
whether the job did beat the best so far. A logistic regression learns from that, each table and
kind of tuning job with the same weight. The same tables, seeds and packages give the same weights.

What it prints first replaces WEIGHTS and BIAS in `hpt_cli/stop_rules/auto.py`, whose present
weights are what collects: run it twice after a change of the signals. Then it leaves out one kind
of recorded tables after the other, and fits on all others: these weights go to
`auto_left_out.json`, for `early_stopping.py --rule auto_left_out`. The check replays fresh tuning
jobs on what was left out.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from means import group_by_kind
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn import datasets
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor
from sklearn.model_selection import train_test_split
from table_files import add_table_options, is_searchable, read_tables, remember

from hpt_cli.analysis.curve_tables import Table, make_chooser, make_spec, replay_table
from hpt_cli.analysis.replay import Figures, RecordedJob, average, replay
from hpt_cli.spec.model import StrategyName
from hpt_cli.spec.objective import Objective
from hpt_cli.spec.ranges import ContinuousRange
from hpt_cli.stop_rules import LossCurve, StopRule, Verdict, auto, load_stop_rule
from hpt_cli.stop_rules.signals import Signals

RISKS = (0.03, 0.2)
"""How willing to stop the rules are under which judgements are collected."""
SHRINKAGE = 1e-3
EPOCHS = 40
LEFT_OUT = Path(__file__).parent / "auto_left_out.json"
"""The weights that were fitted without a kind of table, by kind."""
Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Kind:
    """A kind of tuning job, and how many of them are replayed on each table for fit and check."""

    name: str
    strategy: StrategyName
    jobs: int
    parallel: int
    fitted: int
    checked: int


KINDS = (
    Kind("random 20/2", "Random", 20, 2, fitted=20, checked=40),
    Kind("random 100/4", "Random", 100, 4, fitted=2, checked=5),
    Kind("Bayesian 20/2", "Bayesian", 20, 2, fitted=3, checked=6),
)


# Curves that are not recorded


def make_tables() -> list[Table]:
    """Return the tables that are made here: gradient boosting and the synthetic families."""
    boosted = [boost(name, *data) for name, data in load_data().items()]
    return boosted + [make_family(name, curve) for name, curve in FAMILIES.items()]


def load_data() -> dict[str, tuple[Floats, Floats]]:
    """Return what gradient boosting is trained on, by name: inputs and targets."""
    inputs, signs = datasets.make_hastie_10_2(400, random_state=0)
    return {
        "gbm-friedman": datasets.make_friedman1(400, noise=1.5, random_state=0),
        "gbm-hastie": (inputs, (signs > 0).astype(int)),
        "gbm-diabetes": datasets.load_diabetes(return_X_y=True),
    }


def boost(name: str, inputs: Floats, targets: Floats, count: int = 110, trees: int = 40) -> Table:
    """Return a table of validation losses after every tree: log loss, or RMSE for numbers."""
    rng = np.random.default_rng(1)
    train_inputs, test_inputs, train_targets, test_targets = train_test_split(
        inputs, targets, test_size=0.4, random_state=0
    )
    points, curves = rng.random((count, 4)), []
    for rate, depth, share, leaf in points:
        options = {
            "learning_rate": 10 ** (2.3 * rate - 2.3),
            "max_depth": 1 + int(6 * depth),
            "subsample": 0.3 + 0.7 * share,
            "min_samples_leaf": 1 + int(30 * leaf),
            "n_estimators": trees,
            "random_state": 0,
        }
        if targets.dtype.kind == "i":
            model = GradientBoostingClassifier(**options).fit(train_inputs, train_targets)
            rows = np.arange(len(test_targets))
            curve = [
                -np.log(np.clip(chances[rows, test_targets], 1e-7, 1)).mean()
                for chances in model.staged_predict_proba(test_inputs)
            ]
        else:
            model = GradientBoostingRegressor(**options).fit(train_inputs, train_targets)
            curve = [
                np.sqrt(np.mean((guess - test_targets) ** 2))
                for guess in model.staged_predict(test_inputs)
            ]
        curves.append(curve)
    return make_table(name, points, np.array(curves))


Curve: TypeAlias = Callable[[Floats, Floats, np.random.Generator], Floats]
"""Returns the losses, (EPOCHS,), at the epochs t of a job at a place in the unit cube, (4,)."""


def distance(place: Floats, *optimum: float) -> float:
    """Return the squared distance to an optimum in the first hyperparameters."""
    return float(((place[: len(optimum)] - optimum) ** 2).sum())


def cross(place: Floats, t: Floats, rng: np.random.Generator) -> Floats:
    """Return power laws, of which the slow ones end lower."""
    fast = place[0]
    end = 0.1 + 0.4 * fast**1.5 + 0.3 * distance(place[1:], 0.5, 0.3)
    return np.asarray(
        end + (0.6 + 1.2 * place[3]) * t ** -(0.3 + 1.2 * fast) + rng.normal(0, 0.003, len(t))
    )


def settle(place: Floats, t: Floats, rng: np.random.Generator) -> Floats:
    """Return exponentials of any speed, with noise."""
    end = 0.2 + distance(place, 0.6, 0.3, 0.7)
    return np.asarray(end + np.exp(-t / (1 + 15 * place[3] ** 2)) + rng.normal(0, 0.02, len(t)))


def anneal(place: Floats, t: Floats, rng: np.random.Generator) -> Floats:
    """Return a cosine schedule: the higher the rate, the more of the gain comes late."""
    heat = 0.5 * (1 + np.cos(np.pi * t / EPOCHS))
    end = 0.2 + distance(place, 0.7, 0.6, 0.3) + 0.8 * np.exp(-t / (3 + 10 * place[0]))
    return np.asarray(end + heat * (0.5 * place[0] + rng.normal(0, 0.03, len(t))))


def wait(place: Floats, t: Floats, rng: np.random.Generator) -> Floats:
    """Return a plateau that is left at some time, by some never; some of the rest overfit."""
    leaves = 1 + 20 * place[0] if place[0] < 0.7 else math.inf
    end = 0.2 + 0.6 * distance(place[1:], 0.5, 0.5)
    drop = 1 / (1 + np.exp(np.clip((leaves - t) / 1.5, -50, 50)))
    late = np.maximum(0, t - leaves - 6)
    return np.asarray(1 - (1 - end) * drop + 0.01 * place[3] * late + rng.normal(0, 0.01, len(t)))


def recover(place: Floats, t: Floats, rng: np.random.Generator) -> Floats:
    """Return a curve that jumps up at a high rate, and may then end lowest; the highest diverge."""
    rate = place[0]
    jump = 30 * max(0.0, rate - 0.5) ** 2 * np.minimum(1, t - 1) * np.exp(-t / (2 + 14 * place[3]))
    end = 0.1 + 0.5 * abs(rate - 0.75) + distance(place[1:], 0.4, 0.6)
    losses = end + np.exp(-t * (0.02 + 0.2 * rate)) + jump + rng.normal(0, 0.01, len(t))
    return np.where((rate > 0.93) & (t > 3), math.nan, losses)


def overfit(place: Floats, t: Floats, rng: np.random.Generator) -> Floats:
    """Return a curve that falls and rises again: the better the fit, the sooner."""
    speed, strength = 0.05 + 0.4 * place[0], 0.02 * place[1]
    fall = (1 - distance(place[2:], 0.5, 0.5)) * (1 - np.exp(-speed * t))
    return np.asarray(
        1.2 - fall + strength * np.maximum(0, t - 6 / speed**0.5) + rng.normal(0, 0.01, len(t))
    )


def explore(place: Floats, t: Floats, rng: np.random.Generator) -> Floats:
    """Return negated returns of reinforcement learning: noise as large as what is learned."""
    ceiling = 1 - 2 * distance(place[1:], 0.5, 0.7)
    noise = np.convolve(rng.normal(0, 0.1, len(t)), [1, 0.5, 0.25, 0.12])[: len(t)]
    return np.asarray(-ceiling * (1 - np.exp(-t / (3 + 25 * place[0] ** 2))) - noise)


def count(place: Floats, t: Floats, rng: np.random.Generator) -> Floats:
    """Return the error on 200 examples: coarse, with many ties."""
    end = 0.05 + 0.8 * distance(place, 0.4, 0.6, 0.5)
    error = end + (0.9 - end) * np.exp(-t / (1 + 8 * place[3]))
    return np.asarray(rng.binomial(200, np.clip(error, 0, 1), len(t)) / 200)


FAMILIES: Mapping[str, Curve] = {
    each.__name__: each for each in (cross, settle, anneal, wait, recover, overfit, explore, count)
}


def make_family(name: str, curve: Curve) -> Table:
    """Return a table of 400 jobs of a synthetic family."""
    rng = np.random.default_rng(3)
    points, t = rng.random((400, 4)), np.arange(1.0, EPOCHS + 1)
    return make_table(name, points, np.array([curve(place, t, rng) for place in points]))


def make_table(name: str, points: Floats, losses: Floats) -> Table:
    """Return a table of losses, (jobs, epochs), at points of the unit cube, (jobs, d)."""
    names = "abcd"[: points.shape[1]]
    jobs = (
        RecordedJob(
            dict(zip(names, map(float, place), strict=True)),
            tuple((float(epoch), float(loss)) for epoch, loss in enumerate(row, 1)),
            seconds=float(losses.shape[1]),
        )
        for place, row in zip(points, losses, strict=True)
    )
    each = ContinuousRange(type="Continuous", min_value=0, max_value=1)
    return Table(name, Objective("loss", maximize=False), dict.fromkeys(names, each), tuple(jobs))


# What is learned from


@dataclass
class Recorder(StopRule):
    """Judges as auto does, and keeps the signals of every judgement with what became of the job."""

    rule: auto.Rule
    finals: Mapping[int, float]
    """The loss with which each training job ends if it is not stopped, by its number."""
    signals: list[Signals] = field(default_factory=list)
    beats: list[bool] = field(default_factory=list)

    def judge(self, live: LossCurve, others: Sequence[LossCurve]) -> Verdict:
        """Return the verdict of auto."""
        verdict = self.rule.judge(live, others)
        evidence: Mapping[str, Any] = verdict.evidence
        if "probability" in evidence:
            self.signals.append(Signals(*(evidence[name] for name in Signals._fields)))
            self.beats.append(self.finals[live.number] < evidence["held_against"])
        return verdict


@dataclass(frozen=True)
class Sample:
    """Judgements of one kind of tuning job on one table: signals, (n, 6), and outcomes, (n,)."""

    table: str
    kind: str
    signals: Floats
    beats: Floats


def list_kinds(table: Table, kinds: Sequence[Kind]) -> list[Kind]:
    """Return the kinds of tuning jobs that can be replayed on a table."""
    return [kind for kind in kinds if kind.strategy == "Random" or is_searchable(table)]


def collect(table: Table, kind: Kind) -> Sample:
    """Return what is learned from replayed tuning jobs, each under one of the two rules."""
    spec = make_spec(table, kind.strategy, kind.jobs, kind.parallel)
    recorders: list[Recorder] = []
    for seed in range(kind.fitted):
        seeded, finals = spec.model_copy(update={"random_seed": 10_000 + seed}), dict[int, float]()
        recorders.append(Recorder(auto.Rule(risk=RISKS[seed % len(RISKS)]), finals))
        chooser = remember(make_chooser(table, seeded), table.objective, finals)
        replay(seeded, chooser, recorders[-1])
    signals = [each for recorder in recorders for each in recorder.signals]
    beats = [each for recorder in recorders for each in recorder.beats]
    return Sample(table.name, kind.name, np.array(signals), np.array(beats, dtype=float))


# The fit


Fitted: TypeAlias = tuple[Signals, float]
"""Weights and bias."""


def fit(samples: Sequence[Sample]) -> Fitted:
    """Return weights and bias of a logistic regression, every sample with the same weight."""
    signals = np.vstack([sample.signals for sample in samples])
    beats = np.concatenate([sample.beats for sample in samples])
    weight = np.concatenate([np.full(len(each.beats), 1 / len(each.beats)) for each in samples])
    weight /= weight.sum()
    centre, spread = signals.mean(axis=0), signals.std(axis=0) + 1e-9
    columns = np.column_stack([(signals - centre) / spread, np.ones(len(signals))])

    def descend(theta: Floats) -> tuple[float, Floats]:
        score, slopes = columns @ theta, np.append(theta[:-1], 0.0)
        value = weight @ (np.logaddexp(0, score) - beats * score) + SHRINKAGE * slopes @ slopes
        off = weight * (1 / (1 + np.exp(-score)) - beats)
        return float(value), columns.T @ off + 2 * SHRINKAGE * slopes

    found = minimize(descend, np.zeros(columns.shape[1]), jac=True, method="L-BFGS-B").x
    slopes = found[:-1] / spread
    return Signals(*map(float, slopes)), float(found[-1] - slopes @ centre)


def write_weights(fitted: Mapping[str, Fitted]) -> None:
    """Write weights to LEFT_OUT."""
    parts = {
        kind: {
            "weights": {name: round(value, 3) for name, value in weights._asdict().items()},
            "bias": round(bias, 3),
        }
        for kind, (weights, bias) in fitted.items()
    }
    LEFT_OUT.write_text(json.dumps(parts, indent=1) + "\n")


def install(weights: Signals, bias: float) -> None:
    """Let auto judge with these weights."""
    auto.WEIGHTS, auto.BIAS = weights, bias


# The check


def check(table: Table, kind: Kind) -> Figures:
    """Return what auto as it is installed does to fresh tuning jobs."""
    spec = make_spec(table, kind.strategy, kind.jobs, kind.parallel)
    rule = [load_stop_rule("auto")]
    return average(
        [replay_table(table, spec, rule, 50_000 + seed)[0] for seed in range(kind.checked)]
    )


def fit_left_out(tables: Sequence[Table], samples: Sequence[Sample]) -> dict[str, Fitted]:
    """Return weights and bias that were fitted without a kind of recorded tables, by kind."""
    fitted = {}
    for kind, places in group_by_kind([table.name for table in tables]).items():
        names = {tables[place].name for place in places}
        fitted[kind] = fit([each for each in samples if each.table not in names])
    return fitted


def check_all(
    tables: Sequence[Table], fitted: Mapping[str, Fitted], kinds: Sequence[Kind]
) -> Iterator[str]:
    """Yield a line for every recorded table and kind of tuning job, and the means.

    Args:
        fitted: the weights to check a kind of table with, of `fit_left_out`.
    """
    found: dict[str, list[Figures]] = {kind.name: [] for kind in kinds}
    for kind_of_table, places in group_by_kind([table.name for table in tables]).items():
        install(*fitted[kind_of_table])
        for place in places:
            for kind in list_kinds(tables[place], kinds):
                found[kind.name].append(check(tables[place], kind))
                yield describe(tables[place].name, kind.name, found[kind.name][-1])
    for name, figures in ((name, figures) for name, figures in found.items() if figures):
        worst = min(each.kept_best for each in figures)
        yield f"{describe('mean', name, average(figures))}   worst {worst:.1%}"


def describe(table: str, kind: str, figures: Figures) -> str:
    """Return a line of figures."""
    return (
        f"{table:38} {kind:14} saved {figures.epochs_saved:6.1%}"
        f"   kept {figures.kept_best:6.1%}   loss {figures.loss:.4f}"
    )


def main(words: Sequence[str]) -> None:
    """Collect, fit, check and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add_table_options(parser)
    parser.add_argument("--no-check", action="store_true", help="replay nothing to check it")
    parser.add_argument("--short", action="store_true", help="two tables, few tuning jobs")
    options = parser.parse_args(words)
    recorded, kinds = read_tables(options), list(KINDS)
    if options.short:
        recorded = [table for table in recorded if is_searchable(table)][:1]
        made = [make_family("settle", settle)]
        kinds = [replace(each, fitted=1, checked=1) for each in kinds if each.jobs <= 20]
    else:
        made = make_tables()
    samples = []
    for table in [*recorded, *made]:
        found = [collect(table, kind) for kind in list_kinds(table, kinds)]
        samples += found
        parts = (f"{len(each.beats)} of which {each.beats.mean():.0%}" for each in found)
        print(f"{table.name:38} judgements: {', '.join(parts)} beat the best", flush=True)
    weights, bias = fit(samples)
    print("\nWEIGHTS = Signals(")
    for name, value in weights._asdict().items():
        print(f"    {name}={value:.3f},")
    print(f")\nBIAS = {bias:.3f}\n", flush=True)
    left_out = fit_left_out(recorded, samples)
    if not options.short:
        write_weights(left_out)
    if not options.no_check:
        for line in check_all(recorded, left_out, kinds):
            print(line, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
