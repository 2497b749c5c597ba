"""The surrogate model of `bayesian`, a Gaussian process, and the acquisition function over it.

The regressor and its kernels are scikit-optimize's; the loop around them is hpt's own, as
`skopt.Optimizer` forgets pending points, repeats itself and refits for every point of a batch.
What differs:

* losses become robust scores (`targets`), points lie in the unit cube (`space`);
* kernel hyperparameters are not fitted but sampled from their posterior (Snoek et al. 2012,
  section 3.1; SageMaker does so too), as a fit to twenty points is overconfident;
* pending jobs count as if they had the predicted result (kriging believer), and no other job is
  placed right beside them;
* expected improvement is taken as a logarithm, which does not vanish (Ament et al. 2023);
* jobs that failed have a model of their own, of where jobs fail (Gardner et al. 2014).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import cast

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
from hpt_cli.strategies.space import Floats, Space, reflect
from hpt_cli.strategies.targets import score_losses
from hpt_cli.strategies.user_prior import STRENGTH, UserPrior

MAX_LEARN = 100
"""How many trials the kernel's hyperparameters are learned from."""
MAX_MODEL = 400
"""How many trials predictions are made from: the best, and an even sample of the rest."""
SAMPLES = 6
"""How many kernels the acquisition is averaged over, while there are few trials."""
JITTER = 1e-6
GUESS_NOISE = 0.1
"""Variance added where a trial was stopped: the score is a guess (scores have 1)."""
MIN_SUCCESS = 0.01
"""The least probability that a job succeeds, however many failed around it."""
SAFE_ENOUGH = 0.85
"""A point with less than this share of the best probability to succeed is tried last."""
CAUTION = 3
"""The power to which that probability is raised: a job that fails costs more than its own time."""
SPREAD = 256
"""How many candidates come from all over the space."""
MAX_REDRAWS = 15
"""How often as many again are drawn where constraints leave too few of them."""
PENDING_DISTANCE = 0.01
"""How close to a pending job no other is placed: a share of the range, in every coordinate."""


def limit_threads() -> AbstractContextManager[object]:
    """Return a context for what is below: one thread of BLAS, as the cores are the training jobs',
    and matrices this small are no faster with two."""
    return cast(AbstractContextManager[object], threadpool_limits(limits=1, user_api="blas"))


# Evidence


@dataclass(frozen=True)
class Evidence:
    """What the surrogate is fitted to.

    `places` (n, d) are the trials' points in the unit cube, in order of their `scores` (n,), and
    `points` (n, columns) the same with categories one-hot encoded, as are the `pending` (p,
    columns). `noise` (n,) is a variance on top of the estimated one. `groups` (columns,) says which
    range a column belongs to, and `counts` (n,) whether a trial's result does: it breaks no metric
    constraint.
    """

    places: Floats
    points: Floats
    scores: Floats
    noise: Floats
    pending: Floats
    groups: np.ndarray
    counts: np.ndarray

    def find_counting(self) -> np.ndarray:
        """Return the places, (k,), of the results that count; of all where none does."""
        return np.flatnonzero(self.counts if self.counts.any() else ~self.counts)


def select_evidence(
    space: Space,
    ended: Sequence[Trial],
    scores: Floats,
    noise: Floats,
    running: Sequence[Trial] = (),
) -> Evidence:
    """Return the evidence of at most MAX_MODEL trials that ended; `scores` and `noise` are (n,)."""
    chosen = subsample(np.argsort(scores, kind="stable"), MAX_MODEL)
    places = space.encode(ended[index].hyperparameters for index in chosen)
    return Evidence(
        places=places,
        points=encode_one_hot(space, places),
        scores=scores[chosen],
        noise=noise[chosen] + JITTER,
        pending=encode_one_hot(space, space.encode(trial.hyperparameters for trial in running)),
        groups=np.repeat(np.arange(len(space.ranges)), count_columns(space)),
        counts=np.array([not ended[index].is_broken for index in chosen], dtype=bool),
    )


def select_results(
    space: Space, ended: Sequence[Trial], losses: Floats, running: Sequence[Trial]
) -> Evidence:
    """Return the evidence of how good the results of trials are; `losses` is (n,)."""
    noise = np.array([0.0 if trial.status == "Completed" else GUESS_NOISE for trial in ended])
    return select_evidence(space, ended, score_losses(losses), noise, running)


def subsample(ordered: np.ndarray, count: int) -> np.ndarray:
    """Return `count` of ordered items: the first half of that, and an even sample of the rest."""
    if len(ordered) <= count:
        return ordered
    half = count // 2
    # The rest tells where results are bad, for which a sample is enough.
    others = np.linspace(half, len(ordered) - 1, count - half).astype(int)
    return np.concatenate([ordered[:half], ordered[others]])


def count_columns(space: Space) -> list[int]:
    """Return how many columns each range has in a one-hot encoded point."""
    return [
        len(each.values) if isinstance(each, CategoricalRange) else 1
        for each in space.ranges.values()
    ]


def encode_one_hot(space: Space, places: Floats) -> Floats:
    """Return points, (n, d), with a column for each category: any two categories are 1 apart."""
    columns = []
    for column, count in zip(places.T, count_columns(space), strict=True):
        hot = np.eye(count)[np.minimum((column * count).astype(int), count - 1)] / np.sqrt(2)
        columns.append(hot if count > 1 else column[:, None])
    return np.hstack(columns)


# The surrogate


class Surrogate(GaussianProcessRegressor):  # type: ignore[misc]
    """scikit-optimize's Gaussian process, with a prediction through BLAS: ten times as fast."""

    def predict(self, points: Floats) -> tuple[Floats, Floats]:
        """Return mean and standard deviation without noise, both (m,), at points (m, columns)."""
        cross = self.cover(points)
        half = solve_triangular(self.L_, cross.T, lower=True, check_finite=False)
        variance = self.kernel_.k1.diag(points) - np.einsum("ij,ij->j", half, half)
        return cross @ self.alpha_, np.sqrt(np.maximum(variance, 1e-12))

    def measure_skill(self) -> float:
        """Return the share of the variance of its scores that it predicts, each from the others.

        Leave-one-out predictions: Rasmussen and Williams 2006, equation 5.12.
        """
        inverse = cho_solve((self.L_, True), np.eye(len(self.alpha_)), check_finite=False)
        errors = self.alpha_ / np.diag(inverse)
        return max(0.0, 1.0 - float(errors @ errors) / float(self.y_train_ @ self.y_train_))

    def cover(self, points: Floats) -> Floats:
        """Return the covariances of points, (m, columns), with the evidence: (m, n)."""
        return np.asarray(self.kernel_.k1(points, self.X_train_))


class Posterior:
    """The posterior density of the kernel's hyperparameters, up to a constant.

    theta is the logarithm of (amplitude, length scale of each range, noise variance), with
    independent normal priors. A Matérn 5/2 kernel, as Snoek et al. 2012 advise.
    """

    def __init__(self, evidence: Evidence) -> None:
        chosen = subsample(np.arange(len(evidence.scores)), MAX_LEARN)
        self.points, self.groups = evidence.points[chosen], evidence.groups
        self.scores, self.noise = evidence.scores[chosen], np.diag(evidence.noise[chosen])
        count = int(self.groups[-1]) + 1
        self.centre = np.log([1.0, *[0.7] * count, 0.05])
        self.width = np.array([1.0, *[1.0] * count, 1.5])
        self.low, self.high = self.centre - 3 * self.width, self.centre + 3 * self.width

    def log_density(self, theta: Floats) -> float:
        """Return the logarithm of the density; -inf out of bounds."""
        if np.any(theta < self.low) or np.any(theta > self.high):
            return -np.inf
        try:
            covariance = make_kernel(theta, self.groups)(self.points) + self.noise
            factor = cholesky(covariance, lower=True, check_finite=False)
        except LinAlgError:
            return -np.inf
        white = solve_triangular(factor, self.scores, lower=True, check_finite=False)
        off = (theta - self.centre) / self.width
        return float(-0.5 * (white @ white + off @ off) - np.log(np.diag(factor)).sum())

    def negative_log_density(self, theta: Floats) -> tuple[float, Floats]:
        """Return minus the log density, and its gradient (d + 2,).

        Rasmussen and Williams 2006, equation 5.9.
        """
        kernel = make_kernel(theta, self.groups)
        # `slopes`, (n, n, columns + 2), are by theta with a length scale for each column.
        covariance, slopes = kernel(self.points, eval_gradient=True)
        factor = cholesky(covariance + self.noise, lower=True, check_finite=False)
        weights = cho_solve((factor, True), self.scores, check_finite=False)
        inverse = cho_solve((factor, True), np.eye(len(factor)), check_finite=False)
        outer = inverse - np.outer(weights, weights)
        off = (theta - self.centre) / self.width
        # The traces of `outer` times each slope, as both are symmetric.
        amplitude, *columns, noise = np.tensordot(outer, slopes)
        # The columns of a range share a length scale, so its slope is the sum of theirs.
        by_range = np.bincount(self.groups, columns)
        value = 0.5 * (self.scores @ weights + off @ off) + np.log(np.diag(factor)).sum()
        return float(value), np.array([amplitude, *by_range, noise]) / 2 + off / self.width

    def find_mode(self) -> Floats:
        """Return the mode that one descent from the centre of the priors finds."""
        found = minimize(
            self.negative_log_density,
            self.centre,
            jac=True,
            bounds=list(zip(self.low, self.high, strict=True)),
            method="L-BFGS-B",
            options={"maxiter": 50},
        )
        return np.asarray(found.x)

    def sample(self, rng: np.random.Generator, start: Floats, count: int) -> Iterator[Floats]:
        """Yield `count` thetas: slice sampling along random directions (Neal 2003), every third."""
        theta, level = start, self.log_density(start)
        for step in range(1, 3 * count + 1):
            direction = rng.normal(size=len(theta)) * self.width
            theta, level = self._slice_sample(rng, theta, direction, level + np.log(rng.random()))
            if step % 3 == 0:
                yield theta

    def _slice_sample(
        self, rng: np.random.Generator, theta: Floats, direction: Floats, least: float
    ) -> tuple[Floats, float]:
        """Return a point on a line through theta with a log density of at least `least`."""
        # An interval one prior width long, at random around theta. It is not stepped out; it
        # shrinks to each point of it that is not in the slice (Neal 2003, section 4).
        low = -rng.random()
        high = low + 1
        while high - low > 1e-6:
            step = rng.uniform(low, high)
            level = self.log_density(theta + step * direction)
            if level >= least:
                return theta + step * direction, level
            low, high = (step, high) if step < 0 else (low, step)
        return theta, self.log_density(theta)


def make_kernel(theta: Floats, groups: np.ndarray) -> Kernel:
    """Return the kernel for a theta: columns of one range share a length scale."""
    amplitude, noise = np.exp(theta[0]), np.exp(theta[-1])
    signal = ConstantKernel(amplitude) * Matern(np.exp(theta[1:-1])[groups], nu=2.5)
    return signal + WhiteKernel(noise)


def fit(evidence: Evidence, theta: Floats) -> tuple[Surrogate, float]:
    """Return the surrogate, which takes its predictions at pending points for results, and the
    lowest score that it predicts where a trial ended."""
    kernel = make_kernel(theta, evidence.groups)
    surrogate = Surrogate(kernel, alpha=evidence.noise, optimizer=None)
    surrogate.fit(evidence.points, evidence.scores)
    # Predicted, not observed: the best of many noisy results is better than its true value.
    best = float(surrogate.predict(evidence.points[evidence.find_counting()])[0].min())
    if len(evidence.pending):
        believed = surrogate.predict(evidence.pending)[0]
        surrogate.alpha = np.append(evidence.noise, np.full(len(believed), JITTER))
        surrogate.fit(
            np.vstack([evidence.points, evidence.pending]), np.append(evidence.scores, believed)
        )
    return surrogate, best


class FailureModel:
    """Where jobs fail, or break a metric constraint: a Gaussian process over 1 for each that did,
    and 0 for each other.

    It counts as far as it predicts each job from the others: failures that come at random cost next
    to nothing, and a region in which jobs always fail, for want of memory perhaps, stands out.
    """

    def __init__(self, space: Space, ended: Sequence[Trial]) -> None:
        failed = np.array([trial.has_failed for trial in ended], dtype=float)
        self.share, self.deviation = failed.mean(), failed.std()
        if self.deviation > 0:
            scores = (self.share - failed) / self.deviation
            evidence = select_evidence(space, ended, scores, np.zeros(len(ended)))
            self.surrogate, _ = fit(evidence, Posterior(evidence).find_mode())
            self.skill = self.surrogate.measure_skill()

    def log_success(self, points: Floats) -> Floats:
        """Return the logarithm of the probability that a job succeeds, (m,), at (m, columns)."""
        if not self.deviation > 0:
            return np.zeros(len(points))
        scores = self.skill * self.surrogate.predict(points)[0]
        success = 1 - self.share + self.deviation * scores
        return np.asarray(np.log(success.clip(MIN_SUCCESS, 1.0)))

    def is_risky(self, points: Floats) -> np.ndarray:
        """Return whether points, (m, columns), are far likelier to fail than the safest, (m,)."""
        success = self.log_success(points)
        return np.asarray(success < success.max() + math.log(SAFE_ENOUGH))


# The acquisition


def log_improvement(mean: Floats, deviation: Floats, best: float) -> Floats:
    """Return the logarithm of the expected improvement on `best`, (m,).

    Ament et al. 2023, equation 9.
    """
    z = (best - mean) / deviation
    log_density = -z * z / 2 - np.log(2 * np.pi) / 2
    # Far below -1, the two terms of `near` cancel, so `far` has the density as a factor apart.
    near = np.exp(log_density) + z * ndtr(z)
    below = np.minimum(z, -1)
    far = 1 + below * np.exp(log_ndtr(below) + below**2 / 2) * np.sqrt(2 * np.pi)
    shape = np.where(
        z > -1, np.log(np.maximum(near, 1e-300)), log_density + np.log(np.maximum(far, 1e-300))
    )
    return np.asarray(shape + np.log(deviation))


def rank_candidates(
    space: Space,
    evidence: Evidence,
    failures: FailureModel,
    prior: UserPrior,
    trust: float,
    rng: np.random.Generator,
) -> Floats:
    """Return points of the unit cube, (n, d), the largest expected improvement first, which is none
    where a job fails (Gardner et al. 2014, section 3).

    It counts more where the user believes the optimum to be (Hvarfner et al. 2022, equation 6), as
    far as this `trust`, 0 to 1, goes.
    Candidates come from all over the cube and from around the best trials, then from ever closer
    around the best candidates. They are snapped: what is judged is what would be run.
    """
    posterior = Posterior(evidence)
    mode = posterior.find_mode()
    samples = SAMPLES if len(evidence.scores) <= MAX_LEARN else 0
    thetas = [*posterior.sample(rng, mode, samples)] or [mode]
    fits = [fit(evidence, theta) for theta in thetas]
    belief = trust * STRENGTH / len(evidence.scores)

    def judge(places: Floats) -> Floats:
        points = encode_one_hot(space, places)
        logs = [log_improvement(*each.predict(points), best=best) for each, best in fits]
        caution = CAUTION * failures.log_success(points)
        # The sum over kernels ranks points as their mean does.
        values = np.asarray(np.logaddexp.reduce(logs, axis=0)) + caution
        return values + belief * prior.log_density(places)

    spread = draw_spread(space, rng)
    if trust > 0:
        spread = np.vstack([spread, prior.move(spread[:128])])
    best_places = evidence.places[evidence.find_counting()[:5]]
    near = [perturb(space, rng, best_places, width, 100) for width in (0.02, 0.05, 0.1, 0.2)]
    places = space.select_allowed(space.snap(np.vstack([spread, *near])))
    if not len(places):
        return places
    values = judge(places)
    for width in (0.1, 0.03, 0.01):
        top = places[np.argsort(-values, kind="stable")[:8]]
        closer = space.select_allowed(space.snap(perturb(space, rng, top, width, 200)))
        places, values = np.vstack([places, closer]), np.append(values, judge(closer))
    points = encode_one_hot(space, places)
    # They come last, but are not dropped: nothing else may be left to try.
    avoided = is_near_pending(points, evidence) | failures.is_risky(points)
    # The last key of lexsort is the first to sort by.
    return places[np.lexsort((-values, avoided))]


def draw_spread(space: Space, rng: np.random.Generator) -> Floats:
    """Return random points from all over the cube, (n, d): SPREAD that meet the constraints, or
    fewer where these leave next to nothing."""
    points = rng.random((SPREAD, len(space.ranges)))
    if not space.constraints:
        return points
    found = [space.select_allowed(space.snap(points))]
    for _ in range(MAX_REDRAWS):
        if sum(map(len, found)) >= SPREAD:
            break
        more = rng.random((SPREAD, len(space.ranges)))
        found.append(space.select_allowed(space.snap(more)))
    return np.vstack(found)[:SPREAD]


def is_near_pending(points: Floats, evidence: Evidence) -> np.ndarray:
    """Return whether each point, (m, columns), lies right beside a pending one, (m,)."""
    gaps = cdist(points, evidence.pending, "chebyshev")
    return np.asarray((gaps < PENDING_DISTANCE).any(axis=1))


def perturb(
    space: Space, rng: np.random.Generator, places: Floats, width: float, count: int
) -> Floats:
    """Return `count` points around these places. About two numbers in three are moved, and
    reflected where they would leave the cube; a category in five is any other."""
    start = places[rng.integers(len(places), size=count)]
    numbers = reflect(start + rng.normal(scale=width, size=start.shape))
    is_category = [isinstance(each, CategoricalRange) for each in space.ranges.values()]
    moved = rng.random(start.shape) < np.where(is_category, 0.2, 0.7)
    return np.where(moved, np.where(is_category, rng.random(start.shape), numbers), start)
