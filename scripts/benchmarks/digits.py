"""The experiment of 2018 with the real command: early stopping Off and Auto, several seeds.

    python scripts/benchmarks/digits.py [--seeds 5] [--json]
    python scripts/benchmarks/digits.py --short    # one seed, four training jobs of three epochs

docs/early-stopping.md says what the experiment is.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
SHORT = ("max_jobs=4", "static_hyperparameters={epochs: 3}")


def call_hpt(home: str, *arguments: str) -> str:
    """Return what an hpt command prints on standard output."""
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "HPT_HOME": home}
    result = subprocess.run(
        [str(BIN / "hpt"), *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        check=True,
    )
    return result.stdout.decode()


def compare_seed(home: str, seed: int, changes: Sequence[str]) -> dict[str, Any]:
    """Run both tuning jobs of a seed with changed fields; return what Auto saves, and loses."""
    fields = [word for change in (f"random_seed={seed}", *changes) for word in ("--set", change)]
    for kind in ("off", "auto"):
        spec = "configs/digits-off.yaml" if kind == "off" else "configs/digits.yaml"
        name = f"{kind}-{seed}"
        call_hpt(home, "run", spec, "--quiet", "--name", name, *fields)
    off, auto = json.loads(call_hpt(home, "compare", f"off-{seed}", f"auto-{seed}", "--json"))
    return {
        "seed": seed,
        "training_seconds_off": off["total_training_time_seconds"],
        "training_seconds_auto": auto["total_training_time_seconds"],
        "training_time_saved": auto["training_time_saved"],
        "tuning_time_saved": auto["tuning_time_saved"],
        "jobs_stopped": auto["training_job_status_counters"]["stopped"],
        "best_off": off["best_objective_value"],
        "best_auto": auto["best_objective_value"],
        "loss": off["best_objective_value"] - auto["best_objective_value"],
    }


def average(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the mean of every figure; what is saved is counted over all seeds together."""
    mean = {key: statistics.fmean(row[key] for row in rows) for key in rows[0]}
    mean["training_time_saved"] = 1 - mean["training_seconds_auto"] / mean["training_seconds_off"]
    return mean | {"seed": "mean"}


def main() -> None:
    """Run all seeds, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--short", action="store_true", help="one seed, four small training jobs")
    options = parser.parse_args()
    seeds = range(1, 2 if options.short else options.seeds + 1)
    changes = SHORT if options.short else ()
    with tempfile.TemporaryDirectory() as home:
        rows = [compare_seed(home, seed, changes) for seed in seeds]
    rows.append(average(rows))
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    table = Table(title="digits, 2 training jobs in parallel: Auto against Off")
    for heading in ("seed", "training s", "Auto", "saved", "tuning saved", "stopped"):
        table.add_column(heading, justify="right")
    for heading in ("best Off", "best Auto", "loss"):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(
            str(row["seed"]),
            f"{row['training_seconds_off']:.0f}",
            f"{row['training_seconds_auto']:.0f}",
            f"{100 * row['training_time_saved']:.0f} %",
            f"{100 * row['tuning_time_saved']:.0f} %",
            f"{row['jobs_stopped']:.1f}",
            f"{row['best_off']:.4f}",
            f"{row['best_auto']:.4f}",
            f"{row['loss']:+.4f}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
