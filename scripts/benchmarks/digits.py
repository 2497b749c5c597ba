"""The experiment of 2018 with the real command: early stopping Off and Auto, several seeds.

    python scripts/benchmarks/digits.py [--seeds 5] [--json]
    python scripts/benchmarks/digits.py --short    # one seed, four training jobs of three epochs

docs/early-stopping.md says what the experiment is.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from means import standard_error
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


def compare_seed(home: str, seed: int, changes: Sequence[str]) -> dict[str, float]:
    """Run both tuning jobs of a seed with changed fields; return what Auto saves, and loses."""
    fields = [word for change in (f"random_seed={seed}", *changes) for word in ("--set", change)]
    for kind in ("off", "auto"):
        spec = "configs/digits-off.yaml" if kind == "off" else "configs/digits.yaml"
        name = f"{kind}-{seed}"
        call_hpt(home, "run", spec, "--quiet", "--name", name, *fields)
    off, auto = json.loads(call_hpt(home, "compare", f"off-{seed}", f"auto-{seed}", "--json"))
    return {
        "epochs_off": off["epochs"],
        "epochs_auto": auto["epochs"],
        "epochs_saved": 1 - auto["epochs"] / off["epochs"],
        "training_time_saved": auto["training_time_saved"],
        "tuning_seconds_off": off["tuning_time_seconds"],
        "tuning_seconds_auto": auto["tuning_time_seconds"],
        "jobs_stopped": auto["training_job_status_counters"]["stopped"],
        "best_off": off["best_objective_value"],
        "best_auto": auto["best_objective_value"],
        "loss": off["best_objective_value"] - auto["best_objective_value"],
    }


def add_means(rows: Sequence[Mapping[str, float]]) -> list[dict[str, Any]]:
    """Return the rows, numbered by their seeds, then the means and their standard errors."""
    columns = {key: np.array([row[key] for row in rows], float) for key in rows[0]}
    return [
        *({"seed": seed, **row} for seed, row in enumerate(rows, 1)),
        {"seed": "mean", **{key: values.mean() for key, values in columns.items()}},
        {"seed": "±", **{key: standard_error(values) for key, values in columns.items()}},
    ]


COLUMNS: Mapping[str, tuple[str, Callable[[float], str]]] = {
    "epochs Off": ("epochs_off", "{:.0f}".format),
    "Auto": ("epochs_auto", "{:.0f}".format),
    "saved": ("epochs_saved", "{:.1%}".format),
    "training time saved": ("training_time_saved", "{:.1%}".format),
    "tuning s Off": ("tuning_seconds_off", "{:.1f}".format),
    "tuning s Auto": ("tuning_seconds_auto", "{:.1f}".format),
    "stopped": ("jobs_stopped", "{:.1f}".format),
    "best Off": ("best_off", "{:.4f}".format),
    "best Auto": ("best_auto", "{:.4f}".format),
    "loss": ("loss", "{:+.4f}".format),
}
"""The headings of the table, and the figure of each and how it is written."""


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
        rows = add_means([compare_seed(home, seed, changes) for seed in seeds])
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    table = Table(title="digits, 2 training jobs in parallel: Auto against Off")
    for heading in ("seed", *COLUMNS):
        table.add_column(heading, justify="right")
    for row in rows:
        figures = ((row[key], write) for key, write in COLUMNS.values())
        table.add_row(
            str(row["seed"]),
            *("–" if figure is None else write(figure) for figure, write in figures),
        )
    console = Console()
    # Into a file or a pipe with every figure whole.
    console.print(table, width=console.width if console.is_terminal else 160)


if __name__ == "__main__":
    main()
