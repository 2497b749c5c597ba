"""What the terminal shows while a tuning job runs: a calm screen, or plain lines.

Everything goes to standard error; standard output is for results.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from types import TracebackType
from typing import TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from hpt_cli.core.events import (
    AnyEvent,
    JobExited,
    JobLaunched,
    JobLost,
    JobNoted,
    JobStopRequested,
    SpaceExhausted,
    TunerStarted,
    TuningJobEnded,
    TuningJobStopRequested,
)
from hpt_cli.core.objective import Objective
from hpt_cli.core.state import TuningState
from hpt_cli.core.summary import Row, Summary, final_objective, make_row, summarize
from hpt_cli.reports.show import describe_jobs
from hpt_cli.wording import (
    draw_sparkline,
    format_hyperparameters,
    format_number,
    format_seconds,
    plain,
)

REFRESH_SECONDS = 0.25
MESSAGES = 3
CURVE_WIDTH = 16
HEADER_LINES = 5


class QuietView:
    """Shows nothing."""

    def __enter__(self) -> QuietView:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        return None

    def show(self, state: TuningState, events: Iterable[AnyEvent], now: float) -> None:
        """Nothing."""


class PlainView(QuietView):
    """A line for everything that happens, for pipes, logs and dumb terminals."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def show(self, state: TuningState, events: Iterable[AnyEvent], now: float) -> None:
        """Print the events that a person wants to know of."""
        for event in events:
            message = describe_event(state, event)
            if message:
                elapsed = format_seconds(now - state.started_at)
                print(f"[{elapsed:>6}] {message}", file=self._file, flush=True)


class LiveView(QuietView):
    """A screen that is drawn again in place, several times a second."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._messages: deque[str] = deque(maxlen=MESSAGES)
        self._drawn_at = -math.inf

    def __enter__(self) -> LiveView:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._live.stop()

    def show(self, state: TuningState, events: Iterable[AnyEvent], now: float) -> None:
        """Remember the latest messages, and draw if it is time."""
        self._messages += [text for each in events if (text := describe_event(state, each))]
        if now - self._drawn_at >= REFRESH_SECONDS or now < self._drawn_at:
            self._drawn_at = now
            screen = draw_screen(state, list(self._messages), now, self._console.height)
            self._live.update(screen, refresh=True)


def draw_screen(state: TuningState, messages: list[str], now: float, height: int) -> RenderableType:
    """The whole screen: progress, best so far, running jobs, latest messages."""
    summary = summarize(state, now, at_work=True)
    running = [row for row in summary.rows if row.phase in ("Starting", "Training", "Stopping")]
    room = max(1, height - HEADER_LINES - MESSAGES - 3)
    parts: list[RenderableType] = [
        _draw_progress(summary, len(running)),
        Text(describe_jobs(summary), no_wrap=True, overflow="ellipsis"),
        _describe_best(summary),
        _draw_running(running[:room], summary.objective),
    ]
    if len(running) > room:
        parts.append(Text(f"… and {len(running) - room} more", style="dim"))
    parts += [Text(message, style="dim", no_wrap=True, overflow="ellipsis") for message in messages]
    return Group(*parts)


def _draw_progress(summary: Summary, running: int) -> RenderableType:
    done = sum(row.phase in ("Completed", "Stopped", "Failed") for row in summary.rows)
    total = summary.max_jobs or len(summary.rows)
    grid = Table.grid(padding=(0, 2, 0, 0), expand=False)
    left = estimate_left(summary, running)
    words = f"{format_seconds(summary.tuning_time)}"
    words += f", about {format_seconds(left)} left" if left is not None else ""
    grid.add_row(
        Text(summary.name, style="bold"),
        ProgressBar(total=max(1, total), completed=done, width=24),
        Text(f"{done}/{total}"),
        Text(words, style="dim", no_wrap=True),
    )
    return grid


def estimate_left(summary: Summary, running: int) -> float | None:
    """Seconds until the last job ends, from the mean of those that have."""
    ended = [row.elapsed for row in summary.rows if row.ended_at is not None]
    if not ended or not summary.max_jobs:
        return None
    mean = sum(ended) / len(ended)
    begun = sum(
        min(row.elapsed, mean) for row in summary.rows if row.phase in ("Starting", "Training")
    )
    left = (summary.max_jobs - len(ended)) * mean - begun
    return max(0.0, left) / max(1, running)


def _describe_best(summary: Summary) -> Text:
    best = summary.best
    if best is None:
        return Text("no result yet", style="dim")
    line = f"best {summary.objective.metric} = {format_number(best.final)} by {best.name}  "
    text = Text(plain(line), style="green", no_wrap=True, overflow="ellipsis")
    return text.append(format_hyperparameters(best.hyperparameters), style="dim")


def _draw_running(rows: list[Row], objective: Objective) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0), expand=True)
    value_width = min(20, max(7, len(objective.metric)))
    table.add_column("job", justify="right", width=4, no_wrap=True)
    table.add_column("epoch", justify="right", width=5, no_wrap=True)
    table.add_column(plain(objective.metric), justify="right", width=value_width, no_wrap=True)
    table.add_column("curve", width=CURVE_WIDTH, no_wrap=True)
    table.add_column("time", justify="right", width=6, no_wrap=True)
    table.add_column("hyperparameters", no_wrap=True, overflow="ellipsis", ratio=1)
    for row in rows:
        values = [value for _, value in row.curve]
        table.add_row(
            Text(str(row.number), style="yellow" if row.phase == "Stopping" else "cyan"),
            str(row.epochs),
            format_number(values[-1] if values else None),
            draw_sparkline(values, CURVE_WIDTH),
            format_seconds(row.elapsed),
            Text(format_hyperparameters(row.hyperparameters)),
        )
    return table


def describe_event(state: TuningState, event: AnyEvent) -> str:
    """An event in a line for people; nothing for those that say nothing to them."""
    match event:
        case TunerStarted():
            again = len(state.sessions) > 2
            return f"{'resuming' if again else 'tuning'} {state.spec['name']}"
        case TuningJobStopRequested(reason=reason):
            more = " (Ctrl-C again kills them)" if reason == "Interrupted" else ""
            return f"stopping: running jobs are asked to end{more}"
        case TuningJobEnded(status=status, reason=reason):
            return f"{status}: {reason}"
        case SpaceExhausted():
            return "there is no untried point left"
        case JobLaunched(number=number, attempt=attempt):
            row = _row(state, number, event.at)
            words = f", attempt {attempt}" if attempt > 1 else ""
            return f"{row.name} started{words}: {format_hyperparameters(row.hyperparameters)}"
        case JobStopRequested(number=number, reason=reason, explanation=explanation):
            row = _row(state, number, event.at)
            words = f": {explanation}" if explanation else ""
            return f"{row.name} stopping after {row.epochs} epochs, {reason}{words}"
        case JobExited(number=number) | JobLost(number=number):
            return _describe_end(state, number, event.at)
        case JobNoted(number=number, text=text):
            return plain(f"{_row(state, number, event.at).name}: {text}")
    return ""


def _row(state: TuningState, number: int, now: float) -> Row:
    return make_row(state, state.jobs[number], Objective.of(state.spec), now)


def _describe_end(state: TuningState, number: int, now: float) -> str:
    row = _row(state, number, now)
    if row.phase == "Interrupted":
        return f"{row.name} interrupted; it will run again"
    if row.failure_reason:
        last = f" | {row.tail[-1]}" if row.tail else ""
        return plain(f"{row.name} {row.status}: {row.failure_reason}{last}")
    objective = Objective.of(state.spec)
    best = " ★ best so far" if _is_best(state, number, objective) else ""
    return (
        f"{row.name} {row.status} after {row.epochs} epochs, {format_seconds(row.elapsed)}:"
        f" {plain(objective.metric)} = {format_number(row.final)}{best}"
    )


def _is_best(state: TuningState, number: int, objective: Objective) -> bool:
    """Whether a job that ended is better than all that ended before it."""
    finals = {job.number: final_objective(job, objective) for job in state.jobs.values()}
    losses = {key: objective.loss(each) for key, each in finals.items() if each is not None}
    own = losses.pop(number, math.inf)
    return own < min(losses.values(), default=math.inf)
