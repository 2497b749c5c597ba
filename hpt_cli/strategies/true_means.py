"""What several runs of each configuration tell about the configurations' true means.

A loss is the configuration's true mean, plus what its seed does to every configuration, plus noise,
all of unknown size: a random-effects model of two crossed factors (Henderson 1975, "Best linear
unbiased estimation and prediction under a selection model"). The means come from one normal
distribution, so that differences which are small beside the noise are believed only in part: that
makes the probabilities true. What a seed does to all configurations alike, as with a split of the
data, is no noise where they were run with the same seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from hpt_cli.spec.hyperparameters import Value
from hpt_cli.strategies.space import Floats

DRAWS = 20_000
"""How many draws probabilities are counted in: they have an error of at most 0.4 %."""
SPREADS = (0.01, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 1e3, 1e5, 1e7)
"""How large the variance between configurations may be, in that of the noise."""
SEED_EFFECTS = (0.0, 0.3, 1.0, 10.0, 1e4)
"""How large the variance between seeds may be, in that of the noise."""
NOISES = (1.0, 10.0, 1e3, 1e6)
"""How much larger the variance of the noise may be where a configuration stands apart."""
LEAST_NOISE = 1e-12
"""The least variance of the noise, where the losses have 1."""


@dataclass(frozen=True)
class _Fit:
    """The posterior of the true means for one guess of the variances: a Student distribution."""

    means: Floats
    factor: Floats
    """A root of their covariance, (n, k), in the variance of the noise."""
    noise: float
    freedom: int
    log_likelihood: float

    def draw(self, count: int, rng: np.random.Generator) -> Floats:
        """Return draws of the true means, (count, n)."""
        noise = self.noise * self.freedom / rng.chisquare(self.freedom, count)
        normal = rng.standard_normal((count, self.factor.shape[1]))
        return self.means + np.sqrt(noise)[:, None] * (normal @ self.factor.T)


def draw_true_means(
    losses: Sequence[Sequence[float]], seeds: Sequence[Sequence[Value]], apart: int | None = None
) -> Floats:
    """Return draws of the configurations' true means, (DRAWS, n): the same for the same losses.

    Args:
        losses: of each of n configurations, finite ones, one at least; of some, two.
        seeds: which seed each of these is of.
        apart: the place of a configuration that was not chosen as the others were: neither its mean
            nor its noise need be like theirs.
    """
    values = np.concatenate([np.asarray(each, dtype=float) for each in losses])
    center, scale = values.mean(), values.std() or 1.0
    owners = np.repeat(np.arange(len(losses)), [len(each) for each in losses])
    of_seed = np.equal.outer(*[np.concatenate(seeds)] * 2).astype(float)
    is_apart = owners == apart
    guesses = product(SPREADS, SEED_EFFECTS, NOISES if is_apart.any() else (1.0,))
    fits = [
        _fit(
            (values - center) / scale,
            owners,
            apart,
            spread,
            np.diag(np.where(is_apart, noise, 1.0)) + effect * of_seed,
        )
        for spread, effect, noise in guesses
    ]
    likelihoods = np.array([fit.log_likelihood for fit in fits])
    weights = np.exp(likelihoods - likelihoods.max())
    rng = np.random.default_rng(0)
    counts = rng.multinomial(DRAWS, weights / weights.sum())
    draws = [fit.draw(count, rng) for fit, count in zip(fits, counts, strict=True) if count]
    return np.asarray(center + scale * np.concatenate(draws))


def _fit(
    values: Floats, owners: np.ndarray, apart: int | None, spread: float, covariance: Floats
) -> _Fit:
    """Return the posterior for one guess: the mixed-model equations, solved.

    Args:
        values: the losses, (m,).
        owners: the configuration of each, (m,).
        apart: as in `draw_true_means`.
        spread: the variance between configurations, in that of the noise.
        covariance: of what makes the losses of a configuration differ, (m, m), in the same.
    """
    configurations = np.arange(owners.max() + 1)
    others = configurations != apart
    # The mean of the others, that of the one apart; then what each of the others adds to theirs.
    fixed = [each for each in (others, ~others) if each.any()]
    design = np.column_stack([*fixed, np.diag(others)[:, others]]).astype(float)
    rows = design[owners]
    root = np.linalg.cholesky(covariance)
    white, target = np.linalg.solve(root, rows), np.linalg.solve(root, values)
    prior = np.r_[np.zeros(len(fixed)), np.full(others.sum(), 1 / spread)]
    precision = white.T @ white + np.diag(prior)
    inverse = np.linalg.inv(precision)
    effects = inverse @ (white.T @ target)
    freedom = max(1, len(values) - len(fixed))
    rest = max(target @ target - effects @ (white.T @ target), LEAST_NOISE)
    log_likelihood = (
        -0.5
        * (np.linalg.slogdet(precision)[1] + others.sum() * np.log(spread) + freedom * np.log(rest))
        - np.log(np.diag(root)).sum()
    )
    factor = design @ np.linalg.cholesky(inverse)
    return _Fit(design @ effects, factor, rest / freedom, freedom, float(log_likelihood))
