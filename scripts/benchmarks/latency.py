"""How soon hpt answers while a training job prints metrics faster than they can be read.

A tuning job with three training jobs at once: the first prints 200,000 lines with a metric a second
and does not end when it is asked to, the others print ten. Measured, from the user's deed to the
signal in the training job: `hpt stop` of one job (its request), `max_job_runtime_seconds`, Ctrl-C;
and from a second Ctrl-C to the end of the tuner. For comparison, by turns, the same where the first
job prints ten lines a second, too.

    python scripts/benchmarks/latency.py [--tries 10] [--lines 200000]
    python scripts/benchmarks/latency.py --short    # one try each
"""

from __future__ import annotations

import argparse
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
import yaml
from output import make_console
from rich.table import Table

from hpt_cli.storage.job_directory import JobDir
from hpt_cli.storage.mailbox import send_request

HPT = Path(sys.executable).parent / "hpt"
LIMIT_SECONDS = 5.0
PATIENCE_SECONDS = 60.0

PROGRAM = """
import os, signal, sys, time
lines_a_second, deaf = int(sys.argv[1]), os.environ["HPT_TRAINING_JOB"].endswith("-0001")
def on_term(*_):
    with open(os.path.join(os.environ["HPT_JOB_DIR"], "asked"), "a") as file:
        print(time.time(), file=file)
    if not deaf:
        os._exit(143)
signal.signal(signal.SIGTERM, on_term)
begun, step = time.monotonic(), 0
while True:
    due = int((time.monotonic() - begun) * (lines_a_second if deaf else 10))
    while step < due:
        last = min(due, step + 2000)
        os.write(1, b"".join(b"step=%d loss=0.5\\n" % each for each in range(step, last)))
        step = last
    time.sleep(0.01)
"""

HEADINGS = ("stop of a job", "time limit", "Ctrl-C", "second Ctrl-C, to the end")


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tries", type=int, default=10)
    parser.add_argument(
        "--lines", type=int, default=200_000, help="lines a second of the first job"
    )
    parser.add_argument("--short", action="store_true", help="one try each")
    arguments = parser.parse_args()
    kinds: dict[int, list[Figures]] = {10: [], arguments.lines: []}
    for _ in range(1 if arguments.short else arguments.tries):
        for lines, figures in kinds.items():
            with tempfile.TemporaryDirectory() as directory:
                figures.append(measure(Path(directory), lines))
    console = make_console()
    for lines, figures in kinds.items():
        console.print(describe(lines, figures))


class Figures:
    """What one try measured."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.memory = 0
        self.journal = 0


def measure(directory: Path, lines: int) -> Figures:
    """Run a tuning job, and return how soon it answered."""
    (directory / "train.py").write_text(PROGRAM)
    spec = {
        "name": "bench",
        "command": f"{sys.executable} -S -E train.py {lines} --seed {{seed}}",
        "hyperparameter_ranges": {"seed": {"type": "Integer", "min_value": 1, "max_value": 10**6}},
        "metric_definitions": [{"name": "loss", "regex": "step={step} loss=({num})"}],
        "objective_metric_name": "loss",
        "objective_type": "Minimize",
        "strategy": "Random",
        "max_jobs": 1000,
        "max_parallel_jobs": 3,
        "max_job_runtime_seconds": LIMIT_SECONDS,
        "stop_grace_seconds": 1000,
    }
    (directory / "spec.yaml").write_text(yaml.safe_dump(spec))
    command = [str(HPT), "run", "spec.yaml", "--plain", "--home", "home"]
    with open(directory / "out", "wb") as out:
        tuner = subprocess.Popen(
            command, cwd=directory, stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
    try:
        return _measure(directory / "home" / "bench", tuner)
    finally:
        tuner.kill()
        for each in psutil.process_iter():
            if _read_mark(each).startswith(str(directory)):
                each.kill()


def _read_mark(process: psutil.Process) -> str:
    try:
        return str(process.environ().get("HPT_JOB_DIR", ""))
    except psutil.Error:
        return ""


def _measure(home: Path, tuner: subprocess.Popen[bytes]) -> Figures:
    figures = Figures()
    seconds = figures.seconds
    log = home / "jobs" / "0003" / "a1" / "output.log"
    wait(lambda: log.exists() and log.stat().st_size > 0, "the third job")
    time.sleep(1.5)
    begun = time.time()
    send_request(JobDir(home), {"stop_jobs": [2]})
    seconds[HEADINGS[0]] = wait_for_signal(home, 2) - begun

    asked = wait_for_signal(home, 3)
    wait(lambda: (home / "jobs" / "0005" / "a1" / "output.log").exists(), "the fifth job")
    time.sleep(1.0)
    figures.memory = psutil.Process(tuner.pid).memory_info().rss
    begun = time.time()
    tuner.send_signal(signal.SIGINT)
    seconds[HEADINGS[2]] = wait_for_signal(home, 5) - begun
    time.sleep(0.3)
    begun = time.time()
    tuner.send_signal(signal.SIGINT)
    tuner.wait(PATIENCE_SECONDS)
    seconds[HEADINGS[3]] = time.time() - begun

    figures.journal = (home / "journal.sqlite").stat().st_size
    with sqlite3.connect(home / "journal.sqlite") as journal:
        (launched,) = journal.execute(
            "SELECT at FROM event WHERE type = 'JobLaunched' AND job = 3"
        ).fetchone()
    journal.close()
    seconds[HEADINGS[1]] = asked - launched - LIMIT_SECONDS
    return figures


def wait_for_signal(home: Path, job: int) -> float:
    """Return when a training job was asked to end, in seconds since the epoch."""
    path = home / "jobs" / f"{job:04d}" / "asked"
    wait(lambda: path.exists() and path.read_text().endswith("\n"), f"the end of job {job}")
    return float(path.read_text().split()[0])


def wait(is_done: Callable[[], bool], what: str) -> None:
    """Wait until something has happened; exit if it does not."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_done():
        if time.monotonic() > deadline:
            sys.exit(f"FAIL: no {what} within {PATIENCE_SECONDS:.0f} s")
        time.sleep(0.005)


def describe(lines: int, figures: Sequence[Figures]) -> Table:
    """Return a table of what was measured beside a job of so many lines a second."""
    memory = max(each.memory for each in figures) / 2**20
    journal = max(each.journal for each in figures) / 1e6
    table = Table(
        title=f"beside a job that prints {lines:,} lines a second, {len(figures)} tries:"
        f" {memory:.0f} MiB of memory, journal {journal:.1f} MB"
    )
    for heading in ("ms to answer", "median", "95 %", "worst"):
        table.add_column(heading, justify="left" if heading == "ms to answer" else "right")
    for heading in HEADINGS:
        found = sorted(1e3 * each.seconds[heading] for each in figures)
        # The value that 95 % do not exceed: with few tries, the worst.
        high = found[min(len(found) - 1, int(0.95 * len(found)))]
        table.add_row(
            heading, *(f"{each:.0f}" for each in (statistics.median(found), high, found[-1]))
        )
    return table


if __name__ == "__main__":
    main()
