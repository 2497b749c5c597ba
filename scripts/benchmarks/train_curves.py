"""Three small trainings with nine hyperparameters each that print their loss after every epoch.

    python scripts/benchmarks/train_curves.py network-digits --rate 0.003 --epochs 30
    hpt run scripts/benchmarks/end_to_end/network-digits.yaml --set max_jobs=20

end_to_end.py tunes them. Data and models are scikit-learn's; each line is `epoch=7 loss=0.3120`.
"""

from __future__ import annotations

import argparse
import os
import warnings
from collections.abc import Callable, Iterator

# One thread per training job, so that jobs running side by side do not compete.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from sklearn.datasets import load_diabetes, load_digits, make_friedman1
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

TREES = 4
"""How many trees are an epoch of boosting."""


def build_network(kind: type, options: argparse.Namespace) -> MLPClassifier | MLPRegressor:
    """Return a network that has learned nothing."""
    momentum = (
        {"momentum": options.momentum} if options.solver == "sgd" else {"beta_1": options.momentum}
    )
    return kind(
        hidden_layer_sizes=(options.width,) * options.layers,
        activation=options.activation,
        solver=options.solver,
        learning_rate_init=options.rate,
        batch_size=options.batch,
        alpha=options.alpha,
        random_state=0,
        **momentum,
    )


def train_classifier(options: argparse.Namespace) -> Iterator[float]:
    """Yield the log loss of a network that reads digits, after each epoch."""
    images, digits = load_digits(return_X_y=True)
    images, rng = images / 16, np.random.default_rng(0)
    model = build_network(MLPClassifier, options)
    while True:
        noise = rng.normal(scale=options.noise, size=images[:900].shape)
        model.partial_fit(images[:900] + noise, digits[:900], classes=np.arange(10))
        yield float(log_loss(digits[900:], model.predict_proba(images[900:])))


def train_regressor(options: argparse.Namespace) -> Iterator[float]:
    """Yield the RMSE of a network on Friedman's function, after each epoch."""
    points, targets = make_friedman1(1600, 10, noise=1.0, random_state=0)
    points, rng = StandardScaler().fit_transform(points), np.random.default_rng(0)
    model = build_network(MLPRegressor, options)
    while True:
        noise = rng.normal(scale=options.noise, size=points[:800].shape)
        model.partial_fit(points[:800] + noise, targets[:800])
        yield root_mean_square(targets[800:] - model.predict(points[800:]))


def train_boosting(options: argparse.Namespace) -> Iterator[float]:
    """Yield the RMSE of boosted trees on the progress of diabetes, after every few trees."""
    points, targets = load_diabetes(return_X_y=True)
    model = GradientBoostingRegressor(
        n_estimators=0,
        learning_rate=options.rate,
        max_depth=options.depth,
        max_leaf_nodes=options.leaves,
        min_samples_leaf=options.leaf_rows,
        min_samples_split=options.split_rows,
        subsample=options.rows,
        max_features=options.features,
        loss=options.loss,
        alpha=options.quantile,
        warm_start=True,
        random_state=0,
    )
    while True:
        model.n_estimators += TREES
        model.fit(points[:300], targets[:300])
        yield root_mean_square(targets[300:] - model.predict(points[300:]))


def root_mean_square(errors: np.ndarray) -> float:
    """Return the root of the mean square of errors, (n,)."""
    return float(np.sqrt(np.mean(errors**2)))


TRAININGS: dict[str, Callable[[argparse.Namespace], Iterator[float]]] = {
    "network-digits": train_classifier,
    "network-friedman": train_regressor,
    "boosting-diabetes": train_boosting,
}


def parse_options() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("training", choices=TRAININGS)
    add("--epochs", type=int, default=30)
    add("--rate", type=float, default=1e-3)
    networks = parser.add_argument_group("networks").add_argument
    networks("--width", type=int, default=32)
    networks("--layers", type=int, default=2)
    networks("--activation", choices=("relu", "tanh", "logistic"), default="relu")
    networks("--solver", choices=("adam", "sgd"), default="adam")
    networks("--momentum", type=float, default=0.9, help="or Adam's beta_1")
    networks("--batch", type=int, default=32)
    networks("--alpha", type=float, default=1e-4)
    networks("--noise", type=float, default=0.0, help="on what the network sees")
    trees = parser.add_argument_group("boosting").add_argument
    trees("--depth", type=int, default=3)
    trees("--leaves", type=int, default=8)
    trees("--leaf-rows", type=int, default=1)
    trees("--split-rows", type=int, default=2)
    trees("--rows", type=float, default=1.0, help="the share that each tree sees")
    trees("--features", type=float, default=1.0, help="the share that each split sees")
    trees("--loss", choices=("squared_error", "huber", "quantile"), default="squared_error")
    trees("--quantile", type=float, default=0.5, help="of huber and quantile")
    return parser.parse_args()


def main() -> None:
    """Train, and print a line after each epoch."""
    options = parse_options()
    warnings.simplefilter("ignore")  # scikit-learn's, where a network diverges
    losses = TRAININGS[options.training](options)
    for epoch in range(1, options.epochs + 1):
        try:
            loss = next(losses)
        except ValueError as error:
            if isinstance(error, TypeError):  # as scikit-learn says that a parameter is wrong
                raise
            loss = float("nan")  # the weights are no longer finite
        print(f"epoch={epoch} loss={loss:.4f}", flush=True)
        if not np.isfinite(loss):
            break


if __name__ == "__main__":
    main()
