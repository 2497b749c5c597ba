"""Functions whose ranges have a `prior`, right or wrong, to measure what it is worth."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from itertools import product
from typing import Literal

import numpy as np
from functions import FUNCTIONS
from problems import Problem, Ranges, parse_ranges
from scipy.optimize import differential_evolution

from hpt_cli.spec.ranges import CategoricalRange
from hpt_cli.strategies.space import Floats, Space, reflect

Belief = Literal["right", "wrong"]

ERROR = 0.1
"""How far a right prior is from the optimum: a standard deviation, as a share of the range."""
MAX_CORNERS = 4096
FAILED = 1e6
"""The loss that a failed or diverged job counts as."""


def with_priors(problem: Problem, belief: Belief, seed: int) -> Problem:
    """Return a function with a prior on every range.

    Right ones lie beside the optimum, by an error that the seed decides, and have its categories;
    wrong ones are the corner of the space with the largest loss.
    """
    name = problem.name.partition("-")[2]
    point = find_worst_corner(name)
    if belief == "right":
        errors = np.random.default_rng([seed, len(name)]).normal(scale=ERROR, size=len(point))
        is_number = [not isinstance(each, CategoricalRange) for each in problem.ranges.values()]
        point = reflect(find_optimum(name) + np.where(is_number, errors, 0))
    ranges: Ranges = {
        key: each.model_copy(update={"prior": (each.from_unit(float(unit)),)})
        for unit, (key, each) in zip(point, problem.ranges.items(), strict=True)
    }
    return replace(problem, ranges=ranges)


def measure(name: str, space: Space, point: Floats) -> float:
    """Return a function's loss, without trouble, at a point of the unit cube, (d,)."""
    loss = FUNCTIONS[name][1](space.decode(point))
    return loss if math.isfinite(loss) else FAILED


@cache
def find_optimum(name: str) -> Floats:
    """Return the point, (d,), of the lowest loss that three evolutions find."""
    space = Space(parse_ranges(FUNCTIONS[name][3]))
    cube = [(0.0, 1.0)] * len(space.ranges)
    found = [
        differential_evolution(lambda point: measure(name, space, point), cube, seed=seed)
        for seed in range(3)
    ]
    best = min(found, key=lambda each: float(each.fun))
    return np.asarray(space.snap(best.x[None])[0])


@cache
def find_worst_corner(name: str) -> Floats:
    """Return the corner, (d,), of the largest loss; one where jobs fail, if they do."""
    space = Space(parse_ranges(FUNCTIONS[name][3]))
    sides = [
        [(place + 0.5) / len(each.values) for place in range(len(each.values))]
        if isinstance(each, CategoricalRange)
        else [0.0, 1.0]
        for each in space.ranges.values()
    ]
    if math.prod(map(len, sides)) > MAX_CORNERS:
        rng = np.random.default_rng(0)
        corners = np.column_stack([rng.choice(side, MAX_CORNERS) for side in sides])
    else:
        corners = np.array([*product(*sides)])
    losses = [measure(name, space, corner) for corner in corners]
    return np.asarray(corners[int(np.argmax(losses))])
