"""The live screen of a tuning job, as rich renderables for a terminal of any size. Pure."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from hpt_cli.formatting import (
    count,
    format_column,
    format_hyperparameters,
    format_number,
    format_seconds,
    plain,
)
from hpt_cli.live.paused import draw_paused
from hpt_cli.live.running import draw_running, explain_running
from hpt_cli.tuning.jobs.training_job import RUNNING
from hpt_cli.tuning.summary import (
    Summary,
    describe_warning,
    estimate_saved_seconds,
    list_improvements,
)

TOP = 5
IMPROVEMENTS = 4
AROUND_RUNNING = 2
"""Lines for the heading of the table of running jobs, and for "… and N more"."""
AROUND_TOP = 4
"""Lines around the best jobs."""


@dataclass(frozen=True)
class Size:
    """The size of a terminal, in characters."""

    width: int
    height: int


@dataclass(frozen=True)
class _Detail:
    """How much of the screen is shown besides the running jobs."""

    messages: int
    """Lines of messages."""
    best: bool
    """Whether more is said of the best job than its value."""
    gaps: bool
    """Whether blank lines stand between the parts."""


DETAILS = (
    _Detail(10, best=True, gaps=True),
    _Detail(3, best=True, gaps=True),
    _Detail(3, best=True, gaps=False),
    _Detail(1, best=False, gaps=False),
)
"""The first with which all running jobs fit is shown."""


def draw_screen(
    summary: Summary, messages: Sequence[str], now: float, size: Size
) -> RenderableType:
    """Return the whole screen: progress, best so far, running jobs, last stop, messages."""
    running = [row for row in summary.rows if row.phase in RUNNING]
    for detail in DETAILS:
        gap = [Text()] if detail.gaps else []
        above = [*_draw_head(summary, len(running), size), *_draw_best(summary, now, size, detail)]
        notes = explain_running(summary, running) if detail.best else []
        notes += draw_paused(summary) if detail.best else []
        below = [
            *gap,
            *_draw_last_stop(summary, now, size),
            *_draw_pause(summary, size),
            *_draw_warning(summary, size, detail),
        ]
        used = len([*above, *gap, *notes, *below]) + detail.messages + AROUND_RUNNING
        room = size.height - used
        if room >= len(running):
            break
    room = max(1, room)
    below += _draw_messages(messages, size, detail)
    middle: list[RenderableType] = [*gap, draw_running(running[:room], summary, size.width)]
    if len(running) > room:
        middle.append(_line(f"… and {len(running) - room} more", "dim"))
    middle += notes
    if room - len(running) > TOP + AROUND_TOP:
        middle += _draw_top(summary)
    return Group(*above, *middle, *below)


def _draw_pause(summary: Summary, size: Size) -> list[Text]:
    words = f"launching is paused: {summary.pause}"
    return _wrap(words, "yellow", size, 3) if summary.pause else []


def _draw_warning(summary: Summary, size: Size, detail: _Detail) -> list[RenderableType]:
    """Return the latest warning, with what to do about it where there is room."""
    if not summary.warnings:
        return []
    first, *rest = describe_warning(summary.warnings[-1])
    lines = [*_wrap(first, "yellow", size, 2)]
    if detail.best:
        lines += [_line(line, "yellow") for line in rest[-detail.messages :]]
    return [*lines]


def _draw_messages(messages: Sequence[str], size: Size, detail: _Detail) -> list[RenderableType]:
    """Return the latest messages, the newest at the bottom, in as many lines as there is room."""
    lines: list[Text] = []
    for message in reversed(messages):
        wrapped = _wrap(message, "dim", size, min(2, detail.messages))
        if len(lines) + len(wrapped) > detail.messages:
            break
        lines = [*wrapped, *lines]
    return [*lines]


def _line(text: str, style: str = "") -> Text:
    return Text(plain(text), style=style, no_wrap=True, overflow="ellipsis")


def _wrap(text: str, style: str, size: Size, most: int) -> list[Text]:
    """Return a text in lines of the screen's width, the last of `most` lines cut off."""
    lines = textwrap.wrap(
        plain(text), size.width, subsequent_indent="  ", max_lines=most, placeholder=" …"
    )
    return [_line(line, style) for line in lines]


def _draw_head(summary: Summary, running: int, size: Size) -> list[RenderableType]:
    """Return name and status, progress with the time left, counters with the time saved."""
    progress = summary.progress
    total = progress.limit or len(summary.rows)
    left = estimate_left(summary, running)
    words = f"{progress.of} done" + (f", about {format_seconds(left)} left" if left else "")
    head = Table.grid(expand=True)
    head.add_column(no_wrap=True, overflow="ellipsis")
    head.add_column(justify="right", no_wrap=True)
    status = f"{summary.status}  {format_seconds(summary.tuning_time)}"
    head.add_row(Text(summary.name, style="bold"), Text(status))
    bar = Table.grid(padding=(0, 2, 0, 0))
    bar.add_row(
        ProgressBar(
            total=max(1, total),
            completed=progress.done,
            width=max(4, min(60, size.width - len(words) - 2)),
        ),
        _line(words),
    )
    return [head, bar, *_wrap(progress.describe_kinds(), "", size, 2), *_describe_saved(summary)]


def _describe_saved(summary: Summary) -> list[Text]:
    saved = estimate_saved_seconds(summary.rows)
    if not saved:
        return []
    share = saved / (saved + summary.total_training_time)
    return [_line(f"early stopping saved about {format_seconds(saved)} ({share:.0%})", "green")]


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


def _draw_best(summary: Summary, now: float, size: Size, detail: _Detail) -> list[RenderableType]:
    best = summary.best
    if best is None:
        return [_line(_describe_lead(summary), "dim")]
    ago = "" if best.ended_at is None else f", {format_seconds(now - best.ended_at)} ago"
    value = f"best {summary.best_result}{ago}"
    if not detail.best:
        return [*_wrap(value, "green", size, 2)]
    return [
        *([Text()] if detail.gaps else []),
        *_wrap(value, "bold green", size, 2),
        *_wrap(f"  {format_hyperparameters(best.hyperparameters)}", "", size, 2),
        _line(f"  {_describe_improvements(summary)}", "dim"),
    ]


def _describe_lead(summary: Summary) -> str:
    """Return which running job has the best value so far, while there is no result yet."""
    values = [
        (summary.objective.loss(row.so_far), row.number, row.so_far)
        for row in summary.rows
        if row.phase in RUNNING and row.so_far is not None and math.isfinite(row.so_far)
    ]
    if not values:
        return "no result yet"
    _, number, value = min(values)
    metric = summary.objective.metric
    return f"no result yet; job {number} leads with {metric} = {format_number(value)}"


def _describe_improvements(summary: Summary) -> str:
    """Return the improvements so far: `0.9012 (job 1) → 0.9203 (job 4) → 0.9383 (job 10)`."""
    steps = list_improvements(summary.rows, summary.objective)
    shown = steps[-IMPROVEMENTS:]
    values = format_column([row.final for row in shown])
    words = [f"{value} (job {row.number})" for value, row in zip(values, shown, strict=True)]
    return " → ".join(["…"] * (len(steps) > IMPROVEMENTS) + words)


def _draw_top(summary: Summary) -> list[RenderableType]:
    """Return the best jobs so far."""
    able = [row for row in summary.rows if row.final is not None and math.isfinite(row.final)]
    rows = sorted(able, key=lambda row: summary.objective.loss(row.final or 0.0))[:TOP]
    if not rows:
        return []
    values = format_column([row.final for row in rows], [row.final or 0.0 for row in rows[:2]])
    heading = f"{'job':>4}  {'value':>9}  {'epoch':>5}  {'time':>12}  status"
    lines = [
        _line(
            f"{row.number:>4}  {value:>9}  {row.epochs:>5}  {format_seconds(row.elapsed):>12}"
            f"  {row.status:<9}  {format_hyperparameters(row.hyperparameters)}",
            "dim" if row.status == "Stopped" else "",
        )
        for row, value in zip(rows, values, strict=True)
    ]
    return [Text(), _line(f"best {count(len(rows), 'job')}", "bold"), _line(heading, "dim"), *lines]


def _draw_last_stop(summary: Summary, now: float, size: Size) -> list[RenderableType]:
    stopped = [row for row in summary.rows if row.status == "Stopped" and row.explanation]
    last = max(stopped, key=lambda row: row.ended_at or 0.0, default=None)
    if last is None:
        return []
    ago = "" if last.ended_at is None else f", {format_seconds(now - last.ended_at)} ago"
    words = f"last stop: {last.name} at epoch {last.epochs}{ago}: {last.explanation}"
    return [*_wrap(words, "yellow", size, 2)]
