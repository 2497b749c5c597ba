"""Run every script in its shortest form, two at a time, and fail if one fails.

python scripts/run_short.py [NAME ...]    # only the scripts whose path contains a NAME
"""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SCRIPTS = Path(__file__).parent
COMMANDS = (
    *("docs/write_pictures.py --short", "docs/write_tutorial.py --short"),
    *("docs/refresh_samples.py --short", "docs/write_all.py --check"),
    *("benchmarks/proposals.py --short", "benchmarks/confirm.py --short"),
    "benchmarks/lost_jobs.py --short",
    *("benchmarks/optimizer.py --short", "benchmarks/optimizer.py --short --cost"),
    *("benchmarks/early_stopping.py --short", "benchmarks/early_stopping.py --short --budget"),
    *("benchmarks/fit_auto_rule.py --short", "benchmarks/digits.py --short"),
    *("benchmarks/overhead.py --short", "benchmarks/reader.py --short"),
    *("benchmarks/journal.py --short", "benchmarks/load.py --short"),
    *("benchmarks/importance.py --short", "benchmarks/scaling.py --short"),
    *("benchmarks/latency.py --short", "benchmarks/public_arena.py --short"),
    *("benchmarks/end_to_end.py --short", "benchmarks/train_curves.py network-digits --epochs 1"),
    *("reliability/soak.py --short", "reliability/fuzz_reader.py --short"),
    *("train_digits.py --epochs 1", "train_sklearn.py --epochs 1", "measure_code.py"),
)
"""Every script that no other target runs: those are make faults, test-extras and test-slurm."""
TIMEOUT = 300.0


def run(command: str) -> bool:
    """Run a script and print a line about it, with its output if it failed; return its success."""
    begun = time.monotonic()
    try:
        done = subprocess.run(
            [sys.executable, *command.split()],
            cwd=SCRIPTS,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TIMEOUT,
        )
        code, output = f"exit code {done.returncode}", done.stdout
    except subprocess.TimeoutExpired as error:
        code, output = f"still running after {TIMEOUT:.0f} s", error.stdout or b""
    succeeded = code == "exit code 0"
    line = f"{time.monotonic() - begun:6.1f} s  scripts/{command}"
    if succeeded:
        print(f"ok   {line}", flush=True)
    else:
        print(f"FAIL {line}: {code}\n{output.decode(errors='replace')}", flush=True)
    return succeeded


def main() -> None:
    """Run the scripts that are named, or all."""
    names = sys.argv[1:]
    commands = [each for each in COMMANDS if not names or any(name in each for name in names)]
    if not commands:
        sys.exit(f"error: there is no script like {' '.join(names)}")
    with ThreadPoolExecutor(2) as pool:
        failed = [*pool.map(run, commands)].count(False)
    if failed:
        sys.exit(f"FAIL: {failed} of {len(commands)} scripts")


if __name__ == "__main__":
    main()
