"""Random: points of a shifted additive recurrence, more even than independent draws.

The n-th point is the fractional part of shift + n * alpha, with the shift drawn from the seed and
alpha from the generalized golden ratio (Roberts 2018, "The Unreasonable Effectiveness of
Quasirandom Sequences"; the shift is Cranley and Patterson's, 1976). Job n gets the n-th point,
whatever the results of the jobs before it. Where ranges have a prior, the point of every second job
is moved so that those are spread as the prior says.
"""

from __future__ import annotations

import numpy as np

from hpt_cli.spec.hyperparameters import Hyperparameters
from hpt_cli.strategies import SuggestRequest
from hpt_cli.strategies.space import CONSTRAINED_SPARE, Floats, Space

SPARE = 63
"""How many further points of the sequence may replace one that was tried."""
ROOT_STEPS = 60
"""So many fixed-point steps give the golden ratio to the last digit, in any dimension."""


def suggest(request: SuggestRequest) -> Hyperparameters | None:
    """Return the job's point of the sequence, or the first untried one after it."""
    tried = (trial.hyperparameters for trial in request.trials)
    space = Space(request.ranges, tried, request.fixed, request.constraints)
    if space.exhausted:
        return None
    spare = SPARE * CONSTRAINED_SPARE if request.constraints else SPARE
    points = draw(request.seed, request.number, 1 + spare, len(request.ranges))
    if request.number % 2 and any(each.prior for each in request.ranges.values()):
        from hpt_cli.strategies.user_prior import UserPrior  # it imports scipy, which takes a while

        points = UserPrior(space).move(points)
    return space.first_new(points)


def draw(seed: int, start: int, count: int, dimensions: int) -> Floats:
    """Return points `start` to `start + count` of a seed's sequence, (count, dimensions)."""
    root = 2.0
    for _ in range(ROOT_STEPS):
        root = (1.0 + root) ** (1.0 / (dimensions + 1))
    alpha = (1.0 / root) ** np.arange(1, dimensions + 1)
    shift = np.random.default_rng(seed).random(dimensions)
    places = np.arange(start, start + count)[:, None]
    return np.asarray((shift + places * alpha) % 1.0)
