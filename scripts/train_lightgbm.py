"""Train gradient boosted trees with LightGBM on scikit-learn's breast cancer data.

LightGBM prints a line for each round; `preset: lightgbm` reads it:

    [7]	valid_0's auc: 0.98742	valid_0's binary_logloss: 0.209412
"""

import argparse

import lightgbm
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

parser = argparse.ArgumentParser()
parser.add_argument("--learning-rate", type=float, default=0.1)
parser.add_argument("--num-leaves", type=int, default=31)
parser.add_argument("--feature-fraction", type=float, default=1.0)
parser.add_argument("--rounds", type=int, default=50)
arguments = parser.parse_args()

images, labels = load_breast_cancer(return_X_y=True)
x, x_valid, y, y_valid = train_test_split(images, labels, test_size=0.4, random_state=0)
train = lightgbm.Dataset(x, y)
lightgbm.train(
    {
        "objective": "binary",
        "metric": ["auc", "binary_logloss"],
        "learning_rate": arguments.learning_rate,
        "num_leaves": arguments.num_leaves,
        "feature_fraction": arguments.feature_fraction,
        "num_threads": 1,
        "verbose": -1,
    },
    train,
    arguments.rounds,
    valid_sets=[lightgbm.Dataset(x_valid, y_valid, reference=train)],
    callbacks=[lightgbm.log_evaluation(1)],
)
