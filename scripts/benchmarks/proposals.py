"""What points that a user proposes do to a search, good ones and bad ones.

    python scripts/benchmarks/proposals.py --seeds 3
    python scripts/benchmarks/proposals.py --short    # one problem, ten jobs, one seed

Bad ones lie close to the worst corner of the search space, and are 30 % of all jobs: told is the
regret after as many jobs of the strategy's own as without them (optimizer.py says what regret is).
Good ones are three points close to the optimum, after the first job: told is after what
share of the jobs the search is as good as one without them at its end.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterator

import numpy as np
from beliefs import find_optimum, find_worst_corner
from functions import FUNCTIONS, make_function
from means import describe_mean, describe_ratio
from problems import Problem
from threadpoolctl import threadpool_limits

from hpt_cli.spec.hyperparameters import Hyperparameters
from hpt_cli.strategies import SuggestRequest, Trial, load_strategy
from hpt_cli.strategies.space import Floats, Space

BAD_SHARE = 0.3
GOOD = 3
"""How many good points are proposed."""
CLOSE = 0.03
"""The standard deviation, in the unit cube, of proposals around the worst or the best point."""

Propose = Callable[[int, int], Hyperparameters | None]
"""From the numbers of proposals and of own jobs to a proposal, if there is one now."""


def search(problem: Problem, jobs: int, seed: int, propose: Propose) -> Iterator[float]:
    """Yield the regret after each job, of which `jobs` are the strategy's own; inf at first."""
    strategy, run = load_strategy("Bayesian"), problem.start(seed)
    trials: list[Trial] = []
    best, found, own = math.inf, math.inf, 0
    while own < jobs:
        point = propose(len(trials) - own, own)
        if point is None:
            own += 1
            request = SuggestRequest(problem.ranges, seed, own, jobs, 1, tuple(trials))
            point = strategy.suggest(request)
            assert point is not None
        answer = run(point)
        is_failed = answer.loss is None
        trials.append(
            Trial(
                len(trials) + 1,
                answer.hyperparameters,
                "Failed" if is_failed else "Completed",
                answer.loss,
            )
        )
        if answer.loss is not None and answer.loss < best:
            best = answer.loss
            found = problem.measure(answer.hyperparameters) if problem.measure else best
        yield problem.compute_regret(found, problem.best)


def close_to(problem: Problem, place: Floats, seed: int) -> Callable[[int], Hyperparameters]:
    """Return what makes the points around a place, by their number."""
    space = Space(problem.ranges)

    def make(number: int) -> Hyperparameters:
        rng = np.random.default_rng([seed, number])
        return space.decode((place + rng.normal(scale=CLOSE, size=len(place))).clip(0, 1))

    return make


def compare(problem: Problem, jobs: int, seed: int) -> tuple[float, float, float]:
    """Return the regret without proposals, that with bad ones, and the share of the jobs after
    which a search with good ones is as good as the one without."""
    name = problem.name.partition("-")[2]
    bad = close_to(problem, find_worst_corner(name), seed)
    good = close_to(problem, find_optimum(name), seed)

    def propose_bad(proposed: int, own: int) -> Hyperparameters | None:
        return bad(proposed) if proposed < BAD_SHARE * (proposed + own) else None

    def propose_good(proposed: int, own: int) -> Hyperparameters | None:
        return good(proposed) if own >= 1 and proposed < GOOD else None

    *_, alone = search(problem, jobs, seed, lambda _proposed, _own: None)
    *_, disturbed = search(problem, jobs, seed, propose_bad)
    helped = enumerate(search(problem, jobs, seed, propose_good), 1)
    needed = next((place for place, each in helped if each <= alone), jobs + GOOD)
    return alone, disturbed, needed / jobs


def main() -> None:
    """Print a line for each problem of the choosing half, and the means."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=40)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--half", choices=("choose", "report"), default="choose")
    parser.add_argument("--problem", action="append", help="whose names contain this")
    parser.add_argument("--short", action="store_true", help="one problem, ten jobs, one seed")
    options = parser.parse_args()
    if options.short:
        options.jobs, options.seeds, options.problem = 10, 1, [""]
    problems = [make_function(name) for name in FUNCTIONS]
    wanted = options.problem or [""]
    chosen = [
        each
        for each in problems
        if each.half == options.half and any(part in each.name for part in wanted)
    ]
    rows = []
    for problem in chosen[: 1 if options.short else None]:
        with threadpool_limits(1):
            found = np.array(
                [compare(problem, options.jobs, seed) for seed in range(options.seeds)]
            )
        rows.append(found)
        alone, disturbed, needed = found.T
        print(
            f"{problem.name}: regret alone {describe_mean(alone)},"
            f" with bad proposals {describe_mean(disturbed)};"
            f" share of the jobs with good ones {describe_mean(needed)}",
            flush=True,
        )
    alone, disturbed, needed = np.concatenate(rows or sys.exit("error: no problem is left")).T
    print(
        f"of all: {describe_ratio(disturbed, alone)} of the regret with bad ones;"
        f" share of the jobs with good ones {describe_mean(needed)}"
    )


if __name__ == "__main__":
    main()
