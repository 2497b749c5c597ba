"""Bayesian: a Gaussian process over what was tried says where an improvement is likeliest.

The process is in `surrogate`. It takes its time to be imported, and the first jobs do without:

* the initial design keeps off the extremes, at which a point chosen at random nearly always has
  one of its many coordinates (the Vizier GP bandit begins in the middle; Song et al. 2024);
* while the best results are all alike, most jobs go on with the Sobol sequence instead:
  on a plateau there is nothing to model.
"""

from __future__ import annotations

import numpy as np

from hpt_cli.spec.hyperparameters import Hyperparameters
from hpt_cli.spec.ranges import CategoricalRange
from hpt_cli.strategies import SuggestRequest
from hpt_cli.strategies.space import MIDDLE, Floats, Space
from hpt_cli.strategies.targets import estimate_losses

TIE = 0.02
"""Losses this close to the best tie with it, as a share of the way from the best to the median."""
APART = 0.15
"""How far apart two points lie elsewhere: the root of the mean square over coordinates."""
DOUBT, MAX_DOUBT = 0.25, 0.8
"""How much one tie adds to the chance that a job is placed blindly, and the most it can be."""
INNER = 0.75
"""How much of each range the initial design covers, about its middle."""
SPARE = 64
"""How many points of the Sobol sequence a job may choose its own among."""


def suggest(request: SuggestRequest) -> Hyperparameters | None:
    """The point with the best expected improvement that was not tried; first, a Sobol design."""
    space = Space(request.ranges, (trial.hyperparameters for trial in request.trials))
    if space.exhausted:
        return None
    trials = [trial for trial in request.trials if space.contains(trial.hyperparameters)]
    ended = [trial for trial in trials if trial.status != "Running"]
    losses = estimate_losses(ended)
    rng = np.random.default_rng([request.seed, request.number])
    places = space.encode(trial.hyperparameters for trial in ended)
    opening = len(trials) < count_opening(request) or len(np.unique(losses)) < 2
    if opening or rng.random() < doubt_model(losses, places):
        return space.first_new(draw_inner(space, request))
    running = [trial for trial in trials if trial.status == "Running"]
    from hpt_cli.strategies import gaussian_process as surrogate

    evidence = surrogate.gather(space, ended, losses, running)
    return space.first_new(surrogate.search(space, evidence, rng))


def prepare() -> None:
    """Import scikit-optimize, which takes a second or two."""
    from hpt_cli.strategies import gaussian_process as surrogate  # noqa: F401


def count_opening(request: SuggestRequest) -> int:
    """How many jobs make up the initial design: enough to learn from, at most a third of all."""
    return max(3, min(2 * len(request.ranges) + 1, request.max_jobs // 3))


def draw_inner(space: Space, request: SuggestRequest) -> Floats:
    """Points, (SPARE, d), of the Sobol sequence, drawn in towards the middle of the ranges."""
    points = space.draw(request.seed, request.number - 1, SPARE)
    is_number = [not isinstance(each, CategoricalRange) for each in space.ranges.values()]
    return np.where(is_number, MIDDLE + INNER * (points - MIDDLE), points)


def doubt_model(losses: Floats, places: Floats) -> float:
    """How likely a job is better placed blindly: the more results tie for the best, far apart.

    Such ties are a plateau ("predicts the most frequent class"), of which a model learns nothing.
    Ties close together are a search that has found its optimum.
    """
    capped = np.minimum(losses, losses[np.isfinite(losses)].max(initial=-np.inf))
    best = np.argmin(capped)
    tied = capped <= capped[best] + TIE * (np.median(capped) - capped[best])
    apart = np.sqrt(np.mean((places - places[best]) ** 2, axis=1)) > APART
    return min(MAX_DOUBT, DOUBT * np.count_nonzero(tied & apart))
