"""Train a small neural network on handwritten digits: the example `hpt` tunes.

The 1,797 images (8 x 8 pixels) ship inside scikit-learn, so nothing is downloaded.  Each is covered
with fresh noise every time it is shown.  One line per epoch goes to standard output, with the
accuracy of the averaged weights of the latest epochs:

    epoch=7 train-loss=0.0312 validation-accuracy=0.9612
"""

import argparse
import importlib.util
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

# One thread per training job, so that jobs running side by side do not compete.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]

LAYERS = (64, 96, 96, 96, 10)  # pixels, three hidden layers of tanh units, digits
TRAINING_IMAGES = 1000  # the other 797 are for validation
TRAINING_PASSES = 2  # times each training image is shown per epoch
VALIDATION_COPIES = 4  # of each validation image, each with its own noise
PIXEL_NOISE = 0.1  # standard deviation, where 1 is the range of a pixel
MOMENTUM = 0.9
MEMORY = np.float32(0.6)  # what is left of the averaged weights after an epoch


def load_digits() -> tuple[Floats, Labels]:
    """Read scikit-learn's digits, without the seconds it takes to import scikit-learn."""
    spec = importlib.util.find_spec("sklearn")
    if spec is None or spec.origin is None:
        raise SystemExit("train_digits.py needs scikit-learn: pip install scikit-learn")
    path = Path(spec.origin).parent / "datasets" / "data" / "digits.csv.gz"
    table: Floats = np.loadtxt(path, delimiter=",", dtype=np.float32)
    return table[:, :-1] / np.float32(16), table[:, -1].astype(np.int64)


def add_noise(images: Floats, rng: np.random.Generator) -> Floats:
    """Return the images with independent noise on every pixel, centred near zero."""
    noise = rng.standard_normal(images.shape, dtype=np.float32)
    return images + np.float32(PIXEL_NOISE) * noise - np.float32(0.3)


class Network:
    """A multilayer perceptron whose parameters are views into one flat vector."""

    def __init__(self, rng: np.random.Generator) -> None:
        shapes = [(n + 1, m) for n, m in itertools.pairwise(LAYERS)]  # + 1 for the bias
        self.parameters = np.zeros(sum(n * m for n, m in shapes), np.float32)
        self.gradient = np.zeros_like(self.parameters)
        self.weights: list[Floats] = []
        self.slopes: list[Floats] = []
        start = 0
        for shape in shapes:
            end = start + shape[0] * shape[1]
            self.weights.append(self.parameters[start:end].reshape(shape))
            self.slopes.append(self.gradient[start:end].reshape(shape))
            self.weights[-1][:-1] = rng.normal(0, shape[0] ** -0.5, (shape[0] - 1, shape[1]))
            start = end

    def activations(self, inputs: Floats) -> list[Floats]:
        """Return what goes into each layer, and last the scores of the ten digits."""
        values = [inputs]
        for weights in self.weights[:-1]:
            values.append(np.tanh(values[-1] @ weights[:-1] + weights[-1]))
        values.append(values[-1] @ self.weights[-1][:-1] + self.weights[-1][-1])
        return values

    def backward(self, inputs: Floats, labels: Labels) -> float:
        """Set the gradient of the mean cross-entropy, and return the cross-entropy."""
        *values, scores = self.activations(inputs)
        rows = np.arange(len(labels))
        scores -= scores.max(axis=1, keepdims=True)
        log_likelihood = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        error = np.exp(log_likelihood)
        error[rows, labels] -= 1
        error /= len(labels)
        for layer in reversed(range(len(values))):
            np.matmul(values[layer].T, error, out=self.slopes[layer][:-1])
            error.sum(axis=0, out=self.slopes[layer][-1])
            error = (error @ self.weights[layer][:-1].T) * (1 - values[layer] ** 2)
        return float(-log_likelihood[rows, labels].mean())

    def accuracy(self, inputs: Floats, labels: Labels) -> float:
        """Return the fraction of the images recognised."""
        return float((self.activations(inputs)[-1].argmax(axis=1) == labels).mean())


class Optimizer:
    """Turns gradients into steps, remembering what its rule needs of the earlier ones."""

    def __init__(self, rule: str, learning_rate: float, size: int) -> None:
        self.rule = rule
        self.learning_rate = np.float32(learning_rate)
        self.mean = np.zeros(size, np.float32)
        self.square = np.zeros(size, np.float32)
        self.steps = 0

    def step(self, gradient: Floats) -> Floats:
        """Return what to subtract from the parameters."""
        self.steps += 1
        direction: Floats
        match self.rule:
            case "sgd":
                direction = gradient
            case "nag":
                self.mean = MOMENTUM * self.mean + gradient
                direction = gradient + MOMENTUM * self.mean
            case "rmsprop":
                self.square = 0.9 * self.square + 0.1 * gradient**2
                scale: Floats = np.sqrt(self.square)
                direction = gradient / (scale + np.float32(1e-8))
            case _:  # adam
                self.mean = 0.9 * self.mean + 0.1 * gradient
                self.square = 0.999 * self.square + 0.001 * gradient**2
                # Both averages start at zero: undo that bias.
                mean = self.mean / np.float32(1 - 0.9**self.steps)
                scale = np.sqrt(self.square / np.float32(1 - 0.999**self.steps))
                direction = mean / (scale + np.float32(1e-8))
        return self.learning_rate * direction


def batches(
    images: Floats, labels: Labels, size: int, rng: np.random.Generator
) -> Iterator[tuple[Floats, Labels]]:
    """Yield one epoch of shuffled mini-batches of freshly noised images."""
    order = np.concatenate([rng.permutation(len(images)) for _ in range(TRAINING_PASSES)])
    inputs, targets = add_noise(images[order], rng), labels[order]
    for start in range(0, len(order), size):
        yield inputs[start : start + size], targets[start : start + size]


def train(options: argparse.Namespace) -> None:
    """Train with the given options, printing the two metrics after every epoch."""
    images, labels = load_digits()
    split = np.random.default_rng(12345)  # the same data whatever the seed
    shuffled = split.permutation(len(images))
    training = shuffled[:TRAINING_IMAGES]
    validation = np.tile(shuffled[TRAINING_IMAGES:], VALIDATION_COPIES)
    validation_inputs = add_noise(images[validation], split)

    rng = np.random.default_rng(options.seed)
    network = Network(rng)
    average = Network(np.random.default_rng(options.seed))
    optimizer = Optimizer(options.optimizer, options.learning_rate, network.parameters.size)
    for epoch in range(1, options.epochs + 1):
        losses = []
        for batch in batches(images[training], labels[training], options.mini_batch_size, rng):
            losses.append(network.backward(*batch))
            network.parameters -= optimizer.step(network.gradient)
        average.parameters += (1 - MEMORY) * (network.parameters - average.parameters)
        accuracy = average.accuracy(validation_inputs, labels[validation])
        print(
            f"epoch={epoch} train-loss={np.mean(losses):.4f} validation-accuracy={accuracy:.4f}",
            flush=True,
        )


def main() -> None:
    """Read the options and train."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--learning-rate", type=float, default=0.01)
    parser.add_argument("--mini-batch-size", type=int, default=32)
    parser.add_argument("--optimizer", choices=("sgd", "adam", "rmsprop", "nag"), default="sgd")
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    np.seterr(all="ignore")  # a learning rate that is too high is to be seen in the metrics
    train(parser.parse_args())


if __name__ == "__main__":
    main()
