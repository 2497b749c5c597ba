"""Train a multilayer perceptron with scikit-learn on its handwritten digits.

With `verbose` and `early_stopping` it prints two lines for each epoch; `preset: scikit-learn` reads
them:

    Iteration 7, loss = 0.81204217
    Validation score: 0.861111
"""

import argparse
import os
import warnings

# One thread per training job, so that jobs running side by side do not compete.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

parser = argparse.ArgumentParser()
parser.add_argument("--learning-rate", type=float, default=1e-3)
parser.add_argument("--alpha", type=float, default=1e-4, help="the weight of the L2 penalty")
parser.add_argument("--hidden", type=int, default=32, help="units in the hidden layer")
parser.add_argument("--activation", default="relu")
parser.add_argument("--epochs", type=int, default=20)
arguments = parser.parse_args()

warnings.simplefilter("ignore", ConvergenceWarning)  # the number of epochs is what was asked for
images, labels = load_digits(return_X_y=True)
MLPClassifier(
    (arguments.hidden,),
    activation=arguments.activation,
    learning_rate_init=arguments.learning_rate,
    alpha=arguments.alpha,
    max_iter=arguments.epochs,
    n_iter_no_change=arguments.epochs,
    early_stopping=True,
    validation_fraction=0.2,
    random_state=0,
    verbose=True,
).fit(images / 16, labels)
