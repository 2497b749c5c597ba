"""The table of running jobs on the live screen: where each is, beside the best job. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from hpt_cli.formatting import (
    DIGITS,
    NOTHING,
    draw_sparkline,
    format_clock,
    format_hyperparameters,
    format_number,
    format_seconds,
    format_setting,
    plain,
    thin,
)
from hpt_cli.metrics.curve import Curve
from hpt_cli.spec.objective import Objective
from hpt_cli.tuning.summary import Row, Summary

CURVE_WIDTH, MAX_CURVE_WIDTH = 14, 40
WIDE = 120
SETTINGS_WIDTH, GOOD_SETTINGS_WIDTH = 10, 30
"""The least width of the hyperparameters, which come before the curve; and that before the curve
gets more than it must have."""
NARROW = 60
"""Below this width, columns stand closer."""
VALUE_WIDTH = 10
GPU_WIDTH = 8
"""A longer name is a UUID, and is cut off."""


@dataclass(frozen=True)
class _Column:
    """A column of the table of running jobs; without a width it gets what the others leave."""

    heading: str
    width: int | None
    cells: Sequence[RenderableType]
    right: bool = True


def explain_running(summary: Summary, running: Sequence[Row]) -> list[RenderableType]:
    """Return what the table of running jobs compares them with."""
    if not summary.best or not running:
        return []
    words = f"vs best: value minus job {summary.best.number}'s at that epoch"
    return [Text(words, style="dim", no_wrap=True, overflow="ellipsis")]


def draw_running(rows: Sequence[Row], summary: Summary, width: int) -> Table:
    """Return a row for each running job: where it is, and its curve beside the best job's."""
    gap = 1 if width < NARROW else 2
    columns = _list_columns(rows, summary, width, gap)
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, gap, 0, 0), expand=True)
    for column in columns:
        table.add_column(
            Text(column.heading),
            justify="right" if column.right else "left",
            width=column.width,
            ratio=1 if column.width is None else None,
            no_wrap=True,
            overflow="ellipsis",
        )
    for cells in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*cells)
    return table


def _list_columns(rows: Sequence[Row], summary: Summary, width: int, gap: int) -> list[_Column]:
    """Return the columns that fit: numbers come first, then hyperparameters, then the curve."""
    is_wide = width >= WIDE
    value = plain(summary.objective.metric) if is_wide else "value"
    against = "vs best at epoch" if is_wide else "vs best"
    best = summary.best.curve if summary.best else ()
    gpus = [plain(row.share.gpu_names) if row.share else "" for row in rows]
    numbers = [
        _Column("job", 4, [_name_job(row) for row in rows]),
        _Column("epoch", 7, [_describe_epoch(row, summary) for row in rows]),
        _Column(value, min(20, max(VALUE_WIDTH, len(value))), [_format_value(row) for row in rows]),
        _Column(
            against,
            max(8, len(against)),
            [_compare_to_best(row.curve, best, summary.objective) for row in rows],
        ),
    ]
    after = []
    if any(gpus):
        gpu_width = min(GPU_WIDTH, max(map(len, ["GPU", *gpus])))
        after.append(_Column("GPU", gpu_width, list(map(Text, gpus)), right=False))
    time_width = 11 if is_wide else 6
    spare = width - sum((each.width or 0) + gap for each in (*numbers, *after)) - time_width
    has_curve = spare >= CURVE_WIDTH + SETTINGS_WIDTH + 2 * gap
    times = [_describe_time(row, is_wide=is_wide, says_still=not has_curve) for row in rows]
    after.insert(0, _Column("time", max([time_width, *map(len, times)]), times))
    if has_curve:
        good = spare - GOOD_SETTINGS_WIDTH - 2 * gap
        curve_width = min(MAX_CURVE_WIDTH, max(CURVE_WIDTH, good))
        curves = [_draw_curve_or_reason(row, best, summary, curve_width) for row in rows]
        numbers.append(_Column("curve", curve_width, curves, right=False))
    if spare >= SETTINGS_WIDTH + gap:
        settings = [_describe_settings(row, is_wide=is_wide) for row in rows]
        after.append(_Column("hyperparameters", None, settings, right=False))
    return [*numbers, *after]


def _find_still(row: Row) -> str | None:
    """Return why a job stands still, if it does."""
    return "suspended" if row.is_suspended else row.queue_reason


def _draw_curve_or_reason(row: Row, best: Curve, summary: Summary, width: int) -> Text:
    still = _find_still(row)
    if still is not None:
        return Text(plain(still), style="dim")
    return draw_curve(row.curve, best, summary.objective, width)


def _name_job(row: Row) -> Text:
    return Text(str(row.number), style="yellow" if row.phase == "Stopping" else "cyan")


def _describe_epoch(row: Row, summary: Summary) -> str:
    """Return how many epochs a job has trained, of as many as completed ones have."""
    usual = max((each.epochs for each in summary.rows if each.status == "Completed"), default=0)
    return f"{row.epochs}/{usual}" if usual and usual >= row.epochs else str(row.epochs)


def _format_value(row: Row) -> str:
    """Return what counts so far; a long whole number, as of a job that diverges, in few digits."""
    value, text = row.so_far, format_number(row.so_far)
    return text if value is None or len(text) <= VALUE_WIDTH else f"{value:.{DIGITS}g}"


def _describe_settings(row: Row, *, is_wide: bool) -> Text:
    """Return hyperparameters; without names where the line of the best job, above, has them."""
    if is_wide:
        return Text(format_hyperparameters(row.hyperparameters))
    return Text("  ".join(map(format_setting, row.hyperparameters.values())))


def _describe_time(row: Row, *, is_wide: bool, says_still: bool) -> str:
    if row.queue_reason is not None:
        return "queued"
    if row.is_suspended and says_still:
        return "suspended"
    return format_seconds(row.elapsed) if is_wide else format_clock(row.elapsed)


def _compare_to_best(curve: Curve, best: Curve, objective: Objective) -> Text:
    """Return the difference of what counts so far to what did of the best job's at that epoch."""
    curve, at_step = objective.choose(curve), dict(objective.choose(best))
    if not curve or curve[-1][0] not in at_step:
        return Text(NOTHING, style="dim")
    step, value = curve[-1]
    style = "green" if _is_as_good(value, at_step[step], objective) else ""
    return Text(f"{value - at_step[step]:+.2g}", style=style)


def _is_as_good(value: float, other: float, objective: Objective) -> bool:
    return objective.loss(value) <= objective.loss(other)


def draw_curve(curve: Curve, best: Curve, objective: Objective, width: int) -> Text:
    """Return a sparkline on the best job's scale, green where a value is as good at that epoch."""
    points = thin(curve, width)
    scale = _compute_scale([value for _, value in points], [value for _, value in best])
    bars = draw_sparkline([value for _, value in points], width, scale)
    at_step = dict(best)
    text = Text(no_wrap=True)
    for (step, value), bar in zip(points, bars, strict=True):
        other = at_step.get(step)
        is_good = other is None or _is_as_good(value, other, objective)
        text.append(bar, style="green" if is_good else "yellow")
    return text


def _compute_scale(own: Sequence[float], best: Sequence[float]) -> tuple[float, float] | None:
    """Return low and high: the span of the best job's curve, extended by at most its own length."""
    finite = [value for value in own if math.isfinite(value)]
    of_best = [value for value in best if math.isfinite(value)] or finite
    if not of_best:
        return None
    low, high = min(of_best), max(of_best)
    span = high - low
    return (
        min(low, max(low - span, min(finite, default=low))),
        max(high, min(high + span, max(finite, default=high))),
    )
