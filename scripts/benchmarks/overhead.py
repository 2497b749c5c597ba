"""What hpt itself costs: time for each job, and time to stop a job.

1. 200 jobs of `echo loss=1`, 2 in parallel, Random: the wall time of `hpt run` and of a
   hand-written loop of Optuna over `subprocess.run` with SQLite storage, in turns in the same run.
   Without Optuna installed, hpt alone is timed.
2. The time from the last line that a stopped job printed, on which it was judged, to its end.
3. How busy 4 slots are with jobs of one second under Bayesian, from the first job's start to the
   last one's.

    python scripts/benchmarks/overhead.py [--jobs 200] [--rounds 3] [--stops 40] [--busy 80]
    python scripts/benchmarks/overhead.py --short    # 4 jobs once, 2 stops, 6 busy jobs
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import yaml
from output import make_console
from rich.table import Table

HPT = Path(sys.executable).parent / "hpt"
PARALLEL = 2
GOOD_JOBS = 12

OPTUNA_LOOP = """
import re, subprocess, sys
import optuna

optuna.logging.set_verbosity(optuna.logging.WARNING)

def objective(trial):
    trial.suggest_float("x", 0, 1)
    out = subprocess.run(["echo", "loss=1"], capture_output=True, text=True, check=True).stdout
    return float(re.search("loss=(.*)", out)[1])

study = optuna.create_study(
    storage="sqlite:///study.db", sampler=optuna.samplers.RandomSampler(seed=0)
)
study.optimize(objective, n_trials=int(sys.argv[1]), n_jobs=int(sys.argv[2]))
"""

JUDGED_PROGRAM = """
import os, sys, time
good = int(os.environ["HPT_TRAINING_JOB"].rpartition("-")[2]) <= int(sys.argv[1])
for epoch in range(20):
    print(f"loss={0.1 / (epoch + 1) if good else 1e3} t={time.time()}", flush=True)
    time.sleep(0.02 if good else 0.4)
"""


def write_spec(directory: Path, **fields: object) -> Path:
    """Write a spec with one range and one metric, and the given fields; return its path."""
    spec = {
        "name": "bench",
        "hyperparameter_ranges": {"x": {"type": "Continuous", "min_value": 0, "max_value": 1}},
        "metric_definitions": [{"name": "loss", "regex": "loss=({num})"}],
        "objective_metric_name": "loss",
        "objective_type": "Minimize",
        "strategy": "Random",
        "max_parallel_jobs": PARALLEL,
    }
    path = directory / "bench.yaml"
    path.write_text(yaml.safe_dump(spec | fields))
    return path


def time_command(argv: list[str], directory: Path) -> float:
    """Return the seconds that a command takes from start to end."""
    begun = time.perf_counter()
    subprocess.run(
        argv, cwd=directory, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    return time.perf_counter() - begun


def time_hpt(jobs: int) -> float:
    """Return the seconds of `hpt run` over so many jobs of echo."""
    with tempfile.TemporaryDirectory() as name:
        spec = write_spec(Path(name), command=["echo", "loss=1"], max_jobs=jobs)
        return time_command([str(HPT), "run", str(spec), "--plain"], Path(name))


def time_optuna(jobs: int) -> float:
    """Return the seconds of the Optuna loop over so many trials of echo."""
    with tempfile.TemporaryDirectory() as name:
        argv = [sys.executable, "-c", OPTUNA_LOOP, str(jobs), str(PARALLEL)]
        return time_command(argv, Path(name))


def measure_stops(stops: int) -> list[float]:
    """Return the seconds from its last line to its end of each job that was stopped early."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "train.py").write_text(textwrap.dedent(JUDGED_PROGRAM))
        spec = write_spec(
            directory,
            command=[sys.executable, "train.py", str(GOOD_JOBS)],
            max_jobs=GOOD_JOBS + stops,
            early_stopping_type="Auto",
        )
        time_command([str(HPT), "run", str(spec), "--plain"], directory)
        attempts = sorted((directory / ".hpt/bench/jobs").glob("*/a1"))
        return [measure_stop(each) for each in attempts[GOOD_JOBS:]]


def measure_stop(attempt: Path) -> float:
    """Return the seconds from the last line of an attempt to its end."""
    printed = re.findall(r"t=([\d.]+)", (attempt / "output.log").read_text())
    ended_at = float((attempt / "exit").read_text().split()[1])
    return ended_at - float(printed[-1])


def measure_busy(jobs: int, slots: int = 4) -> float:
    """Return the share of the time that slots are taken, while there are jobs to start."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        ranges = {f"x{i}": {"type": "Continuous", "min_value": 0, "max_value": 1} for i in range(6)}
        spec = write_spec(
            directory,
            command="sh -c 'sleep 1; echo loss={x0}' {args}",
            hyperparameter_ranges=ranges,
            strategy="Bayesian",
            max_jobs=jobs,
            max_parallel_jobs=slots,
        )
        time_command([str(HPT), "run", str(spec), "--plain"], directory)
        out = subprocess.run(
            [str(HPT), "jobs", "bench", "--json"], cwd=directory, capture_output=True, check=True
        )
        rows = json.loads(out.stdout)
    starts = [datetime.fromisoformat(row["training_start_time"]).timestamp() for row in rows]
    begun, over = min(starts), max(starts)
    busy = sum(
        min(over, start + row["training_elapsed_time_seconds"]) - start
        for start, row in zip(starts, rows, strict=True)
    )
    return float(busy / (slots * (over - begun)))


def compare_with_optuna(jobs: int, rounds: int) -> Table:
    """Return a table of the seconds of hpt and of the Optuna loop; of hpt alone without Optuna."""
    has_optuna = importlib.util.find_spec("optuna") is not None
    if not has_optuna:
        print("left out, as not installed: optuna", file=sys.stderr)
    table = Table(title=f"{jobs} jobs of echo, {PARALLEL} in parallel: seconds")
    for heading in ("round", "hpt", "Optuna loop", "ratio"):
        table.add_column(heading, justify="right")
    ratios = []
    for round_number in range(1, rounds + 1):
        cells = [ours := time_hpt(jobs)]
        if has_optuna:
            theirs = time_optuna(jobs)
            ratios.append(ours / theirs)
            cells += [theirs, ratios[-1]]
        table.add_row(str(round_number), *(f"{cell:.2f}" for cell in cells))
    if ratios:
        table.add_row("median", "", "", f"{statistics.median(ratios):.2f}")
    return table


def describe_stops(delays: Sequence[float]) -> Table:
    """Return a table of delays in seconds, sorted."""
    quantiles = statistics.quantiles(delays, n=20, method="inclusive")
    table = Table(title=f"from the last line to the end, {len(delays)} stopped jobs: milliseconds")
    for heading in ("median", "95 %", "largest"):
        table.add_column(heading, justify="right")
    table.add_row(*(f"{1000 * x:.0f}" for x in (quantiles[9], quantiles[18], delays[-1])))
    return table


def main() -> None:
    """Measure, and print two tables and a line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--stops", type=int, default=40)
    parser.add_argument("--busy", type=int, default=80)
    parser.add_argument("--short", action="store_true", help="4 jobs once, 2 stops, 6 busy jobs")
    options = parser.parse_args()
    if options.short:
        options.jobs, options.rounds, options.stops, options.busy = 4, 1, 2, 6
    console = make_console()
    console.print(compare_with_optuna(options.jobs, options.rounds))
    console.print(describe_stops(sorted(measure_stops(options.stops))))
    share = measure_busy(options.busy)
    console.print(f"4 slots, {options.busy} jobs of one second, Bayesian: {share:.1%} busy")


if __name__ == "__main__":
    main()
