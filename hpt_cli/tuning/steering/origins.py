"""Where the hyperparameters of a training job come from, and what was expected of them.

Computed from what was known when they were chosen, as choosing itself was: nothing of it is stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hpt_cli.spec.model import TuningSpec
from hpt_cli.strategies.expectation import Expectation, expect
from hpt_cli.tuning.evidence import fit_point, suggest_request
from hpt_cli.tuning.jobs.training_job import TrainingJob
from hpt_cli.tuning.state import TuningState
from hpt_cli.tuning.steering.proposals import is_whole
from hpt_cli.tuning.suggest import initial_point

Way = Literal[
    "proposed",
    "completed",
    "initial",
    "transferred",
    "opening",
    "model",
    "grid",
    "sequence",
]
"""How hyperparameters were chosen: by a user, wholly or in part; by the spec, or as the best of a
parent; or by the strategy."""


@dataclass(frozen=True, slots=True)
class Origin:
    """How hyperparameters were chosen; by whom, if somebody proposed them."""

    way: Way
    strategy: str
    source: str | None
    expectation: Expectation | None


def find_origin(spec: TuningSpec, state: TuningState, job: TrainingJob) -> Origin:
    """Return the origin of a job's hyperparameters.

    Args:
        spec: what was asked for when they were chosen.
        state: what was known then.
        job: as it is now.
    """
    request = suggest_request(spec, state, job.number)
    proposal = state.find_proposal(job)
    way: Way
    if proposal is not None:
        tuned = {
            name: value
            for name, value in proposal.point.items()
            if name in spec.hyperparameter_ranges
        }
        way = "proposed" if is_whole(spec, tuned) else "completed"
    elif initial_point(spec, state, request.number) is not None:
        is_own = request.number <= len(spec.initial_hyperparameters)
        way = "initial" if is_own else "transferred"
    elif spec.strategy == "Bayesian":
        from hpt_cli.strategies.bayesian import Knowledge, choose_way

        way = choose_way(request, Knowledge.of(request))
    else:
        way = "grid" if spec.strategy == "Grid" else "sequence"
    point = fit_point(spec, job.hyperparameters or {})
    is_modelled = spec.strategy == "Bayesian" and point is not None
    expectation = expect(request, point) if is_modelled and point is not None else None
    source = None if proposal is None else proposal.source
    return Origin(way, spec.strategy, source, expectation)
