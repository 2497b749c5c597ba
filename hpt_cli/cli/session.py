"""Tuning from a terminal: a view while it runs, reports and an exit code when it ends."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from rich.console import Console

from hpt_cli.cli.console import print_message
from hpt_cli.cli.load import read_summary
from hpt_cli.cli.output import print_report
from hpt_cli.errors import ExitCode, HptError
from hpt_cli.executors import load_executor
from hpt_cli.formatting import count
from hpt_cli.live.views import LiveView, PlainView, QuietView
from hpt_cli.machine.capacity import Capacity
from hpt_cli.runtime.notify import Notifier
from hpt_cli.runtime.runner import Runner
from hpt_cli.runtime.view import Views
from hpt_cli.spec.model import TuningSpec
from hpt_cli.storage.home import DEFAULT_HOME
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.storage.journal import open_journal
from hpt_cli.tuning.state import TuningState
from hpt_cli.tuning.summary import Summary, has_enough_results

LEAST_DESCRIPTORS = 8


def tune(
    jobdir: JobDir,
    spec: TuningSpec,
    state: TuningState,
    capacity: Capacity | None,
    *,
    plain: bool,
    quiet: bool,
) -> int:
    """Tune on from a state until the tuning job ends; the caller holds the lock.

    Returns:
        The exit code of the process.
    """
    notifier = Notifier(spec.notify, jobdir)
    with (
        open_journal(jobdir.journal, write=True, known=state.last_seq) as journal,
        notifier,
        choose_view(plain=plain, quiet=quiet) as view,
    ):
        views = Views(view, notifier)
        executor = load_executor(spec.executor, spec.slurm)
        runner = Runner(spec, journal, jobdir, executor, views, state, capacity)
        try:
            _check_descriptors()
            state = runner.run()
        except (HptError, OSError) as error:
            is_taken = isinstance(error, HptError) and error.problems[0].slug == "journal-taken"
            if runner.alive and not is_taken:
                words = f"{count(runner.alive, 'training job')} may continue without a tuner"
                print_message(f"{words}: hpt resume {jobdir.name}")
            raise
    for failure in notifier.failures:
        print_message(f"notify: {failure}")
    _print_results(jobdir, state, quiet=quiet)
    return _exit_code(state, runner.interrupted_by)


def _check_descriptors() -> None:
    """Raise OSError here if there are too few left: the runner would fail in a less orderly way."""
    for descriptor in [os.dup(sys.stderr.fileno()) for _ in range(LEAST_DESCRIPTORS)]:
        os.close(descriptor)


def choose_view(*, plain: bool, quiet: bool) -> QuietView:
    """Return the live screen for a terminal that can show it, else plain lines."""
    if quiet:
        return QuietView()
    console = Console(stderr=True)
    dumb = os.environ.get("TERM", "dumb") == "dumb" or "CI" in os.environ
    if plain or dumb or not console.is_terminal:
        return PlainView(sys.stderr)
    return LiveView(console)


def _print_results(jobdir: JobDir, state: TuningState, *, quiet: bool) -> None:
    """Print the reports of a tuning job and what to do next."""
    summary = read_summary(jobdir)
    if not quiet:
        print_report("jobs", [summary], as_json=False)
        print()
        print_report("show", [summary], as_json=False)
        sys.stdout.flush()
    home = jobdir.path.parent
    option = "" if home == Path(DEFAULT_HOME) else f" --home {home}"
    if state.status == "Stopped":
        print_message(f"\nto continue: hpt resume {jobdir.name}{option}")
    elif state.status == "Completed" and not quiet:
        lines = [f"  hpt {each} {jobdir.name}{option}" for each in _list_next_commands(summary)]
        print_message("\n".join(["\nto look closer:", *lines]))


def _list_next_commands(summary: Summary) -> list[str]:
    """Return the commands that have something to show of a tuning job."""
    curves = ["curves"] if any(row.curve for row in summary.rows) else []
    importance = ["importance"] if has_enough_results(summary.rows) else []
    return [*curves, *importance, "report"]


def _exit_code(state: TuningState, interrupted_by: int | None) -> int:
    if interrupted_by is not None and state.status == "Stopped":
        is_interrupt = interrupted_by == signal.SIGINT
        return ExitCode.INTERRUPTED if is_interrupt else ExitCode.TERMINATED
    return ExitCode.OK if state.status == "Completed" else ExitCode.FAILED
