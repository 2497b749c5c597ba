"""Grid: every point of the grid, the last range moving fastest.

A range is as fine as its `grid_points` or its `step` say; finite ones give all their values.
"""

from __future__ import annotations

from hpt_cli.spec.hyperparameters import Hyperparameters
from hpt_cli.spec.ranges import list_grid
from hpt_cli.strategies import SuggestRequest


def suggest(request: SuggestRequest) -> Hyperparameters | None:
    """The first point of the grid that was not tried; None when all were."""
    tried = {frozenset(trial.hyperparameters.items()) for trial in request.trials}
    points = list_grid(request.ranges)
    return next((each for each in points if frozenset(each.items()) not in tried), None)
