"""Whether `hpt confirm` finds the best configuration, and whether its probabilities are true.

    python scripts/benchmarks/confirm.py [--races 200]
    python scripts/benchmarks/confirm.py --record     # records the table anew
    python scripts/benchmarks/confirm.py --short      # two races of each kind

The table, `digits_seeds.csv`: of a random search of 100 training jobs of `train_digits.py`, the 30
best, and the validation accuracy of each with 20 seeds. A race begins as `hpt confirm` does: the
best five by one seed are run again with others, at most 25 times in all. They are the best of ten
of the 30, as the best of all are too much alike for one to have a clear lead. Seeds are drawn from
the 20, and a configuration's true mean is that over all of them. Besides, races of the best five of
100 made-up configurations, whose true means and noise are normal.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import itertools
import math
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from output import make_console
from rich.table import Table
from threadpoolctl import threadpool_limits

from hpt_cli.spec.hyperparameters import Hyperparameters
from hpt_cli.strategies import Trial
from hpt_cli.tuning.repeats.configurations import find_best_configuration, list_configurations
from hpt_cli.tuning.repeats.race import choose_configuration, draw_means

TABLE = Path(__file__).parent / "digits_seeds.csv"
JOBS, KEPT, SEEDS, EPOCHS = 100, 30, 20, 4
SEARCHED = 10
"""How many of those that are kept are in a race's search."""
TOP, COUNT = 5, 5
SPREADS = (0.3, 1.0, 3.0)
"""The deviation of made-up true means, where the noise has 1."""
BINS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Race:
    """What a race came to: how often it trained, whether the best was found, what it stated."""

    runs: int
    found: bool
    is_clear: bool
    """Whether the true lead of the best exceeds twice the noise of a mean over five seeds."""
    stated: Sequence[tuple[float, bool]]
    """Each stated probability that one is better than another, and whether it is."""


def run_race(losses: Floats, truth: Floats, noise: float) -> Race:
    """Return one race.

    Args:
        losses: of each configuration with each seed, (n, seeds).
        truth: the true means, (n,).
        noise: the deviation of a single run.
    """
    trials: list[Trial] = []
    while (chosen := _choose(trials, len(losses))) is not None:
        place, seed = chosen
        point: Hyperparameters = {"place": place, "seed": seed}
        trials.append(Trial(len(trials) + 1, point, "Completed", float(losses[place, seed])))
    known = list_configurations(trials, "seed")
    best = find_best_configuration(known)
    assert best is not None
    first, draws = best.number - 1, draw_means(known, "seed", None)
    others = [place for place in range(len(losses)) if place != first]
    best_truth, next_truth, *_ = np.sort(truth)
    return Race(
        runs=len(trials),
        found=bool(truth[first] == best_truth),
        is_clear=bool(next_truth - best_truth > 2 * noise / math.sqrt(COUNT)),
        stated=[
            (float((draws[:, first] < draws[:, each]).mean()), bool(truth[first] < truth[each]))
            for each in others
        ],
    )


def _choose(trials: Sequence[Trial], count: int) -> tuple[int, int] | None:
    """Return the place and the seed of what is run next: first each of `count` once."""
    if len(trials) < count:
        return len(trials), 0
    if len(trials) >= TOP * COUNT:
        return None
    chosen = choose_configuration(list_configurations(trials, "seed"), COUNT, "seed")
    return None if chosen is None else (int(chosen.hyperparameters["place"]), len(chosen.runs))


def race_digits(races: int) -> Iterator[Race]:
    """Yield races of the five best of a part of the recorded search, by one seed each."""
    with TABLE.open(newline="") as file:
        rows = [
            [float(row[f"seed_{seed}"]) for seed in _list_seeds()] for row in csv.DictReader(file)
        ]
    table = -np.array(rows)
    for number in range(races):
        rng = np.random.default_rng(number)
        found = table[rng.permutation(KEPT)[:SEARCHED]]
        seed, *others = rng.integers(SEEDS, size=1 + COUNT)
        top = found[np.argsort(found[:, seed])[:TOP]]
        noise = math.sqrt(top.var(axis=1, ddof=1).mean())
        yield run_race(top[:, others], top.mean(axis=1), noise)


def race_made_up(races: int) -> Iterator[Race]:
    """Yield races of the five best of a hundred made-up configurations, by one result each."""
    for number in range(races):
        rng = np.random.default_rng(number)
        truth = SPREADS[number % len(SPREADS)] * rng.standard_normal(JOBS)
        top = np.argsort(truth + rng.standard_normal(JOBS))[:TOP]
        yield run_race(truth[top][:, None] + rng.standard_normal((TOP, COUNT)), truth[top], 1.0)


def print_races(name: str, races: Sequence[Race]) -> None:
    """Print how often the best was found, and the stated probabilities beside the true ones."""
    runs = np.mean([race.runs for race in races])
    print(f"\n{name}: {len(races)} races, {runs:.1f} training jobs on average")
    clear = [race for race in races if race.is_clear]
    for which, some in (("where its lead is clear", clear), ("in all", races)):
        if some:
            share = float(np.mean([race.found for race in some]))
            error = math.sqrt(share * (1 - share) / len(some))
            print(
                f"  the best of the five is found {which}: {share:.1%} ±{error:.1%} of {len(some)}"
            )
    table = Table("stated", "statements", "stated on average", "true")
    for low, high in itertools.pairwise(BINS):
        if row := _describe_bin(races, low, high):
            table.add_row(f"{low:.0%} to {high:.0%}", *row)
    make_console().print(table)


def _describe_bin(races: Sequence[Race], low: float, high: float) -> tuple[str, ...]:
    """Return the cells of the statements with a probability in a bin; none without any.

    The standard error takes races as independent, not the statements of one.
    """
    found = [
        [(chance, is_true) for chance, is_true in race.stated if low <= chance < high + (high == 1)]
        for race in races
    ]
    stated = np.array([each for some in found for each in some], dtype=float)
    if not len(stated):
        return ()
    chance, share = stated.mean(axis=0)
    sums = [sum(is_true - share for _, is_true in some) for some in found]
    error = math.sqrt(np.square(sums).sum()) / len(stated)
    return f"{len(stated)}", f"{chance:.1%}", f"{share:.1%} ±{error:.1%}"


def record() -> None:
    """Write the table."""
    rng = np.random.default_rng(0)
    configurations = [
        {
            "learning_rate": float(f"{10 ** rng.uniform(-5, 1):.4g}"),
            "mini_batch_size": round(2 ** rng.uniform(4, 8)),
            "optimizer": str(rng.choice(["sgd", "adam", "rmsprop", "nag"])),
        }
        for _ in range(JOBS)
    ]
    first = [train(each, seed=1) for each in configurations]
    with TABLE.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow([*configurations[0], *(f"seed_{seed}" for seed in _list_seeds())])
        for place in np.argsort(first)[::-1][:KEPT]:
            each = configurations[place]
            table.writerow([*each.values(), *(train(each, seed) for seed in _list_seeds())])


def _list_seeds() -> range:
    return range(1, SEEDS + 1)


def train(configuration: dict[str, Any], seed: int) -> float:
    """Return the last validation accuracy of a training job."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    import train_digits

    options = argparse.Namespace(**configuration, epochs=EPOCHS, seed=seed)
    with contextlib.redirect_stdout(io.StringIO()) as output, np.errstate(all="ignore"):
        train_digits.train(options)
    return float(re.findall(r"validation-accuracy=(\S+)", output.getvalue())[-1])


def main() -> None:
    """Record the table, or race."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--races", type=int, default=200, help="how many of each kind")
    parser.add_argument("--record", action="store_true", help="record the table anew")
    parser.add_argument("--short", action="store_true", help="two races of each kind")
    options = parser.parse_args()
    with threadpool_limits(1):
        if options.record:
            record()
            return
        races = 2 if options.short else options.races
        print_races("digits", list(race_digits(races)))
        print_races("made up", list(race_made_up(races)))


if __name__ == "__main__":
    main()
