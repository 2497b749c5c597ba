"""How far measured importances are from the truth: hpt's model, and fANOVA on a random forest.

    python scripts/benchmarks/importance.py [--seeds 4]
    python scripts/benchmarks/importance.py --short    # one seed, 20 results

On functions of the unit cube whose Sobol' indices are known by sampling; half of the results lie
near the best ones, as a search leaves them. Prints the mean absolute error of total and first-order
indices, and how often the 90 % interval holds the total.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from output import make_console
from rich.table import Table
from scipy.stats import qmc
from sklearn.ensemble import RandomForestRegressor

from hpt_cli.analysis.importance import measure_importance
from hpt_cli.spec.ranges import CategoricalRange, ContinuousRange, ParameterRange
from hpt_cli.strategies import Trial
from hpt_cli.strategies.gaussian_process import encode_one_hot
from hpt_cli.strategies.space import Space
from hpt_cli.strategies.targets import score_losses

Floats: TypeAlias = NDArray[np.float64]
COUNTS = (20, 50, 150)
PLACES = 2048


def ishigami(u: Floats) -> Floats:
    """Return two periodic terms and an interaction; two columns do nothing."""
    x = 2 * np.pi * u[:, :3] - np.pi
    interaction = 0.1 * x[:, 2] ** 4 * np.sin(x[:, 0])
    return np.asarray(np.sin(x[:, 0]) + 7 * np.sin(x[:, 1]) ** 2 + interaction)


def additive(u: Floats) -> Floats:
    """Return two valleys and a slope; three columns do nothing."""
    return 8 * (u[:, 0] - 0.3) ** 2 + 2 * (u[:, 1] - 0.6) ** 2 + 0.3 * u[:, 2]


def product(u: Floats) -> Floats:
    """Return an interaction and a slope; two columns do nothing."""
    return (u[:, 0] - 0.5) * (u[:, 1] - 0.5) * 8 + 0.5 * u[:, 2]


def training(u: Floats) -> Floats:
    """Return a loss over learning rate, batch size and optimizer, which moves the optimum.

    Beyond a learning rate that depends on the optimizer it diverges.
    """
    kind = np.minimum((u[:, 2] * 4).astype(int), 3)
    best = np.array([0.7, 0.45, 0.4, 0.65])[kind]
    loss = 4 * (u[:, 0] - best) ** 2 + 0.15 * (u[:, 1] - 0.2) ** 2
    loss += np.array([0, 0.1, 0.2, 0.02])[kind]
    return np.where(u[:, 0] > best + 0.25, 3.0, loss)


FUNCTIONS: dict[str, tuple[Callable[[Floats], Floats], int]] = {
    "ishigami": (ishigami, 5),
    "additive": (additive, 6),
    "product": (product, 5),
    "training": (training, 5),
}


def make_ranges(name: str, count: int) -> dict[str, ParameterRange]:
    """Return the ranges of a function of so many columns."""
    ranges: dict[str, ParameterRange] = {
        f"x{place}": ContinuousRange(
            type="Continuous", min_value=0, max_value=1, scaling_type="Linear"
        )
        for place in range(count)
    }
    if name == "training":
        ranges["x2"] = CategoricalRange(type="Categorical", values=("a", "b", "c", "d"))
    return ranges


def make_design(count: int) -> Floats:
    """Return the points at which Sobol' indices are estimated, ((count + 2) * PLACES, count)."""
    first, second = np.hsplit(qmc.Sobol(2 * count, seed=np.random.default_rng(3)).random(PLACES), 2)
    mixed = []
    for column in range(count):
        mixed.append(first.copy())
        mixed[-1][:, column] = second[:, column]
    return np.vstack([first, second, *mixed])


def split_variance(values: Floats, count: int) -> Floats:
    """Return total and first-order indices, (2, count), of values at the points of a design."""
    first, second, *mixed = values.reshape(count + 2, PLACES)
    variance = np.append(first, second).var()
    total = [((each - first) ** 2).mean() / 2 / variance for each in mixed]
    alone = [1 - ((each - second) ** 2).mean() / 2 / variance for each in mixed]
    return np.array([total, np.clip(alone, 0, 1)])


def make_trials(
    space: Space, function: Callable[[Floats], Floats], count: int, seed: int
) -> list[Trial]:
    """Return results of a search: half of the points at random, half near the best of those."""
    rng = np.random.default_rng(seed)
    places = space.snap(rng.random((count, len(space.ranges))))
    half = count // 2
    best = places[:half][np.argsort(function(places[:half]))[:3]]
    near = best[rng.integers(3, size=count - half)]
    places[half:] = space.snap(near + 0.15 * rng.normal(size=near.shape))
    losses = function(places)
    losses += 0.03 * losses.std() * rng.normal(size=count)
    return [
        Trial(number, space.decode(place), "Completed", float(loss), ((1.0, float(loss)),))
        for number, (place, loss) in enumerate(zip(places, losses, strict=True), start=1)
    ]


def ask_hpt(space: Space, trials: list[Trial]) -> tuple[Floats, Floats, Floats]:
    """Return the shares by hpt, (2, count), and the bounds of the totals, both (count,)."""
    measured = measure_importance(space.ranges, trials)
    assert measured is not None
    found = {each.name: each for each in measured.influences}
    ordered = [found[name] for name in space.ranges]
    shares = [[each.total.value for each in ordered], [each.alone.value for each in ordered]]
    low, high = ([getattr(each.total, end) for each in ordered] for end in ("low", "high"))
    return np.array(shares), np.array(low), np.array(high)


def ask_forest(space: Space, trials: list[Trial], design: Floats) -> Floats:
    """Return the shares by a random forest, (2, count): the median over its trees."""
    places = space.encode(trial.hyperparameters for trial in trials)
    scores = score_losses(np.array([trial.loss for trial in trials]))
    forest = RandomForestRegressor(200, random_state=0).fit(encode_one_hot(space, places), scores)
    points = encode_one_hot(space, space.snap(design)).astype(np.float32)
    trees = [split_variance(tree.predict(points), len(space.ranges)) for tree in forest.estimators_]
    return np.asarray(np.median(trees, axis=0))


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--short", action="store_true", help="one seed, 20 results")
    options = parser.parse_args()
    seeds, counts = (1, COUNTS[:1]) if options.short else (options.seeds, COUNTS)
    table = Table("function", "results", "hpt total", "alone", "interval", "forest total", "alone")
    everything = []
    for name, (function, count) in FUNCTIONS.items():
        space, design = Space(make_ranges(name, count)), make_design(count)
        truth = split_variance(score_losses(function(space.snap(design))), count)
        for results in counts:
            figures = []
            for seed in range(seeds):
                trials = make_trials(space, function, results, seed)
                shares, low, high = ask_hpt(space, trials)
                held = np.mean((low - 0.02 <= truth[0]) & (truth[0] <= high + 0.02))
                missed = np.abs(shares - truth).mean(axis=1)
                forest = np.abs(ask_forest(space, trials, design) - truth).mean(axis=1)
                figures.append([*missed, held, *forest])
            everything += figures
            mean = np.mean(figures, axis=0)
            table.add_row(name, str(results), *(f"{each:.3f}" for each in mean))
    table.add_section()
    table.add_row("mean", "", *(f"{each:.3f}" for each in np.mean(everything, axis=0)))
    make_console().print(table)


if __name__ == "__main__":
    main()
