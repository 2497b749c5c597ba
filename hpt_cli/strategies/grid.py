"""Grid: every point of the grid in order, the last range moving fastest.

How fine it is follows from a range's `grid_points` or `step`; a finite range gives all its values.
"""

from __future__ import annotations

from hpt_cli.spec.hyperparameters import Hyperparameters
from hpt_cli.spec.points import list_grid
from hpt_cli.strategies import SuggestRequest


def suggest(request: SuggestRequest) -> Hyperparameters | None:
    """Return the first untried point of the grid; None when all were tried."""
    tried = {frozenset(trial.hyperparameters.items()) for trial in request.trials}
    fixed = request.fixed.items()
    points = (each for each in list_grid(request.ranges) if fixed <= each.items())
    untried = (each for each in points if frozenset(each.items()) not in tried)
    return next((each for each in untried if not request.constraints.find_broken(each)), None)
