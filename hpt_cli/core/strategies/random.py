"""Random: points of a scrambled Sobol sequence, which fill the space more evenly than dice.

Job n gets the n-th point, whatever became of the jobs before it.
"""

from __future__ import annotations

from hpt_cli.core.hyperparameters import Hyperparameters
from hpt_cli.core.strategies import Question
from hpt_cli.core.strategies.space import Space

SPARE = 63
"""How many further points of the sequence may stand in for one that was tried."""


def suggest(question: Question) -> Hyperparameters | None:
    """The job's point of the sequence, or the first after it that was not tried."""
    space = Space(question.ranges, (trial.hyperparameters for trial in question.trials))
    if space.exhausted:
        return None
    return space.first_new(space.draw(question.seed, question.number - 1, 1 + SPARE))
