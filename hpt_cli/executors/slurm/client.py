"""Runs Slurm's commands in a thread, so that the tuner does not wait while Slurm is slow or down.

One query covers all jobs: at most one a second, and fewer the longer nothing changes. A signal is
sent again until Slurm has accepted it.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from hpt_cli.errors import HptError
from hpt_cli.executors import TemporaryError
from hpt_cli.executors.slurm import commands

COMMAND_SECONDS = 120
"""Time limit of a command."""
ASK_SECONDS = 1.0
CALM_SECONDS = 15.0
"""Longest time between queries, when nothing changes or Slurm does not answer."""
CALM_FACTOR = 1.5
FIRST_ANSWER_SECONDS = 5.0


@dataclass(frozen=True)
class QueueSnapshot:
    """Slurm's latest answer: which jobs it was asked for, and when, on time.monotonic's clock."""

    asked_at: float
    numbers: frozenset[int]
    jobs: Mapping[int, commands.QueuedJob] = field(default_factory=dict)


class SlurmClient:
    """Queries the state of jobs and signals them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._watched: frozenset[int] = frozenset()
        self._signals: list[list[list[str]]] = []
        self._answer = QueueSnapshot(0.0, frozenset())
        self._interval = ASK_SECONDS
        # Long enough ago for the first query to be due at once.
        self._asked_at = -CALM_SECONDS
        self._has_accounting = True
        self._silent_since: float | None = None
        self._notes: list[str] = []
        self._thread: threading.Thread | None = None

    def watch(self, numbers: Iterable[int], urgent: bool) -> QueueSnapshot:
        """Return the latest answer; later queries ask for these jobs.

        `urgent`: something has happened to them that only Slurm can explain.
        """
        with self._changed:
            watched, before = frozenset(numbers), self._compute_due()
            # A new job changes its state soon, so a calm interval would be too long for it.
            if urgent or not watched <= self._watched:
                self._interval = ASK_SECONDS
            self._watched = watched
            is_new = self._start()
            if self._compute_due() != before:
                self._changed.notify_all()
            if is_new and watched:
                self._changed.wait_for(self._has_answered, FIRST_ANSWER_SECONDS)
            return self._answer

    def send(self, signal: list[list[str]]) -> None:
        """Run the commands that signal a job soon, until Slurm has accepted them."""
        with self._changed:
            if signal not in self._signals:
                self._signals.append(signal)
            self._start()
            self._changed.notify_all()

    def pop_notes(self) -> list[str]:
        """Return messages about Slurm since the last call."""
        with self._changed:
            notes, self._notes = self._notes, []
        return notes

    def _has_answered(self) -> bool:
        return self._answer.asked_at > 0 or self._silent_since is not None

    def _start(self) -> bool:
        if self._thread is not None:
            return False
        self._thread = threading.Thread(target=self._work, name="slurm", daemon=True)
        self._thread.start()
        return True

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._signals and not self._is_due():
                    at = self._compute_due()
                    self._changed.wait(None if at is None else at - time.monotonic())
                signals, self._signals = self._signals, []
                numbers = self._watched
                if due := self._is_due():
                    self._asked_at = time.monotonic()
            if signals:
                self._signal(signals)
            if due:
                self._ask(numbers)

    def _compute_due(self) -> float | None:
        """Return when the next query is due, on time.monotonic's clock; None without jobs."""
        return self._asked_at + self._interval if self._watched else None

    def _is_due(self) -> bool:
        at = self._compute_due()
        return at is not None and time.monotonic() >= at

    def _ask(self, numbers: frozenset[int]) -> None:
        asked_at = time.monotonic()
        try:
            which = f"--jobs={','.join(map(str, sorted(numbers)))}"
            answer = run(commands.write_squeue(os.getuid(), which), missing_is_fine=True)
            jobs = {each.number: each for each in commands.read_queue(answer)}
        except (TemporaryError, HptError) as error:
            self._note_silence(str(error))
            return
        missing = numbers - jobs.keys()
        if missing and self._has_accounting:
            jobs |= self._ask_accounting(missing)
        with self._changed:
            if self._silent_since is not None:
                seconds = time.monotonic() - self._silent_since
                self._notes.append(f"Slurm is answering again after {seconds:.0f} s")
                self._silent_since = None
            is_calm = jobs == self._answer.jobs and self._watched == numbers
            longer = min(CALM_SECONDS, self._interval * CALM_FACTOR)
            self._interval = longer if is_calm else ASK_SECONDS
            self._answer = QueueSnapshot(asked_at, numbers, jobs)
            self._changed.notify_all()

    def _ask_accounting(self, numbers: Iterable[int]) -> dict[int, commands.QueuedJob]:
        try:
            answer = run(commands.write_sacct(numbers))
            return {each.number: each for each in commands.read_accounting(answer)}
        except (TemporaryError, HptError):
            self._has_accounting = False  # this cluster keeps none
            return {}

    def _note_silence(self, complaint: str) -> None:
        with self._changed:
            if self._silent_since is None:
                self._silent_since = self._asked_at
                self._notes.append(f"Slurm is not answering ({complaint}); trying again")
            self._interval = min(CALM_SECONDS, self._interval * CALM_FACTOR)
            self._changed.notify_all()

    def _signal(self, signals: Sequence[list[list[str]]]) -> None:
        for index, signal in enumerate(signals):
            try:
                for argv in signal:
                    run(argv, missing_is_fine=True)
            except (TemporaryError, HptError) as error:
                self._note_silence(str(error))
                with self._changed:
                    # In the old order, before what has been asked for meanwhile.
                    self._signals = [*signals[index:], *self._signals]
                time.sleep(ASK_SECONDS)
                break
        with self._changed:
            self._interval = ASK_SECONDS


def run(
    argv: Sequence[str],
    text: str = "",
    environment: Mapping[str, str] | None = None,
    *,
    missing_is_fine: bool = False,
) -> str:
    """Run a Slurm command; return what it prints.

    Args:
        text: its standard input.
        environment: this process's unless given.
        missing_is_fine: whether it may fail because jobs are over, or unknown.

    Raises:
        TemporaryError: it failed, but may succeed later.
        HptError: it failed for good.
    """
    try:
        done = subprocess.run(
            argv,
            input=os.fsencode(text),
            env=commands.clean_environment(os.environ if environment is None else environment),
            capture_output=True,
            timeout=COMMAND_SECONDS,
            # Ctrl-C at the terminal is meant for the tuner, and must not kill Slurm's commands.
            start_new_session=True,
            check=False,
        )
    except FileNotFoundError:
        raise HptError.of(
            "slurm-missing",
            f"there is no program '{argv[0]}' on the PATH",
            "run hpt where Slurm's commands are available: on a login node, or inside a job",
        ) from None
    except subprocess.TimeoutExpired:
        raise TemporaryError(f"{argv[0]} took more than {COMMAND_SECONDS} s") from None
    complaint = commands.tidy_complaint(done.stderr.decode(errors="replace"))
    if done.returncode and commands.is_temporary(complaint):
        raise TemporaryError(complaint)
    if done.returncode == 0 or missing_is_fine:
        return done.stdout.decode(errors="replace")
    raise HptError.of("slurm-refused", f"{argv[0]}: {complaint or f'exit {done.returncode}'}")
