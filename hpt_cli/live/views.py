"""What the terminal shows while a tuning job runs: a calm screen, or plain lines.

Everything goes to standard error; standard output is for results.
"""

from __future__ import annotations

import math
import os
import signal
import threading
from collections import deque
from collections.abc import Iterable
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, TextIO

from hpt_cli.formatting import (
    describe_warning,
    format_hyperparameters,
    format_number,
    format_seconds,
    plain,
)
from hpt_cli.plural import count
from hpt_cli.spec.objective import Objective
from hpt_cli.tuning.events import (
    AnyEvent,
    ExecutorNoted,
    JobExited,
    JobLaunched,
    JobLost,
    JobNoted,
    JobQueued,
    JobStarted,
    JobStopRequested,
    SpaceExhausted,
    SpecChanged,
    TunerStarted,
    TuningJobEnded,
    TuningJobStopRequested,
    Warned,
)
from hpt_cli.tuning.state import TuningState
from hpt_cli.tuning.summary import Row, final_objective, find_overall_best, make_row, summarize

if TYPE_CHECKING:
    from rich.console import Console

REFRESH_SECONDS = 0.5
MESSAGES = 10

# See "Xterm Control Sequences": the alternate screen, the cursor, and one update at a time.
ENTER = "\x1b[?1049h\x1b[?25l\x1b[2J"
LEAVE = "\x1b[?25h\x1b[?1049l"
BEGIN_UPDATE = "\x1b[?2026h\x1b[H"
END_UPDATE = "\x1b[J\x1b[?2026l"
END_LINE = "\x1b[K"


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
                print(f"[{elapsed:>6}] {plain(message)}", file=self._file, flush=True)
            if isinstance(event, Warned):
                for line in list(describe_warning(event))[1:]:
                    print(f"{'':8} {line}", file=self._file, flush=True)


class LiveView(QuietView):
    """A screen of its own, drawn again as a whole: nothing of before a resize stays on it.

    It is there while the terminal is ours: Ctrl-Z gives the shell its own screen back.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._messages: deque[str] = deque(maxlen=MESSAGES)
        self._rows: tuple[Row, ...] = ()
        self._drawn_at = -math.inf
        self._is_shown = False

    def __enter__(self) -> LiveView:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTSTP, self._suspend)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._leave()

    def _suspend(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Ctrl-Z: stop as if nobody had noticed, but for the screen."""
        self._leave()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, self._suspend)
        self._drawn_at = -math.inf

    def _leave(self) -> None:
        if self._is_shown:
            self._write(LEAVE)
        self._is_shown = False

    def show(self, state: TuningState, events: Iterable[AnyEvent], now: float) -> None:
        """Remember the latest messages, and draw if it is time."""
        self._messages += [
            text
            for each in events
            if not isinstance(each, Warned) and (text := describe_event(state, each))
        ]
        if now - self._drawn_at >= REFRESH_SECONDS or now < self._drawn_at:
            self._drawn_at = now
            if self._is_in_foreground():
                self._draw(state, now)

    def _is_in_foreground(self) -> bool:
        """Whether the terminal is ours, and not that of a shell that put us into its background."""
        try:
            return os.tcgetpgrp(self._console.file.fileno()) == os.getpgrp()
        except OSError:
            return True

    def _draw(self, state: TuningState, now: float) -> None:
        from hpt_cli.live.screen import Size, draw_screen

        summary = summarize(state, now, at_work=True, known=self._rows)
        self._rows = summary.rows
        # In the last column a terminal is about to wrap, and erases what stands there.
        size = Size(self._console.width - 1, self._console.height)
        screen = draw_screen(summary, list(self._messages), now, size)
        with self._console.capture() as capture:
            self._console.print(screen, width=size.width)
        lines = capture.get().splitlines()[: size.height]
        frame = "\r\n".join(f"{line}{END_LINE}" for line in lines)
        enter = "" if self._is_shown else ENTER
        self._is_shown = True
        self._write(f"{enter}{BEGIN_UPDATE}{frame}{END_UPDATE}")

    def _write(self, text: str) -> None:
        self._console.file.write(text)
        self._console.file.flush()


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
        case SpecChanged(changes=changes):
            return plain(", ".join(f"{field} is now {value}" for field, value in changes.items()))
        case SpaceExhausted():
            return "there is no untried point left"
        case Warned():
            return next(describe_warning(event))
        case JobLaunched(number=number, attempt=attempt):
            row = _row(state, number, event.at)
            begun = "started" if state.spec.get("executor", "local") == "local" else "submitted"
            words = f", attempt {attempt}" if attempt > 1 else ""
            words += f", GPU {row.share.gpu_names}" if row.share and row.share.gpus else ""
            return (
                f"{row.name} {begun}{plain(words)}: {format_hyperparameters(row.hyperparameters)}"
            )
        case JobQueued(number=number, reason=reason):
            return plain(f"{_row(state, number, event.at).name} waits: {reason}") if reason else ""
        case JobStarted(number=number):
            return f"{_row(state, number, event.at).name} started"
        case ExecutorNoted(text=text):
            return plain(text)
        case JobStopRequested(number=number, reason=reason, explanation=explanation):
            row = _row(state, number, event.at)
            words = f": {explanation}" if explanation else ""
            return f"{row.name} stopping after {count(row.epochs, 'epoch')}, {reason}{words}"
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
        latest = state.jobs[number].attempt
        why = f"failed ({latest.failure})" if latest and latest.failure else "interrupted"
        if latest and latest.lost:
            why = f"was lost ({latest.lost})"
        return plain(f"{row.name} {why}; it will run again")
    if row.failure_reason:
        # That there is no objective is warned of, once, with the lines that come nearest.
        last = f" | {row.tail[-1]}" if row.tail and row.status == "Failed" else ""
        return plain(f"{row.name} {row.status}: {row.failure_reason}{last}")
    objective = Objective.of(state.spec)
    is_best = _is_best(state, number, objective)
    best = f" ★ {_name_best(state, row, objective)}" if is_best else ""
    return (
        f"{row.name} {row.status} after {count(row.epochs, 'epoch')},"
        f" {format_seconds(row.elapsed)}:"
        f" {plain(objective.metric)} = {format_number(row.final)}{best}"
    )


def _name_best(state: TuningState, row: Row, objective: Objective) -> str:
    """What the best job is the best of: parents with the same data may have had better ones."""
    overall = find_overall_best(state, row, objective)
    is_own = overall is None or overall["training_job_name"] == row.name
    return "best so far" if is_own else "best of this tuning job"


def _is_best(state: TuningState, number: int, objective: Objective) -> bool:
    """Whether a job that ended is better than all that ended before it."""
    finals = {job.number: final_objective(job, objective) for job in state.jobs.values()}
    losses = {key: objective.loss(each) for key, each in finals.items() if each is not None}
    own = losses.pop(number, math.inf)
    return own < min(losses.values(), default=math.inf)
