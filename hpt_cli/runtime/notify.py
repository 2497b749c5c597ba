"""Running the command that the spec's `notify` names, when something happened.

It is a view like the live screen: it sees every event, and never holds up the tuner.
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
from hpt_cli.spec.model import Notify
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.tuning.events import AnyEvent, JobExited, TuningJobEnded
from hpt_cli.tuning.state import TuningState
from hpt_cli.tuning.summary import Row, summarize

LOG = "notify.log"
PATIENCE_SECONDS = 10.0
"""How long the tuner waits, when it is done, for notifications that are still under way."""


class Notifier:
    """Runs the command for each new best training job, or for the end, as was asked for.

    One at a time, in the order in which things happened.
    """

    def __init__(self, notify: Notify | None, jobdir: JobDir) -> None:
        self._command = notify.command if notify else ""
        self._on = notify.on if notify else ()
        self._jobdir = jobdir
        self._best: int | None = None
        self._knows_best = False
        self._waiting: deque[tuple[str, Mapping[str, str]]] = deque()
        self._running: subprocess.Popen[bytes] | None = None
        self._failures: list[str] = []

    def __enter__(self) -> Notifier:
        return self

    def __exit__(self, *_: object) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self._running is not None and time.monotonic() < deadline:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._running.wait(max(0.0, deadline - time.monotonic()))
            self._go_on()
        if self._running is not None:
            self._failures.append(f"it still runs after {PATIENCE_SECONDS:.0f} s")

    @property
    def failures(self) -> list[str]:
        """What went wrong with the commands, in words."""
        return self._failures

    def show(self, state: TuningState, events: Iterable[AnyEvent], now: float) -> None:
        """Run the command for what is worth it among the events."""
        events = list(events)
        ended = "end" in self._on and any(isinstance(each, TuningJobEnded) for each in events)
        judges = "best" in self._on and (
            not self._knows_best or any(isinstance(each, JobExited) for each in events)
        )
        if ended or judges:
            best = summarize(state, now, at_work=True).best
            if judges and self._is_better(best):
                self._waiting.append((state.directory, self._describe("best", state, best)))
            if ended:
                self._waiting.append((state.directory, self._describe("end", state, best)))
        self._go_on()

    def _is_better(self, best: Row | None) -> bool:
        """Whether there is another best than before; of what was before it, none is known."""
        number = best.number if best else None
        is_better = self._knows_best and number != self._best
        self._best, self._knows_best = number, True
        return is_better

    def _go_on(self) -> None:
        """Look after the command that runs, and start the next when it has ended."""
        if self._running is not None:
            code = self._running.poll()
            if code is None:
                return
            self._running = None
            if code:
                self._failures.append(f"exit code {code}; see {self._jobdir.path / LOG}")
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
        except (OSError, ValueError) as error:  # ValueError: text that no variable can hold
            self._failures.append(f"it could not be run: {error}")

    def _describe(self, event: str, state: TuningState, best: Row | None) -> Mapping[str, str]:
        value = "" if best is None or best.final is None else repr(best.final)
        return {
            "HPT_EVENT": event,
            "HPT_TUNING_JOB": str(state.spec["name"]),
            "HPT_STATUS": state.status,
            "HPT_REASON": state.reason,
            "HPT_OBJECTIVE": str(state.spec["objective_metric_name"]),
            "HPT_BEST_TRAINING_JOB": best.name if best else "",
            "HPT_BEST_VALUE": value,
            "HPT_HYPERPARAMETERS": json.dumps(best.hyperparameters if best else {}),
            "HPT_DIR": str(self._jobdir.path.resolve()),
        }
