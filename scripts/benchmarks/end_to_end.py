"""Compare, at equal wall-clock time, `hpt run` with an Optuna loop over the same training script.

    python scripts/benchmarks/end_to_end.py --seconds 60 --seeds 6
    python scripts/benchmarks/end_to_end.py --training network-digits --only tpe-median --json
    python scripts/benchmarks/end_to_end.py --short    # a training, one seed, eight seconds

hpt runs the specs in end_to_end/ as a user would, early stopping and two jobs in parallel included.
The loop is one that a user of Optuna would write (optuna_loop.py): two threads, in each a
subprocess whose output is parsed and reported, and which is ended where the pruner says so; TPE and
GPSampler, each with MedianPruner, HyperbandPruner and none. What counts is the lowest last loss of
any training job, also of one that was stopped or was running at the end. Time is counted from the
start of the command. Methods take turns in random order; nothing else should run on the machine.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from means import describe_mean, standard_error
from output import make_console
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
SPECS = {path.stem: path for path in sorted(Path(__file__).with_name("end_to_end").glob("*.yaml"))}
LOOP = Path(__file__).with_name("optuna_loop.py")
NO_END = "max_jobs=100000"
"""So many jobs are never run: the time ends a search."""


@dataclass
class Found:
    """The last loss of every training job that printed one."""

    losses: list[float] = field(default_factory=list)

    @property
    def best(self) -> float:
        """The lowest; inf without any."""
        return min((each for each in self.losses if math.isfinite(each)), default=math.inf)


def make_environment(**more: str) -> dict[str, str]:
    """Return an environment in which `python` and `hpt` are those of this process."""
    return {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", **more}


def run_hpt(training: str, seed: int, seconds: float) -> Found:
    """Return what `hpt run` finds in so many seconds; then it gets Ctrl-C."""
    with tempfile.TemporaryDirectory() as home:
        environment, spec = make_environment(HPT_HOME=home), str(SPECS[training])
        changes = ["--set", NO_END, "--set", f"random_seed={seed}", "--name", "search"]
        process = subprocess.Popen(
            [BIN / "hpt", "run", spec, "--quiet", *changes],
            cwd=ROOT,
            env=environment,
            stderr=subprocess.DEVNULL,
        )
        try:
            process.wait(seconds)
            raise RuntimeError(f"hpt run ended with exit code {process.returncode}")
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
            process.wait()
        if not Path(home, "search").exists():
            return Found()  # a machine so slow that the time was over before it had begun
        listed = subprocess.run(
            [BIN / "hpt", "jobs", "search", "--json"],
            env=environment,
            check=True,
            stdout=subprocess.PIPE,
        )
    values = (each["final_objective_value"] for each in json.loads(listed.stdout))
    return Found([float(each) for each in values if each is not None])


def run_optuna(sampler: str, pruner: str, training: str, seed: int, seconds: float) -> Found:
    """Return what a loop around Optuna finds in so many seconds."""
    deadline = time.time() + seconds
    options = {"sampler": sampler, "pruner": pruner, "seed": seed, "deadline": deadline}
    out = subprocess.run(
        [
            sys.executable,
            LOOP,
            SPECS[training],
            *(f"--{key}={each}" for key, each in options.items()),
        ],
        cwd=ROOT,
        env=make_environment(),
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ).stdout
    return Found(json.loads(out))


Method = Callable[[str, int, float], Found]
METHODS: dict[str, Method] = {
    "hpt": run_hpt,
    **{
        f"{sampler}-{pruner}": partial(run_optuna, sampler, pruner)
        for sampler in ("tpe", "gp")
        for pruner in ("none", "median", "hyperband")
    },
}
NEEDS = {"tpe": "optuna", "gp": "torch"}
"""The module that a sampler needs, by the beginning of a method's name."""


def is_available(method: str) -> bool:
    """Return whether what a method needs is installed; name it on standard error if not."""
    module = NEEDS.get(method.partition("-")[0], "hpt_cli")
    if importlib.util.find_spec(module) is None:
        print(f"{method} is left out, as not installed: {module}", file=sys.stderr)
        return False
    return True


def as_json(loss: float) -> float | None:
    """Return a loss; None for an infinite one, which JSON has not."""
    return loss if math.isfinite(loss) else None


def make_row(training: str, method: str, losses: np.ndarray, jobs: np.ndarray, hpt: Any) -> Any:
    """Return the results of a method; its `losses`, those of `hpt`, and `jobs` are (seeds,)."""
    return {
        "training": training,
        "method": method,
        "seeds": len(losses),
        "loss": as_json(float(losses.mean())),
        "standard_error": None if np.isinf(losses).any() else standard_error(losses),
        "jobs": float(jobs.mean()),
        # How often hpt's loss is the lower one; half for a tie.
        "hpt_won": None if hpt is None else float(np.sum((hpt < losses) + (hpt == losses) / 2)),
        "losses": [as_json(each) for each in losses.tolist()],
    }


def show(console: Console, rows: Sequence[Any]) -> None:
    """Print a line for each training and method, and how many pairs hpt won in all."""
    table = Table("training", "method", "lowest loss", "jobs", "hpt won")
    for row in rows:
        mean = describe_mean(np.array(row["losses"], dtype=float))
        won = "" if row["hpt_won"] is None else f"{row['hpt_won']:g} of {row['seeds']}"
        table.add_row(row["training"], row["method"], mean, f"{row['jobs']:.1f}", won)
    console.print(table)
    pairs = [row for row in rows if row["hpt_won"] is not None]
    if pairs:
        won, count = sum(row["hpt_won"] for row in pairs), sum(row["seeds"] for row in pairs)
        console.print(f"hpt won {won:g} of {count} pairs")


def parse_options() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--seconds", type=float, default=60.0, help="that each search gets")
    add("--seeds", type=int, default=6)
    add("--training", action="append", choices=list(SPECS), help="repeatable")
    add("--only", action="append", choices=list(METHODS), help="a method beside hpt (repeatable)")
    add("--json", action="store_true")
    add("--short", action="store_true", help="a training, one seed, eight seconds")
    return parser.parse_args()


def main() -> None:
    """Run what the command line asks for."""
    options = parse_options()
    trainings = options.training or list(SPECS)
    if options.short:
        trainings, options.seeds, options.seconds = trainings[:1], 1, 8.0
    methods = ["hpt", *(each for each in options.only or METHODS if each != "hpt")]
    methods = [each for each in methods if is_available(each)]
    found: dict[tuple[str, str, int], Found] = {}
    for seed in range(options.seeds):
        for training in trainings:
            for method in random.Random(f"{seed} {training}").sample(methods, len(methods)):
                found[training, method, seed] = METHODS[method](training, seed, options.seconds)
                best = found[training, method, seed].best
                print(f"{training}, seed {seed}: {method} {best:.4f}", file=sys.stderr)
    rows = []
    for training in trainings:
        of_hpt = None
        for method in methods:
            each = [found[training, method, seed] for seed in range(options.seeds)]
            losses = np.array([one.best for one in each])
            jobs = np.array([len(one.losses) for one in each])
            rows.append(make_row(training, method, losses, jobs, of_hpt))
            of_hpt = losses if method == "hpt" else of_hpt
    if options.json:
        print(json.dumps(rows, indent=1))
    else:
        show(make_console(), rows)


if __name__ == "__main__":
    main()
