"""Where the user believes the optimum to be: the `prior` of a range.

Over the unit cube this is a density: a product over the ranges, of which each is a mixture of
normal densities around the named values and of a uniform one, as the user may be wrong. Job by job
it counts less, as in piBO (Hvarfner et al. 2022), and only as far as results agree with it, so that
a wrong one costs a job or two.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtr, ndtri

from hpt_cli.spec.ranges import CategoricalRange
from hpt_cli.strategies import Trial
from hpt_cli.strategies.space import MIDDLE, Floats, Space, reflect
from hpt_cli.strategies.targets import estimate_losses, score_losses

WIDTH = 0.1
"""The standard deviation around a named value, as a share of the range."""
DOUBT = 0.05
"""The weight of the uniform density."""
STRENGTH = 10
"""After so many results the acquisition function is multiplied by the density itself (piBO's
beta); after n by the density to the power STRENGTH / n."""
CREDIT = 2
"""How many results that agree with it in full the prior starts with."""
TAIL = 0.001
"""The probability beyond which the normal distribution is cut off."""


class UserPrior:
    """The priors of all ranges together."""

    def __init__(self, space: Space) -> None:
        self.space = space
        # By column: the coordinates of the named values.
        self.centres = {
            column: np.array([each.to_unit(value) for value in each.prior])
            for column, each in enumerate(space.ranges.values())
            if each.prior
        }
        self.counts = [
            len(each.values) if isinstance(each, CategoricalRange) else None
            for each in space.ranges.values()
        ]

    def __bool__(self) -> bool:
        """Whether any range has a prior."""
        return bool(self.centres)

    @property
    def centre(self) -> Floats:
        """The point, (d,), of the values that are named first; other ranges are in the middle."""
        point = np.full(len(self.counts), MIDDLE)
        for column, centres in self.centres.items():
            point[column] = centres[0]
        return point

    def measure_trust(self, ended: Sequence[Trial]) -> float:
        """Return how far to trust the prior, 0 to 1: the correlation of its log density with how
        good the results of trials are, a failed one the worst. 0 if no range has a prior."""
        if not self:
            return 0.0
        dense = self.log_density(self.space.encode(each.hyperparameters for each in ended))
        if len(ended) < 2 or not dense.std() > 0:
            return 1.0
        scores = score_losses(estimate_losses(ended))  # of mean 0 and deviation 1
        agreeing = -float((dense - dense.mean()) / dense.std() @ scores)
        return max(0.0, (CREDIT + agreeing) / (CREDIT + len(ended)))

    def move(self, points: Floats) -> Floats:
        """Return evenly spread points, (n, d), moved so that they are spread as the density is."""
        moved = points.copy()
        for column, centres in self.centres.items():
            places = points[:, column] * len(centres)
            which = np.minimum(places.astype(int), len(centres) - 1)
            moved[:, column] = centres[which]
            if self.counts[column] is None:
                steps = WIDTH * ndtri((places - which).clip(TAIL, 1 - TAIL))
                moved[:, column] = reflect(centres[which] + steps)
        return moved

    def log_density(self, points: Floats) -> Floats:
        """Return the logarithm of the density at points, (n, d): (n,), 0 where it is uniform."""
        active = self.space.find_active(points)
        total = np.zeros(len(points))
        for column, centres in self.centres.items():
            gaps = points[:, column, None] - centres
            if count := self.counts[column]:
                dense = np.isclose(gaps, 0).any(axis=1) * count / len(centres)
            else:
                inside = ndtr((1 - centres) / WIDTH) - ndtr(-centres / WIDTH)
                bells = np.exp(-((gaps / WIDTH) ** 2) / 2) / (WIDTH * np.sqrt(2 * np.pi))
                dense = (bells / inside).mean(axis=1)
            total += np.where(active[:, column], np.log(DOUBT + (1 - DOUBT) * dense), 0.0)
        return total
