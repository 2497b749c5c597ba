"""The surrogate of `bayesian`: a Gaussian process over what was tried, and where it promises most.

scikit-optimize's regressor and kernels in a loop of our own, as `skopt.Optimizer` forgets what is
in flight, repeats itself and refits from scratch for every point of a batch. What differs:

* losses become robust scores (`outcomes`), points lie in the unit cube (`space`);
* kernel hyperparameters are not fitted but sampled from their posterior (Snoek et al. 2012,
  section 3.1; SageMaker does so too), as a fit to twenty points is over-sure of itself;
* jobs in flight count as if they had come out as predicted (kriging believer), and no other is
  right beside them;
* expected improvement is taken as a logarithm, which does not vanish (Ament et al. 2023);
* where two jobs came out exactly alike, no other job looks in between.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError, cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize
from scipy.spatial.distance import cdist
from scipy.special import log_ndtr, ndtr
from skopt.learning import GaussianProcessRegressor
from skopt.learning.gaussian_process.kernels import ConstantKernel, Kernel, Matern, WhiteKernel
from threadpoolctl import threadpool_limits

from hpt_cli.spec.ranges import CategoricalRange
from hpt_cli.strategies import Trial
from hpt_cli.strategies.space import Floats, Space
from hpt_cli.strategies.targets import score_losses

MAX_LEARN = 100
"""How many observations kernel hyperparameters are learned from."""
MAX_MODEL = 400
"""How many observations predictions are made from: the best, and an even sample of the rest."""
SAMPLES = 6
"""How many kernels an acquisition is averaged over, while observations are few."""
FLAT = 1.0
"""How far a flat spot may reach from where it was seen, in length scales of the surrogate."""
JITTER = 1e-6
GUESS_NOISE = 0.1
"""Variance added where a trial was stopped or failed: the score is a guess (scores have 1)."""
CROWD = 0.01
"""How close to a job in flight no other is tried: a share of the range, in every coordinate."""

# What is known


@dataclass(frozen=True)
class Evidence:
    """What the surrogate is told.

    `points` (n, d) and `scores` (n,) in order of score, with `noise` (n,) on top of what is
    estimated; `pending` (p, d); both already widened. `places` (n, d) are the points in the cube,
    and `groups` (columns,) says which range a column of a widened point belongs to.
    """

    places: Floats
    points: Floats
    scores: Floats
    noise: Floats
    pending: Floats
    groups: np.ndarray


def gather(
    space: Space, ended: Sequence[Trial], losses: Floats, running: Sequence[Trial]
) -> Evidence:
    """Choose what the surrogate learns from: at most MAX_MODEL trials."""
    scores = score_losses(losses)
    chosen = pick(np.argsort(scores, kind="stable"), MAX_MODEL)
    places = space.encode(ended[index].hyperparameters for index in chosen)
    guessed = np.array([ended[index].status != "Completed" for index in chosen])
    return Evidence(
        places=places,
        points=widen(space, places),
        scores=scores[chosen],
        noise=np.where(guessed, GUESS_NOISE, 0.0) + JITTER,
        pending=widen(space, space.encode(trial.hyperparameters for trial in running)),
        groups=np.repeat(np.arange(len(space.ranges)), count_columns(space)),
    )


def pick(ordered: np.ndarray, count: int) -> np.ndarray:
    """`count` of the ordered items: the first half of that, and an even sample of the others."""
    if len(ordered) <= count:
        return ordered
    half = count // 2
    others = np.linspace(half, len(ordered) - 1, count - half).astype(int)
    return np.concatenate([ordered[:half], ordered[others]])


def count_columns(space: Space) -> list[int]:
    """How many columns each range has in a widened point."""
    return [
        len(each.values) if isinstance(each, CategoricalRange) else 1
        for each in space.ranges.values()
    ]


def widen(space: Space, places: Floats) -> Floats:
    """Points, (n, d), with one column per category, so that any two categories are 1 apart."""
    columns = []
    for column, count in zip(places.T, count_columns(space), strict=True):
        hot = np.eye(count)[np.minimum((column * count).astype(int), count - 1)] / np.sqrt(2)
        columns.append(hot if count > 1 else column[:, None])
    return np.hstack(columns)


# The surrogate


class Surrogate(GaussianProcessRegressor):  # type: ignore[misc]
    """scikit-optimize's regressor with a prediction through BLAS: ten times as fast."""

    def predict(self, points: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation without noise, both (m,), at widened points."""
        signal = self.kernel_.k1
        cross = signal(points, self.X_train_)
        half = solve_triangular(self.L_, cross.T, lower=True, check_finite=False)
        variance = signal.diag(points) - np.einsum("ij,ij->j", half, half)
        return cross @ self.alpha_, np.sqrt(np.maximum(variance, 1e-12))


class Posterior:
    """The posterior of the kernel's hyperparameters, up to a constant.

    theta is the logarithm of (amplitude, length scale of each range, noise variance), with
    independent normal priors. A Matérn 5/2 kernel, as Snoek et al. 2012 advise.
    """

    def __init__(self, evidence: Evidence) -> None:
        chosen = pick(np.arange(len(evidence.scores)), MAX_LEARN)
        points, groups = evidence.points[chosen], evidence.groups
        self.scores, self.noise = evidence.scores[chosen], np.diag(evidence.noise[chosen])
        count = int(groups[-1]) + 1
        gaps = (points[:, None, :] - points[None, :, :]) ** 2
        by_range = [gaps[:, :, groups == each].sum(axis=2).ravel() for each in range(count)]
        self.flat = np.stack(by_range)
        self.centre = np.log([1.0, *[0.7] * count, 0.05])
        self.width = np.array([1.0, *[1.0] * count, 1.5])
        self.low, self.high = self.centre - 3 * self.width, self.centre + 3 * self.width

    def _factor(self, theta: Floats) -> tuple[Floats, Floats, Floats]:
        """Distances (n * n,), correlations (n * n,) and the Cholesky factor (n, n)."""
        r = np.sqrt(5 * (np.exp(-2 * theta[1:-1]) @ self.flat))
        correlation = (1 + r + r * r / 3) * np.exp(-r)
        covariance = np.exp(theta[0]) * correlation.reshape(self.noise.shape) + self.noise
        covariance[np.diag_indices_from(covariance)] += np.exp(theta[-1])
        return r, correlation, cholesky(covariance, lower=True, check_finite=False)

    def value(self, theta: Floats) -> float:
        """Log density; -inf out of bounds."""
        if np.any(theta < self.low) or np.any(theta > self.high):
            return -np.inf
        try:
            factor = self._factor(theta)[2]
        except LinAlgError:
            return -np.inf
        white = solve_triangular(factor, self.scores, lower=True, check_finite=False)
        off = (theta - self.centre) / self.width
        return float(-0.5 * (white @ white + off @ off) - np.log(np.diag(factor)).sum())

    def descend(self, theta: Floats) -> tuple[float, Floats]:
        """Minus the log density, and its gradient (Rasmussen and Williams 2006, equation 5.9)."""
        r, correlation, factor = self._factor(theta)
        weights = cho_solve((factor, True), self.scores, check_finite=False)
        inverse = cho_solve((factor, True), np.eye(len(factor)), check_finite=False)
        outer = inverse - np.outer(weights, weights)
        off = (theta - self.centre) / self.width
        amplitude, noise = np.exp(theta[0]), np.exp(theta[-1])
        slope = outer.ravel() * (amplitude * 5 / 3 * (1 + r) * np.exp(-r))
        gradient = [
            amplitude * (outer.ravel() @ correlation),
            *np.exp(-2 * theta[1:-1]) * (self.flat @ slope),
            noise * np.trace(outer),
        ]
        value = 0.5 * (self.scores @ weights + off @ off) + np.log(np.diag(factor)).sum()
        return float(value), np.array(gradient) / 2 + off / self.width

    def find_mode(self) -> Floats:
        """The likeliest theta that one descent from the priors' centre finds."""
        found = minimize(
            self.descend,
            self.centre,
            jac=True,
            bounds=list(zip(self.low, self.high, strict=True)),
            method="L-BFGS-B",
            options={"maxiter": 50},
        )
        return np.asarray(found.x)

    def sample(self, rng: np.random.Generator, start: Floats, count: int) -> Iterator[Floats]:
        """`count` thetas by slice sampling along random directions (Neal 2003), every third."""
        theta, level = start, self.value(start)
        for step in range(1, 3 * count + 1):
            direction = rng.normal(size=len(theta)) * self.width
            theta, level = self._slide(rng, theta, direction, level + np.log(rng.random()))
            if step % 3 == 0:
                yield theta

    def _slide(
        self, rng: np.random.Generator, theta: Floats, direction: Floats, least: float
    ) -> tuple[Floats, float]:
        """A point on the line through theta whose density is at least `least`."""
        low = -rng.random()
        high = low + 1
        while high - low > 1e-6:
            step = rng.uniform(low, high)
            level = self.value(theta + step * direction)
            if level >= least:
                return theta + step * direction, level
            low, high = (step, high) if step < 0 else (low, step)
        return theta, self.value(theta)


def make_kernel(theta: Floats, groups: np.ndarray) -> Kernel:
    """scikit-optimize's kernel for a theta: columns of one range share a length scale."""
    amplitude, noise = np.exp(theta[0]), np.exp(theta[-1])
    signal = ConstantKernel(amplitude) * Matern(np.exp(theta[1:-1])[groups], nu=2.5)
    return signal + WhiteKernel(noise)


def fit(evidence: Evidence, theta: Floats) -> tuple[Surrogate, float]:
    """A surrogate that believes in the pending points' predictions, and the least score it
    expects where a trial ended."""
    kernel = make_kernel(theta, evidence.groups)
    surrogate = Surrogate(kernel, alpha=evidence.noise, optimizer=None)
    surrogate.fit(evidence.points, evidence.scores)
    best = float(surrogate.predict(evidence.points)[0].min())
    if len(evidence.pending):
        believed = surrogate.predict(evidence.pending)[0]
        surrogate.alpha = np.append(evidence.noise, np.full(len(believed), JITTER))
        surrogate.fit(
            np.vstack([evidence.points, evidence.pending]), np.append(evidence.scores, believed)
        )
    return surrogate, best


# The acquisition


def log_improvement(mean: Floats, deviation: Floats, best: float) -> Floats:
    """Logarithm of the expected improvement on `best`, (m,) (Ament et al. 2023, equation 9)."""
    z = (best - mean) / deviation
    log_density = -z * z / 2 - np.log(2 * np.pi) / 2
    near = np.exp(log_density) + z * ndtr(z)
    far = 1 + z * np.exp(log_ndtr(z) - log_density)
    shape = np.where(
        z > -1, np.log(np.maximum(near, 1e-300)), log_density + np.log(np.maximum(far, 1e-300))
    )
    return np.asarray(shape + np.log(deviation))


def search(space: Space, evidence: Evidence, rng: np.random.Generator) -> Floats:
    """Points of the cube, the most promising first.

    From all over the cube and around the best places, then ever closer around those that promise
    most; snapped, so that what is judged is what would be run.
    """
    # One thread: the cores are the training jobs', and matrices this small are no faster with two.
    with threadpool_limits(limits=1, user_api="blas"):
        return _search(space, evidence, rng)


def _search(space: Space, evidence: Evidence, rng: np.random.Generator) -> Floats:
    posterior = Posterior(evidence)
    mode = posterior.find_mode()
    samples = SAMPLES if len(evidence.scores) <= MAX_LEARN else 0
    thetas = [*posterior.sample(rng, mode, samples)] or [mode]
    fits = [fit(evidence, theta) for theta in thetas]

    def judge(places: Floats) -> Floats:
        points = widen(space, places)
        logs = [log_improvement(*each.predict(points), best=best) for each, best in fits]
        return np.asarray(np.logaddexp.reduce(logs, axis=0))

    spread = rng.random((256, len(space.ranges)))
    near = [perturb(rng, evidence.places[:5], width, 100) for width in (0.02, 0.05, 0.1, 0.2)]
    places = space.snap(np.vstack([spread, *near]))
    values = judge(places)
    for width in (0.1, 0.03, 0.01):
        top = places[np.argsort(-values, kind="stable")[:8]]
        closer = space.snap(perturb(rng, top, width, 200))
        places, values = np.vstack([places, closer]), np.append(values, judge(closer))
    points = widen(space, places)
    shunned = is_flat(points, evidence, mode) | is_crowded(points, evidence)
    return places[np.lexsort((-values, shunned))]


def is_flat(points: Floats, evidence: Evidence, theta: Floats) -> np.ndarray:
    """Whether each point, (m, columns), lies where the objective was found not to change, (m,).

    Two jobs with one and the same result tell that there is a step, not a slope: the metric is
    coarse, or a hyperparameter hardly counts. Around them, twice as far as they lie apart, another
    job would most likely tell the same. Distances are in length scales, at most FLAT.
    """
    known = evidence.noise == JITTER
    scales = np.exp(theta[1:-1])[evidence.groups]
    centres, scores = evidence.points[known] / scales, evidence.scores[known]
    gaps = cdist(centres, centres)
    gaps[(scores[:, None] != scores) | np.eye(len(scores), dtype=bool)] = np.inf
    reach = 2 * gaps.min(axis=1, initial=np.inf)
    reach = np.where(np.isfinite(reach), np.minimum(reach, FLAT), 0.0)
    return np.asarray((cdist(points / scales, centres) < reach).any(axis=1))


def is_crowded(points: Floats, evidence: Evidence) -> np.ndarray:
    """Whether each point, (m, columns), lies right beside one in flight, (m,)."""
    return np.asarray((cdist(points, evidence.pending, "chebyshev") < CROWD).any(axis=1))


def perturb(rng: np.random.Generator, places: Floats, width: float, count: int) -> Floats:
    """`count` points around these places, about two coordinates in three moved, off the walls."""
    start = places[rng.integers(len(places), size=count)]
    moved = rng.random(start.shape) < 0.7
    beyond = np.abs(start + moved * rng.normal(scale=width, size=start.shape))
    return np.where(beyond > 1, 2 - beyond, beyond)
