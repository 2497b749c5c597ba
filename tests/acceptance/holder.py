"""A training command that takes what it was given, and says so if somebody else has it already."""

from __future__ import annotations

import argparse
import fcntl
import os
import random
import signal
import sys
import time
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--x", type=float)
parser.add_argument("--seconds", type=float, default=0.0)
parser.add_argument("--jobs-per-gpu", type=int, default=1)
parser.add_argument("--trouble", type=float, default=0.0)
options = parser.parse_args()


def take(name: str, places: int) -> bool:
    """Hold one of the places of a thing until this process ends, however it ends."""
    for place in range(places):
        file = os.open(locks / f"{name}.{place}", os.O_CREAT | os.O_RDWR)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            os.close(file)
    return False


locks = Path("locks")
locks.mkdir(exist_ok=True)
cores = sorted(os.sched_getaffinity(0)) if "OMP_NUM_THREADS" in os.environ else []
gpus = os.environ.get("CUDA_VISIBLE_DEVICES", "")
wanted = [(f"core-{core}", 1) for core in cores]
wanted += [(f"gpu-{gpu}", options.jobs_per_gpu) for gpu in gpus.split(",") if gpu not in ("", "-1")]
for name, places in wanted:
    if not take(name, places):
        with Path("clashes").open("a") as clashes:
            clashes.write(f"{os.environ['HPT_TRAINING_JOB']} {name}\n")
names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "SM_NUM_CPUS", "SM_NUM_GPUS")
print("cores", *cores, "gpus", gpus, *(f"{name}={os.environ.get(name)}" for name in names))
time.sleep(options.seconds * random.random())
if random.random() < options.trouble:
    if random.random() < 0.5:
        os.kill(os.getpid(), signal.SIGKILL)
    sys.exit(3)
print(f"loss={options.x}")
time.sleep(options.seconds * random.random())
