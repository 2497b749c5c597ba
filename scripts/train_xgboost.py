"""Train gradient boosted trees with XGBoost on scikit-learn's breast cancer data.

XGBoost prints a line for each round; `preset: xgboost` reads it:

    [7]	train-logloss:0.05103	validation-logloss:0.10941
"""

import argparse

import xgboost
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

parser = argparse.ArgumentParser()
parser.add_argument("--eta", type=float, default=0.3, help="the learning rate")
parser.add_argument("--max-depth", type=int, default=6)
parser.add_argument("--min-child-weight", type=float, default=1.0)
parser.add_argument("--subsample", type=float, default=1.0)
parser.add_argument("--rounds", type=int, default=50)
arguments = parser.parse_args()

images, labels = load_breast_cancer(return_X_y=True)
x, x_valid, y, y_valid = train_test_split(images, labels, test_size=0.4, random_state=0)
train, valid = xgboost.DMatrix(x, y), xgboost.DMatrix(x_valid, y_valid)
parameters = {
    "objective": "binary:logistic",
    "eval_metric": "logloss",
    "eta": arguments.eta,
    "max_depth": arguments.max_depth,
    "min_child_weight": arguments.min_child_weight,
    "subsample": arguments.subsample,
    "nthread": 1,
}
xgboost.train(parameters, train, arguments.rounds, evals=[(train, "train"), (valid, "validation")])
