"""Functions with mixed types as problems: cheap, with a known minimum of 0, and with the trouble
that training makes: noise, failures at random, regions that always fail, conditions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from problems import Answer, Half, Problem, Run, parse_ranges, summarize

from hpt_cli.spec.hyperparameters import Hyperparameters
from hpt_cli.strategies.space import Space

Function: TypeAlias = Callable[[Mapping[str, Any]], float]
RawRanges: TypeAlias = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Trouble:
    """What comes between a function and its answer: noise, as a share of the way from the best to
    the median, and the probability that a job fails."""

    noise: float = 0.0
    failures: float = 0.0


NO_TROUBLE = Trouble()
Entry: TypeAlias = tuple[Half, Function, Trouble, RawRanges]


def real(low: float, high: float, scaling: str = "Linear") -> dict[str, Any]:
    """Return a continuous range."""
    return {"type": "Continuous", "min_value": low, "max_value": high, "scaling_type": scaling}


def log(low: float, high: float) -> dict[str, Any]:
    """Return a continuous range that is searched on a logarithmic scale."""
    return real(low, high, "Logarithmic")


def integer(low: int, high: int, scaling: str = "Linear") -> dict[str, Any]:
    """Return a range of whole numbers."""
    return {"type": "Integer", "min_value": low, "max_value": high, "scaling_type": scaling}


def category(*values: str) -> dict[str, Any]:
    """Return a range of categories."""
    return {"type": "Categorical", "values": values}


def _reals(count: int, low: float, high: float) -> RawRanges:
    return {f"x{place}": real(low, high) for place in range(count)}


def _read_vector(h: Mapping[str, Any], count: int) -> np.ndarray:
    return np.array([h[f"x{place}"] for place in range(count)], dtype=float)


def branin(h: Mapping[str, Any]) -> float:
    """Return Branin with a category that shifts it; minimum 0 (shift "none", x = pi, y = 2.275)."""
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
    """Return Hartmann in 6 dimensions; minimum 0."""
    x = _read_vector(h, 6)
    bumps = np.exp(-(HARTMANN_A * (x - HARTMANN_P) ** 2).sum(axis=1))
    return float(3.32237 - np.array([1.0, 1.2, 3.0, 3.2]) @ bumps)


def mixed_ackley(h: Mapping[str, Any]) -> float:
    """Return Ackley over 3 reals, 2 integers and a category; minimum 0, away from the centre."""
    offset = {"a": 0.0, "b": 0.7, "c": 1.5, "d": 2.5, "e": 4.0}[h["kind"]]
    x = np.array(
        [h["x0"] - 0.6, h["x1"] + 0.9, h["x2"] - 1.2, (h["n0"] - 5) / 5, (h["n1"] - 20) / 10]
    )
    return _ackley(x, 0.5) + offset


def _ackley(x: np.ndarray, ripple: float) -> float:
    bowl = 20 - 20 * np.exp(-0.2 * np.sqrt(np.mean(x * x)))
    return float(bowl + math.exp(ripple) - np.exp(np.mean(np.cos(2 * np.pi * x) * ripple)))


def log_ackley(h: Mapping[str, Any]) -> float:
    """Return the logarithm of Ackley in 6 dimensions, which narrows towards its minimum of 0."""
    return math.log1p(10 * _ackley(_read_vector(h, 6) - np.linspace(-1.2, 1.4, 6), 1.0))


def rosenbrock(h: Mapping[str, Any]) -> float:
    """Return the logarithm of Rosenbrock in 4 dimensions: a bent valley; minimum 0."""
    x = _read_vector(h, 4)
    valley = 100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2
    return math.log1p(float(valley.sum()))


def levy(h: Mapping[str, Any]) -> float:
    """Return Levy in as many dimensions as there are: ripples in a bowl; minimum 0 at 1."""
    w = 1 + (_read_vector(h, len(h)) - 1) / 4
    middle = (w[:-1] - 1) ** 2 * (1 + 10 * np.sin(np.pi * w[:-1] + 1) ** 2)
    last = (w[-1] - 1) ** 2 * (1 + np.sin(2 * np.pi * w[-1]) ** 2)
    return float(np.sin(np.pi * w[0]) ** 2 + middle.sum() + last)


def styblinski(h: Mapping[str, Any]) -> float:
    """Return Styblinski and Tang's function in 5 dimensions: a valley in each corner; minimum 0."""
    x = _read_vector(h, 5)
    return float(np.mean(x**4 - 16 * x**2 + 5 * x) / 2 + 39.16617)


def sparse(h: Mapping[str, Any]) -> float:
    """Return a bowl in 20 dimensions, of which four matter; minimum 0."""
    x = _read_vector(h, 20)
    main = (x[[2, 7, 11, 16]] - np.array([0.3, 0.7, 0.55, 0.2])) ** 2
    bend = (x[2] - x[7] + 0.4) ** 2
    return float(np.sqrt(np.array([4.0, 3.0, 2.0, 2.0]) @ main + 2 * bend))


def bowl_with_categories(h: Mapping[str, Any]) -> float:
    """Return a bowl over integers whose place the categories decide; minimum 0 (c, x, on)."""
    place = {"a": 30, "b": 12, "c": 21, "d": 6, "e": 36}[h["first"]]
    base = {"a": 0.9, "b": 0.5, "c": 0.0, "d": 0.7, "e": 0.4}[h["first"]]
    base += {"x": 0.0, "y": 0.35, "z": 0.2}[h["second"]] + 0.25 * (h["third"] == "off")
    width = 4 if h["second"] == "x" else 8
    return float(
        base
        + abs(h["n0"] - place) / 40
        + ((h["n1"] - width) / 10) ** 2
        + 0.1 * abs(math.log2(h["n2"] / 64))
    )


def many_categories(h: Mapping[str, Any]) -> float:
    """Return what six categories cost, two of them together, and two reals; minimum 0."""
    costs = {f"k{place}": np.roll([0.0, 0.3, 0.8, 0.45, 0.6], place + 1) for place in range(6)}
    total = sum(float(cost["abcde".index(h[name])]) for name, cost in costs.items())
    clash = 0.5 * ("abcde".index(h["k0"]) == "abcde".index(h["k1"]))
    reals = (h["x0"] - 0.35) ** 2 + abs(math.log10(h["x1"]) + 3) / 4
    return float(total / 3 + clash + reals)


def training(h: Mapping[str, Any]) -> float:
    """Return the loss of an imitated training; minimum 0.

    A valley in learning rate and batch size that moves with the optimizer, a cliff above the
    highest stable rate, a weak regularizer.
    """
    rate, size = math.log10(h["rate"]), math.log2(h["size"])
    ideal = {"sgd": -1.0, "adam": -2.7, "rmsprop": -3.0}[h["optimizer"]] + 0.15 * (size - 5)
    if rate > ideal + 1.2:
        return math.inf
    penalty = {"sgd": 0.1, "adam": 0.0, "rmsprop": 0.05}[h["optimizer"]]
    bend = 0.5 * (rate - ideal) ** 2 + 0.05 * (h["layers"] - 3) ** 2
    rest = 0.02 * abs(math.log10(h["decay"]) + 4) + 0.01 * abs(size - 5)
    return float(penalty + bend + rest)


def conditional(h: Mapping[str, Any]) -> float:
    """Return a loss of which each branch has hyperparameters of its own; minimum 0 (deep)."""
    if h["model"] == "linear":
        return 0.5 + 0.2 * abs(math.log10(h["penalty"]) + 1)
    if h["model"] == "forest":
        return float(0.25 + 0.05 * abs(h["depth"] - 9) + 0.1 * abs(math.log2(h["leaf"]) - 2))
    rate = math.log10(h["rate"]) + 2.5 + 0.5 * (h["solver"] == "sgd")
    momentum = (h["momentum"] - 0.9) ** 2 * 2 - 0.1 if h["solver"] == "sgd" else 0.0
    return float(0.1 + momentum + 0.4 * rate**2 + 0.1 * abs(h["layers"] - 4))


def network_memory(h: Mapping[str, Any]) -> float:
    """Return the loss of an imitated network of 14 hyperparameters: larger is better, and out of
    memory (NaN), as is about half of the space, begins right beside the optimum; minimum 0."""
    size = math.log2(h["width"]) + math.log2(h["depth"]) + math.log2(h["batch"])
    if size > 15.5:
        return math.nan
    rate = math.log10(h["rate"]) + 3
    small = sum((h[f"x{place}"] - 0.15 * place) ** 2 for place in range(1, 7))
    rest = sum(0.02 * (h[f"y{place}"] - 0.5) ** 2 for place in range(4))
    return float(0.25 * (15.5 - size) / 3 + 0.3 * rate**2 + 0.2 * small + rest)


def tight_memory(h: Mapping[str, Any]) -> float:
    """Return a loss in 4 dimensions whose optimum lies on the edge of what fails (NaN)."""
    width, batch = math.log2(h["width"]), math.log2(h["batch"])
    if width + batch > 14:
        return math.nan
    rate = math.log10(h["rate"]) + 2.5
    rest = 0.15 * abs(width - 9) + 0.3 * rate**2 + h["dropout"] / 4
    return float((14 - width - batch) / 8 + rest)


def total(
    seed: int, counts: Sequence[int], reals: int, pairs: int, *, moves: bool
) -> tuple[Function, RawRanges]:
    """Return a sum, and its ranges: what categories cost, and a bowl in the reals; minimum 0.

    Args:
        seed: of the costs and of the minimum's place.
        counts: of the values of each category.
        reals: how many there are.
        pairs: how many pairs of categories cost more where only one of them has its best value.
        moves: whether the bowl's place depends on the first category.
    """
    rng = np.random.default_rng(seed)
    costs = [rng.permutation(np.linspace(0, 1, n)) * rng.uniform(0.3, 1) for n in counts]
    best = [int(np.argmin(cost)) for cost in costs]
    centre = rng.uniform(0.2, 0.8, size=reals)
    shift = rng.uniform(-0.2, 0.2, size=(counts[0], reals)) * moves
    shift[best[0]] = 0
    bound = [rng.choice(len(counts), 2, replace=False) for _ in range(pairs)]

    def answer(h: Mapping[str, Any]) -> float:
        chosen = [int(h[f"k{place}"][1:]) for place in range(len(counts))]
        spent = sum(cost[index] for cost, index in zip(costs, chosen, strict=True))
        clash = sum(0.3 for a, b in bound if (chosen[a] == best[a]) != (chosen[b] == best[b]))
        off = _read_vector(h, reals) - centre - shift[chosen[0]]
        return float(2 * spent / len(counts) + clash + 2 * np.mean(off**2) ** 0.75)

    categories = {
        f"k{place}": category(*(f"v{index}" for index in range(count)))
        for place, count in enumerate(counts)
    }
    return answer, {**categories, **_reals(reals, 0, 1)}


def _set_aside(made: tuple[Function, RawRanges], trouble: Trouble = NO_TROUBLE) -> Entry:
    return ("aside", made[0], trouble, made[1])


def _network_ranges() -> RawRanges:
    return {
        "width": integer(16, 1024, "Logarithmic"),
        "depth": integer(1, 64, "Logarithmic"),
        "batch": integer(8, 512, "Logarithmic"),
        "rate": log(1e-5, 1e-1),
        **{f"x{place}": real(0, 1) for place in range(1, 7)},
        **{f"y{place}": real(0, 1) for place in range(4)},
    }


FUNCTIONS: dict[str, Entry] = {
    "branin": (
        "choose",
        branin,
        NO_TROUBLE,
        {
            "x": real(-5, 10),
            "y": real(0, 15),
            "shift": category("high", "none", "low", "mid"),
        },
    ),
    "training": (
        "choose",
        training,
        NO_TROUBLE,
        {
            "rate": log(1e-5, 1.0),
            "size": integer(8, 256),
            "layers": integer(1, 8),
            "optimizer": category("sgd", "adam", "rmsprop"),
            "decay": log(1e-6, 1e-1),
        },
    ),
    "levy8": ("choose", levy, NO_TROUBLE, _reals(8, -8, 10)),
    "rosenbrock4": ("choose", rosenbrock, NO_TROUBLE, _reals(4, -2, 3)),
    "noisy-levy4": ("choose", levy, Trouble(noise=0.2), _reals(4, -8, 10)),
    "lossy-hartmann6": ("choose", hartmann, Trouble(failures=0.2), _reals(6, 0, 1)),
    "tight-memory": (
        "choose",
        tight_memory,
        NO_TROUBLE,
        {
            "width": integer(16, 4096, "Logarithmic"),
            "batch": integer(4, 512, "Logarithmic"),
            "rate": log(1e-5, 1.0),
            "dropout": real(0, 0.8),
        },
    ),
    "categories": (
        "choose",
        bowl_with_categories,
        NO_TROUBLE,
        {
            "first": category("a", "b", "c", "d", "e"),
            "second": category("x", "y", "z"),
            "third": category("on", "off"),
            "n0": integer(0, 40),
            "n1": integer(1, 20),
            "n2": integer(8, 512, "Logarithmic"),
        },
    ),
    "hartmann6": ("report", hartmann, NO_TROUBLE, _reals(6, 0, 1)),
    "mixed-ackley": (
        "report",
        mixed_ackley,
        NO_TROUBLE,
        {
            **_reals(3, -3, 3),
            "n0": integer(0, 20),
            "n1": integer(0, 60),
            "kind": category("a", "b", "c", "d", "e"),
        },
    ),
    "log-ackley6": ("report", log_ackley, NO_TROUBLE, _reals(6, -3, 3)),
    "styblinski5": ("report", styblinski, NO_TROUBLE, _reals(5, -5, 5)),
    "sparse20": ("report", sparse, NO_TROUBLE, _reals(20, 0, 1)),
    "noisy-hartmann6": ("report", hartmann, Trouble(noise=0.2), _reals(6, 0, 1)),
    "lossy-levy4": ("report", levy, Trouble(failures=0.2), _reals(4, -8, 10)),
    "network-memory": ("report", network_memory, NO_TROUBLE, _network_ranges()),
    "many-categories": (
        "report",
        many_categories,
        NO_TROUBLE,
        {
            **{f"k{place}": category("a", "b", "c", "d", "e") for place in range(6)},
            "x0": real(0, 1),
            "x1": log(1e-5, 1e-1),
        },
    ),
    "conditional": (
        "report",
        conditional,
        NO_TROUBLE,
        {
            "model": category("linear", "forest", "deep"),
            "penalty": log(1e-4, 1e2) | {"when": {"model": "linear"}},
            "depth": integer(1, 20) | {"when": {"model": "forest"}},
            "leaf": integer(1, 64, "Logarithmic") | {"when": {"model": "forest"}},
            "rate": log(1e-5, 1.0) | {"when": {"model": "deep"}},
            "layers": integer(1, 8) | {"when": {"model": "deep"}},
            "solver": category("adam", "sgd") | {"when": {"model": "deep"}},
            "momentum": real(0, 0.99) | {"when": {"solver": "sgd"}},
        },
    ),
    # Many categories: by these four losses were found to serve the model better than their ranks.
    "total-a": _set_aside(total(1, (3, 4, 6, 8), 3, 1, moves=True)),
    "total-b": _set_aside(total(2, (2,) * 8, 2, 3, moves=False)),
    "total-c": _set_aside(total(3, (10, 10, 10), 2, 1, moves=True), Trouble(noise=0.05)),
    "total-d": _set_aside(total(4, (20, 4), 4, 0, moves=True)),
}


def make_function(name: str, failures: float = 0.0) -> Problem:
    """Return a function as a problem; all its jobs take a second, and fail where it is NaN.

    `failures`: the probability that a job fails, if that is not a trouble of the function already.
    """
    half, function, trouble, raw = FUNCTIONS[name]
    ranges = parse_ranges(raw)
    space = Space(ranges)
    sample = np.array([function(space.decode(point)) for point in space.draw(0, 0, 1024)])
    median, worst = summarize(sample[~np.isnan(sample)])

    def start(seed: int) -> Run:
        rng = np.random.default_rng([seed, len(name)])

        def answer(hyperparameters: Hyperparameters) -> Answer:
            # Both are drawn for every job, so that a job's luck depends on its place only.
            noise, luck = rng.normal() * trouble.noise * median, rng.random()
            loss = function(hyperparameters)
            failed = math.isnan(loss) or luck < max(trouble.failures, failures)
            return Answer(hyperparameters, None if failed else loss + noise)

        return answer

    measure = function if trouble.noise else None
    return Problem(f"function-{name}", half, ranges, start, 0.0, median, worst, measure)
