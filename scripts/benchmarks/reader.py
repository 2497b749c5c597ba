"""How fast logs are read, and how closely many jobs are followed.

1. A log of 100-byte lines with one match in 100, three definitions: MB/s of processor time, with
   `grep -E -o` on the same file in the same run, by turns. Then the same with colours in every
   line, with a match in every line, and as JSON lines.
2. 64 logs that grow by 1,000 lines a second each, one match in 100 lines, looked at every 50 ms:
   the share of a core that takes, and how long after a line was written its value is known.
3. The same through `hpt run`: 64 training jobs, and the tuner's processor time and delays.

    python scripts/benchmarks/reader.py [--megabytes 100] [--rounds 10] [--logs 64] [--seconds 10]
    python scripts/benchmarks/reader.py --short    # 10 MB once, 4 logs for a second
"""

from __future__ import annotations

import argparse
import json
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
import yaml
from output import make_console
from rich.table import Table

from hpt_cli.executors.local import LocalExecutor
from hpt_cli.logs.tail import AttemptTail, FileTail
from hpt_cli.metrics.extractors import Extractor, compile_definition

HPT = Path(sys.executable).parent / "hpt"
EVERY = 100
"""One line in so many has a match."""
LINES_A_SECOND = 1000

DEFINITIONS = [
    {"name": "train_loss", "regex": "train_loss=({num})"},
    {"name": "val_loss", "regex": r"epoch {step}.*\bval_loss=({num})"},
    {"name": "val_acc", "regex": "val_acc=({num})"},
]
GREP = '(train_loss|val_loss|val_acc)"?[=:] ?[-+0-9.eE]+'
JSON_DEFINITIONS = [
    {"name": name, "json": name, "step": "epoch"} for name in ("train_loss", "val_loss", "val_acc")
]

WRITER = """
import sys, time
seconds, rate, every = float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
paths = [word for word in sys.argv[4:] if word.startswith("/")]
files = [open(path, "ab", buffering=0) for path in paths]
filler = b"2026-11-24 08:00:00 INFO worker: a line of usual length, and no metric in it\\n"
batch = max(1, rate // 100)
begun, written = time.time(), 0
while (now := time.time()) < begun + seconds:
    due = int((now - begun) * rate)
    while written < due:
        count = min(batch, due - written)
        for file in files:
            lines = [
                b"epoch=%d t=%.6f\\n" % (number, time.time()) if number % every == 0 else filler
                for number in range(written, written + count)
            ]
            file.write(b"".join(lines))
        written += count
    time.sleep(0.005)
"""


def main() -> None:
    """Measure, and print tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--logs", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--short", action="store_true", help="10 MB once, 4 logs for a second")
    arguments = parser.parse_args()
    if arguments.short:
        arguments.megabytes, arguments.rounds, arguments.logs, arguments.seconds = 10, 1, 4, 1.0
    console = make_console()
    with tempfile.TemporaryDirectory() as directory:
        console.print(bench_throughput(Path(directory), arguments.megabytes, arguments.rounds))
    with tempfile.TemporaryDirectory() as directory:
        figures = follow_logs(Path(directory), arguments.logs, arguments.seconds)
        console.print(describe(f"{arguments.logs} logs, the reader alone", figures))
    with tempfile.TemporaryDirectory() as directory:
        figures = follow_jobs(Path(directory), arguments.logs, arguments.seconds)
        console.print(describe(f"{arguments.logs} training jobs, hpt run", figures))


# -- throughput ------------------------------------------------------------------------------------


def make_log(kind: str, size: int) -> bytes:
    """Return a log of lines of about 100 bytes."""
    filler = [
        f"2026-11-24 08:00:{i % 60:02d} INFO worker: step {i} of the pipeline did {i * 7} things in"
        f" {i / 3:.3f} ms, fine".encode()
        for i in range(EVERY - 1)
    ]
    match = b"epoch 3 train_loss=0.5123 val_loss=4.13e-02 val_acc=0.8812 and text to usual length"
    if kind == "JSON lines":
        filler = [json.dumps({"message": line.decode()[:80]}).encode() for line in filler]
        match = b'{"epoch": 3, "train_loss": 0.5123, "val_loss": 0.0413, "val_acc": 0.8812, "a": 1}'
    if kind == "colours in every line":
        filler = [line.replace(b"INFO", b"\x1b[32mINFO\x1b[0m") for line in filler]
    lines = [match] if kind == "a match in every line" else [*filler, match]
    once = b"\n".join(lines) + b"\n"
    return once * (size // len(once))


def bench_throughput(directory: Path, megabytes: int, rounds: int) -> Table:
    """Return a table of MB/s, with a row for each kind of log."""
    table = Table(
        title=f"reading {megabytes} MB {rounds} times (others a tenth, once), on one core"
    )
    for heading in ("log", "hpt MB/s", "grep -E -o MB/s", "hpt / grep", "values"):
        table.add_column(heading, justify="left" if heading == "log" else "right")
    kinds = (
        "one match in 100 lines",
        "colours in every line",
        "a match in every line",
        "JSON lines",
    )
    for number, kind in enumerate(kinds):
        definitions = JSON_DEFINITIONS if kind == "JSON lines" else DEFINITIONS
        path = directory / "log"
        size = megabytes if number == 0 else megabytes // 10
        path.write_bytes(make_log(kind, size * 10**6))
        extractors = [compile_definition(each) for each in definitions]
        ours, theirs, values = [], [], 0
        for _ in range(rounds if number == 0 else 1):
            seconds, values = time_reader(path, extractors)
            ours.append(path.stat().st_size / 1e6 / seconds)
            theirs.append(path.stat().st_size / 1e6 / time_grep(path))
        mine, grep = statistics.median(ours), statistics.median(theirs)
        table.add_row(kind, f"{mine:.0f}", f"{grep:.0f}", f"{mine / grep:.2f}", str(values))
    return table


def time_reader(path: Path, extractors: Sequence[Extractor]) -> tuple[float, int]:
    """Return the processor seconds to read a file, and how many values it has."""
    begun = time.process_time()
    found = FileTail(path, extractors).read(final=True)
    return time.process_time() - begun, len(found)


def time_grep(path: Path) -> float:
    """Return the processor seconds that grep takes to print the same matches.

    Into a file, as it stops at the first match when nobody reads.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with open(path.with_suffix(".out"), "wb") as output:
        subprocess.run(["grep", "-E", "-o", GREP, str(path)], stdout=output, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


# -- following -------------------------------------------------------------------------------------


def follow_logs(directory: Path, logs: int, seconds: float) -> dict[str, float]:
    """Follow files that one process writes; return what was measured."""
    paths = [directory / f"{number}.log" for number in range(logs)]
    extractor = compile_definition({"name": "t", "regex": r"^epoch={step} t=({num})"})
    tails = [AttemptTail([extractor], path, directory, 0.0, {}) for path in paths]
    options = [str(seconds), str(LINES_A_SECOND), str(EVERY), *map(str, paths)]
    writer = subprocess.Popen([sys.executable, "-c", WRITER, *options])
    delays: list[float] = []
    begun, used = time.monotonic(), time.process_time()
    while writer.poll() is None:
        for tail in tails:
            delays += [time.time() - each.value for each in tail.read()]
        time.sleep(LocalExecutor.poll_seconds)
    share = (time.process_time() - used) / (time.monotonic() - begun)
    return summarize_delays(delays, share, logs, seconds)


def follow_jobs(directory: Path, jobs: int, seconds: float) -> dict[str, float]:
    """Follow training jobs with the real command, all at once; return what was measured."""
    (directory / "write.py").write_text(WRITER)
    options = f"{seconds} {LINES_A_SECOND} {EVERY} /dev/stdout"
    spec = {
        "name": "bench",
        "command": f"{sys.executable} write.py {options} --seed {{seed}}",
        "hyperparameter_ranges": {"seed": {"type": "Integer", "min_value": 1, "max_value": 10**6}},
        "metric_definitions": [{"name": "t", "regex": r"^epoch={step} t=({num})"}],
        "objective_metric_name": "t",
        "objective_type": "Maximize",
        "strategy": "Random",
        "max_jobs": jobs,
        "max_parallel_jobs": jobs,
    }
    (directory / "spec.yaml").write_text(yaml.safe_dump(spec))
    command = [str(HPT), "run", "spec.yaml", "--quiet", "--home", "home"]
    tuner = subprocess.Popen(command, cwd=directory, stdin=subprocess.DEVNULL)
    process = psutil.Process(tuner.pid)
    begun, used = time.monotonic(), 0.0
    while tuner.poll() is None:
        used = sum(process.cpu_times()[:2]) if process.is_running() else used
        time.sleep(0.2)
    share = used / (time.monotonic() - begun)
    with sqlite3.connect(directory / "home" / "bench" / "journal.sqlite") as journal:
        delays = [at - value for at, value in journal.execute("SELECT at, value FROM observation")]
    return summarize_delays(delays, share, jobs, seconds)


def summarize_delays(
    delays: list[float], share: float, logs: int, seconds: float
) -> dict[str, float]:
    """Return what was measured, by name."""
    cuts = statistics.quantiles(delays, n=1000)
    return {
        "core": share,
        "median ms": 1e3 * statistics.median(delays),
        "99 % ms": 1e3 * cuts[989],
        "worst ms": 1e3 * max(delays),
        "values": len(delays),
        "of": logs * seconds * LINES_A_SECOND / EVERY,
    }


def describe(title: str, figures: dict[str, float]) -> Table:
    """Return a table of one row with what was measured."""
    table = Table(title=f"{title}, {LINES_A_SECOND} lines a second each")
    for name in figures:
        table.add_column(name, justify="right")
    table.add_row(
        *(f"{figure:.3g}" if figure < 1000 else f"{figure:.0f}" for figure in figures.values())
    )
    return table


if __name__ == "__main__":
    main()
