"""Builders for specs, events and states in tests."""

from __future__ import annotations

import math
from typing import Any

from hpt_cli.metrics.curve import Observation
from hpt_cli.spec.model import TuningSpec
from hpt_cli.tuning import events as ev
from hpt_cli.tuning.fold import fold
from hpt_cli.tuning.state import TuningState


def make_spec(**changes: Any) -> TuningSpec:
    fields: dict[str, Any] = {
        "name": "story",
        "command": "train --x {x}",
        "hyperparameter_ranges": {"x": {"type": "Integer", "min_value": 1, "max_value": 1000}},
        "metric_definitions": [{"name": "loss", "regex": "loss=({num})"}],
        "objective_metric_name": "loss",
        "objective_type": "Minimize",
        "strategy": "Random",
        "max_jobs": 4,
        "max_parallel_jobs": 2,
    }
    return TuningSpec.model_validate(fields | changes)


def created(spec: TuningSpec) -> list[ev.Event]:
    return [
        ev.TuningJobCreated(
            at=0, spec=spec.model_dump(mode="json"), hpt_version="0", directory="/"
        ),
        ev.TunerStarted(at=0, pid=1, host="here"),
    ]


def suggested(number: int, at: float = 0, **hyperparameters: Any) -> list[ev.Event]:
    return [
        ev.JobPlanned(at=at, number=number),
        ev.JobSuggested(
            at=at, number=number, hyperparameters=hyperparameters or {"x": number}, seconds=0
        ),
    ]


def launched(number: int, at: float = 0, attempt: int = 1) -> list[ev.Event]:
    return [
        ev.JobSubmitting(at=at, number=number, attempt=attempt),
        ev.JobLaunched(at=at, number=number, attempt=attempt, handle={"pid": number}),
    ]


def observed(
    number: int, *values: float, at: float = 0, attempt: int = 1, first: int = 1
) -> ev.ObservationsRead:
    points = tuple(
        Observation("loss", 100 * (first + i), float(first + i), value)
        for i, value in enumerate(values)
    )
    return ev.ObservationsRead(at=at, number=number, attempt=attempt, observations=points)


def exited(number: int, code: int = 0, at: float = 1, attempt: int = 1) -> ev.JobExited:
    return ev.JobExited(
        at=at, number=number, attempt=attempt, exit_code=code, ended_at=at, tail=("the end",)
    )


def stop(number: int, reason: ev.StopReason = "EarlyStopped", at: float = 0) -> ev.JobStopRequested:
    return ev.JobStopRequested(at=at, number=number, reason=reason)


def run(number: int, *values: float, at: float = 0, **hyperparameters: Any) -> list[ev.Event]:
    """A whole job that completes."""
    return [
        *suggested(number, at, **hyperparameters),
        *launched(number, at),
        observed(number, *values, at=at),
        exited(number, at=at + 1),
    ]


def fold_all(*events: ev.Event, start: TuningState | None = None) -> TuningState:
    state = start or TuningState()
    for event in events:
        state = fold(state, event)
    return state


FIRST, SECOND = created(make_spec())
STORY = [
    SECOND,
    *suggested(1, lr=0.5, name='ä\n"x'),
    *launched(1),
    *suggested(2),
    *launched(2),
    observed(1, 3.0, math.nan),
    observed(2, 9.0),
    observed(1, math.inf, first=3),
    ev.JobStopRequested(
        at=4, number=2, reason="EarlyStopped", explanation="why", evidence={"median": 1.5}
    ),
    observed(2, 8.0, first=2),
    exited(2, -15, at=5),
    ev.JobNoted(at=5, number=2, text="note"),
    exited(1, at=6),
    ev.JobPlanned(at=6, number=3),
    ev.SpaceExhausted(at=6, number=3),
    ev.TuningJobEnded(at=7, status="Completed", reason="done"),
]
"""What happened in a tuning job after `FIRST`: of every kind of event a little."""
