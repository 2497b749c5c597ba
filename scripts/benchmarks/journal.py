"""How long a long tuning job takes to open: 1,000 training jobs of 100 epochs, by default.

Times the real commands from start to end: the views, and `hpt resume` until its tuner has started.

    python scripts/benchmarks/journal.py [--jobs 1000] [--epochs 100] [--rounds 5]
    python scripts/benchmarks/journal.py --short    # 20 training jobs of 10 epochs, once
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from output import make_console
from rich.table import Table

from hpt_cli.metrics.curve import Observation
from hpt_cli.spec.model import TuningSpec
from hpt_cli.storage.home import make_job_dir
from hpt_cli.storage.journal import create_journal, open_journal
from hpt_cli.tuning import events as ev

HPT = str(Path(sys.executable).parent / "hpt")


def make_spec(jobs: int) -> TuningSpec:
    """Return a spec with one more job than the journal holds, so that it can be resumed."""
    return TuningSpec.model_validate(
        {
            "name": "long",
            "command": "sleep 600 {x}",
            "hyperparameter_ranges": {"x": {"type": "Continuous", "min_value": 0, "max_value": 1}},
            "metric_definitions": [{"name": "loss", "regex": "loss=({num})"}],
            "objective_metric_name": "loss",
            "objective_type": "Minimize",
            "strategy": "Random",
            "max_jobs": jobs + 1,
        }
    )


def make_job(number: int, epochs: int) -> Iterator[ev.Event]:
    """Yield the events of one training job, with an event for each observation."""
    yield ev.JobPlanned(at=number, number=number)
    x = number / 7919 % 1
    yield ev.JobSuggested(at=number, number=number, hyperparameters={"x": x}, seconds=0.1)
    yield ev.JobSubmitting(at=number, number=number, attempt=1)
    yield ev.JobLaunched(at=number, number=number, attempt=1, handle={"pid": number})
    for epoch in range(1, epochs + 1):
        point = Observation("loss", 20 * epoch, epoch, x + 1 / epoch)
        at = number + epoch / epochs
        yield ev.ObservationsRead(at=at, number=number, attempt=1, observations=(point,))
    yield ev.JobExited(at=number + 1, number=number, attempt=1, exit_code=0, ended_at=number + 1)


def make_journal(home: Path, jobs: int, epochs: int) -> None:
    """Write the whole journal."""
    jobdir = make_job_dir(home, "long")
    spec = make_spec(jobs).model_dump(mode="json")
    create_journal(
        jobdir.journal, ev.TuningJobCreated(at=0, spec=spec, hpt_version="0", directory=str(home))
    )
    with open_journal(jobdir.journal, write=True) as journal:
        journal.append([ev.TunerStarted(at=0, pid=1, host="bench")])
        for number in range(1, jobs + 1):
            journal.append(make_job(number, epochs))


def time_view(home: Path, *arguments: str) -> float:
    """Return the seconds of a command from start to end."""
    begun = time.perf_counter()
    subprocess.run([HPT, *arguments, "--home", str(home)], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def time_resume(home: Path) -> float:
    """Return the seconds until `hpt resume` says that it tunes; then it is interrupted."""
    begun = time.perf_counter()
    process = subprocess.Popen(
        [HPT, "resume", "long", "--plain", "--home", str(home)],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert process.stderr is not None
    line = process.stderr.readline()
    seconds = time.perf_counter() - begun
    assert "resuming long" in line, line
    process.terminate()
    process.communicate()
    return seconds


def main() -> None:
    """Make the journal, time the commands, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--short", action="store_true", help="20 training jobs of 10 epochs, once")
    options = parser.parse_args()
    if options.short:
        options.jobs, options.epochs, options.rounds = 20, 10, 1
    title = f"{options.jobs} training jobs of {options.epochs} epochs: seconds"
    table = Table(title=title)
    for heading in ("command", "median", "slowest"):
        table.add_column(heading, justify="right")
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        make_journal(home, options.jobs, options.epochs)
        report = ["report", "long", "-o", "-"]
        for arguments in (["--help"], ["list"], ["show", "long"], ["jobs", "long"], report):
            if arguments == ["--help"]:
                times = [time_help() for _ in range(options.rounds)]
            else:
                times = [time_view(home, *arguments) for _ in range(options.rounds)]
            add_row(table, f"hpt {' '.join(arguments)}", times)
        add_row(table, "hpt resume long", [time_resume(home) for _ in range(options.rounds)])
    make_console().print(table)


def time_help() -> float:
    """Return the seconds of `hpt --help`."""
    begun = time.perf_counter()
    subprocess.run([HPT, "--help"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def add_row(table: Table, name: str, times: list[float]) -> None:
    """Add the row of a command."""
    table.add_row(name, f"{statistics.median(times):.2f}", f"{max(times):.2f}")


if __name__ == "__main__":
    main()
