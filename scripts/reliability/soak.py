"""Half an hour of tuning with kills and resumes: does the tuner grow, and is anything lost?

    python scripts/reliability/soak.py [--minutes 30] [--seed N]
    python scripts/reliability/soak.py --short    # two tuners, 20 seconds

One tuning job of short training jobs. Its tuner is killed with -9, or interrupted, at random times,
and resumed; now and then a training job is killed too. The memory and the file descriptors of the
tuner are sampled every second: a line for each tuner, and at the end whether they grew. Then every
curve is compared with what the program prints.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import signal
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from ground import EPOCHS, PATIENCE, Ground, check

from hpt_cli.storage.journal import open_journal

SAMPLE_SECONDS = 1.0
SETTLE_SECONDS = 5.0
"""A tuner that has just begun still reads its journal, and is not sampled yet."""
LIVES = (30.0, 240.0)
"""How long a tuner lives, in seconds: at least and at most."""
SHORT_LIVES = (8.0, 12.0)


@dataclass
class Session:
    """The samples of one tuner."""

    ended_jobs: int
    """How many training jobs had ended when it began."""
    seconds: float = 0.0
    end: str = ""
    megabytes: list[float] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)

    def sample(self, process: psutil.Process) -> None:
        """Sample the tuner once."""
        with contextlib.suppress(psutil.Error), process.oneshot():
            self.megabytes.append(process.memory_info().rss / 1e6)
            self.descriptors.append(process.num_fds())
            self.threads.append(process.num_threads())

    def describe(self, number: int) -> str:
        """Return a line of the table."""
        if not self.megabytes:
            return f"{number:>5} {self.seconds:>8.0f} {self.ended_jobs:>6}  {self.end}"
        memory = f"{self.megabytes[0]:>7.1f} {self.megabytes[-1]:>7.1f} {max(self.megabytes):>7.1f}"
        files = f"{statistics.median(self.descriptors):>7.0f} {max(self.descriptors):>5}"
        return (
            f"{number:>5} {self.seconds:>8.0f} {self.ended_jobs:>6} {memory} {files}"
            f" {max(self.threads):>8}  {self.end}"
        )


def count_ended(ground: Ground) -> int:
    """Return how many training jobs have ended."""
    if not ground.journal.exists():
        return 0
    with open_journal(ground.journal) as journal:
        return len(journal.state().jobs.ended)


def watch(ground: Ground, process: subprocess.Popen[bytes], until: float) -> Session:
    """Sample a tuner, and kill a training job now and then, until that time."""
    session = Session(count_ended(ground))
    begun = time.monotonic()
    tuner = psutil.Process(process.pid)
    while time.monotonic() < until and process.poll() is None:
        time.sleep(SAMPLE_SECONDS)
        if time.monotonic() - begun > SETTLE_SECONDS:
            session.sample(tuner)
        if ground.rng.random() < SAMPLE_SECONDS / 60:
            for victim in ground.find_processes("leader")[:1]:
                with contextlib.suppress(psutil.Error):
                    victim.kill()
    session.seconds = time.monotonic() - begun
    return session


def soak(ground: Ground, minutes: float, lives: tuple[float, float]) -> list[Session]:
    """Run one tuner after the other, and print a line for each."""
    print(f"{'':>5} {'':>8} {'jobs':>6} {'memory, MB':^23} {'descriptors':^13}")
    print(
        f"{'tuner':>5} {'seconds':>8} {'before':>6} {'first':>7} {'last':>7} {'most':>7}"
        f" {'median':>7} {'most':>5} {'threads':>8}  ended by",
        flush=True,
    )
    end = time.monotonic() + 60 * minutes
    sessions = []
    while time.monotonic() < end - SETTLE_SECONDS:
        process = ground.go_on()
        life = ground.rng.uniform(*lives)
        session = watch(ground, process, min(end, time.monotonic() + life))
        check(process.poll() is None, f"the tuner ended by itself: {ground.read_said()[-1][-800:]}")
        number = ground.rng.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGINT, signal.SIGTERM))
        process.send_signal(number)
        process.wait(PATIENCE)
        session.end = number.name
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
    # A shell that starts this in the background has it ignored, and so would the tuners.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--short", action="store_true", help="two tuners, 20 seconds")
    options = parser.parse_args()
    minutes, lives = (1 / 3, SHORT_LIVES) if options.short else (options.minutes, LIVES)
    with tempfile.TemporaryDirectory(prefix="hpt-soak-") as directory:
        ground = Ground(Path(directory) / "soak", random.Random(options.seed))
        ground.write_spec(
            max_jobs=1_000_000, static_hyperparameters={"epochs": EPOCHS, "seconds": 0.5}
        )
        sessions = soak(ground, minutes, lives)
        stop(ground)
        completed, attempts = verify(ground)
    print(f"{completed} training jobs completed, in {attempts} attempts: each as it should be")
    seen = [each for each in sessions if each.megabytes]
    memory = [statistics.median(each.megabytes) for each in seen]
    files = [max(each.descriptors) for each in seen]
    print(f"memory: {memory[0]:.1f} MB in the first tuner, {memory[-1]:.1f} MB in the last")
    print(f"descriptors: at most {files[0]} in the first tuner, {files[-1]} in the last")


if __name__ == "__main__":
    main()
