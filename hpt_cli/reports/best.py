"""The best training job of a tuning job."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from hpt_cli.formatting import count, format_exact, plain
from hpt_cli.reports.jobs import row_to_json
from hpt_cli.tuning.repeats.confirmation import confirm
from hpt_cli.tuning.repeats.rows import describe_mean
from hpt_cli.tuning.summary import Summary

if TYPE_CHECKING:
    from hpt_cli.reports.json_types import TrainingJob


def render(summaries: Sequence[Summary]) -> RenderableType:
    """Return the best job's value and hyperparameters, a line each, with every digit."""
    return Group(*(_render_best(each) for each in summaries))


def _render_best(summary: Summary) -> RenderableType:
    best, objective = summary.best, summary.objective
    if best is None or best.final is None:
        return Text(describe_none(summary))
    value = format_exact(objective.drop_rounding_error(best.final))
    lines = [Text(plain(f"{best.name}  {objective.metric} = {value}"), style="bold green")]
    lines += [
        Text(f"  {plain(name)} = {format_exact(setting)}")
        for name, setting in best.hyperparameters.items()
    ]
    if mean := describe_mean(summary.best_configuration, objective):
        lines.append(Text(f"  {mean}"))
    if (confirmation := confirm(summary)) is not None:
        lines += map(Text, confirmation.describe())
    return Group(*lines)


def describe_none(summary: Summary) -> str:
    """Return why there is no best training job."""
    failed = [row for row in summary.rows if row.status == "Failed" and row.so_far is not None]
    if not failed:
        return f"no training job of {summary.name} has an objective value yet"
    values = f"values of {summary.objective.metric} were read of {count(len(failed), 'Failed one')}"
    return plain(f"no training job of {summary.name} has a result: {values} only")


def to_json(summaries: Sequence[Summary]) -> TrainingJob | None:
    """Return the best job's row, or None."""
    (summary,) = summaries
    return row_to_json(summary.best) if summary.best else None
