"""Runs the command of the spec's `notify` when something happened.

The Notifier is a view like the live screen: it sees every event, and never delays the tuner.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections import deque
from collections.abc import Iterable, Mapping

from hpt_cli.files import open_private
from hpt_cli.spec.parts import Notify
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.tuning.events import Event, JobExited, TuningJobEnded
from hpt_cli.tuning.state import TuningState
from hpt_cli.tuning.summary import Row, Summary, summarize

LOG = "notify.log"
PATIENCE_SECONDS = 10.0
"""Time that the tuner waits, at its end, for notifications that are still running."""


class Notifier:
    """Runs the command for each new best training job, for the end, or for both.

    One command at a time, in the order of events.
    """

    def __init__(self, notify: Notify | None, jobdir: JobDir) -> None:
        self._command = notify.command if notify else ""
        self._on = notify.on if notify else ()
        self._jobdir = jobdir
        self._best: int | None = None
        self._knows_best = False
        self._waiting: deque[tuple[str, Mapping[str, str]]] = deque()
        self._running: subprocess.Popen[bytes] | None = None
        self.failures: list[str] = []
        """A message for each command that failed."""

    def __enter__(self) -> Notifier:
        return self

    def __exit__(self, *_: object) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self._running is not None and time.monotonic() < deadline:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._running.wait(max(0.0, deadline - time.monotonic()))
            self._advance()
        if self._running is not None:
            self.failures.append(f"still running after {PATIENCE_SECONDS:.0f} s")

    def show(self, state: TuningState, events: Iterable[Event], now: float) -> None:
        """Run the command for a new best training job, or for the end, among the events."""
        events = list(events)
        ended = "end" in self._on and any(isinstance(each, TuningJobEnded) for each in events)
        may_have_best = "best" in self._on and (
            not self._knows_best or any(isinstance(each, JobExited) for each in events)
        )
        if ended or may_have_best:
            summary = summarize(state, now, at_work=True)
            if may_have_best and self._is_better(summary.best):
                self._waiting.append((state.directory, self._describe("best", state, summary)))
            if ended:
                self._waiting.append((state.directory, self._describe("end", state, summary)))
        self._advance()

    def _is_better(self, best: Row | None) -> bool:
        """Return whether the best job has changed; the first that is seen is not news."""
        number = best.number if best else None
        is_better = self._knows_best and number != self._best
        self._best, self._knows_best = number, True
        return is_better

    def _advance(self) -> None:
        """Start the next command if none is running."""
        if self._running is not None:
            code = self._running.poll()
            if code is None:
                return
            self._running = None
            if code:
                self.failures.append(f"exit code {code}; see {self._jobdir.path / LOG}")
        if self._waiting:
            self._start(*self._waiting.popleft())

    def _start(self, directory: str, variables: Mapping[str, str]) -> None:
        try:
            with open(self._jobdir.path / LOG, "ab", opener=open_private) as log:
                self._running = subprocess.Popen(
                    ["/bin/sh", "-c", self._command],
                    cwd=directory,
                    env=os.environ | variables,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        except (OSError, ValueError) as error:  # ValueError: a NUL byte in a variable
            self.failures.append(f"the command could not be run: {error}")

    def _describe(self, event: str, state: TuningState, summary: Summary) -> Mapping[str, str]:
        best = summary.best
        return {
            "HPT_EVENT": event,
            "HPT_TUNING_JOB": str(state.spec["name"]),
            "HPT_STATUS": state.status,
            "HPT_REASON": state.reason,
            "HPT_PROGRESS": str(summary.progress),
            "HPT_OBJECTIVE": str(state.spec["objective_metric_name"]),
            "HPT_BEST_TRAINING_JOB": best.name if best else "",
            "HPT_BEST_VALUE": "" if best is None or best.final is None else repr(best.final),
            "HPT_HYPERPARAMETERS": json.dumps(best.hyperparameters if best else {}),
            "HPT_DIR": str(self._jobdir.path.resolve()),
        }
