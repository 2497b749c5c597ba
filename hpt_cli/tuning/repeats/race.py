"""Which configuration is trained once more, with another seed: one that may still be the best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hpt_cli.tuning.repeats.configurations import FIELD, Configuration, rank_configurations

if TYPE_CHECKING:
    from hpt_cli.strategies.space import Floats

MAY_WIN = 0.05
"""With less than this probability of being the best, a configuration is not run again."""


def choose_configuration(
    configurations: Sequence[Configuration], count: int, seed: str | None, apart: int | None = None
) -> Configuration | None:
    """Return the configuration that is run again next; None where none that may win is left.

    It is the one that was run the least often, and fewer than `count` times, of those that may be
    the best by the results there are.

    Args:
        seed: the hyperparameter that is the seed, if any.
        apart: the number of a configuration that was not chosen as the others were.
    """
    field = rank_configurations(configurations)[:FIELD]
    if has_noise(field):
        draws = draw_means(field, seed, apart)
        leaders = draws.argmin(axis=1)
        # The noise of the one apart is its own, and only a second run shows how large it is.
        field = [
            each
            for place, each in enumerate(field)
            if (leaders == place).mean() >= MAY_WIN or (each.number == apart and len(each.runs) < 2)
        ]
    able = (each for each in field if each.may_run_again(count))
    return min(able, key=lambda each: (len(each.runs), each.mean), default=None)


def choose_pending(configurations: Sequence[Configuration], count: int) -> Configuration | None:
    """Return a configuration to run again ahead of its first result, if there is one."""
    able = (
        each
        for each in configurations
        if each.is_pending and not each.losses and len(each.runs) < count
    )
    return min(able, key=lambda each: len(each.runs), default=None)


def has_noise(configurations: Sequence[Configuration]) -> bool:
    """Return whether results show how much those of one configuration differ."""
    return any(len(each.losses) > 1 for each in configurations)


def draw_means(
    configurations: Sequence[Configuration], seed: str | None, apart: int | None
) -> Floats:
    """Return draws of the true means of n configurations with results, (draws, n)."""
    from hpt_cli.strategies.true_means import draw_true_means  # numpy takes a while to import

    losses = [each.losses for each in configurations]
    seeds = [each.list_seeds(seed) for each in configurations]
    places = (place for place, each in enumerate(configurations) if each.number == apart)
    return draw_true_means(losses, seeds, next(places, None))
