"""Bayesian: the point where a Gaussian process over the trials expects the largest improvement.

The process is in `gaussian_process`, which is slow to import. Not every job needs it:

* the initial design is a Sobol sequence that keeps off the extremes, at which a point chosen at
  random nearly always has one of its many coordinates (the Vizier GP bandit begins in the middle;
  Song et al. 2024);
* every second job of it is drawn from the user's prior, if there is one and results agree with it;
  the first of them is its centre.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from hpt_cli.spec.hyperparameters import Hyperparameters
from hpt_cli.spec.ranges import CategoricalRange
from hpt_cli.strategies import SuggestRequest, Trial
from hpt_cli.strategies.space import CONSTRAINED_SPARE, MIDDLE, Floats, Space
from hpt_cli.strategies.targets import estimate_losses
from hpt_cli.strategies.user_prior import UserPrior

Way: TypeAlias = Literal["opening", "model"]

INNER = 0.75
"""The share of each range that the initial design covers, around its middle."""
LEAST_TRUST = 0.2
"""How far the user's prior is trusted where jobs of the initial design are drawn from it."""
MIN_ENDED = 4
"""How many jobs have ended before the failures among them say where jobs fail."""
SPARE = 64
"""How many points of the Sobol sequence a job takes the first new one of."""


def suggest(request: SuggestRequest) -> Hyperparameters | None:
    """Return the untried point with the largest expected improvement; at first, a Sobol point."""
    known = Knowledge.of(request)
    space, ended = known.space, known.ended
    if space.exhausted:
        return None
    prior = UserPrior(space)
    trust = prior.measure_trust(ended)
    if choose_way(request, known) == "opening":
        points = draw_inner(space, request)
        if trust > LEAST_TRUST and request.number % 2:
            points = np.vstack([prior.centre, prior.move(draw_design(space, request))])
        return space.first_new(avoid_failures(space, space.select_allowed(points), ended))
    running = [trial for trial in known.trials if trial.status == "Running"]
    from hpt_cli.strategies import gaussian_process

    evidence = gaussian_process.select_results(space, known.results, known.losses, running)
    with gaussian_process.limit_threads():
        failures = gaussian_process.FailureModel(space, ended)
        # Drawn for this job alone, so that a resumed tuning job draws the same.
        rng = np.random.default_rng([request.seed, request.number])
        points = gaussian_process.rank_candidates(space, evidence, failures, prior, trust, rng)
    return space.first_new(points)


@dataclass(frozen=True)
class Knowledge:
    """What a request tells: the trials in the space, those that ended, and the results of these.

    `losses`, (n,), are of the `results`, and `places`, (n, d), their points.
    """

    space: Space
    trials: Sequence[Trial]
    ended: Sequence[Trial]
    results: Sequence[Trial]
    losses: Floats
    places: Floats

    @classmethod
    def of(cls, request: SuggestRequest) -> Knowledge:
        """Return what a request tells."""
        tried = (trial.hyperparameters for trial in request.trials)
        space = Space(request.ranges, tried, request.fixed, request.constraints)
        trials = [trial for trial in request.trials if space.contains(trial.hyperparameters)]
        ended = [trial for trial in trials if trial.status != "Running"]
        results = [trial for trial in ended if trial.status != "Failed"]
        places = space.encode(trial.hyperparameters for trial in results)
        return cls(space, trials, ended, results, estimate_losses(results), places)

    @property
    def tells_apart(self) -> bool:
        """Whether the results differ: from results that are all the same a model learns nothing."""
        return len(np.unique(self.losses)) >= 2


def choose_way(request: SuggestRequest, known: Knowledge) -> Way:
    """Return whether a job belongs to the opening, or the model is asked."""
    # What failed at random has told nothing of how good a place is.
    telling = sum(trial.status != "Failed" for trial in known.trials)
    is_early = telling < count_initial_jobs(request)
    return "opening" if is_early or not known.tells_apart else "model"


def prepare() -> None:
    """Import scikit-optimize ahead of the first suggestion that needs it: it takes a second."""
    from hpt_cli.strategies import gaussian_process  # noqa: F401


def count_initial_jobs(request: SuggestRequest) -> int:
    """Return the size of the initial design, without jobs that failed: enough to learn from, at
    most a third of all jobs."""
    count = len(request.ranges)
    # Where every second one may be drawn from a prior that is wrong, the others must suffice.
    has_prior = any(each.prior for each in request.ranges.values())
    return max(3, min(2 * count + 1 if has_prior else count + 2, request.max_jobs // 3))


def draw_design(space: Space, request: SuggestRequest) -> Floats:
    """Return the points of the Sobol sequence, (n, d), that a job takes the first new one of."""
    spare = SPARE * CONSTRAINED_SPARE if request.constraints else SPARE
    return space.draw(request.seed, request.number - 1, spare)


def draw_inner(space: Space, request: SuggestRequest) -> Floats:
    """Return points, (n, d), of the Sobol sequence, within the inner part of the ranges."""
    points = draw_design(space, request)
    # Categories have no extremes to keep off, and each must be reached.
    is_number = [not isinstance(each, CategoricalRange) for each in space.ranges.values()]
    return np.where(is_number, MIDDLE + INNER * (points - MIDDLE), points)


def avoid_failures(space: Space, points: Floats, ended: Sequence[Trial]) -> Floats:
    """Return points, (n, d), in their order, but first those where jobs do not seem to fail."""
    has_failures = any(trial.has_failed for trial in ended)
    if len(ended) < MIN_ENDED or not has_failures or not len(points):
        return points
    from hpt_cli.strategies.gaussian_process import FailureModel, encode_one_hot, limit_threads

    with limit_threads():
        risky = FailureModel(space, ended).is_risky(encode_one_hot(space, points))
    return points[np.argsort(risky, kind="stable")]
