"""Tune a training script by a loop around Optuna, as its users write it, for end_to_end.py.

    python scripts/benchmarks/optuna_loop.py end_to_end/network-digits.yaml --sampler tpe \\
        --pruner median --seed 0 --deadline "$(($(date +%s) + 60))"

The spec is one of hpt's: its ranges, command and fixed hyperparameters are read, no more. Jobs run
two at a time, each as a subprocess whose lines `epoch=7 loss=0.3120` are reported; where the pruner
says so it is killed, as are those that run at the deadline. The last loss of every job is printed,
as a list in JSON.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import optuna
import yaml

PARALLEL = 2
LINE = re.compile(r"epoch=(\d+) loss=(\S+)")
SAMPLERS = {"tpe": optuna.samplers.TPESampler, "gp": optuna.samplers.GPSampler}
PRUNERS = ("none", "median", "hyperband")


def suggest(trial: optuna.Trial, name: str, each: dict[str, Any]) -> Any:
    """Return a value for a range."""
    if each["type"] == "Categorical":
        return trial.suggest_categorical(name, each["values"])
    low, high, log = each["min_value"], each["max_value"], each.get("scaling_type") == "Logarithmic"
    if each["type"] == "Integer":
        return trial.suggest_int(name, low, high, log=log)
    # PyYAML reads 1e-5 as a string.
    return trial.suggest_float(name, float(low), float(high), log=log)


def follow_job(
    spec: dict[str, Any], deadline: float, losses: list[float], trial: optuna.Trial
) -> float:
    """Return the last loss of one training job, and append it; the job ends at the deadline."""
    ranges = spec["hyperparameter_ranges"]
    values = {name: suggest(trial, name, each) for name, each in ranges.items()}
    command = shlex.split(spec["command"].replace("{args}", ""))
    for name, value in (values | spec["static_hyperparameters"]).items():
        command += [f"--{name}", str(value)]
    last = math.nan
    with subprocess.Popen(
        command,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        end = threading.Timer(max(0.0, deadline - time.time()), process.kill)
        end.start()
        assert process.stdout is not None
        for line in process.stdout:
            if match := LINE.search(line):
                last = float(match[2])
                trial.report(last, int(match[1]))
                if trial.should_prune():
                    process.kill()
        end.cancel()
    losses.append(last)
    if process.returncode == -signal.SIGKILL:
        raise optuna.TrialPruned
    return last


def make_pruner(name: str, epochs: int) -> optuna.pruners.BasePruner:
    """Return a pruner with its defaults."""
    if name == "hyperband":
        return optuna.pruners.HyperbandPruner(max_resource=epochs)
    return optuna.pruners.MedianPruner() if name == "median" else optuna.pruners.NopPruner()


def main() -> None:
    """Tune until the deadline."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("spec", type=Path)
    parser.add_argument("--sampler", choices=list(SAMPLERS), required=True)
    parser.add_argument("--pruner", choices=PRUNERS, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--deadline", type=float, required=True, help="seconds since 1970")
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    spec = yaml.safe_load(options.spec.read_text())
    losses: list[float] = []
    study = optuna.create_study(
        sampler=SAMPLERS[options.sampler](seed=options.seed),
        pruner=make_pruner(options.pruner, spec["static_hyperparameters"]["epochs"]),
    )
    study.optimize(
        partial(follow_job, spec, options.deadline, losses),
        n_jobs=PARALLEL,
        timeout=options.deadline - time.time(),
        catch=(Exception,),
    )
    json.dump([each for each in losses if math.isfinite(each)], sys.stdout)


if __name__ == "__main__":
    main()
