"""The results of trials as numbers that a surrogate model can be fitted to."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from operator import itemgetter

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

from hpt_cli.metrics.curve import LARGEST
from hpt_cli.strategies import Trial
from hpt_cli.strategies.space import Floats

MAX_REFERENCES = 64
"""How many completed curves a stopped one is compared with."""


def estimate_losses(trials: Sequence[Trial]) -> Floats:
    """Return the final losses of trials that ended, (n,): an estimate for a stopped one, and inf
    for one that failed or diverged."""
    completed = [trial for trial in trials if trial.status == "Completed" and trial.curve]
    # Rounded up, so that no more than MAX_REFERENCES are left.
    stride = max(1, -(-len(completed) // MAX_REFERENCES))
    rank_map = _RankMap(completed[::stride])
    losses = np.array([_estimate(trial, rank_map) for trial in trials], dtype=float)
    return np.where(np.abs(losses) < LARGEST, losses, np.inf)


def _estimate(trial: Trial, rank_map: _RankMap) -> float:
    if trial.status == "Failed":
        return math.inf
    if trial.status == "Stopped" and trial.curve:
        return rank_map.extrapolate(*trial.curve[-1])
    return math.inf if trial.loss is None else trial.loss


class _RankMap:
    """Maps a loss at some step to the final loss of the same rank among completed trials.

    A stopped trial's last loss is too pessimistic: it would have improved, as the others did.
    Measured on recorded curves, the map has half the error and none of the bias.
    """

    def __init__(self, completed: Sequence[Trial]) -> None:
        self.curves = [tuple(trial.curve) for trial in completed]
        self.columns: dict[float, tuple[Floats, Floats]] = {}

    def extrapolate(self, step: float, loss: float) -> float:
        """Return the final loss of the same rank; the loss itself without two completed curves."""
        if step not in self.columns:
            self.columns[step] = self._column(step)
        then, finals = self.columns[step]
        if len(then) < 2 or not math.isfinite(loss):
            return loss
        return float(np.interp(loss, then, finals))

    def _column(self, step: float) -> tuple[Floats, Floats]:
        """Return sorted losses at a step, and sorted final losses, of the curves that reach it."""
        pairs = [
            # The value at the step, or else the last one before it.
            (curve[bisect_right(curve, step, key=itemgetter(0)) - 1][1], curve[-1][1])
            for curve in self.curves
            if curve[0][0] <= step <= curve[-1][0]
        ]
        finite = [pair for pair in pairs if math.isfinite(sum(pair))]
        columns = np.array(finite, dtype=float).reshape(len(finite), 2)
        # Each sorted for itself, so that a rank at the step is mapped to the same rank at the end.
        return np.sort(columns[:, 0]), np.sort(columns[:, 1])


def score_losses(losses: Floats) -> Floats:
    """Return losses, (n,), as scores of mean 0 and deviation 1: lower is better.

    The mean of two transformations: normal quantiles of the ranks, which no outlier can stretch
    (Salinas et al. 2020, section 4), and the same with the better half kept linear, so that the
    distance to the best still counts (half-rank warping; Song et al. 2024, "The Vizier GP bandit",
    3.1).
    """
    # Blom's approximation of the expected normal order statistics (Blom 1958).
    ranks = ndtri((rankdata(losses) - 0.375) / (len(losses) + 0.25))
    # "lower" is one of the losses; to interpolate between two could give inf - inf.
    middle = float(np.quantile(losses, 0.5, method="lower"))
    better = losses <= middle
    spread = np.sqrt(np.mean((losses[better] - middle) ** 2)) if math.isfinite(middle) else 0.0
    if not spread > 0:
        return _standardize(ranks)
    linear = (np.where(better, losses, middle) - middle) / spread
    return _standardize(_standardize(ranks) + _standardize(np.where(better, linear, ranks.clip(0))))


def _standardize(values: Floats) -> Floats:
    deviation = values.std()
    return np.asarray((values - values.mean()) / (deviation if deviation > 0 else 1.0))
