"""The data of the report page: what is known of a tuning job, and what its charts read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from hpt_cli.analysis.importance import Importance
from hpt_cli.formatting import thin
from hpt_cli.metrics.curve import Curve
from hpt_cli.reports.render.columns import HYPERPARAMETER, list_columns, name_columns
from hpt_cli.spec.model import load_spec
from hpt_cli.spec.ranges import CategoricalRange, ParameterRange
from hpt_cli.tuning.jobs.spans import Span, list_work
from hpt_cli.tuning.state import TuningState
from hpt_cli.tuning.summary import Row, Summary, compute_typical_job, saved_seconds

MAX_POINTS = 150_000
"""How many observations a page holds at most; curves are thinned evenly."""
MIN_CURVE_POINTS = 8
DIGITS = 6


@dataclass(frozen=True)
class Record:
    """One tuning job with everything that a page shows.

    `command` runs the best training job again; `origin` is names and values of how and where the
    tuning job ran.
    """

    summary: Summary
    state: TuningState
    importance: Importance | None
    command: str | None
    origin: Sequence[tuple[str, str]]

    @cached_property
    def ranges(self) -> dict[str, ParameterRange]:
        """The search space."""
        return load_spec(self.state.spec).hyperparameter_ranges

    @property
    def metrics(self) -> list[str]:
        """The metrics that were observed, the objective first."""
        found = [name for job in self.state.jobs.values() for name in job.metrics]
        return list(dict.fromkeys([self.summary.objective.metric, *found]))


@dataclass(frozen=True, slots=True)
class Bar:
    """A part of an attempt on the timeline, in seconds of tuning time.

    `until` is when a job that was stopped early would have ended.
    """

    job: int
    slot: int
    start: float
    end: float
    until: float | None


def to_tuning_time(state: TuningState, at: float) -> float:
    """Return a time as seconds that tuners had worked until then, without pauses."""
    return sum(min(max(0.0, at - start), last - start) for start, last in state.sessions)


def lay_out(record: Record) -> list[Bar]:
    """Return the timeline: every attempt while it was at work, in the first slot that was free as
    it began, and whenever it went on."""
    rows = {row.number: row for row in record.summary.rows}
    typical = compute_typical_job(rows.values())
    spans = sorted(
        (start, end, number) for number in rows for start, end in _list_work(record, number)
    )
    last = {number: start for start, _, number in spans}
    free_at: list[float] = []
    bars = []
    for start, end, number in spans:
        slot = next((place for place, at in enumerate(free_at) if at <= start), len(free_at))
        free_at[slot : slot + 1] = [end]
        begun, ended = to_tuning_time(record.state, start), to_tuning_time(record.state, end)
        saved = saved_seconds(rows[number], typical) if start == last[number] else None
        bars.append(Bar(number, slot, begun, ended, None if saved is None else ended + saved))
    return bars


def _list_work(record: Record, number: int) -> Iterator[Span]:
    """Yield from when to when a training job was at work."""
    for attempt in record.state.jobs[number].attempts:
        ended = attempt.ended_at if attempt.ended_at is not None else record.state.last_event_at
        yield from list_work(attempt.started_at, ended, attempt.suspended)


def to_data(record: Record) -> dict[str, Any]:
    """Return a tuning job as the page's scripts read it: they refer to jobs by their index."""
    summary = record.summary
    places = {row.number: place for place, row in enumerate(summary.rows)}
    return {
        "name": summary.name,
        "metric": summary.objective.metric,
        "maximize": summary.objective.maximize,
        "best": places[summary.best.number] if summary.best else None,
        "ranges": [_describe_range(record, name, each) for name, each in record.ranges.items()],
        "columns": list(_list_columns(record)),
        "ended": [_find_end(record, row) for row in summary.rows],
        "metrics": record.metrics,
        "curves": _list_curves(record),
        "bars": [
            [places[bar.job], bar.slot, *map(shorten, (bar.start, bar.end, bar.until))]
            for bar in lay_out(record)
        ],
        "seconds": shorten(summary.tuning_time),
    }


def _describe_range(record: Record, name: str, each: ParameterRange) -> dict[str, Any]:
    """Return a range with the value of each training job."""
    settings = [row.hyperparameters.get(name) for row in record.summary.rows]
    if isinstance(each, CategoricalRange):
        texts = [None if value is None else str(value) for value in settings]
        return {"name": name, "values": [str(value) for value in each.values], "settings": texts}
    return {
        "name": name,
        "scaling": each.scaling,
        "low": each.min_value,
        "high": each.max_value,
        "settings": [_to_cell(value) for value in settings],
    }


def _find_end(record: Record, row: Row) -> float | None:
    """Return when a training job ended, in seconds of tuning time."""
    return None if row.ended_at is None else shorten(to_tuning_time(record.state, row.ended_at))


def _list_columns(record: Record) -> Iterator[tuple[list[str], Any]]:
    """Yield the names of each column that conditions can use, and its values.

    One value stands for all where they are equal. Those of the ranges are left out: they stand
    there. So are curves, which no condition can use.
    """
    names: dict[str, list[str]] = {}
    for name, column in name_columns(record.summary).items():
        names.setdefault(column.name, []).append(name)
    for column in list_columns(record.summary).values():
        if column.kind == HYPERPARAMETER or column.role == "curve":
            continue
        values = [_to_cell(column.value(row)) for row in record.summary.rows]
        yield names[column.name], values[0] if len(set(values)) == 1 else values


def _to_cell(value: Any) -> int | float | str | None:
    """Return a value as conditions see it: a number in few digits, else text."""
    if isinstance(value, float) and math.isfinite(value):
        return shorten(value)
    return value if value is None or isinstance(value, int) else str(value)


def _list_curves(record: Record) -> list[list[list[Any]]]:
    """Return [steps, values] by metric and job; steps are None if they are 1, 2, 3 ..."""
    count = max(1, len(record.metrics) * len(record.summary.rows))
    most = max(MIN_CURVE_POINTS, MAX_POINTS // count)
    return [
        [
            _describe_curve(thin(record.state.jobs[row.number].curve(metric), most))
            for row in record.summary.rows
        ]
        for metric in record.metrics
    ]


def _describe_curve(curve: Curve) -> list[Any]:
    steps = [step for step, _ in curve]
    plain = steps == list(range(1, len(steps) + 1))
    return [None if plain else steps, [shorten(value) for _, value in curve]]


def shorten(value: float | None) -> float | None:
    """Return a number with the digits that a page needs; None if it is not finite."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.{DIGITS}g}")
