"""Speaks to Slurm in a thread of its own, so that nobody waits while it is slow or down.

One question for all jobs at a time: at most one a second, and less often the longer nothing
changes. What is to be signalled is signalled until Slurm has taken it.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from hpt_cli.errors import HptError
from hpt_cli.executors import NotNowError
from hpt_cli.executors.slurm.commands import (
    QueuedJob,
    clean_environment,
    is_temporary,
    read_accounting,
    read_queue,
    tidy_complaint,
    write_sacct,
    write_scancel,
    write_squeue,
)

COMMAND_SECONDS = 120
"""A command that takes longer will not answer any more."""
ASK_SECONDS = 1.0
CALM_SECONDS = 15.0
"""How rarely Slurm is asked when nothing changes, or when it does not answer."""
CALM_FACTOR = 1.5
FIRST_ANSWER_SECONDS = 5.0


@dataclass(frozen=True)
class QueueSnapshot:
    """What Slurm said, of which jobs it was asked, and when; on time.monotonic's clock."""

    asked_at: float
    numbers: frozenset[int]
    jobs: Mapping[int, QueuedJob] = field(default_factory=dict)


@dataclass(frozen=True)
class Signal:
    """A job is to end; `force`: at once."""

    number: int
    name: str
    force: bool


class SlurmClient:
    """Asks Slurm for the state of jobs, and sends them signals."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._watched: frozenset[int] = frozenset()
        self._signals: list[Signal] = []
        self._answer = QueueSnapshot(0.0, frozenset())
        self._interval = ASK_SECONDS
        self._asked_at = -CALM_SECONDS
        self._has_accounting = True
        self._silent_since: float | None = None
        self._notes: list[str] = []
        self._thread: threading.Thread | None = None

    def watch(self, numbers: Iterable[int], urgent: bool) -> QueueSnapshot:
        """The latest answer; from now on these jobs are asked for.

        `urgent`: something has happened to them that only Slurm can explain.
        """
        with self._changed:
            watched, before = frozenset(numbers), self._find_due()
            if urgent or not watched <= self._watched:
                self._interval = ASK_SECONDS
            self._watched = watched
            is_new = self._start()
            if self._find_due() != before:
                self._changed.notify_all()
            if is_new and watched:
                self._changed.wait_for(self._has_answered, FIRST_ANSWER_SECONDS)
            return self._answer

    def send(self, signal: Signal) -> None:
        """Have a job asked to end, or ended."""
        with self._changed:
            if signal not in self._signals:
                self._signals.append(signal)
            self._start()
            self._changed.notify_all()

    def pop_notes(self) -> list[str]:
        """What there is to say of Slurm since the last time."""
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
                    at = self._find_due()
                    self._changed.wait(None if at is None else at - time.monotonic())
                signals, self._signals = self._signals, []
                numbers = self._watched
                if due := self._is_due():
                    self._asked_at = time.monotonic()
            if signals:
                self._signal(signals)
            if due:
                self._ask(numbers)

    def _find_due(self) -> float | None:
        """When to ask again, on time.monotonic's clock; None while there is nothing to ask."""
        return self._asked_at + self._interval if self._watched else None

    def _is_due(self) -> bool:
        at = self._find_due()
        return at is not None and time.monotonic() >= at

    def _ask(self, numbers: frozenset[int]) -> None:
        asked_at = time.monotonic()
        try:
            jobs = {each.number: each for each in ask_queue(numbers)}
        except (NotNowError, HptError) as error:
            self._hear_nothing(str(error))
            return
        missing = numbers - jobs.keys()
        if missing and self._has_accounting:
            jobs |= self._ask_accounting(missing)
        with self._changed:
            if self._silent_since is not None:
                seconds = time.monotonic() - self._silent_since
                self._notes.append(f"Slurm answers again, after {seconds:.0f} s")
                self._silent_since = None
            is_calm = jobs == self._answer.jobs and self._watched == numbers
            self._interval = (
                min(CALM_SECONDS, self._interval * CALM_FACTOR) if is_calm else ASK_SECONDS
            )
            self._answer = QueueSnapshot(asked_at, numbers, jobs)
            self._changed.notify_all()

    def _ask_accounting(self, numbers: Iterable[int]) -> dict[int, QueuedJob]:
        try:
            return {each.number: each for each in read_accounting(run(write_sacct(numbers)))}
        except (NotNowError, HptError):
            self._has_accounting = False  # it is never there, or not needed often
            return {}

    def _hear_nothing(self, complaint: str) -> None:
        with self._changed:
            if self._silent_since is None:
                self._silent_since = self._asked_at
                self._notes.append(f"Slurm does not answer ({complaint}); asking again")
            self._interval = min(CALM_SECONDS, self._interval * CALM_FACTOR)
            self._changed.notify_all()

    def _signal(self, signals: Sequence[Signal]) -> None:
        for index, each in enumerate(signals):
            try:
                for argv in write_scancel(each.number, each.name, force=each.force):
                    run(argv, missing_is_fine=True)
            except (NotNowError, HptError) as error:
                self._hear_nothing(str(error))
                with self._changed:
                    self._signals = [*signals[index:], *self._signals]
                time.sleep(ASK_SECONDS)
                break
        with self._changed:
            self._interval = ASK_SECONDS


def ask_queue(numbers: Iterable[int]) -> list[QueuedJob]:
    """What squeue tells of jobs; those that it knows no longer are left out.

    Raises:
        NotNowError: it does not answer.
    """
    which = f"--jobs={','.join(map(str, sorted(numbers)))}"
    return read_queue(run(write_squeue(os.getuid(), which), missing_is_fine=True))


def run(
    argv: Sequence[str],
    text: str = "",
    environment: Mapping[str, str] | None = None,
    *,
    missing_is_fine: bool = False,
) -> str:
    """What a command of Slurm answers.

    Args:
        text: what it reads.
        environment: its own, if not this process's.
        missing_is_fine: whether it may fail for jobs that are over, or unknown.

    Raises:
        NotNowError: it will answer later, perhaps.
        HptError: it will not.
    """
    base = os.environ if environment is None else environment
    try:
        done = subprocess.run(
            argv,
            input=os.fsencode(text),
            env=clean_environment(base),
            capture_output=True,
            timeout=COMMAND_SECONDS,
            start_new_session=True,
            check=False,
        )
    except FileNotFoundError:
        raise HptError.of(
            "slurm-missing",
            f"there is no program '{argv[0]}' on the PATH",
            "start hpt where Slurm's commands are: on a login node, or in a job",
        ) from None
    except subprocess.TimeoutExpired:
        raise NotNowError(f"{argv[0]} took more than {COMMAND_SECONDS} s") from None
    complaint = tidy_complaint(done.stderr.decode(errors="replace"))
    answer = done.stdout.decode(errors="replace")
    if done.returncode == 0:
        return answer
    if is_temporary(complaint):
        raise NotNowError(complaint)
    if missing_is_fine:
        return answer
    raise HptError.of("slurm-refused", f"{argv[0]}: {complaint or f'exit {done.returncode}'}")
