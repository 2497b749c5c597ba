"""Half an hour of tuning with faults at random: does the tuner grow, and is anything lost or left?

    python scripts/reliability/soak.py [--minutes 30] [--seed N]
    python scripts/reliability/soak.py --short    # some tuners, 40 seconds

One tuning job of short training jobs. While a tuner is at work, processes are killed, suspended and
frozen, and its journal is locked; then it is ended in one of many ways, from `kill -9` to a
terminal that is closed, and resumed. The memory and the file descriptors of the tuner are sampled
every second: a line for each tuner, and at the end whether they grew. After a tuner that ended in
order no process may be left. Then every curve is compared with what the program prints.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import signal
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from ground import EPOCHS, PATIENCE, Ground, check, handle_signals, wait_until
from terminals import Terminal

from hpt_cli.storage.journal import open_journal

SAMPLE_SECONDS = 1.0
SETTLE_SECONDS = 5.0
"""A tuner that has just begun still reads its journal, and is not sampled yet."""


@dataclass(frozen=True)
class Pace:
    """How often things happen, in seconds."""

    lives: tuple[float, float]
    """How long a tuner lives, at least and at most."""
    fault: float
    """The mean time between two faults while it lives."""


LONG, SHORT = Pace((20.0, 180.0), 15.0), Pace((8.0, 12.0), 4.0)


@dataclass
class Session:
    """The samples of one tuner."""

    ended_jobs: int
    """How many training jobs had ended when it began."""
    seconds: float = 0.0
    end: str = ""
    faults: int = 0
    megabytes: list[float] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)

    def sample(self, process: psutil.Process) -> None:
        """Sample the tuner once."""
        with contextlib.suppress(psutil.Error), process.oneshot():
            if process.status() == psutil.STATUS_ZOMBIE:
                return
            self.megabytes.append(process.memory_info().rss / 1e6)
            self.descriptors.append(process.num_fds())
            self.threads.append(process.num_threads())

    def describe(self, number: int) -> str:
        """Return a line of the table."""
        begin = f"{number:>5} {self.seconds:>8.0f} {self.ended_jobs:>6} {self.faults:>6}"
        if not self.megabytes:
            return f"{begin} {'':>46} {self.end}"
        memory = f"{self.megabytes[0]:>7.1f} {self.megabytes[-1]:>7.1f} {max(self.megabytes):>7.1f}"
        files = f"{statistics.median(self.descriptors):>7.0f} {max(self.descriptors):>5}"
        return f"{begin} {memory} {files} {max(self.threads):>8}  {self.end}"


# -- while a tuner is at work ----------------------------------------------------------------------


def kill_command(ground: Ground, tuner: psutil.Process) -> None:  # noqa: ARG001
    """Kill a training job."""
    for victim in ground.find_processes("leader")[:1]:
        victim.kill()


def suspend_one(ground: Ground, tuner: psutil.Process) -> None:
    """Suspend any process for a while."""
    victim = ground.rng.choice([tuner, *ground.find_processes()])
    victim.suspend()
    ground.pause(3.0)
    victim.resume()


def freeze(ground: Ground, tuner: psutil.Process) -> None:
    """Suspend the tuner and all training jobs for a while."""
    ground.signal_all(signal.SIGSTOP, tuner)
    ground.pause(5.0)
    ground.signal_all(signal.SIGCONT, tuner)


def lock_journal(ground: Ground, tuner: psutil.Process) -> None:  # noqa: ARG001
    """Hold a transaction on the journal for a while."""
    with contextlib.closing(
        sqlite3.connect(ground.journal, isolation_level=None, timeout=30)
    ) as connection:
        connection.execute("BEGIN IMMEDIATE")
        ground.pause(3.0)
        connection.execute("ROLLBACK")


FAULTS = (kill_command, kill_command, suspend_one, freeze, lock_journal)


# -- the end of a tuner ----------------------------------------------------------------------------


def _send(number: signal.Signals) -> Callable[[Ground, Terminal, psutil.Process], None]:
    return lambda _, __, tuner: tuner.send_signal(number)


def _send_all(number: signal.Signals) -> Callable[[Ground, Terminal, psutil.Process], None]:
    return lambda ground, _, tuner: ground.signal_all(number, tuner)


ENDS: dict[str, Callable[[Ground, Terminal, psutil.Process], None]] = {
    "SIGKILL": _send(signal.SIGKILL),
    "SIGKILL to all": _send_all(signal.SIGKILL),
    "SIGINT": _send(signal.SIGINT),
    "SIGTERM": _send(signal.SIGTERM),
    "SIGTERM to all": _send_all(signal.SIGTERM),
    "SIGHUP to all": _send_all(signal.SIGHUP),
    "terminal closed": lambda _, terminal, __: terminal.close(),
}
"""What ends a tuner. After all but SIGKILL it has ended the training jobs too."""


def count_ended(ground: Ground) -> int:
    """Return how many training jobs have ended."""
    if not ground.journal.exists():
        return 0
    with open_journal(ground.journal) as journal:
        return len(journal.state().jobs.ended)


def watch(ground: Ground, tuner: psutil.Process, until: float, pace: Pace) -> Session:
    """Sample a tuner, and do it harm now and then, until that time."""
    session = Session(count_ended(ground))
    begun = time.monotonic()
    while time.monotonic() < until and tuner.is_running():
        time.sleep(SAMPLE_SECONDS)
        if time.monotonic() - begun > SETTLE_SECONDS:
            session.sample(tuner)
        if ground.rng.random() < SAMPLE_SECONDS / pace.fault:
            with contextlib.suppress(psutil.Error):
                ground.rng.choice(FAULTS)(ground, tuner)
                session.faults += 1
    session.seconds = time.monotonic() - begun
    return session


def open_tuner(ground: Ground) -> Terminal:
    """Start a tuner in a terminal, with the live screen or with lines."""
    known = ("resume", "t") if ground.journal.exists() else ("run", "t.yaml")
    view = ground.rng.choice(((), ("--plain",)))
    return Terminal(ground, *ground.words(*known, *view))


def soak(ground: Ground, minutes: float, pace: Pace) -> list[Session]:
    """Run one tuner after the other, and print a line for each."""
    print(f"{'':>5} {'':>8} {'jobs':>6} {'':>6} {'memory, MB':^23} {'descriptors':^13}")
    print(
        f"{'tuner':>5} {'seconds':>8} {'before':>6} {'faults':>6} {'first':>7} {'last':>7}"
        f" {'most':>7} {'median':>7} {'most':>5} {'threads':>8}  ended by",
        flush=True,
    )
    end = time.monotonic() + 60 * minutes
    sessions: list[Session] = []
    while time.monotonic() < end - SETTLE_SECONDS:
        with open_tuner(ground) as terminal:
            wait_until(ground.find_tuner, "a tuner at work")
            tuner = ground.find_tuner()
            assert tuner is not None
            life = ground.rng.uniform(*pace.lives)
            session = watch(ground, tuner, min(end, time.monotonic() + life), pace)
            check(tuner.is_running(), f"it ended by itself: {terminal.seen[-800:]!r}")
            session.end = ground.rng.choice([*ENDS])
            ENDS[session.end](ground, terminal, tuner)
            wait_until(lambda: not ground.find_tuners(), "the end of the tuner", PATIENCE)
        if not session.end.startswith("SIGKILL"):  # one that just begins escapes who kills "all"
            ground.note_unwatched()
            check(not ground.is_unwatched, f"processes are left after {session.end}")
        sessions.append(session)
        print(session.describe(len(sessions)), flush=True)
    return sessions


def stop(ground: Ground) -> None:
    """Stop the tuning job for good, with a tuner that takes over the jobs that lived on."""
    process = ground.go_on()
    while not ground.is_at_work(process):
        time.sleep(0.05)
    check(ground.start("stop", "t").wait(PATIENCE) == 0, "hpt stop")
    process.wait(PATIENCE)


def verify(ground: Ground) -> tuple[int, int]:
    """Return how many training jobs have completed, and in how many attempts.

    Raises:
        AssertionError: one did not go as it should have.
    """
    rows = ground.read_rows()
    numbers = [row["training_job_number"] for row in rows]
    check(numbers == list(range(1, len(rows) + 1)), "numbers")
    completed = [row for row in rows if row["training_job_status"] == "Completed"]
    others = {row["training_job_status"] for row in rows[: -2 * EPOCHS]} - {"Completed"}
    check(not others, f"statuses {others}")
    for row in completed:
        x = row["hyperparameters"]["x"]
        expected = [[epoch, round(x + 1 / epoch, 6)] for epoch in range(1, EPOCHS + 1)]
        check(row["curve"] == expected, f"job {row['training_job_number']}: {row['curve']}")
    check(not ground.find_processes(), "processes are left")
    return len(completed), sum(row["attempts"] for row in completed)


def main() -> None:
    """Soak, check and print; an exception says what was lost."""
    handle_signals()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--short", action="store_true", help="some tuners, 40 seconds")
    options = parser.parse_args()
    minutes, pace = (2 / 3, SHORT) if options.short else (options.minutes, LONG)
    with tempfile.TemporaryDirectory(prefix="hpt-soak-") as directory:
        ground = Ground(Path(directory) / "soak", random.Random(options.seed))
        ground.allow_retries(max_jobs=1_000_000, seconds=0.5)
        sessions = soak(ground, minutes, pace)
        stop(ground)
        completed, attempts = verify(ground)
    faults = sum(each.faults for each in sessions)
    print(f"{faults} faults, and {len(sessions)} tuners that were ended: no process was left")
    print(f"{completed} training jobs completed, in {attempts} attempts: each as it should be")
    seen = [each for each in sessions if each.megabytes]
    memory = [statistics.median(each.megabytes) for each in seen]
    files = [max(each.descriptors) for each in seen]
    print(f"memory: {memory[0]:.1f} MB in the first tuner, {memory[-1]:.1f} MB in the last")
    print(f"descriptors: at most {files[0]} in the first tuner, {files[-1]} in the last")


if __name__ == "__main__":
    main()
