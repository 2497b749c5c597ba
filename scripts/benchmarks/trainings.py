"""Small real trainings as problems: models and data of scikit-learn, .02 to 1 s a job.

The best loss of a training is not known; `trainings.json` keeps the best that any search has found,
with the median and the worst of 128 points drawn at random (`optimizer.py --record` writes it).
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from functions import RawRanges, category, integer, log, real
from problems import Answer, Half, Problem, Run, parse_ranges, summarize
from sklearn import datasets, metrics
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import ElasticNet, LogisticRegression, SGDClassifier
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MinMaxScaler,
    Normalizer,
    PolynomialFeatures,
    QuantileTransformer,
    StandardScaler,
)
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

from hpt_cli.spec.hyperparameters import Hyperparameters
from hpt_cli.strategies.space import Space

RECORDS = Path(__file__).with_name("trainings.json")
SPLITS = range(1000, 1008)
"""The splits over which a noisy training is measured without its noise."""
DRAWN = 128

Data: TypeAlias = Literal["digits", "cancer", "wine", "diabetes", "friedman"]
Metric: TypeAlias = Literal["error", "log loss", "RMSE"]
Build: TypeAlias = Callable[[Mapping[str, Any]], Any]


@dataclass(frozen=True)
class Training:
    """A model to fit.

    `rows` is how many examples it is fitted to, `held_out` how many it is scored on. With
    `new_split` every job draws its own examples: the noise of the result.
    """

    half: Half
    data: Data
    metric: Metric
    rows: int
    held_out: int
    build: Build
    ranges: RawRanges
    new_split: bool = False


@cache
def load_data(name: Data) -> tuple[np.ndarray, np.ndarray]:
    """Return examples, (n, d), and targets, (n,)."""
    if name == "friedman":
        points, targets = datasets.make_friedman1(1200, 12, noise=1.0, random_state=0)
        return points, targets
    loaders = {
        "digits": datasets.load_digits,
        "cancer": datasets.load_breast_cancer,
        "wine": datasets.load_wine,
        "diabetes": datasets.load_diabetes,
    }
    points, targets = loaders[name](return_X_y=True)
    return points, targets


def score(metric: Metric, model: Any, points: np.ndarray, targets: np.ndarray) -> float:
    """Return the loss of a fitted model on held-out examples."""
    if metric == "log loss":
        return float(metrics.log_loss(targets, model.predict_proba(points), labels=model.classes_))
    predicted = model.predict(points)
    if metric == "RMSE":
        return float(np.sqrt(np.mean((predicted - targets) ** 2)))
    return float(np.mean(predicted != targets))


def train(training: Training, hyperparameters: Mapping[str, Any], split: int) -> float:
    """Return the loss of a training; infinite where it diverged."""
    points, targets = load_data(training.data)
    fit_points, points, fit_targets, targets = train_test_split(
        points,
        targets,
        train_size=training.rows,
        test_size=training.held_out,
        random_state=split,
        stratify=None if training.metric == "RMSE" else targets,
    )
    # One thread: several searches run side by side.
    with warnings.catch_warnings(), np.errstate(all="ignore"), threadpool_limits(1):
        warnings.simplefilter("ignore")
        try:
            model = training.build(hyperparameters).fit(fit_points, fit_targets)
            loss = score(training.metric, model, points, targets)
        except ValueError as error:
            if isinstance(error, TypeError):  # as scikit-learn says that a parameter is wrong
                raise
            return float("inf")  # what it learned is no longer finite
    return loss if np.isfinite(loss) and loss < 1e6 else float("inf")


SCALERS: dict[str, Callable[[], Any]] = {
    "none": lambda: "passthrough",
    "standard": StandardScaler,
    "range": MinMaxScaler,
    "norm": Normalizer,
    "quantile": lambda: QuantileTransformer(n_quantiles=50),
}


def build_svm(h: Mapping[str, Any]) -> Any:
    """Return a support vector machine; its kernel decides what else there is."""
    options = {key: h[key] for key in ("gamma", "degree", "coef0") if key in h}
    return make_pipeline(StandardScaler(), SVC(C=h["C"], kernel=h["kernel"], **options))


def build_forest(h: Mapping[str, Any]) -> Any:
    """Return a random forest."""
    return RandomForestClassifier(**h, random_state=0)


def build_boosting(h: Mapping[str, Any]) -> Any:
    """Return gradient boosting for regression."""
    return GradientBoostingRegressor(**h, random_state=0)


def build_logistic(h: Mapping[str, Any]) -> Any:
    """Return a logistic regression with one of three penalties."""
    ratio = {"l1": 1.0, "l2": 0.0}.get(h["penalty"], h.get("l1_ratio"))
    model = LogisticRegression(
        C=h["C"], l1_ratio=ratio, solver="saga", max_iter=h["max_iter"], tol=h["tol"]
    )
    return make_pipeline(SCALERS[h["scaler"]](), model)


def build_network(h: Mapping[str, Any]) -> Any:
    """Return a small network for digits."""
    model = MLPClassifier(
        hidden_layer_sizes=(h["width"],) * h["layers"],
        activation=h["activation"],
        learning_rate_init=h["rate"],
        batch_size=h["batch"],
        alpha=h["alpha"],
        beta_1=h["beta"],
        max_iter=8,
        random_state=0,
    )
    return make_pipeline(StandardScaler(), model)


def build_kernel_ridge(h: Mapping[str, Any]) -> Any:
    """Return kernel ridge regression."""
    options = {key: h[key] for key in ("gamma", "degree", "coef0") if key in h}
    return make_pipeline(
        StandardScaler(), KernelRidge(alpha=h["alpha"], kernel=h["kernel"], **options)
    )


def build_neighbors(h: Mapping[str, Any]) -> Any:
    """Return nearest neighbours behind a choice of preprocessing."""
    reduce = PCA(h["components"], random_state=0) if h["pca"] == "yes" else "passthrough"
    model = KNeighborsClassifier(h["neighbors"], weights=h["weights"], p=h["p"])
    return make_pipeline(SCALERS[h["scaler"]](), reduce, model)


def build_any(h: Mapping[str, Any]) -> Any:
    """Return one of three models, each with hyperparameters of its own."""
    if h["model"] == "svm":
        model: Any = SVC(C=h["C"], gamma=h["gamma"], probability=True, random_state=0)
    elif h["model"] == "forest":
        model = RandomForestClassifier(40, max_depth=h["depth"], max_features=h["share"])
        model.set_params(random_state=0)
    else:
        model = LogisticRegression(C=h["inverse"], max_iter=200)
    return make_pipeline(SCALERS[h["scaler"]](), model)


def build_hist_boosting(h: Mapping[str, Any]) -> Any:
    """Return boosting on histograms."""
    return HistGradientBoostingClassifier(**h, max_iter=8, early_stopping=False, random_state=0)


def build_sgd(h: Mapping[str, Any]) -> Any:
    """Return a linear model trained by stochastic gradient descent."""
    model = SGDClassifier(**h, max_iter=8, tol=None, random_state=0)
    return make_pipeline(StandardScaler(), model)


def build_polynomial(h: Mapping[str, Any]) -> Any:
    """Return an elastic net over products of features."""
    features = PolynomialFeatures(h["degree"], interaction_only=h["products"] == "only")
    net = ElasticNet(alpha=h["alpha"], l1_ratio=h["l1_ratio"], max_iter=300, tol=1e-3)
    return make_pipeline(StandardScaler(), features, StandardScaler(), net)


def build_network_regressor(h: Mapping[str, Any]) -> Any:
    """Return a network for regression."""
    options = {"momentum": h["momentum"]} if h["solver"] == "sgd" else {}
    model = MLPRegressor(
        hidden_layer_sizes=(h["first"], h["second"]),
        activation=h["activation"],
        solver=h["solver"],
        learning_rate_init=h["rate"],
        alpha=h["alpha"],
        batch_size=h["batch"],
        max_iter=20,
        random_state=0,
        **options,
    )
    return make_pipeline(StandardScaler(), model)


def build_extra_trees(h: Mapping[str, Any]) -> Any:
    """Return extremely randomized trees."""
    bootstrap = {"bootstrap": True, "max_samples": h["samples"]} if "samples" in h else {}
    return ExtraTreesRegressor(
        h["trees"],
        max_depth=h["depth"],
        min_samples_leaf=h["leaf"],
        max_features=h["features"],
        random_state=0,
        **bootstrap,
    )


_KERNEL_PARTS: RawRanges = {
    "gamma": log(1e-5, 1e1) | {"when": {"kernel": ["rbf", "poly", "sigmoid"]}},
    "degree": integer(2, 5) | {"when": {"kernel": "poly"}},
    "coef0": real(0, 2) | {"when": {"kernel": ["poly", "sigmoid"]}},
}

TRAININGS: dict[str, Training] = {
    "svm-digits": Training(
        "choose",
        "digits",
        "error",
        500,
        150,
        build_svm,
        {"C": log(1e-3, 1e3), "kernel": category("linear", "rbf", "poly", "sigmoid")}
        | _KERNEL_PARTS,
    ),
    "forest-wine": Training(
        "choose",
        "wine",
        "log loss",
        90,
        88,
        build_forest,
        {
            "n_estimators": integer(5, 60),
            "max_depth": integer(1, 12),
            "min_samples_leaf": integer(1, 20, "Logarithmic"),
            "max_features": real(0.05, 1.0),
            "criterion": category("gini", "entropy"),
        },
    ),
    "boosting-diabetes": Training(
        "report",
        "diabetes",
        "RMSE",
        300,
        142,
        build_boosting,
        {
            "learning_rate": log(1e-3, 1.0),
            "n_estimators": integer(5, 100, "Logarithmic"),
            "max_depth": integer(1, 8),
            "subsample": real(0.2, 1.0),
            "min_samples_leaf": integer(1, 40, "Logarithmic"),
            "max_features": real(0.1, 1.0),
            "loss": category("squared_error", "absolute_error", "huber"),
        },
    ),
    "logistic-digits": Training(
        "report",
        "digits",
        "log loss",
        300,
        400,
        build_logistic,
        {
            "C": log(1e-4, 1e3),
            "penalty": category("l1", "l2", "elasticnet"),
            "l1_ratio": real(0, 1) | {"when": {"penalty": "elasticnet"}},
            "scaler": category("none", "standard", "range", "norm"),
            "max_iter": integer(5, 60, "Logarithmic"),
            "tol": log(1e-5, 1e-1),
        },
    ),
    "network-digits": Training(
        "choose",
        "digits",
        "log loss",
        500,
        400,
        build_network,
        {
            "width": integer(8, 128, "Logarithmic"),
            "layers": integer(1, 3),
            "activation": category("relu", "tanh", "logistic"),
            "rate": log(1e-4, 1e-1),
            "batch": integer(8, 128, "Logarithmic"),
            "alpha": log(1e-6, 1.0),
            "beta": real(0.5, 0.99),
        },
    ),
    "kernel-ridge-diabetes": Training(
        "report",
        "diabetes",
        "RMSE",
        300,
        142,
        build_kernel_ridge,
        {"alpha": log(1e-4, 1e3), "kernel": category("linear", "rbf", "poly", "laplacian")}
        | {
            "gamma": log(1e-5, 1e1) | {"when": {"kernel": ["rbf", "poly", "laplacian"]}},
            "degree": integer(2, 4) | {"when": {"kernel": "poly"}},
            "coef0": real(0, 2) | {"when": {"kernel": "poly"}},
        },
    ),
    "neighbors-wine": Training(
        "choose",
        "wine",
        "error",
        90,
        88,
        build_neighbors,
        {
            "scaler": category(*SCALERS),
            "pca": category("yes", "no"),
            "components": integer(1, 12) | {"when": {"pca": "yes"}},
            "neighbors": integer(1, 40, "Logarithmic"),
            "weights": category("uniform", "distance"),
            "p": real(1.0, 4.0),
        },
    ),
    "any-cancer": Training(
        "report",
        "cancer",
        "log loss",
        200,
        300,
        build_any,
        {
            "model": category("svm", "forest", "logistic"),
            "scaler": category("none", "standard", "range"),
            "C": log(1e-3, 1e3) | {"when": {"model": "svm"}},
            "gamma": log(1e-6, 1e1) | {"when": {"model": "svm"}},
            "depth": integer(1, 12) | {"when": {"model": "forest"}},
            "share": real(0.05, 1.0) | {"when": {"model": "forest"}},
            "inverse": log(1e-4, 1e3) | {"when": {"model": "logistic"}},
        },
    ),
    "hist-boosting-digits": Training(
        "report",
        "digits",
        "error",
        400,
        200,
        build_hist_boosting,
        {
            "learning_rate": log(1e-2, 1.0),
            "max_leaf_nodes": integer(2, 32, "Logarithmic"),
            "min_samples_leaf": integer(2, 60, "Logarithmic"),
            "l2_regularization": log(1e-6, 1e2),
            "max_features": real(0.1, 1.0),
            "max_bins": integer(2, 64, "Logarithmic"),
        },
    ),
    "noisy-sgd-digits": Training(
        "choose",
        "digits",
        "error",
        400,
        300,
        build_sgd,
        {
            "loss": category("hinge", "log_loss", "modified_huber", "perceptron"),
            "alpha": log(1e-7, 1.0),
            "eta0": log(1e-5, 1.0),
            "learning_rate": category("constant", "invscaling", "adaptive", "optimal"),
            "penalty": category("l2", "l1", "elasticnet"),
        },
        new_split=True,
    ),
    "noisy-polynomial-diabetes": Training(
        "report",
        "diabetes",
        "RMSE",
        250,
        150,
        build_polynomial,
        {
            "degree": integer(1, 3),
            "products": category("only", "all"),
            "alpha": log(1e-2, 1e2),
            "l1_ratio": real(0.0, 1.0),
        },
        new_split=True,
    ),
    "network-friedman": Training(
        "report",
        "friedman",
        "RMSE",
        600,
        400,
        build_network_regressor,
        {
            "first": integer(4, 128, "Logarithmic"),
            "second": integer(4, 128, "Logarithmic"),
            "activation": category("relu", "tanh", "logistic", "identity"),
            "solver": category("sgd", "adam"),
            "momentum": real(0.0, 0.99) | {"when": {"solver": "sgd"}},
            "rate": log(1e-5, 1e-1),
            "alpha": log(1e-6, 10.0),
            "batch": integer(8, 256, "Logarithmic"),
        },
    ),
    "noisy-trees-friedman": Training(
        "choose",
        "friedman",
        "RMSE",
        300,
        200,
        build_extra_trees,
        {
            "trees": integer(2, 40, "Logarithmic"),
            "depth": integer(1, 16),
            "leaf": integer(1, 32, "Logarithmic"),
            "features": real(0.1, 1.0),
            "resample": category("yes", "no"),
            "samples": real(0.2, 1.0) | {"when": {"resample": "yes"}},
        },
        new_split=True,
    ),
}


def make_training(name: str) -> Problem:
    """Return a training as a problem; its jobs count as a second each."""
    training = TRAININGS[name]
    ranges = parse_ranges(training.ranges)
    records = read_records()
    if name not in records:
        records[name] = record(training)
        write_records(records)

    def start(seed: int) -> Run:
        splits = iter(np.random.default_rng(seed).integers(1000, size=10_000).tolist())

        def answer(hyperparameters: Hyperparameters) -> Answer:
            split = next(splits) if training.new_split else 0
            return Answer(hyperparameters, train(training, hyperparameters, split))

        return answer

    def measure(hyperparameters: Hyperparameters) -> float:
        return float(np.mean([train(training, hyperparameters, split) for split in SPLITS]))

    exact = measure if training.new_split else None
    return Problem(f"training-{name}", training.half, ranges, start, **records[name], measure=exact)


def record(training: Training) -> dict[str, float]:
    """Return the best, the median and the worst loss of points drawn at random."""
    space = Space(parse_ranges(training.ranges))
    points = map(space.decode, space.draw(0, 0, DRAWN))
    splits = SPLITS if training.new_split else [0]
    losses = np.array(
        [np.mean([train(training, point, split) for split in splits]) for point in points]
    )
    median, worst = summarize(losses)
    return {"best": float(losses.min()), "median": median, "worst": worst}


def read_records() -> dict[str, dict[str, float]]:
    """Return what is known of each training's losses."""
    return dict(json.loads(RECORDS.read_text())) if RECORDS.exists() else {}


def write_records(records: Mapping[str, Mapping[str, float]]) -> None:
    """Keep what is known of each training's losses."""
    RECORDS.write_text(json.dumps(dict(sorted(records.items())), indent=1) + "\n")
