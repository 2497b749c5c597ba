"""The experiment of 2018 with the real command: early stopping Off and Auto, several seeds.

    python scripts/benchmarks/digits.py [--seeds 5] [--json]
    python scripts/benchmarks/digits.py --pausing    # Auto without and with pausing
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
from output import make_console
from rich.table import Table

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
SHORT = ("max_jobs=4", "static_hyperparameters={epochs: 3}")


TUNING_JOBS = {
    "off": ("configs/digits-off.yaml", ()),
    "auto": ("configs/digits.yaml", ()),
    "pausing": ("configs/digits.yaml", ("pausing={method: signal}",)),
}
"""Each kind of tuning job: its spec, and the fields that are changed."""


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


def compare_seed(
    home: str, seed: int, changes: Sequence[str], kinds: tuple[str, str]
) -> dict[str, float]:
    """Run the tuning jobs of a seed with changed fields; return what the second kind saves."""
    for kind in kinds:
        spec, own = TUNING_JOBS[kind]
        every = (f"random_seed={seed}", *own, *changes)
        fields = [word for change in every for word in ("--set", change)]
        call_hpt(home, "run", spec, "--quiet", "--name", f"{kind}-{seed}", *fields)
    names = [f"{kind}-{seed}" for kind in kinds]
    first, second = json.loads(call_hpt(home, "compare", *names, "--json"))
    figures = {
        f"{figure}_{kind}": each[name]
        for figure, name in COMPARED.items()
        for kind, each in zip(kinds, (first, second), strict=True)
    }
    return figures | {
        "epochs_saved": 1 - second["epochs"] / first["epochs"],
        "training_time_saved": second["training_time_saved"],
        "jobs_stopped": second["training_job_status_counters"]["stopped"],
        "loss": first["best_objective_value"] - second["best_objective_value"],
    }


COMPARED = {
    "epochs": "epochs",
    "tuning_seconds": "tuning_time_seconds",
    "best": "best_objective_value",
}
"""The figures of both tuning jobs, and their names in `hpt compare --json`."""


def add_means(rows: Sequence[Mapping[str, float]]) -> list[dict[str, Any]]:
    """Return the rows, numbered by their seeds, then the means and their standard errors."""
    columns = {key: np.array([row[key] for row in rows], float) for key in rows[0]}
    return [
        *({"seed": seed, **row} for seed, row in enumerate(rows, 1)),
        {"seed": "mean", **{key: values.mean() for key, values in columns.items()}},
        {"seed": "±", **{key: standard_error(values) for key, values in columns.items()}},
    ]


def list_columns(before: str, after: str) -> dict[str, tuple[str, Callable[[float], str]]]:
    """Return the headings of the table, and the figure of each and how it is written."""
    return {
        f"epochs {before}": (f"epochs_{before}", "{:.0f}".format),
        after: (f"epochs_{after}", "{:.0f}".format),
        "saved": ("epochs_saved", "{:.1%}".format),
        "training time saved": ("training_time_saved", "{:.1%}".format),
        f"tuning s {before}": (f"tuning_seconds_{before}", "{:.1f}".format),
        f"tuning s {after}": (f"tuning_seconds_{after}", "{:.1f}".format),
        "stopped": ("jobs_stopped", "{:.1f}".format),
        f"best {before}": (f"best_{before}", "{:.4f}".format),
        f"best {after}": (f"best_{after}", "{:.4f}".format),
        "loss": ("loss", "{:+.4f}".format),
    }


def main() -> None:
    """Run all seeds, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--pausing", action="store_true", help="Auto without and with pausing")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--short", action="store_true", help="one seed, four small training jobs")
    options = parser.parse_args()
    seeds = range(1, 2 if options.short else options.seeds + 1)
    changes = SHORT if options.short else ()
    kinds = ("auto", "pausing") if options.pausing else ("off", "auto")
    with tempfile.TemporaryDirectory() as home:
        rows = add_means([compare_seed(home, seed, changes, kinds) for seed in seeds])
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    before, after = kinds
    table = Table(title=f"digits, 2 training jobs in parallel: {after} against {before}")
    columns = list_columns(before, after)
    for heading in ("seed", *columns):
        table.add_column(heading, justify="right")
    for row in rows:
        figures = ((row[key], write) for key, write in columns.values())
        table.add_row(
            str(row["seed"]),
            *("–" if figure is None else write(figure) for figure, write in figures),
        )
    console = make_console()
    # Into a file or a pipe with every figure whole.
    console.print(table, width=console.width if console.is_terminal else 160)


if __name__ == "__main__":
    main()
