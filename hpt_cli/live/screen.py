"""The live screen of a tuning job, as rich renderables for a terminal of any size. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from hpt_cli.formatting import (
    NOTHING,
    count,
    draw_sparkline,
    format_clock,
    format_column,
    format_hyperparameters,
    format_number,
    format_seconds,
    format_setting,
    plain,
    thin,
)
from hpt_cli.metrics.curve import Curve
from hpt_cli.spec.objective import Objective
from hpt_cli.tuning.state import RUNNING, TERMINAL
from hpt_cli.tuning.summary import (
    Row,
    Summary,
    describe_warning,
    estimate_saved_seconds,
    list_improvements,
    list_job_counts,
)

CURVE_WIDTH = 14
WIDE_CURVE_WIDTH = 40
WIDE = 120
GPU_WIDTH = 8
"""A longer name is a UUID, and is cut off."""
LOW = 20
"""Below this height, blank lines and details are left out in favour of running jobs."""
TALL = 40
"""From this height on there is room for the best jobs."""
TOP = 5
IMPROVEMENTS = 4


@dataclass(frozen=True)
class Size:
    """The size of a terminal, in characters."""

    width: int
    height: int


def draw_screen(
    summary: Summary, messages: Sequence[str], now: float, size: Size
) -> RenderableType:
    """Return the whole screen: progress, best so far, running jobs, last stop, messages."""
    running = [row for row in summary.rows if row.phase in RUNNING]
    above = [
        *_draw_head(summary, len(running), size),
        *_draw_best(summary, now, detailed=size.height >= LOW),
    ]
    below = _draw_last_stop(summary, now)
    below += _draw_warning(summary, size)
    last = 1 if size.height < LOW else 3 if size.height < TALL else 10
    below += [_line(message, "dim") for message in messages[-last:]]
    if size.height >= LOW:
        above.append(Text())
        below.insert(0, Text())
    # Two lines less, for the table's header and for "… and N more".
    room = max(1, size.height - len(above) - len(below) - 2)
    middle: list[RenderableType] = [_draw_running(running[:room], summary, size.width)]
    if len(running) > room:
        middle.append(_line(f"… and {len(running) - room} more", "dim"))
    if size.height >= TALL and room - len(running) > TOP + 3:
        middle += _draw_top(summary)
    return Group(*above, *middle, *below)


def _draw_warning(summary: Summary, size: Size) -> list[RenderableType]:
    """Return the latest warning, with what to do about it where there is room."""
    if not summary.warnings:
        return []
    lines = list(describe_warning(summary.warnings[-1]))
    room = 1 if size.height < LOW else 4 if size.height < TALL else len(lines)
    shown = [lines[0], *(lines[-(room - 1) :] if room > 1 else ())]
    return [_line(line, "yellow") for line in shown]


def _line(text: str, style: str = "") -> Text:
    return Text(plain(text), style=style, no_wrap=True, overflow="ellipsis")


def _draw_head(summary: Summary, running: int, size: Size) -> list[RenderableType]:
    """Return name and status, progress with the time left, counters with the time saved."""
    done = sum(row.phase in TERMINAL for row in summary.rows)
    total = summary.max_jobs or len(summary.rows)
    left = estimate_left(summary, running)
    words = f"{done} of {total}" + (f", about {format_seconds(left)} left" if left else "")
    head = Table.grid(expand=True)
    head.add_column(no_wrap=True, overflow="ellipsis")
    head.add_column(justify="right", no_wrap=True)
    status = f"{summary.status}  {format_seconds(summary.tuning_time)}"
    head.add_row(Text(summary.name, style="bold"), Text(status))
    bar = Table.grid(padding=(0, 2, 0, 0))
    bar.add_row(
        ProgressBar(total=max(1, total), completed=done, width=max(10, min(60, size.width - 36))),
        _line(words),
    )
    return [head, bar, _describe_counts(summary, running)]


def _describe_counts(summary: Summary, running: int) -> Text:
    pending = sum(row.queue_reason is not None for row in summary.rows)
    words = [f"{running - pending} running", *([f"{pending} pending"] if pending else [])]
    text = _line("  ".join([*words, *list_job_counts(summary, TERMINAL)]))
    saved = estimate_saved_seconds(summary.rows)
    if saved:
        share = saved / (saved + summary.total_training_time)
        text.append(f"  early stopping saved about {format_seconds(saved)} ({share:.0%})", "green")
    return text


def estimate_left(summary: Summary, running: int) -> float | None:
    """Return seconds until the last job ends, from the mean of those that have; None before."""
    ended = [row.elapsed for row in summary.rows if row.ended_at is not None]
    if not ended or not summary.max_jobs:
        return None
    mean = sum(ended) / len(ended)
    begun = sum(
        min(row.elapsed, mean) for row in summary.rows if row.phase in ("Starting", "Training")
    )
    left = (summary.max_jobs - len(ended)) * mean - begun
    return max(0.0, left) / max(1, running)


def _draw_best(summary: Summary, now: float, *, detailed: bool) -> list[RenderableType]:
    best = summary.best
    if best is None:
        return [_line(_describe_lead(summary), "dim")]
    ago = "" if best.ended_at is None else f", {format_seconds(now - best.ended_at)} ago"
    value = f"best {summary.objective.metric} = {format_number(best.final, 6)} by {best.name}{ago}"
    if not detailed:
        return [_line(value, "green")]
    return [
        Text(),
        _line(value, "bold green"),
        _line(f"     {format_hyperparameters(best.hyperparameters)}"),
        _line(f"     {_describe_improvements(summary)}", "dim"),
    ]


def _describe_lead(summary: Summary) -> str:
    """Return which running job has the best latest value, while there is no result yet."""
    latest = [
        (summary.objective.loss(value), row.number, value)
        for row in summary.rows
        if row.phase in RUNNING and row.curve and math.isfinite(value := row.curve[-1][1])
    ]
    if not latest:
        return "no result yet"
    _, number, value = min(latest)
    metric = summary.objective.metric
    return f"no result yet; job {number} leads with {metric} = {format_number(value)}"


def _describe_improvements(summary: Summary) -> str:
    """Return the improvements so far: `0.9012 (job 1) → 0.9203 (job 4) → 0.9383 (job 10)`."""
    steps = list_improvements(summary.rows, summary.objective)
    shown = steps[-IMPROVEMENTS:]
    values = format_column([row.final for row in shown])
    words = [f"{value} (job {row.number})" for value, row in zip(values, shown, strict=True)]
    return " → ".join(["…"] * (len(steps) > IMPROVEMENTS) + words)


def _draw_running(rows: Sequence[Row], summary: Summary, width: int) -> Table:
    """Return a row for each running job: where it is, and its curve beside the best job's."""
    is_wide = width >= WIDE
    curve_width = WIDE_CURVE_WIDTH if is_wide else CURVE_WIDTH
    value = plain(summary.objective.metric) if is_wide else "value"
    against = "vs best at epoch" if is_wide else "vs best"
    gpus = [plain(row.share.gpu_names) if row.share else "" for row in rows]
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0), expand=True)
    table.add_column("job", justify="right", width=4, no_wrap=True)
    table.add_column("epoch", justify="right", width=7, no_wrap=True)
    table.add_column(Text(value), justify="right", width=min(20, max(9, len(value))), no_wrap=True)
    table.add_column(against, justify="right", width=max(8, len(against)), no_wrap=True)
    table.add_column("curve", width=curve_width, no_wrap=True)
    table.add_column("time", justify="right", width=11 if is_wide else 6, no_wrap=True)
    if any(gpus):
        table.add_column("GPU", width=min(GPU_WIDTH, max(map(len, ["GPU", *gpus]))), no_wrap=True)
    table.add_column("hyperparameters", no_wrap=True, overflow="ellipsis", ratio=1)
    for row, gpu in zip(rows, gpus, strict=True):
        cells = _draw_progress(row, summary, curve_width)
        time = _describe_time(row, is_wide=is_wide)
        settings = _describe_settings(row, is_wide=is_wide)
        table.add_row(*cells, time, *([Text(gpu)] if any(gpus) else []), settings)
    return table


def _draw_progress(row: Row, summary: Summary, curve_width: int) -> list[RenderableType]:
    """Return the cells of a running job: number, epoch, value, against the best, curve."""
    objective = summary.objective
    best = summary.best.curve if summary.best else ()
    usual = max((each.epochs for each in summary.rows if each.status == "Completed"), default=0)
    return [
        Text(str(row.number), style="yellow" if row.phase == "Stopping" else "cyan"),
        f"{row.epochs}/{usual}" if usual and usual >= row.epochs else str(row.epochs),
        format_number(row.curve[-1][1] if row.curve else None),
        _compare_to_best(row.curve, best, objective),
        draw_curve(row.curve, best, objective, curve_width)
        if (still := "suspended" if row.is_suspended else row.queue_reason) is None
        else _line(still, "dim"),
    ]


def _describe_settings(row: Row, *, is_wide: bool) -> Text:
    """Return hyperparameters; without names where the line of the best job, above, has them."""
    if is_wide:
        return _line(format_hyperparameters(row.hyperparameters))
    return _line("  ".join(map(format_setting, row.hyperparameters.values())))


def _describe_time(row: Row, *, is_wide: bool) -> str:
    if row.queue_reason is not None:
        return "queued"
    return format_seconds(row.elapsed) if is_wide else format_clock(row.elapsed)


def _compare_to_best(curve: Curve, best: Curve, objective: Objective) -> Text:
    """Return the difference of the latest value to the best job's at the same epoch."""
    at_step = dict(best)
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


def _draw_top(summary: Summary) -> list[RenderableType]:
    """Return the best jobs so far."""
    able = [row for row in summary.rows if row.final is not None and math.isfinite(row.final)]
    rows = sorted(able, key=lambda row: summary.objective.loss(row.final or 0.0))[:TOP]
    if not rows:
        return []
    values = format_column([row.final for row in rows], [row.final or 0.0 for row in rows[:2]])
    lines = [
        _line(
            f"{row.number:>4}  {value:>9}  {row.epochs:>5}  {format_seconds(row.elapsed):>12}"
            f"  {row.status:<9}  {format_hyperparameters(row.hyperparameters)}",
            "dim" if row.status == "Stopped" else "",
        )
        for row, value in zip(rows, values, strict=True)
    ]
    return [Text(), _line(f"best {count(len(rows), 'job')}", "bold"), *lines]


def _draw_last_stop(summary: Summary, now: float) -> list[RenderableType]:
    stopped = [row for row in summary.rows if row.status == "Stopped" and row.explanation]
    last = max(stopped, key=lambda row: row.ended_at or 0.0, default=None)
    if last is None:
        return []
    ago = "" if last.ended_at is None else f", {format_seconds(now - last.ended_at)} ago"
    words = f"last stop: {last.name} at epoch {last.epochs}{ago}: {last.explanation}"
    return [_line(words, "yellow")]
