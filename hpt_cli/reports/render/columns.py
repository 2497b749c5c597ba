"""The columns of results tables: their names, values and texts.

A column has a short name and that of its field in JSON (`time`, `training_elapsed_time_seconds`),
and both can be used everywhere; hyperparameters and metrics go by their own names, and by
`hyperparameter.NAME` and `metric.NAME`. Where several columns have one name, it is that of the
hyperparameter, else of the metric; the metric is then called `metric.NAME`, and what hpt itself
has to say of the job `job.NAME` or by its name in JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hpt_cli.errors import Problem, UsageError, did_you_mean
from hpt_cli.formatting import (
    draw_sparkline,
    format_column,
    format_exact,
    format_seconds,
    format_time,
    plain,
)
from hpt_cli.spec.hyperparameters import Value
from hpt_cli.spec.names import add_prefix
from hpt_cli.tuning.allocation import Share
from hpt_cli.tuning.summary import Row, Summary

CURVE_WIDTH = 20
USUAL = ("number", "objective", "epochs", "time", "status", "reason")
"""The columns of every table, besides hyperparameters."""
OWN, HYPERPARAMETER, METRIC = "own", "hyperparameter", "metric"
"""The kinds of columns: what hpt itself knows of training jobs, and what the user has named."""
OWN_PREFIX, METRIC_PREFIX = "job.", f"{METRIC}."
"""What tells columns apart from those of another kind with the same name."""
NOT_ALWAYS = ("configuration", "source", "gpus", "cores")
"""The columns of tables in which some training job has a value there."""


@dataclass(frozen=True)
class ResultColumn:
    """One column of a results table.

    `field` is its name in JSON, `value` a row's value there, and `text` its cell in tables. `role`
    is what it shows, whatever it is called here: `status`, `hyperparameter.x`, `metric.loss`.
    Without `text`, `format_column` makes the cells, of `shown` if that is given instead of `value`.
    Columns of the highest rank are the first that a narrow terminal leaves out.
    """

    name: str
    field: str
    value: Callable[[Row], Any]
    text: Callable[[Row], str] | None = None
    heading: str = ""
    right: bool = False
    rank: int = 0
    shrinks_to: int | None = None
    shown: Callable[[Row], Value | None] | None = None
    telling: Sequence[float] = ()
    kind: str = OWN
    role: str = ""

    def texts(self, rows: Sequence[Row], *, exact: bool = False) -> list[str]:
        """Return the cells of these rows; with `exact`, numbers have every digit."""
        if self.text is not None:
            return list(map(self.text, rows))
        values = list(map(self.shown or self.value, rows))
        return list(map(format_exact, values)) if exact else format_column(values, self.telling)

    def key(self, row: Row) -> tuple[float, str]:
        """Return what rows with a value are sorted by."""
        value = self.value(row)
        number = value if isinstance(value, (int, float)) else 0.0
        return number, value if isinstance(value, str) else ""


def list_columns(summary: Summary) -> dict[str, ResultColumn]:
    """Return every column that a table can have, by its name, in order; no two are alike."""
    names = dict.fromkeys(name for row in summary.rows for name in row.hyperparameters)
    metrics = dict.fromkeys(name for row in summary.rows for name in row.latest)
    taken = {*names, *metrics, summary.objective.metric}
    columns = [
        _make_number(summary, "" if "job" in taken else "job"),
        _text("name", "training_job_name", lambda row: row.name, rank=35),
        *(_make_hyperparameter(name, rank, summary) for rank, name in enumerate(names, 1)),
        _make_objective(summary, names, taken),
        *(_make_metric(name) for name in metrics if name != summary.objective.metric),
        _number("best", "best_objective_value", lambda row: row.best, rank=36),
        _number("epochs", "epochs", lambda row: row.epochs, rank=40),
        _make_time(),
        _text("status", "training_job_status", lambda row: row.status, describe_status),
        _text("objective_status", "objective_status", lambda row: row.objective_status, rank=61),
        _make_reason(),
        _text("failure", "failure_reason", lambda row: row.failure_reason, rank=62, shrinks_to=16),
        _text("start", "training_start_time", lambda row: format_time(row.started_at), rank=63),
        _text("end", "training_end_time", lambda row: format_time(row.ended_at), rank=64),
        _make_curve(),
        _number("attempts", "attempts", lambda row: row.attempts, rank=65),
        _number("configuration", "configuration", lambda row: row.configuration, rank=44),
        _text("source", "source", lambda row: row.source, rank=45, shrinks_to=8),
        _make_holding("cores", lambda share: share.cores, rank=67),
        _make_holding("gpus", lambda share: share.gpus, rank=66),
    ]
    return {each.name: each for each in (_tell_apart(column, names, taken) for column in columns)}


def _tell_apart(
    column: ResultColumn, tuned: Collection[str], taken: Collection[str]
) -> ResultColumn:
    """Return the column with a name and a field that no other has.

    Args:
        tuned: the names of hyperparameters, which keep them.
        taken: those of metrics too.
    """
    name, field, heading = column.name, column.field, column.heading
    if column.kind == OWN:
        longer = add_prefix(name, OWN_PREFIX, taken)
        if name in taken:
            name, heading = (longer if field in taken else field), heading or longer
        field = longer if field in taken else field
    elif column.kind == METRIC and name in tuned:
        name = field = add_prefix(name, METRIC_PREFIX, taken)
    role = column.name if column.kind == OWN else f"{column.kind}.{column.name}"
    return replace(column, name=name, field=field, heading=heading, role=role)


def default_columns(summary: Summary) -> list[ResultColumn]:
    """Return the columns that a table has if none are asked for."""
    by_role = index_roles(list_columns(summary).values())
    first, *others = USUAL
    if not any(row.stop_reason or row.failure_reason for row in summary.rows):
        others.remove("reason")
    others += [name for name in NOT_ALWAYS if any(by_role[name].value(row) for row in summary.rows)]
    tuned = [each for each in by_role.values() if each.kind == HYPERPARAMETER]
    return [by_role[first], *tuned, *(by_role[name] for name in others)]


def name_columns(summary: Summary) -> dict[str, ResultColumn]:
    """Return every column by each of its names."""
    columns = list_columns(summary)
    by_field = {column.field: column for column in columns.values()}
    by_heading = {column.heading: column for column in columns.values() if column.heading}
    by_role = index_roles(columns.values())
    metric, objective = summary.objective.metric, by_role["objective"]
    by_metric = {metric: objective, METRIC_PREFIX + metric: objective}
    longer = {role: each for role, each in by_role.items() if each.kind != OWN}
    return longer | by_field | by_heading | by_metric | columns


def index_roles(columns: Iterable[ResultColumn]) -> dict[str, ResultColumn]:
    """Return columns by what they show."""
    return {column.role: column for column in columns}


def find_columns(names: Iterable[str], summary: Summary, option: str) -> list[ResultColumn]:
    """Return the columns of these names, each once even if named twice.

    Raises:
        UsageError: there is no column of some name.
    """
    known = name_columns(summary)
    listed = f"one of {', '.join([*list_columns(summary), plain(summary.objective.metric)])}"
    problems = [
        Problem(
            "column-unknown",
            f"{option} {name}: there is no such column",
            did_you_mean(name, known) or listed,
        )
        for name in names
        if name not in known
    ]
    if problems:
        raise UsageError(*problems)
    return list({known[name].name: known[name] for name in names}.values())


def list_values(row: Row, columns: Mapping[str, ResultColumn]) -> dict[str, Any]:
    """Return a row's values by the names of columns."""
    return {name: column.value(row) for name, column in columns.items()}


def _make_number(summary: Summary, heading: str) -> ResultColumn:
    def text(row: Row) -> str:
        return f"{row.number}{' ★' if row.number == summary.best_number else '  '}"

    return _number(
        "number", "training_job_number", lambda row: row.number, text=text, heading=heading
    )


def _make_hyperparameter(name: str, rank: int, summary: Summary) -> ResultColumn:
    is_text = any(isinstance(row.hyperparameters.get(name), str) for row in summary.rows)
    return ResultColumn(
        name,
        name,
        lambda row: row.hyperparameters.get(name),
        kind=HYPERPARAMETER,
        right=not is_text,
        rank=min(rank, 30),
    )


def _make_objective(
    summary: Summary, tuned: Collection[str], taken: Collection[str]
) -> ResultColumn:
    """Return the column of final values; the text of a running job is what counts so far."""
    metric = summary.objective.metric
    finals = [row.final for row in summary.rows if row.final is not None]

    def show(row: Row) -> float | None:
        value = _find_so_far(row) if row.final is None else row.final
        return None if value is None else summary.objective.drop_rounding_error(value)

    return _number(
        "objective",
        "final_objective_value",
        lambda row: row.final,
        heading=plain(add_prefix(metric, METRIC_PREFIX, taken) if metric in tuned else metric),
        shown=show,
        telling=sorted(finals, key=summary.objective.loss)[:2],
    )


def _find_so_far(row: Row) -> float | None:
    return row.so_far if row.status in ("InProgress", "Stopping") or row.breaks else None


def _make_metric(name: str) -> ResultColumn:
    return _number(name, name, lambda row: row.latest.get(name), rank=37, kind=METRIC)


def _make_curve() -> ResultColumn:
    def text(row: Row) -> str:
        return draw_sparkline([value for _, value in row.curve], CURVE_WIDTH)

    return _text("curve", "curve", lambda row: list(map(list, row.curve)), text, rank=70)


def _make_time() -> ResultColumn:
    def text(row: Row) -> str:
        return format_seconds(row.elapsed)

    field = "training_elapsed_time_seconds"
    return _number("time", field, lambda row: round(row.elapsed, 3), text=text, rank=50)


def _make_reason() -> ResultColumn:
    field, value = "stop_reason", lambda row: row.stop_reason
    return _text("reason", field, value, describe_reason, rank=60, shrinks_to=16)


def _make_holding(
    name: str, find: Callable[[Share], Sequence[int | str] | None], rank: int
) -> ResultColumn:
    """Return the column of the cores or GPUs that a job has, or had."""

    def value(row: Row) -> list[int | str] | None:
        found = find(row.share) if row.share else None
        return None if found is None else list(found)

    return _text(name, name, value, lambda row: plain(" ".join(map(str, value(row) or ()))), rank)


def _number(name: str, field: str, value: Callable[[Row], Any], **options: Any) -> ResultColumn:
    return ResultColumn(name, field, value, right=True, **options)


def _text(
    name: str,
    field: str,
    value: Callable[[Row], Any],
    text: Callable[[Row], str] | None = None,
    rank: int = 0,
    shrinks_to: int | None = None,
) -> ResultColumn:
    text = text or (lambda row: plain(str(value(row) or "")))
    return ResultColumn(name, field, value, text, rank=rank, shrinks_to=shrinks_to)


def describe_status(row: Row) -> str:
    """Return the status, and for a job in progress its phase, or what it waits for."""
    if row.queue_reason is not None:
        reason = f": {row.queue_reason}" if row.queue_reason else ""
        return plain(f"{row.status} (Pending{reason})")
    phase = "Suspended" if row.is_suspended else row.phase
    return f"InProgress ({phase})" if row.status == "InProgress" else row.status


def describe_reason(row: Row) -> str:
    """Return why a job is Stopped or Failed, in a few words."""
    reason = row.stop_reason or row.failure_reason or ""
    return plain(f"{reason}: {row.explanation}" if row.stop_reason and row.explanation else reason)
