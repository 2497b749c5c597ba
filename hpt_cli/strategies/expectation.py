"""What the surrogate model expects of a point, before it is tried."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hpt_cli.spec.hyperparameters import Hyperparameters
from hpt_cli.strategies import SuggestRequest
from hpt_cli.strategies.bayesian import Knowledge
from hpt_cli.strategies.targets import cap_losses

MAX_NEAREST = 3
"""How many trials are named that a point is most like."""
EXPLORING = 0.5
"""A point explores where the model is more unsure than this share of what it is far from all."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """What was expected of a point: its loss, and those a standard deviation to either side."""

    loss: float
    low: float
    high: float
    best: float
    """The best loss until then."""
    explores: bool
    """Whether little was known of its place."""
    nearest: tuple[tuple[int, float], ...]
    """The numbers of the trials that it is most like, and how alike they are, 0 to 1."""


def expect(request: SuggestRequest, hyperparameters: Hyperparameters) -> Expectation | None:
    """Return what a request lets expect of a point; None where it tells nothing of it."""
    known = Knowledge.of(request)
    finite = known.losses[np.isfinite(known.losses)]
    if not known.tells_apart or not known.space.contains(hyperparameters) or not len(finite):
        return None
    from hpt_cli.strategies import gaussian_process as gp

    space, capped = known.space, cap_losses(known.losses)
    with gp.limit_threads():
        evidence = gp.select_results(space, known.results, known.losses, [])
        theta = gp.Posterior(evidence).find_mode()
        surrogate, _ = gp.fit(evidence, theta)
        point = gp.encode_one_hot(space, space.encode([hyperparameters]))
        (mean,), (deviation,) = surrogate.predict(point)
        others = gp.encode_one_hot(space, known.places)
        alike = surrogate.kernel_.k1(point, others)[0] / math.exp(theta[0])
    spread = math.hypot(deviation, math.exp(theta[-1] / 2))  # of a result, which has noise
    scores = np.array([mean - spread, mean, mean + spread])
    expected = capped.mean() + capped.std() * scores
    # What is too bad to count may be as bad as any.
    low, loss, high = np.where(expected < capped.max(), expected, finite.max())
    nearest = np.argsort(-alike, kind="stable")[:MAX_NEAREST]
    return Expectation(
        loss=float(loss),
        low=float(low),
        high=float(high),
        best=float(finite.min()),
        explores=bool(deviation > EXPLORING * math.exp(theta[0] / 2)),
        nearest=tuple((known.results[each].number, float(alike[each])) for each in nearest),
    )
