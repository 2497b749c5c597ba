"""Opening tuning jobs to read them, and printing reports on them."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpt_cli.errors import HptError, Problem, UsageError
from hpt_cli.spec.names import parse_job
from hpt_cli.storage.home import find_home, find_job_dir
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.storage.lock import find_lock_holder

if TYPE_CHECKING:
    from hpt_cli.tuning.state import TuningState
    from hpt_cli.tuning.summary import Summary

ANSWER_SECONDS = 30.0


def open_summary(home: Path | None, name: str) -> Summary:
    """The summary of the tuning job of this name.

    Raises:
        HptError: there is none, or its journal cannot be read.
    """
    return read_summary(find_job_dir(find_home(home), name))


def read_state(jobdir: JobDir, *, only_latest: bool = False) -> TuningState:
    """The state of a tuning job; `only_latest`: with no more of each curve than its last step."""
    from hpt_cli.storage.journal import open_journal

    with open_journal(jobdir.journal) as journal:
        return journal.state(only_latest=only_latest)


def read_summary(jobdir: JobDir) -> Summary:
    """The summary of a tuning job; one that was left by its tuner says so."""
    return summarize_state(jobdir, read_state(jobdir))


def summarize_state(jobdir: JobDir, state: TuningState) -> Summary:
    """The same of a state that was read."""
    from hpt_cli.tuning.summary import summarize

    at_work = find_lock_holder(jobdir) is not None
    summary = summarize(state, time.time(), at_work=at_work)
    if not at_work and summary.status in ("InProgress", "Stopping"):
        reason = f"no tuner is at work; go on with 'hpt resume {summary.name}'"
        summary = replace(summary, reason=reason)
    return summary


def parse_jobs(texts: Iterable[str], name: str, known: Iterable[int]) -> list[int]:
    """The numbers of training jobs, each written as 7 or NAME-0007.

    Raises:
        UsageError: some are none, or not of this tuning job.
    """
    known = set(known)
    there = f"there are 1 to {max(known)}" if known else "there are none yet"
    numbers = {text: parse_job(text) for text in texts}
    problems = [
        Problem("job-unknown", f"{name} has no training job '{text}'", there)
        for text, number in numbers.items()
        if number not in known
    ]
    if problems:
        raise UsageError(*problems)
    return [number for number in numbers.values() if number is not None]


def wait_for_answer(jobdir: JobDir, is_done: Callable[[], bool]) -> None:
    """Wait until a tuner has done what it was asked to.

    Raises:
        HptError: it has not, for longer than stopping a training job takes.
    """
    patience = ANSWER_SECONDS + float(read_state(jobdir).spec.get("stop_grace_seconds", 0))
    deadline = time.monotonic() + patience
    while not is_done():
        if time.monotonic() > deadline:
            raise HptError.of("no-answer", f"{jobdir.name} has not answered for {patience:.0f} s")
        time.sleep(0.1)


def print_report(name: str, summaries: Sequence[Summary], *, as_json: bool) -> None:
    """Print a report, for people or as JSON, on standard output."""
    from hpt_cli.reports import load_report

    report = load_report(name)
    if as_json:
        print_json(report.to_json(summaries))
        return
    from rich.console import Console

    Console().print(report.render(summaries))


def print_json(document: Any) -> None:
    """One JSON document on standard output, which is UTF-8 whatever the locale (RFC 8259)."""
    from hpt_cli.formatting import write_json

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="replace")
    print(write_json(document))
