"""hpt logs NAME JOB: what a training job printed; or, with --tuner, the tuner's own messages."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from hpt_cli.cli.load import find_target, parse_jobs, read_state
from hpt_cli.cli.options import Home, Job, OptionalName
from hpt_cli.errors import HptError, UsageError
from hpt_cli.formatting import count, plain
from hpt_cli.logs.log_file import read_blocks
from hpt_cli.metrics.lines import clean
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.storage.lock import has_tuner

EXAMPLES = (
    "hpt logs digits 7",
    "hpt logs 7 --follow",
    "hpt logs digits --tuner",
)
FOLLOW_SECONDS = 0.2


def logs(
    name: OptionalName = None,
    job: Job = None,
    tuner: Annotated[
        bool, typer.Option("--tuner", help="Print the tuner's own messages instead.")
    ] = False,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Keep printing until what is followed has ended.")
    ] = False,
    attempt: Annotated[
        int | None,
        typer.Option("--attempt", metavar="N", min=1, help="An attempt other than the latest."),
    ] = None,
    home: Home = None,
) -> None:
    """Print a training job's output, or the tuner's own messages."""
    jobdir, words, _ = find_target(home, name, [] if job is None else [job])
    if (len(words) != 1) != tuner or len(words) > 1:
        hint = f"hpt logs {jobdir.name} 1, or hpt logs {jobdir.name} --tuner"
        raise UsageError.of("log-choice", "name one training job, or --tuner", hint)
    if not words:
        if not jobdir.tuner_log.is_file():
            raise HptError.of("no-log", f"the tuner of {jobdir.name} has written no log")
        _print_log(jobdir.tuner_log, lambda: not has_tuner(jobdir), follow=follow)
    else:
        _print_output(jobdir, words[0], attempt, follow=follow)


def _print_output(jobdir: JobDir, job: str, attempt: int | None, *, follow: bool) -> None:
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
    _print_log(
        jobdir.attempt(number, wanted).log,
        lambda: read_state(jobdir).jobs[number].has_ended or not has_tuner(jobdir),
        follow=follow,
    )


def _print_log(log: Path, is_over: Callable[[], bool], *, follow: bool) -> None:
    """Print a log, to its end or until something is over."""
    offset = _print_from(log, 0)
    while follow:
        over = is_over()
        offset = _print_from(log, offset)
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
