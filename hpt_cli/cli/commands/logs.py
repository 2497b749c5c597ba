"""hpt logs NAME JOB: what a training job printed."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from hpt_cli.cli.load import find_tuning_job, parse_jobs, read_state
from hpt_cli.cli.options import Home, Job, Name
from hpt_cli.errors import HptError, UsageError
from hpt_cli.formatting import count, plain
from hpt_cli.logs.log_file import read_blocks
from hpt_cli.metrics.lines import clean
from hpt_cli.storage.lock import has_tuner

EXAMPLES = (
    "hpt logs digits 7",
    "hpt logs digits 7 --follow",
)
FOLLOW_SECONDS = 0.2


def logs(
    name: Name,
    job: Job,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Keep printing until the training job has ended.")
    ] = False,
    attempt: Annotated[
        int | None, typer.Option("--attempt", min=1, help="An attempt other than the latest.")
    ] = None,
    home: Home = None,
) -> None:
    """Print a training job's output."""
    jobdir = find_tuning_job(home, name)
    known = read_state(jobdir).jobs
    (number,) = parse_jobs([job], jobdir.name, known)
    attempts = known[number].attempts
    if not attempts:
        raise HptError.of("no-log", f"training job {number} has not started yet")
    wanted = attempt or attempts[-1].number
    if wanted > len(attempts):
        raise UsageError.of(
            "attempt-unknown", f"training job {number} has {count(len(attempts), 'attempt')}"
        )
    offset = _print_from(jobdir.attempt(number, wanted).log, 0)
    while follow:
        over = read_state(jobdir).jobs[number].has_ended or not has_tuner(jobdir)
        offset = _print_from(jobdir.attempt(number, wanted).log, offset)
        if over:
            return
        time.sleep(FOLLOW_SECONDS)


def _print_from(log: Path, offset: int) -> int:
    """Print a log from an offset on: raw into a pipe, but safe on a terminal."""
    with suppress(FileNotFoundError):
        for end, block in read_blocks(log, offset):
            _print_block(block)
            offset = end
    return offset


def _print_block(data: bytes) -> None:
    if sys.stdout.isatty():
        lines = data.replace(b"\r", b"\n").split(b"\n")
        sys.stdout.write("\n".join(plain(clean(line).expandtabs()) for line in lines))
        sys.stdout.flush()
    else:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
