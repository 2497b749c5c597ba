"""Run the commands of docs/tutorial.md, and put what they print into it.

    python scripts/docs/write_tutorial.py
    python scripts/docs/write_tutorial.py --short    # only the first blocks, and write nothing

Every line of a console block that begins with `$ ` runs, in order, in a directory of its own with
the examples in it. A comment before a block may say `<!-- Ctrl-C after 12 s -->`. The number in
`hpt explain digits 4` becomes that of a training job which was stopped early.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "tutorial.md"
HOME = "~/hpt"
"""The name of the directory in the page."""
WIDTH = 88
MAX_LINES = 40
FIRST, LAST = 22, 12
"""The lines that are shown of an output of more than MAX_LINES."""
SHORT_BLOCKS = 3
BLOCK = re.compile(
    r"(?:<!-- Ctrl-C after (?P<seconds>\d+) s -->\n)?```console\n(?P<text>.*?)```\n", re.DOTALL
)
EXPLAIN = re.compile(r"(hpt explain (\S+)) \d+")


def main() -> None:
    """Run the page's commands, and write it again."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--short", action="store_true", help="run the first blocks, write nothing")
    short = parser.parse_args().short
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary, "hpt")
        for name in ("configs", "scripts"):
            shutil.copytree(ROOT / name, directory / name)
        written = BLOCK.sub(
            lambda block: write_block(block, directory),
            PAGE.read_text(),
            count=SHORT_BLOCKS if short else 0,
        )
    if not short:
        PAGE.write_text(written)


def write_block(block: re.Match[str], directory: Path) -> str:
    """Return the block with its commands, and what they print now."""
    seconds = block["seconds"]
    commands = [line[2:] for line in block["text"].splitlines() if line.startswith("$ ")]
    lines = [line for each in commands for line in run(each, directory, seconds)]
    comment = f"<!-- Ctrl-C after {seconds} s -->\n" if seconds else ""
    return comment + "```console\n" + "".join(f"{line}\n" for line in lines) + "```\n"


def run(command: str, directory: Path, seconds: str | None) -> Iterator[str]:
    """Yield the command as it is typed, and the lines that it prints."""
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "COLUMNS": str(WIDTH),
        "XDG_STATE_HOME": str(directory.parent),
    }
    command = EXPLAIN.sub(lambda found: choose_stopped(found, directory, environment), command)
    print(f"$ {command}", file=sys.stderr)
    process = subprocess.Popen(
        ["/bin/sh", "-c", f"exec {command}" if seconds else command],
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        out, _ = process.communicate(timeout=float(seconds) if seconds else None)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate()
    if process.returncode not in ((130,) if seconds else (0,)):
        sys.exit(f"exit code {process.returncode}: {command}\n{out}")
    yield f"$ {command}"
    lines = [line.rstrip() for line in out.replace(str(directory), HOME).splitlines()]
    if len(lines) > MAX_LINES:
        lines = [*lines[:FIRST], "[...]", *lines[-LAST:]]
    yield from lines


def choose_stopped(found: re.Match[str], directory: Path, environment: dict[str, str]) -> str:
    """Return `hpt explain NAME` with a job that was stopped early, after the median of epochs."""
    rows = json.loads(
        subprocess.run(
            ["hpt", "jobs", found[2], "--status", "Stopped", "--sort", "epochs", "--json"],
            cwd=directory,
            env=environment,
            check=True,
            stdout=subprocess.PIPE,
        ).stdout
    )
    numbers = [row["training_job_number"] for row in rows if row["stop_reason"] == "EarlyStopped"]
    return f"{found[1]} {numbers[len(numbers) // 2]}"


if __name__ == "__main__":
    main()
